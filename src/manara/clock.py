"""The time and the ids that everything uses, so that a test can hold both still."""

import contextlib
import itertools
import uuid
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta


@dataclass(slots=True, kw_only=True)
class Frozen:
    """A clock that stands still; who holds it moves it on by adding to `passed_s` (seconds)."""

    start: datetime
    passed_s: float = 0.0
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def now(self) -> datetime:
        """Return the moment at which the clock stands."""
        return self.start + timedelta(seconds=self.passed_s)


_frozen: ContextVar[Frozen | None] = ContextVar("frozen", default=None)


def now() -> datetime:
    """Return the present moment, aware, in UTC."""
    held = _frozen.get()
    return held.now() if held else datetime.now(UTC)


def teller() -> Callable[[], datetime]:
    """Return what tells the present moment in any thread as `now` does here, where the clock may be held."""
    held = _frozen.get()
    return held.now if held else now


def new_id() -> str:
    """Return a fresh random id in the form that ADF uses for runs (a UUID)."""
    held = _frozen.get()
    return str(uuid.UUID(int=next(held.ids)) if held else uuid.uuid4())


def stamp(moment: datetime) -> str:
    """Return the moment as ADF prints it: ISO 8601, UTC, seven decimals, `Z`.

    >>> stamp(datetime(2024, 1, 2, 3, 4, 5, 600, tzinfo=UTC))
    '2024-01-02T03:04:05.0006000Z'
    """
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "0Z"


def parse(text: str) -> datetime:
    """Return the moment that `stamp` printed."""
    return datetime.fromisoformat(text)


@contextlib.contextmanager
def frozen(at: datetime) -> Iterator[Frozen]:
    """Hold the time at `at`, and count ids up from one, for the length of a `with` block.

    The hold reaches the threads and tasks that are started inside the block by anyio.
    """
    held = Frozen(start=at)
    token = _frozen.set(held)
    try:
        yield held
    finally:
        _frozen.reset(token)
