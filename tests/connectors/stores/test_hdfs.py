"""The files of a Hadoop cluster, on a small WebHDFS of our own."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.connectors.stores.below import Below, opened
from tests.connectors.stores.hdfs_server import hdfs_serving

from manara.errors import NotAllowed, WrongDefinition
from manara.plugin.connection import Connection
from manara.testing.suites import StoreSuite


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with hdfs_serving(tmp_path_factory.mktemp("hdfs")) as address:
        yield address


class TestHdfs(StoreSuite):
    type = "Hdfs"

    @pytest.fixture
    def connection(self, tmp_path: Path, url: str) -> Connection:
        return Below(opened("Hdfs", tmp_path, url=url, userName="hive"), f"suite-{uuid.uuid4().hex}/in here")


def test_who_may_not_is_told(tmp_path: Path, url: str) -> None:
    with pytest.raises(NotAllowed, match="AccessControlException Permission denied"):
        opened("Hdfs", tmp_path, url=url, userName="eve").list("in")


@pytest.mark.parametrize(
    "properties",
    [{}, {"url": "hdfs://node:8020"}, {"url": "http://node:9870", "authenticationType": "Windows"}],
    ids=["no address", "another protocol", "kerberos"],
)
def test_what_cannot_be_opened_is_told(tmp_path: Path, properties: dict[str, str]) -> None:
    with pytest.raises(WrongDefinition):
        opened("Hdfs", tmp_path, **properties)
