"""Files and tables through the activity Copy, beside DuckDB's own statement on the same, and tolerant beside strict.

    python benchmarks/copy_files.py [--rows 5000000] [--rounds 3] [--only csv-parquet ...]

Ten mixed columns, the same every time. Each measurement is a fresh process; the rounds take turns. Prints the best
wall seconds of the copy (without imports, which a worker pays once) and processor seconds (with them), their ratio to
the reference, and the peak of the process's memory.
"""

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TYPES = {
    "id": ("Int64", "BIGINT"), "a": ("Int32", "INTEGER"), "b": ("Int32", "INTEGER"), "c": ("Double", "DOUBLE"),
    "d": ("Double", "DOUBLE"), "e": ("DateTime", "TIMESTAMP"), "f": ("Date", "DATE"), "g": ("String", "VARCHAR"),
    "h": ("String", "VARCHAR"), "k": ("String", "VARCHAR"),
}  # fmt: skip
_MAKE = """
copy (
    select i as id, ((i * 7919) % 1000)::int as a, ((i * 31) % 77)::int as b, i * 1.5::double as c,
           i / 7.0::double as d,
           timestamp '2020-01-01' + interval (i) second as e, date '2020-01-01' + (i % 1000)::int as f,
           'name, ' || (i % 5) as g, case when i % 11 = 0 then null else 'vé' || (i % 500) end as h,
           md5(i::varchar) as k
    from range({rows}) as t(i)
) to '{path}' (format parquet)
"""
_BAD_EVERY = 1000
_NEEDED = {
    "duckdb": ("duckdb",),
    "copy": (
        "manara.activities.copy",
        "manara.connectors.databases.duckdb",
        "manara.connectors.databases.tables",
        "manara.connectors.file_server",
        "manara.connectors.formats.delimited_text",
        "manara.connectors.formats.parquet",
        "sqlglot.dialects.duckdb",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One thing measured: ours, and the reference that it is divided by."""

    ours: str
    reference: str
    goal: float


CASES = {
    "csv-parquet": Case(ours="copy:in.csv:out.parquet:typed", reference="duckdb:in.csv:out.parquet:typed", goal=1.15),
    "parquet-parquet": Case(ours="copy:in.parquet:out.parquet", reference="duckdb:in.parquet:out.parquet", goal=1.15),
    "parquet-parquet-arrow": Case(
        ours="copy:in.parquet:out.parquet:arrow", reference="duckdb:in.parquet:out.parquet", goal=1.25
    ),
    "parquet-duckdb": Case(ours="copy:in.parquet:out.duckdb", reference="duckdb:in.parquet:out.duckdb", goal=1.15),
    "parquet-duckdb-arrow": Case(
        ours="copy:in.parquet:out.duckdb:arrow", reference="duckdb:in.parquet:out.duckdb", goal=1.25
    ),
    "duckdb-parquet": Case(ours="copy:in.duckdb:out.parquet", reference="duckdb:in.duckdb:out.parquet", goal=1.15),
    "duckdb-parquet-arrow": Case(
        ours="copy:in.duckdb:out.parquet:arrow", reference="duckdb:in.duckdb:out.parquet", goal=1.25
    ),
    "duckdb-duckdb": Case(ours="copy:in.duckdb:in.duckdb", reference="duckdb:in.duckdb:in.duckdb", goal=1.15),
    "parquet-csv": Case(ours="copy:in.parquet:out.csv", reference="duckdb:in.parquet:out.csv", goal=1.15),
    "csv-csv": Case(ours="copy:in.csv:out.csv", reference="duckdb:in.csv:out.csv", goal=1.15),
    "tolerant": Case(ours="copy:bad.csv:out.parquet:typed,skip", reference="copy:in.csv:out.parquet:typed", goal=1.10),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=CASES, default=list(CASES))
    parser.add_argument("--run", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.run:
        print(json.dumps(_measured(wanted.run, Path(wanted.folder), wanted.rows)))
        return
    with tempfile.TemporaryDirectory() as folder:
        _run("make", folder, wanted.rows)
        print(f"{wanted.rows:,} rows x 10 columns, CSV of {(Path(folder) / 'in.csv').stat().st_size / 1e6:.0f} MB")
        print(f"{'':24}{'wall s':>16}{'cpu s':>16}{'ratio':>8}{'goal':>7}{'cpu':>7}{'MB':>7}")
        for name in wanted.only:
            _compare(name, CASES[name], folder, wanted.rows, wanted.rounds)


def _compare(name: str, case: Case, folder: str, rows: int, rounds: int) -> None:
    found: dict[str, list[dict[str, float]]] = {case.ours: [], case.reference: []}
    for _ in range(rounds):
        for work, runs in found.items():
            runs.append(_run(work, folder, rows))
    best = {
        (work, figure): min(run[figure] for run in runs) for work, runs in found.items() for figure in ("wall", "cpu")
    }
    wall, cpu = ((best[case.ours, figure], best[case.reference, figure]) for figure in ("wall", "cpu"))
    memory = max(run["mb"] for run in found[case.ours])
    print(
        f"{name:24}{wall[0]:7.2f} /{wall[1]:7.2f}{cpu[0]:7.2f} /{cpu[1]:7.2f}{wall[0] / wall[1]:8.2f}{case.goal:7.2f}"
        f"{cpu[0] / cpu[1]:7.2f}{memory:7.0f}"
    )


def _run(work: str, folder: str, rows: int) -> Any:
    """Return what a process of its own says; this one stays small, as its memory would count for the others."""
    command = [sys.executable, __file__, "--run", work, "--folder", folder, "--rows", str(rows)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _make(folder: Path, rows: int) -> None:
    import duckdb  # noqa: PLC0415 - a measured process pays for what it needs, and for nothing else

    duckdb.execute(_MAKE.format(rows=rows, path=folder / "in.parquet"))
    duckdb.execute(f"copy (from '{folder}/in.parquet') to '{folder}/in.csv' (header)")
    with duckdb.connect(str(folder / "in.duckdb")) as database:
        database.execute(f"create table given as from '{folder}/in.parquet'")
    with (folder / "in.csv").open() as good, (folder / "bad.csv").open("w") as bad:
        for number, line in enumerate(good):
            if number % _BAD_EVERY == _BAD_EVERY // 2:
                line = line.partition(",")[0] + "\n" if number // _BAD_EVERY % 2 else "x" + line  # noqa: PLW2901
            bad.write(line)


def _measured(work: str, folder: Path, rows: int) -> dict[str, float]:
    import resource  # noqa: PLC0415
    import time  # noqa: PLC0415

    if work == "make":
        _make(folder, rows)
        return {}
    who, source, target, *how = work.split(":")
    ways: dict[str, Callable[..., None]] = {"copy": _by_copy, "duckdb": _by_duckdb}
    for module in _NEEDED[who]:
        importlib.import_module(module)
    _empty(folder, target)
    start = time.perf_counter()
    ways[who](folder, source, target, how[0].split(",") if how else [], rows)
    wall = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {"wall": wall, "cpu": used.ru_utime + used.ru_stime, "mb": used.ru_maxrss / 1024}


def _empty(folder: Path, target: str) -> None:
    """Leave no table from the round before."""
    import duckdb  # noqa: PLC0415

    if target == "out.duckdb":
        (folder / target).unlink(missing_ok=True)
    elif target == "in.duckdb":
        with duckdb.connect(str(folder / target)) as database:
            database.execute("drop table if exists made")
            database.execute("drop table if exists manara_mark")


def _by_copy(folder: Path, source: str, target: str, how: list[str], rows: int) -> None:
    from manara.activities.copy import copy  # noqa: PLC0415
    from manara.connectors.databases.duckdb import duckdb_database  # noqa: PLC0415
    from manara.connectors.databases.duckdb_file import close_all  # noqa: PLC0415
    from manara.connectors.databases.tables import table  # noqa: PLC0415
    from manara.connectors.file_server import FolderStore  # noqa: PLC0415
    from manara.connectors.formats.delimited_text import delimited_text  # noqa: PLC0415
    from manara.connectors.formats.parquet import parquet  # noqa: PLC0415
    from manara.plugin.activity import Given, Reference  # noqa: PLC0415
    from manara.plugin.connection import LinkedServiceGiven, Mark  # noqa: PLC0415
    from manara.plugin.dataset import Dataset, DatasetGiven  # noqa: PLC0415

    store = FolderStore(root=folder)

    def opened(reference: Reference) -> Dataset:
        name, side = str(reference["referenceName"]), str(reference["type"])
        if name.endswith(".duckdb"):
            service = LinkedServiceGiven(name="database", type="DuckDB", properties={"path": name}, root=folder)
            told = {"table": "given" if side == "source" else "made"}
            return table(
                DatasetGiven(name=name, type="DuckDBTable", properties=told, connection=duckdb_database(service))
            )
        location = {"location": {"type": "FileServerLocation", "fileName": name}, "firstRowAsHeader": True}
        given = DatasetGiven(name=name, type="", properties=location, connection=store)
        return delimited_text(given) if name.endswith(".csv") else parquet(given)

    mappings = [{"source": {"name": name}, "sink": {"name": name, "type": kind}} for name, (kind, _) in TYPES.items()]
    properties: dict[str, Any] = {"source": {"type": "AnySource"}, "sink": {"type": "AnySink"}}
    properties["sink"]["tableOption"] = "autoCreate"
    properties |= {"translator": {"mappings": mappings}} if "typed" in how else {}
    properties |= {"enableSkipIncompatibleRow": True} if "skip" in how else {}
    properties |= {"lane": "Arrow"} if "arrow" in how else {}
    output = copy(
        Given(
            name="Copy",
            properties=properties,
            inputs=[{"referenceName": source, "type": "source"}],
            outputs=[{"referenceName": target, "type": "sink"}],
            linked_service=None,
            mark=Mark(run_id="benchmark", step="Copy", attempt=1),
            dataset=opened,
            connect=lambda _reference: store,
            text=lambda _kind, _name: "",
            report=lambda _figures: None,
            root=folder,
        )
    )
    close_all()  # DuckDB's own time holds that too
    is_fast = not any("arrow" in how or name.endswith(".csv") for name in (source, target))
    assert output["executionDetails"][0]["lane"] == ("DuckDB" if is_fast else "Arrow"), output
    skipped = output.get("rowsSkipped", 0)
    assert output["rowsRead"] == rows == output["rowsCopied"] + skipped, output
    if "skip" in how:
        assert rows // _BAD_EVERY <= skipped + 1, output
        with (folder / output["logFilePath"]).open() as log:
            assert sum("TabularRowSkip" in line for line in log) == skipped


def _by_duckdb(folder: Path, source: str, target: str, how: list[str], _rows: int) -> None:
    import duckdb  # noqa: PLC0415

    options = "format parquet" if target.endswith(".parquet") else "header"
    columns = {name: kind for name, (_, kind) in TYPES.items()}
    told = f"header = true, {f'columns = {columns}' if 'typed' in how else 'all_varchar = true'}"
    rows = f"read_csv('{folder / source}', {told})" if source.endswith(".csv") else f"'{folder / source}'"
    database = next((name for name in (source, target) if name.endswith(".duckdb")), "")
    if database:
        rows = "given" if source == database else rows
        with duckdb.connect(str(folder / database)) as connection:
            make = f"copy (from {rows}) to '{folder / target}' ({options})"
            connection.execute(f"create table made as from {rows}" if target == database else make)
        return
    duckdb.execute(f"copy (from {rows}) to '{folder / target}' ({options})")


if __name__ == "__main__":
    main()
