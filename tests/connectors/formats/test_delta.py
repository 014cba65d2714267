from typing import Any

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from tests.plugin_given import Place, csv, files

from manara.errors import BadRows, SourceMissing, WrongDefinition
from manara.testing.suites import DatasetSuite

TABLE = files("Delta", "lake/")


class TestDelta(DatasetSuite):
    type, properties = "FileServer", {"host": "lake"}
    dataset_type, dataset_properties = "Delta", {"location": {"folderPath": "stock"}}


def _load(place: Place, text: str, step: str = "", **sink: Any) -> dict[str, Any]:
    place.write("in.csv", text)
    return place.copy(csv("in.csv"), TABLE, step=step, sink_settings=sink)


def _rows(place: Place, **settings: Any) -> list[tuple[Any, ...]]:
    return sorted(tuple(row.values()) for row in place.read(TABLE, **settings).to_pylist())


def test_rows_are_appended_replaced_and_read_as_they_were(place: Place) -> None:
    assert _load(place, "k,v\n1,a\n")["deltaVersion"] == 0
    _load(place, "k,v\n2,b\n")
    _load(place, "k,v\n3,c\n", writeBehavior="overwrite")
    assert _rows(place) == [("3", "c")]
    assert _rows(place, versionAsOf=1) == [("1", "a"), ("2", "b")]
    assert _rows(place, timestampAsOf="2199-01-01T00:00:00Z") == [("3", "c")]


def test_rows_of_known_keys_are_updated_and_others_inserted(place: Place) -> None:
    keys: dict[str, Any] = {"writeBehavior": "upsert", "upsertSettings": {"keys": ["k"]}}
    _load(place, "k,v\n1,a\n2,b\n", **keys)
    _load(place, "k,v\n2,B\n3,c\n", **keys)
    assert _rows(place) == [("1", "a"), ("2", "B"), ("3", "c")]


@pytest.mark.parametrize("behaviour", ["append", "upsert"])
def test_a_step_that_is_tried_again_loads_once_and_tells_the_same(place: Place, behaviour: str) -> None:
    sink: dict[str, Any] = {"writeBehavior": behaviour, "upsertSettings": {"keys": ["k"]}}
    _load(place, "k,v\n0,z\n", **sink)
    told = [_load(place, "k,v\n1,a\n2,b\n", step="Load", **sink) for _ in range(2)]
    assert [one["rowsCopied"] for one in told] == [2, 2]
    assert [one["deltaVersion"] for one in told] == [1, 1]
    assert _rows(place) == [("0", "z"), ("1", "a"), ("2", "b")]
    assert DeltaTable(place.folder / "lake").version() == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("k,v\n1,a\n1,b\n", "Several rows have the same key", id="twice"),
        pytest.param("k,v\n,a\n", "The key 'k' is missing in a row", id="missing"),
    ],
)
def test_keys_that_do_not_tell_rows_apart_are_refused(place: Place, text: str, says: str) -> None:
    _load(place, "k,v\n1,z\n")
    place.write("in.csv", text)
    source = csv("in.csv", nullValue="")
    sink = {"writeBehavior": "upsert", "upsertSettings": {"keys": ["k"]}}
    with pytest.raises(BadRows, match=says):
        place.copy(source, TABLE, sink_settings=sink)
    assert _rows(place) == [("1", "z")]


def test_a_column_more_is_told_unless_it_is_let_in(place: Place) -> None:
    _load(place, "k\n1\n")
    with pytest.raises(BadRows, match=r"do not fit the table"):
        _load(place, "k,v\n2,b\n")
    _load(place, "k,v\n2,b\n", mergeSchema=True)
    assert place.read(TABLE).sort_by("k").to_pylist() == [{"k": "1", "v": None}, {"k": "2", "v": "b"}]


def test_partitions_come_back_as_columns(place: Place) -> None:
    place.write("in.csv", "year,v\n2023,a\n2024,b\n")
    place.copy(csv("in.csv"), files("Delta", "lake/", partitionBy=["year"]))
    assert (place.folder / "lake/year=2024").is_dir()
    assert _rows(place) == [("2023", "a"), ("2024", "b")]


def test_foreign_readers_see_the_same(place: Place) -> None:
    _load(place, "k,v\n1,a\n")
    found = DeltaTable(place.folder / "lake").to_pyarrow_table()
    assert isinstance(found, pa.Table)
    assert duckdb.execute("select k, v from found").fetchall() == [("1", "a")]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        pytest.param({"versionAsOf": 7}, "no such version", id="version"),
        pytest.param({"timestampAsOf": "next week"}, "no such version", id="time"),
    ],
)
def test_a_version_that_is_not_there_is_told(place: Place, settings: dict[str, Any], says: str) -> None:
    _load(place, "k\n1\n")
    with pytest.raises(SourceMissing, match=says):
        place.read(TABLE, **settings)


def test_an_unknown_behaviour_is_told(place: Place) -> None:
    with pytest.raises(WrongDefinition, match=r"writeBehavior cannot be 'replace'"):
        _load(place, "k\n1\n", writeBehavior="replace")
