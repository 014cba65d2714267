"""MySQL's protocol, against a MariaDB server of the tests' own."""
# ruff: noqa: RUF012, DTZ001 # the suite declares them as the class's own; MySQL's moments have no zone

import datetime
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sqlglot import exp
from tests.database_rows import KeepsMadeTables
from tests.mariadb import mariadb

from manara.errors import BadRows, Broken, Conflict, ManaraError, NotAllowed, NotFound, Transient, WrongDefinition
from manara.plugin.connection import CONNECTORS, Connection, Database, LinkedServiceGiven, ListsTables, Transaction
from manara.plugin.dataset import DATASETS, DatasetGiven, Refused, Tally
from manara.testing.suites import DatabaseSuite, execute, new_mark, numbers

__all__ = ["mariadb"]

Address = Callable[[], dict[str, Any]]


def opened(properties: dict[str, Any], root: Path) -> Database:
    given = LinkedServiceGiven(name="Tested", type="MariaDB", properties=properties, root=root)
    connection = CONNECTORS.find("MariaDB")(given)
    assert isinstance(connection, Database)
    return connection


@pytest.fixture
def database(mariadb: Address, tmp_path: Path) -> Database:
    return opened(mariadb(), tmp_path)


class TestMariaDB(DatabaseSuite):
    type = "MariaDB"

    @pytest.fixture
    def connection(self, mariadb: Address, tmp_path: Path) -> Connection:
        return opened(mariadb(), tmp_path)


class TestMariaDBTable(KeepsMadeTables):
    type = "MariaDB"
    dataset_type = "MariaDBTable"
    dataset_properties = {"tableName": "place"}

    @pytest.fixture
    def connection(self, mariadb: Address, tmp_path: Path) -> Connection:
        return opened(mariadb(), tmp_path)


def test_rows_that_the_table_does_not_take_are_refused_and_the_others_loaded(database: Database) -> None:
    database.once(new_mark(), execute("create table place (id integer primary key, t varchar(3) not null)"))
    given = DatasetGiven(name="T", type="MySqlTable", properties={"tableName": "place"}, connection=database)
    refused: list[Refused] = []
    tally = Tally(skips=True, refuse=refused.append)
    rows = pa.table({"id": ["1", "x", "3", "3", "4"], "t": ["a", "b", "c", "c", None]})
    DATASETS.find("MySqlTable")(given).write({}, rows.to_reader(), new_mark(), tally)
    assert numbers(database, "(select id as n from place) as p") == [1, 3]
    assert (tally.rows_copied, len(refused)) == (2, 3)


def test_an_upsert_leaves_out_what_the_server_does_not_take(database: Database) -> None:
    make = "create table place (id integer primary key, t varchar(3) not null)"
    database.once(new_mark(), execute(make, "insert into place values (1, 'a')"))
    given = DatasetGiven(name="T", type="MySqlTable", properties={"tableName": "place"}, connection=database)
    refused: list[Refused] = []
    tally = Tally(skips=True, refuse=refused.append)
    rows = pa.table({"id": [1, 2, 3], "t": ["b", None, "c"]})
    sink = {"writeBehavior": "upsert", "upsertSettings": {"keys": ["id"]}}
    DATASETS.find("MySqlTable")(given).write(sink, rows.to_reader(), new_mark(), tally)
    assert database.query("select * from place").read_all().to_pylist() == [{"id": 1, "t": "b"}, {"id": 3, "t": "c"}]
    assert (tally.rows_copied, [row.text for row in refused]) == (2, ["{'id': 2, 't': None}"])


def test_a_table_that_is_missing_is_told_with_a_near_one(database: Database) -> None:
    database.once(new_mark(), execute("create table place (id integer)", "create view every_place as select 1 as n"))
    assert isinstance(database, ListsTables)
    assert {"every_place", "place"} <= set(database.tables(""))
    given = DatasetGiven(name="T", type="MySqlTable", properties={"tableName": "plase"}, connection=database)
    with pytest.raises(NotFound) as raised:
        DATASETS.find("MySqlTable")(given).write({}, pa.table({"id": [1]}).to_reader(), new_mark(), Tally())
    assert "'place'" in raised.value.advice


TYPES = {
    "tinyint": ("tinyint", "7", pa.int16(), 7),
    "smallint unsigned": ("smallint unsigned", "65535", pa.int32(), 65535),
    "int unsigned": ("int unsigned", "4294967295", pa.int64(), 4294967295),
    "bigint": ("bigint", "-9223372036854775808", pa.int64(), -(2**63)),
    "bigint unsigned": ("bigint unsigned", "18446744073709551615", pa.decimal128(20, 0), Decimal(2**64 - 1)),
    "decimal": ("decimal(38,10)", "1.5", pa.decimal128(38, 10), Decimal("1.5000000000")),
    "unsigned decimal": ("decimal(5,0) unsigned", "99999", pa.decimal128(5, 0), Decimal(99999)),
    "wide decimal": ("decimal(65,30)", "0.5", pa.decimal256(65, 30), Decimal("0.5")),
    "float": ("float", "0.5", pa.float32(), 0.5),
    "double": ("double", "1e300", pa.float64(), 1e300),
    "date": ("date", "'2024-02-29'", pa.date32(), datetime.date(2024, 2, 29)),
    "no day": ("date", "'0000-00-00'", pa.date32(), None),
    "no moment": ("datetime", "'0000-00-00 00:00:00'", pa.timestamp("us"), None),
    "datetime": ("datetime(6)", "'2024-02-29 01:02:03.4'", pa.timestamp("us"),
                 datetime.datetime(2024, 2, 29, 1, 2, 3, 400000)),
    "time": ("time", "'23:59:59'", pa.time64("us"), datetime.time(23, 59, 59)),
    "year": ("year", "2024", pa.int32(), 2024),
    "text": ("longtext", "'مزار'", pa.string(), "مزار"),
    "enum": ("enum('a','b')", "'b'", pa.string(), "b"),
    "blob": ("blob", "x'00ff'", pa.binary(), b"\x00\xff"),
    "binary": ("varbinary(4)", "x'00ff'", pa.binary(), b"\x00\xff"),
    "json": ("json", "'{\"a\": 1}'", pa.string(), '{"a": 1}'),
}  # fmt: skip


@pytest.mark.parametrize(("sql", "literal", "kind", "value"), TYPES.values(), ids=TYPES)
def test_each_type_comes_as_its_own(database: Database, sql: str, literal: str, kind: pa.DataType, value: Any) -> None:
    insert = f"insert into typed values ({literal}), (null)"
    database.once(new_mark(), execute(f"create table typed (v {sql})", "set sql_mode = ''", insert))
    rows = database.query("select v from typed").read_all()
    assert rows.schema.field("v").type == kind
    assert rows.column("v").to_pylist() == [value, None]


def test_a_time_that_is_none_of_a_day_is_told(database: Database) -> None:
    database.once(new_mark(), execute("create table typed (v time)", "insert into typed values ('30:00:00')"))
    with pytest.raises(BadRows, match="'v' holds a value"):
        database.query("select v from typed").read_all()


BINDINGS = {
    "by name": ("select $a as a, '$a %s' as b, 7 % 4 as c", {"a": "x'; --"}, {"a": "x'; --", "b": "$a %s", "c": 3}),
    "by order": ("select ? as a, '?' as b, `?` as c from (select 1 as `?`) as q", ["é"], {"a": "é", "b": "?", "c": 1}),
    "by number": ("select $2 as a, $1 as b", [1, None], {"a": None, "b": 1}),
    "an escaped quote": (r"select 'it\'s $a' as a, $a as b", {"a": 1}, {"a": "it's $a", "b": 1}),
    "without values": ("select '100%' as a", [], {"a": "100%"}),
}


@pytest.mark.parametrize(("statement", "values", "row"), BINDINGS.values(), ids=BINDINGS)
def test_parameters_are_bound(database: Database, statement: str, values: Any, row: dict[str, Any]) -> None:
    assert database.query(statement, values).read_all().to_pylist() == [row]


REFUSALS = {
    "no such table": ("select * from nothing", NotFound),
    "no such column": ("select nothing from kept", WrongDefinition),
    "syntax": ("selec 1", WrongDefinition),
    "a key twice": ("insert into kept values (1, 'a')", Conflict),
    "a null": ("insert into kept values (null, 'a')", BadRows),
    "too long": ("insert into kept values (2, 'abcd')", BadRows),
    "no number": ("insert into kept values ('x', 'a')", BadRows),
    "there already": ("create table kept (n integer)", Conflict),
}


@pytest.mark.parametrize(("statement", "error"), REFUSALS.values(), ids=REFUSALS)
def test_what_the_server_refuses_is_told(database: Database, statement: str, error: type[ManaraError]) -> None:
    made = "create table kept (n integer primary key, t varchar(3))"
    database.once(new_mark(), execute(made, "insert into kept values (1, 'a')"))
    with pytest.raises(error, match="MySQL says"):
        database.once(new_mark(), execute(statement))
    assert numbers(database, "kept") == [1]


def test_rows_stream_in_bounded_batches(database: Database) -> None:
    rows = database.query("select seq as n, repeat('x', 1000) as t from seq_1_to_50000")
    sizes = [(batch.num_rows, batch.nbytes) for batch in rows]
    assert sum(count for count, _ in sizes) == 50_000
    assert max(size for _, size in sizes) < 12 << 20
    assert len(sizes) > 4


def test_a_large_result_that_nobody_reads_on_is_let_go(database: Database) -> None:
    rows = database.query("select seq as n from seq_1_to_1000000000")
    assert rows.read_next_batch().num_rows
    del rows
    running = "select count(*) as n from information_schema.processlist where info like 'select seq as n%'"
    while numbers(database, f"({running}) as p") != [0]:
        pass


def test_a_transaction_goes_on_when_a_large_result_is_not_read(database: Database) -> None:
    def work(transaction: Transaction) -> dict[str, Any]:
        rows = transaction.query("select seq as n, repeat('x', 1000) as t from seq_1_to_45000")
        rows.read_next_batch()
        changed = transaction.execute("insert into kept values (1)")
        with pytest.raises(Broken, match="after the next statement"):
            rows.read_all()
        return {"rows": changed}

    database.once(new_mark(), execute("create table kept (n integer)"))
    assert database.once(new_mark(), work) == {"rows": 1}
    assert numbers(database, "kept") == [1]


def test_many_rows_are_loaded_at_once(database: Database) -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        for start in range(0, 40_000, 10_000):
            numbers = pa.array(range(start, start + 10_000), pa.int64())
            yield pa.record_batch({"n": numbers, "t": numbers.cast(pa.string())})

    def work(transaction: Transaction) -> dict[str, Any]:
        rows = pa.RecordBatchReader.from_batches(next(batches()).schema, batches())
        return {"rows": transaction.load(exp.to_table("many"), rows)}

    database.once(new_mark(), execute("create table many (n bigint, t varchar(9))"))
    assert database.once(new_mark(), work) == {"rows": 40_000}
    told = database.query("select count(*) as c, sum(n) as s, sum(t = n) as same from many").read_all().to_pylist()
    assert told == [{"c": 40_000, "s": Decimal(799_980_000), "same": Decimal(40_000)}]


def test_two_workers_of_one_step_write_once(mariadb: Address, tmp_path: Path) -> None:
    database = opened(mariadb(), tmp_path)
    database.once(new_mark(), execute("create table kept (n integer)"))
    mark = new_mark()

    def work(transaction: Transaction) -> dict[str, Any]:
        transaction.execute("insert into kept values (1)")
        assert database.once(mark, execute("insert into kept values (2)")) == {"rows": 1}
        return {"rows": 7}

    assert database.once(mark, work) == {"rows": 1}
    assert numbers(database, "kept") == [2]


WRONG = {
    "no server": ({"connectionString": "Database=a;UID=u"}, "needs its server"),
    "no database": ({"server": "h", "username": "u"}, "needs its database"),
    "a port in words": ({"connectionString": "Server=h;Port=x;Database=a;UID=u"}, "whole number, not 'x'"),
    "an unknown mode": ({"server": "h", "database": "a", "username": "u", "sslMode": "maybe"}, "not 'maybe'"),
    "no string": ({"connectionString": "Server=h;PWD secret"}, "cannot be read from its sign 10"),
}


@pytest.mark.parametrize(("properties", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_definition_is_told(properties: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(WrongDefinition, match=message) as caught:
        opened(properties, tmp_path)
    assert "secret" not in str(caught.value)


def test_a_server_that_is_not_there_is_told_with_what_can_stand_in(tmp_path: Path) -> None:
    database = opened({"connectionString": "Server=127.0.0.1;Port=1;Database=a;UID=u;PWD=secret"}, tmp_path)
    with pytest.raises(Transient, match=r"local/linkedService/Tested\.json") as caught:
        database.query("select 1")
    assert "secret" not in str(caught.value)


def test_a_wrong_password_is_told(mariadb: Address, tmp_path: Path) -> None:
    address = mariadb()
    opened(address, tmp_path).once(new_mark(), execute("create user if not exists 'r'@'localhost' identified by 'p'"))
    database = opened({**address, "userName": "r", "password": {"type": "SecureString", "value": "no"}}, tmp_path)
    with pytest.raises(NotAllowed, match="denied"):
        database.query("select 1")
