"""Our own SQL by name: each `.sql` file holds queries, each under a line `-- name: what it is for`."""

import re
from functools import cache
from importlib.resources import files

FILES = (
    "journal.sql",
    "record.sql",
    "documents.sql",
    "runs.sql",
    "nodes.sql",
    "firings.sql",
    "principals.sql",
    "audit.sql",
    "catalog.sql",
)
"""The files of queries that every dialect shares."""

_NAME = re.compile(r"^-- name: (\w+).*$", re.MULTILINE)


@cache
def queries(file: str) -> dict[str, str]:
    """Return the queries of a file of this room by name."""
    parts = _NAME.split(read(file))[1:]
    return {name: text.strip().rstrip(";") for name, text in zip(parts[::2], parts[1::2], strict=True)}


@cache
def all_queries(dialect: str) -> dict[str, str]:
    """Return every query of this room by name, as the dialect says it: its own files come last, and win."""
    every = [queries(file) for file in FILES]
    own = [queries(f"journal{dialect}.sql")] if dialect else []
    return {name: text for part in (*every, *own) for name, text in part.items()}


def read(file: str) -> str:
    """Return the text of a file of this room."""
    return files("manara.store").joinpath(file).read_text(encoding="utf-8")
