"""What DuckDB says when something goes wrong, as errors of ours."""

import contextlib
import re
from collections.abc import Iterator

import duckdb

from manara.errors import BadRows, Conflict, ManaraError, NotAllowed, NotFound, Transient, WrongDefinition

_SHOWN = 300
_HOLDER = re.compile(r"Conflicting lock is held in (.+?)(?:\. See|\.?$)", re.MULTILINE)


@contextlib.contextmanager
def translated(statement: str = "", *, unless: type[duckdb.Error] | None = None) -> Iterator[None]:
    """Raise DuckDB's errors as ours, in a `with` block; `statement` is shown, shortened."""
    try:
        yield
    except duckdb.Error as error:
        if unless and isinstance(error, unless):
            raise
        raise translate(error, statement) from error


def translate(error: duckdb.Error, statement: str = "") -> ManaraError:
    """Return our error for one of DuckDB's: what it says, and the statement's line with a caret where it gives one."""
    text, _, rest = str(error).partition("\n")
    said = re.sub(r"^[A-Za-z ]*Error: ", "", text).rstrip(".!")
    message = f"{said[:1].upper()}{said[1:]}."
    place = rest.partition("LINE ")[2]
    excerpt = f"\n{_short('LINE ' + place)}\n" if place else f" In: {_short(statement)}" if statement else ""
    for kind, sign, ours, advice, code in _KINDS:
        if isinstance(error, kind) and sign in str(error).lower():
            return ours(f"{message}{excerpt}", advice=advice or _hint(rest), code=code)
    return ManaraError(f"{message}{excerpt}", advice=_hint(rest), code="UserErrorDuckDB")


def lock_holder(error: duckdb.Error) -> str:
    """Return who holds the file (program and process id), or nothing when the error is another one."""
    found = _HOLDER.search(str(error))
    return found.group(1) if found else "unknown" if "Could not set lock" in str(error) else ""


# The first that fits counts: DuckDB's class, a sign in its text, our class, advice (nothing: DuckDB's own), our code.
_KINDS: tuple[tuple[type[duckdb.Error], str, type[ManaraError], str, str], ...] = (
    (duckdb.Error, "no space left", ManaraError, "Free some space on the disk, and run it again.", "UserErrorDiskFull"),
    (duckdb.ParserException, "", WrongDefinition, "Mend the statement.", ""),
    (duckdb.CatalogException, "does not exist", NotFound, "", ""),
    (duckdb.CatalogException, "already exists", Conflict, "", ""),
    (duckdb.CatalogException, "", WrongDefinition, "", ""),
    (duckdb.BinderException, "", WrongDefinition, "", ""),
    (duckdb.TransactionException, "", Transient, "Another step changed the same rows; try again.", ""),
    (
        duckdb.ConstraintException,
        "duplicate key",
        Conflict,
        "Write with upsert and its keys, or leave the row out.",
        "",
    ),
    (duckdb.ConstraintException, "", BadRows, "Mend the rows, or the table's rules.", ""),
    (duckdb.ConversionException, "", BadRows, "Mend the value, or give the column another type.", ""),
    (duckdb.OutOfRangeException, "", BadRows, "Mend the value, or give the column a wider type.", ""),
    (
        duckdb.OutOfMemoryException,
        "",
        ManaraError,
        "Raise memoryLimit on the linked service, or load less at once.",
        "",
    ),
    (duckdb.PermissionException, "", NotAllowed, "Change the file's rights.", ""),
    (duckdb.IOException, "not a valid duckdb", WrongDefinition, "Point the linked service at another file.", ""),
    (duckdb.IOException, "permission denied", NotAllowed, "Change the file's rights.", ""),
    (duckdb.IOException, "", Transient, "Look whether the disk can be reached.", ""),
    (duckdb.InvalidInputException, "", WrongDefinition, "", ""),
    (duckdb.NotImplementedException, "", WrongDefinition, "", ""),
)


def _hint(rest: str) -> str:
    """Return what DuckDB proposes (`Did you mean "facts"?`), without the statement."""
    return " ".join(rest.partition("LINE ")[0].split())


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 4] + " ..."
