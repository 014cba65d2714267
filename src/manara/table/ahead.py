"""Streams that are read or worked on a little ahead by threads, so that all processors have something to do."""

import contextlib
import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

S = TypeVar("S")
T = TypeVar("T")

_DEPTH = 2
_AT_A_TIME = 4


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


def side_by_side(items: Iterable[S], work: Callable[[S], T]) -> Generator[T, None, None]:
    """Yield what `work` makes of each item, in their order; threads do it for a few items at a time.

    The items themselves are taken by the thread that asks. An error of `work` is raised in the place of its item.
    """
    workers = min(_AT_A_TIME, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers, thread_name_prefix="side by side") as pool:
        begun: deque[Future[T]] = deque()
        try:
            for item in items:
                begun.append(pool.submit(work, item))
                if len(begun) > workers:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for left in begun:
                left.cancel()


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
