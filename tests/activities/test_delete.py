import csv as csv_files
import os
from pathlib import Path
from typing import Any

import pytest
from tests.plugin_given import Json, Place, csv, files, table

from manara.errors import NotAllowed, WrongDefinition

TREE = ("in/a.csv", "in/b.txt", "in/deep/c.csv", "in/deep/deeper/d.csv", "other/e.csv")
LOG = {"enableLogging": True, "logStorageSettings": {"linkedServiceName": {"referenceName": "Files"}, "path": "logs"}}


@pytest.fixture
def tree(place: Place) -> Place:
    for path in TREE:
        place.write(path, "n\n1\n")
    os.utime(place.folder / "in/b.txt", (10, 10))
    return place


def _left(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _delete(place: Place, reference: Json, **properties: Any) -> Json:
    return place.run("Delete", {"dataset": reference, **properties})


@pytest.mark.parametrize(
    ("path", "settings", "gone"),
    [
        pytest.param("in/a.csv", {}, ["in/a.csv"], id="a file"),
        pytest.param("in/", {}, ["in/a.csv", "in/b.txt"], id="a folder, and not those in it unless told"),
        pytest.param("in/", {"recursive": True}, list(TREE[:4]), id="a folder with all it holds"),
        pytest.param("in/*.csv", {}, ["in/a.csv"], id="pattern in the dataset"),
        pytest.param("in/", {"wildcardFileName": "*.csv", "recursive": True}, [*TREE[:1], *TREE[2:4]], id="like"),
        pytest.param("in/", {"modifiedDatetimeEnd": "2001-01-01"}, ["in/b.txt"], id="old ones"),
        pytest.param("in/", {"prefix": "deep/"}, ["in/deep/c.csv"], id="prefix"),
        pytest.param("in/", {"fileListPath": "list.txt"}, ["in/deep/c.csv"], id="list"),
        pytest.param("nowhere/", {"recursive": True}, [], id="what is gone already"),
        pytest.param("in/nothing.csv", {}, [], id="a file that is gone already"),
    ],
)  # fmt: skip
def test_what_is_meant_is_deleted_and_nothing_else(tree: Place, path: str, settings: Json, gone: list[str]) -> None:
    tree.write("list.txt", "deep/c.csv\n")
    kept = sorted({*TREE, "list.txt"} - set(gone))
    for _ in range(2):
        output = _delete(tree, files("Binary", path), storeSettings=settings)
        assert _left(tree.folder) == kept
    assert output["filesDeleted"] == 0


def test_the_output_has_the_fields_of_adf(tree: Place) -> None:
    output = _delete(tree, files("Binary", "in/"), storeSettings={"recursive": True, "maxConcurrentConnections": 4})
    assert {"datasetName": "in/", "filesDeleted": 4, "recursive": True, "isWildcardUsed": False,
            "maxConcurrentConnections": 4}.items() <= output.items()  # fmt: skip
    assert not (tree.folder / "in").exists()


def test_the_root_of_a_store_and_its_containers_stay(tree: Place) -> None:
    reference = {"referenceName": "box", "type": "Binary",
                 "typeProperties": {"location": {"container": "in"}}}  # fmt: skip
    _delete(tree, reference, storeSettings={"recursive": True})
    assert (tree.folder / "in").is_dir()
    assert _left(tree.folder) == ["other/e.csv"]
    _delete(tree, files("Binary", "/"), storeSettings={"recursive": True})
    assert tree.folder.is_dir()


def test_the_datasets_of_rows_are_deleted_too(tree: Place) -> None:
    assert _delete(tree, csv("in/a.csv"))["filesDeleted"] == 1


def test_older_settings_beside_the_dataset_are_followed(tree: Place) -> None:
    assert _delete(tree, files("Binary", "in/"), recursive=True)["filesDeleted"] == 4


def test_a_log_names_what_was_deleted(tree: Place) -> None:
    output = _delete(tree, files("Binary", "in/"), storeSettings={"recursive": True}, **LOG)
    with (tree.folder / output["logPath"]).open(newline="") as file:
        rows = list(csv_files.reader(file))
    assert output["logPath"].startswith("logs/")
    assert rows[0] == ["Name", "Category", "Status", "Error"]
    assert rows[1:5] == [[path, "File", "Deleted", ""] for path in TREE[:4]]
    assert [row[:2] for row in rows[5:]] == [["in/deep/deeper", "Folder"], ["in/deep", "Folder"], ["in", "Folder"]]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may delete everywhere")
def test_what_cannot_be_deleted_is_told_after_the_rest_is_gone(tree: Place) -> None:
    (tree.folder / "in/deep").chmod(0o500)
    with pytest.raises(NotAllowed):
        _delete(tree, files("Binary", "in/"), storeSettings={"recursive": True}, **LOG)
    assert not (tree.folder / "in/a.csv").exists()


@pytest.mark.parametrize(
    ("properties", "says"),
    [
        pytest.param({}, "needs typeProperties.dataset", id="no dataset"),
        pytest.param({"dataset": table("t")}, "holds no files", id="a table"),
        pytest.param({"dataset": files("Binary", "in/"), "enableLogging": True}, "needs a linked service", id="no log"),
        pytest.param(
            {"dataset": files("Binary", "in/"), "storeSettings": {"maxConcurrentConnections": "many"}},
            "is a whole number", id="number",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_followed_deletes_nothing(tree: Place, properties: Json, says: str) -> None:
    with pytest.raises(WrongDefinition, match=says):
        tree.run("Delete", properties)
    assert _left(tree.folder) == sorted(TREE)
