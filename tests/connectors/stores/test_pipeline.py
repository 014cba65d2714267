"""A factory as it is in Azure, on stores that are not on this disk."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.azurite import Azurite
from tests.connectors.stores.below import opened
from tests.factories import act, factory_of, pipeline, write
from tests.web_server import Reply, serving

from manara.testing.suites import fill, read

Json = dict[str, Any]
S3_KEYS = {"accessKeyId": "AKIDEXAMPLE", "secretAccessKey": {"type": "SecureString", "value": "hush"}}
SOURCE: Json = {
    "type": "DelimitedTextSource",
    "storeSettings": {"type": "ReadSettings", "recursive": True, "wildcardFileName": "*.csv"},
}


@pytest.fixture(params=["AzureBlobStorage", "AzureBlobFS", "AmazonS3"])
def lake(request: pytest.FixtureRequest) -> tuple[str, Json, Callable[..., Json]]:
    """Gives a kind of store, the linked service's properties, and what makes a location in it."""
    kind: str = request.param
    container = f"lake-{kind.lower()}"
    if kind == "AmazonS3":
        properties: Json = {"serviceUrl": request.getfixturevalue("s3_url"), **S3_KEYS}
        named: Json = {"type": "AmazonS3Location", "bucketName": container}
    elif kind == "AzureBlobFS":
        azurite: Azurite = request.getfixturevalue("azurite")
        properties = {"url": azurite.blob, "accountKey": {"type": "SecureString", "value": azurite.key}}
        named = {"type": "AzureBlobFSLocation", "fileSystem": container}
    else:
        properties = {"connectionString": request.getfixturevalue("azurite").connection_string}
        named = {"type": "AzureBlobStorageLocation", "container": container}
    return kind, properties, lambda **more: {"location": {**named, **more}}


def test_files_are_copied_and_told(tmp_path: Path, lake: tuple[str, Json, Callable[..., Json]]) -> None:
    kind, properties, located = lake
    store, container = opened(kind, tmp_path, **properties), f"lake-{kind.lower()}"
    for name, text in (("a.csv", "name,n\nKabul,1\n"), ("deep/b.csv", "name,n\nHerat,2\nMazar,3\n"), ("c.txt", "no")):
        fill(store, f"{container}/in/{name}", text.encode())
    write(tmp_path, "linkedService", "Lake", {"type": kind, "typeProperties": properties})
    for name, form, where in (
        ("In", "DelimitedText", {**located(folderPath="in"), "firstRowAsHeader": True}),
        ("Out", "Parquet", located(folderPath="out/2024", fileName="all.parquet")),
    ):
        linked = {"referenceName": "Lake", "type": "LinkedServiceReference"}
        write(tmp_path, "dataset", name, {"type": form, "linkedServiceName": linked, "typeProperties": where})
    copy = act("Copy", "Copy", source=SOURCE, sink={"type": "ParquetSink"}, **ends("In", "Out"))
    look = act("Look", "GetMetadata", ["Copy"], dataset=reference("In"), fieldList=["childItems", "itemName", "exists"])
    factory = factory_of(tmp_path, load=pipeline(copy, look))
    run = factory.run("load")
    assert run.status == "Succeeded", run.activities
    assert run.activities["Look"].output["childItems"] == [
        {"name": "a.csv", "type": "File"},
        {"name": "c.txt", "type": "File"},
        {"name": "deep", "type": "Folder"},
    ]
    with store.open(f"{container}/out/2024/all.parquet") as file:
        assert {row["name"] for row in pq.read_table(file).to_pylist()} == {"Herat", "Kabul", "Mazar"}
    assert run.activities["Copy"].output["rowsCopied"] == 3


def test_the_older_types_copy_blobs(tmp_path: Path, azurite: Azurite) -> None:
    properties = {"connectionString": {"type": "SecureString", "value": azurite.connection_string}}
    store = opened("AzureStorage", tmp_path, **properties)
    fill(store, "older/in/a.csv", b"name,n\nKabul,1\n")
    write(tmp_path, "linkedService", "Blobs", {"type": "AzureStorage", "typeProperties": properties})
    form = {"type": "TextFormat", "columnDelimiter": ",", "firstRowAsHeader": True}
    for name, folder in (("In", "older/in"), ("Out", "older/out")):
        linked = {"referenceName": "Blobs", "type": "LinkedServiceReference"}
        where = {"folderPath": folder, "fileName": "a.csv", "format": form}
        write(tmp_path, "dataset", name, {"type": "AzureBlob", "linkedServiceName": linked, "typeProperties": where})
    copy = act("Copy", "Copy", source={"type": "BlobSource"}, sink={"type": "BlobSink"}, **ends("In", "Out"))
    run = factory_of(tmp_path, load=pipeline(copy)).run("load")
    assert run.status == "Succeeded", run.activities
    assert read(store, "older/out/a.csv").replace(b'"', b"").split() == [b"name,n", b"Kabul,1"]


@pytest.mark.parametrize("relative", [{"relativeUrl": "export?year=2024"}, {}], ids=["relative", "the address alone"])
def test_a_file_of_a_web_server_is_copied_and_asked_for_once(tmp_path: Path, relative: Json) -> None:
    with serving(Reply(text=b"name,n\nKabul,1\n")) as server:
        for name, kind, told in (
            ("Web", "HttpServer", {"url": f"{server.url}/data", "authenticationType": "Anonymous"}),
            ("Lake", "FileServer", {"host": "lake"}),
        ):
            write(tmp_path, "linkedService", name, {"type": kind, "typeProperties": told})
        at = {
            "In": {"type": "HttpServerLocation", **relative},
            "Out": {"type": "FileServerLocation", "fileName": "a.csv"},
        }
        for name, service in (("In", "Web"), ("Out", "Lake")):
            linked = {"referenceName": service, "type": "LinkedServiceReference"}
            where = {"location": at[name], "firstRowAsHeader": True}
            write(
                tmp_path,
                "dataset",
                name,
                {"type": "DelimitedText", "linkedServiceName": linked, "typeProperties": where},
            )
        settings = {
            "type": "HttpReadSettings",
            "requestMethod": "POST",
            "requestBody": "all",
            "additionalHeaders": "A: b",
        }
        source = {"type": "DelimitedTextSource", "storeSettings": settings}
        copy = act("Copy", "Copy", source=source, sink={"type": "DelimitedTextSink"}, **ends("In", "Out"))
        run = factory_of(tmp_path, load=pipeline(copy)).run("load")
    assert run.status == "Succeeded", run.activities
    assert (tmp_path / "lake" / "a.csv").read_text(encoding="utf-8").replace('"', "").split() == ["name,n", "Kabul,1"]
    (asked,) = server.asked
    assert (asked.method, asked.body, asked.headers["A"]) == ("POST", b"all", "b")
    assert asked.path == ("/data/export?year=2024" if relative else "/data")


def reference(name: str) -> Json:
    return {"referenceName": name, "type": "DatasetReference"}


def ends(source: str, sink: str) -> Json:
    return {"inputs": [reference(source)], "outputs": [reference(sink)]}
