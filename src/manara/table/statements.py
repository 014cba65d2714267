"""A script taken apart into its statements, with the parameters that each of them names."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlglot
from sqlglot.errors import SqlglotError

from manara.errors import WrongDefinition

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
