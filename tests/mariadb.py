"""A MariaDB server for tests: started once for a process, on a socket of its own, thrown away at the end."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

pymysql: Any = pytest.importorskip("pymysql", reason="pymysql is not installed")

_LONGEST_S = 60


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Callable[[], dict[str, Any]]]:
    """Gives at each call the properties of a linked service: a database that nobody else uses.

    Skips where there is no MariaDB.
    """
    server = shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin")
    install = shutil.which("mariadb-install-db")
    if server is None or install is None:
        pytest.skip("there is no MariaDB server here: no mariadbd and mariadb-install-db in PATH")
    with tempfile.TemporaryDirectory(prefix="manara-my-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        user = _owner(folder)
        options = ["--no-defaults", f"--datadir={folder / 'data'}", *([f"--user={user}"] if user else [])]
        told = subprocess.run(
            [install, *options, "--auth-root-authentication-method=normal", "--skip-test-db"],
            capture_output=True,
            check=False,
        )
        assert told.returncode == 0, told.stderr.decode() + told.stdout.decode()
        path = folder / "socket"
        with (folder / "log").open("wb") as log, subprocess.Popen(
            [server, *options, "--skip-networking", f"--socket={path}", f"--pid-file={folder / 'pid'}",
             "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M", "--skip-log-bin"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        ) as process:  # fmt: skip
            try:
                _wait(process, path, folder / "log")
                yield _addresses(path)
            finally:
                process.kill()


def _owner(folder: Path) -> str:
    """Return who the server runs as: it does not like to be root, so that root lends it a user."""
    if os.getuid() != 0:
        return ""
    user = pwd.getpwnam("nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return user.pw_name


def _wait(process: "subprocess.Popen[bytes]", path: Path, log: Path) -> None:
    end = time.monotonic() + _LONGEST_S
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as probe:
        while probe.connect_ex(str(path)):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.02)


def _addresses(path: Path) -> Callable[[], dict[str, Any]]:
    number = count(1)

    def new() -> dict[str, Any]:
        name = f"test_{next(number)}"
        with pymysql.connect(unix_socket=str(path), user="root") as connection:
            connection.cursor().execute(f"create database {name} character set utf8mb4")
        return {"connectionString": f"Server=localhost;Database={name};UID=root;PWD=;Socket={path}"}

    return new
