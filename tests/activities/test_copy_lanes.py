"""Tables of DuckDB on both lanes of a copy: the same rows in the same order, the same types, figures and errors."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.activities.test_copy_files import MAPPED, TYPES
from tests.plugin_given import Json, Place, csv, files, table

from manara.connectors.databases import duckdb_copy
from manara.errors import Cancelled, ManaraError

MANY = 400_000
FIGURES = ("rowsRead", "rowsCopied", "filesRead", "filesWritten")
AUTO: Json = {"tableOption": "autoCreate"}
EDGES = """
create table edges as select * from (values
    (1, 'infinity'::date, '-infinity'::timestamp, '0044-03-15 (BC)'::date, 'nan'::double, '-0'::double, 'a\0b'),
    (2, null, null, null, null, null, null),
    (3, '5881580-07-10'::date, '290309-12-22 (BC)'::timestamp, '9999-12-31'::date, 5e-324, 'inf', '')
) as v(n, day, moment, old, small, zero, text)
"""


@pytest.fixture
def warehouse(place: Place) -> Place:
    """Return a place with files of all types and of many rows, and with tables that hold the same."""
    for name, rows in {"types": pa.table(TYPES), "many": _many()}.items():
        (place.folder / name).mkdir()
        third = rows.num_rows // 3
        for number, start in enumerate(range(0, rows.num_rows, third)):
            pq.write_table(rows.slice(start, third), place.folder / f"{name}/{number}.parquet", row_group_size=50_000)
        _run(place, f"create table {name} as from read_parquet('{place.folder}/{name}/*.parquet')")
    _run(place, EDGES)
    _run(place, "create table strict (n bigint not null, t varchar default 'none', more double)")
    _run(place, 'create table wide ("full" bigint, "int8" double, money decimal(30, 4), text varchar, uint64 ubigint)')
    return place


def _many() -> pa.Table:
    numbers = range(MANY)
    return pa.table({"n": numbers, "t": [None if n % 7 == 0 else f"t{n % 1000}" for n in numbers]})


def _run(place: Place, statement: str) -> None:
    place.run("Script", {"scripts": [{"type": "NonQuery", "text": statement}]})


def _both(place: Place, source: Json, sink: str, *, make: str = "", **properties: Any) -> tuple[Any, Any]:
    """Copy on both lanes; return what each has written: types, rows in order, and figures."""
    found = []
    for lane in ("Arrow", "DuckDB"):
        name = f"out_{lane.lower()}"
        if make:
            _run(place, make.replace("NAME", name))
        target = files("Parquet", f"{name}.parquet") if sink == "Parquet" else table(name)
        output = place.copy(source, target, lane=lane, **properties)
        detail = output["executionDetails"][0]
        assert (detail["lane"], detail.get("reason")) == (lane, "the copy asks for it" if lane == "Arrow" else None)
        assert output["rowsRead"] == 0 or min(output["dataRead"], output["dataWritten"]) > 0
        rows = pq.read_table(place.folder / f"{name}.parquet") if sink == "Parquet" else place.read(table(name))
        types = place.query(f"describe {name}") if sink == "table" else [str(rows.schema)]
        found.append((types, _values(rows), [output[one] for one in FIGURES]))
    return found[0], found[1]


def _values(rows: pa.Table) -> list[str]:
    """Return the columns as texts that tell every value apart; days and times as numbers, as some have no date."""
    columns = []
    for column in rows.columns:
        kind = column.type
        if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
            column = column.cast(pa.int32() if pa.types.is_date(kind) else pa.int64())  # noqa: PLW2901
        columns.append(repr(column.to_pylist()))
    return columns


WIDE = "create table NAME as from wide with no data"
KEEPING = "create table NAME as select n::bigint as n, t, 0.5::double as more from range(2) r(n), (select 'old' as t)"


@pytest.mark.parametrize("sink", ["Parquet", "table"])
@pytest.mark.parametrize(
    ("source", "told"),
    [
        pytest.param(files("Parquet", "types/"), {}, id="files of all types"),
        pytest.param(files("Parquet", "types/"), MAPPED, id="files, mapped"),
        pytest.param(files("Parquet", "many/"), {}, id="many rows in files"),
        pytest.param(table("types"), {}, id="a table of all types"),
        pytest.param(table("types"), MAPPED, id="a table, mapped"),
        pytest.param(table("edges"), {}, id="values at the edges"),
        pytest.param(table("many"), {}, id="a table of many rows"),
        pytest.param(
            table("many"),
            {"source_settings": {"query": "with x as (from many) select t, n from x where n > 9 order by t desc, n;"}},
            id="a query with an order",
        ),
        pytest.param(
            table("many"), {"source_settings": {"query": "select 1 as a, 'x' as b limit 0"}}, id="a query without rows"
        ),
        pytest.param(
            table("many", "AzureSqlTable", schema="dbo"),
            {"source_settings": {"sqlReaderQuery": "select top 5 [n], isnull(t, '-') as t from dbo.many order by n"}},
            id="a query of T-SQL",
        ),
    ],
)
def test_both_lanes_write_the_same(warehouse: Place, source: Json, sink: str, told: Json) -> None:
    by_arrow, by_duckdb = _both(warehouse, source, sink, **{"sink_settings": AUTO, **told})
    assert by_duckdb == by_arrow


@pytest.mark.parametrize(
    ("source", "make", "told"),
    [
        pytest.param(files("Parquet", "types/"), WIDE, ["full", "int8", "money", "text", "uint64"], id="wider columns"),
        pytest.param(table("types"), WIDE, ["full", "int8", "money", "text", "uint64"], id="wider, from a table"),
        pytest.param(files("Parquet", "many/"), KEEPING, ["n", "t"], id="behind the rows that are there"),
        pytest.param(table("many"), KEEPING, ["T", "N"], id="by letters in another case"),
    ],
)
def test_both_lanes_fill_a_table_that_is_there(warehouse: Place, source: Json, make: str, told: list[str]) -> None:
    mappings = [{"source": {"name": name}, "sink": {"name": name}} for name in told]
    by_arrow, by_duckdb = _both(warehouse, source, "table", make=make, translator={"mappings": mappings})
    assert by_duckdb == by_arrow


def test_the_script_before_the_copy_runs_in_the_same_transaction(warehouse: Place) -> None:
    script: Json = {"preCopyScript": "delete from NAME where n = 0"}
    _run(warehouse, KEEPING.replace("NAME", "filled"))
    script["preCopyScript"] = script["preCopyScript"].replace("NAME", "filled")
    output = warehouse.copy(files("Parquet", "many/"), table("filled"), sink_settings=script)
    assert output["executionDetails"][0]["lane"] == "DuckDB"
    assert warehouse.query("select count(*) as c, count(more) as old from filled") == [{"c": MANY + 1, "old": 1}]


def test_a_table_is_copied_behind_itself(warehouse: Place) -> None:
    assert warehouse.copy(table("many"), table("many"))["executionDetails"][0]["lane"] == "DuckDB"
    assert warehouse.query("select count(*) as c, max(n) as most from many") == [{"c": 2 * MANY, "most": MANY - 1}]


@pytest.mark.parametrize("source", [files("Parquet", "many/"), table("many")], ids=["files", "table"])
def test_a_second_attempt_adds_nothing_and_tells_the_same(warehouse: Place, source: Json) -> None:
    first = warehouse.copy(source, table("once"), sink_settings=AUTO, step="Load")
    again = warehouse.copy(source, table("once"), sink_settings=AUTO, step="Load")
    figures = (*FIGURES, "dataRead", "dataWritten")
    assert [again[name] for name in figures] == [first[name] for name in figures]
    assert warehouse.query("select count(*) as c from once") == [{"c": MANY}]


@pytest.mark.parametrize("source", [files("Parquet", "types/"), table("types")], ids=["files", "table"])
def test_a_row_that_the_table_does_not_take_ends_both_lanes_alike(warehouse: Place, source: Json) -> None:
    mappings = {"mappings": [{"source": {"name": "int8"}, "sink": {"name": "n"}}]}
    told = []
    for lane in ("Arrow", "DuckDB"):
        with pytest.raises(ManaraError, match="NOT NULL") as caught:
            warehouse.copy(source, table("strict"), translator=mappings, lane=lane)
        told.append((type(caught.value), caught.value.code, str(caught.value)))
    assert told[0] == told[1]
    assert warehouse.query("from strict") == []


def test_a_broken_page_is_told_by_the_lane_that_knows_the_file(warehouse: Place) -> None:
    path = warehouse.folder / "many/1.parquet"
    content = bytearray(path.read_bytes())
    content[100:4000] = b"\xff" * 3900
    path.write_bytes(content)
    with pytest.raises(ManaraError, match=r"many/1\.parquet"):
        warehouse.copy(files("Parquet", "many/"), table("t"), sink_settings=AUTO)
    assert not warehouse.query("select 1 from duckdb_tables() where table_name = 't'")


@pytest.mark.parametrize(
    ("source", "told", "reason"),
    [
        pytest.param(table("many"), {"preCopyScript": "delete from many"}, "script before", id="a script"),
        pytest.param(
            table("many"), {"writeBehavior": "upsert", "upsertSettings": {"keys": ["n"]}}, "by keys", id="upsert"
        ),
        pytest.param(files("Parquet", "types/"), {}, "converted to", id="a cast"),
        pytest.param(csv("in.csv"), {}, "read it otherwise", id="CSV"),
        pytest.param(table("nested"), {}, "column 'l'", id="a list"),
        pytest.param(table("tables"), {}, "which tables there are", id="a view of the catalog"),
        pytest.param(files("Parquet", "odd[1].parquet"), {}, "for a pattern", id="a pattern"),
    ],
)
def test_what_is_not_certain_goes_the_other_way(warehouse: Place, source: Json, told: Json, reason: str) -> None:
    warehouse.write("in.csv", "n,t\n1,x\n")
    pq.write_table(_many().slice(0, 1), warehouse.folder / "odd[1].parquet")
    pq.write_table(_many().slice(0, 9), warehouse.folder / "odd1.parquet")
    _run(warehouse, "create table nested as select 1 as n, [1] as l")
    _run(warehouse, "create view tables as select 1 as n, table_name as t from information_schema.tables")
    _run(warehouse, "create table narrow (n tinyint, t varchar, l integer[])")
    name = "narrow" if reason in {"converted to", "column 'l'"} else "many"
    mappings = [{"source": {"name": "full"}, "sink": {"name": "n"}}] if reason == "converted to" else []
    output = warehouse.copy(source, table(name), sink_settings=told, translator={"mappings": mappings})
    detail = output["executionDetails"][0]
    assert detail["lane"] == "Arrow"
    assert reason in detail["reason"]
    assert output["rowsCopied"] == {"a script": MANY, "for a pattern": 1}.get(reason, output["rowsRead"])


def test_a_folder_that_looks_like_a_column_is_none(place: Place) -> None:
    (place.folder / "year=1999").mkdir()
    pq.write_table(pa.table({"year": [2024]}), place.folder / "year=1999/a.parquet")
    assert place.copy(files("Parquet", "year=1999/a.parquet"), table("t"), sink_settings=AUTO)["rowsCopied"] == 1
    assert place.query("from t") == [{"year": 2024}]


@dataclass(kw_only=True)
class Impatient(Place):
    """A place whose runs are told to stop at the third report."""

    told: int = field(default=0)

    def stop(self, _figures: Mapping[str, Any]) -> None:
        self.told += 1
        if self.told > 2:
            raise Cancelled("The run is to stop.")


def test_a_run_that_is_to_stop_interrupts_the_statement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duckdb_copy, "_TICK_S", 0.01)
    place = Impatient(folder=tmp_path)
    monkeypatch.setattr(place, "reports", Reports(place))
    _run(place, "create table small as select 1 as n")
    # A file is written to its end, as DuckDB does not always end when it is interrupted in that.
    for sink, count in ((files("Parquet", "out.parquet"), 3_000_000), (table("t"), 10**12)):
        endless: Json = {"query": f"select i from range({count}) t(i)"}
        place.told = 0
        with pytest.raises(Cancelled, match="is to stop"):
            place.copy(table("small"), sink, source_settings=endless, sink_settings=AUTO)
    assert not list(tmp_path.rglob("out.parquet*"))
    assert not place.query("select 1 from duckdb_tables() where table_name = 't'")


class Reports(list[Mapping[str, Any]]):
    """Reports that end the run."""

    def __init__(self, place: Impatient) -> None:
        super().__init__()
        self.append = place.stop  # type: ignore[method-assign]
