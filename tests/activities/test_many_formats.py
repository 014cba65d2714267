"""Lookup and GetMetadata over the formats, in a folder and on remote stores."""

import io
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import orc
from tests.azurite import Azurite, azurite
from tests.connectors.stores.below import opened
from tests.connectors.stores.conftest import s3_url
from tests.plugin_given import Json, Place, csv, files

from manara.errors import WrongDefinition
from manara.plugin.connection import Store
from manara.testing.suites import fill

fastavro = pytest.importorskip("fastavro", reason="fastavro is not installed")
xlsxwriter = pytest.importorskip("xlsxwriter", reason="xlsxwriter is not installed")
deltalake = pytest.importorskip("deltalake", reason="deltalake is not installed")
__all__ = ["azurite", "s3_url"]

ROWS = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
S3 = {"accessKeyId": "AKIDEXAMPLE", "secretAccessKey": {"type": "SecureString", "value": "hush"}}


def _book(path: Path) -> None:
    with xlsxwriter.Workbook(path) as book:
        page = book.add_worksheet("Data")
        for number, row in enumerate([["a", "b"], [1, "x"], [2, "y"]]):
            page.write_row(number, 0, row)


def _avro(path: Path) -> None:
    fields = [{"name": "a", "type": "long"}, {"name": "b", "type": "string"}]
    content = io.BytesIO()
    fastavro.writer(content, {"type": "record", "name": "r", "fields": fields}, ROWS)
    path.write_bytes(content.getvalue())


FORMATS: dict[str, tuple[Callable[[Path], Any], Json]] = {
    "Excel": (_book, files("Excel", "in/f", sheetName="Data", firstRowAsHeader=True)),
    "Avro": (_avro, files("Avro", "in/f")),
    "Orc": (lambda path: orc.write_table(pa.Table.from_pylist(ROWS), str(path)), files("Orc", "in/f")),
    "Delta": (lambda path: deltalake.write_deltalake(str(path), pa.Table.from_pylist(ROWS)), files("Delta", "in/f/")),
    "Json": (lambda path: path.write_text('[{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]'), files("Json", "in/f")),
    "Xml": (
        lambda path: path.write_text("<r><v><a>1</a><b>x</b></v><v><a>2</a><b>y</b></v></r>"),
        files("Xml", "in/f"),
    ),
}


@pytest.fixture(params=FORMATS)
def dataset(request: pytest.FixtureRequest, place: Place) -> Json:
    """Gives the reference of a file (of Delta a folder) with the two rows."""
    write, reference = FORMATS[request.param]
    (place.folder / "in").mkdir()
    write(place.folder / "in/f")
    return reference


def test_rows_are_looked_up_in_any_format(place: Place, dataset: Json) -> None:
    source = {"collectionReference": "$.r.v"} if dataset["type"] == "Xml" else {}
    properties = {"dataset": dataset, "source": {"type": "Source", **source}}
    rows = [{**row, "a": str(row["a"])} for row in ROWS] if dataset["type"] == "Excel" else ROWS  # all cells are text
    assert place.run("Lookup", properties) == {"firstRow": rows[0]}
    assert place.run("Lookup", {**properties, "firstRowOnly": False}) == {"count": 2, "value": rows}


def test_facts_are_told_of_any_format(place: Place, dataset: Json) -> None:
    facts = place.run("GetMetadata", {"dataset": dataset, "fieldList": ["exists", "itemType", "lastModified", "size"]})
    is_table = dataset["type"] == "Delta"
    assert (facts["exists"], facts["itemType"]) == (True, "Folder" if is_table else "File")
    assert is_table or facts["size"] == (place.folder / "in/f").stat().st_size
    asked = {"dataset": dataset, "fieldList": ["columnCount", "structure"]}
    if dataset["type"] in {"Json", "Xml"}:
        with pytest.raises(WrongDefinition, match=f"tells no columnCount of {dataset['type']}"):
            place.run("GetMetadata", asked)
        return
    told = place.run("GetMetadata", asked)
    assert (told["columnCount"], [column["name"] for column in told["structure"]]) == (2, ["a", "b"])


@pytest.mark.parametrize("kind", ["AzureBlobStorage", "AmazonS3"])
def test_files_of_remote_stores_are_looked_up_and_told_of(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    if kind == "AmazonS3":
        store = opened(kind, tmp_path, serviceUrl=request.getfixturevalue("s3_url"), **S3)
    else:
        emulator: Azurite = request.getfixturevalue("azurite")
        store = opened(kind, tmp_path, connectionString=emulator.connection_string)
    container = f"look-{uuid.uuid4().hex}"
    fill(store, f"{container}/in/a.csv", b"a,b\n1,x\n2,y\n")
    place = Far(folder=tmp_path, far=store)
    one = csv(f"{container}/in/a.csv")
    assert place.run("Lookup", {"dataset": one, "firstRowOnly": False})["value"][1] == {"a": "2", "b": "y"}
    facts = place.run("GetMetadata", {"dataset": one, "fieldList": ["exists", "size", "lastModified", "columnCount"]})
    assert (facts["exists"], facts["size"], facts["columnCount"]) == (True, 12, 2)
    assert facts["lastModified"].endswith("Z")
    folder = files("Binary", f"{container}/in/")
    assert place.run("GetMetadata", {"dataset": folder, "fieldList": ["childItems"]}) == {
        "childItems": [{"name": "a.csv", "type": "File"}]
    }
    absent = csv(f"{container}/in/none.csv")
    assert place.run("GetMetadata", {"dataset": absent, "fieldList": ["exists"]}) == {"exists": False}


class Far(Place):
    """A place whose files lie on a remote store."""

    def __init__(self, *, folder: Path, far: Store) -> None:
        super().__init__(folder=folder)
        self._far = far

    @property
    def store(self) -> Store:
        return self._far
