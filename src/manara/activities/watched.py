"""A transaction that remembers which statements ran, so that an activity can tell where its rows came from."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from manara.plugin.connection import ListsTables, Transaction, Undoable
from manara.plugin.lineage import Lineage, of_script

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlglot import exp

_MOST_STATEMENTS = 1000


class Watched:
    """What runs the statements of a script, in the words of the database; each text is remembered once."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._texts: dict[str, None] = {}

    def columns(self, table: "exp.Table") -> dict[str, str]:
        """Return the table's columns."""
        return dict(self._transaction.columns(table))

    def tables(self, schema: str) -> list[str]:
        """Return the names of the tables, nothing where the database does not tell."""
        return list(self._transaction.tables(schema)) if isinstance(self._transaction, ListsTables) else []

    def query(self, statement: str, parameters: Mapping[str, Any]) -> "pa.RecordBatchReader":
        """Return the rows of a query."""
        self._remember(statement)
        return self._transaction.query(statement, parameters)

    def execute(self, statement: str, parameters: Mapping[str, Any]) -> int:
        """Run a statement and return how many rows it changed."""
        self._remember(statement)
        return self._transaction.execute(statement, parameters)

    def load(self, table: "exp.Table", rows: "pa.RecordBatchReader") -> int:
        """Insert the rows, and return how many they are."""
        return self._transaction.load(table, rows)

    @property
    def attempt(self) -> Any:
        """What takes back a part of the transaction (see `Undoable`); None where the database cannot."""
        return self._transaction.attempt if isinstance(self._transaction, Undoable) else None

    def lineage(self, namespace: str, dialect: str) -> Lineage:
        """Return where the rows came from that the statements wrote; asked before the transaction ends."""
        from manara.table.lineage import script_lineage  # noqa: PLC0415 # the readers of SQL are slow to import

        return of_script(namespace, script_lineage(list(self._texts), dialect, self.columns))

    def _remember(self, statement: str) -> None:
        if len(self._texts) < _MOST_STATEMENTS:
            self._texts.setdefault(statement)
