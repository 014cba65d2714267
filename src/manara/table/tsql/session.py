"""What the statements of T-SQL know of their transaction and of what went wrong in it: TRY, THROW, @@TRANCOUNT."""

import platform
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa
from sqlglot import exp

from manara import clock
from manara.errors import BadRows, Cancelled, ManaraError, TimedOut, WrongDefinition
from manara.table.tsql.parts import shown

_STATED = re.compile(r"%[-+ #0]*\d*(?:\.\d+)?(?:l|h|I64)?([diosuxX%])")
_PROCEDURE = re.compile(r"procedure '([^']+)'")
_SEVERE = 16
_USER_ERROR = 50_000
_MOST_MESSAGE = 2_047


class Raised(ManaraError):
    """An error that a script raises itself, by THROW or RAISERROR."""

    code = "SqlOperationFailed"

    def __init__(self, message: str, *, number: int = _USER_ERROR, severity: int = _SEVERE, state: int = 1) -> None:
        super().__init__(message)
        self.number, self.severity, self.state = number, severity, state


@dataclass(slots=True, kw_only=True)
class Session:
    """One for a batch and all procedures that it calls.

    `moment` is when the statement that runs began.
    `opened` is @@TRANCOUNT, `fetched` @@FETCH_STATUS, `tries` how many TRY are around the statement. `caught` are the
    errors whose CATCH is at work, the innermost last. Where `is_broken`, the database takes no more statements before
    the step ends: those of a CATCH are `left_out`.
    """

    moment: datetime = field(default_factory=clock.now)
    opened: int = 0
    tries: int = 0
    caught: list[ManaraError] = field(default_factory=list)
    fetched: int = 0
    is_broken: bool = False
    is_rolled_back: bool = False
    left_out: list[str] = field(default_factory=list)
    _refused: ManaraError | None = None

    @contextmanager
    def asked(self, attempt: Callable[[], AbstractContextManager[None]] | None) -> Iterator[None]:
        """Remember what the database refuses in the `with` block; `attempt` takes a refused statement back."""
        try:
            with attempt() if attempt and self.tries else nullcontext():
                yield
        except ManaraError as error:
            self._refused = error
            self.is_broken = not (attempt and self.tries)
            raise

    def can_catch(self, error: ManaraError) -> bool:
        """Return whether CATCH is for an error: not for what cannot be translated, nor for the end of the time."""
        return isinstance(error, Raised) or (error is self._refused and not isinstance(error, TimedOut | Cancelled))

    def with_left_out(self, error: ManaraError) -> ManaraError:
        """Return the error that ends a CATCH with the statements that were not run in it."""
        if self.left_out:
            error.advice = f"{error.advice} Not run after the error: {'; '.join(map(shown, self.left_out))}.".strip()
            self.left_out.clear()
        return error

    def answered(self, tree: exp.Expression, number: int | None, procedure: str) -> exp.Expression:
        """Return the tree with the values of what the session itself knows.

        `number` is that of the last new row, and `procedure` the name of the one that is running, if one is.
        """
        return tree.transform(lambda node: self._answer(node, number, procedure))

    def _answer(self, node: exp.Expression, number: int | None, procedure: str) -> exp.Expression:
        is_counter = isinstance(node, exp.Parameter) and isinstance(node.this, exp.Parameter)
        if not is_counter and not isinstance(node, exp.Anonymous):
            return node
        name = node.this.name.upper() if is_counter else node.name.upper()
        named = exp.Literal.string(procedure) if procedure else exp.null()
        last = exp.null() if number is None else exp.Literal.number(number)
        is_own = [one.sql("tsql").upper() for one in node.expressions] == ["@@PROCID"]
        known: dict[str, exp.Expression] = {
            "IDENTITY": last,
            "SCOPE_IDENTITY": last,
            "OBJECT_NAME": named if is_own else node,
            "ERROR_PROCEDURE": _procedure_of(self.caught[-1], procedure) if self.caught else exp.null(),
            "SERVERNAME": exp.Literal.string(platform.node()),
            "FETCH_STATUS": exp.Literal.number(self.fetched),
            "TRANCOUNT": exp.Literal.number(self.opened),
            "XACT_STATE": exp.Literal.number(-1 if self.is_broken else min(self.opened, 1)),
        }
        asked = "ERROR_NUMBER" if name == "ERROR" else name
        return self._of_error(asked) if asked in _OF_ERRORS else known.get(name, node)

    def _of_error(self, name: str) -> exp.Expression:
        if not self.caught:
            return exp.Literal.number(0) if name == "ERROR_NUMBER" else exp.null()
        return _OF_ERRORS[name](self.caught[-1])


def _procedure_of(error: ManaraError, running: str) -> exp.Expression:
    """Return the name of the procedure in which an error has come up: one that was called, or the one that runs."""
    inner = _PROCEDURE.findall(error.where)
    name = str(inner[-1]).rpartition(".")[2] if inner else running
    return exp.Literal.string(name) if name else exp.null()


def _number(name: str, usual: int) -> Callable[[ManaraError], exp.Expression]:
    return lambda error: exp.Literal.number(int(getattr(error, name, usual)))


_OF_ERRORS: Mapping[str, Callable[[ManaraError], exp.Expression]] = {
    "ERROR_MESSAGE": lambda error: exp.Literal.string(error.message),
    "ERROR_NUMBER": _number("number", _USER_ERROR),
    "ERROR_SEVERITY": _number("severity", _SEVERE),
    "ERROR_STATE": _number("state", 1),
    "ERROR_LINE": lambda _error: exp.null(),
}
"""What a CATCH can ask of its error. The stand-in's own errors have no number of SQL Server's."""


def stated(message: str, values: Sequence[Any]) -> str:
    """Return the message of a RAISERROR with its values put in. Raises WrongDefinition where they do not fit.

    >>> stated("%d rows of %s, 100%%", [3, "Stock"])
    '3 rows of Stock, 100%'
    """
    left = list(values)

    def put(found: re.Match[str]) -> str:
        if found[1] == "%":
            return "%"
        value = left.pop(0)
        if value is None:
            return "(null)"
        spelt = found[0].replace("I64", "").replace("u", "d").replace("i", "d")
        return str(spelt % value)

    try:
        return _STATED.sub(put, message)[:_MOST_MESSAGE]
    except (IndexError, TypeError, ValueError) as error:
        raise WrongDefinition(f"The values do not fit the message of the RAISERROR: '{message}'.") from error


class Scratch:
    """A database without any table, for values that are needed when the real one takes no more statements."""

    def __init__(self) -> None:
        self._held = duckdb.connect(":memory:")

    def columns(self, table: exp.Table) -> dict[str, str]:  # noqa: ARG002 # there are none
        """Return nothing."""
        return {}

    def query(self, statement: str, parameters: Mapping[str, Any]) -> "pa.RecordBatchReader":
        """Return the rows of a query. Raises BadRows."""
        try:
            rows: pa.Table = self._held.sql(statement, params=dict(parameters)).to_arrow_table()
        except duckdb.Error as error:
            raise BadRows(f"A CATCH cannot compute a value: {str(error).splitlines()[0]}.") from error
        return rows.to_reader()


def fitted(rows: "pa.Table", wanted: "pa.Schema", text: str) -> "pa.Table":
    """Return rows with the names and types of other columns, by their places. Raises WrongDefinition, BadRows."""
    if len(rows.schema) != len(wanted):
        raise WrongDefinition(
            f"The call gives {len(rows.schema)} columns, and {len(wanted)} are to be filled: {shown(text)}."
        )
    try:
        return rows.rename_columns(wanted.names).cast(wanted)
    except pa.ArrowInvalid as error:
        raise BadRows(f"What the call gives does not fit: {error}. In: {shown(text)}") from error
