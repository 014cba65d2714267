"""Datasets that are tables of a database: read by name or by query, written in one transaction."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pyarrow as pa
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from manara.connectors.file_facts import interim_type
from manara.connectors.files import additional_columns, with_additional
from manara.connectors.table_load import Load, columns_of, no_table
from manara.errors import SourceMissing, WrongDefinition
from manara.plugin.connection import ArrowTransaction, Database, Mark, Transaction
from manara.plugin.dataset import DatasetGiven, Tally, dataset

Settings = Mapping[str, Any]
Node = TypeVar("Node", bound=exp.Expression)

_QUERIES = ("sqlReaderQuery", "query")
_TSQL = {"AzureSqlTable", "SqlServerTable"}
_NUMBERS = ("rows_read", "rows_skipped", "rows_copied", "files_read", "files_written", "data_read", "data_written")


@dataset("DuckDBTable", "AzureSqlTable", "SqlServerTable")
def table(given: DatasetGiven) -> "TableDataset":
    """Return the table that `schema` and `table` name (or the older `tableName`).

    It is read whole, or by the source's `sqlReaderQuery` or `query`. Queries of AzureSqlTable and SqlServerTable are
    T-SQL, put into the words of the database that stands in for it; its schema `dbo` is then the database's own.
    """
    if not isinstance(given.connection, Database):
        raise WrongDefinition(
            f"The dataset '{given.name}' of type {given.type} needs a linked service that is a database.",
            advice="Point it at a DuckDB linked service.",
        )
    return TableDataset(given=given, database=given.connection)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDataset:
    """One table, or what a query gives."""

    given: DatasetGiven
    database: Database

    def read(self, settings: Settings, tally: Tally) -> pa.RecordBatchReader:
        rows = self.database.query(self._query(settings))
        additional = additional_columns(settings)
        schema = pa.schema([*rows.schema, *(pa.field(name, pa.string()) for name in additional)])

        def batches() -> Iterator[pa.RecordBatch]:
            for batch in rows:
                tally.data_read += batch.nbytes
                yield with_additional(batch, additional, "")

        return pa.RecordBatchReader.from_batches(schema, batches())

    def write(self, settings: Settings, rows: pa.RecordBatchReader, mark: Mark, tally: Tally) -> dict[str, Any]:
        ran = False

        def work(transaction: Transaction) -> dict[str, Any]:
            nonlocal ran
            ran = True
            if not isinstance(transaction, ArrowTransaction):
                raise WrongDefinition("Tables of this database cannot be written.", where=self.given.name)
            if settings.get("preCopyScript"):
                for statement in self._statements(str(settings["preCopyScript"])):
                    transaction.execute(statement)
            load = Load(
                table=self._table(), settings=settings, transaction=transaction, tally=tally, dialect=self._dialect
            )
            load.run(rows)
            return {name: getattr(tally, name) for name in _NUMBERS}

        noted = self.database.once(mark, work)
        if not ran:
            for name in _NUMBERS:
                setattr(tally, name, noted[name])
        return {}

    def metadata(self, fields: Sequence[str]) -> dict[str, Any]:
        target = self._table()
        if not columns_of(self.database, target):
            if "exists" in fields:
                return {"exists": False}
            error = no_table(self.database, target)
            raise SourceMissing(error.message, advice=error.advice)
        schema = self.database.query(exp.select("*").from_(target).limit(0).sql(self._dialect)).schema
        structure = [{"name": column.name, "type": interim_type(column.type)} for column in schema]
        facts = {"exists": True, "itemName": target.name, "structure": structure, "columnCount": len(structure)}
        return {name: facts[name] for name in fields if name in facts}

    @property
    def _dialect(self) -> str:
        return self.database.dialect

    def _query(self, settings: Settings) -> str:
        if settings.get("sqlReaderStoredProcedureName"):
            raise WrongDefinition("Stored procedures cannot be read.", advice="Write the query in sqlReaderQuery.")
        told = next((str(settings[name]) for name in _QUERIES if settings.get(name)), "")
        if not told:
            return exp.select("*").from_(self._table()).sql(self._dialect)
        statements = self._statements(told)
        if len(statements) != 1:
            raise WrongDefinition(f"The source's query holds {len(statements)} statements.", advice="Leave one.")
        return statements[0]

    def _table(self) -> exp.Table:
        properties = self.given.properties
        name, schema = properties.get("table"), properties.get("schema")
        if not name and properties.get("tableName"):
            older = exp.to_table(str(properties["tableName"]), dialect="tsql")
            name, schema = older.name, older.db
        if not name:
            raise WrongDefinition(
                f"The dataset '{self.given.name}' names no table.", advice="Give typeProperties.table, or a query."
            )
        return _local(exp.table_(str(name), db=str(schema) if schema else None, quoted=True))

    def _statements(self, text: str) -> list[str]:
        """Return the statements of the text in the words of the database."""
        if self.given.type not in _TSQL or self._dialect == "tsql":
            return [text]
        try:
            trees = [tree for tree in sqlglot.parse(text, dialect="tsql") if tree]
        except SqlglotError as error:
            raise WrongDefinition(f"This T-SQL cannot be read: {text[:200]}.", advice=str(error)[:200]) from error
        return [tree.transform(_local).sql(self._dialect) for tree in trees]


def _local(node: Node) -> Node:
    """Return the table without SQL Server's own schema, for which the database's own stands."""
    if isinstance(node, exp.Table) and node.db.lower() == "dbo":
        node.set("db", None)
    return node
