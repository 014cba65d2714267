"""Cursors of T-SQL: the rows of a query, taken one by one. Their rows are those of the moment at which they open."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from manara.errors import WrongDefinition
from manara.table.tsql.changes import in_places, place_of
from manara.table.tsql.parts import Plain, refuse
from manara.table.tsql.read import tree_of

if TYPE_CHECKING:
    import pyarrow as pa

    from manara.table.tsql.program import Program

_NAME = r"(?:global\s+)?(@?\w+|\[[^\]]+\])"
DECLARES = re.compile(
    rf"(?:declare|set)\s+{_NAME}\s*=?\s*(?:insensitive\s+|scroll\s+)*cursor\b(?P<kind>[\w\s]*?)(?:\bfor\b(?P<query>.*))?",
    re.IGNORECASE | re.DOTALL,
)
_FOR_CHANGE = re.compile(r"\bfor\s+(read\s+only|update(\s+of\s+[\w\s,\[\]]+)?)\s*;?\s*$", re.IGNORECASE)
_FETCH = re.compile(
    r"fetch\s+(?:(?P<way>next|prior|first|last|absolute|relative)(?P<step>\s+[-@\w]+?)??\s+from\s+|from\s+)?"
    rf"{_NAME}(?:\s+into\s+(?P<into>.+?))?\s*;?",
    re.IGNORECASE | re.DOTALL,
)
_OTHER = re.compile(rf"(?:open|close|deallocate)\s+{_NAME}\s*;?", re.IGNORECASE)
CURRENT = re.compile(rf"\bwhere\s+current\s+of\s+{_NAME}\s*;?\s*$", re.IGNORECASE)
_FETCHED, _NO_ROW = 0, -1
_PLACE = "manara_place"


@dataclass(slots=True, kw_only=True)
class Cursor:
    """A query and, while the cursor is open, its rows; it stands before the first, at one, or behind the last.

    `places` are those of the rows in the one table that they come from, where they are asked for.
    """

    query: str
    rows: "pa.Table | None" = None
    places: "pa.ChunkedArray[Any] | None" = None
    at: int = -1

    def move(self, way: str, step: int) -> bool:
        """Go to another row, and say whether there is one. `step` is that of ABSOLUTE and RELATIVE."""
        count = self.rows.num_rows if self.rows else 0
        absolute = step - 1 if step > 0 else count + step if step < 0 else -1
        places = {
            "next": self.at + 1, "prior": self.at - 1, "first": 0, "last": count - 1, "relative": self.at + step,
            "absolute": absolute,
        }  # fmt: skip
        self.at = min(max(places[way], -1), count)
        return 0 <= self.at < count


def with_status(tree: exp.Expression, cursors: Mapping[str, Cursor]) -> exp.Expression:
    """Return the tree with CURSOR_STATUS answered: 1 open, 0 open and without rows, -1 closed, -3 not there."""

    def answered(node: exp.Expression) -> exp.Expression:
        if not isinstance(node, exp.Anonymous) or node.name.upper() != "CURSOR_STATUS" or len(node.expressions) != 2:
            return node
        cursor = cursors.get(_name(node.expressions[1].name))
        status = -3 if cursor is None else -1 if cursor.rows is None else int(cursor.rows.num_rows > 0)
        return exp.Literal.number(status)

    return tree.transform(answered) if cursors or tree.find(exp.Anonymous) else tree


def declare_cursor(program: "Program", found: re.Match[str]) -> None:
    """Note the query of a cursor; that of a cursor variable may come later."""
    query = _FOR_CHANGE.sub("", found["query"] or "")
    program.cursors[_name(found[1])] = Cursor(query=query.strip(" \t\r\n;"))
    program.batch.changed = 0


def use_cursor(program: "Program", part: Plain) -> None:
    """Open, close or forget a cursor. Raises WrongDefinition for one that is not there, or not in that state."""
    found = _OTHER.fullmatch(part.text.strip())
    if not found:
        refuse(part.text, "what cannot be read as the use of a cursor")
    cursor = _cursor(program, found[1], part)
    if part.word == "DEALLOCATE":
        del program.cursors[_name(found[1])]
    elif part.word == "OPEN":
        if cursor.rows is not None:
            raise WrongDefinition(f"The cursor '{found[1]}' is open already.", where=part.text)
        tree = tree_of(cursor.query)
        has_places = program.wants_places and _add_place(tree, program.batch.spoken)
        rows = program.rows_of(tree, part.text)
        cursor.places = rows.column(rows.num_columns - 1) if has_places else None
        cursor.rows, cursor.at = rows.select(range(rows.num_columns - has_places)), -1
    else:
        _opened(cursor, part)
        cursor.rows = None
    program.batch.changed = 0


def _add_place(tree: exp.Expression, to: str) -> bool:
    """Let a query give the places of its rows too; say no where they are not those of one table."""
    source = tree.args["from_"].this if isinstance(tree, exp.Select) and tree.args.get("from_") else None
    parts = ("joins", "group", "distinct", "with_")
    if (
        not isinstance(tree, exp.Select)
        or not isinstance(source, exp.Table)
        or any(tree.args.get(one) for one in parts)
    ):
        return False
    named = source.args["alias"].this if source.alias else source.this
    place = exp.cast(exp.column(place_of(to), table=named.copy()), "text")
    tree.select(exp.alias_(place, _PLACE), copy=False)
    return True


def change_current(program: "Program", part: Plain, found: re.Match[str]) -> None:
    """Run an UPDATE or DELETE of the row at which a cursor stands."""
    cursor = _cursor(program, found[1], part)
    rows = _opened(cursor, part)
    if cursor.places is None:
        refuse(part.text, "WHERE CURRENT OF a cursor whose rows are not those of one table")
    if not 0 <= cursor.at < rows.num_rows:
        raise WrongDefinition("The cursor stands at no row.", where=part.text)
    tree: Any = tree_of(part.text[: found.start()])
    tree.set("where", exp.Where(this=in_places(program.batch.spoken, [cursor.places[cursor.at].as_py()])))
    program.run_tree(tree, part.text)
    if not program.batch.changed:
        raise WrongDefinition("The row at which the cursor stands has been changed or deleted since.", where=part.text)


def fetch(program: "Program", part: Plain) -> None:
    """Go to another row of a cursor; its values go into variables, or out as the rows of a query."""
    found = _FETCH.fullmatch(part.text.strip())
    if not found:
        refuse(part.text, "a FETCH that cannot be read")
    cursor = _cursor(program, found[3], part)
    rows = _opened(cursor, part)
    way, told = (found["way"] or "next").lower(), (found["step"] or "").strip()
    step = int(program.value(tree_of(f"SELECT {told}"), part.text)) if told else 1
    is_there = cursor.move(way, step)
    program.batch.session.fetched = _FETCHED if is_there else _NO_ROW
    program.batch.changed = int(is_there)
    if not found["into"]:
        program.batch.rows(rows.slice(max(cursor.at, 0), int(is_there)).to_reader())
        return
    names = [name.strip().lstrip("@").lower() for name in found["into"].split(",")]
    if lost := [name for name in names if name not in program.batch.values]:
        refuse(part.text, f"the variable @{lost[0]}, which nothing declares")
    if len(names) != rows.num_columns:
        raise WrongDefinition(
            f"The cursor gives {rows.num_columns} columns, and {len(names)} variables are to take them.",
            where=part.text,
        )
    if is_there:
        given = {name: rows.column(at)[cursor.at].as_py() for at, name in enumerate(names)}
        program.batch.values.update(_as_declared(program, given, part.text))


def _as_declared(program: "Program", given: dict[str, Any], text: str) -> dict[str, Any]:
    """Return values in the types of the variables that take them."""
    inner = replace(program, batch=replace(program.batch, values={**program.batch.values, **given}))
    casts = (inner.as_declared(name, exp.Parameter(this=exp.var(name))) for name in given)
    row = inner.rows_of(exp.select(*(exp.alias_(cast, name) for name, cast in zip(given, casts, strict=True))), text)
    return {name: row.column(at)[0].as_py() for at, name in enumerate(given)}


def _cursor(program: "Program", name: str, part: Plain) -> Cursor:
    cursor = program.cursors.get(_name(name))
    if cursor is None or not cursor.query:
        raise WrongDefinition(f"There is no cursor '{name}' here.", where=part.text)
    return cursor


def _opened(cursor: Cursor, part: Plain) -> "pa.Table":
    if cursor.rows is None:
        raise WrongDefinition("The cursor is not open.", where=part.text)
    return cursor.rows


def _name(name: str) -> str:
    return name.strip("[]").lower()
