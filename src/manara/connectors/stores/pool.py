"""Open connections of the kinds that serve one request at a time, kept for the next one who needs them."""

import atexit
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Generic, TypeVar, cast

C = TypeVar("C")
T = TypeVar("T")

_MOST_IDLE = 4


@dataclass(slots=True, kw_only=True)
class Pool(Generic[C]):
    """The connections to one server as one user.

    `answers` are the errors after which a connection is as good as before; after any other it is closed. `lost` are
    those that say that the line is gone: an idle connection that is found lost is replaced by a new one.
    """

    connect: Callable[[], C] = field(repr=False)
    close: Callable[[C], None]
    answers: tuple[type[BaseException], ...]
    lost: tuple[type[BaseException], ...]
    _idle: list[C] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def run(self, work: Callable[[C], T]) -> T:
        """Return what the work gives, which may be begun a second time from its start."""
        while True:
            connection, was_idle = self.take()
            try:
                result = work(connection)
            except self.answers:
                self.give_back(connection)
                raise
            except self.lost:
                self.close(connection)
                if not was_idle:
                    raise
            except BaseException:
                self.close(connection)
                raise
            else:
                self.give_back(connection)
                return result

    def take(self) -> tuple[C, bool]:
        """Return a connection, and whether it lay idle."""
        with self._lock:
            if self._idle:
                return self._idle.pop(), True
        return self.connect(), False

    def give_back(self, connection: C) -> None:
        """Keep a connection that is in order."""
        with self._lock:
            keeps = len(self._idle) < _MOST_IDLE
            if keeps:
                self._idle.append(connection)
        if not keeps:
            self.close(connection)

    def drain(self) -> None:
        """Close what lies idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            self.close(connection)


_POOLS: dict[Hashable, Pool[Any]] = {}
_LOCK = Lock()


def shared(key: Hashable, make: Callable[[], Pool[C]]) -> Pool[C]:
    """Return the process's one pool under the key, which holds all that a connection depends on."""
    with _LOCK:
        if key not in _POOLS:
            _POOLS[key] = make()
        return cast("Pool[C]", _POOLS[key])


@atexit.register
def drain_all() -> None:
    """Close every idle connection of the process."""
    for pool in list(_POOLS.values()):
        pool.drain()
