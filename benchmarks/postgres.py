"""Copy between files and PostgreSQL, beside what is fastest for each: psql's own \\copy, and DuckDB's extension.

The server is its own, in a temporary folder. DuckDB's extension runs in another Python, named by --duckdb, that has
duckdb 1.5 and the wheel of the extension; without it the rows are also read by COPY into pyarrow's CSV reader.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from tests.postgres import Server, find_programs

from manara.activities.copy import copy
from manara.connectors.databases.postgres import postgres
from manara.connectors.databases.tables import table
from manara.connectors.file_server import FolderStore
from manara.connectors.formats.delimited_text import delimited_text
from manara.connectors.formats.parquet import parquet
from manara.plugin.activity import Given, Reference
from manara.plugin.connection import LinkedServiceGiven, Mark
from manara.plugin.dataset import Dataset, DatasetGiven

_MAKE = """
copy (
    select i as id, (i * 7919) % 1000 as a, (i * 31) % 77 as b, i * 1.5::double as c, i / 7.0::double as d,
           timestamp '2020-01-01' + interval (i) second as e, date '2020-01-01' + (i % 1000)::int as f,
           'name, ' || (i % 5) as g, 'v' || (i % 500) as h, md5(i::varchar) as k
    from range(?) as t(i)
) to '{path}' (header)
"""
_TABLE = """create table {name} (id bigint, a integer, b integer, c double precision, d double precision, e timestamp,
    f date, g text, h text, k text)"""
_EXTENSION = """
import sys, duckdb
try:
    import duckdb_extensions; duckdb_extensions.import_extension("postgres_scanner")
except ImportError:
    duckdb.execute("install postgres")
duckdb.execute("set enable_progress_bar = false")
duckdb.execute("load postgres_scanner")
duckdb.execute(f"attach '{sys.argv[1]}' as pg (type postgres, read_only)")
duckdb.execute(f"copy pg.{sys.argv[3]} to '{sys.argv[2]}' (format parquet)")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--duckdb", default="", help="a Python with duckdb 1.5 and its PostgreSQL extension")
    parser.add_argument("--one", nargs=5, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.one:
        _by_copy(*wanted.one)
        return
    programs = find_programs()
    if programs is None:
        sys.exit("There is no PostgreSQL server on this machine.")
    with tempfile.TemporaryDirectory(prefix="manara-pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "server").mkdir()
        folder.chmod(0o755)
        server = Server(programs, folder / "server", is_durable=True)
        server.start()
        try:
            _compare(server.new_address(), programs, folder, wanted)
        finally:
            server.stop()


def _compare(address: str, programs: Path, folder: Path, wanted: argparse.Namespace) -> None:
    duckdb.execute("set enable_progress_bar = false")
    duckdb.execute(_MAKE.format(path=folder / "in.csv"), [wanted.rows])
    print(f"{wanted.rows:,} rows x 10 columns, {(folder / 'in.csv').stat().st_size / 1e6:.0f} MB")
    times: dict[str, list[float]] = {}

    def timed(what: str, work: Callable[[], object]) -> None:
        start = time.perf_counter()
        work()
        times.setdefault(what, []).append(time.perf_counter() - start)

    def ours(source: str, sink: str) -> None:
        words = [sys.executable, "-m", "benchmarks.postgres", "--one", address, str(folder), source, sink]
        subprocess.run([*words, str(wanted.rows)], check=True)

    def theirs() -> None:
        command = f"\\copy theirs from '{folder / 'in.csv'}' (format csv, header)"
        subprocess.run([programs / "psql", "-q", "-c", command, address], check=True)

    for _ in range(wanted.rounds):
        with psycopg.connect(address, autocommit=True) as connection:
            for name in ("ours", "theirs"):
                connection.execute(f"drop table if exists {name}")
                connection.execute(_TABLE.format(name=name))
            connection.execute("checkpoint")
            timed("CSV to PostgreSQL, psql \\copy", theirs)
            connection.execute("checkpoint")
            timed("CSV to PostgreSQL, Copy", lambda: ours("in.csv", "ours"))
            same = "select (select count(*) from (table ours except all table theirs) x)"
            assert connection.execute(same).fetchone() == (0,)
        timed("PostgreSQL to Parquet, Copy", lambda: ours("ours", "ours.parquet"))
        if wanted.duckdb:
            words = [wanted.duckdb, "-c", _EXTENSION, address, str(folder / "theirs.parquet"), "ours"]
            words[-1] = f"{address.rpartition('%3D')[2]}.ours"
            timed("PostgreSQL to Parquet, DuckDB's extension", partial(subprocess.run, words, check=True))
        timed("PostgreSQL to Parquet, COPY and pyarrow", lambda: _by_csv(address, folder))
    for what, seconds in times.items():
        print(f"{what:45} {min(seconds):6.2f} s  ({', '.join(f'{one:.2f}' for one in seconds)})")
    best = {what: min(seconds) for what, seconds in times.items()}
    ratio = best["CSV to PostgreSQL, Copy"] / best["CSV to PostgreSQL, psql \\copy"]
    print(f"to PostgreSQL: {ratio:.2f} of psql (0.7)")
    for what, seconds_of_theirs in best.items():
        if what.startswith("PostgreSQL to Parquet") and not what.endswith(", Copy"):
            ratio = best["PostgreSQL to Parquet, Copy"] / seconds_of_theirs
            print(f"to Parquet: {ratio:.2f} of {what.partition(', ')[2]} (1.6)")


def _by_csv(address: str, folder: Path) -> None:
    with (
        psycopg.connect(address) as connection,
        (folder / "through.csv").open("wb") as file,
        connection.cursor().copy("copy ours to stdout (format csv, header)") as rows,
    ):
        for piece in rows:
            file.write(piece)
    read = pa_csv.open_csv(folder / "through.csv")
    with pq.ParquetWriter(folder / "through.parquet", read.schema) as writer:
        for batch in read:
            writer.write_batch(batch)


def _by_copy(address: str, folder: str, source: str, sink: str, rows: str) -> None:
    store = FolderStore(root=Path(folder))
    told = {"connectionString": address}
    database = postgres(LinkedServiceGiven(name="W", type="PostgreSql", properties=told, root=Path(folder)))

    def opened(reference: Reference) -> Dataset:
        name = reference["referenceName"]
        if "." not in name:
            properties: dict[str, Any] = {"table": name}
            return table(DatasetGiven(name=name, type="PostgreSqlTable", properties=properties, connection=database))
        properties = {"location": {"type": "FileServerLocation", "fileName": name}, "firstRowAsHeader": True}
        given = DatasetGiven(name=name, type="", properties=properties, connection=store)
        return delimited_text(given) if name.endswith(".csv") else parquet(given)

    kinds = {"in.csv": "DelimitedTextSource", "ours": "PostgreSqlV2Source"}
    writes = {"ours": "PostgreSqlV2Sink", "ours.parquet": "ParquetSink"}
    output = copy(
        Given(
            name="Copy",
            properties={"source": {"type": kinds[source]}, "sink": {"type": writes[sink]}},
            inputs=[{"referenceName": source}],
            outputs=[{"referenceName": sink}],
            linked_service=None,
            mark=Mark(run_id=str(time.time_ns()), step="Copy", attempt=1),
            dataset=opened,
            connect=lambda _reference: store,
            text=lambda _kind, _name: "",
            report=lambda _figures: None,
        )
    )
    assert output["rowsCopied"] == int(rows), output
    usage = resource.getrusage(resource.RUSAGE_SELF)
    seconds = usage.ru_utime + usage.ru_stime
    print(f"Copy {source} to {sink}: memory {usage.ru_maxrss / 1024:.0f} MB, {seconds:.2f} s of CPU")


if __name__ == "__main__":
    main()
