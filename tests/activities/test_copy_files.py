"""What becomes of each file: names, lanes, several at a time, files left out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.plugin_given import Json, Place, csv, files, table

from manara.errors import Conflict, ManaraError, SourceMissing
from manara.plugin.activity import Reference
from manara.plugin.dataset import AfterFile, Dataset, Part, Tally

TREE = {"in/a.csv": "n,t\n1,x\n", "in/2024/b.csv": "n,t\n2,y\n3,z\n", "in/2025/b.csv": "n,t\n4,w\n"}


@pytest.fixture
def tree(place: Place) -> Place:
    for path, content in TREE.items():
        place.write(path, content)
    return place


def _written(place: Place, folder: str = "out") -> dict[str, int]:
    """Return the Parquet files below the folder with the number of their rows."""
    root = place.folder / folder
    return {path.relative_to(root).as_posix(): pq.read_metadata(path).num_rows for path in root.rglob("*.parquet")}


def _store(behaviour: str, **settings: Any) -> Json:
    return {"storeSettings": {"copyBehavior": behaviour}, **settings}


@pytest.mark.parametrize(
    ("settings", "written"),
    [
        pytest.param({}, {"a.parquet": 1, "2024/b.parquet": 2, "2025/b.parquet": 1}, id="each file by default"),
        pytest.param(
            _store("PreserveHierarchy"), {"a.parquet": 1, "2024/b.parquet": 2, "2025/b.parquet": 1}, id="preserve"
        ),
        pytest.param(
            _store("FlattenHierarchy"),
            {"a.parquet": 1, "b_ef3bee58a3.parquet": 2, "b_06b8b247a6.parquet": 1},
            id="flatten, with names that would be the same",
        ),
        pytest.param(
            {"formatSettings": {"maxRowsPerFile": 1}},
            {"a_00000.parquet": 1, "2024/b_00000.parquet": 1, "2024/b_00001.parquet": 1, "2025/b_00000.parquet": 1},
            id="so many rows a file",
        ),
        pytest.param(
            _store("MergeFiles", formatSettings={"maxRowsPerFile": 3, "fileNamePrefix": "part"}),
            {"part_00000.parquet": 3, "part_00001.parquet": 1},
            id="merged and divided",
        ),
    ],
)
def test_a_folder_gets_files_by_copy_behavior(tree: Place, settings: Json, written: dict[str, int]) -> None:
    for _ in range(2):  # a second attempt writes the same names
        output = tree.copy(csv("in/"), files("Parquet", "out/"), sink_settings=settings)
    assert _written(tree) == written
    assert (output["rowsRead"], output["rowsCopied"]) == (4, 4)
    assert (output["filesRead"], output["filesWritten"]) == (3, len(written))


def test_a_file_name_in_the_sink_merges(tree: Place) -> None:
    output = tree.copy(csv("in/"), files("Parquet", "out/all.parquet"))
    assert _written(tree) == {"all.parquet": 4}
    assert (output["filesRead"], output["filesWritten"]) == (3, 1)


def test_files_of_different_columns_are_copied_each_as_it_is(place: Place) -> None:
    place.write("in/a.csv", "n\n1\n")
    place.write("in/b.csv", "n,more\n1,2\n")
    place.copy(csv("in/"), files("Parquet", "out/"))
    assert place.rows("out/b.parquet") == [{"n": "1", "more": "2"}]
    with pytest.raises(ManaraError, match="columns are not those of the first file: it has 'more'"):
        place.copy(csv("in/"), files("Parquet", "all.parquet"))


def test_two_files_that_would_become_one_are_refused(place: Place) -> None:
    place.write("in/a.csv", "n\n1\n")
    place.write("in/a.txt", "n\n2\n")
    with pytest.raises(Conflict, match=r"'a.csv' and 'a.txt' would both become 'a.parquet'"):
        place.copy(csv("in/"), files("Parquet", "out/"))
    assert not (place.folder / "out").exists()


@pytest.mark.parametrize("at_a_time", [1, 5])
def test_files_are_copied_several_at_a_time_with_the_same_figures(place: Place, at_a_time: int) -> None:
    for number in range(40):
        place.write(f"in/{number}.csv", "n\n" + f"{number}\n" * number + "x,y\n")
    output = place.copy(csv("in/"), files("Parquet", "out/"), parallelCopies=at_a_time, enableSkipIncompatibleRow=True)
    assert output["usedParallelCopies"] == at_a_time
    assert (output["rowsRead"], output["rowsCopied"], output["rowsSkipped"]) == (820, 780, 40)
    assert _written(place) == {f"{number}.parquet": number for number in range(40)}
    log = (place.folder / output["logFilePath"]).read_text()
    assert sorted(line.split("row ")[1].split(" ")[0] for line in log.splitlines()[1:]) == sorted(
        str(number + 1) for number in range(40)
    )


@pytest.mark.parametrize("at_a_time", [1, 4])
def test_one_broken_file_ends_the_copy_of_all(place: Place, at_a_time: int) -> None:
    for number in range(20):
        place.write(f"in/{number:02d}.csv", "n\n1\n" if number != 7 else "n\n1,2\n")
    with pytest.raises(ManaraError, match=r"in/07.csv: Row 1 \(line 2\) cannot be read"):
        place.copy(csv("in/"), files("Parquet", "out/"), parallelCopies=at_a_time)
    assert not (place.folder / "out/07.parquet").exists()


@dataclass(kw_only=True)
class WithOwn(Place):
    """A place where a dataset of the test's own stands under the name `own`."""

    own: Any = None

    def dataset(self, reference: Reference) -> Dataset:
        if reference["referenceName"] == "own":
            return cast(Dataset, self.own)
        return super().dataset(reference)


OWN: Json = {"referenceName": "own", "type": "Own"}


@dataclass
class Vanishing:
    """Files of which one is gone when it is to be read."""

    whole: Any
    gone: Path

    def parts(self, settings: Json) -> list[Part]:
        found: list[Part] = self.whole.parts(settings)
        self.gone.unlink()
        return found


def test_a_file_that_vanishes_ends_the_copy_unless_it_may_be_left_out(tmp_path: Path) -> None:
    place = WithOwn(folder=tmp_path)
    for path, content in TREE.items():
        place.write(path, content)
    place.own = Vanishing(place.dataset(csv("in/")), tmp_path / "in/2025/b.csv")
    with pytest.raises(SourceMissing, match=r"in/2025/b\.csv"):
        place.copy(OWN, files("Parquet", "out/"))
    place.write("in/2025/b.csv", "n\n1\n")
    output = place.copy(OWN, files("Parquet", "out/"), skipErrorFile={"fileMissing": True})
    assert (output["filesSkipped"], output["filesRead"], output["rowsCopied"]) == (1, 2, 3)
    assert "FileSkip,2025/b.csv" in (tmp_path / output["logFilePath"]).read_text()


TYPES: dict[str, Any] = {
    "bool": pa.array([True, None, False]),
    "int8": pa.array([1, None, -128], pa.int8()),
    "uint64": pa.array([1, None, 2**64 - 1], pa.uint64()),
    "float": pa.array([1.5, None, float("nan")], pa.float32()),
    "double": pa.array([0.1, None, float("-inf")]),
    "text": pa.array(["", None, "é\n"]),
    "day": pa.array([0, None, -700_000], pa.date32()),
    "moment": pa.array([0, None, -1], pa.timestamp("us")),
    "instant": pa.array([0, None, 10**15], pa.timestamp("us", "UTC")),
    "money": pa.array([1, None, -1]).cast(pa.decimal128(20, 0)).cast(pa.decimal128(30, 4)),
    "full": pa.array([1, 2, 3]),
}
MAPPED: Json = {
    "translator": {
        "type": "TabularTranslator",
        "mappings": [
            {"source": {"name": "text"}, "sink": {"name": "b"}},
            {"source": {"ordinal": 1}, "sink": {"name": "a"}},
        ],
    }
}


@pytest.mark.parametrize("mapping", [{}, MAPPED], ids=["by name", "mapped"])
@pytest.mark.parametrize("count", [1, 3], ids=["one file", "three files"])
def test_both_lanes_give_the_same(place: Place, mapping: Json, count: int) -> None:
    (place.folder / "in").mkdir()
    for number in range(count):
        pq.write_table(pa.table(TYPES), place.folder / f"in/{number}.parquet", row_group_size=2)
    found = {}
    for lane in ("Arrow", "DuckDB"):
        output = place.copy(files("Parquet", "in/"), files("Parquet", f"{lane}.parquet"), lane=lane, **mapping)
        assert output["executionDetails"][0]["lane"] == lane
        figures = ("rowsRead", "rowsCopied", "filesRead", "filesWritten")
        found[lane] = (pq.read_table(place.folder / f"{lane}.parquet"), [output[name] for name in figures])
    assert found["DuckDB"][0].schema == found["Arrow"][0].schema
    assert found["DuckDB"][0].to_pydict().__repr__() == found["Arrow"][0].to_pydict().__repr__()
    assert found["DuckDB"][1] == found["Arrow"][1] == [3 * count, 3 * count, count, 1]


@pytest.mark.parametrize(
    ("rows", "sink", "reason"),
    [
        pytest.param(pa.table({"l": [[1]]}), files("Parquet", "out.parquet"), "column 'l'", id="nested"),
        pytest.param(pa.table({"a": [1], "A": [2]}), files("Parquet", "out.parquet"), "case only", id="case"),
        pytest.param(pa.table({"a": [1]}), csv("out.csv"), "write it otherwise", id="CSV"),
    ],
)
def test_what_duckdb_might_change_goes_the_other_way(place: Place, rows: pa.Table, sink: Json, reason: str) -> None:
    pq.write_table(rows, place.folder / "in.parquet")
    detail = place.copy(files("Parquet", "in.parquet"), sink)["executionDetails"][0]
    assert detail["lane"] == "Arrow"
    assert reason in detail["reason"]


class Source:
    """A source with a cursor, and files that want to be deleted."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.given: Any = None

    def read(self, _settings: Json, tally: Tally) -> pa.RecordBatchReader:
        self.given = tally.cursor
        rows = pa.table({"n": [1, 2]})
        tally.afterwards += [
            AfterFile(file=name, work=(self.place.folder / name).unlink) for name in ("old.csv", "new.csv")
        ]

        def batches() -> Any:
            tally.origins.begin("old.csv", 0)
            yield from rows.to_batches()
            tally.cursor = {"at": 2}

        return pa.RecordBatchReader.from_batches(rows.schema, batches())

    def write(self, *_: Any) -> Json:
        raise NotImplementedError

    def metadata(self, _fields: Any) -> Json:
        return {}


def test_a_cursor_and_the_files_that_were_read_are_noted_with_the_mark(tmp_path: Path) -> None:
    place = WithOwn(folder=tmp_path, cursor={"at": 1})
    place.own = source = Source(place)
    loaded: Json = {"sink_settings": {"tableOption": "autoCreate"}, "step": "Load"}
    for name in ("old.csv", "new.csv"):
        place.write(name, "x")
    first = place.copy(OWN, table("t"), **loaded)
    assert (source.given, first["cursor"]) == ({"at": 1}, {"at": 2})
    for name in ("old.csv", "new.csv"):
        place.write(name, "y")
    again = place.copy(OWN, table("t"), **loaded)
    assert again["cursor"] == {"at": 2}
    assert [(tmp_path / name).exists() for name in ("old.csv", "new.csv")] == [False, True]


def test_progress_tells_how_far_it_is(tree: Place) -> None:
    tree.copy(csv("in/a.csv"), files("Parquet", "out/a.parquet"))
    last = tree.reports[-1]
    assert {"rowsRead", "rowsCopied", "dataRead", "dataWritten", "filesRead", "throughput", "percent"} <= set(last)
    assert (last["percent"], last["secondsLeft"]) == (100.0, 0)
