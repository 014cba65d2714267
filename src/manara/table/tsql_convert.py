"""CONVERT with a style: days and moments as texts, and texts as days and moments.

Source: the table of date and time styles of CAST and CONVERT in SQL Server's reference. The styles that write a day as
in `Feb  4 2024` are left out: no format of the others pads it so.
"""

import re
from typing import Any

from sqlglot import exp

from manara.table.tsql_types import Types

_TEXTS = {
    exp.DataType.Type.VARCHAR,
    exp.DataType.Type.NVARCHAR,
    exp.DataType.Type.CHAR,
    exp.DataType.Type.NCHAR,
    exp.DataType.Type.TEXT,
}
_DAYS: dict[int, str] = {
    1: "%m/%d/%y", 2: "%y.%m.%d", 3: "%d/%m/%y", 4: "%d.%m.%y", 5: "%d-%m-%y", 6: "%d %b %y", 7: "%b %d, %y",
    10: "%m-%d-%y", 11: "%y/%m/%d", 12: "%y%m%d", 23: "%Y-%m-%d", 101: "%m/%d/%Y", 102: "%Y.%m.%d", 103: "%d/%m/%Y",
    104: "%d.%m.%Y", 105: "%d-%m-%Y", 106: "%d %b %Y", 107: "%b %d, %Y", 110: "%m-%d-%Y", 111: "%Y/%m/%d",
    112: "%Y%m%d",
}  # fmt: skip
_ISO: dict[int, str] = dict.fromkeys((20, 21, 25, 120, 121, 126, 127), "%Y-%m-%d")
_MOMENTS: dict[int, str] = {
    **_DAYS,
    **dict.fromkeys((8, 24, 108), "%H:%M:%S"),
    **dict.fromkeys((14, 114), "%H:%M:%S:%g"),
    **dict.fromkeys((20, 120), "%Y-%m-%d %H:%M:%S"),
    **dict.fromkeys((21, 25, 121), "%Y-%m-%d %H:%M:%S.%g"),
    **dict.fromkeys((13, 113), "%d %b %Y %H:%M:%S:%g"),
    **dict.fromkeys((126, 127), "%Y-%m-%dT%H:%M:%S.%g"),
}
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", "T%H:%M", "T%H:%M:%S", "T%H:%M:%S.%f")
_IN_POSTGRES = {
    "%m": "MM", "%d": "DD", "%Y": "YYYY", "%y": "YY", "%H": "HH24", "%M": "MI", "%S": "SS", "%g": "MS", "%b": "Mon",
    "T": '"T"',
}  # fmt: skip


def as_text(value: exp.Expression, style: int, types: Types, to: str) -> exp.Expression | None:
    """Return a value as the text that a style gives; None for what has no counterpart."""
    sort = types.of(value)
    if sort == "text":
        return value
    if sort in {"int", "float"}:
        return value if style == 0 else None
    form = (_DAYS | _ISO if types.is_day(value) else _MOMENTS).get(style)
    if form is None or to not in {"duckdb", "postgres"}:
        return None
    moment = exp.cast(value, "timestamp")
    told = exp.Literal.string(form if to == "duckdb" else _for_postgres(form))
    text = exp.Anonymous(this="strftime" if to == "duckdb" else "to_char", expressions=[moment, told])
    if "T" not in form:
        return text
    fraction = [exp.Literal.string("\\.000$"), exp.Literal.string("")]  # this style leaves it out where it is nothing
    return exp.Anonymous(this="regexp_replace", expressions=[text, *fraction])


def from_text(value: exp.Expression, style: int, types: Types, to: str, *, is_safe: bool) -> exp.Expression | None:
    """Return the moment that a text means by a style; None for what has no counterpart. A moment stays as it is."""
    if types.of(value) == "time":
        return value
    form = (_DAYS | _ISO).get(style)
    if form is None or (to == "postgres" and is_safe) or to not in {"duckdb", "postgres"}:
        return None
    if to == "postgres":
        told = exp.Literal.string(f"{_for_postgres(form)} HH24:MI:SS.MS")
        plain = exp.func("replace", value, exp.Literal.string("T"), exp.Literal.string(" ")) if style in _ISO else value
        return exp.cast(exp.Anonymous(this="to_timestamp", expressions=[plain, told]), "timestamp")
    forms = exp.Array(expressions=[exp.Literal.string(form + time) for time in _TIMES])
    return exp.Anonymous(this="try_strptime" if is_safe else "strptime", expressions=[value, forms])


def is_text(kind: exp.DataType) -> bool:
    """Return whether a type is one of texts."""
    return kind.this in _TEXTS


def style_of(node: exp.Convert) -> int | None:
    """Return the style of a CONVERT, -1 where it has none; None for one that is not written out."""
    told: Any = node.args.get("style")
    if told is None:
        return -1
    return int(told.name) if isinstance(told, exp.Literal) and told.name.isdecimal() else None


def _for_postgres(form: str) -> str:
    return re.sub(r"%\w|T", lambda found: _IN_POSTGRES[found[0]], form)
