"""SET and SELECT of T-SQL that give variables their values, also row by row: `SELECT @all = @all + Item FROM Stock`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from manara.table.tsql.parts import refuse
from manara.table.tsql.sorts import kind_of

if TYPE_CHECKING:
    from manara.table.tsql.program import Program

_PIECE = "manara_piece_"


def is_assignment(node: exp.Expression) -> bool:
    """Return whether an expression of a SELECT gives a variable its value."""
    return isinstance(node, exp.EQ) and isinstance(node.this, exp.Parameter)


def declared(kind: exp.DataType) -> exp.DataType:
    """Return the type of a variable: a text without a length has one letter, where it is declared."""
    is_short = kind.this in {exp.DataType.Type.VARCHAR, exp.DataType.Type.NVARCHAR} and not kind.expressions
    return exp.DataType.build("varchar(1)", dialect="tsql") if is_short else kind


def assign(program: "Program", pair: Any, text: str) -> None:
    """Run SET: give a variable the value of an expression, in its declared type."""
    if not is_assignment(pair):
        refuse(text, "a setting of the session")
    name = pair.this.name.lower()
    _check_names(program, [name], text)
    program.batch.values[name] = program.value(exp.select(program.as_declared(name, pair.expression)), text)
    program.batch.changed = 1


def assign_from(program: "Program", tree: exp.Select, text: str) -> None:
    """Run a SELECT that sets variables: to the values of its last row, or from row to row where these go on."""
    if not all(is_assignment(one) for one in tree.expressions):
        refuse(text, "a SELECT that gives rows and sets variables")
    names = [one.this.name.lower() for one in tree.expressions]
    _check_names(program, names, text)
    expressions = [one.expression for one in tree.expressions]
    is_read = any(node.name.lower() in names for one in expressions for node in one.find_all(exp.Parameter))
    if is_read and tree.args.get("from_"):
        _row_by_row(program, tree, names, expressions, text)
        return
    asked = tree.copy()
    asked.set("expressions", [program.as_declared(*pair) for pair in zip(names, expressions, strict=True)])
    rows = program.rows_of(asked, text)
    program.batch.changed = rows.num_rows
    if rows.num_rows:
        for index, name in enumerate(names):
            program.batch.values[name] = rows.column(index)[rows.num_rows - 1].as_py()


def _check_names(program: "Program", names: list[str], text: str) -> None:
    if lost := [name for name in names if name not in program.batch.values]:
        refuse(text, f"the variable @{lost[0]}, which nothing declares")


def _row_by_row(
    program: "Program", tree: exp.Select, names: list[str], expressions: list[exp.Expression], text: str
) -> None:
    """Compute what a row gives from the values that the row before it has left."""
    if tree.args.get("distinct"):
        refuse(text, "a SELECT DISTINCT that goes on with its own variables")
    pieces: list[exp.Expression] = []
    steps = [_without_pieces(one.copy(), set(names), pieces, text) for one in expressions]
    asked = tree.copy()
    asked.set("expressions", [exp.alias_(piece, f"{_PIECE}{at}") for at, piece in enumerate(pieces)] or [exp.Null()])
    rows = program.rows_of(asked, text)
    kinds = {f"{_PIECE}{at}": kind_of(rows.schema.field(at).type) for at in range(len(pieces))}
    typed = {name: exp.cast(exp.Parameter(this=exp.var(name)), kind) for name, kind in kinds.items()}
    steps = [step.transform(lambda node: _typed(node, typed)) for step in steps]
    inner = replace(program, kinds={**program.kinds, **kinds})
    values = dict(program.batch.values)
    for row in rows.to_pylist():
        for name, step in zip(names, steps, strict=True):
            inner.batch = replace(program.batch, values={**values, **row})
            values[name] = inner.value(exp.select(inner.as_declared(name, step)), text)
    program.batch.values.update(values)
    program.batch.changed = rows.num_rows


def _without_pieces(node: Any, names: set[str], pieces: list[exp.Expression], text: str) -> Any:
    """Return an expression with a variable for each part that only a row can tell, and add these parts to `pieces`."""
    if not any(one.name.lower() in names for one in node.find_all(exp.Parameter)):
        if not node.find(exp.Column, exp.Query, exp.AggFunc, exp.Window):
            return node
        pieces.append(node.copy())
        name = f"{_PIECE}{len(pieces) - 1}"
        return exp.Parameter(this=exp.var(name))
    if isinstance(node, exp.Query | exp.AggFunc | exp.Window):
        refuse(text, "a query or a sum over the variable that it sets")
    for child in list(node.iter_expressions()):
        made = _without_pieces(child, names, pieces, text)
        if made is not child:
            child.replace(made)
    return node


def _typed(node: exp.Expression, typed: Mapping[str, exp.Expression]) -> exp.Expression:
    found = typed.get(node.name) if isinstance(node, exp.Parameter) and not isinstance(node.parent, exp.Cast) else None
    return node if found is None else found.copy()
