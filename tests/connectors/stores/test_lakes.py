"""Delta tables on remote stores: Azurite's blobs, and S3 as moto plays it."""

import re
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.azurite import Azurite
from tests.connectors.stores.below import opened
from tests.web_server import Reply, serving

from manara.errors import ManaraError, NotAllowed, WrongDefinition
from manara.plugin.connection import Mark, Store
from manara.plugin.dataset import DATASETS, Dataset, DatasetGiven, Tally

pytest.importorskip("deltalake", reason="deltalake is not installed")

S3 = {"accessKeyId": "AKIDEXAMPLE", "secretAccessKey": {"type": "SecureString", "value": "hush"}}
KINDS = ["AzureBlobStorage", "AzureBlobFS", "AmazonS3", "AmazonS3Compatible"]


@pytest.fixture(scope="module")
def s3_apart() -> Iterator[str]:
    """Gives the address of an S3 in a process of its own: Delta holds Python's lock while it asks."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        found = (re.search(r"Running on (http://\S+)", line) for line in process.stdout)
        address = next(match[1] for match in found if match)
        draining = threading.Thread(target=process.stdout.read, daemon=True)
        draining.start()
        yield address
        process.kill()
        draining.join()


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Gives an opened store of each kind."""
    kind = str(request.param)
    if kind.startswith("AmazonS3"):
        return opened(kind, tmp_path, serviceUrl=request.getfixturevalue("s3_apart"), **S3)
    azurite: Azurite = request.getfixturevalue("azurite")
    monkeypatch.setenv("AZURITE_BLOB_STORAGE_URL", azurite.blob.rpartition("/")[0])
    if kind == "AzureBlobStorage":
        return opened(kind, tmp_path, connectionString=azurite.connection_string)
    return opened(kind, tmp_path, url=azurite.blob, accountKey={"type": "SecureString", "value": azurite.key})


@pytest.fixture
def lake(store: Store) -> Dataset:
    """Gives a table that is not there yet, in a container that is not there either."""
    return _table(store, f"lake-{uuid.uuid4().hex}")


def _table(store: Store, container: str) -> Dataset:
    location = {"container": container, "folderPath": "in/stock"}
    given = DatasetGiven(name="lake", type="Delta", properties={"location": location}, connection=store)
    return DATASETS.find("Delta")(given)


def _write(lake: Dataset, step: str, *values: int, **sink: Any) -> Tally:
    tally = Tally()
    rows = pa.table({"k": list(values), "t": [f"n{value}" for value in values]}).to_reader()
    lake.write(sink, rows, Mark(run_id="run", step=step, attempt=1), tally)
    return tally


def _keys(lake: Dataset, **settings: Any) -> list[int]:
    return sorted(int(row["k"]) for row in lake.read(settings, Tally()).read_all().to_pylist())


def test_a_table_is_made_read_and_written_again(lake: Dataset) -> None:
    assert lake.metadata(["exists"]) == {"exists": False}
    _write(lake, "One", 1, 2)
    _write(lake, "Two", 3)
    assert _keys(lake) == [1, 2, 3]
    assert _keys(lake, versionAsOf=0) == [1, 2]
    _write(lake, "Three", 3, 4, writeBehavior="upsert", upsertSettings={"keys": ["k"]})
    assert _keys(lake) == [1, 2, 3, 4]
    assert lake.metadata(["exists", "columnCount", "itemType"]) == {
        "exists": True, "columnCount": 2, "itemType": "Folder"
    }  # fmt: skip


def test_a_step_that_is_tried_again_loads_once(lake: Dataset) -> None:
    assert [_write(lake, "One", 1, 2).rows_copied for _ in range(2)] == [2, 2]
    assert _keys(lake) == [1, 2]


def test_of_commits_at_once_none_is_lost(lake: Dataset) -> None:
    _write(lake, "First", 0)
    failed: list[BaseException] = []

    def write(number: int) -> None:
        try:
            _write(lake, f"Step{number}", number)
        except ManaraError as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(_keys(lake)), failed) == (5, [])


def test_a_store_that_writes_over_is_refused(tmp_path: Path) -> None:
    with serving(Reply(status=200)) as careless:
        store = opened("AmazonS3Compatible", tmp_path, serviceUrl=careless.url, **S3)
        with pytest.raises(WrongDefinition, match=r"second writer.*If-None-Match"):
            store.lake("lake/stock", writes=True)  # type: ignore[attr-defined]


def test_an_emulator_that_would_be_taken_for_another_is_refused(tmp_path: Path, azurite: Azurite) -> None:
    store = opened("AzureBlobStorage", tmp_path, connectionString=azurite.connection_string)
    with pytest.raises(WrongDefinition, match="AZURITE_BLOB_STORAGE_URL"):
        _write(_table(store, "lake"), "One", 1)


def test_a_folder_with_a_name_that_is_written_in_two_ways_is_refused(store: Store) -> None:
    with pytest.raises(WrongDefinition, match="Rename the folder"):
        store.lake("lake/my stock")  # type: ignore[attr-defined]


def test_a_wrong_key_is_told_without_it(tmp_path: Path, azurite: Azurite) -> None:
    key = azurite.key[:20] + "A" + azurite.key[21:]
    store = opened("AzureBlobFS", tmp_path, url=azurite.blob, accountKey={"type": "SecureString", "value": key})
    with pytest.raises(NotAllowed) as caught:
        _keys(_table(store, "lake"))
    assert key not in f"{caught.value}{caught.value.__cause__}"


def test_a_store_of_another_kind_holds_no_tables(tmp_path: Path) -> None:
    store = opened("HttpServer", tmp_path, url="http://127.0.0.1:9/", authenticationType="Anonymous")
    with pytest.raises(WrongDefinition, match="Delta"):
        _table(store, "lake").metadata(["exists"])
