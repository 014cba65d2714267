import gzip
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.plugin_given import Json, Place, files

from manara.errors import WrongDefinition


def _old(kind: str, **properties: Any) -> Json:
    return {"referenceName": "old", "type": kind, "typeProperties": properties}


TEXT = {"type": "TextFormat", "firstRowAsHeader": True}


@pytest.mark.parametrize(
    "kind", ["AzureBlob", "AzureBlobFSFile", "AzureDataLakeStoreFile", "FileShare", "AmazonS3Object", "HttpFile"]
)
def test_an_older_dataset_is_read_by_its_format(place: Place, kind: str) -> None:
    place.write("box/in/a.csv", "a,b\n1,\\N\n")
    where = {"folderPath": "box/in", "fileName": "a.csv"}
    if kind == "AmazonS3Object":
        where = {"bucketName": "box", "key": "in/a.csv"}
    if kind == "HttpFile":
        where = {"relativeUrl": "box/in/a.csv"}
    assert place.read(_old(kind, format=TEXT, **where)).to_pylist() == [{"a": "1", "b": None}]


@pytest.mark.parametrize(
    ("text", "told", "gives"),
    [
        pytest.param('a\n"x"\n', {}, '"x"', id="quotes mean nothing unless told"),
        pytest.param('a\n"x"\n', {"quoteChar": '"'}, "x", id="quotes"),
        pytest.param("a\nNaN\n", {"NullValue": "NaN"}, None, id="null in its odd spelling"),
        pytest.param("note\na\nx\n", {"skipLineCount": 1}, "x", id="lines before the header"),
    ],
)
def test_text_is_read_with_the_older_defaults(place: Place, text: str, told: Json, gives: str | None) -> None:
    place.write("in/a.csv", text)
    dataset = _old("AzureBlob", folderPath="in", fileName="a.csv", format={**TEXT, **told})
    assert place.read(dataset).to_pylist() == [{"a": gives}]


def test_settings_beside_the_source_are_followed(place: Place) -> None:
    for path in ("in/a.csv", "in/b.txt", "in/deep/c.csv"):
        place.write(path, f"note\na\n{path}\n")
    dataset = _old("AzureBlob", folderPath="in", fileName="*.csv", format=TEXT)
    rows = place.read(dataset, skipHeaderLineCount=1, recursive=False)
    assert rows.to_pylist() == [{"a": "in/a.csv"}]
    assert place.read(dataset, skipHeaderLineCount=1).num_rows == 2


def test_an_older_copy_of_rows_goes_through(place: Place) -> None:
    place.write("in/a.csv.gz", gzip.compress(b"a\n1\n"))
    source = _old("AzureBlob", folderPath="in", format=TEXT, compression={"type": "GZip", "level": "Optimal"})
    sink = _old("FileShare", folderPath="out", fileName="a.parquet", format={"type": "ParquetFormat"})
    settings = {"source": {"type": "BlobSource", "recursive": True}, "sink": {"type": "FileSystemSink"}}
    output = place.run("Copy", settings, [source], [sink])
    assert output["rowsCopied"] == 1
    assert pq.read_table(place.folder / "out/a.parquet").to_pylist() == [{"a": "1"}]


def test_without_a_format_files_are_copied_as_they_are(place: Place) -> None:
    place.write("in/x/a.bin", b"\0\1")
    output = place.run(
        "Copy",
        {"source": {"type": "BlobSource", "recursive": True},
         "sink": {"type": "BlobSink", "copyBehavior": "PreserveHierarchy"}},
        [_old("AzureBlob", folderPath="in")],
        [_old("AzureBlob", folderPath="out")],
    )  # fmt: skip
    assert (place.folder / "out/x/a.bin").read_bytes() == b"\0\1"
    assert output["filesWritten"] == 1
    assert "rowsCopied" not in output


def test_the_paths_of_older_json_name_the_columns(place: Place) -> None:
    place.write("in/a.json", '{"id": "01", "lines": [{"p": "p1"}, {"p": "p2"}]}')
    told = {"type": "JsonFormat", "jsonNodeReference": "$.lines", "jsonPathDefinition": {"order": "$.id", "prod": "p"}}
    dataset = _old("AzureBlob", folderPath="in", fileName="a.json", format=told)
    assert place.read(dataset).to_pylist() == [{"order": "01", "prod": "p1"}, {"order": "01", "prod": "p2"}]


def test_an_unknown_format_is_told(place: Place) -> None:
    with pytest.raises(WrongDefinition, match=r"no format 'TextFormt'. Did you mean 'TextFormat'"):
        place.read(_old("AzureBlob", folderPath="in", format={"type": "TextFormt"}))


def test_the_facts_of_older_files_are_told(place: Place) -> None:
    place.write("in/a.csv", "a\n1\n")
    assert place.dataset(_old("FileShare", folderPath="in", fileName="a.csv")).metadata(["size"]) == {"size": 4}
    assert place.dataset(files("Binary", "in/a.csv")).metadata(["size"]) == {"size": 4}
