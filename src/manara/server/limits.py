"""Soft limits: how many requests of one caller are taken in a minute before it is asked to wait."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from time import monotonic

from manara.server.answer import Problem

MOST_CALLERS = 10_000
MINUTE_S = 60.0


@dataclass
class Limits:
    """Counts requests by caller and kind (`reads`, `writes`, `deletes`); what is used up comes back with time."""

    per_minute: dict[str, int]
    _left: OrderedDict[tuple[str, str], tuple[float, float]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, caller: str, kind: str, now: float | None = None) -> int:
        """Count one request, and return how many more may come at once.

        Raises Problem 429 with Retry-After where none is left.
        """
        most = self.per_minute[kind]
        at = monotonic() if now is None else now
        with self._lock:
            left, since = self._left.pop((caller, kind), (float(most), at))
            left = min(float(most), left + (at - since) * most / MINUTE_S)
            self._left[caller, kind] = (max(left - 1, 0.0), at) if left >= 1 else (left, at)
            if len(self._left) > MOST_CALLERS:
                self._left.popitem(last=False)
        if left < 1:
            wait_s = max(1, round((1 - left) * MINUTE_S / most + 0.5))
            told = f"Number of {kind} exceeded the limit of {most} a minute. Please try again after {wait_s} seconds."
            raise Problem(429, "TooManyRequests", told, headers={"Retry-After": str(wait_s)})
        return int(left) - 1


def kind_of(method: str, action: str) -> str:
    """Return what a request counts as."""
    if method == "DELETE":
        return "deletes"
    return "reads" if method in ("GET", "HEAD") or action.endswith("/read") else "writes"
