"""What the journal needs of a database."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

Row = tuple[str, str, str, str, str]


class Database(Protocol):
    """One connection, used from one thread; queries go by their names in `journal.sql`.

    `name` says where it is, without secrets; `dialect` is what the names of its own `.sql` files end in.
    """

    name: str
    dialect: str

    def rows(self, query: str, **values: Any) -> Sequence[tuple[Any, ...]]:
        """Return the rows that a query finds."""

    def select(self, text: str, values: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
        """Return the rows of a query whose text was put together from parts that stand in this room."""

    def change(self, query: str, **values: Any) -> int:
        """Do a query that changes rows, and return how many it changed."""

    def append(self, events: Sequence[Row], cursors: Sequence[Mapping[str, str]], *, leased: str, worker: str) -> bool:
        """Insert events (run id, step, kind, at, body) and keep cursors in one transaction, durable on return.

        Only while the worker holds the lease of the run `leased`: returns whether it does.
        """

    def transaction(self) -> AbstractContextManager[None]:
        """Return a transaction, committed at the end of its block and rolled back by an error in it."""

    def exclusive(self) -> AbstractContextManager[None]:
        """Return a transaction beside which no other process is in one of these: to change the schema in."""

    def version(self) -> int:
        """Return the version of the schema; 0 where there is none yet."""

    def run_script(self, script: str, version: int) -> None:
        """Run the statements of a script, and note the version that they lead to."""

    def close(self) -> None:
        """Close the connection."""
