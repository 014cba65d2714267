"""What is unusual about a load, by the history of its table: robust, and quiet where there is little to go by.

A number is held against the median of the earlier loads, in units of their median absolute deviation (times 1.4826,
which makes it a standard deviation for normal numbers). Source: Iglewicz and Hoaglin, How to Detect and Handle
Outliers, 1993.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from sqlglot import exp

from manara.plugin.connection import ArrowTransaction
from manara.quality.measures import Check
from manara.quality.odcs import Contract, Property
from manara.quality.tables import VALUES
from manara.quality.trees import quoted, sql

PROPERTY = "anomalies"
"""The custom property of a table that asks for it."""

_TO_DEVIATION = 1.4826
_LEAST_SHARE = 0.05
"""The least deviation that counts as usual, as a share of the median: a history without any change knows none."""

_SEASONS = 24
_SAME_MONTH = 2


class Settings(BaseModel):
    """`threshold` in deviations, `minimumHistory` in loads, and the `columns` that are looked at (all without it)."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid")

    threshold: float = Field(default=6.0, gt=0)
    minimum_history: int = Field(default=8, ge=4)
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A number of an earlier load, and when that was."""

    at: datetime
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusual:
    """How far a number lies from what is usual, in deviations, and what is usual."""

    deviations: float
    usual: float


def judge(value: float, now: datetime, history: Sequence[Past], settings: Settings) -> Unusual | None:
    """Return how unusual a number is; None where it is usual, or where too little is known.

    With two years of loads, a number is held against those of the same month of the year where there are two at least,
    so that a season is no surprise.
    """
    if len(history) < settings.minimum_history:
        return None
    season = _season(now, history)
    usual = statistics.median(past.value for past in season)
    shifts = _shifts(history) if len(season) < len(history) else [past.value - usual for past in history]
    spread = _TO_DEVIATION * statistics.median(abs(shift) for shift in shifts)
    scale = max(spread, _LEAST_SHARE * abs(usual), 1e-9)
    deviations = (value - usual) / scale
    return Unusual(deviations=deviations, usual=usual) if abs(deviations) > settings.threshold else None


def measure(transaction: ArrowTransaction, contract: Contract, rows: int) -> dict[str, float]:
    """Return the numbers of a load that its table is known by: rows, and of each column blanks, kinds and sum."""
    settings = settings_of(contract)
    if settings is None:
        return {}
    wanted = [each for each in contract.properties if not settings.columns or each.name in settings.columns]
    query = exp.select(*(tree for each in wanted for tree in _numbers(each))).from_(exp.table_(VALUES, quoted=True))
    found = transaction.query(sql(query)).read_all().to_pylist()[0] if wanted and rows else {}
    return {"rows": float(rows)} | {name: float(value) for name, value in found.items() if value is not None}


def checks(
    measured: Mapping[str, float], history: Mapping[str, Sequence[Past]], now: datetime, contract: Contract
) -> list[Check]:
    """Return a warning for each number that is unusual for the table, and a pass for each that is not."""
    settings = settings_of(contract)
    if settings is None:
        return []
    found = []
    for name, value in measured.items():
        past = history.get(name, ())
        if len(past) < settings.minimum_history:
            continue
        odd = judge(value, now, past, settings)
        told = f"{name} is {value:g}"
        if odd is not None:
            told += f", {abs(odd.deviations):.1f} deviations {'above' if odd.deviations > 0 else 'below'} {odd.usual:g}"
        found.append(
            Check(
                name=f"unusual.{name}", dimension="accuracy", severity="warning", value=value, holds=odd is None,
                reason=told,
            )
        )  # fmt: skip
    return found


def settings_of(contract: Contract) -> Settings | None:
    """Return what the contract asks for; None where it asks for nothing."""
    told = contract.table.custom(PROPERTY)
    if told is None or told is False:
        return None
    return Settings.model_validate(told if isinstance(told, dict) else {})


def _numbers(each: Property) -> list[exp.Expr]:
    column = quoted(each.name)
    blanks = exp.Anonymous(this="avg", expressions=[exp.cast(column.is_(exp.null()), "INTEGER", dialect="duckdb")])
    kinds = exp.Count(this=exp.Distinct(expressions=[column.copy()]))
    named = {"blank share": blanks, "kinds": kinds}
    found = [exp.alias_(tree, f"{each.name}.{what}", quoted=True) for what, tree in named.items()]
    if each.logical_type in ("integer", "number") and not each.primary_key:
        found.append(exp.alias_(exp.Sum(this=column.copy()), f"{each.name}.sum", quoted=True))
    return found


def _season(now: datetime, history: Sequence[Past]) -> Sequence[Past]:
    same = [past for past in history if past.at.month == now.month and past.at.year < now.year]
    return same if len(history) >= _SEASONS and len(same) >= _SAME_MONTH else history


def _shifts(history: Sequence[Past]) -> list[float]:
    """Return how far each load lay from what is usual in its month."""
    months: dict[int, list[float]] = {}
    for past in history:
        months.setdefault(past.at.month, []).append(past.value)
    usual = {month: statistics.median(values) for month, values in months.items()}
    return [past.value - usual[past.at.month] for past in history]
