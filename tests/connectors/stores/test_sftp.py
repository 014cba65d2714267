"""The files of an SSH server, on asyncssh."""

import base64
import socket
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.connectors.stores.below import Below, opened
from tests.connectors.stores.sftp_server import PASSWORD, USER, SftpPeer, sftp_serving

from manara.connectors.stores import pool
from manara.connectors.stores.remote import UNFINISHED
from manara.errors import ManaraError, NotAllowed, Transient, WrongDefinition
from manara.plugin.connection import Connection, Store
from manara.testing.suites import StoreSuite, fill, read


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SftpPeer]:
    with sftp_serving(tmp_path_factory.mktemp("sftp")) as server:
        yield server
        pool.drain_all()


class TestSftp(StoreSuite):
    type = "Sftp"

    @pytest.fixture
    def connection(self, tmp_path: Path, peer: SftpPeer) -> Connection:
        said = {"host": "127.0.0.1", "port": peer.port, "userName": USER, "password": PASSWORD}
        store = opened("Sftp", tmp_path, hostKeyFingerprint=peer.fingerprint, **said)
        return Below(store, f"suite-{uuid.uuid4().hex}/in here")


SECRET = {"type": "SecureString", "value": PASSWORD}
FORMS: dict[str, Callable[[SftpPeer, Path], dict[str, Any]]] = {
    "password": lambda peer, _: {"password": SECRET, "hostKeyFingerprint": peer.fingerprint},
    "fingerprint alone": lambda peer, _: {"password": SECRET, "hostKeyFingerprint": peer.fingerprint.split()[-1]},
    "md5 fingerprint": lambda peer, _: {"password": SECRET, "hostKeyFingerprint": peer.md5},
    "unchecked host": lambda _peer, _root: {"password": SECRET, "skipHostKeyValidation": True},
    "key": lambda peer, _: {
        "authenticationType": "SshPublicKey",
        "privateKeyContent": {"type": "SecureString", "value": peer.key},
        "passPhrase": SECRET,
        "skipHostKeyValidation": True,
    },
    "key file": lambda peer, root: {
        "authenticationType": "SshPublicKey",
        "privateKeyPath": key_file(peer, root),
        "passPhrase": SECRET,
        "skipHostKeyValidation": True,
    },
}


def key_file(peer: SftpPeer, root: Path) -> str:
    (root / "id").write_bytes(base64.b64decode(peer.key))
    return "id"


def store_on(peer: SftpPeer, root: Path, **said: Any) -> Store:
    return opened("Sftp", root, host="127.0.0.1", **{"port": peer.port, "userName": USER, **said})


@pytest.mark.parametrize("form", FORMS)
def test_a_server_is_opened_in_every_form(tmp_path: Path, peer: SftpPeer, form: str) -> None:
    store = store_on(peer, tmp_path, **FORMS[form](peer, tmp_path))
    fill(store, "forms/a.csv", b"1")
    assert read(store, "forms/a.csv") == b"1"


@pytest.mark.parametrize(
    "said",
    [
        {"password": "wrong", "skipHostKeyValidation": True},
        {"userName": "eve", "password": SECRET, "skipHostKeyValidation": True},
        {"password": SECRET, "hostKeyFingerprint": "ssh-ed25519 256 SHA256:abc"},
    ],
    ids=["password", "user", "another server"],
)
def test_who_may_not_is_told(tmp_path: Path, peer: SftpPeer, said: dict[str, Any]) -> None:
    with pytest.raises(NotAllowed) as raised:
        store_on(peer, tmp_path, **said).info("a.csv")
    assert PASSWORD not in str(raised.value)


@pytest.mark.parametrize(
    "said",
    [
        {"password": "x"},
        {"port": "many", "password": "x", "skipHostKeyValidation": True},
        {"skipHostKeyValidation": True},
        {"userName": "", "password": "x", "skipHostKeyValidation": True},
        {"privateKeyPath": "none", "skipHostKeyValidation": True},
        {"privateKeyContent": "bm8ga2V5", "skipHostKeyValidation": True},
    ],
    ids=["host unknown", "no port", "no key", "no user", "no file", "broken key"],
)
def test_what_opens_nothing_is_told(tmp_path: Path, peer: SftpPeer, said: dict[str, Any]) -> None:
    with pytest.raises(WrongDefinition):
        store_on(peer, tmp_path, **said).info("a.csv")


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    store = opened(
        "Sftp", tmp_path, host="127.0.0.1", port=port, userName="x", password=SECRET, skipHostKeyValidation=True
    )
    with pytest.raises(Transient, match="cannot be reached"):
        store.list("")


def test_a_line_that_was_lost_while_idle_is_replaced(tmp_path: Path, peer: SftpPeer) -> None:
    store = store_on(peer, tmp_path, password=SECRET, skipHostKeyValidation=True)
    fill(store, "idle/a.csv", b"1")
    peer.hang_up()
    assert read(store, "idle/a.csv") == b"1"


def test_many_threads_use_one_store(tmp_path: Path, peer: SftpPeer) -> None:
    store = store_on(peer, tmp_path, password=SECRET, skipHostKeyValidation=True)

    def round_trip(number: int) -> bytes:
        fill(store, f"threads/{number}", str(number).encode() * 70_000)
        return read(store, f"threads/{number}")

    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(round_trip, range(12))) == [str(number).encode() * 70_000 for number in range(12)]


def test_nothing_unfinished_is_seen_or_left(tmp_path: Path, peer: SftpPeer) -> None:
    store = store_on(peer, tmp_path, password=SECRET, skipHostKeyValidation=True)
    (peer.folder / "half").mkdir()
    (peer.folder / "half" / f"{UNFINISHED}1").write_bytes(b"1")
    fill(store, "half/taken/a.csv", b"1")
    with pytest.raises(ManaraError):
        fill(store, "half/taken", b"1")  # a folder, which a file cannot replace
    assert [info.name for info in store.list("half")] == ["taken"]
    assert [path.name for path in (peer.folder / "half").iterdir() if path.name != f"{UNFINISHED}1"] == ["taken"]
