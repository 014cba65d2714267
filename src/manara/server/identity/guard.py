"""What slows down who guesses secrets: after some failures of one name from one address, each costs a longer wait."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

FREE = 5
"""Failures that cost nothing: people mistype."""

LONGEST_S = 300.0
FORGET_S = 3600.0
MOST_KEPT = 10_000


@dataclass
class Guard:
    """Counts failures by name and address, the oldest forgotten first. `now` tells seconds, from any start."""

    now: Callable[[], float] = monotonic
    _failed: OrderedDict[tuple[str, str], tuple[int, float]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait_s(self, name: str, address: str) -> float:
        """Return how many seconds must pass before the next attempt; 0 where it may be made now."""
        with self._lock:
            count, last = self._failed.get(_key(name, address), (0, 0.0))
        return max(0.0, last + delay_s(count) - self.now())

    def failed(self, name: str, address: str) -> None:
        """Note an attempt with a wrong secret."""
        now, key = self.now(), _key(name, address)
        with self._lock:
            count, last = self._failed.pop(key, (0, now))
            self._failed[key] = (count + 1 if now - last < FORGET_S else 1, now)
            if len(self._failed) > MOST_KEPT:
                self._failed.popitem(last=False)

    def succeeded(self, name: str, address: str) -> None:
        """Forget what failed before."""
        with self._lock:
            self._failed.pop(_key(name, address), None)


def delay_s(failures: int) -> float:
    """Return the wait after so many failures: none, then a second that doubles, at most five minutes.

    >>> [delay_s(count) for count in (0, 4, 5, 6, 9, 1000)]
    [0.0, 0.0, 1.0, 2.0, 16.0, 300.0]
    """
    return 0.0 if failures < FREE else min(LONGEST_S, 2.0 ** min(failures - FREE, 20))


def _key(name: str, address: str) -> tuple[str, str]:
    return name.lower()[:200], address
