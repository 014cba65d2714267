"""A PostgreSQL server for tests: started once for a process, on a socket of its own, thrown away at the end."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql

OPTIONS = "-c listen_addresses= -c max_connections=50 -c shared_buffers=32MB"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[], str]]:
    """Gives a new address at each call: a schema that nobody else uses. Skips where there is no PostgreSQL."""
    programs = find_programs()
    if programs is None:
        pytest.skip("there is no PostgreSQL server here: no initdb in PATH, by pg_config or in /usr/lib/postgresql")
    with tempfile.TemporaryDirectory(prefix="manara-pg-", ignore_cleanup_errors=True) as folder:
        server = Server(programs, Path(folder))
        server.start()
        try:
            yield server.new_address
        finally:
            server.stop()


def find_programs() -> Path | None:
    """Return the folder of PostgreSQL's programs."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    if config := shutil.which("pg_config"):
        told = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=True)
        folders.append(Path(told.stdout.strip()))
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "pg_ctl").exists()), None)


class Server:
    """A server whose data and socket lie in the folder. It does not run as root, so that root lends it a user.

    Unless it `is_durable`, it forgets what it committed when the machine loses power, and is faster.
    """

    def __init__(self, programs: Path, folder: Path, *, is_durable: bool = False) -> None:
        self.programs = programs
        self.options = f"{OPTIONS} -c fsync={'on' if is_durable else 'off'} -k {folder}"
        self.folder = folder
        self._number = count(1)

    def start(self) -> None:
        if os.getuid() == 0:
            user = pwd.getpwnam("nobody")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        self._run("initdb", "--no-locale", "--encoding=UTF8", "--username=manara", "--auth=trust", "--no-sync")
        self._run("pg_ctl", "--silent", "--wait", "-o", self.options, "--log", str(self.folder / "log"), "start")

    def stop(self) -> None:
        self._run("pg_ctl", "--silent", "--mode=immediate", "stop")

    def new_address(self) -> str:
        schema = f"test_{next(self._number)}"
        whole = f"postgresql://manara@/postgres?host={quote(str(self.folder), safe='')}"
        with psycopg.connect(whole, autocommit=True) as connection:
            connection.execute(sql.SQL("create schema {}").format(sql.Identifier(schema)))
        return f"{whole}&options={quote(f'-csearch_path={schema}')}"

    def _run(self, program: str, *words: str) -> None:
        lent: dict[str, Any] = {"user": "nobody", "extra_groups": []} if os.getuid() == 0 else {}
        told = subprocess.run(
            [self.programs / program, "--pgdata", str(self.folder / "data"), *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            check=False,
            **lent,
        )
        assert told.returncode == 0, told.stderr.decode()
