"""What the management API answers with: a status, headers and JSON; errors in the form that Azure's clients read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from manara.errors import ManaraError


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer: `body` is JSON, or None for an empty one."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Problem(Exception):
    """An error answer, with Azure's code; `target` names the resource, `details` are errors of the same form."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        target: str | None = None,
        details: Sequence[Mapping[str, Any]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.target = target
        self.details = details
        self.headers = headers or {}

    def answer(self) -> Answer:
        """Return the problem as an answer."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.target is not None:
            error["target"] = self.target
        error["details"] = list(self.details) if self.details else None
        return Answer(status=self.status, body={"error": error}, headers=self.headers)


def problem_of(error: ManaraError) -> Problem:
    """Return an error of ours as an answer; what is our fault says so without saying more."""
    if error.status >= 500 and not error.retry:
        return Problem(500, "InternalServerError", "The server has failed; its log says how.")
    headers = {"Retry-After": "1"} if error.retry else {}
    return Problem(error.status, error.error_code, str(error), headers=headers)


def not_found(path: str) -> Problem:
    """Return what Azure answers where a part of a factory is not there."""
    return Problem(404, "NotFound", "The document could not be retrieved because it does not exist.", target=path)


def bad_request(message: str, target: str | None = None) -> Problem:
    """Return what Azure answers to a body or a parameter that cannot be."""
    return Problem(400, "BadRequest", message, target=target)
