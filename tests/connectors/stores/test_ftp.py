"""The files of an FTP server, on pyftpdlib."""

import socket
import threading
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.certificates import pem_of
from tests.connectors.stores.below import Below, opened

from manara.connectors.stores import pool
from manara.connectors.stores.ftp import _line
from manara.errors import NotAllowed, Transient
from manara.plugin.connection import Connection, Store
from manara.testing.suites import StoreSuite, fill, read

with warnings.catch_warnings():  # it loads what Python 3.11 calls deprecated, and brings it along for later ones
    warnings.simplefilter("ignore")
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import FTPHandler, TLS_FTPHandler
    from pyftpdlib.ioloop import IOLoop
    from pyftpdlib.servers import FTPServer


SECRET = {"type": "SecureString", "value": "open sesame"}


@dataclass(frozen=True, kw_only=True)
class FtpPeer:
    """A running server; it can close all its lines."""

    port: int
    hang_up: Callable[[], None]


@contextmanager
def ftp_serving(folder: Path, *, without: tuple[str, ...] = (), secure: bool = False) -> Iterator[FtpPeer]:
    """Run a server for the length of the `with` block; it does not know the commands in `without`."""
    authorizer = DummyAuthorizer()
    authorizer.add_user("bob", "open sesame", str(folder), perm="elradfmwMT")
    commands = {name: what for name, what in FTPHandler.proto_cmds.items() if name not in without}
    more: dict[str, Any] = {"proto_cmds": commands}
    if secure:
        (folder.parent / "server.pem").write_text(pem_of("server"), encoding="ascii")
        more = {"certfile": str(folder.parent / "server.pem"), "tls_control_required": True, "tls_data_required": True}
    kind = TLS_FTPHandler if secure else FTPHandler
    handler = type("Handler", (kind,), {"authorizer": authorizer, "auth_failed_timeout": 0, **more})
    server = FTPServer(("127.0.0.1", 0), handler, ioloop=IOLoop())
    stop, hangs_up, hung_up = (threading.Event() for _ in range(3))

    def hang_up() -> None:
        hung_up.clear()
        hangs_up.set()
        assert hung_up.wait(30)

    def serve() -> None:
        while not stop.is_set():
            server.serve_forever(timeout=0.02, blocking=False, handle_exit=False)
            if hangs_up.is_set():
                hangs_up.clear()
                for line in list(server.ioloop.socket_map.values()):
                    if line is not server:
                        line.close()
                hung_up.set()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield FtpPeer(port=server.address[1], hang_up=hang_up)
    finally:
        pool.drain_all()
        stop.set()
        thread.join()
        server.close_all()


def store_on(server: FtpPeer, root: Path) -> Store:
    said = {"userName": "bob", "password": SECRET, "enableSsl": False}
    return opened("FtpServer", root, host="127.0.0.1", port=server.port, **said)


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FtpPeer]:
    with ftp_serving(tmp_path_factory.mktemp("ftp")) as server:
        yield server


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FtpPeer]:
    """As vsftpd and IIS are: without listings for machines."""
    with ftp_serving(tmp_path_factory.mktemp("ftp"), without=("MLSD", "MLST")) as server:
        yield server


class TestFtpServer(StoreSuite):
    type = "FtpServer"

    @pytest.fixture
    def connection(self, tmp_path: Path, new: FtpPeer) -> Connection:
        return Below(store_on(new, tmp_path), f"suite-{uuid.uuid4().hex}/in here")


class TestFtpServerOfOld(StoreSuite):
    type = "FtpServer"

    @pytest.fixture
    def connection(self, tmp_path: Path, old: FtpPeer) -> Connection:
        return Below(store_on(old, tmp_path), f"suite-{uuid.uuid4().hex}/in here")


def test_a_line_that_was_lost_while_idle_is_replaced(tmp_path: Path) -> None:
    with ftp_serving(tmp_path) as server:
        store = store_on(server, tmp_path)
        fill(store, "a.csv", b"1")
        server.hang_up()
        assert read(store, "a.csv") == b"1"


def test_a_download_that_breaks_goes_on_where_it_was(tmp_path: Path) -> None:
    content = bytes(range(256)) * 100_000
    (tmp_path / "a.bin").write_bytes(content)
    with ftp_serving(tmp_path) as server, store_on(server, tmp_path).open("a.bin") as file:
        head = file.read(100_000)
        server.hang_up()
        assert head + file.read() == content


@pytest.mark.parametrize("without", [(), ("MLSD", "MLST")], ids=["MLSD", "LIST"])
def test_a_file_that_is_read_after_a_list_keeps_the_ends_of_its_lines(tmp_path: Path, without: tuple[str, ...]) -> None:
    with ftp_serving(tmp_path, without=without) as server:
        store = store_on(server, tmp_path)
        fill(store, "in/a.csv", b"a\nb\r\nc\n")
        assert [info.size_bytes for info in store.list("in")] == [7]
        assert read(store, "in/a.csv") == b"a\nb\r\nc\n"


def test_a_file_can_be_read_in_any_order(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(bytes(range(256)) * 1000)
    with ftp_serving(tmp_path) as server, store_on(server, tmp_path).open("a.bin") as file:
        assert [file.seek(-1, 2), file.read(), file.seek(1), file.read(2)] == [255_999, b"\xff", 1, b"\x01\x02"]


def test_a_file_that_is_not_read_to_its_end_can_be_left(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(bytes(20 << 20))
    with ftp_serving(tmp_path) as server:
        store = store_on(server, tmp_path)
        for _ in range(3):
            with store.open("a.bin") as file:
                assert file.read(10) == bytes(10)
        assert [info.name for info in store.list("")] == ["a.bin"]


def test_who_may_not_is_told(tmp_path: Path) -> None:
    said = {"userName": "bob", "password": "wrong word", "enableSsl": False}
    with ftp_serving(tmp_path) as server, pytest.raises(NotAllowed) as raised:
        opened("FtpServer", tmp_path, host="127.0.0.1", port=server.port, **said).list("")
    assert "wrong word" not in str(raised.value)


def test_a_server_without_tls_is_not_spoken_to_openly(tmp_path: Path) -> None:
    with ftp_serving(tmp_path) as server, pytest.raises(NotAllowed, match="enableSsl"):
        opened("FtpServer", tmp_path, host="127.0.0.1", port=server.port, userName="bob", password="p").list("")  # noqa: S106


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Transient, match="cannot be reached"):
        opened("FtpServer", tmp_path, host="127.0.0.1", port=port, enableSsl=False).list("")


@pytest.mark.parametrize(
    ("line", "kind", "size", "at", "name"),
    [
        ("-rw-r--r--   1 ftp  ftp   1234 Mar  5  2023 a b.csv", "-", 1234, "2023-03-05T00:00:00", "a b.csv"),
        ("drwxr-xr-x   2 0    0     4096 Dec 31  1999 in", "d", 4096, "1999-12-31T00:00:00", "in"),
        ("lrwxrwxrwx   1 ftp  ftp      5 Jan  1  2024 now -> in/x", "l", 5, "2024-01-01T00:00:00", "now -> in/x"),
        ("03-05-23  02:30PM                 1234 a b.csv", "-", 1234, "2023-03-05T14:30:00", "a b.csv"),
        ("12-31-1999  12:05AM       <DIR>          in", "d", 0, "1999-12-31T00:05:00", "in"),
        ("total 5", "", 0, "1970-01-01T00:00:00", ""),
    ],
    ids=["unix", "folder", "link", "windows", "windows folder", "no entry"],
)
def test_a_line_of_a_list_for_people_is_read(line: str, kind: str, size: int, at: str, name: str) -> None:
    told = _line(line)
    assert (told[0], told[1], told[2].replace(tzinfo=None).isoformat(), told[3]) == (kind, size, at, name)


def test_a_secure_server_is_written_and_read(tmp_path: Path) -> None:
    with ftp_serving(tmp_path, secure=True) as server:
        said = {"userName": "bob", "password": SECRET, "enableServerCertificateValidation": False}
        store = opened("FtpServer", tmp_path, host="127.0.0.1", port=server.port, **said)
        fill(store, "in/a.bin", bytes(3 << 20))
        assert read(store, "in/a.bin") == bytes(3 << 20)
        assert [info.name for info in store.list("in")] == ["a.bin"]


def test_a_server_that_nobody_vouches_for_is_not_believed(tmp_path: Path) -> None:
    with ftp_serving(tmp_path, secure=True) as server, pytest.raises(NotAllowed, match="certificate"):
        opened("FtpServer", tmp_path, host="127.0.0.1", port=server.port, userName="bob", password=SECRET).list("")
