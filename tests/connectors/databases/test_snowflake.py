"""Snowflake's driver over the wire, against an emulator of the tests' own (which is not Snowflake)."""
# ruff: noqa: RUF012, DTZ001 # the suite declares them as the class's own; a moment may have no zone

import datetime
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sqlglot import exp
from tests.database_rows import KeepsMadeTables
from tests.snowflake_server import snowflake_server

from manara.connectors.databases.table_load import Load
from manara.errors import ManaraError, NotFound, WrongDefinition
from manara.plugin.connection import CONNECTORS, Connection, Database, LinkedServiceGiven, Transaction
from manara.plugin.dataset import Tally
from manara.testing.suites import DatabaseSuite, execute, new_mark

__all__ = ["snowflake_server"]

Address = Callable[[], dict[str, Any]]


def opened(properties: dict[str, Any], root: Path) -> Database:
    given = LinkedServiceGiven(name="Tested", type="SnowflakeV2", properties=properties, root=root)
    connection = CONNECTORS.find("SnowflakeV2")(given)
    assert isinstance(connection, Database)
    return connection


@pytest.fixture
def database(snowflake_server: Address, tmp_path: Path) -> Database:
    return opened(snowflake_server(), tmp_path)


class TestSnowflake(DatabaseSuite):
    type = "SnowflakeV2"
    names = ("N", "T")

    @pytest.fixture
    def connection(self, snowflake_server: Address, tmp_path: Path) -> Connection:
        return opened(snowflake_server(), tmp_path)


class TestSnowflakeTable(KeepsMadeTables):
    type = "SnowflakeV2"
    dataset_type = "SnowflakeV2Table"
    dataset_properties = {"schema": "PUBLIC", "table": "place"}

    @pytest.fixture
    def connection(self, snowflake_server: Address, tmp_path: Path) -> Connection:
        return opened(snowflake_server(), tmp_path)


def test_an_upsert_is_taken_back_with_what_comes_after_it(database: Database) -> None:
    """Snowflake commits what a transaction has done before it drops a table, also where it was a temporary one."""
    database.once(new_mark(), execute('create table "place" ("id" integer, "t" varchar)'))
    settings = {"writeBehavior": "upsert", "upsertSettings": {"keys": ["id"]}}

    def upsert_and_fail(transaction: Transaction) -> dict[str, Any]:
        load = Load(table=exp.table_("place", quoted=True), settings=settings, transaction=transaction, tally=Tally(),
                    dialect="snowflake")  # fmt: skip
        load.run(pa.table({"id": [1], "t": ["a"]}).to_reader())
        assert transaction.query('select * from "place"').read_all().num_rows == 1
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.once(new_mark(), upsert_and_fail)
    assert database.query('select * from "place"').read_all().num_rows == 0


TYPES = {
    "number": ("number(10,0)", "7", pa.int64(), 7),
    "a wide number": ("number(38,0)", "7", pa.decimal128(38, 0), Decimal(7)),
    "a price": ("number(12,2)", "1.5", pa.decimal128(12, 2), Decimal("1.50")),
    "float": ("float", "1e300", pa.float64(), 1e300),
    "text": ("varchar(20)", "'مزار'", pa.string(), "مزار"),
    "yes": ("boolean", "true", pa.bool_(), True),
    "date": ("date", "'2024-02-29'", pa.date32(), datetime.date(2024, 2, 29)),
    "time": ("time", "'23:59:59'", pa.time64("us"), datetime.time(23, 59, 59)),
    "moment": ("timestamp_ntz", "'2024-02-29 01:02:03.4'", pa.timestamp("us"),
               datetime.datetime(2024, 2, 29, 1, 2, 3, 400000)),
    "a moment of a zone": ("timestamp_tz", "'2024-02-29 01:02:03Z'", pa.timestamp("us", "UTC"),
                           datetime.datetime(2024, 2, 29, 1, 2, 3, tzinfo=datetime.UTC)),
    "bytes": ("binary", "x'00ff'", pa.binary(), b"\x00\xff"),
}  # fmt: skip


@pytest.mark.parametrize(("sql", "literal", "kind", "value"), TYPES.values(), ids=TYPES)
def test_each_type_comes_as_its_own(database: Database, sql: str, literal: str, kind: pa.DataType, value: Any) -> None:
    insert = f"insert into typed select {literal} union all select null"
    database.once(new_mark(), execute(f"create table typed (v {sql})", insert))
    rows = database.query("select v from typed").read_all()
    assert rows.schema.field(0).type == kind
    assert rows.column(0).to_pylist() == [value, None]


BINDINGS = {
    "by name": ("select $a as a, $b as b", {"a": "x'; --", "b": None}, ["x'; --", None]),
    "by order": ("select ? as a, '?' as b", ["é"], ["é", "?"]),
    "numbers": ("select ? + 1 as a, ? as b", [1, None], [2, None]),
}


@pytest.mark.parametrize(("statement", "values", "row"), BINDINGS.values(), ids=BINDINGS)
def test_parameters_are_bound(database: Database, statement: str, values: Any, row: list[Any]) -> None:
    assert [column.to_pylist() for column in database.query(statement, values).read_all().columns] == [
        [value] for value in row
    ]


REFUSALS = {
    "no such table": ("select * from nothing", NotFound),
    "syntax": ("selec 1", WrongDefinition),
}


@pytest.mark.parametrize(("statement", "error"), REFUSALS.values(), ids=REFUSALS)
def test_what_the_server_refuses_is_told(database: Database, statement: str, error: type[ManaraError]) -> None:
    database.once(new_mark(), execute("create table kept (n integer)"))
    with pytest.raises(error, match="Snowflake says"):
        database.once(new_mark(), execute(statement))


def test_rows_come_in_batches(database: Database) -> None:
    database.once(
        new_mark(), execute("create table many as select seq4() as n from table(generator(rowcount => 30000))")
    )
    rows = database.query("select n, repeat('x', 1000) as t from many")
    assert sum(batch.num_rows for batch in rows) == 30_000
