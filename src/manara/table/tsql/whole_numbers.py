"""Numbers as T-SQL counts them: a cast to a whole number cuts, and so does a column that takes a fraction."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlglot import exp

from manara.table.tsql.forms import filled
from manara.table.tsql.sorts import Types, sort_of
from manara.table.tsql.texts import WHOLE

_NO_WHOLE = "error('''' || cast({x} as varchar) || ''' is no whole number')"
_TEXT = "case when contains(cast({x} as varchar), '.') then {bad} else cast({x} as bigint) end"
"""A text in DuckDB, which would round it; `bad` is what becomes of one with a fraction."""

_CUT = {
    "duckdb": (
        "case when typeof({x}) in ('DOUBLE', 'FLOAT') then cast(trunc(try_cast({x} as double)) as bigint) "
        "when typeof({x}) like 'DECIMAL%' then cast(trunc(try_cast({x} as decimal(38, 10))) as bigint) "
        "when typeof({x}) = 'VARCHAR' and contains(cast({x} as varchar), '.') then {bad} else cast({x} as bigint) end"
    ),
    "postgres": (
        "case when cast(pg_typeof({x}) as text) in ('numeric', 'double precision', 'real') "
        "then cast(trunc(cast(cast({x} as text) as numeric)) as bigint) else cast({x} as integer) end"
    ),
}
"""A value of which only the database knows whether it has a fraction."""


def cut(node: exp.Cast, types: Types, to: str) -> exp.Expression:
    """Return a cast to a whole number that cuts a fraction off, as SQL Server does; the others would round."""
    if node.to.this not in WHOLE or to not in _CUT:
        return node
    value, sort = node.this, types.of(node.this)
    if sort == "float":
        node.set("this", exp.func("trunc", value.copy()))
    elif (sort == "text" and to == "duckdb") or not (sort or isinstance(value, exp.Null | exp.Boolean | exp.Var)):
        is_careful = isinstance(node, exp.TryCast)
        form = (_TEXT if sort else _CUT[to]).replace("{bad}", "null" if is_careful else _NO_WHOLE)
        tree = _with(form, to, value)
        node.set("this", tree.transform(_careful) if is_careful else tree)
    return node


def _careful(node: exp.Expression) -> exp.Expression:
    return exp.TryCast(this=node.this, to=node.to) if type(node) is exp.Cast else node


def not_by_nothing(node: exp.Div) -> exp.Div:
    """Return a division that fails where it divides by nothing; DuckDB would give a number without end."""
    divisor = node.expression.unnest()
    is_nothing_left_out = isinstance(divisor, exp.Nullif) and divisor.expression.name == "0"
    is_written = isinstance(divisor, exp.Literal) and (divisor.is_string or float(divisor.name) != 0)
    if is_nothing_left_out or is_written:
        return node
    checked = "case when {x} = 0 then error('Divide by zero error encountered.') else {x} end"
    node.set("expression", _with(checked, "duckdb", divisor))
    return node


def rounded(node: exp.Round) -> exp.Expression | None:
    """Return a ROUND that cuts as one that does so; None where it cannot be told which of both it is."""
    how = node.args.get("truncate")
    if how is None:
        return node
    if not isinstance(how, exp.Literal):
        return None
    if how.name == "0":
        return exp.Round(this=node.this, decimals=node.args.get("decimals"))
    return exp.Anonymous(this="trunc", expressions=[node.this, node.args.get("decimals") or exp.Literal.number(0)])


def with_bits(tree: exp.Expression, types: Types, to: str) -> None:
    """Make casts of numbers to BIT 0 or 1 for PostgreSQL, where BIT is a small number."""
    for node in list(tree.find_all(exp.Cast)) if to == "postgres" else ():
        is_bit = node.to.this in {exp.DataType.Type.BIT, exp.DataType.Type.BOOLEAN}
        if is_bit and types.of(node.this) in {"int", "float"}:
            node.set("this", _with("case when {x} = 0 then 0 when {x} <> 0 then 1 end", to, node.this))
        elif is_bit and types.of(node.this) == "text":
            node.set(
                "this",
                _with("case lower(trim({x})) when 'true' then '1' when 'false' then '0' else {x} end", to, node.this),
            )


def stored(tree: exp.Expression, types: Types, to: str, columns: Callable[[exp.Table], Mapping[str, str]]) -> None:
    """Make what a change stores fit its columns, as SQL Server does unasked.

    What is known to have a fraction is cut for a column of whole numbers, and a text is read for one of numbers or
    moments. `columns` tells those of a table.
    """
    for update in list(tree.find_all(exp.Update)):
        for one in update.expressions:
            if isinstance(one, exp.EQ) and isinstance(one.this, exp.Column):
                one.set("expression", _fitting(one.expression, types.kind(one.this), types, to))
    for insert in list(tree.find_all(exp.Insert)):
        kinds = _kinds(insert, types, columns)
        for row in _rows(insert.expression):
            pairs = zip(row.expressions, [*kinds, *[""] * len(row.expressions)], strict=False)
            row.set("expressions", [_fitting(value, kind, types, to) for value, kind in pairs])


def _kinds(insert: exp.Insert, types: Types, columns: Callable[[exp.Table], Mapping[str, str]]) -> list[str]:
    """Return the types of the columns that an INSERT fills, in the words of the database."""
    if isinstance(insert.this, exp.Tuple):  # of a MERGE
        return [types.kind(column) for column in insert.this.expressions]
    told = insert.this.expressions if isinstance(insert.this, exp.Schema) else []
    target = insert.this.this if isinstance(insert.this, exp.Schema) else insert.this
    if not isinstance(target, exp.Table) or not isinstance(target.this, exp.Identifier):
        return []
    kinds = {name.lower(): kind for name, kind in columns(target.copy()).items()}
    return [kinds.get(name, "") for name in ([each.name.lower() for each in told] or [*kinds])]


def _rows(given: Any) -> list[Any]:
    """Return the lists of values that an INSERT takes its rows from."""
    if isinstance(given, exp.Tuple):
        return [given]
    if isinstance(given, exp.Values):
        return [row for row in given.expressions if isinstance(row, exp.Tuple)]
    if isinstance(given, exp.SetOperation):
        return [*_rows(given.left), *_rows(given.right)]
    return [given] if isinstance(given, exp.Select) and not given.find(exp.Star) else []


def _fitting(value: Any, kind: str, types: Types, to: str) -> Any:
    inner = value.this if isinstance(value, exp.Alias) else value
    sort, wanted = types.of(inner), sort_of(kind)
    if wanted == "int" and sort == "float":
        short = exp.func("trunc", inner.copy())
    elif wanted in {"int", "float", "time"} and sort == "text" and to in _CUT:
        short = exp.cast(inner.copy(), exp.DataType.build(kind, dialect=to))
    else:
        return value
    return exp.alias_(short, value.alias, quoted=True) if isinstance(value, exp.Alias) else short


def _with(form: str, to: str, value: exp.Expression) -> exp.Expression:
    return exp.paren(filled(form, to, x=value), copy=False)
