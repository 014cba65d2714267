"""Tables of the lake are read by another engine than the one that wrote them: DuckDB's own extension for Delta."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.plugin_given import Place, files

from manara.plugin.dataset import Dataset, Versioned

PEER = Path(__file__).resolve().parents[2] / "peers" / "duckdb15"
TABLE = files("Delta", "lake/")
READ = """
import json, sys, duckdb, duckdb_extensions
duckdb_extensions.import_extension("delta")
duckdb.execute("load delta")
rows = duckdb.sql(f"select * from delta_scan('{sys.argv[1]}') order by k").fetchall()
print(json.dumps([[None if value is None else str(value) for value in row] for row in rows]))
"""

pytestmark = pytest.mark.skipif(
    not (PEER / ".ready").exists(), reason="DuckDB's extension for Delta is not here (make peers installs it)"
)


def _load(place: Place, rows: list[dict[str, Any]], **sink: Any) -> None:
    fields: list[Any] = [
        ("k", pa.int64()), ("name", pa.string()), ("share", pa.float64()), ("cost", pa.decimal128(18, 3)),
        ("day", pa.date32()), ("seen", pa.timestamp("us", "UTC")), ("is_open", pa.bool_()),
        ("tags", pa.list_(pa.string())),
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows, pa.schema(fields)), place.folder / "in.parquet")
    place.copy(files("Parquet", "in.parquet"), TABLE, sink_settings=sink)


def _row(key: int, **values: Any) -> dict[str, Any]:
    return {"k": key, "name": f"Médecin {key}", "share": key / 4, "is_open": key % 2 == 0, "tags": ["a", None]} | values


def _told(place: Place) -> list[list[str | None]]:
    """Return the rows as the other engine tells them, and see that they are those that we read ourselves."""
    environment = os.environ | {"PYTHONPATH": str(PEER)}
    words = [sys.executable, "-c", READ, str(place.folder / "lake")]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: list[list[str | None]] = json.loads(done.stdout)
    ours = sorted(place.read(TABLE).to_pylist(), key=lambda row: row["k"])
    assert [row[:3] for row in found] == [[str(row["k"]), row["name"], str(row["share"])] for row in ours]
    return found


def test_another_engine_reads_what_was_appended_merged_and_tidied(place: Place) -> None:
    _load(place, [_row(1, cost=1, seen=1_700_000_000_000_000, day=19_000), _row(2)])
    _load(place, [_row(3, name=None)])
    found = _told(place)
    assert found[0] == [
        "1", "Médecin 1", "0.25", "1.000", "2022-01-08", "2023-11-14 22:13:20+00:00", "False", "['a', None]",
    ]  # fmt: skip
    assert found[2][1] is None
    _load(place, [_row(2, name="new"), _row(4)], writeBehavior="upsert", upsertSettings={"keys": ["k"]})
    assert [row[1] for row in _told(place)] == ["Médecin 1", "new", None, "Médecin 4"]
    table: Dataset = place.dataset(TABLE)
    assert isinstance(table, Versioned)
    table.compact()
    assert len(_told(place)) == 4
    _load(place, [_row(9)], writeBehavior="overwrite")
    assert [row[0] for row in _told(place)] == ["9"]
