"""The journal's database on a PostgreSQL server, shared by the workers of many machines."""

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import psycopg
from psycopg import errors, sql
from psycopg.conninfo import conninfo_to_dict

from manara.errors import Broken, ManaraError, NotAllowed, Transient, WrongDefinition
from manara.store.database import Row
from manara.store.queries import all_queries

SCHEMA_LOCK = 6_271_620_263
"""The number of the lock under which one process at a time changes the schema; any number, always the same."""

CONNECT_S = 10

_NAMED = re.compile(r"(?<![:\w]):(\w+)")


class Postgres:
    """A Database. Where the address names no schema (`?options=-csearch_path%3Dname`), it is the user's own."""

    dialect = "_postgres"

    def __init__(self, address: str) -> None:
        self.name = _without_secrets(address)
        self._sql = _statements()
        with self._translated():
            self._connection = psycopg.connect(
                address, autocommit=True, connect_timeout=CONNECT_S, application_name="manara"
            )

    def rows(self, query: str, **values: Any) -> Sequence[tuple[Any, ...]]:
        with self._translated():
            return self._connection.execute(self._sql[query], values).fetchall()

    def select(self, text: str, values: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
        with self._translated():
            return self._connection.execute(sql.SQL(_NAMED.sub(r"%(\1)s", text)), values).fetchall()

    def change(self, query: str, **values: Any) -> int:
        with self._translated():
            return self._connection.execute(self._sql[query], values).rowcount

    def append(self, events: Sequence[Row], cursors: Sequence[Mapping[str, str]], *, leased: str, worker: str) -> bool:
        """Insert events by one statement, which is one round trip and one transaction: it takes a column at a time.

        Where cursors are kept too, a transaction stands around them all.
        """
        if cursors:
            with self.transaction():
                holds = self.append(events, (), leased=leased, worker=worker)
                for cursor in cursors if holds else ():
                    self._connection.execute(self._sql["keep_cursor"], cursor)
                return holds
        names = ("run_id", "step", "kind", "at", "body")
        columns = {name: list(values) for name, values in zip(names, zip(*events, strict=True), strict=True)}
        values = {**columns, "leased": leased, "worker": worker}
        with self._translated():
            return self._connection.execute(self._sql["append"], values, prepare=True).rowcount == len(events)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        with self._translated(), self._connection.transaction():
            yield

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        with self.transaction():
            self._connection.execute("select pg_advisory_xact_lock(%s)", [SCHEMA_LOCK])
            yield

    def version(self) -> int:
        with self._translated():
            there = self._connection.execute("select to_regclass('journal_version')").fetchone()
            if there is None or there[0] is None:
                return 0
            found = self._connection.execute("select version from journal_version").fetchone()
            return int(found[0]) if found else 0

    def run_script(self, script: str, version: int) -> None:
        for statement in (
            script,
            "create table if not exists journal_version (version integer not null)",
            "delete from journal_version",
            sql.SQL("insert into journal_version values ({})").format(version),
        ):
            self._connection.execute(statement)

    def close(self) -> None:
        self._connection.close()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise _said_plainly(self.name, error) from error


@cache
def _statements() -> dict[str, sql.SQL]:
    ours = all_queries(Postgres.dialect)
    return {name: sql.SQL(_NAMED.sub(r"%(\1)s", text)) for name, text in ours.items()}


def _without_secrets(address: str) -> str:
    try:
        parts = conninfo_to_dict(address)
    except psycopg.ProgrammingError as error:
        raise WrongDefinition(
            "The address of the journal cannot be read.",
            where="setting store.journal",
            advice="Write it as postgresql://user:password@host:5432/database.",
        ) from error
    return f"postgresql://{parts.get('host', '')}/{parts.get('dbname', '')}"


def _said_plainly(where: str, error: psycopg.Error) -> ManaraError:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if isinstance(error, errors.InsufficientPrivilege):
        return NotAllowed(
            f"The journal cannot be used: {reason}.", where=where, advice="Give the user of store.journal the right."
        )
    if isinstance(error, errors.DiskFull):
        return Transient(f"The journal cannot be written: {reason}.", where=where, advice="Free some space.")
    if isinstance(error, psycopg.OperationalError):
        return Transient(
            f"The journal cannot be reached: {reason}.",
            where=where,
            advice="Check the server and the setting store.journal; a run that stopped goes on with: manara resume RUN",
        )
    return Broken(f"The journal failed: {reason}.", where=where)
