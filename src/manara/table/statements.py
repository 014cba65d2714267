"""A script taken apart into its statements, with the parameters that each of them names."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError, UnsupportedError

from manara.errors import WrongDefinition
from manara.table.tsql.parts import refuse, shown

_SHOWN = 200
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
    "EXEC",
    "EXECUTE",
}
_CHANGES = {"INSERT", "UPDATE", "DELETE", "MERGE"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement, and which of the script's parameters it names."""

    text: str
    gives_rows: bool
    parameters: tuple[str, ...]


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
    if tokens[0].text.upper() == "WITH" and words & _CHANGES and "RETURNING" not in words:
        gives_rows = False
    return Statement(text=shown, gives_rows=gives_rows, parameters=tuple(dict.fromkeys(used)))


def plain_statements(text: str, written: str, spoken: str, names: Iterable[str]) -> list[str]:
    """Return the statements of a text in the words of the database; T-SQL for SQL Server itself goes whole."""
    known = list(names)
    if written == spoken == "tsql":
        spelt = re.sub(r"(?<![@\w])@(\w+)", lambda m: f"${m[1].lower()}" if m[1].lower() in known else m[0], text)
        return [spelt]
    found = [one.text for one in statements(text, written or spoken, known)]
    return found if not written or written == spoken else [_transpiled(one, written, spoken) for one in found]


def _transpiled(text: str, written: str, spoken: str) -> str:
    try:
        tree = sqlglot.parse_one(text, dialect=written)
        if isinstance(tree, exp.Command):
            refuse(text, f"the command {text.split(maxsplit=1)[0].upper()}")
        return tree.sql(spoken, unsupported_level=ErrorLevel.RAISE)
    except UnsupportedError as error:
        refuse(text, f"what has no counterpart ({' '.join(str(error).split())[:120]})")
    except SqlglotError as error:
        raise WrongDefinition(f"This SQL cannot be read: {shown(text)}.", advice=str(error)[:200]) from error


def gives_rows(statement: str) -> bool:
    """Return whether a text begins with a statement that gives rows."""
    found = list(statements(statement, "duckdb"))
    return bool(found) and found[0].gives_rows
