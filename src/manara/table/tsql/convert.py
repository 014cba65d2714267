"""CONVERT with a style: days and moments as texts, and texts as days and moments.

Source: the table of date and time styles of CAST and CONVERT in SQL Server's reference. A `datetime` without a style is
written by style 0.
"""

import re
from collections.abc import Mapping
from typing import Any

from sqlglot import exp

from manara.table.tsql.sorts import Types

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
_PADDED = {**dict.fromkeys((0, 100), ":%M%p"), **dict.fromkeys((9, 109), ":%M:%S:%g%p")}
"""How a moment ends by the styles that pad day and hour with a blank, as in `Feb  4 2024  3:04PM`."""
_OLD = {exp.DataType.Type.DATETIME, exp.DataType.Type.SMALLDATETIME}
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", "T%H:%M", "T%H:%M:%S", "T%H:%M:%S.%f")
_IN_POSTGRES = {
    "%m": "MM", "%d": "DD", "%Y": "YYYY", "%y": "YY", "%H": "HH24", "%M": "MI", "%S": "SS", "%g": "MS", "%b": "Mon",
    "%-d": "FMDD", "%-I": "FMHH12", "%p": "AM", "T": '"T"',
}  # fmt: skip


def as_text(value: exp.Expression, style: int, types: Types, to: str) -> exp.Expression | None:
    """Return a value as the text that a style gives; None for what has no counterpart."""
    sort = types.of(value)
    if sort == "text":
        return value
    if sort in {"int", "float"}:
        return value if style == 0 else None
    is_day, is_padded = types.is_day(value), sort == "time" and style in _PADDED
    form = (_DAYS | _ISO if is_day else _MOMENTS).get(style)
    if to not in {"duckdb", "postgres"} or (form is None and not is_padded):
        return None
    moment = exp.cast(value, "timestamp")
    if form is None:
        return _padded(moment, [" %Y"] if is_day else [" %Y ", "%-I", _PADDED[style]], to)
    text = _spelt(moment, form, to)
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


def hash_as_text(value: exp.Expression, style: int) -> exp.Expression | None:
    """Return a hash, which is a text of digits here already, as style 1 or 2 writes it; None for another."""
    digits = exp.Upper(this=value)
    begun = exp.DPipe(this=exp.Literal.string("0x"), expression=digits.copy())
    return {1: begun, 2: digits}.get(style)


def is_text(kind: exp.DataType) -> bool:
    """Return whether a type is one of texts."""
    return kind.this in _TEXTS


def style_of(node: exp.Convert) -> int | None:
    """Return the style of a CONVERT, -1 where it has none; None for one that is not written out."""
    told: Any = node.args.get("style")
    if told is None:
        return -1
    return int(told.name) if isinstance(told, exp.Literal) and told.name.isdecimal() else None


def _padded(moment: exp.Expression, parts: list[str], to: str) -> exp.Expression:
    """Return a text that begins with month and day, one digit of a number behind a blank."""
    found = _spelt(moment, "%b ", to)
    for part in ("%-d", *parts):
        told = _spelt(moment, part, to)
        if "-" in part:
            told = exp.Anonymous(this="lpad", expressions=[told, exp.Literal.number(2), exp.Literal.string(" ")])
        found = exp.DPipe(this=found, expression=told)
    return found


def with_styles(tree: exp.Expression, kinds: Mapping[str, exp.DataType], text: str) -> exp.Expression:
    """Return the tree of a text with style 0 for each `datetime` that becomes a text; `kinds` are those of variables.

    Of other moments it is not known whether they are a `datetime`, and a `datetime2` is written otherwise. SYSDATETIME
    gives one of these, and stands in the tree like GETDATE.
    """
    if "sysdatetime" in text.lower():
        return tree
    for node in list(tree.find_all(exp.Convert, exp.Cast, exp.Concat, exp.ConcatWs)):
        if isinstance(node, exp.Concat | exp.ConcatWs):
            told = [_in_style_0(one) if _is_old(one, kinds) else one for one in node.expressions]
            node.set("expressions", told)
        elif isinstance(node, exp.Convert):
            if is_text(node.this) and node.args.get("style") is None and _is_old(node.expression, kinds):
                node.set("style", exp.Literal.number(0))
        elif type(node) is exp.Cast and is_text(node.to) and _is_old(node.this, kinds):
            made = exp.Convert(this=node.to, expression=node.this, style=exp.Literal.number(0))
            if node is tree:
                return made
            node.replace(made)
    return tree


def _in_style_0(value: exp.Expression) -> exp.Convert:
    kind = exp.DataType.build("varchar(30)", dialect="tsql")
    return exp.Convert(this=kind, expression=value, style=exp.Literal.number(0))


def _is_old(value: Any, kinds: Mapping[str, exp.DataType]) -> bool:
    """Return whether a value is certainly a `datetime` or `smalldatetime`."""
    told = value.unnest()
    if isinstance(told, exp.Parameter):
        kind = kinds.get(told.name.lower())
        return kind is not None and kind.this in _OLD
    if isinstance(told, exp.DateAdd):
        return _is_old(told.this, kinds)
    return isinstance(told, exp.CurrentTimestamp) or (isinstance(told, exp.Cast) and told.to.this in _OLD)


def _spelt(moment: exp.Expression, form: str, to: str) -> exp.Expression:
    told = exp.Literal.string(form if to == "duckdb" else _for_postgres(form))
    return exp.Anonymous(this="strftime" if to == "duckdb" else "to_char", expressions=[moment.copy(), told])


def _for_postgres(form: str) -> str:
    return re.sub(r"%-?\w|T", lambda found: _IN_POSTGRES[found[0]], form)
