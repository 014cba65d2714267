"""What a durable activity costs, how soon a command answers, and how much memory a long run takes.

Run: make bench, or .venv/bin/python benchmarks/runtime.py
"""

import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg

REPOSITORY = Path(__file__).parents[1]
sys.path.insert(0, str(REPOSITORY))

from tests.factories import Json, act, factory_of, pipeline  # noqa: E402 # found by the line above
from tests.postgres import Server, find_programs  # noqa: E402

from manara.store.journal import Event, Journal  # noqa: E402

ACTIVITIES = 1000
WIDTH = 50
TRIES = 3
BODY = json.dumps({"type": "TestNote", "status": "Succeeded", "attempt": 1, "output": {}, "error": None})

CHAIN = pipeline(*[act(f"A{n}", after=[f"A{n - 1}"] if n else []) for n in range(ACTIVITIES)])
FAN_OUT = pipeline(act("Each", "ForEach", items=f"@range(0, {ACTIVITIES})", batchCount=WIDTH, activities=[act("In")]))


def main() -> None:
    overhead("SQLite", lambda _folder: "data/journal.sqlite", bare_sqlite)
    programs = find_programs()
    if programs is None:
        print("PostgreSQL: there is no server here.")
    else:
        with tempfile.TemporaryDirectory(prefix="manara-bench-", ignore_cleanup_errors=True) as folder:
            server = Server(programs, Path(folder), is_durable=True)
            server.start()
            try:
                overhead("PostgreSQL", lambda _folder: server.new_address(), bare_postgres)
            finally:
                server.stop()
    starts()
    memory()


def overhead(store: str, address: Callable[[Path], str], bare: Callable[[str, Path, int, int], float]) -> None:
    """Print ms per no-op activity, beside the same rows in the same number of commits by nothing but the driver."""
    for name, properties in (("chain", CHAIN), (f"fan-out, {WIDTH} wide", FAN_OUT)):
        ours, commits, rows = min(measured(properties, address) for _ in range(TRIES))
        with tempfile.TemporaryDirectory() as folder:
            reference = min(bare(address(Path(folder)), Path(folder), commits, rows) for _ in range(TRIES))
        print(
            f"{store}, {name}: {ours / ACTIVITIES * 1000:.2f} ms an activity "
            f"({commits} commits, {rows} rows; bare commits {reference / ACTIVITIES * 1000:.2f} ms, "
            f"ratio {ours / reference:.1f})"
        )


def measured(properties: Json, address: Callable[[Path], str]) -> tuple[float, int, int]:
    """Return seconds, commits and rows of a whole run of the pipeline."""
    counted: list[int] = []
    append = Journal.append

    def counting(journal: Journal, events: list[Event], lease: Any) -> None:
        counted.append(len(events))
        append(journal, events, lease)

    environment = {"MANARA_WORKER_THREADS": str(WIDTH)}
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(Journal, "append", counting):
        environment["MANARA_STORE_JOURNAL"] = address(Path(folder))
        with mock.patch.dict(os.environ, environment):
            opened = factory_of(Path(folder), main=properties)
        started = time.perf_counter()
        assert opened.run("main").status == "Succeeded"
        return time.perf_counter() - started, len(counted), sum(counted)


def batches(commits: int, rows: int) -> Iterator[int]:
    """Yield how many rows each commit takes, so that they are all written."""
    for number in range(commits):
        yield rows * (number + 1) // commits - rows * number // commits


def bare_sqlite(_address: str, folder: Path, commits: int, rows: int) -> float:
    connection = sqlite3.connect(folder / f"bare{time.monotonic_ns()}.sqlite", isolation_level=None)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    connection.execute("create table event (seq integer primary key, step text, body text)")
    started = time.perf_counter()
    for count in batches(commits, rows):
        connection.execute("begin immediate")
        connection.executemany("insert into event (step, body) values (?, ?)", [("A", BODY)] * count)
        connection.execute("commit")
    connection.close()
    return time.perf_counter() - started


def bare_postgres(address: str, _folder: Path, commits: int, rows: int) -> float:
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("drop table if exists bare")
        connection.execute("create table bare (seq bigint generated always as identity, step text, body text)")
        started = time.perf_counter()
        for count in batches(commits, rows):
            connection.execute(
                "insert into bare (step, body) select * from unnest(%s::text[], %s::text[])",
                [["A"] * count, [BODY] * count],
                prepare=True,
            )
        return time.perf_counter() - started


def starts() -> None:
    """Print how long whole processes take."""
    with tempfile.TemporaryDirectory() as folder:
        one = act("Set", "SetVariable", variableName="v", value="x")
        factory_of(Path(folder), main=pipeline(one, variables={"v": {"type": "String"}}))
        bare = quickest([sys.executable, "-c", "pass"])
        for told, words in (
            ("manara --help", ["--help"]),
            ("manara run of one activity", ["run", "main", "-f", folder]),
        ):
            seconds = quickest([sys.executable, "-m", "manara.cli", *words])
            print(f"{told}: {seconds:.2f} s (python -c pass: {bare:.2f} s)")


def quickest(command: list[str]) -> float:
    return min(timed(command) for _ in range(2 * TRIES))


def timed(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def memory() -> None:
    """Print the peak of a worker's memory for a short and a long loop."""
    for rounds in (1, 1_000, 10_000):
        told = subprocess.run([sys.executable, __file__, str(rounds)], check=True, capture_output=True, text=True)
        print(f"worker, loop of {rounds:,} rounds: {told.stdout.strip()} MB at the peak")


@contextmanager
def loop_of(rounds: int) -> Iterator[Any]:
    with tempfile.TemporaryDirectory() as folder:
        loop = act("Each", "ForEach", items=f"@range(0, {rounds})", batchCount=WIDTH, activities=[act("In")])
        yield factory_of(Path(folder), main=pipeline(loop))


def work_on(rounds: int) -> None:
    """Be the worker whose memory is looked at."""
    with loop_of(rounds) as opened:
        opened.submit("main")
        assert opened.serve(drain=True) == 1
    print(f"{peak_mb():.0f}")


def peak_mb() -> float:
    """Return the most memory that this process has held."""
    status = Path("/proc/self/status")
    if status.exists():  # there, getrusage would tell of the parent's memory too
        return int(status.read_text(encoding="ascii").partition("VmHWM:")[2].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


if __name__ == "__main__":
    work_on(int(sys.argv[1])) if sys.argv[1:] else main()
