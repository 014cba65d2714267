"""The demo's pipeline is killed with -9 at random moments and continued: the warehouse ends as if nothing had been."""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from manara.blueprints.make import make_factory
from manara.blueprints.supply.generate import generate
from manara.store.journal import Journal

KILLS = 20
SEED = 20
NOTES = {"_run", "run_id", "noted", "loaded_at", "step", "loaded_run", "built_at", "first_seen", "last_seen"}
"""Columns that say which run wrote a row, and when: they may differ."""

LOGS = {"quality_score", "quality_check", "warehouse_load"}
"""Tables with a row for each time that something was done: a run that is started anew does more than one."""

Warehouse = dict[str, tuple[int, int]]


def manara(*words: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "manara.cli", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def finish(process: "subprocess.Popen[bytes]") -> str:
    told = process.communicate(timeout=120)[0].decode()
    assert process.returncode == 0, told
    return told


def contents(root: Path) -> Warehouse:
    """For every table: how many rows, and a hash over all of them that takes no notice of their order."""
    with duckdb.connect(root / "data" / "warehouse.duckdb", read_only=True) as connection:
        tables = connection.execute("select table_name from duckdb_tables() where schema_name = 'main'").fetchall()
        found: Warehouse = {}
        for (table,) in tables:
            columns = connection.execute("select column_name from duckdb_columns() where table_name = ?", [table])
            names = ", ".join(["0", *(f'"{name}"' for (name,) in columns.fetchall() if name not in NOTES)])
            row = connection.execute(f'select count(*), sum(hash({names})) from "{table}"').fetchone()
            assert row is not None
            found[table] = row
        del found["manara_mark"]
        return found


@dataclass(frozen=True)
class Whole:
    """A factory with its sources, what an undisturbed run of it leaves, and how long that takes."""

    fresh: Path
    contents: Warehouse
    seconds: float
    events: int

    def copy(self, root: Path) -> Path:
        shutil.copytree(self.fresh, root)
        return root


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    folder = tmp_path_factory.mktemp("whole")
    fresh, root = folder / "fresh", folder / "factory"
    make_factory(fresh, "supply")
    generate(fresh / "data" / "lake", SEED, months=4, facilities=20, items=3, ledgers=4, shipments=100)
    shutil.copytree(fresh, root)
    started = time.monotonic()
    finish(manara("run", "supply", "-f", str(root)))
    seconds = time.monotonic() - started
    return Whole(fresh, contents(root), seconds, events_in(root / "data" / "journal.sqlite"))


def events_in(journal: Path) -> int:
    if not journal.exists():
        return 0
    with closing(sqlite3.connect(journal, timeout=30)) as connection:
        try:
            return int(connection.execute("select count(*) from event").fetchone()[0])
        except sqlite3.OperationalError:
            return 0  # the table is not there yet


def wait_for_events(journal: Path, count: int) -> None:
    end = time.monotonic() + 60
    while events_in(journal) < count:
        assert time.monotonic() < end


@pytest.mark.parametrize("kill", range(KILLS))
def test_a_run_killed_at_a_random_moment_is_continued_and_loads_no_row_twice(
    tmp_path: Path, whole: Whole, kill: int
) -> None:
    root = whole.copy(tmp_path / "factory")
    process = manara("run", "supply", "-f", str(root))
    moment = random.Random(f"{SEED}/{kill}").uniform(0.1, 0.95) * whole.seconds  # noqa: S311 # a moment, no secret
    try:
        process.wait(timeout=moment)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    with closing(Journal(root / "data" / "journal.sqlite")) as journal:
        unfinished = journal.unfinished()
    again = ("resume", unfinished[0][0]) if unfinished else ("run", "supply")
    finish(manara(*again, "-f", str(root)))
    assert contents(root) == whole.contents


def test_a_killed_run_that_is_started_anew_loads_no_row_twice(tmp_path: Path, whole: Whole) -> None:
    root = whole.copy(tmp_path / "factory")
    process = manara("run", "supply", "-f", str(root))
    wait_for_events(root / "data" / "journal.sqlite", whole.events // 2)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    finish(manara("run", "supply", "-f", str(root)))
    found, expected = contents(root), whole.contents
    assert {name: found[name] for name in found.keys() - LOGS} == {
        name: expected[name] for name in expected.keys() - LOGS
    }
