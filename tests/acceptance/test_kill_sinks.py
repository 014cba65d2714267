"""A copy is killed with -9 at several moments and gone on with: each row arrives once, whatever the sink is.

A copy is killed at a random early moment, at a later one, and when the sink holds the rows and the journal does not
know it. `make test` does so once for most sinks, `make torture` ten times for each.
"""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.connectors.stores.below import opened
from tests.factories import Json, act, pipeline, write
from tests.mariadb import mariadb

from manara.app import Factory
from manara.plugin.connection import FileInfo, Store

__all__ = ["mariadb"]

IS_FULL = bool(os.environ.get("TORTURE_FULL"))
ROUNDS = 10 if IS_FULL else 1
FILES, ROWS = 6, 30_000
MOMENTS_S = ((0, 0.15), (0.1, 0.6)) if IS_FULL else ((0, 0.15),)
"""Between which seconds after its beginning a copy is killed: it takes about half a second."""

WHOLE = (FILES * ROWS, FILES * ROWS, sum(range(FILES * ROWS)))
COUNT = "select count(*) as n, count(distinct id) as d, sum(cast(id as decimal(18))) as s from t"
MAKE = "create table t (id bigint, name varchar(60))"
HALF = f"insert into t select 2 * i, 'old' from range({FILES * ROWS // 2}) r(i)"
SOURCE: Json = {
    "type": "DelimitedTextSource",
    "storeSettings": {"type": "FileServerReadSettings", "recursive": True, "wildcardFileName": "*.csv"},
}
MOVE: Json = {"type": "BinarySource", "storeSettings": {**SOURCE["storeSettings"], "deleteFilesAfterCompletion": True}}
UPSERT: Json = {"writeBehavior": "upsert", "upsertSettings": {"keys": ["id"]}}

Counted = tuple[int, int, int]
Given = Callable[[str], Any]
"""Returns a server that a test needs, by the name of its fixture."""


def lake(_: Given) -> Json:
    return {"type": "FileServer", "typeProperties": {"host": "out"}}


@dataclass(frozen=True, kw_only=True)
class Sink:
    """Where a copy goes: its linked service, its dataset, and how the rows there are counted."""

    service: Callable[[Given], Json]
    type: str
    count: "Callable[[Path, Store | None], Counted]"
    properties: Json = field(default_factory=lambda: {"table": "t"})
    settings: Json = field(default_factory=dict)
    source: Json = field(default_factory=lambda: SOURCE)
    before: tuple[str, ...] = ()
    moves: bool = False


def in_database(root: Path, _: Store | None) -> Counted:
    (row,) = Factory.open(root).query("Sink", COUNT)
    return int(row["n"]), int(row["d"]), int(row["s"])


def by_duckdb(reader: str) -> Callable[[Path, Store | None], Counted]:
    def count(root: Path, _: Store | None) -> Counted:
        with duckdb.connect() as connection:
            found = connection.execute(COUNT.replace("from t", f"from {reader}"), {"out": f"{root}/out"}).fetchone()
        assert found
        return int(found[0]), int(found[1]), int(found[2])

    return count


def in_delta(root: Path, _: Store | None) -> Counted:
    deltalake = pytest.importorskip("deltalake")
    found = deltalake.DeltaTable(root / "out/t").to_pyarrow_table()["id"].to_pylist()
    return len(found), len(set(found)), sum(map(int, found))


def in_store(_: Path, store: Store | None) -> Counted:
    assert store is not None
    found: list[int] = []
    for info in files_of(store, "lake"):
        with store.open(info.path) as file:
            found += [int(line.split(b",")[0].strip(b'"')) for line in file.read().splitlines()[1:]]
    return len(found), len(set(found)), sum(found)


def files_of(store: Store, folder: str) -> list[FileInfo]:
    return [info for info in store.list(folder) if not info.is_folder]


def database(kind: str, **properties: Any) -> Callable[[Given], Json]:
    return lambda _: {"type": kind, "typeProperties": properties}


def on_postgres(given: Given) -> Json:
    return {"type": "PostgreSqlV2", "typeProperties": {"connectionString": given("postgres")()}}


def on_mariadb(given: Given) -> Json:
    return {"type": "MariaDB", "typeProperties": given("mariadb")()}


def on_s3(given: Given) -> Json:
    keys = {"accessKeyId": "AKIDEXAMPLE", "secretAccessKey": {"type": "SecureString", "value": "hush"}}
    return {"type": "AmazonS3", "typeProperties": {"serviceUrl": given("s3_url"), **keys}}


def on_sftp(given: Given) -> Json:
    peer = given("sftp")
    said = {"host": "127.0.0.1", "port": peer.port, "userName": "bob", "hostKeyFingerprint": peer.fingerprint}
    return {"type": "Sftp", "typeProperties": {**said, "password": {"type": "SecureString", "value": "open sesame"}}}


SINKS = {
    "PostgreSQL, insert": Sink(service=on_postgres, type="PostgreSqlV2Table", count=in_database, before=(MAKE,)),
    "PostgreSQL, a table that is made": Sink(
        service=on_postgres, type="PostgreSqlV2Table", count=in_database, settings={"tableOption": "autoCreate"}
    ),
    "PostgreSQL, upsert": Sink(
        service=on_postgres, type="PostgreSqlV2Table", count=in_database, settings=UPSERT,
        before=(MAKE, HALF.replace("range(", "generate_series(0, -1 + ")),
    ),
    "SQLite, insert": Sink(
        service=database("SQLite", path="t.sqlite"), type="SQLiteTable", count=in_database, before=(MAKE,)
    ),
    "DuckDB, insert": Sink(
        service=database("DuckDB", path="t.duckdb"), type="DuckDBTable", count=in_database, before=(MAKE,)
    ),
    "DuckDB, upsert": Sink(
        service=database("DuckDB", path="t.duckdb"), type="DuckDBTable", count=in_database, settings=UPSERT,
        before=(MAKE, HALF),
    ),
    "MariaDB, insert": Sink(service=on_mariadb, type="MariaDBTable", count=in_database, before=(MAKE,)),
    "MariaDB, a table that is made": Sink(
        service=on_mariadb, type="MariaDBTable", count=in_database, settings={"tableOption": "autoCreate"}
    ),
    "Delta": Sink(
        service=lake, type="Delta", count=in_delta,
        properties={"location": {"type": "FileServerLocation", "folderPath": "t"}},
    ),
    "Parquet, a file for each": Sink(
        service=lake, type="Parquet", count=by_duckdb("read_parquet($out || '/t/*.parquet')"),
        properties={"location": {"type": "FileServerLocation", "folderPath": "t"}},
    ),
    "Parquet, one file": Sink(
        service=lake, type="Parquet", count=by_duckdb("read_parquet($out || '/t/all.parquet')"),
        properties={"location": {"type": "FileServerLocation", "folderPath": "t", "fileName": "all.parquet"}},
    ),
    "files that are moved": Sink(
        service=lake, type="Binary", count=by_duckdb("read_csv($out || '/t/*.csv')"), source=MOVE, moves=True,
        properties={"location": {"type": "FileServerLocation", "folderPath": "t"}},
    ),
    "files that are moved to SFTP": Sink(
        service=on_sftp, type="Binary", count=in_store, source=MOVE, moves=True,
        properties={"location": {"type": "SftpLocation", "folderPath": "lake"}},
    ),
    "CSV on S3": Sink(
        service=on_s3, type="DelimitedText", count=in_store,
        properties={"location": {"type": "AmazonS3Location", "bucketName": "lake"}, "firstRowAsHeader": True},
    ),
}  # fmt: skip


LIKE_OTHERS = ("PostgreSQL, a table that is made", "MariaDB, insert", "Parquet, one file", "DuckDB, insert")
full = pytest.mark.skipif(not IS_FULL, reason="only in: make torture")


@pytest.fixture(scope="session")
def content() -> list[bytes]:
    """Gives the source's files: their rows have the numbers from 0."""
    lines = ("".join(f"{i},Kunduz {i}\n" for i in range(n * ROWS, (n + 1) * ROWS)) for n in range(FILES))
    return [f"id,name\n{text}".encode() for text in lines]


@pytest.fixture
def sftp(tmp_path: Path) -> Iterator[Any]:
    pytest.importorskip("paramiko", reason="paramiko is not installed")
    server = pytest.importorskip("tests.connectors.stores.sftp_server", reason="asyncssh is not installed")
    (tmp_path / "far").mkdir()
    with server.sftp_serving(tmp_path / "far") as peer:
        yield peer


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    moto = pytest.importorskip("moto.server", reason="moto is not installed")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def make(root: Path, sink: Sink, service: Json, content: list[bytes]) -> None:
    """Write the factory and its source, and make ready what the sink needs."""
    (root / "in").mkdir(parents=True)
    for number, text in enumerate(content):
        (root / f"in/{number}.csv").write_bytes(text)
    write(root, "linkedService", "Lake", {"type": "FileServer", "typeProperties": {"host": "in"}})
    write(root, "linkedService", "Sink", service)
    located: Json = {"location": {"type": "FileServerLocation"}, "firstRowAsHeader": True}
    kind = "Binary" if sink.moves else "DelimitedText"
    for name, on, told, properties in (("In", "Lake", kind, located), ("Out", "Sink", sink.type, sink.properties)):
        service_of = {"referenceName": on, "type": "LinkedServiceReference"}
        write(root, "dataset", name, {"type": told, "linkedServiceName": service_of, "typeProperties": properties})
    ends: Json = {
        "inputs": [{"referenceName": "In", "type": "DatasetReference"}],
        "outputs": [{"referenceName": "Out", "type": "DatasetReference"}],
    }
    copy = act("Load", "Copy", source=sink.source, sink=sink.settings, **ends)
    write(root, "pipeline", "load", pipeline(copy))
    if sink.before:
        on_sink = {"referenceName": "Sink", "type": "LinkedServiceReference"}
        scripts = [{"type": "NonQuery", "text": text} for text in sink.before]
        write(root, "pipeline", "ready", pipeline(act("Make", "Script", scripts=scripts, linkedServiceName=on_sink)))
        run = Factory.open(root).run("ready")
        assert run.status == "Succeeded", run.activities


def start(root: Path, *words: str, crash_at: str = "") -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "manara.cli", *words, "-f", str(root)]
    environment = {**os.environ, **({"MANARA_WORKER_CRASH_AT": crash_at} if crash_at else {})}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)


def begun(journal: Path) -> int:
    """Return how often the copy was begun."""
    if not journal.exists():
        return 0
    with closing(sqlite3.connect(journal, timeout=30)) as connection:
        try:
            found = connection.execute("select count(*) from event where step = 'Load' and kind = 'started'").fetchone()
        except sqlite3.OperationalError:
            return 0  # the table is not there yet
        return int(found[0])


def killed(root: Path, command: list[str], crash_at: str, moment_s: float) -> bool:
    """Run a command that is killed so long after its copy began, or at a commit; say whether that came to pass."""
    journal = root / "data/journal.sqlite"
    before = begun(journal)
    process = start(root, *command, crash_at=crash_at)
    while begun(journal) == before and process.poll() is None:
        time.sleep(0.002)
    try:
        process.wait(timeout=moment_s)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
    told = process.communicate()[0].decode()
    assert process.returncode in (0, -signal.SIGKILL), told
    return process.returncode != 0


@pytest.mark.parametrize("number", range(ROUNDS))
@pytest.mark.parametrize("name", [pytest.param(name, marks=full if name in LIKE_OTHERS else ()) for name in SINKS])
def test_each_row_is_there_once_however_often_the_copy_is_killed(
    tmp_path: Path, name: str, number: int, content: list[bytes], request: pytest.FixtureRequest
) -> None:
    sink, root = SINKS[name], tmp_path / "factory"
    service = sink.service(request.getfixturevalue)
    make(root, sink, service, content)
    far = service["type"] in {"FileServer", "Sftp", "AmazonS3"}
    store = opened(service["type"], root, **service["typeProperties"]) if far else None
    dice = random.Random(f"{name}/{number}")  # noqa: S311 # moments, no secrets
    command, kills = ["run", "load"], 0
    moments = [*(("", dice.uniform(*each)) for each in MOMENTS_S), ("before 2", 60)]
    # To move files takes no time: the kill that is sure to come is the first there.
    for crash_at, moment_s in reversed(moments) if sink.moves else moments:
        kills += killed(root, command, crash_at, moment_s)
        if sink.moves:
            nothing_is_lost(root, store, sink, content)
        if begun(root / "data/journal.sqlite"):
            command = ["resume", "last"]
    assert kills
    process = start(root, *command)
    told = process.communicate(timeout=120)[0].decode()
    assert process.returncode == 0, told
    assert sink.count(root, store) == WHOLE
    assert len(list((root / "in").iterdir())) == (0 if sink.moves else FILES)


def nothing_is_lost(root: Path, store: Store | None, sink: Sink, content: list[bytes]) -> None:
    """Check that each file is whole, in the source or in the sink."""
    assert store is not None
    for number, text in enumerate(content):
        here = root / f"in/{number}.csv"
        if not here.exists():
            with store.open(f"{sink.properties['location']['folderPath']}/{number}.csv") as file:
                assert file.read() == text
