"""What each kind of column does with a value: a Finding, which is a value of the target or a reason with candidates."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

import pyarrow as pa

from manara.errors import ManaraError, WrongDefinition
from manara.harmonise.groups import read_age, read_sex
from manara.harmonise.match import Match, Matcher, Rules
from manara.harmonise.names import plain
from manara.harmonise.pack import Pack
from manara.harmonise.settings import (
    AgeColumn,
    AmountColumn,
    AnyColumn,
    CodeColumn,
    DateColumn,
    MoneyColumn,
    PeriodColumn,
    SexColumn,
)
from manara.harmonise.units import converted, read_amount, unit_of
from manara.period.dates import read_date
from manara.period.notation import read_period, write_period

Values = tuple[str | None, ...]
Aliases = Mapping[tuple[str, str], str]
REFUSED, BLANK, NONE, ALIAS, READ = "refused", "blank", "none", "alias", "read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What became of a value: `values` for the target's columns, or none and why not."""

    outcome: str
    values: tuple[Any, ...] | None = None
    parent: str = ""
    reason: str = ""
    candidates: str = "[]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A column ready to read: the columns it takes, those it gives with their types, and how values are read."""

    column: AnyColumn
    takes: tuple[str, ...]
    gives: Mapping[str, pa.DataType]
    read: Callable[[Values], Finding]


def reader_of(column: AnyColumn, packs: Mapping[str, Pack], aliases: Aliases) -> Reader:
    """Return what reads a column. `aliases` are the steward's decisions on its list, by (parent, plain name).

    A decision goes before everything else: a name that a steward has decided is never matched again.
    """
    if isinstance(column, CodeColumn):
        return _code_reader(column, packs[column.pack], aliases)
    one, gives = _plain_reader(column, packs)

    def read(values: Values) -> Finding:
        text = (values[0] or "").strip()
        if not text:
            return Finding(outcome=BLANK, values=(None,) * len(gives))
        decided = aliases.get(("", plain(text)))
        if decided == "":
            return Finding(outcome=NONE, values=(None,) * len(gives))
        try:
            if decided is not None and not isinstance(column, PeriodColumn | MoneyColumn):
                return Finding(outcome=ALIAS, values=(_decided(decided, next(iter(gives.values()))),))
            return Finding(outcome=READ, values=one((decided or values[0], *values[1:])))
        except ManaraError as error:
            return Finding(outcome=REFUSED, reason=str(error))

    return Reader(column=column, takes=column.reads, gives=gives, read=read)


def _code_reader(column: CodeColumn, pack: Pack, aliases: Aliases) -> Reader:
    rules = Rules(
        threshold=column.threshold,
        margin=column.margin,
        never_fuzzy=frozenset(column.never_fuzzy),
        outside=column.outside,
    )
    matcher = Matcher(pack.entries, rules, {**pack.aliases, **aliases}, level=column.level)
    places = [name for name in (column.parent, column.within) if name]

    def read(values: Values) -> Finding:
        text = (values[0] or "").strip()
        if not text:
            return Finding(outcome=BLANK, values=(None,))
        told = dict(zip(places, values[1:], strict=True))
        parent = told.get(column.parent or "") or None
        within = told.get(column.within or "") or None
        found = matcher.match(text, parent, within)
        if found.code or found.outcome == NONE:
            return Finding(outcome=found.outcome, values=(found.code or None,))
        return Finding(
            outcome=found.outcome,
            parent=parent or within or "",
            reason=_why(found, text, parent or within),
            candidates=_candidates(found),
        )

    return Reader(column=column, takes=column.reads, gives={column.to: pa.string()}, read=read)


def _why(found: Match, text: str, place: str | None) -> str:
    where = f" in {place}" if place else ""
    if found.outcome == "ambiguous":
        return f"'{text}' is the name of several{where}: {', '.join(each.code for each in found.candidates)}."
    return f"'{text}' is the name of none{where}."


def _candidates(found: Match) -> str:
    listed = [{"code": each.code, "name": each.name, "score": each.score} for each in found.candidates]
    return json.dumps(listed, ensure_ascii=False)


Read = Callable[[Values], tuple[Any, ...]]


def _plain_reader(column: AnyColumn, packs: Mapping[str, Pack]) -> tuple[Read, dict[str, pa.DataType]]:
    """Return what reads a text, and the columns that it gives."""
    to = column.to
    if isinstance(column, AgeColumn):
        known = {entry.code for entry in packs[column.pack].entries} if column.pack else None
        return lambda values: (read_age(str(values[0]), column.unit, known),), {to: pa.string()}
    if isinstance(column, SexColumn):
        return lambda values: (read_sex(str(values[0]), column.values),), {to: pa.string()}
    if isinstance(column, DateColumn):
        return lambda values: (read_date(str(values[0]), column.forms),), {to: pa.date32()}
    if isinstance(column, PeriodColumn):
        return _period(column), {to: pa.string(), f"{to}_start": pa.date32(), f"{to}_end": pa.date32()}
    if isinstance(column, AmountColumn):
        return _amount(column), {to: pa.float64()}
    if isinstance(column, MoneyColumn):
        return _money(column, packs[column.pack]), {to: pa.float64()}
    raise WrongDefinition(f"A column cannot be read as '{column.kind}'.")


def _period(column: PeriodColumn) -> Read:
    def read(values: Values) -> tuple[Any, ...]:
        period = read_period(str(values[0]).strip(), column.notation)
        return write_period(period, column.write), period.start, period.end

    return read


def _amount(column: AmountColumn) -> Read:
    target = unit_of(column.unit)

    def read(values: Values) -> tuple[Any, ...]:
        amount = read_amount(str(values[0]))
        number = amount.number
        if column.value is not None:
            if values[1] is None or not values[1].strip():
                return (None,)
            number *= _number(values[1])
        return (float(converted(number, amount.unit, target)),)

    return read


def _money(column: MoneyColumn, pack: Pack) -> Read:
    rates = pack.rates
    if rates is None:
        raise WrongDefinition(f"The pack '{pack.name}' holds no rates.", advice="Name a pack of the kind rates.")
    rates.oldest_days = column.oldest_days

    def read(values: Values) -> tuple[Any, ...]:
        amount, currency, day = values
        try:
            when = datetime.fromisoformat((day or "").strip()).date()
        except ValueError as error:
            raise WrongDefinition(f"'{day}' in '{column.day}' is no date such as 2024-01-31.") from error
        return (float(rates.convert(_number(amount or ""), (currency or "").strip(), column.target, when)),)

    return read


def _number(text: str) -> Fraction:
    try:
        return Fraction(Decimal(text.strip()))
    except (InvalidOperation, ValueError, OverflowError) as error:
        raise WrongDefinition(f"'{text}' is no number.") from error


def _decided(text: str, kind: pa.DataType) -> Any:
    """Return the value that a steward wrote down, in the type of the column."""
    try:
        if pa.types.is_date(kind):
            return date.fromisoformat(text)
        return float(text) if pa.types.is_floating(kind) else text
    except ValueError as error:
        raise WrongDefinition(f"The steward's decision '{text}' is no {kind}.", advice="Decide it again.") from error


def packs_of(columns: Sequence[AnyColumn]) -> list[str]:
    """Return the names of the packs that the columns need."""
    named = [getattr(column, "pack", None) for column in columns]
    return list(dict.fromkeys(name for name in named if name))
