"""What a database's driver says when something goes wrong, as errors of ours."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from manara.errors import BadRows, Conflict, ManaraError, NotAllowed, NotFound, Transient, WrongDefinition
from manara.secret import masked

_SHOWN = 300

Kind = tuple[type[ManaraError], str]

MISSING: Kind = (NotFound, "Look at the name, and at the schema that it lies in.")
WRONG: Kind = (WrongDefinition, "Mend the statement.")
TWICE: Kind = (Conflict, "Write with upsert and its keys, or leave the row out.")
THERE: Kind = (Conflict, "It is there already: drop it, or take another name.")
ROWS: Kind = (BadRows, "Mend the rows, or the table's rules.")
VALUE: Kind = (BadRows, "Mend the value, or give the column another type.")
RIGHTS: Kind = (NotAllowed, "Check the user, the password and the rights.")
LATER: Kind = (Transient, "Look whether the server can be reached, and try again.")
BUSY: Kind = (Transient, "Somebody else changed the same rows; try again.")
DRIVER: Kind = (
    WrongDefinition,
    "Look at the driver's name in the connection string, and whether it is installed.",
)
FULL: Kind = (ManaraError, "Make room on the server, and run it again.")

SQLSTATES: Mapping[str, Kind] = {
    "08": LATER,
    "22": VALUE,
    "23": ROWS,
    "23505": TWICE,
    "25": BUSY,
    "28": RIGHTS,
    "3D": MISSING,
    "40": BUSY,
    "42": WRONG,
    "42501": RIGHTS,
    "42P01": MISSING,
    "42P07": THERE,
    "42S01": THERE,
    "42S02": MISSING,
    "53": FULL,
    "57": LATER,
    "HYT": LATER,
    "IM": DRIVER,
}
"""The classes of SQLSTATE (ISO 9075) and the states of ODBC and PostgreSQL that say more."""

WORDS: Mapping[str, Kind] = {
    "no such table": MISSING,
    "invalid object name": MISSING,
    "syntax error": WRONG,
    "no such column": WRONG,
    "unique constraint": TWICE,
    "duplicate key": TWICE,
    "constraint failed": ROWS,
    "database is locked": BUSY,
    "deadlock": BUSY,
    "already exists": THERE,
    "already an object": THERE,
    "login failed": RIGHTS,
    "can't open lib": DRIVER,
    "connect failed": LATER,
    "unable to establish connection": LATER,
}
"""What drivers say in words where they give no state, or one that says less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """The errors of one driver.

    `base` is the class of them all; `signs` gives what tells one from another (numbers, SQLSTATEs, words), the most
    exact first; `kinds` says what each means, by its whole sign or else by the longest beginning of it. `text` gives
    what the database said. `code` is told where no sign is known.
    """

    base: tuple[type[Exception], ...]
    signs: Callable[[Exception], list[str]]
    text: Callable[[Exception], str]
    kinds: Mapping[str, Kind]
    code: str
    server: str

    @contextmanager
    def translated(self, statement: str = "") -> Iterator[None]:
        """Raise the driver's errors as ours, in a `with` block; `statement` is shown, shortened."""
        try:
            yield
        except self.base as error:
            raise self.translate(error, statement) from error

    def translate(self, error: Exception, statement: str = "") -> ManaraError:
        """Return our error for one of the driver's."""
        said = " ".join(masked(self.text(error)).split()).rstrip(".!")
        message = f"{self.server} says: {said[:1].upper()}{said[1:1500]}."
        if statement:
            message += f" In: {_short(statement)}"
        found = self._kind(error)
        if found is None:
            return ManaraError(message, code=self.code)
        kind, advice = found
        return kind(message, advice=advice)

    def _kind(self, error: Exception) -> Kind | None:
        for sign in self.signs(error):
            for length in range(len(sign), 1, -1):
                if sign[:length] in self.kinds:
                    return self.kinds[sign[:length]]
        return None


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 4]} ..."


def words_in(text: str) -> list[str]:
    """Return the known words that a driver's text holds, as signs of what went wrong."""
    folded = text.lower()
    return [word for word in WORDS if word in folded]
