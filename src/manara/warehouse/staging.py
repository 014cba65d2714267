"""The rows of a load in temporary tables: as the source gives them, and with the types that are declared."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from sqlglot import exp

from manara.errors import BadRows, WrongDefinition
from manara.plugin.connection import Transaction
from manara.registry import near
from manara.table.arrow_types import column_type
from manara.table.template import fill, name, names, table
from manara.warehouse.tables import TRACED

SOURCE, STAGE = "__source", "__stage"
_SHOWN = 5


class Staging:
    """What a load works on: a transaction, the dialect of its database, and the columns of the source."""

    def __init__(self, transaction: Transaction, dialect: str, where: str) -> None:
        self.transaction = transaction
        self.dialect = dialect
        self.where = where
        self.columns: dict[str, str] = {}

    def run(self, template: str, parameters: Mapping[str, Any] | None = None, **trees: Any) -> int:
        """Run a statement of a template and trees, and return how many rows it changed."""
        return self.transaction.execute(fill(template, **trees).sql(self.dialect), dict(parameters or {}))

    def ask(self, template: str, parameters: Mapping[str, Any] | None = None, **trees: Any) -> list[dict[str, Any]]:
        """Return the rows of a query of a template and trees."""
        statement = fill(template, **trees).sql(self.dialect)
        return self.transaction.query(statement, dict(parameters or {})).read_all().to_pylist()

    def count(self, template: str, **trees: Any) -> int:
        """Return the one number that a query gives."""
        return int(next(iter(self.ask(template, **trees)[0].values())) or 0)

    def lock(self, here: exp.Table) -> None:
        """Let no other load write the table until this one ends (DuckDB has one writer anyway)."""
        if self.dialect == "postgres":
            self.transaction.execute(f"LOCK TABLE {here.sql('postgres')} IN EXCLUSIVE MODE")

    def take_rows(self, rows: pa.RecordBatchReader) -> int:
        """Put the rows of a dataset into the source table, and return how many they are."""
        kinds = {field.name: column_type(field.type) for field in rows.schema}
        definitions = [
            exp.ColumnDef(this=exp.to_identifier(column, quoted=True), kind=kind) for column, kind in kinds.items()
        ]
        self._drop(SOURCE)
        made = exp.Create(
            this=exp.Schema(this=table(SOURCE), expressions=definitions),
            kind="TABLE",
            properties=exp.Properties(expressions=[exp.TemporaryProperty()]),
        )
        self.transaction.execute(made.sql(self.dialect))
        taken = self.transaction.load(table(SOURCE), rows)
        self.columns = {column.lower(): column for column in rows.schema.names}
        return taken

    def take_query(self, query: str) -> int:
        """Put the rows of a query on the same database into the source table, and return how many they are."""
        self._drop(SOURCE)
        named = table(SOURCE)
        self.transaction.execute(f"CREATE TEMPORARY TABLE {named.sql(self.dialect)} AS {query.strip().rstrip(';')}")
        empty = self.transaction.query(exp.select("*").from_(named).limit(0).sql(self.dialect)).read_all().schema
        self.columns = {column.lower(): column for column in empty.names}
        return self.count("select count(*) from {source}", source=table(SOURCE))

    def stage(self, wanted: Mapping[str, tuple[str, str]], same: Mapping[str, exp.Expr] | None = None) -> None:
        """Make the stage: for each column its name in the source and its type. The notes of the source come along.

        `same` are columns that have one value in all rows.

        Raises WrongDefinition for a column that the source has not.
        """
        picked: list[exp.Expr] = []
        for column, (source, kind) in wanted.items():
            found = self.columns.get(source.lower())
            if found is None:
                raise WrongDefinition(
                    f"The source has no column '{source}'.",
                    where=self.where,
                    advice=near(source, self.columns.values()),
                )
            picked.append(exp.alias_(exp.cast(name(found), kind), column, quoted=True))
        for note, kind in TRACED.items():
            told = name(self.columns[note]) if note in self.columns else exp.null()
            picked.append(exp.alias_(exp.cast(told, kind), note, quoted=True))
        picked += [exp.alias_(value, column, quoted=True) for column, value in (same or {}).items()]
        self._drop(STAGE)
        self.run(
            "create temporary table {stage} as select {columns} from {source}",
            stage=table(STAGE), columns=picked, source=table(SOURCE),
        )  # fmt: skip

    def refuse_nulls(self, columns: Sequence[str]) -> None:
        """Raise BadRows where a part of a key is null."""
        missing = exp.or_(*(name(column).is_(exp.null()) for column in columns))
        count = self.count("select count(*) from {stage} where {missing}", stage=table(STAGE), missing=missing)
        if count:
            raise BadRows(
                f"{count} rows have no {' or '.join(columns)}.", where=self.where,
                advice="Leave them out in the source, or let a gate refuse them before.",
            )  # fmt: skip

    def refuse_doubles(self, columns: Sequence[str]) -> None:
        """Raise BadRows where a key comes twice, with a few of them."""
        doubles = self.ask(
            "select {columns}, count(*) as n from {stage} group by {columns} having count(*) > 1 "
            "order by n desc limit 5",
            columns=names(columns), stage=table(STAGE),
        )  # fmt: skip
        if doubles:
            told = "; ".join(
                ", ".join(str(row[column]) for column in columns) + f" ({row['n']} times)" for row in doubles[:_SHOWN]
            )
            raise BadRows(
                f"The source gives a key more than once: {told}.", where=self.where,
                advice=f"One row is wanted for each {', '.join(columns)}.",
            )  # fmt: skip

    def drop(self) -> None:
        """Remove the temporary tables."""
        for each in (SOURCE, STAGE):
            self._drop(each)

    def _drop(self, named: str) -> None:
        self.run("drop table if exists {table}", table=table(named))
