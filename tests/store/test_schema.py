"""The schema made from scratch and the one that was migrated are equal, and it is one on both databases."""

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from manara.errors import WrongDefinition
from manara.store.journal import Journal
from manara.store.queries import read
from manara.store.runs import find_run_row
from manara.store.schema import VERSION

OLDEST = Path(__file__).parent / "schema_1.sql"
OLDEST_POSTGRES = Path(__file__).parent / "schema_2_postgres.sql"
RUNS = """
insert into command values ('old', 'run', '{"pipeline": "p", "parameters": {}, "snapshot": "s"}', '2024-01-01T00:00Z');
insert into command values ('done', 'run', '{"pipeline": "p", "parameters": {}, "snapshot": "s"}', '2024-01-01T00:00Z');
insert into event (run_id, step, kind, at, body)
values ('done', '', 'runEnded', '2024-01-01T00:00:01Z', '{"status": "Succeeded"}');
"""


def oldest(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.executescript(OLDEST.read_text(encoding="utf-8") + RUNS + "pragma user_version = 1")


def schema_of(path: Path) -> dict[str, str]:
    """Return what the file says of each table, index and trigger, without comments and spaces."""
    with sqlite3.connect(path) as connection:
        rows = connection.execute("select name, sql from sqlite_master where sql is not null").fetchall()
    return {name: re.sub(r'--.*|\s+|"', "", text) for name, text in rows}


def columns_of(path: Path) -> set[tuple[str, str, bool]]:
    with sqlite3.connect(path) as connection:
        rows = connection.execute(
            "select m.name, c.name, c.pk from sqlite_master as m, pragma_table_info(m.name) as c where m.type = 'table'"
        ).fetchall()
    return {(table, column, bool(key)) for table, column, key in rows}


def test_the_migrated_schema_is_the_one_from_scratch(tmp_path: Path) -> None:
    old, new = tmp_path / "old.sqlite", tmp_path / "new.sqlite"
    oldest(old)
    for path in (old, new):
        Journal(path).close()
    assert schema_of(old) == schema_of(new)


def test_a_migrated_journal_knows_its_runs(tmp_path: Path) -> None:
    oldest(tmp_path / "old.sqlite")
    journal = Journal(tmp_path / "old.sqlite")
    assert [run_id for run_id, _, _ in journal.unfinished()] == ["old"]
    assert journal.command("done").options == {}
    assert [event.kind for event in journal.events("done")] == ["runEnded"]
    assert {run_id: find_run_row(journal, run_id).status for run_id in ("old", "done")} == {  # type: ignore[union-attr]
        "old": "Queued",
        "done": "Succeeded",
    }
    journal.close()


def test_the_tables_are_the_same_on_postgresql(tmp_path: Path, postgres: Callable[[], str]) -> None:
    Journal(tmp_path / "new.sqlite").close()
    address = postgres()
    Journal(address).close()
    assert columns_on(address) == columns_of(tmp_path / "new.sqlite")


def columns_on(address: str) -> set[tuple[str, str, bool]]:
    query = """
        select c.table_name, c.column_name, k.column_name is not null
        from information_schema.columns as c
        left join information_schema.key_column_usage as k using (table_schema, table_name, column_name)
        where c.table_schema = current_schema() and c.table_name <> 'journal_version'"""
    with psycopg.connect(address) as connection:
        return set(connection.execute(query).fetchall())


def indexes_on(address: str) -> set[tuple[str, ...]]:
    query = "select tablename, indexname from pg_indexes where schemaname = current_schema()"
    with psycopg.connect(address) as connection:
        return set(connection.execute(query).fetchall())


def test_a_journal_of_the_oldest_version_on_postgresql_becomes_the_one_from_scratch(
    postgres: Callable[[], str],
) -> None:
    old, new = postgres(), postgres()
    with psycopg.connect(old) as connection:
        connection.execute(OLDEST_POSTGRES.read_bytes())
        connection.execute("create table journal_version (version integer not null)")
        connection.execute("insert into journal_version values (2)")
    for address in (old, new):
        Journal(address).close()
    assert columns_on(old) == columns_on(new)
    assert indexes_on(old) == indexes_on(new)


def test_a_journal_of_a_newer_version_is_left_alone(address: Path | str) -> None:
    Journal(address).close()
    if isinstance(address, Path):
        with sqlite3.connect(address) as connection:
            connection.execute("pragma user_version = 99")
    else:
        with psycopg.connect(address) as server:
            server.execute("update journal_version set version = 99")
    with pytest.raises(WrongDefinition, match="version 99"):
        Journal(address)


def test_every_version_says_its_number() -> None:
    for file in ("schema.sql", "schema_postgres.sql"):
        assert f"Version {VERSION}" in read(file)
