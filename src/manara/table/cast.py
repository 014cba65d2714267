"""Casts that give NULL for what does not fit, and never another value: as SQL trees for DuckDB."""

import re
from typing import Any

import pyarrow as pa
from sqlglot import exp

_WHOLE = r"[+-]?[0-9]+([.]0*)?"
# DuckDB would take 03-01-24 for a day of the year 3.
_YEAR_FIRST = r"[0-9]{4}[^0-9].*"
# DuckDB would take 1_000 for a thousand.
_NUMBER = r"[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?|[+-]?(nan|inf|infinity)"
_NUMBER_TYPES = {exp.DataType.Type.FLOAT, exp.DataType.Type.DOUBLE, exp.DataType.Type.DECIMAL}
_WHOLE_TYPES = {
    exp.DataType.Type.TINYINT,
    exp.DataType.Type.SMALLINT,
    exp.DataType.Type.INT,
    exp.DataType.Type.BIGINT,
    exp.DataType.Type.INT128,
    exp.DataType.Type.UTINYINT,
    exp.DataType.Type.USMALLINT,
    exp.DataType.Type.UINT,
    exp.DataType.Type.UBIGINT,
}
# DuckDB's TIMESTAMP has no zone; sqlglot calls it so.
_MOMENT_TYPES = {exp.DataType.Type.TIMESTAMP, exp.DataType.Type.TIMESTAMPNTZ}
_DAY_TYPES = {*_MOMENT_TYPES, exp.DataType.Type.DATE, exp.DataType.Type.TIMESTAMPTZ}
_WHOLE_NAMES = {
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
}  # fmt: skip
_BOOLEANS = ("true", "false", "1", "0")
_BLANKS = " \t"
# ISO 8601 lets a time end with its hour, and DuckDB does not.
_TO_THE_HOUR = r"^([0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2})(Z|[+-][0-9]{2}(:?[0-9]{2})?)?$"


def safe_cast(value: exp.Expression, source: pa.DataType, target: str) -> exp.Expression:
    """Return the value as DuckDB's type `target`, or NULL where it does not fit whole.

    `source` is the value's Arrow type. A plain TRY_CAST would make 11 of the text 10.7 and drop the offset of
    2024-03-01T12:00:00+02:00; here the first does not fit, and the second becomes 10:00 UTC. A day begins with its
    year in four digits. A text of blanks fits no type but text. Needs the session's time zone to be UTC.
    """
    wanted = exp.DataType.build(target, dialect="duckdb")
    is_text = pa.types.is_string(source) or pa.types.is_large_string(source)
    cast: exp.Expression = exp.TryCast(this=value.copy(), to=wanted.copy())
    if wanted.this in _WHOLE_TYPES and is_text:
        return _only(exp.func("regexp_full_match", _trimmed(value), exp.Literal.string(_WHOLE), dialect="duckdb"), cast)
    if wanted.this in _WHOLE_TYPES and (pa.types.is_floating(source) or pa.types.is_decimal(source)):
        return _only(exp.EQ(this=value.copy(), expression=exp.func("trunc", value.copy())), cast)
    if wanted.this in _NUMBER_TYPES and is_text:
        lower = exp.Lower(this=_trimmed(value))
        return _only(exp.func("regexp_full_match", lower, exp.Literal.string(_NUMBER), dialect="duckdb"), cast)
    if wanted.this in _DAY_TYPES and is_text:
        if wanted.this != exp.DataType.Type.DATE:
            cast = exp.TryCast(this=_with_minutes(value), to=exp.DataType.build("timestamptz", dialect="duckdb"))
        if wanted.this in _MOMENT_TYPES:
            cast = exp.AtTimeZone(this=cast, zone=exp.Literal.string("UTC"))
        return _only(
            exp.func("regexp_full_match", _trimmed(value), exp.Literal.string(_YEAR_FIRST), dialect="duckdb"), cast
        )
    if wanted.this == exp.DataType.Type.BOOLEAN and is_text:
        lower = exp.Lower(this=_trimmed(value))
        return _only(exp.In(this=lower, expressions=[exp.Literal.string(word) for word in _BOOLEANS]), cast)
    return cast


def may_fit(text: str, target: str) -> bool:
    """Return False for a text that certainly does not fit DuckDB's type `target` by `safe_cast`."""
    trimmed = text.strip(_BLANKS)
    if target in _WHOLE_NAMES:
        return re.fullmatch(_WHOLE, trimmed) is not None
    return target not in {"FLOAT", "DOUBLE"} or re.fullmatch(_NUMBER, trimmed.lower()) is not None


def does_not_fit(value: exp.Expression, cast: exp.Expression) -> Any:
    """Return the condition that there is a value, and that its cast gives none."""
    there = exp.Not(this=exp.Is(this=value.copy(), expression=exp.null()))
    return exp.and_(there, exp.Is(this=exp.Paren(this=cast.copy()), expression=exp.null()))


def _trimmed(value: exp.Expression) -> exp.Expression:
    return exp.Trim(this=value.copy(), expression=exp.Literal.string(_BLANKS))


def _with_minutes(value: exp.Expression) -> exp.RegexpReplace:
    """Return the value with minutes where it is a moment that is told to the hour."""
    pattern, longer = exp.Literal.string(_TO_THE_HOUR), exp.Literal.string(r"\1:00\2")
    return exp.RegexpReplace(this=value.copy(), expression=pattern, replacement=longer)


def _only(condition: Any, value: exp.Expression) -> exp.Expression:
    return exp.Case(ifs=[exp.If(this=condition, true=value)])
