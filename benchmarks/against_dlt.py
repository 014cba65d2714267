"""Three copies by `manara run`, each beside dlt at its best for the job, as whole processes that take turns.

    python benchmarks/against_dlt.py [--rows 1000000] [--rounds 3]

CSV to Parquet, CSV to PostgreSQL, PostgreSQL to Parquet. The rows are ten columns of mixed types. dlt is no part of
Manara: it is run by build/peers/bin/python, an environment of its own that holds dlt[filesystem,postgres,sql_database],
duckdb, pyarrow, connectorx, adbc-driver-postgresql, psycopg[binary] and sqlalchemy. The server is PostgreSQL's own, in
a temporary folder.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.postgres import Server, find_programs  # noqa: E402 # the tests' own server

PEER = ROOT / "build" / "peers" / "bin" / "python"
TYPES = {
    "id": "Int64", "site": "Int32", "qty": "Int32", "price": "Double", "weight": "Double", "seen": "DateTime",
    "day": "Date", "item": "String", "name": "String", "token": "String",
}  # fmt: skip
MAKE = """
copy (
    select i as id, (hash(i) % 1000)::int as site, (hash(i + 1) % 500)::int as qty,
           (hash(i + 2) % 100000) / 100.0 as price, (hash(i + 3) % 10000) / 7.0 as weight,
           timestamp '2020-01-01' + to_seconds((hash(i + 4) % 100000000)::bigint) as seen,
           date '2020-01-01' + (hash(i + 5) % 1500)::int as day,
           ['Amoxicillin, 250 mg', 'ORS "sachet"', 'Vaccine', 'Bed net'][1 + (hash(i + 6) % 4)::int] as item,
           case when i % 20 = 0 then null else 'Médecin ' || (hash(i + 7) % 500) end as name, md5(i::varchar) as token
    from range({rows}) t(i)
) to '{path}' (header)
"""
DLT = """
import os, sys
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
job, folder, address = sys.argv[1:]
import dlt
to_files = dlt.destinations.filesystem(bucket_url=folder + "/dlt")
if job == "postgres to parquet":
    from dlt.sources.sql_database import sql_table
    rows = sql_table(credentials=address, table="rows_in", backend="connectorx", chunk_size=500_000)
else:
    from dlt.sources.filesystem import filesystem, read_csv_duckdb
    rows = filesystem(bucket_url=folder, file_glob="rows.csv") | read_csv_duckdb(chunk_size=100_000, use_pyarrow=True)
target = dlt.destinations.postgres(credentials=address) if job == "csv to postgres" else to_files
pipeline = dlt.pipeline("bench", pipelines_dir=folder + "/state", destination=target, dataset_name="theirs")
pipeline.run(rows.with_name("rows_out"), loader_file_format="parquet", write_disposition="replace")
"""
JOBS = {"csv to parquet": 3.0, "csv to postgres": 3.0, "postgres to parquet": 1.8}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    if not PEER.exists():
        print("dlt is not here: make an environment build/peers and install into it what this file's docstring names.")
        return
    with tempfile.TemporaryDirectory() as name, _server(Path(name)) as address:
        folder = Path(name)
        duckdb.execute(MAKE.format(rows=wanted.rows, path=folder / "rows.csv"))
        _make_factory(folder, address)
        _prepare(folder, address)
        print(f"{wanted.rows:,} rows x 10 columns, {(folder / 'rows.csv').stat().st_size / 1e6:.0f} MB as CSV")
        for job, goal in JOBS.items():
            _race(job, goal, folder, address, wanted)


def _race(job: str, goal: float, folder: Path, address: str, wanted: argparse.Namespace) -> None:
    ours, theirs = [], []
    for _ in range(wanted.rounds):
        _clear(folder, address)
        ours.append(_timed([sys.executable, "-m", "manara.cli", "run", job.replace(" ", "_"), "-f", str(folder)]))
        assert _count(job, folder, address, "rows_ours", "rows.parquet") == wanted.rows
        theirs.append(_timed([str(PEER), "-c", DLT, job, str(folder), address]))
        assert _count(job, folder, address, "theirs.rows_out", "dlt/theirs/rows_out") == wanted.rows
    faster = min(theirs) / min(ours)
    print(f"{job:20} manara {min(ours):6.2f} s   dlt {min(theirs):6.2f} s   {faster:4.1f} times faster (goal {goal})")


def _timed(command: list[str]) -> float:
    keeping = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}  # as anywhere
    start = time.perf_counter()
    told = subprocess.run(command, capture_output=True, text=True, check=False, env=keeping)
    assert told.returncode == 0, told.stdout[-2000:] + told.stderr[-2000:]
    return time.perf_counter() - start


def _count(job: str, folder: Path, address: str, table: str, path: str) -> int:
    if job.endswith("parquet"):
        target = folder / path
        found = [target] if target.is_file() else list(target.glob("*.parquet"))
        return sum(pq.ParquetFile(each).metadata.num_rows for each in found)
    with psycopg.connect(address) as connection:
        row = connection.execute(f"select count(*) from {table}").fetchone()
        return int(row[0]) if row else -1


def _clear(folder: Path, address: str) -> None:
    for name in ("dlt", "state"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "rows.parquet").unlink(missing_ok=True)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("drop schema if exists theirs cascade")
        connection.execute("drop schema if exists theirs_staging cascade")
        connection.execute("truncate rows_ours")


def _prepare(folder: Path, address: str) -> None:
    columns = """(id bigint, site integer, qty integer, price double precision, weight double precision,
        seen timestamp, day date, item text, name text, token text)"""
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"create table rows_in {columns}")
        connection.execute(f"create table rows_ours {columns}")
        read = "copy rows_in from stdin (format csv, header)"
        with connection.cursor().copy(read) as copy, (folder / "rows.csv").open("rb") as file:
            while piece := file.read(1 << 20):
                copy.write(piece)
        connection.execute("vacuum analyze rows_in")


def _make_factory(folder: Path, address: str) -> None:
    def write(kind: str, name: str, properties: dict[str, Any]) -> None:
        (folder / kind).mkdir(exist_ok=True)
        (folder / kind / f"{name}.json").write_text(json.dumps({"name": name, "properties": properties}))

    def dataset(name: str, kind: str, service: str, **properties: Any) -> None:
        reference = {"referenceName": service, "type": "LinkedServiceReference"}
        write("dataset", name, {"type": kind, "linkedServiceName": reference, "typeProperties": properties})

    def copy(job: str, source: str, sink: str, kinds: tuple[str, str], **more: Any) -> None:
        activity = {
            "name": "Copy rows",
            "type": "Copy",
            "inputs": [{"referenceName": source, "type": "DatasetReference"}],
            "outputs": [{"referenceName": sink, "type": "DatasetReference"}],
            "typeProperties": {"source": {"type": kinds[0]}, "sink": {"type": kinds[1]}, **more},
        }
        write("pipeline", job.replace(" ", "_"), {"activities": [activity]})

    typed = [{"source": {"name": name}, "sink": {"name": name, "type": kind}} for name, kind in TYPES.items()]
    translator = {"type": "TabularTranslator", "mappings": typed}
    write("linkedService", "Files", {"type": "FileServer", "typeProperties": {"host": "."}})
    write("linkedService", "Postgres", {"type": "PostgreSql", "typeProperties": {"connectionString": address}})
    dataset("Csv", "DelimitedText", "Files", location={"type": "FileServerLocation", "fileName": "rows.csv"},
            firstRowAsHeader=True)  # fmt: skip
    dataset("Parquet", "Parquet", "Files", location={"type": "FileServerLocation", "fileName": "rows.parquet"})
    dataset("In", "PostgreSqlTable", "Postgres", table="rows_in")
    dataset("Out", "PostgreSqlTable", "Postgres", table="rows_ours")
    copy("csv to parquet", "Csv", "Parquet", ("DelimitedTextSource", "ParquetSink"), translator=translator)
    copy("csv to postgres", "Csv", "Out", ("DelimitedTextSource", "PostgreSqlSink"))
    copy("postgres to parquet", "In", "Parquet", ("PostgreSqlSource", "ParquetSink"))


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    """Start a server on a free port of this machine, and return its address."""
    programs = find_programs()
    if programs is None:
        raise SystemExit("There is no PostgreSQL server here.")
    home = folder / "postgres"
    home.mkdir()
    folder.chmod(0o755)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Server(programs, home, is_durable=True)
    server.options += f" -c listen_addresses=127.0.0.1 -c port={port} -c shared_buffers=1GB -c max_wal_size=8GB"
    server.start()
    try:
        yield f"postgresql://manara:any@127.0.0.1:{port}/postgres"
    finally:
        server.stop()


if __name__ == "__main__":
    os.environ.setdefault("NO_COLOR", "1")
    main()
