"""Casts that give NULL for what does not fit, and never another value: as SQL trees for DuckDB."""

from typing import Any

import pyarrow as pa
from sqlglot import exp

_WHOLE = r"[+-]?[0-9]+([.]0*)?"
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
_BOOLEANS = ("true", "false", "1", "0")


def safe_cast(value: exp.Expression, source: pa.DataType, target: str) -> exp.Expression:
    """Return the value as DuckDB's type `target`, or NULL where it does not fit whole.

    `source` is the value's Arrow type. A plain TRY_CAST would make 11 of the text 10.7 and drop the offset of
    2024-03-01T12:00:00+02:00; here the first does not fit, and the second becomes 10:00 UTC. A text of blanks fits
    no type but text. Needs the session's time zone to be UTC.
    """
    wanted = exp.DataType.build(target, dialect="duckdb")
    is_text = pa.types.is_string(source) or pa.types.is_large_string(source)
    cast = exp.TryCast(this=value.copy(), to=wanted.copy())
    if wanted.this in _WHOLE_TYPES and is_text:
        trimmed = exp.Trim(this=value.copy())
        return _only(exp.func("regexp_full_match", trimmed, exp.Literal.string(_WHOLE), dialect="duckdb"), cast)
    if wanted.this in _WHOLE_TYPES and (pa.types.is_floating(source) or pa.types.is_decimal(source)):
        return _only(exp.EQ(this=value.copy(), expression=exp.func("trunc", value.copy())), cast)
    if wanted.this in _MOMENT_TYPES and is_text:
        aware = exp.TryCast(this=value.copy(), to=exp.DataType.build("timestamptz", dialect="duckdb"))
        return exp.AtTimeZone(this=aware, zone=exp.Literal.string("UTC"))
    if wanted.this == exp.DataType.Type.BOOLEAN and is_text:
        lower = exp.Lower(this=exp.Trim(this=value.copy()))
        return _only(exp.In(this=lower, expressions=[exp.Literal.string(word) for word in _BOOLEANS]), cast)
    return cast


def does_not_fit(value: exp.Expression, cast: exp.Expression) -> Any:
    """Return the condition that there is a value, and that its cast gives none."""
    there = exp.Not(this=exp.Is(this=value.copy(), expression=exp.null()))
    return exp.and_(there, exp.Is(this=exp.Paren(this=cast.copy()), expression=exp.null()))


def _only(condition: Any, value: exp.Expression) -> exp.Expression:
    return exp.Case(ifs=[exp.If(this=condition, true=value)])
