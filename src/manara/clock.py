"""The time and the ids that everything uses, so that a test can hold both still."""

import contextlib
import itertools
import uuid
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from datetime import UTC, datetime

_frozen: ContextVar[tuple[datetime, Callable[[], uuid.UUID]] | None] = ContextVar("frozen", default=None)


def now() -> datetime:
    """Return the present moment, aware, in UTC."""
    held = _frozen.get()
    return held[0] if held else datetime.now(UTC)


def new_id() -> str:
    """Return a fresh random id in the form that ADF uses for runs (a UUID)."""
    held = _frozen.get()
    return str(held[1]() if held else uuid.uuid4())


def stamp(moment: datetime) -> str:
    """Return the moment as ADF prints it: ISO 8601, UTC, seven decimals, `Z`.

    >>> stamp(datetime(2024, 1, 2, 3, 4, 5, 600, tzinfo=UTC))
    '2024-01-02T03:04:05.0006000Z'
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"


def parse(text: str) -> datetime:
    """Return the moment that `stamp` printed."""
    return datetime.fromisoformat(text)


@contextlib.contextmanager
def frozen(at: datetime) -> Iterator[None]:
    """Hold the time at `at`, and count ids up from one, for the length of a `with` block.

    The hold reaches the threads and tasks that are started inside the block by anyio.
    """
    count = itertools.count(1)
    token = _frozen.set((at, lambda: uuid.UUID(int=next(count))))
    try:
        yield
    finally:
        _frozen.reset(token)
