"""A stream that is read a little ahead by a thread, so that reading and writing overlap."""

import contextlib
import queue
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

_DEPTH = 2


@dataclass(frozen=True, slots=True)
class _Item(Generic[T]):
    """One thing that was read, or the error that ended the reading; neither at the end."""

    value: T | None = None
    error: BaseException | None = None


def ahead(items: Iterator[T], depth: int = _DEPTH) -> Generator[T, None, None]:
    """Yield the items; a thread takes at most `depth` + 1 of them before they are asked for.

    The thread starts with the first item that is asked for, and has ended when the stream ends or is closed. An error
    while reading is raised here.
    """
    ready: queue.Queue[_Item[T]] = queue.Queue(depth)
    stop = threading.Event()
    thread = threading.Thread(target=_fill, args=(items, ready, stop), name="read ahead", daemon=True)
    thread.start()
    try:
        while (item := ready.get()).value is not None:
            yield item.value
        if item.error:
            raise item.error
    finally:
        stop.set()
        with contextlib.suppress(queue.Empty):
            while True:
                ready.get_nowait()
        thread.join()


def _fill(items: Iterator[T], ready: "queue.Queue[_Item[T]]", stop: threading.Event) -> None:
    error: BaseException | None = None
    try:
        for item in items:
            ready.put(_Item(value=item))
            if stop.is_set():
                _close(items)
                return
    except BaseException as raised:  # noqa: BLE001 - carried over to the thread that takes the items
        error = raised
    ready.put(_Item(error=error))


def _close(items: Iterator[T]) -> None:
    """End a stream that nobody reads further: what it holds, threads too, is let go at once."""
    if isinstance(items, Generator):
        items.close()
