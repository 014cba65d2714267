"""PostgreSQL on a server of the tests' own, under the suites and on what is special in it."""
# ruff: noqa: RUF012 # the suite declares them as the class's own

import gc
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sqlglot import exp

from manara.connectors.databases.postgres import PostgresDatabase
from manara.connectors.databases.postgres import postgres as opened
from manara.connectors.databases.tables import table
from manara.errors import BadRows, Conflict, ManaraError, NotFound, TimedOut, Transient, WrongDefinition
from manara.plugin.connection import Connection, LinkedServiceGiven
from manara.plugin.dataset import DatasetGiven, Refused, Tally
from manara.testing.suites import DatabaseSuite, DatasetSuite, execute, new_mark


class _OnServer:
    @pytest.fixture
    def connection(self, postgres: Callable[[], str]) -> Connection:
        return _opened(postgres())


class TestPostgres(_OnServer, DatabaseSuite):
    type = "PostgreSql"


class TestPostgresTable(_OnServer, DatasetSuite):
    type = "PostgreSql"
    dataset_type = "PostgreSqlTable"
    dataset_properties = {"table": "place"}
    sink = {"tableOption": "autoCreate"}


class TestPostgresTypes(TestPostgresTable):
    rows = pa.table(
        {
            "small": pa.array([1, None], pa.int16()),
            "n": pa.array([1 << 40, None]),
            "x": [1.5, None],
            "yes": [True, None],
            "price": pa.array([Decimal("-1234567.89"), None], pa.decimal128(9, 2)),
            "at": pa.array([1_700_000_000_123_456, None], pa.timestamp("us")),
            "moment": pa.array([-1_700_000_000_123_456, None], pa.timestamp("us", "UTC")),
            "day": pa.array([-19_000, None], pa.date32()),
            "hour": pa.array([3_600_000_001, None], pa.time64("us")),
            "raw": [b"\x00\xff", None],
            "none": pa.array([None, None], pa.string()),
            'a "b"': ["مزار; \"'\\,\n", ""],
        }
    )


def until(holds: Callable[[], bool]) -> None:
    """Wait for a condition, at most ten seconds."""
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def database(postgres: Callable[[], str]) -> PostgresDatabase:
    return _opened(postgres())


def _opened(address: str, **properties: Any) -> PostgresDatabase:
    told = {"connectionString": address, **properties}
    found = opened(LinkedServiceGiven(name="Warehouse", type="PostgreSql", properties=told, root=Path()))
    assert isinstance(found, PostgresDatabase)
    return found


UPSERT: dict[str, Any] = {"writeBehavior": "upsert", "upsertSettings": {"keys": ["k"]}}


def _write(database: PostgresDatabase, rows: pa.Table, tally: Tally | None = None, **sink: Any) -> Tally:
    tally = tally or Tally()
    given = DatasetGiven(name="d", type="PostgreSqlTable", properties={"table": "stock"}, connection=database)
    reader = pa.RecordBatchReader.from_batches(rows.schema, rows.to_batches(max_chunksize=2))
    table(given).write(sink, reader, new_mark(), tally)
    return tally


def _rows(database: PostgresDatabase, query: str = "select k, item from stock order by k") -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in database.query(query).read_all().to_pylist()]


@pytest.fixture
def stock(database: PostgresDatabase) -> PostgresDatabase:
    make = "create table stock (k integer primary key, item varchar(5) not null, price numeric, tag uuid, doc jsonb)"
    database.once(new_mark(), execute(make, "insert into stock values (1, 'OPV'), (2, 'BCG')"))
    return database


@pytest.mark.parametrize(
    "folder", [{}, {"useTempDB": False, "interimSchemaName": "interim"}], ids=["temporary", "real"]
)
def test_an_upsert_changes_and_adds_and_the_last_of_a_key_stands(
    stock: PostgresDatabase, folder: dict[str, Any]
) -> None:
    stock.once(new_mark(), execute("create schema if not exists interim"))
    rows = pa.table({"K": [2, 3, 3], "item": ["new", "first", "last"]})
    sink: dict[str, Any] = {"writeBehavior": "upsert", "upsertSettings": {"keys": ["k"], **folder}}
    assert _write(stock, rows, **sink).rows_copied == 3
    assert _rows(stock) == [(1, "OPV"), (2, "new"), (3, "last")]


def test_rows_that_do_not_fit_are_refused_one_by_one(stock: PostgresDatabase) -> None:
    refused: list[Refused] = []
    rows = pa.table({"k": ["3", "x", "4.5", "5", "99999999999"], "item": ["a", "b", "c", "too long", "e"]})
    tally = _write(stock, rows, Tally(refuse=refused.append))
    assert [row.row for row in refused] == [2, 3, 4, 5]
    assert "has 8 characters, and the column 'item' takes 5" in refused[2].reason
    assert (tally.rows_copied, _rows(stock)[2:]) == (1, [(3, "a")])


def test_rows_that_the_database_does_not_take_are_refused_too(stock: PostgresDatabase) -> None:
    refused: list[Refused] = []
    rows = pa.table({"k": [2, 3, 4, 5], "item": ["again", "a", None, "b"]})
    tally = _write(stock, rows, Tally(refuse=refused.append, skips=True))
    assert ["2" in refused[0].text, "uplicate key" in refused[0].reason, "ull value" in refused[1].reason] == [True] * 3
    assert (tally.rows_copied, _rows(stock)[2:]) == (2, [(3, "a"), (5, "b")])


def test_an_upsert_leaves_out_what_the_database_does_not_take(stock: PostgresDatabase) -> None:
    refused: list[Refused] = []
    rows = pa.table({"k": [2, 3, 4, 2, 5], "item": ["new", "a", None, None, "b"]})
    tally = _write(stock, rows, Tally(refuse=refused.append, skips=True), **UPSERT)
    assert [row.text for row in refused] == ["{'k': 4, 'item': None}", "{'k': 2, 'item': None}"]
    assert (tally.rows_copied, _rows(stock)) == (3, [(1, "OPV"), (2, "new"), (3, "a"), (5, "b")])


def test_a_null_in_a_key_is_told(stock: PostgresDatabase) -> None:
    with pytest.raises(BadRows, match="the key 'k' is null"):
        _write(stock, pa.table({"k": [3, None], "item": ["a", "b"]}), **UPSERT)
    assert len(_rows(stock)) == 2


@pytest.mark.parametrize(
    ("k", "item", "says"),
    [
        pytest.param("0x10", "a", "'0x10' does not fit the column 'k'", id="a number of another base"),
        pytest.param("0X10", "a", "'0X10' does not fit the column 'k'", id="in capitals"),
        pytest.param("3", "a\0b", "holds a NUL", id="NUL"),
    ],
)
def test_a_text_never_becomes_another_value(stock: PostgresDatabase, k: str, item: str, says: str) -> None:
    refused: list[Refused] = []
    rows = pa.table({"k": ["9", "8", k, "4"], "item": ["x\0", "a", item, "b"]}).slice(1)
    tally = _write(stock, rows, Tally(refuse=refused.append))
    assert [(row.row, says in row.reason) for row in refused] == [(2, True)]
    assert (tally.rows_copied, _rows(stock)[2:]) == (2, [(4, "b"), (8, "a")])


def test_types_that_only_text_reaches_are_written(stock: PostgresDatabase) -> None:
    tag = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
    rows = pa.table({"k": [3], "item": [""], "price": ["1.123456789012345678901"], "tag": [tag], "doc": ['{"a": 1}']})
    _write(stock, rows)
    query = "select item, price::text as p, tag, doc from stock where k = 3"
    assert _rows(stock, query) == [("", "1.123456789012345678901", tag, '{"a": 1}')]


@pytest.mark.parametrize(
    ("statement", "kind", "says"),
    [
        pytest.param("select * from stok", NotFound, "Did you mean 'stock'", id="table"),
        pytest.param("insert into stock values (1, 'x')", Conflict, "uplicate key", id="duplicate"),
        pytest.param("insert into stock values (9, null)", BadRows, "ull value", id="null"),
        pytest.param("insert into stock select k + 9, item, 1 / 0 from stock", BadRows, "zero", id="value"),
        pytest.param("select nothing from stock", WrongDefinition, "nothing", id="column"),
        pytest.param("vacuum", WrongDefinition, "transaction", id="vacuum"),
        pytest.param("select pg_terminate_backend(pg_backend_pid())", Transient, "try again", id="connection lost"),
        pytest.param("set local role nobody_at_all", ManaraError, "does not exist", id="role"),
    ],
)
def test_what_postgres_says_is_told(
    stock: PostgresDatabase, statement: str, kind: type[ManaraError], says: str
) -> None:
    with pytest.raises(kind, match=says):
        stock.once(new_mark(), execute(statement))


def test_a_statement_that_takes_too_long_is_ended(stock: PostgresDatabase) -> None:
    with pytest.raises(TimedOut, match="queryTimeout"):
        stock.tuned(timeout_s=0.05).query("select pg_sleep(9)").read_all()


@pytest.mark.parametrize(
    "source",
    [
        pytest.param({}, id="blocks"),
        pytest.param({"partitionOption": "PhysicalPartitionsOfTable"}, id="physical"),
        pytest.param(
            {"partitionOption": "DynamicRange", "partitionSettings": {"partitionColumnName": "K"}}, id="range"
        ),
        pytest.param(
            {
                "partitionOption": "DynamicRange",
                "partitionSettings": {
                    "partitionColumnName": "at",
                    "partitionLowerBound": "2020-01-02",
                    "partitionUpperBound": "2020-01-03",
                },
            },
            id="times",
        ),
    ],
)
def test_a_large_table_is_read_in_parts_of_one_moment(database: PostgresDatabase, source: dict[str, Any]) -> None:
    make = """create table large as select n as k, timestamp '2020-01-01' + n * interval '1 second' as at,
        repeat(md5(n::text), 4) as t, n::numeric / 8 as p from generate_series(1, 120000) n"""
    database.once(new_mark(), execute(make, "update large set at = null where k = 7"))
    assert len(database.parts(exp.to_table("large"))) > 1
    given = DatasetGiven(name="d", type="PostgreSqlTable", properties={"table": "large"}, connection=database)
    rows = table(given).read(source, Tally())
    database.once(new_mark(), execute("delete from large"))
    found = rows.read_all()
    assert (found.num_rows, len(set(found.column("k").to_pylist()))) == (120_000, 120_000)
    assert found.schema.field("p").type == pa.decimal128(38, 18)


def test_a_reading_that_nobody_finishes_leaves_no_connection(database: PostgresDatabase) -> None:
    make = "create table large as select n as k, repeat(md5(n::text), 4) as t from generate_series(1, 120000) n"
    database.once(new_mark(), execute(make))
    rows = database.query_all(database.parts(exp.to_table("large")))
    rows.read_next_batch()
    del rows
    gc.collect()
    others = "select count(*) from pg_stat_activity where query ilike '%from large%' and pid <> pg_backend_pid()"
    until(lambda: database.query(others).read_all().column(0)[0].as_py() == 0)


@pytest.mark.parametrize(
    ("properties", "says"),
    [
        ({"connectionString": "Server=x;Port=many;Database=d;UID=u"}, "port is a whole number"),
        ({"connectionString": "Database=d;UID=u"}, "needs its server"),
        ({"connectionString": "Server=x;Database=d;UID=u;SSLMode=sometimes"}, "sslMode is 0 to 5"),
        ({"connectionString": "postgresql://[x"}, "address cannot be read"),
    ],
)
def test_a_linked_service_that_is_wrong_is_told(properties: dict[str, Any], says: str) -> None:
    with pytest.raises(WrongDefinition, match=says):
        _opened("", **properties)


def test_a_password_is_never_shown(database: PostgresDatabase) -> None:
    wrong = _opened("postgresql://me:hunter2@127.0.0.1:1/x?connect_timeout=1")
    with pytest.raises(Transient) as raised:
        wrong.query("select 1")
    assert "hunter2" not in f"{raised.value} {wrong!r}"
