import base64
import hashlib
from typing import Any

import pytest
from tests.plugin_given import Json, Place, csv, files

from manara.errors import SourceMissing, WrongDefinition

TREE = ("in/2024/a.csv", "in/2024/b.txt", "in/2025/c.csv", "in/top.csv", "in/[x].csv")


@pytest.fixture
def tree(place: Place) -> Place:
    for path in TREE:
        place.write(path, "n\n1\n")
    return place


@pytest.mark.parametrize(
    ("path", "settings", "found"),
    [
        pytest.param("in/", {}, ["2024/a.csv", "2024/b.txt", "2025/c.csv", "[x].csv", "top.csv"], id="all"),
        pytest.param("in/", {"recursive": False}, ["[x].csv", "top.csv"], id="not below"),
        pytest.param("in/", {"wildcardFileName": "*.csv", "recursive": "false"}, ["[x].csv", "top.csv"], id="star"),
        pytest.param("in/", {"wildcardFileName": "?.csv"}, ["2024/a.csv", "2025/c.csv"], id="question mark"),
        pytest.param("in/", {"wildcardFileName": "[x].csv"}, ["[x].csv"], id="brackets are letters"),
        pytest.param("in/top.csv", {"wildcardFileName": "a.*"}, ["2024/a.csv"], id="pattern before name"),
        pytest.param(
            "in/", {"wildcardFolderPath": "in/202?"}, ["2024/a.csv", "2024/b.txt", "2025/c.csv"], id="folders"
        ),
        pytest.param("in/", {"wildcardFolderPath": "2025", "wildcardFileName": "*"}, ["c.csv"], id="folder below"),
        pytest.param("in/top.csv", {}, ["top.csv"], id="one file"),
    ],
)
def test_a_location_means_files(tree: Place, path: str, settings: Json, found: list[str]) -> None:
    columns = [{"name": "path", "value": "$$FILEPATH"}]
    table = tree.read(csv(path), storeSettings=settings, additionalColumns=columns)
    assert table["path"].to_pylist() == found


@pytest.mark.parametrize(
    ("path", "settings", "says"),
    [
        pytest.param("in/tpo.csv", {}, "no file 'in/tpo.csv'. Did you mean 'top.csv'", id="near name"),
        pytest.param("nowhere/a.csv", {}, "folder 'nowhere' is not there", id="no folder"),
        pytest.param("nowhere/", {}, "no file 'nowhere'", id="no folder to list"),
        pytest.param("in/", {"wildcardFileName": "*.xml"}, r"no file like '\*.xml' to read in 'in'", id="no match"),
    ],
)
def test_nothing_to_read_is_an_error(tree: Place, path: str, settings: Json, says: str) -> None:
    with pytest.raises(SourceMissing, match=says):
        tree.read(csv(path), storeSettings=settings)


def test_columns_are_added(tree: Place) -> None:
    values = {"file": "$$FILEPATH", "twin": "$$COLUMN:n", "text": "2024"}
    columns = [{"name": name, "value": value} for name, value in values.items()]
    rows = tree.read(csv("in/top.csv"), additionalColumns=columns).to_pylist()
    assert rows == [{"n": "1", "file": "top.csv", "twin": "1", "text": "2024"}]
    with pytest.raises(WrongDefinition, match="column 'm', which the source does not have"):
        tree.read(csv("in/top.csv"), additionalColumns=[{"name": "x", "value": "$$COLUMN:m"}])


@pytest.mark.parametrize(
    ("reference", "fields", "facts"),
    [
        pytest.param(files("Binary", "no.csv"), ["exists", "size"], {"exists": False}, id="missing"),
        pytest.param(
            files("Binary", "in/"),
            ["exists", "itemName", "itemType", "childItems", "size"],
            {
                "exists": True,
                "itemName": "in",
                "itemType": "Folder",
                "childItems": [
                    {"name": "2024", "type": "Folder"},
                    {"name": "2025", "type": "Folder"},
                    {"name": "[x].csv", "type": "File"},
                    {"name": "top.csv", "type": "File"},
                ],
            },
            id="folder",
        ),
        pytest.param(
            csv("in/top.csv"),
            ["size", "contentMD5", "structure", "columnCount", "itemType"],
            {
                "size": 4,
                "contentMD5": base64.b64encode(hashlib.md5(b"n\n1\n", usedforsecurity=False).digest()).decode(),
                "structure": [{"name": "n", "type": "String"}],
                "columnCount": 1,
                "itemType": "File",
            },
            id="file",
        ),
    ],
)
def test_facts_are_told(tree: Place, reference: Json, fields: list[str], facts: dict[str, Any]) -> None:
    assert tree.dataset(reference).metadata(fields) == facts


def test_a_file_without_a_name_gets_one_from_run_and_step(tree: Place) -> None:
    merged = {"storeSettings": {"copyBehavior": "MergeFiles"}}
    for step in ("Load[0]", "Load[0]", "Load[1]"):
        tree.copy(csv("in/"), files("Parquet", "out/"), sink_settings=merged, step=step)
    names = [entry.name for entry in tree.store.list("out")]
    assert len(names) == 2
    assert all(name.startswith("data_") and name.endswith(".parquet") for name in names)


def test_a_container_is_a_folder(tree: Place) -> None:
    location = {"type": "AzureBlobFSLocation", "fileSystem": "in", "folderPath": "2024", "fileName": "a.csv"}
    reference = {"type": "DelimitedText", "typeProperties": {"location": location}, "referenceName": "x"}
    assert tree.read(reference).num_rows == 2
