"""The activity Script: SQL statements that run in one transaction, once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlglot
from sqlglot.errors import SqlglotError

from manara.activities.plain import check_size, plain_rows
from manara.errors import WrongDefinition
from manara.plugin.activity import Given, Output, activity
from manara.plugin.connection import Database, Transaction
from manara.registry import near

_MOST_ROWS = 5_000
_SHOWN = 200
_KINDS = {"query": True, "nonquery": False}
_GIVES_ROWS = {
    "SELECT",
    "WITH",
    "FROM",
    "VALUES",
    "TABLE",
    "SHOW",
    "DESCRIBE",
    "SUMMARIZE",
    "PRAGMA",
    "EXPLAIN",
    "PIVOT",
}
_CASTS: dict[str, Callable[[Any], Any]] = {
    "boolean": lambda value: str(value).lower() == "true",
    "int16": int,
    "int32": int,
    "int64": int,
    "single": float,
    "double": float,
    "decimal": float,
    "string": str,
    "guid": str,
    "datetime": lambda value: datetime.fromisoformat(str(value)),
    "datetimeoffset": lambda value: datetime.fromisoformat(str(value)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement, and which of the script's parameters it names."""

    text: str
    gives_rows: bool
    parameters: tuple[str, ...]


@activity("Script")
def script(given: Given) -> Output:
    """Run `scripts` in order, all in one transaction that is done once.

    A script has its SQL in `text`, or in the file of the factory's folder `script/` that `scriptPath` names. A Query
    adds a result set for each statement that gives rows (the first 5,000), a NonQuery the number of rows it changed.
    `parameters` are bound, never pasted: `@name` (or the database's own `$name`) stands for the value.
    """
    if not given.linked_service:
        raise WrongDefinition("A Script needs a linkedServiceName.", where=given.name)
    database = given.connect(given.linked_service)
    if not isinstance(database, Database):
        raise WrongDefinition("A Script needs a linked service that is a database.", where=given.name)
    scripts = given.properties.get("scripts") or []
    if not scripts:
        raise WrongDefinition("A Script needs typeProperties.scripts.", where=given.name)
    parts = [_part(given, index, one, database.dialect) for index, one in enumerate(scripts)]
    return database.once(given.mark, lambda transaction: _run(given, parts, transaction))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    statements: Sequence[Statement]
    values: Mapping[str, Any]
    wants_rows: bool


def _part(given: Given, index: int, told: Mapping[str, Any], dialect: str) -> _Part:
    where = f"{given.name}: scripts[{index}]"
    kind = str(told.get("type") or "Query")
    if kind.lower() not in _KINDS:
        raise WrongDefinition(f"A script is a Query or a NonQuery, not '{kind}'.", where=where)
    text = given.text("script", str(told["scriptPath"])) if told.get("scriptPath") else str(told.get("text") or "")
    values = {str(one.get("name", "")).lstrip("@$"): _value(one, where) for one in told.get("parameters") or ()}
    found = list(statements(text, dialect, tuple(values)))
    if not found:
        raise WrongDefinition("The script holds no statement.", where=where)
    return _Part(statements=found, values=values, wants_rows=_KINDS[kind.lower()])


def _value(told: Mapping[str, Any], where: str) -> Any:
    name = f"{where}.parameters['{told.get('name')}']"
    if str(told.get("direction") or "Input").lower() != "input":
        raise WrongDefinition("Only Input parameters can be given to a script.", where=name)
    kind = str(told.get("type") or "String").lower()
    if kind not in _CASTS:
        raise WrongDefinition(f"The type '{told['type']}' is unknown.", where=name, advice=near(kind, _CASTS))
    value = told.get("value")
    try:
        return None if value is None else _CASTS[kind](value)
    except (ValueError, TypeError) as error:
        raise WrongDefinition(f"'{value}' is no {told.get('type')}.", where=name) from error


def statements(text: str, dialect: str, parameters: Sequence[str] = ()) -> Iterator[Statement]:
    r"""Yield the statements of a script: what stands between semicolons that are not in a text or a comment.

    >>> [one.text for one in statements("select ';'; -- two;\nselect @day", "duckdb", ["day"])]
    ["select ';'", 'select $day']
    """
    try:
        tokens = sqlglot.tokenize(text, dialect=dialect)
    except SqlglotError as error:
        raise WrongDefinition(f"The script cannot be read: {str(error)[:_SHOWN]}") from error
    held: list[Any] = []
    for token in tokens:
        if token.text != ";" or token.token_type.name != "SEMICOLON":
            held.append(token)
        elif held:
            yield _statement(text, held, parameters)
            held = []
    if held:
        yield _statement(text, held, parameters)


def _statement(text: str, tokens: Sequence[Any], parameters: Sequence[str]) -> Statement:
    """Return the statement of the tokens, its parameters spelt `$name`."""
    known = {name.lower(): name for name in parameters}
    shown, used, end = "", [], tokens[0].start
    for sign, name in zip(tokens, [*tokens[1:], None], strict=True):
        if name and sign.text in {"@", "$"} and name.start == sign.end + 1 and name.text.lower() in known:
            used.append(known[name.text.lower()])
            shown += f"{text[end : sign.start]}${used[-1]}"
            end = name.end + 1
    shown += text[end : tokens[-1].end + 1]
    words = {token.text.upper() for token in tokens}
    gives_rows = tokens[0].text.upper().lstrip("(") in _GIVES_ROWS or tokens[0].text == "(" or "RETURNING" in words
    return Statement(text=shown, gives_rows=gives_rows, parameters=tuple(dict.fromkeys(used)))


def _run(given: Given, parts: Sequence[_Part], transaction: Transaction) -> Output:
    results: list[dict[str, Any]] = []
    affected = 0
    for part in parts:
        for statement in part.statements:
            values = {name: part.values[name] for name in statement.parameters}
            if part.wants_rows and statement.gives_rows:
                rows = list(plain_rows(transaction.query(statement.text, values), _MOST_ROWS))
                results.append({"rowCount": len(rows), "rows": rows})
            else:
                affected += transaction.execute(statement.text, values)
            given.report({"recordsAffected": affected})
    output = {
        "resultSetCount": len(results),
        "recordsAffected": affected,
        "resultSets": results,
        "outputParameters": {},
    }
    check_size(output, f"The Script '{given.name}'")
    return output
