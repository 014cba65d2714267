"""What a task of Spark does with the rows that it holds: DuckDB judges them, piece by piece."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import pyarrow as pa
from sqlglot import exp

from manara.errors import WrongDefinition
from manara.quality import compile as compiled
from manara.quality.odcs import Contract
from manara.quality.rules import ROW, Rule
from manara.quality.statements import judged_rows
from manara.quality.tables import JUDGED, SOURCE, TYPED, VALUES, Tables
from manara.quality.trees import quoted, sql
from manara.quality.values import type_values
from manara.table.rows import DUCKDB_BYTES, DUCKDB_ROWS, in_pieces

_VIEW = "__gate_rows"
_TAKE = f'CREATE TEMPORARY TABLE "{SOURCE}" AS FROM "{_VIEW}"'
_KINDS = "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = '__gate_source' ORDER BY column_index"
_CLEAR = (f'DROP VIEW temp."{VALUES}"', *(f'DROP TABLE IF EXISTS temp."{name}"' for name in (TYPED, JUDGED, SOURCE)))
_FAULT = ("rule", "dimension", "severity", "reason")
_TYPES: Mapping[str, tuple[str, pa.DataType]] = {
    "string": ("string", pa.string()),
    "integer": ("bigint", pa.int64()),
    "number": ("double", pa.float64()),
    "boolean": ("boolean", pa.bool_()),
    "date": ("date", pa.date32()),
    "timestamp": ("timestamp_ntz", pa.timestamp("us")),
    "faults": (
        f"array<struct<{', '.join(f'{name}: string' for name in _FAULT)}>>",
        pa.list_(pa.struct([(name, pa.string()) for name in _FAULT])),
    ),
}
"""The types of a contract, and that of the faults of a row, as Spark and Arrow call them."""

Kinds = Mapping[str, str]
Given = Mapping[tuple[str, str], pa.Table]
"""Tables that a contract reads, by schema and name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Statements for each piece of rows, the query that gives what comes of it, and the types of its columns.

    It travels to the executors, with the tables that the statements read.
    """

    tables: Given
    statements: Sequence[str]
    query: str
    columns: Kinds

    @property
    def ddl(self) -> str:
        """The columns that come of the task, in Spark's words."""
        return ", ".join(f"`{name.replace('`', '``')}` {_TYPES[kind][0]}" for name, kind in self.columns.items())

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield what comes of the rows of a partition."""
        schema = pa.schema([(name, _TYPES[kind][1]) for name, kind in self.columns.items()])
        with _bench(self.tables) as bench:
            for piece in in_pieces(batches, DUCKDB_ROWS, DUCKDB_BYTES):
                bench.register(_VIEW, pa.Table.from_batches([piece]))
                for statement in (_TAKE, *self.statements):
                    bench.execute(statement)
                yield from bench.sql(self.query).to_arrow_table().cast(schema).to_batches(DUCKDB_ROWS)
                for statement in _CLEAR:
                    bench.execute(statement)

    def try_out(self, empty: pa.Table) -> None:
        """Run the task on no rows. Raises WrongDefinition where an expression cannot be run."""
        with _bench(self.tables) as bench:
            bench.register(_VIEW, empty)
            try:
                for statement in (_TAKE, *self.statements, self.query):
                    bench.execute(statement)
            except duckdb.Error as error:
                raise WrongDefinition(str(error).splitlines()[0]) from error


def kinds_of(rows: pa.Table) -> dict[str, str]:
    """Return the columns of a source without the row number, and the types that DuckDB has for them."""
    with _bench({}) as bench:
        bench.register(_VIEW, rows.slice(0, 0))
        bench.execute(_TAKE)
        return {name: kind for name, kind in bench.execute(_KINDS).fetchall() if name != ROW}


def typing_task(contract: Contract, source: Kinds, tables: Given, names: Sequence[str]) -> Task:
    """Return the task that gives the number of each row, and its values in some columns of the contract."""
    query = exp.select(quoted(ROW), *(quoted(name) for name in names)).from_(exp.table_(VALUES, quoted=True))
    types = {each.name: each.logical_type for each in contract.properties if each.name in names}
    statements = [sql(statement) for statement in type_values(contract, source, _homes(tables))]
    return Task(tables=tables, statements=statements, query=sql(query), columns={ROW: "integer"} | types)


def judging_task(contract: Contract, source: Kinds, tables: Given, rules: Sequence[Rule]) -> Task:
    """Return the task that gives all rows with their values, whether they are refused, their faults and payloads.

    The rows have, beside the columns of the source, those with the first row of the same key (`same_values`).
    """
    homes = _homes(tables)
    statements = [*type_values(contract, source, homes), compiled.judge(contract, rules, homes, firsts_given=True)]
    values = {ROW: "integer"} | {each.name: each.logical_type for each in contract.properties}
    found = {"refused": "boolean", "faults": "faults", "payload": "string"}
    return Task(
        tables=tables, statements=[sql(each) for each in statements], query=judged_rows(values, source),
        columns=values | {f"__{name}": kind for name, kind in found.items()},
    )  # fmt: skip


def _homes(tables: Given) -> Tables:
    return Tables(homes={name.lower(): schema for schema, name in tables})


@contextmanager
def _bench(tables: Given) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a DuckDB of this task's own, with the tables in it."""
    with duckdb.connect(config={"threads": 1}) as bench:
        bench.execute("load icu")
        bench.execute("set TimeZone = 'UTC'")
        for (schema, name), rows in tables.items():
            home, table = exp.to_identifier(schema, quoted=True), exp.table_(name, db=schema, quoted=True)
            bench.execute(f"CREATE SCHEMA IF NOT EXISTS {sql(home)}")
            bench.register(_VIEW, rows)
            bench.execute(f'CREATE TABLE {sql(table)} AS FROM "{_VIEW}"')
        yield bench
