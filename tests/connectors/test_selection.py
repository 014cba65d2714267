import os
from typing import Any

import pytest
from tests.plugin_given import Json, Place, csv, files

from manara.connectors.selection import source_files
from manara.errors import BadRows, Conflict, ManaraError, NotAllowed, SourceMissing, WrongDefinition
from manara.plugin.dataset import DatasetGiven, Tally

TREE = (
    "box/2024/01/a.csv", "box/2024/01/b.txt", "box/2024/02/a.csv", "box/2025/01/a.csv", "box/stock.csv",
    "box/stock1.csv", "box/stock12.csv", "box/a*b.csv", "box/a{b}.csv", "box/[x].csv",
)  # fmt: skip


@pytest.fixture
def tree(place: Place) -> Place:
    for path in TREE:
        place.write(path, "n\n1\n")
    return place


def _chosen(place: Place, where: Json, settings: Json) -> list[str]:
    given = DatasetGiven(name="x", type="Binary", properties={"location": where}, connection=place.store)
    return [file.relative for file in source_files(given, {"storeSettings": settings})]


BOX = {"container": "box"}


@pytest.mark.parametrize(
    ("where", "settings", "names"),
    [
        pytest.param(BOX, {"wildcardFileName": "stock?.csv"}, ["stock.csv", "stock1.csv"], id="? is one or none"),
        pytest.param(BOX, {"wildcardFileName": "a^*b.csv"}, ["a*b.csv"], id="^ escapes"),
        pytest.param(BOX, {"wildcardFileName": "a{b}.csv"}, ["a{b}.csv"], id="braces are letters"),
        pytest.param(BOX, {"wildcardFileName": "[x].csv"}, ["[x].csv"], id="brackets are letters"),
        pytest.param({**BOX, "fileName": "stock?.csv"}, {}, ["stock.csv", "stock1.csv"], id="pattern in the dataset"),
        pytest.param({**BOX, "fileName": "a*b.csv"}, {}, ["a*b.csv"], id="a name that looks like a pattern"),
        pytest.param({**BOX, "fileName": "a^*b.csv"}, {}, ["a*b.csv"], id="an escaped name"),
        pytest.param(
            BOX, {"wildcardFolderPath": "**/01", "wildcardFileName": "*.csv"},
            ["2024/01/a.csv", "2025/01/a.csv"], id="any folders",
        ),
        pytest.param(
            BOX, {"wildcardFolderPath": "2024/*", "wildcardFileName": "a.*"}, ["01/a.csv", "02/a.csv"], id="folders"
        ),
        pytest.param(BOX, {"prefix": "2024/0"}, ["01/a.csv", "01/b.txt", "02/a.csv"], id="prefix within a folder"),
        pytest.param(BOX, {"prefix": "stock1"}, ["stock1.csv", "stock12.csv"], id="prefix of names"),
        pytest.param({**BOX, "folderPath": "2024"}, {"prefix": "02"}, ["02/a.csv"], id="prefix below the folder"),
        pytest.param({"bucketName": "box", "folderPath": "2025/01"}, {}, ["a.csv"], id="bucket"),
        pytest.param({"fileSystem": "box", "folderPath": "2025/01"}, {}, ["a.csv"], id="file system"),
        pytest.param({"relativeUrl": "box/2025/01/a.csv"}, {}, ["box/2025/01/a.csv"], id="address"),
    ],
)  # fmt: skip
def test_files_are_chosen(tree: Place, where: Json, settings: Json, names: list[str]) -> None:
    assert _chosen(tree, where, settings) == names


def test_a_list_names_the_files(tree: Place) -> None:
    tree.write("lists/today.txt", "\ufeff2024/01/a.csv\r\n\r\n  stock.csv\r\n2024\\02\\a.csv\n")
    names = _chosen(tree, BOX, {"fileListPath": "lists/today.txt"})
    assert names == ["2024/01/a.csv", "stock.csv", "2024/02/a.csv"]


@pytest.mark.parametrize(
    ("content", "error", "says"),
    [
        pytest.param("2024/01/a.csv\n2024/01/c.csv\n", SourceMissing, "the list 'list.txt'.*01/c.csv'", id="gone"),
        pytest.param("../secret\n", NotAllowed, "which leaves the folder", id="outside"),
        pytest.param("\n \n", SourceMissing, "names no file", id="empty"),
    ],
)  # fmt: skip
def test_a_list_that_cannot_be_followed_is_told(tree: Place, content: str, error: type[ManaraError], says: str) -> None:
    tree.write("list.txt", content)
    with pytest.raises(error, match=says):
        _chosen(tree, BOX, {"fileListPath": "list.txt"})


@pytest.mark.parametrize(
    ("start", "end", "names"),
    [
        ("2001-01-01T00:00:00Z", None, ["new.csv"]),
        (None, "2001-01-01T00:00:00Z", ["old.csv"]),
        ("1970-01-02T00:00:00Z", "1970-01-03T00:00:00Z", []),
        ("1970-01-01T00:00:10Z", "1970-01-01T00:00:11", ["old.csv"]),
    ],
)
def test_files_are_chosen_by_the_time_of_their_change(
    place: Place, start: str | None, end: str | None, names: list[str]
) -> None:
    for name in ("new.csv", "old.csv"):
        place.write(f"in/{name}", "n\n1\n")
    os.utime(place.folder / "in/old.csv", (10, 10))
    wanted = {"modifiedDatetimeStart": start, "modifiedDatetimeEnd": end}
    assert _chosen(place, {"folderPath": "in"}, wanted) == names


def test_a_copy_without_a_new_file_is_no_error(place: Place) -> None:
    place.write("in/a.csv", "n\n1\n")
    late = {"storeSettings": {"modifiedDatetimeStart": "2199-01-01T00:00:00Z"}}
    assert place.copy(csv("in/"), files("Parquet", "out.parquet"), source_settings=late)["rowsCopied"] == 0
    assert place.copy(files("Binary", "in/"), files("Binary", "out/"), source_settings=late)["filesWritten"] == 0


PARTS = ("lake/year=2024/month=01/a.csv", "lake/year=2024/month=02/b.csv")
FOUND = {"storeSettings": {"enablePartitionDiscovery": True}}


@pytest.mark.parametrize(
    ("path", "settings", "more"),
    [
        pytest.param("lake/", {}, [{"year": "2024", "month": "01"}, {"year": "2024", "month": "02"}], id="folder"),
        pytest.param(
            "lake/", {"partitionRootPath": "lake/year=2024"}, [{"month": "01"}, {"month": "02"}], id="root"
        ),
        pytest.param(
            "lake/", {"wildcardFolderPath": "lake/year=*"},
            [{"year": "2024", "month": "01"}, {"year": "2024", "month": "02"}], id="before the first wildcard",
        ),
        pytest.param(
            "lake/", {"fileListPath": "list.txt"}, [{"year": "2024", "month": "01"}], id="list",
        ),
    ],
)  # fmt: skip
def test_folders_become_columns(place: Place, path: str, settings: Json, more: list[Json]) -> None:
    for number, part in enumerate(PARTS):
        place.write(part, f"n\n{number}\n")
    place.write("list.txt", "year=2024/month=01/a.csv\n")
    rows = place.read(csv(path), storeSettings={"enablePartitionDiscovery": True, **settings}).to_pylist()
    assert rows == [{"n": str(number), **columns} for number, columns in enumerate(more)]


@pytest.mark.parametrize(
    ("paths", "settings", "error", "says"),
    [
        pytest.param(["n=1/a.csv"], {}, Conflict, "'n' is a partition and also a column", id="same name"),
        pytest.param(["x=1/a.csv", "y=1/b.csv"], {}, BadRows, r"partitions are \['y'\]", id="different"),
        pytest.param(["x=1/a.csv"], {"partitionRootPath": "else"}, WrongDefinition, "does not lie in", id="elsewhere"),
    ],
)
def test_partitions_that_do_not_fit_are_told(
    place: Place, paths: list[str], settings: Json, error: type[ManaraError], says: str
) -> None:
    for path in paths:
        place.write(f"lake/{path}", "n\n1\n")
    with pytest.raises(error, match=says):
        place.read(csv("lake/"), storeSettings={"enablePartitionDiscovery": True, **settings})


def test_a_version_of_an_object_is_refused_and_not_forgotten(tree: Place) -> None:
    with pytest.raises(WrongDefinition, match=r"asks for version 'x7'"):
        _chosen(tree, {**BOX, "fileName": "stock.csv", "version": "x7"}, {})


def test_what_is_expected_is_told_before_it_is_read(tree: Place) -> None:
    tally: Any = Tally()
    tree.dataset(files("Binary", "box/")).read({}, tally)
    assert tally.data_expected == 4 * len(TREE)
