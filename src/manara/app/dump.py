"""PostgreSQL databases in a backup: what PostgreSQL's own pg_dump writes of them, and pg_restore reads back.

It needs the extra `postgres`, and is imported only where a database goes along.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from manara.app.backup import JOURNAL, in_postgres
from manara.connectors.databases.postgres import PostgresDatabase
from manara.connectors.databases.postgres_errors import translated
from manara.errors import Conflict, NotFound, WrongDefinition

if TYPE_CHECKING:
    from manara.app import Factory

_SEARCH_PATH = re.compile(r"-c\s*search_path=(\S+)")
_COUNT = """
select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and (cardinality(%(schemas)s::text[]) = 0 or n.nspname = any(%(schemas)s))
"""


def address_of(factory: "Factory", name: str) -> str:
    """Return the address of the journal, or of a linked service. Raises WrongDefinition where it is no PostgreSQL."""
    known = in_postgres(factory)
    if name not in known:
        raise WrongDefinition(
            f"'{name}' is no PostgreSQL database of the factory.",
            advice=f"Known are: {', '.join(known)}." if known else "It has none.",
        )
    if name == JOURNAL:
        return factory.settings.store_journal
    database = factory.connect(name)
    assert isinstance(database, PostgresDatabase)  # noqa: S101 # as its type says
    return database.address


@contextmanager
def dumped(address: str, name: str) -> Iterator[IO[bytes]]:
    """Give what pg_dump writes of a database (of its schemas, where the address names some), as of one moment.

    Raises Conflict at the end where pg_dump has failed: what was read is no dump then.
    """
    patterns = [f'--schema="{schema}"' for schema in schemas_of(address)]  # without quotes it would be a pattern
    command = [
        _program("pg_dump"), "--format=custom", "--compress=0", "--no-owner", "--no-privileges",
        f"--dbname={_public(address)}", *patterns,
    ]  # fmt: skip
    with tempfile.TemporaryFile() as said:
        # Where nobody reads on, the pipe is closed, and pg_dump ends by itself.
        with subprocess.Popen(  # noqa: S603 # PostgreSQL's own program
            command, stdout=subprocess.PIPE, stderr=said, env=_environment(address)
        ) as running:
            assert running.stdout is not None  # noqa: S101 # as was asked for
            yield running.stdout
        said.seek(0)
        told = said.read().decode(errors="replace")
    if running.returncode:
        raise Conflict(f"pg_dump cannot read '{name}': {_first_line(told)}.", advice="The backup was not made.")


def load_dump(address: str, file: Path, name: str) -> int:
    """Bring a dump into its database, all of it or nothing, and return how many tables and views there are then.

    Raises NotFound where there is no dump, and Conflict for a database (or schema) that holds anything.
    """
    if not file.is_file():
        raise NotFound(f"There is no dump of '{name}'.", where=str(file), advice="manara restore brings one along.")
    schemas = schemas_of(address)
    with translated(), psycopg.connect(address, autocommit=True) as connection:
        if _count(connection, schemas):
            raise Conflict(
                f"The database of '{name}' is not empty.", where=", ".join(schemas) or "the whole database",
                advice="Let the linked service name a new one: nothing is restored over anything.",
            )  # fmt: skip
        for schema in schemas:
            connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(schema)))
    command = [
        _program("pg_restore"), "--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges",
        f"--dbname={_public(address)}", *(f"--schema={schema}" for schema in schemas), str(file),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, env=_environment(address), check=False)  # noqa: S603 # PostgreSQL's own program
    if done.returncode:
        told = _first_line(done.stderr.decode(errors="replace"))
        raise Conflict(f"The dump of '{name}' cannot be loaded: {told}.", advice="Nothing of it was.")
    with translated(), psycopg.connect(address, autocommit=True) as connection:
        return _count(connection, schemas)


def _count(connection: psycopg.Connection[tuple[int]], schemas: list[str]) -> int:
    row = connection.execute(_COUNT, {"schemas": schemas}).fetchone()
    return int(row[0]) if row else 0


def _program(name: str) -> str:
    """Return the path of a program of PostgreSQL, the newest that there is."""
    places = [str(folder) for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)]
    found = shutil.which(name, path=os.pathsep.join([*places, os.environ.get("PATH", "")]))
    if found is None:
        raise WrongDefinition(
            f"There is no {name} on this machine.", advice="Install PostgreSQL's client, as new as the server."
        )
    return found


def _version(folder: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", folder.parent.name))


def schemas_of(address: str) -> list[str]:
    """Return the schemas that an address names; none where it means the whole database."""
    found = _SEARCH_PATH.search(str(conninfo_to_dict(address).get("options") or ""))
    named = [name.strip('"') for name in found[1].split(",")] if found else []
    return [] if "$user" in named else named


def _public(address: str) -> str:
    """Return the address without its password: other users see what a program is called with."""
    told = {key: value for key, value in conninfo_to_dict(address).items() if key != "password" and value is not None}
    return make_conninfo("", **told)


def _environment(address: str) -> dict[str, str]:
    password = conninfo_to_dict(address).get("password")
    return os.environ | ({"PGPASSWORD": str(password)} if password else {})


def _first_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0].removeprefix("pg_dump: error: ").removeprefix("pg_restore: error: ") if lines else "it says nothing"
