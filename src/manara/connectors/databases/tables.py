"""Datasets that are tables of a database: read by name or by query, written in one transaction."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from sqlglot import exp

from manara.connectors.additional import Additional
from manara.connectors.databases import table_relation
from manara.connectors.databases.dialects import dropped_stage, made_table
from manara.connectors.databases.load_plan import no_table
from manara.connectors.databases.table_load import Load
from manara.connectors.databases.table_parts import partitioned, settled
from manara.connectors.file_facts import interim_type
from manara.errors import SourceMissing, WrongDefinition
from manara.plugin.connection import Database, Mark, Transaction
from manara.plugin.dataset import DatasetGiven, Relation, Tally, dataset, noted, restore
from manara.table.batch import Batch
from manara.table.dialects import dialect_of
from manara.table.procedure import plain_name, script_of
from manara.table.rows import DUCKDB_ROWS
from manara.table.runner import ReadOnly

Settings = Mapping[str, Any]

_QUERIES = ("sqlReaderQuery", "query", "oracleReaderQuery", "tableQuery")
_ROWS = "rows"


@dataset(
    "DuckDBTable", "SQLiteTable", "AzureSqlTable", "AzureSqlMITable", "AzureSqlDWTable", "SqlServerTable",
    "AmazonRdsForSqlServerTable", "PostgreSqlTable", "PostgreSqlV2Table", "AzurePostgreSqlTable", "MySqlTable",
    "AzureMySqlTable", "MariaDBTable", "OracleTable", "AmazonRdsForOracleTable", "SnowflakeTable", "SnowflakeV2Table",
    "OdbcTable", "RelationalTable",
    can={"read", "write", "upsert", "procedure"},
)  # fmt: skip
def table(given: DatasetGiven) -> "TableDataset":
    """Return the table that `schema` and `table` name (or the older `tableName`).

    It is read whole, by the source's `query` (`sqlReaderQuery`, `oracleReaderQuery`), or by a stored procedure
    (`sqlReaderStoredProcedureName` with its parameters). What is written in the SQL of the dataset's type is put into
    the words of the database that stands in for it; SQL Server's schema `dbo` is then the database's own. A large
    table of PostgreSQL is read in parts at once, which all see the same moment; `partitionOption` with its settings
    divides by a column. `queryTimeout` and `isolationLevel` count where the database has them (PostgreSQL).

    It is written by insert, upsert with `keys`, or by a stored procedure, in one transaction with `preCopyScript`.
    """
    if not isinstance(given.connection, Database):
        raise WrongDefinition(
            f"The dataset '{given.name}' of type {given.type} needs a linked service that is a database.",
            advice="Point it at one, such as a DuckDB linked service.",
        )
    return TableDataset(given=given, database=given.connection)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDataset:
    """One table, or what a query gives."""

    given: DatasetGiven
    database: Database

    @property
    def rows_together(self) -> int:
        """How many rows the database stores together, 0 where that is nothing to who brings them."""
        return DUCKDB_ROWS if self.database.dialect == "duckdb" else 0

    def read(self, settings: Settings, tally: Tally) -> pa.RecordBatchReader:
        database = settled(self.database, settings)
        rows = self._rows(database, settings)
        additional = Additional.of(settings, rows.schema)

        def batches() -> Iterator[pa.RecordBatch]:
            for batch in rows:
                tally.data_read += batch.nbytes
                yield additional.to(batch, "")

        return pa.RecordBatchReader.from_batches(additional.schema(rows.schema), batches())

    def write(self, settings: Settings, rows: pa.RecordBatchReader, mark: Mark, tally: Tally) -> dict[str, Any]:
        ran = False

        def work(transaction: Transaction) -> dict[str, Any]:
            nonlocal ran
            ran = True
            self._prepare(transaction, settings)
            if settings.get("sqlWriterStoredProcedureName"):
                self._by_procedure(transaction, settings, rows, tally)
            else:
                Load(
                    table=self._table(), settings=settings, transaction=transaction, tally=tally, dialect=self._dialect
                ).run(rows)
            return noted(tally)

        found = self.database.once(mark, work)
        if not ran:
            restore(tally, found)
        return {}

    def relation(self, settings: Settings) -> Relation | str:
        return table_relation.read(self.database, settings, lambda database: self._rows(database, settings))

    def takes(self, settings: Settings, relation: Relation) -> str:
        return table_relation.takes(self.database, self._table(), settings, relation)

    def write_relation(self, settings: Settings, relation: Relation, mark: Mark, tally: Tally) -> dict[str, Any]:
        def before(transaction: Transaction) -> None:
            self._prepare(transaction, settings)

        table_relation.write(self.database, self._table(), settings, relation, mark, tally, before)
        return {}

    def _prepare(self, transaction: Transaction, settings: Settings) -> None:
        if settings.get("preCopyScript"):
            self._batch(transaction).run(str(settings["preCopyScript"]))

    def metadata(self, fields: Sequence[str]) -> dict[str, Any]:
        target = self._table()
        if not self.database.columns(target):
            if "exists" in fields:
                return {"exists": False}
            error = no_table(self.database, target)
            raise SourceMissing(error.message, advice=error.advice)
        empty = exp.select("*").from_(target).where("1 = 0").sql(self._dialect)
        schema = self.database.query(empty).schema
        structure = [{"name": column.name, "type": interim_type(column.type)} for column in schema]
        facts = {"exists": True, "itemName": target.name, "structure": structure, "columnCount": len(structure)}
        return {name: facts[name] for name in fields if name in facts}

    @property
    def _dialect(self) -> str:
        return self.database.dialect

    @property
    def _written(self) -> str:
        """The dialect that the definition is written in."""
        return dialect_of(self.given.type) or self._dialect

    def _rows(self, database: Database, settings: Settings) -> pa.RecordBatchReader:
        """Return the rows of the table, the query or the procedure."""
        procedure = settings.get("sqlReaderStoredProcedureName")
        told = next((str(settings[name]) for name in _QUERIES if settings.get(name)), "")
        if not told and not procedure:
            return partitioned(database, self._table(), settings)
        found: list[pa.RecordBatchReader] = []
        batch = self._batch(ReadOnly(database), found)
        if procedure:
            batch.call(plain_name(str(procedure)), _parameters(settings.get("storedProcedureParameters")))
        else:
            batch.run(re.sub(r"\?(Adf|Df)DynamicRangePartitionCondition", "1 = 1", told))
        if len(found) != 1:
            what = "The stored procedure gives" if procedure else "The source's query holds"
            raise WrongDefinition(f"{what} {len(found)} statements that give rows.", advice="Leave one.")
        return found[0]

    def _batch(self, runner: Any, found: "list[pa.RecordBatchReader] | None" = None) -> Batch:
        return Batch(
            written=self._written,
            spoken=self._dialect,
            runner=runner,
            rows=found.append if found is not None else lambda rows: rows.close(),
            procedure=lambda name: script_of(name, self.given.text),
        )

    def _by_procedure(
        self, transaction: Transaction, settings: Settings, rows: pa.RecordBatchReader, tally: Tally
    ) -> None:
        """Put the rows into a temporary table of the parameter's name, for the script that answers the procedure."""
        name = str(settings.get("storedProcedureTableTypeParameterName") or _ROWS).lstrip("@")
        target = exp.table_(name, quoted=True)
        make = made_table(target, rows.schema, self._dialect)
        transaction.execute(make.replace("create table", "create temporary table", 1))
        Load(table=target, settings={}, transaction=transaction, tally=tally, dialect=self._dialect).run(rows)
        procedure = plain_name(str(settings["sqlWriterStoredProcedureName"]))
        self._batch(transaction).run_procedure(procedure, _parameters(settings.get("storedProcedureParameters")))
        drop = dropped_stage(target, self._dialect)
        if drop:
            transaction.execute(drop)

    def _table(self) -> exp.Table:
        properties = self.given.properties
        name, schema = properties.get("table"), properties.get("schema")
        if not name and properties.get("tableName"):
            older = exp.to_table(str(properties["tableName"]), dialect=self._written or "tsql")
            name, schema = older.name, older.db
        if not name:
            raise WrongDefinition(
                f"The dataset '{self.given.name}' names no table.", advice="Give typeProperties.table, or a query."
            )
        stands_in = self._written == "tsql" and self._dialect != "tsql"
        if stands_in and str(schema or "").lower() == "dbo":
            schema = None
        found = exp.table_(str(name), db=str(schema) if schema else None, quoted=True)
        return _called(self.database, found) if stands_in and self._dialect == "postgres" else found


def _called(database: Any, table: exp.Table) -> exp.Table:
    """Return the table by the name that PostgreSQL has for it, which tells capitals apart; SQL Server does not."""
    if not database.columns(table):
        same = [name for name in database.tables(table.db) if name.lower() == table.name.lower()]
        if len(same) == 1:
            table.set("this", exp.to_identifier(same[0], quoted=True))
    return table


def _parameters(told: Any) -> dict[str, Any]:
    """Return the values of `storedProcedureParameters`; numbers and the like as their types say."""
    if not isinstance(told or {}, Mapping):
        raise WrongDefinition("The storedProcedureParameters are an object.")
    return {str(name): _value(name, one) for name, one in (told or {}).items()}


def _value(name: str, told: Any) -> Any:
    if not isinstance(told, Mapping):
        return told
    value, kind = told.get("value"), str(told.get("type") or "String").lower()
    try:
        if value is None or kind in {"string", "guid", "datetime", "datetimeoffset", "date"}:
            return value
        if kind.startswith("int"):
            return int(value)
        return str(value).lower() == "true" if kind == "boolean" else float(value)
    except (TypeError, ValueError) as error:
        raise WrongDefinition(
            f"'{value}' is no {told.get('type')}.", where=f"storedProcedureParameters['{name}']"
        ) from error
