"""A factory that loads only what is new, in the ways that users of ADF build, and a process that runs it.

As a program it is the command line with a source that goes on where it stopped: `python -m tests.acceptance.incremental
run PIPELINE -f FACTORY`.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from tests.factories import Json, act, pipeline, write

from manara.cli.main import main
from manara.plugin.connection import Store
from manara.plugin.dataset import DatasetGiven, Tally, dataset

REPOSITORY = Path(__file__).parents[2]
MOST_KILLS = 60
PATIENCE_S = 60


@dataset("TestFeed")
@dataclass(frozen=True, slots=True)
class Feed:
    """Rows of a file with a line of JSON each, after as many as the `cursor` says."""

    given: DatasetGiven

    def read(self, _settings: Mapping[str, Any], tally: Tally) -> pa.RecordBatchReader:
        store = self.given.connection
        assert isinstance(store, Store)
        with store.open(str(self.given.properties["file"])) as file:
            rows = [json.loads(line) for line in file.read().splitlines()]
        new = rows[tally.cursor or 0 :]

        def batches() -> Iterator[pa.RecordBatch]:
            yield from pa.Table.from_pylist(new, schema=SCHEMA).to_batches(2)
            tally.cursor = len(rows)

        return pa.RecordBatchReader.from_batches(SCHEMA, batches())

    def write(self, *_: Any) -> dict[str, Any]:
        raise NotImplementedError

    def metadata(self, fields: Sequence[str]) -> dict[str, Any]:
        raise NotImplementedError


_FIELDS: list[tuple[str, pa.DataType]] = [
    ("id", pa.int64()),
    ("country", pa.string()),
    ("changed", pa.timestamp("us")),
]
SCHEMA = pa.schema(_FIELDS)


def reference(name: str, **parameters: Any) -> Json:
    return {"referenceName": name, "type": "DatasetReference", "parameters": parameters}


def service(name: str) -> Json:
    return {"referenceName": name, "type": "LinkedServiceReference"}


def expression(text: str) -> Json:
    return {"value": text, "type": "Expression"}


ORDERS, LOADED = reference("Erp", table="orders"), reference("Warehouse", table="loaded")
MARKS = reference("Warehouse", table="watermark")
NEW_VALUE = {"value": "@activity('New').output.firstRow.NewValue", "type": "Expression"}
SQL_SINK = {"type": "AzureSqlSink", "tableOption": "autoCreate"}


def look(name: str, query: str, data: Json) -> Json:
    return act(name, "Lookup", dataset=data, source={"type": "AzureSqlSource", "sqlReaderQuery": query})


def load(name: str, source: Json, data: Json, after: Sequence[str] = ()) -> Json:
    return act(name, "Copy", after=after, inputs=[data], outputs=[LOADED], source=source, sink=SQL_SINK)


WATERMARK = pipeline(
    look("Old", "select WatermarkValue from watermark where TableName = 'orders'", MARKS),
    look("New", "select max(changed) as NewValue from orders", ORDERS),
    load(
        "Load new",
        {
            "type": "AzureSqlSource",
            "sqlReaderQuery": expression(
                "select * from orders where changed > '@{activity('Old').output.firstRow.WatermarkValue}'"
                " and changed <= '@{activity('New').output.FirstRow.NewValue}'"
            ),
        },
        ORDERS,
        ["Old", "New"],
    ),
    act(
        "Keep",
        "Script",
        after=["Load new"],
        linkedServiceName=service("Warehouse"),
        scripts=[
            {
                "type": "NonQuery",
                "text": "update watermark set WatermarkValue = @new where TableName = 'orders'",
                "parameters": [
                    {"name": "new", "type": "DateTime", "value": NEW_VALUE}
                ],
            }
        ],
    ),
)  # fmt: skip
"""Two Lookups, a Copy between the two values, and the new value kept: as ADF's tutorial has it."""

WINDOW = {"windowStart": {"type": "String"}, "windowEnd": {"type": "String"}}
TUMBLING = pipeline(
    load(
        "Load window",
        {
            "type": "AzureSqlSource",
            "sqlReaderQuery": expression(
                "SELECT * FROM [dbo].[orders] WHERE changed >= '@{pipeline().parameters.windowStart}'"
                " AND changed < '@{formatDateTime(pipeline().parameters.windowEnd, 'yyyy-MM-dd HH:mm:ss')}'"
            ),
        },
        ORDERS,
    ),
    parameters=WINDOW,
)
FILES = pipeline(
    load(
        "Load files",
        {
            "type": "DelimitedTextSource",
            "storeSettings": {
                "type": "AzureBlobFSReadSettings",
                "recursive": True,
                "wildcardFileName": "*.csv",
                "modifiedDatetimeStart": expression("@pipeline().parameters.windowStart"),
                "modifiedDatetimeEnd": expression("@pipeline().parameters.windowEnd"),
            },
        },
        reference("Folder"),
    ),
    parameters=WINDOW,
)
CURSOR = pipeline(
    act(
        "Each",
        "ForEach",
        items="@createArray('SS', 'ET')",
        isSequential=True,
        activities=[load("Load feed", {"type": "TestFeedSource"}, reference("Feed", file="@concat(item(), '.jsonl')"))],
    )
)


def make(root: Path) -> Path:
    """Make the factory: published for Azure, with stand-ins for this machine."""
    for name in ("Erp", "Warehouse"):
        write(root, "linkedService", name, {"type": "AzureSqlDatabase", "typeProperties": {"encryptedCredential": "x"}})
        path = {"path": f"data/{name.lower()}.duckdb"}
        write(root, "local/linkedService", name, {"type": "DuckDB", "typeProperties": path})
        typed = {
            "type": "AzureSqlTable",
            "linkedServiceName": service(name),
            "parameters": {"table": {"type": "String"}},
        }
        properties = {"schema": "dbo", "table": expression("@dataset().table")}
        write(root, "dataset", name, {**typed, "typeProperties": properties})
    lake = {"type": "AzureBlobFS", "typeProperties": {"url": "https://lake.dfs.core.windows.net"}}
    write(root, "linkedService", "Lake", lake)
    write(root, "local/linkedService", "Lake", {"type": "FileServer", "typeProperties": {"host": "data/lake"}})
    location = {"type": "AzureBlobFSLocation", "fileSystem": "in"}
    csv = {"type": "DelimitedText", "linkedServiceName": service("Lake")}
    write(root, "dataset", "Folder", {**csv, "typeProperties": {"location": location, "firstRowAsHeader": True}})
    feed = {"type": "TestFeed", "linkedServiceName": service("Lake"), "parameters": {"file": {"type": "String"}}}
    write(root, "dataset", "Feed", {**feed, "typeProperties": {"file": expression("@dataset().file")}})
    for name, properties in {"watermark": WATERMARK, "tumbling": TUMBLING, "files": FILES, "cursor": CURSOR}.items():
        write(root, "pipeline", name, properties)
    with duckdb.connect(prepare(root / "data/erp.duckdb")) as connection:
        connection.execute("create table orders (id bigint, country varchar, changed timestamp)")
    with duckdb.connect(root / "data/warehouse.duckdb") as connection:
        connection.execute("create table watermark (TableName varchar, WatermarkValue timestamp)")
        connection.execute("insert into watermark values ('orders', '1900-01-01'), ('others', '1900-01-01')")
    return root


def prepare(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def run_killed_everywhere(root: Path, name: str, **parameters: str) -> int:
    """Run a pipeline whose process is killed each time that a step has done its work.

    Returns how often it was killed when rows had been committed and the end of their step was not written.

    The end of the step is not written then. A later process does the step again, writes its end, and is killed before
    that of the next one, so that the last process ends the run.
    """
    given = [word for key, value in parameters.items() for word in ("-p", f"{key}={value}")]
    command = ["run", name, *given]
    between = 0
    for kills in range(MOST_KILLS):
        ended = start(root, *command, crash=f"before {2 + kills % 3}")
        if ended.returncode != -signal.SIGKILL:
            assert ended.returncode == 0, ended.stdout + ended.stderr
            return between
        between += bool(committed(root) - ended_steps(root))
        command = ["resume", "last"]
    raise AssertionError(f"It did not end within {MOST_KILLS} kills.")


def committed(root: Path) -> set[tuple[str, str]]:
    """Return (run id, step) of what the warehouse holds."""
    with duckdb.connect(root / "data/warehouse.duckdb") as connection:
        if not connection.execute("select 1 from duckdb_tables() where table_name = 'manara_mark'").fetchone():
            return set()
        return set(connection.execute("select run_id, step from manara_mark").fetchall())


def ended_steps(root: Path) -> set[tuple[str, str]]:
    """Return (run id, step) of what the journal knows to have ended."""
    with closing(sqlite3.connect(root / "data/journal.sqlite")) as connection:
        return set(connection.execute("select run_id, step from event where kind = 'ended'").fetchall())


def start(root: Path, *words: str, crash: str = "") -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)} | ({"MANARA_WORKER_CRASH_AT": crash} if crash else {})
    command = [sys.executable, "-m", "tests.acceptance.incremental", *words, "-f", str(root)]
    return subprocess.run(
        command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


if __name__ == "__main__":
    main()
