"""Every error that Manara raises, named by what the reader can do next.

    ManaraError
    ├── WrongDefinition      mend the definition, the parameter or the command
    │   ├── Faults           several of them at once
    │   └── WrongExpression  mend the expression; shows the text and a caret
    ├── NotAllowed           ask for the right
    ├── NotFound             give the thing that is missing
    │   └── SourceMissing    the file or folder that a copy should read
    ├── Conflict             somebody else holds it, or it exists already
    ├── Transient            try again
    ├── TimedOut             give it more time
    ├── BadRows              set them aside, carry on
    ├── Cancelled            somebody asked the run to stop
    └── Broken               our fault: report it

Each class fixes `code` (stable; ADF's where there is one), `status` (HTTP) and `retry` (whether trying again can help).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class ManaraError(Exception):
    """An error with what happened, where, and what to try.

    `where` names the place in the user's words (file and JSON path, pipeline and activity); `advice` is one sentence
    of advice. `code` may be given where ADF has a finer one than the class.
    """

    code: ClassVar[str] = "ManaraError"
    status: ClassVar[int] = 500
    retry: ClassVar[bool] = False

    def __init__(self, message: str, *, where: str = "", advice: str = "", code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.advice = advice
        self.error_code = code or type(self).code

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        advice = f" {self.advice}" if self.advice else ""
        return f"{where}{self.message}{advice}"

    def at(self, where: str) -> "ManaraError":
        """Return the error itself, with `where` put before the place that it names already."""
        self.where = f"{where}: {self.where}" if self.where else where
        return self


class WrongDefinition(ManaraError):
    code = "BadRequest"
    status = 400


class WrongExpression(WrongDefinition):
    code = "InvalidTemplate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong in a file: where, what, and what to try.

    `severity` is `error`, or `warning` for what runs here and would not be taken, or behave otherwise, in Azure.
    """

    file: str
    path: str
    message: str
    advice: str = ""
    severity: str = "error"

    def __str__(self) -> str:
        place = f"{self.file} {self.path}".strip()
        return f"{place}: {self.message}" + (f" {self.advice}" if self.advice else "")


class Faults(WrongDefinition):
    """All faults that a check found, at once."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        lines = "\n".join(f"  {fault}" for fault in faults)
        count = f"{len(faults)} fault" + ("s" if len(faults) != 1 else "")
        super().__init__(f"The factory has {count}:\n{lines}")
        self.faults = tuple(faults)


class NotAllowed(ManaraError):
    code = "AuthorizationFailed"
    status = 403


class NotFound(ManaraError):
    code = "NotFound"
    status = 404


class SourceMissing(NotFound):
    code = "UserErrorSourceBlobNotExist"


class Conflict(ManaraError):
    code = "Conflict"
    status = 409


class Transient(ManaraError):
    code = "Transient"
    status = 503
    retry = True


class TimedOut(ManaraError):
    code = "Timeout"
    status = 504
    retry = True


class BadRows(ManaraError):
    code = "UserErrorInvalidData"
    status = 422


class Cancelled(ManaraError):
    code = "Cancelled"
    status = 409


class Broken(ManaraError):
    code = "InternalError"
    status = 500
