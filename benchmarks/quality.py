"""The gate beside a hand-written SQL pass over the same rows and rules, in DuckDB.

    python benchmarks/quality.py [rows]

Two million rows of eight columns, twelve rules, two rows in a hundred broken; once with keys that rise from row to row,
which the gate need not hold against each other, and once with mixed ones. The hand-written pass reads typed rows
and splits them into good rows and a quarantine table with reasons. A second pass by hand refuses rows whose key stands
twice, and notes of each row (numbered beforehand) where it came from, as the gate does. The gate does all that from
typed rows, and besides keeps texts for its reasons, keeps the refused rows whole as JSON under a name of their own,
renews rows by their keys, and notes findings and scores.
Times are of one process, best of the rounds; the ratio is that of the best times.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import yaml

import manara.connectors.databases.duckdb  # noqa: F401 # registers the connector
from manara.plugin.connection import CONNECTORS, Database, LinkedServiceGiven, Mark
from manara.quality.contract import read_contract
from manara.quality.gate import pass_gate

ROUNDS = 3
MAKE = """
create table source as
select {id} as id, 'F' || (n % 5000) as facility, 'I' || (n % 40) as item, date '2024-01-01' + (n % 365)::int as day,
    case when n % 100 = 0 then -1 else n % 500 end as received, n % 300 as dispensed, (n % 97) / 97.0 as share,
    case when n % 100 = 50 then null else ['dhis2', 'lmis', 'kobo'][n % 3 + 1] end as source
from range({rows}) as t(n)
"""
KEYS = {"rising": "n", "mixed": "(n * 7919) % {rows}"}
RULES = {
    "id.required": "id is null", "facility.required": "facility is null",
    "facility.pattern": "not regexp_matches(facility, '^F[0-9]+$')",
    "item.required": "item is null", "item.length": "length(item) > 4", "day.range": "day < date '2020-01-01'",
    "received.range": "received < 0", "dispensed.range": "dispensed < 0", "share.range": "share < 0 or share > 1",
    "source.required": "source is null", "source.values": "source not in ('dhis2', 'lmis', 'kobo')",
    "not-more": "dispensed > received + 1000",
}  # fmt: skip
REPEATED = {"key.duplicate": "id in (select id from source group by id having count(*) > 1)"}
TRACED = ", 'b' as _origin, 'r' as _run"
CONTRACT: dict[str, Any] = {
    "apiVersion": "v3.1.0", "kind": "DataContract", "id": "b", "name": "b", "version": "1", "status": "active",
    "schema": [{
        "name": "good", "properties": [
            {"name": "id", "logicalType": "integer", "primaryKey": True},
            {"name": "facility", "required": True, "logicalTypeOptions": {"pattern": "^F[0-9]+$"}},
            {"name": "item", "required": True, "logicalTypeOptions": {"maxLength": 4}},
            {"name": "day", "logicalType": "date", "logicalTypeOptions": {"minimum": "2020-01-01"}},
            {"name": "received", "logicalType": "integer", "logicalTypeOptions": {"minimum": 0}},
            {"name": "dispensed", "logicalType": "integer", "logicalTypeOptions": {"minimum": 0}},
            {"name": "share", "logicalType": "number", "logicalTypeOptions": {"minimum": 0, "maximum": 1}},
            {"name": "source", "required": True, "quality": [{
                "type": "library", "metric": "invalidValues",
                "arguments": {"validValues": ["dhis2", "lmis", "kobo"]}}]},
        ],
        "quality": [{"id": "not-more", "type": "custom", "engine": "manara",
                     "implementation": "dispensed <= received + 1000"}],
    }],
}  # fmt: skip


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000_000
    for keys in KEYS:
        compare(keys, rows)


def compare(keys: str, rows: int) -> None:
    """Print how the gate does beside the pass by hand, with such keys."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source.duckdb"
        with duckdb.connect(str(source)) as connection:
            connection.execute(MAKE.format(id=KEYS[keys].format(rows=rows), rows=rows))
            table = connection.sql("from source").to_arrow_table()
        hand = min(by_hand(table, Path(folder) / f"hand{n}.duckdb") for n in range(ROUNDS))
        numbered = table.append_column("_row", pa.array(range(1, rows + 1)))
        whole = min(by_hand(numbered, Path(folder) / f"whole{n}.duckdb", REPEATED, TRACED) for n in range(ROUNDS))
        gate = min(by_gate(table, Path(folder), f"gate{n}.duckdb") for n in range(ROUNDS))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = f"{rows:,} rows with {keys} keys, {len(RULES)} rules"
    print(f"{told}: by hand {hand:.2f} s, the gate {gate:.2f} s, {gate / hand:.2f} times")
    print(
        f"by hand with doubled keys refused and rows traced, as the gate does: {whole:.2f} s, {gate / whole:.2f} times"
    )
    print(f"peak memory of both, with the rows held in it ({table.nbytes / 2**20:.0f} MB): {peak:.0f} MB")


def by_hand(table: pa.Table, file: Path, more: Mapping[str, str] | None = None, columns: str = "") -> float:
    """Return the seconds of a pass that somebody would write for these rules."""
    rules = RULES | dict(more or {})
    reasons = ", ".join(f"case when {broken} then '{name}' end" for name, broken in rules.items())
    with duckdb.connect(str(file)) as connection:
        connection.register("source", table)
        start = time.perf_counter()
        connection.execute(
            "create temp table judged as "
            f"select *{columns}, list_filter([{reasons}], lambda r: r is not null) as reasons from source"
        )
        connection.execute("create table good as select * exclude (reasons) from judged where len(reasons) = 0")
        connection.execute("create table refused as select * from judged where len(reasons) > 0")
        return time.perf_counter() - start


def by_gate(table: pa.Table, folder: Path, file: str) -> float:
    """Return the seconds of the gate, with an empty warehouse."""
    database = CONNECTORS.find("DuckDB")(
        LinkedServiceGiven(name="w", type="DuckDB", properties={"path": file}, root=folder)
    )
    assert isinstance(database, Database)
    contract = read_contract(yaml.safe_dump(CONTRACT), "contract/b.yaml")
    mark = Mark(run_id="r", step="s", attempt=1)
    database.query("select 1 as n").read_all()  # the file is open, as it is for the pass by hand
    start = time.perf_counter()
    output = database.once(
        mark,
        lambda transaction: pass_gate(
            transaction, contract, table.to_reader(), dialect="duckdb", target=("main", "good"), origin="b",
            mark=mark, report=lambda _told: None,
        ),
    )  # fmt: skip
    taken = time.perf_counter() - start
    assert output["rowsQuarantined"] == table.num_rows // 50
    return taken


if __name__ == "__main__":
    main()
