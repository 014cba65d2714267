"""What killed processes left unfinished on a server is taken away when something is written beside it, a day later."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from tests.connectors.stores.below import opened
from tests.connectors.stores.hdfs_server import hdfs_serving
from tests.connectors.stores.share_server import ACCOUNT, share_serving
from tests.connectors.stores.test_ftp import ftp_serving
from tests.connectors.stores.test_ftp import store_on as on_ftp

from manara.connectors.stores.remote import UNFINISHED, RemoteStore
from manara.plugin.connection import Store
from manara.testing.suites import fill


@contextmanager
def sftp(folder: Path) -> Iterator[Store]:
    pytest.importorskip("paramiko", reason="paramiko is not installed")
    server = pytest.importorskip("tests.connectors.stores.sftp_server", reason="asyncssh is not installed")
    with server.sftp_serving(folder) as peer:
        said = {"userName": server.USER, "password": server.PASSWORD, "skipHostKeyValidation": True}
        yield opened("Sftp", folder, host="127.0.0.1", port=peer.port, **said)


@contextmanager
def ftp(folder: Path) -> Iterator[Store]:
    with ftp_serving(folder) as server:
        yield on_ftp(server, folder)


@contextmanager
def hdfs(folder: Path) -> Iterator[Store]:
    with hdfs_serving(folder) as url:
        yield opened("Hdfs", folder, url=url, userName="hive")


@contextmanager
def share(folder: Path) -> Iterator[Store]:
    with share_serving(folder) as url:
        said = {"connectionString": f"AccountName={ACCOUNT};AccountKey=eA==;FileEndpoint={url}", "fileShare": "data"}
        yield opened("AzureFileStorage", folder, **said)


@pytest.mark.parametrize("serving", [sftp, ftp, hdfs, share], ids=lambda serving: serving.__name__)
def test_what_a_killed_process_left_is_swept_after_a_day(
    tmp_path: Path, serving: Callable[[Path], AbstractContextManager[Store]]
) -> None:
    with serving(tmp_path) as store:
        fill(store, "deep/a.csv", b"1")
        (folder,) = (path.parent for path in tmp_path.rglob("a.csv"))
        old, new = folder / f"{UNFINISHED}1", folder / f"{UNFINISHED}2"
        for left in (old, new):
            left.write_bytes(b"half")
        os.utime(old, (1_600_000_000, 1_600_000_000))
        assert isinstance(store, RemoteStore)
        store.swept.clear()  # as in a later process
        fill(store, "deep/b.csv", b"2")
        assert sorted(path.name for path in folder.iterdir()) == [new.name, "a.csv", "b.csv"]
