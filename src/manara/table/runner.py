"""What runs the statements of a batch: an open transaction, or a database that is only read."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from sqlglot import exp

from manara.errors import WrongDefinition
from manara.table.tsql.parts import shown
from manara.table.tsql.translation import Catalog

if TYPE_CHECKING:
    import pyarrow as pa

Values = Mapping[str, Any]


class Runner(Catalog, Protocol):
    """What runs statements: an open transaction, or a database that is only read."""

    def query(self, statement: str, parameters: Values) -> "pa.RecordBatchReader":
        """Return the rows of a query."""

    def execute(self, statement: str, parameters: Values) -> int:
        """Run a statement and return how many rows it changed."""


class ReadOnly:
    """A database as what runs the statements before a query; it changes nothing."""

    def __init__(self, database: Any) -> None:
        self._database = database

    def columns(self, table: exp.Table) -> dict[str, str]:
        """Return the table's columns."""
        return dict(self._database.columns(table))

    def tables(self, schema: str) -> list[str]:
        """Return the names of the tables, nothing where the database does not tell."""
        tell = getattr(self._database, "tables", None)
        return list(tell(schema)) if tell else []

    def query(self, statement: str, parameters: Values) -> "pa.RecordBatchReader":
        """Return the rows of a query."""
        found: pa.RecordBatchReader = self._database.query(statement, parameters)
        return found

    def execute(self, statement: str, parameters: Values) -> int:  # noqa: ARG002 # it is refused
        """Raise WrongDefinition: a query that is read changes nothing."""
        raise WrongDefinition(
            f"A query that is read changes nothing, and this one does: {shown(statement)}",
            advice="Put the change into a Script activity before it.",
        )
