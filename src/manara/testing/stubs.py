"""What stands in for an activity in a test: an output, a failure, or a function of what the activity is given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from manara.errors import ManaraError

if TYPE_CHECKING:
    from manara.plugin.activity import Given


@dataclass(frozen=True, slots=True, kw_only=True)
class Stub:
    """Gives an activity's output, or raises its failure, after a `delay` on the frozen clock."""

    answer: "Callable[[Given], Mapping[str, Any]]"
    delay: timedelta = timedelta()

    def after(self, delay: timedelta) -> "Stub":
        """Return a stub that gives the same after the delay. No time passes for the test."""
        return replace(self, delay=delay)


def output(values: Mapping[str, Any] | None = None, /, **more: Any) -> Stub:
    """Return a stub that succeeds with this output.

    >>> output({"firstRow": {"n": 3}}, rowsRead=1).answer(None)
    {'firstRow': {'n': 3}, 'rowsRead': 1}
    """
    given = {**(values or {}), **more}
    return Stub(answer=lambda _: given)


def failure(code: str, message: str) -> Stub:
    """Return a stub that fails with the error code and the message."""

    def fail(_: "Given") -> Mapping[str, Any]:
        raise StubFailed(message, code=code)

    return Stub(answer=fail)


def calls(function: "Callable[[Given], Mapping[str, Any]]") -> Stub:
    """Return a stub whose output the function makes from what the activity is given.

    What the function raises, an `assert` of it too, ends the test; to let the activity fail it raises a ManaraError.
    """
    return Stub(answer=function)


class StubFailed(ManaraError):
    code = "UserError"
    status = 400
