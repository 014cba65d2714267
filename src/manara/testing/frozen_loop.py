"""An event loop on a frozen clock: it never waits for a timer, the clock moves on to it."""

import asyncio
import selectors
from collections.abc import Callable
from typing import Any

from manara.clock import Frozen


class FrozenLoop(asyncio.SelectorEventLoop):
    """Runs what can run at once; when nothing can, and no thread `is_busy`, the clock moves to the next timer.

    So timers go off in their order, and a chain of steps beside a long wait is over before the wait is.
    """

    def __init__(self, clock: Frozen) -> None:
        self.clock = clock
        self.is_busy: Callable[[], bool] = bool
        super().__init__(_Selector(self))

    def time(self) -> float:
        """Return the seconds that have passed on the frozen clock."""
        return self.clock.passed_s


class _Selector(selectors.DefaultSelector):
    def __init__(self, loop: FrozenLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, Any]]:
        """Return what is ready; `timeout` is how far away the next timer is (None: there is none)."""
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None or self._loop.is_busy():
            return super().select(None)
        self._loop.clock.passed_s += timeout
        return []
