"""Days and moments as T-SQL counts them: a week begins on Sunday, a difference counts borders, 0 is 1900-01-01."""

from sqlglot import exp
from tzlocal.windows_tz import win_tz

from manara.table.tsql.formats import formatted
from manara.table.tsql.forms import filled
from manara.table.tsql.parts import refuse, tokens_of
from manara.table.tsql.sorts import Types
from manara.table.tsql.texts import on_days

_DIALECTS = {"duckdb", "postgres"}
_IANA = {name.lower(): iana for name, iana in win_tz.items()}
_SHORT = {
    **dict.fromkeys(("yy", "yyyy", "year"), "year"), **dict.fromkeys(("qq", "q", "quarter"), "quarter"),
    **dict.fromkeys(("mm", "m", "month"), "month"), **dict.fromkeys(("dy", "y", "dayofyear"), "dayofyear"),
    **dict.fromkeys(("dd", "d", "day"), "day"), **dict.fromkeys(("wk", "ww", "week"), "week"),
    **dict.fromkeys(("dw", "w", "weekday"), "weekday"), **dict.fromkeys(("hh", "hour"), "hour"),
    **dict.fromkeys(("mi", "n", "minute"), "minute"), **dict.fromkeys(("ss", "s", "second"), "second"),
    **dict.fromkeys(("ms", "millisecond"), "millisecond"), **dict.fromkeys(("mcs", "microsecond"), "microsecond"),
    **dict.fromkeys(("isowk", "isoww", "iso_week"), "iso_week"),
}  # fmt: skip
"""What the short names of the parts of a date stand for in T-SQL, and nowhere else."""
_COUNTED = {"dayofyear": "day", "weekday": "day"}
_ADDS = {"DATEADD", "DATEDIFF", "DATEDIFF_BIG"}
_TAKES_PART = {*_ADDS, "DATEPART", "DATENAME", "DATETRUNC"}
_SMALLER = {"HOUR": 3600, "MINUTE": 60, "SECOND": 1}
_PARTS_OF_SECOND = {"MILLISECOND": 1_000, "MICROSECOND": 1_000_000}
_SINCE = "cast(floor((cast({x} as date) - date '1899-12-31') / 7.0) as integer)"
"""Which week since a Sunday, any one."""
_WEEK = "cast(floor((extract(doy from {x}) + extract(dow from date_trunc('year', {x})) - 1) / 7) + 1 as integer)"
_PARTS = {
    "DAYOFWEEK": "cast(extract(dow from {x}) + 1 as integer)",
    "WEEK": _WEEK,
    "WEEKISO": "cast(extract(week from {x}) as integer)",
    "MILLISECOND": "cast(floor(extract(millisecond from {x})) as integer) % 1000",
    "MICROSECOND": "cast(floor(extract(microsecond from {x})) as integer) % 1000000",
    "DAYOFYEAR": "cast(extract(doy from {x}) as integer)",
}
"""Parts of a day that other databases count otherwise. Source: DATEPART, with the DATEFIRST of us_english."""


def with_whole_names(text: str) -> str:
    """Return a statement with the parts of dates by their whole names.

    >>> with_whole_names("SELECT DATEADD(n, 1, a), DATEDIFF(dw, a, b), DATEPART(y, a), 'datepart(y, a)'")
    "SELECT DATEADD(minute, 1, a), DATEDIFF(day, a, b), DATEPART(dayofyear, a), 'datepart(y, a)'"
    """
    if "date" not in text.lower():
        return text
    tokens = tokens_of(text)
    for at in reversed(range(len(tokens) - 3)):
        name, opened, part, comma = tokens[at : at + 4]
        called = "" if name.token_type.name == "IDENTIFIER" else name.text.upper()
        if called in _TAKES_PART and (opened.text, comma.text) == ("(", ","):
            whole = _SHORT.get(part.text.lower(), part.text)
            whole = _COUNTED.get(whole, whole) if called in _ADDS else whole
            text = text[: part.start] + whole + text[part.end + 1 :]
    return text


def name_of_part(node: exp.Anonymous, types: Types, to: str, text: str) -> exp.Expression:
    """Return DATENAME: the name of a month or weekday, any other part as a number in letters."""
    part, value = node.expressions
    value = on_days(value) if isinstance(value, exp.Literal) and value.is_string else value
    form = {"MONTH": "MMMM", "WEEKDAY": "dddd"}.get(part.name.upper())
    if form:
        moment = exp.cast(value, "timestamp")
        return formatted(exp.Anonymous(this="FORMAT", expressions=[moment, exp.Literal.string(form)]), to, text, types)
    unit = {"WEEKDAY": "DAYOFWEEK", "ISO_WEEK": "WEEKISO"}.get(part.name.upper(), part.name.upper())
    number = part_of(exp.Extract(this=exp.var(unit), expression=exp.cast(value, "timestamp")), types, to)
    return exp.cast(exp.cast(number, "int"), "text")


def between(node: exp.DateDiff, to: str, text: str) -> exp.Expression:
    """Return the number of borders between two times, as SQL Server counts; PostgreSQL has no such function."""
    unit = str(node.args.get("unit") or "DAY").upper()
    if unit == "WEEK" and to in _DIALECTS:
        return exp.Sub(this=filled(_SINCE, to, x=node.this), expression=filled(_SINCE, to, x=node.expression))
    if to != "postgres":
        return node
    end, start = (exp.cast(part.copy(), "timestamp") for part in (node.this, node.expression))
    if unit == "DAY":
        return filled("(cast({e} as date) - cast({s} as date))", to, e=end, s=start)
    if unit in {"YEAR", "MONTH", "QUARTER"}:
        many = {"YEAR": 1, "MONTH": 12, "QUARTER": 4}[unit]
        rest = f"+ extract({unit.lower()} from {{e}}) - extract({unit.lower()} from {{s}})" if many > 1 else ""
        borders = f"cast((extract(year from {{e}}) - extract(year from {{s}})) * {many} {rest} as bigint)"
        return filled(borders, to, e=end, s=start)
    if unit in _PARTS_OF_SECOND:
        counted = f"floor(extract(epoch from {{}}) * {_PARTS_OF_SECOND[unit]})"
        return filled(f"cast({counted.format('{e}')} - {counted.format('{s}')} as bigint)", to, e=end, s=start)
    if unit not in _SMALLER:
        refuse(text, f"DATEDIFF in {unit}")
    apart = f"extract(epoch from date_trunc('{unit.lower()}', {{e}}) - date_trunc('{unit.lower()}', {{s}}))"
    return filled(f"cast({apart} / {_SMALLER[unit]} as bigint)", to, e=end, s=start)


def part_of(node: exp.Extract, types: Types, to: str) -> exp.Expression:
    """Return DATEPART as SQL Server counts: Sunday is day 1, and week 1 is that of 1 January."""
    value = node.expression
    if types.of(value) == "text":
        value = exp.cast(value.copy(), "timestamp")
        node.set("expression", value)
    form = _PARTS.get(node.this.name.upper())
    return node if form is None or to not in _DIALECTS else exp.paren(filled(form, to, x=value), copy=False)


def begun(node: exp.TimestampTrunc, types: Types, to: str, text: str) -> exp.Expression:
    """Return DATETRUNC: a week begins on Sunday, and PostgreSQL would give it a time zone."""
    if to not in _DIALECTS:
        return node
    unit = node.args["unit"].name.lower()
    if unit not in {"year", "quarter", "month", "week", "iso_week", "day", "dayofyear", "hour", "minute", "second"}:
        refuse(text, f"DATETRUNC by {unit}")
    plain = {"iso_week": "week", "dayofyear": "day"}.get(unit, unit)
    form = f"date_trunc('{plain}', cast({{x}} as timestamp))"
    if unit == "week":
        form = "date_trunc('week', cast({x} as timestamp) + interval '1 day') - interval '1 day'"
    return exp.cast(exp.paren(filled(form, to, x=node.this)), "date" if types.is_day(node.this) else "timestamp")


def added(node: exp.DateAdd, types: Types) -> exp.Expression:
    """Return DATEADD: of a day it is a day, and where a number or text stands, the moment that it means.

    0 is 1900-01-01.
    """
    if types.is_day(node.this):
        return exp.cast(node, "date")
    if isinstance(node.this, exp.Literal) and node.this.is_string:
        node.set("this", exp.cast(on_days(node.this), "timestamp"))
    elif isinstance(node.this, exp.Literal) and node.this.name == "0":
        node.set("this", exp.cast(exp.Literal.string("1900-01-01"), "timestamp"))
    return node


def day_of(node: exp.DateFromParts) -> exp.Expression:
    """Return DATEFROMPARTS."""
    return exp.Anonymous(this="make_date", expressions=[node.args["year"], node.args["month"], node.args["day"]])


def moment_of(node: exp.TimestampFromParts | exp.TimeFromParts, to: str) -> exp.Expression:
    """Return DATETIMEFROMPARTS and TIMEFROMPARTS; the parts of a second are thousandths, or as many digits as told."""
    told = node.args
    is_time = isinstance(node, exp.TimeFromParts)
    seconds, parts = told["sec"], told.get("fractions") if is_time else told.get("milli")
    if parts is not None:
        digits = told.get("precision")
        scale = 10.0 ** int(digits.name) if digits is not None else 1000.0 if not is_time else 1.0
        share = exp.Div(this=exp.paren(parts.copy()), expression=exp.Literal.number(f"{scale:.1f}"))
        seconds = exp.Add(this=exp.paren(seconds.copy()), expression=share)
    names = ("hour", "min") if is_time else ("year", "month", "day", "hour", "min")
    values = [*(told[name].copy() for name in names), seconds.copy()]
    if to == "postgres":
        values[-1] = exp.cast(values[-1], "double")
    return exp.Anonymous(this="make_time" if is_time else "make_timestamp", expressions=values)


def in_zone(node: exp.AtTimeZone) -> exp.AtTimeZone:
    """Return a moment in a time zone by its IANA name; SQL Server calls it as Windows does."""
    zone = node.args["zone"]
    if isinstance(zone, exp.Literal):
        node.set("zone", exp.Literal.string(_IANA.get(zone.name.lower(), zone.name)))
    return node
