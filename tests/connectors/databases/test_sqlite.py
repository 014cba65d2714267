"""SQLite files as databases, under the suites and on what is special in them."""
# ruff: noqa: RUF012 # the suite declares them as the class's own

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from manara.connectors.databases.sqlite import sqlite
from manara.errors import BadRows, Conflict, ManaraError, NotFound, WrongDefinition
from manara.plugin.connection import Database, LinkedServiceGiven
from manara.testing.suites import DatabaseSuite, DatasetSuite, execute, new_mark


class TestSQLite(DatabaseSuite):
    type = "SQLite"
    properties = {"path": "data/register.sqlite"}


class TestSQLiteTable(DatasetSuite):
    type = "SQLite"
    properties = {"path": "data/register.sqlite"}
    dataset_type = "SQLiteTable"
    dataset_properties = {"table": "place"}
    sink = {"tableOption": "autoCreate"}


class TestSQLiteTypes(TestSQLiteTable):
    rows = pa.table(
        {
            "n": [1, None],
            "x": [1.5, None],
            "yes": [True, None],
            "at": pa.array([1_700_000_000_123_456, None], pa.timestamp("us")),
            "day": pa.array([19_000, None], pa.date32()),
            "raw": [b"\x00\xff", None],
            "none": pa.array([None, None], pa.string()),
        }
    )


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return _opened(tmp_path)


def _opened(folder: Path, **properties: Any) -> Database:
    given = LinkedServiceGiven(name="Register", type="SQLite", properties={"path": "r.db", **properties}, root=folder)
    found = sqlite(given)
    assert isinstance(found, Database)
    return found


@pytest.mark.parametrize(
    ("statement", "kind", "says"),
    [
        pytest.param("select * from fact", NotFound, "No such table", id="table"),
        pytest.param("insert into facts values (1, 'y')", Conflict, "(?i)unique", id="duplicate"),
        pytest.param("insert into facts values (2, null)", BadRows, "(?i)not null", id="null"),
        pytest.param("selec 1", WrongDefinition, "syntax", id="syntax"),
    ],
)
def test_what_sqlite_says_is_told(database: Database, statement: str, kind: type[ManaraError], says: str) -> None:
    make = ("create table facts (a integer primary key, b text not null)", "insert into facts values (1, 'x')")
    database.once(new_mark(), execute(*make))
    with pytest.raises(kind, match=says):
        database.once(new_mark(), execute(statement))


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        pytest.param("(1), (2.5)", pa.float64(), id="whole and real"),
        pytest.param("(1), ('a')", pa.string(), id="number and text"),
        pytest.param("('2024-01-01'), ('2024-13-01')", pa.string(), id="a day that is none"),
        pytest.param("('2024-01-01 10:00:00'), (null)", pa.timestamp("us"), id="times"),
        pytest.param("('2024-01-01 10:00:00+02:00'), (null)", pa.string(), id="times with a zone"),
    ],
)
def test_a_column_has_the_type_that_holds_all_its_values(database: Database, values: str, kind: pa.DataType) -> None:
    database.once(new_mark(), execute("create table t (v timestamp)", f"insert into t values {values}"))
    assert database.query("select v from t").read_all().schema.types == [kind]


def test_a_late_value_of_another_type_is_held_too(database: Database) -> None:
    many = (
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 70000) insert into t select i from n"
    )
    database.once(new_mark(), execute("create table t (v)", many, "insert into t values ('late')"))
    values = database.query("select v from t").read_all().column("v").to_pylist()
    assert (len(values), values[0], values[-1]) == (70_001, "1", "late")


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "r.db").write_text("hello " * 999)
    with pytest.raises(WrongDefinition, match="not a database"):
        _opened(tmp_path).query("select 1")


def test_reading_goes_on_beside_writing(database: Database) -> None:
    database.once(new_mark(), execute("create table t (v integer)", "insert into t values (1)"))
    rows = database.query("select v from t")
    database.once(new_mark(), execute("insert into t values (2)"))
    assert rows.read_all().num_rows == 1
