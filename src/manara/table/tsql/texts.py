"""Texts of T-SQL that become numbers and moments: what SQL Server reads, and what TRY_CAST makes NULL.

Source: "CAST and CONVERT" and "date" in SQL Server's reference: a blank text reads as 0 or 1900-01-01, days may be
written `20240203`, and where slashes stand the month comes first (us_english).
"""

import re
from typing import Any

from sqlglot import exp

from manara.table.tsql.forms import filled
from manara.table.tsql.parts import refuse
from manara.table.tsql.sorts import Types

_KIND = exp.DataType.Type
WHOLE = {_KIND.TINYINT: 8, _KIND.UTINYINT: 8, _KIND.SMALLINT: 15, _KIND.INT: 31, _KIND.BIGINT: 63}
"""The kinds of whole numbers, with their bits, of which a TINYINT has none for a sign."""
_NO_SIGN = 8
_BINARY = {_KIND.FLOAT, _KIND.DOUBLE}
_DECIMAL = {_KIND.DECIMAL, _KIND.MONEY, _KIND.SMALLMONEY}
_TIMES = {_KIND.DATE, _KIND.DATETIME, _KIND.DATETIME2, _KIND.SMALLDATETIME, _KIND.TIMESTAMP, _KIND.TIMESTAMPNTZ}
_FIRST_DAY = "1900-01-01"
_DAYS = (
    (r"^\s*(\d{4})(\d{2})(\d{2})($|[\sT])", r"\1-\2-\3\4"),
    (r"^\s*(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})", r"\3-\1-\2"),
)
_ON_DAYS = "regexp_replace(regexp_replace({x}, {p0}, {r0}), {p1}, {r1})"
_READ = "case when trim({x}) = '' then {blank} else {value} end"
_MATCHED = "case when {x} ~ {p} then {value} end"
_A_NUMBER = r"^\s*[-+]?(\d+\.?\d*|\.\d+)"
_A_MOMENT = r"^\s*\d{4}-\d{1,2}-\d{1,2}([ T]([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?)?\s*$"
_IN_MONTH = (
    "case when cast(split_part({x}, '-', 2) as int) between 1 and 12 then "
    "case when cast(substring(split_part({x}, '-', 3) from '^[0-9]+') as int) between 1 and extract(day from "
    "make_date(cast(trim(split_part({x}, '-', 1)) as int), cast(split_part({x}, '-', 2) as int), 1) "
    "+ interval '1 month' - interval '1 day') then {value} end end"
)
_TAKE_DAYS = (
    exp.DateAdd, exp.DateDiff, exp.TimeStrToTime, exp.Extract, exp.TimestampTrunc, exp.DateTrunc, exp.LastDay, exp.Year,
    exp.Month, exp.Day, exp.TsOrDsToDate,
)  # fmt: skip


def read(node: exp.Cast, types: Types, to: str, text: str) -> exp.Expression:
    """Return a cast of a text as SQL Server reads it, and TRY_CAST for PostgreSQL, which has none."""
    is_safe = isinstance(node, exp.TryCast) and to == "postgres"
    sort, kind = types.of(node.this), node.to.this
    if sort != "text" or to not in {"duckdb", "postgres"}:
        if is_safe and not sort and not isinstance(node.this, exp.Null):
            refuse(text, f"{node.sql('tsql')}, of which it is not certain whether it is one of a text")
        return exp.Cast(this=node.this, to=node.to) if is_safe else node
    blank = "0" if kind in WHOLE or kind in _BINARY else _FIRST_DAY if kind in _TIMES else ""
    value = node.this
    if isinstance(value, exp.Literal):
        value = on_days(value) if kind in _TIMES else value
        value = exp.Literal.string(blank) if blank and not value.name.strip() else value
    elif blank:
        told = _on_days(value, to) if kind in _TIMES else value
        value = filled(_READ, to, x=value, blank=exp.Literal.string(blank), value=told)
    if is_safe:
        is_constant = isinstance(value, exp.Literal)  # PostgreSQL would compute all branches of one beforehand
        return _if_it_fits(exp.Subquery(this=exp.select(value)) if is_constant else value, node.to)
    node.set("this", value)
    return node


def on_days(literal: exp.Literal) -> exp.Literal:
    """Return a text with its day as every database reads it."""
    told = literal.name
    for pattern, by in _DAYS:
        told = re.sub(pattern, by, told)
    return literal if told == literal.name else exp.Literal.string(told)


def with_days(tree: exp.Expression, types: Types) -> None:
    """Write the days of texts that stand where a moment belongs as every database reads them, however it is set up."""
    for literal in list(tree.find_all(exp.Literal)):
        place = literal.parent
        if not literal.is_string or place is None:
            continue
        others = [*place.iter_expressions()] if isinstance(place, exp.Binary | exp.Between | exp.In) else []
        if isinstance(place, _TAKE_DAYS) or any(types.of(one) == "time" for one in others):
            literal.replace(on_days(literal))


def _on_days(value: exp.Expression, to: str) -> exp.Expression:
    parts = {f"{name}{n}": exp.Literal.string(pair[at]) for n, pair in enumerate(_DAYS) for at, name in enumerate("pr")}
    return filled(_ON_DAYS, to, x=value, **parts)


def _if_it_fits(value: exp.Expression, kind: exp.DataType) -> exp.Expression:
    """Return a text as a value of a type, NULL where PostgreSQL would not take it."""
    told: Any = exp.Cast(this=value.copy(), to=kind)
    if bits := WHOLE.get(kind.this):
        low, high = -(1 << bits) if bits > _NO_SIGN else 0, (1 << bits) - 1
        form = f"case when cast({{x}} as numeric) between {low} and {high} then {{value}} end"
        return _matched(value, r"^\s*[-+]?\d{1,38}\s*$", filled(form, "postgres", x=value, value=told))
    if kind.this in _DECIMAL:
        digits, places = [*(int(one.name) for one in kind.expressions), *(18, 0)[len(kind.expressions) :]]
        form = f"case when abs(round(cast({{x}} as numeric), {places})) < 1e{digits - places} then {{value}} end"
        return _matched(value, _A_NUMBER + r"\s*$", filled(form, "postgres", x=value, value=told))
    if kind.this in _BINARY:
        return _matched(value, _A_NUMBER + r"([eE][-+]?\d{1,2})?\s*$", told)
    if kind.this in _TIMES:
        return _matched(value, _A_MOMENT, filled(_IN_MONTH, "postgres", x=value, value=told))
    return told  # type: ignore[no-any-return] # a tree


def _matched(value: exp.Expression, pattern: str, told: exp.Expression) -> exp.Expression:
    return filled(_MATCHED, "postgres", x=value, p=exp.Literal.string(pattern), value=told)
