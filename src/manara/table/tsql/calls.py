"""What a program in T-SQL calls: procedures, and texts of statements that it makes itself; and what becomes of rows."""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import sqlglot
from sqlglot import exp

from manara.table.runner import Values
from manara.table.tsql.define import renamed
from manara.table.tsql.parts import Plain, refuse, tokens_of
from manara.table.tsql.read import tree_of
from manara.table.tsql.session import fitted
from manara.table.tsql.sorts import kind_of

if TYPE_CHECKING:
    from manara.table.tsql.program import Program

DEEPEST = 32
WITHIN = re.compile(r"(?<=from)\s*\(\s*(merge|update|delete|insert)\b", re.IGNORECASE)
"""A change whose OUTPUT a query takes its rows from."""
_DONE = " [#manara_done]"
_MADE = re.compile(r"exec(?:ute)?\s*\((.*)\)\s*;?", re.IGNORECASE | re.DOTALL)
"""EXEC with a text in parentheses, not a procedure."""


def call(program: "Program", part: Plain) -> None:
    """Run EXEC: a text of statements, sp_executesql, or a stored procedure."""
    if program.batch.session.is_broken:
        program.batch.session.left_out.append(part.text)
        return
    if made := _MADE.fullmatch(part.text.strip()):
        _run_made(program, program.value(tree_of(f"SELECT {made[1]}"), part.text), {}, part.text)
        return
    tree = tree_of(part.text)
    if not isinstance(tree, exp.Execute) or not isinstance(tree.this, exp.Table):
        refuse(part.text, "a call that cannot be read")
    if tree.this.name.lower() == "sp_executesql":
        _call_made(program, tree, part.text)
        if tree.args.get("return_status"):
            program.batch.values[tree.args["return_status"].name.lower()] = 0
        return
    if tree.this.name.lower() == "sp_rename":
        told = [one.expression if isinstance(one, exp.EQ) else one for one in tree.expressions]
        values = [str(program.value(exp.select(one.copy()), part.text)) for one in told]
        program.run_tree(renamed(*[*values, "OBJECT"][:3]), part.text)
        return
    _call_procedure(program, tree, part.text)


def insert_from_call(program: "Program", into: str, told: str, text: str) -> None:
    """Insert the rows that a call gives: of all its result sets, as they fit the columns by their places."""
    if program.batch.session.is_broken:
        program.batch.session.left_out.append(text)
        return
    given: list[pa.Table] = []
    inner = replace(program.batch, rows=lambda rows: given.append(rows.read_all()))
    call(replace(program, batch=inner), Plain(word="EXEC", text=told))
    fill(program, into, given, text)


def from_change(program: "Program", text: str, change: re.Match[str]) -> None:
    """Run a statement that takes its rows from what a change puts out: INSERT ... SELECT ... FROM (MERGE ...) AS m."""
    if program.batch.session.is_broken:
        program.batch.session.left_out.append(text)
        return
    depth, end = 1, change.end()
    for token in tokens_of(text[change.end() :]):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if not depth:
            end = change.end() + token.start
            break
    given: list[pa.Table] = []
    inner = replace(program, batch=replace(program.batch, rows=lambda rows: given.append(rows.read_all())))
    word = change[1].upper()
    inner.run_one(Plain(word=word, text=f"{change[1]}{text[change.end() : end]}"))
    if len(given) != 1:
        refuse(text, "a change within a query, which puts out nothing")
    columns = ", ".join(f"[{field.name}] {kind_of(field.type).sql('tsql')}" for field in given[0].schema)
    for made in (f"DROP TABLE IF EXISTS {_DONE}", f"CREATE TABLE {_DONE} ({columns})"):
        program.run_tree(tree_of(made), made)
    fill(program, _DONE, given, text)
    outer = f"{text[: change.start()]}{_DONE}{text[end + 1 :]}"
    program.run_tree(tree_of(outer), text)


def fill(program: "Program", into: str, given: "Iterable[pa.Table]", text: str) -> None:
    """Insert rows into a table (`name` or `name (columns)`), as they fit its columns by their places."""
    load = getattr(program.batch.runner, "load", None)
    if load is None:
        refuse(text, "an INSERT, where a query is only read")
    target = tree_of(f"INSERT INTO {into} SELECT 1").this
    names = [column.name for column in target.expressions] if isinstance(target, exp.Schema) else []
    table = target.this if isinstance(target, exp.Schema) else target
    asked = exp.select(*(exp.column(name) for name in names) if names else "*").from_(table.copy())
    statement = program.words(asked.where("1 = 0"), text)
    with program.asked():
        wanted = program.batch.runner.query(statement, {}).read_all().schema
    named: Any = sqlglot.parse_one(statement, dialect=program.batch.spoken).find(exp.Table)
    spelling = {name.lower(): name for name in program.batch.runner.columns(named)}
    wanted = pa.schema([field.with_name(spelling.get(field.name.lower(), field.name)) for field in wanted])
    program.batch.changed = 0
    for rows in given:
        with program.asked():
            program.batch.changed += load(named, fitted(rows, wanted, text).to_reader())
    program.batch.count(program.batch.changed)


def _call_procedure(program: "Program", tree: exp.Execute, text: str) -> None:
    named: dict[str, Any] = {}
    placed: list[Any] = []
    outputs: dict[str | int, str] = {}  # the variables, by the parameter's name or its place
    for one in tree.expressions:
        told = one.this if isinstance(one, exp.Alias) else one
        given = told.expression if isinstance(told, exp.EQ) else told
        if isinstance(one, exp.Alias):
            outputs[told.this.name.lower() if isinstance(told, exp.EQ) else len(placed)] = given.name.lower()
        value = program.value(exp.select(given.copy()), text)
        if isinstance(told, exp.EQ):
            named[told.this.name] = value
        else:
            placed.append(value)
    answer = program.batch.run_procedure(".".join(piece.name for piece in tree.this.parts), named, placed)
    if outputs and answer.written != "tsql":
        refuse(text, "an OUTPUT parameter, which only a procedure in T-SQL can have here")
    program.batch.changed = answer.changed
    for where, variable in outputs.items():
        name = answer.order[where] if isinstance(where, int) else where
        program.batch.values[variable] = answer.values.get(name)
    status = tree.args.get("return_status")
    if status is not None:
        program.batch.values[status.name.lower()] = answer.returned


def _call_made(program: "Program", tree: exp.Execute, text: str) -> None:
    """Run the statement that sp_executesql is given, with its own parameters only."""
    outputs: dict[int, str] = {}  # the variables, by the place of the parameter
    trees: list[tuple[str, exp.Expression]] = []
    for at, one in enumerate(tree.expressions):
        told = one.this if isinstance(one, exp.Alias) else one
        name, value = (told.this.name, told.expression) if isinstance(told, exp.EQ) else ("", told)
        trees.append((name, value))
        if isinstance(one, exp.Alias):
            outputs[at] = value.name.lower()
    given = [program.value(exp.select(value.copy()), text) for _, value in trees]
    declared = re.findall(r"@(\w+)", str(given[1])) if len(given) > 1 else []
    names = [name or (declared[at : at + 1] or [""])[0] for at, (name, _) in enumerate(trees[2:])]
    values = _run_made(program, given[0] if given else None, dict(zip(names, given[2:], strict=True)), text)
    for at, variable in outputs.items():
        program.batch.values[variable] = values.get(names[at - 2].lower())


def _run_made(program: "Program", made: Any, values: Values, text: str) -> Values:
    """Run a text of statements that the batch itself has put together; it does not see the batch's variables.

    Returns what has become of its own.
    """
    if not isinstance(made, str):
        refuse(text, "a statement that is made while it runs, and is no text")
    if program.batch.depth >= DEEPEST:
        refuse(text, f"a statement that makes statements, {DEEPEST} deep")
    inner = replace(program.batch, values=dict(values), changed=0, depth=program.batch.depth + 1)
    inner.run(made)
    program.batch.changed = inner.changed
    return inner.values
