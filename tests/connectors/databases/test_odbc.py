"""ODBC, against the drivers that the machine has: SQLite's, and PostgreSQL's with a server of the tests' own."""
# ruff: noqa: RUF012 # the suite declares them as the class's own

import datetime
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pytest

pyodbc = pytest.importorskip("pyodbc", reason="pyodbc, or the library of unixODBC, is not installed")

from manara.connectors.databases import odbc  # noqa: E402
from manara.errors import NotFound, Transient, WrongDefinition  # noqa: E402
from manara.plugin.connection import CONNECTORS, Connection, Database, LinkedServiceGiven  # noqa: E402
from manara.plugin.dataset import DATASETS, Dataset, DatasetGiven, Refused, Tally  # noqa: E402
from manara.testing.suites import DatabaseSuite, DatasetSuite, execute, new_mark  # noqa: E402


def driver(*names: str) -> str:
    found = next((name for name in names if name in pyodbc.drivers()), "")
    if not found:
        pytest.skip(f"there is no ODBC driver {' or '.join(names)} here")
    return str(found)


def opened(text: str, root: Path) -> Connection:
    given = LinkedServiceGiven(name="Tested", type="Odbc", properties={"connectionString": text}, root=root)
    return CONNECTORS.find("Odbc")(given)


def by_postgres(address: str, root: Path) -> Connection:
    asked: dict[str, Any] = parse_qs(urlsplit(address).query)
    schema = asked["options"][0].split("=")[1]
    text = f"Driver={{{driver('PostgreSQL Unicode')}}};Server={asked['host'][0]};Database=postgres;UID=manara;"
    return opened(f"{text}ConnSettings=set search_path to {schema}", root)


class TestSqlite(DatabaseSuite):
    type = "Odbc"

    @pytest.fixture
    def connection(self, tmp_path: Path) -> Connection:
        return opened(f"Driver={{{driver('SQLite3')}}};Database={tmp_path / 'a.db'};Timeout=2000", tmp_path)


class TestPostgres(DatabaseSuite):
    type = "Odbc"

    @pytest.fixture
    def connection(self, postgres: Callable[[], str], tmp_path: Path) -> Connection:
        return by_postgres(postgres(), tmp_path)


class _Upserts(DatasetSuite):
    def test_an_upsert_updates_what_is_there_and_inserts_the_rest(self, dataset: Dataset) -> None:
        self.write(dataset, new_mark(), pa.table({"id": [1, 2], "t": ["old", "old"]}))
        newer = pa.table({"id": [2, 3, 3], "t": ["new", "first", "last"]})
        sink = {"writeBehavior": "upsert", "upsertSettings": {"keys": ["id"]}}
        dataset.write(sink, newer.to_reader(), new_mark(), Tally())
        rows = sorted(dataset.read({}, Tally()).read_all().to_pylist(), key=lambda row: int(row["id"]))
        assert rows == [{"id": 1, "t": "old"}, {"id": 2, "t": "new"}, {"id": 3, "t": "last"}]

    def test_rows_that_the_database_does_not_take_are_left_out(self, connection: Database, dataset: Dataset) -> None:
        connection.once(new_mark(), execute("create table place (id integer primary key, t varchar(9) not null)"))
        refused: list[Refused] = []
        tally = Tally(skips=True, refuse=refused.append)
        for sink in ({}, {"writeBehavior": "upsert", "upsertSettings": {"keys": ["id"]}}):
            rows = pa.table({"id": [1, len(sink) + 2, 9], "t": ["a", "b", None]})
            dataset.write(sink, rows.to_reader(), new_mark(), tally)
        assert dataset.read({}, Tally()).read_all().sort_by("id").column("id").to_pylist() == [1, 2, 4]
        assert (tally.rows_copied, [row.text for row in refused]) == (4, ["{'id': 9, 't': None}"] * 2)

    def test_a_table_that_is_missing_is_told_with_a_near_one(self, connection: Database) -> None:
        connection.once(new_mark(), execute("create table place (id integer)"))
        given = DatasetGiven(name="T", type="OdbcTable", properties={"tableName": "plase"}, connection=connection)
        with pytest.raises(NotFound) as raised:
            DATASETS.find("OdbcTable")(given).write({}, pa.table({"id": [1]}).to_reader(), new_mark(), Tally())
        assert "'place'" in raised.value.advice


class TestSqliteTable(_Upserts):
    type = "Odbc"
    dataset_type = "OdbcTable"
    dataset_properties = {"tableName": "place"}
    sink = {"tableOption": "autoCreate"}

    @pytest.fixture
    def connection(self, tmp_path: Path) -> Connection:
        return opened(f"Driver={{{driver('SQLite3')}}};Database={tmp_path / 'a.db'};Timeout=2000", tmp_path)


class TestPostgresTable(_Upserts):
    type = "Odbc"
    dataset_type = "OdbcTable"
    dataset_properties = {"tableName": "place"}
    sink = {"tableOption": "autoCreate"}
    rows = pa.table(
        {
            "name": ["Kabul", None, "مزار"],
            "people": pa.array([4_600_000_000, None, -1], pa.int64()),
            "few": pa.array([1, None, -1], pa.int16()),
            "rate": pa.array([0.5, None, 1e300]),
            "yes": pa.array([True, None, False]),
            "cost": pa.array([Decimal("12.50"), None, Decimal("-0.01")], pa.decimal128(20, 2)),
            "day": pa.array([datetime.date(2024, 2, 29), None, datetime.date(1999, 1, 1)]),
            "at": pa.array([1_700_000_000_123_456, None, 0], pa.timestamp("us")),
            "photo": pa.array([bytes(range(256)), None, b""]),
        }
    )

    @pytest.fixture
    def connection(self, postgres: Callable[[], str], tmp_path: Path) -> Connection:
        return by_postgres(postgres(), tmp_path)


WRONG = {
    "no string": ({}, WrongDefinition, "needs its connectionString"),
    "no driver": ({"connectionString": "Driver={No Such};Server=x;PWD=hidden"}, WrongDefinition, "database says"),
    "half a string": ({"connectionString": "Driver"}, WrongDefinition, "cannot be read from its sign 1"),
    "no place": ({"connectionString": "Driver={SQLite3};Database=/nowhere/a.db"}, Transient, "connect failed"),
}


@pytest.mark.parametrize(("properties", "error", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_definition_is_told(
    properties: dict[str, Any], error: type[Exception], message: str, tmp_path: Path
) -> None:
    driver("SQLite3")
    given = LinkedServiceGiven(name="Tested", type="Odbc", properties=properties, root=tmp_path)
    with pytest.raises(error, match=message) as caught:
        CONNECTORS.find("Odbc")(given)
    assert "hidden" not in str(caught.value)


def test_user_password_and_credential_join_the_string_in_braces(tmp_path: Path) -> None:
    told = {"connectionString": "DSN=a;", "userName": "u", "password": "p};DSN=b", "credential": "Key=k"}
    given = LinkedServiceGiven(name="Tested", type="Odbc", properties=told, root=tmp_path)
    assert odbc._whole(given, "") == "DSN=a;Key=k;UID={u};PWD={p}};DSN=b}"
