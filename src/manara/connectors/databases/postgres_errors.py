"""What PostgreSQL says when something goes wrong, as errors of ours."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import adbc_driver_manager as adbc
import psycopg

from manara.errors import BadRows, Conflict, ManaraError, NotAllowed, NotFound, TimedOut, Transient, WrongDefinition
from manara.registry import near
from manara.secret import masked

_SHOWN = 300
_RELATION = re.compile(r'relation "(?:[^"]*\.)?([^".]+)" does not exist')

Kind = tuple[type[ManaraError], str, str]

_RIGHTS: Kind = (NotAllowed, "Check the user, the password and the rights.", "")
_MISSING: Kind = (NotFound, "Look at the name, and at the schema that it lies in.", "")
_LATER: Kind = (Transient, "Look whether the server can be reached, and try again.", "")
_AGAIN: Kind = (Transient, "Somebody else changed the same rows; try again.", "")

# By the longest beginning of the SQLSTATE: our class, advice, our code.
_STATES: dict[str, Kind] = {
    "08": _LATER,
    "22": (BadRows, "Mend the value, or give the column another type.", ""),
    "23": (BadRows, "Mend the rows, or the table's rules.", ""),
    "23505": (Conflict, "Write with upsert and its keys, or leave the row out.", ""),
    "28": _RIGHTS,
    "3D": _MISSING,
    "3F": _MISSING,
    "40": _AGAIN,
    "42": (WrongDefinition, "Mend the statement.", ""),
    "42501": _RIGHTS,
    "42883": (WrongDefinition, "Look at the function's name and the types of its arguments.", ""),
    "42P01": _MISSING,
    "42P07": (Conflict, "Drop it, or take another name.", ""),
    "42710": (Conflict, "Drop it, or take another name.", ""),
    "53": _LATER,
    "53100": (ManaraError, "Free some space on the server's disk, and run it again.", "UserErrorDiskFull"),
    "55": _AGAIN,
    "57014": (TimedOut, "Give it a longer queryTimeout, or ask for less.", ""),
    "57": _LATER,
    "58": _LATER,
    "0A": (WrongDefinition, "Mend the statement.", ""),
    "25": (WrongDefinition, "Leave out what cannot stand in a transaction.", ""),
}
_WORDS: tuple[tuple[str, Kind], ...] = (
    ("statement timeout", _STATES["57014"]),
    ("server closed the connection", _LATER),
    ("terminating connection", _LATER),
    ("could not connect", _LATER),
    ("division by zero", _STATES["22"]),
    ("out of range", _STATES["22"]),
    ("overflow", _STATES["22"]),
    ("invalid input syntax", _STATES["22"]),
    ("no space left", _STATES["53100"]),
    ("password authentication failed", _RIGHTS),
    ("no password supplied", _RIGHTS),
    ("no pg_hba.conf entry", _RIGHTS),
    ("permission denied", _RIGHTS),
    ("role ", _RIGHTS),
    ("database ", _MISSING),
)


@contextlib.contextmanager
def translated(statement: str = "", connection: Any = None) -> Iterator[None]:
    """Raise PostgreSQL's errors as ours, in a `with` block; `statement` is shown, shortened.

    With a connection, a table that is missing is answered with near names.
    """
    try:
        yield
    except (psycopg.Error, adbc.Error) as error:
        raise translate(error, statement, connection) from error


def translate(error: Exception, statement: str = "", connection: Any = None) -> ManaraError:
    """Return our error for one of the drivers'."""
    state, text = str(getattr(error, "sqlstate", "") or ""), _said(error)
    message = f"PostgreSQL says: {text[:1].upper()}{text[1:1500]}."
    if statement:
        message += f" In: {_short(statement)}"
    found = next((_STATES[state[:length]] for length in range(len(state), 1, -1) if state[:length] in _STATES), None)
    if found is None:
        found = next((kind for word, kind in _WORDS if word in text.lower()), None)
    if found is None and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError | adbc.OperationalError):
        found = _LATER
    if found is None:
        return ManaraError(message, code="UserErrorPostgreSQL")
    kind, advice, code = found
    if missing := _RELATION.search(text):
        advice = _near(missing.group(1), connection) or advice
    return kind(message, advice=advice, code=code)


def _said(error: Exception) -> str:
    diagnosed = getattr(error, "diag", None)
    primary = getattr(diagnosed, "message_primary", None)
    if diagnosed is not None and primary:
        return (
            " ".join(part.rstrip(".") for part in (f"{primary}.", diagnosed.message_detail or "")).strip().rstrip(".")
        )
    text = masked(str(error))
    found = re.search(r"ERROR:\s+(.*?)(?:\n|$)", text)
    return " ".join((found.group(1) if found else text).split()).rstrip(".")


def _near(name: str, connection: Any) -> str:
    """Return the names of tables that resemble the missing one, asked on a new connection: this one has failed."""
    if connection is None or connection.closed:
        return ""
    with contextlib.suppress(psycopg.Error), psycopg.connect(_address(connection), autocommit=True) as other:
        rows = other.execute("select tablename::text from pg_tables where schemaname = any(current_schemas(false))")
        names = [str(row[0]) for row in rows.fetchall() if not str(row[0]).startswith("manara_")]
        return near(name, names) if names else ""
    return ""


def _address(connection: Any) -> str:
    words = connection.info.get_parameters()
    if connection.info.password:
        words["password"] = connection.info.password
    return psycopg.conninfo.make_conninfo("", **words)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 4]} ..."
