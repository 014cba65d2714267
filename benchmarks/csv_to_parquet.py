"""CSV to Parquet through the activity Copy, beside DuckDB's own COPY on the same file.

    python benchmarks/csv_to_parquet.py [--rows 1000000] [--rounds 3]

The rounds take turns. Prints the best seconds of both, their ratio, and the memory: Arrow's peak and the process's.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from manara.activities.copy import copy
from manara.connectors.file_server import FolderStore
from manara.connectors.formats.delimited_text import delimited_text
from manara.connectors.formats.parquet import parquet
from manara.plugin.activity import Given, Reference
from manara.plugin.connection import Mark
from manara.plugin.dataset import Dataset, DatasetGiven

_MAKE = """
copy (
    select i as id, (i * 7919) % 1000 as a, (i * 31) % 77 as b, i * 1.5 as c, i / 7.0 as d,
           timestamp '2020-01-01' + interval (i) second as e, date '2020-01-01' + (i % 1000)::int as f,
           'name, ' || (i % 5) as g, 'v' || (i % 500) as h, md5(i::varchar) as k
    from range(?) as t(i)
) to '{path}' (header)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        duckdb.execute(_MAKE.format(path=folder / "in.csv"), [wanted.rows])
        size = (folder / "in.csv").stat().st_size
        print(f"{wanted.rows:,} rows x 10 columns, {size / 1e6:.0f} MB")
        ours, theirs = [], []
        for _ in range(wanted.rounds):
            ours.append(_timed(lambda: _by_copy(folder, wanted.rows)))
            if len(ours) == 1:
                print(f"memory after Copy: process {_peak_mb():.0f} MB, Arrow's peak {_arrow_mb():.0f} MB")
            theirs.append(_timed(lambda: _by_duckdb(folder)))
        print(
            f"Copy    {min(ours):6.2f} s   {size / 1e6 / min(ours):5.0f} MB/s   {wanted.rows / min(ours):12,.0f} rows/s"
        )
        print(f"DuckDB  {min(theirs):6.2f} s   (all columns as text, like Copy)")
        print(f"ratio   {min(ours) / min(theirs):6.2f}")
        print(f"memory at the end: process {_peak_mb():.0f} MB, Arrow's peak {_arrow_mb():.0f} MB")


def _by_copy(folder: Path, rows: int) -> None:
    store = FolderStore(root=folder)

    def opened(reference: Reference) -> Dataset:
        location = {"type": "FileServerLocation", "fileName": reference["referenceName"]}
        is_csv = reference["referenceName"].endswith(".csv")
        properties: dict[str, Any] = (
            {"location": location, "firstRowAsHeader": True} if is_csv else {"location": location}
        )
        given = DatasetGiven(name="d", type="", properties=properties, connection=store)
        return delimited_text(given) if is_csv else parquet(given)

    output = copy(
        Given(
            name="Copy",
            properties={"source": {"type": "DelimitedTextSource"}, "sink": {"type": "ParquetSink"}},
            inputs=[{"referenceName": "in.csv"}],
            outputs=[{"referenceName": "ours.parquet"}],
            linked_service=None,
            mark=Mark(run_id="benchmark", step="Copy", attempt=1),
            dataset=opened,
            connect=lambda _reference: store,
            text=lambda _kind, _name: "",
            report=lambda _figures: None,
        )
    )
    assert output["rowsCopied"] == rows, output


def _by_duckdb(folder: Path) -> None:
    source, target = folder / "in.csv", folder / "theirs.parquet"
    duckdb.execute(f"copy (from read_csv('{source}', all_varchar = true)) to '{target}' (format parquet)")


def _timed(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _arrow_mb() -> float:
    return (pa.default_memory_pool().max_memory() or 0) / (1 << 20)


if __name__ == "__main__":
    main()
