"""What the activities at work have done so far: heard from their threads, written over in the journal."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from manara.store.journal import Journal, Lease

EVERY_S = 1.0
"""How often at most the figures of a step are written down."""

Step = tuple[str, str]
"""The id of the run and the path of the step."""


@dataclass(slots=True)
class Gauges:
    """The last figures of each step; only what has changed is written, and nothing of what was over soon."""

    _news: dict[Step, Mapping[str, Any]] = field(default_factory=dict)
    _written: set[Step] = field(default_factory=set)
    _over: set[Step] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, run_id: str, step: str, figures: Mapping[str, Any]) -> None:
        """Take in what a step has done so far; from any thread."""
        with self._lock:
            self._news[run_id, step] = figures

    def end(self, run_id: str, step: str) -> None:
        """Forget a step: how it ended is in the journal."""
        with self._lock:
            self._news.pop((run_id, step), None)
            if (run_id, step) in self._written:
                self._over.add((run_id, step))

    def write(self, journal: Journal, lease: Lease) -> None:
        """Write down what is new; nothing where there is nothing."""
        with self._lock:
            news, self._news, over, self._over = self._news, {}, self._over, set()
            self._written = (self._written | news.keys()) - over
        if news or over:
            journal.note_progress(news, over, lease)
