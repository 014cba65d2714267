"""The files of a share of Azure, on a small server of our own."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.connectors.stores.below import Below, opened
from tests.connectors.stores.share_server import ACCOUNT, share_serving

from manara.connectors.stores.azure_files import Share
from manara.connectors.stores.remote import RemoteStore
from manara.errors import NotAllowed, WrongDefinition
from manara.plugin.connection import Connection
from manara.testing.suites import StoreSuite, fill, read


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with share_serving(tmp_path_factory.mktemp("share")) as address:
        yield address


def keyed(url: str) -> dict[str, str]:
    return {"connectionString": f"AccountName={ACCOUNT};AccountKey=eA==;FileEndpoint={url}", "fileShare": "data"}


class TestAzureFileStorage(StoreSuite):
    type = "AzureFileStorage"

    @pytest.fixture
    def connection(self, tmp_path: Path, url: str) -> Connection:
        return Below(opened(self.type, tmp_path, **keyed(url)), f"suite-{uuid.uuid4().hex}/in here")


def test_a_signature_in_the_address_opens_it(tmp_path: Path, url: str) -> None:
    store = opened("AzureFileStorage", tmp_path, sasUri=f"{url}/?sv=2021&sig=hush", fileShare="signed")
    fill(store, "a/b.csv", b"1")
    assert read(store, "a/b.csv") == b"1"
    assert "hush" not in repr(store)


def test_the_older_form_is_understood(tmp_path: Path) -> None:
    host = "\\\\lake.file.core.windows.net\\data"
    store = opened("AzureFileStorage", tmp_path, host=host, userId="AZURE\\lake", password="eA==")  # noqa: S106
    assert isinstance(store, RemoteStore)
    assert store.remote.where == "https://lake.file.core.windows.net/data"


def test_a_list_goes_over_many_pages(tmp_path: Path, url: str) -> None:
    whole = opened("AzureFileStorage", tmp_path, **keyed(url))
    assert isinstance(whole, RemoteStore)
    assert isinstance(whole.remote, Share)
    store = RemoteStore(remote=replace(whole.remote, page=2))
    for name in "abcde":
        fill(store, f"pages/{name}", b"")
    assert [info.name for info in store.list("pages")] == list("abcde")


def test_a_share_that_is_missing_is_told(tmp_path: Path, url: str) -> None:
    assert opened("AzureFileStorage", tmp_path, **{**keyed(url), "fileShare": "none"}).info("a.csv") is None


def test_who_may_not_is_told(tmp_path: Path, url: str) -> None:
    store = opened("AzureFileStorage", tmp_path, serviceEndpoint=url, authenticationType="Anonymous", fileShare="data")
    with pytest.raises(NotAllowed):
        fill(store, "a.csv", b"1")


@pytest.mark.parametrize("properties", [{}, {"connectionString": "AccountName=a;AccountKey=eA=="}])
def test_what_opens_nothing_is_told(tmp_path: Path, properties: dict[str, Any]) -> None:
    with pytest.raises(WrongDefinition):
        opened("AzureFileStorage", tmp_path, **properties)
