"""The figures of a copy: those of all its streams together, as they are told on the way and at the end."""

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from manara import clock
from manara.activities.copy_settings import CopySettings
from manara.plugin.activity import Output
from manara.plugin.dataset import Refused, Tally

_KB = 1024
_SUMMED = (
    "rows_read", "rows_skipped", "rows_copied", "files_read", "files_written", "files_skipped", "data_read",
    "data_written",
)  # fmt: skip


class Figures:
    """What the streams of one copy have done so far; they add to it from their threads."""

    def __init__(self, settings: CopySettings, report: Callable[[Mapping[str, Any]], None]) -> None:
        self._settings = settings
        self._report = report
        self._lock = threading.Lock()
        self._streams: list[Tally] = []
        self._over = Tally()
        self._started = clock.now()
        self._start_s = time.perf_counter()
        self.data_expected = 0
        self.counts_rows = True

    @contextlib.contextmanager
    def counting(self, tally: Tally) -> Iterator[None]:
        """Count a stream in while the block runs, and keep what it has come to when it ends well."""
        with self._lock:
            self._streams.append(tally)
        try:
            yield
            with self._lock:
                _add(self._over, tally)
        finally:
            with self._lock:
                self._streams = [one for one in self._streams if one is not tally]

    def drop(self) -> None:
        """Count a file that was left out."""
        with self._lock:
            self._over.files_skipped += 1

    @property
    def total(self) -> Tally:
        """All streams together."""
        total = Tally()
        with self._lock:
            for tally in (self._over, *self._streams):
                _add(total, tally)
        return total

    def tell(self) -> None:
        """Report how far the copy is; raises Cancelled when it is to stop."""
        self._report(self._progress())

    def _progress(self) -> dict[str, Any]:
        total, seconds = self.total, max(time.perf_counter() - self._start_s, 1e-6)
        figures: dict[str, Any] = _rows(total) if self.counts_rows else {}
        figures |= {"dataRead": total.data_read, "dataWritten": total.data_written, "filesRead": total.files_read}
        figures["throughput"] = round(total.data_read / _KB / seconds, 3)
        if self.data_expected and total.data_read:
            share = min(total.data_read / self.data_expected, 1.0)
            figures |= {"percent": round(100 * share, 1), "secondsLeft": round(seconds * (1 - share) / share)}
        return figures

    def output(self, refused: list[Refused], detail: Mapping[str, Any], parallel: int) -> Output:
        """Return ADF's figures of a copy that has succeeded (rule 97)."""
        total, seconds = self.total, max(time.perf_counter() - self._start_s, 1e-6)
        skipped: dict[str, Any] = {"filesSkipped": total.files_skipped} if self._settings.skips_files else {}
        if self._settings.skips_rows:
            skipped |= {"rowsSkipped": total.rows_skipped, "skippedRows": [_shown(row) for row in refused]}
        duration = math.ceil(seconds)
        return {
            "dataRead": total.data_read,
            "dataWritten": total.data_written,
            "filesRead": total.files_read,
            "filesWritten": total.files_written,
            **(_rows(total) if self.counts_rows else {}),
            **skipped,
            "copyDuration": duration,
            "throughput": round(total.data_read / _KB / seconds, 3),
            "errors": [],
            "effectiveIntegrationRuntime": "AutoResolveIntegrationRuntime (local)",
            "usedDataIntegrationUnits": 1,
            "usedParallelCopies": parallel,
            "dataConsistencyVerification": self._verification(total),
            "executionDetails": [self._detail(self._started, duration, parallel) | dict(detail)],
        }

    def _verification(self, total: Tally) -> dict[str, str]:
        if not self._settings.validates:
            return {"VerificationResult": "NotVerified"}
        left_out = total.rows_skipped or total.files_skipped
        return {"VerificationResult": "Verified", "InconsistentData": "Skipped" if left_out else "None"}

    def _detail(self, started: datetime, duration: int, parallel: int) -> dict[str, Any]:
        return {
            "source": {"type": str(self._settings.source.get("type", "")).removesuffix("Source")},
            "sink": {"type": str(self._settings.sink.get("type", "")).removesuffix("Sink")},
            "status": "Succeeded",
            "start": clock.stamp(started),
            "duration": duration,
            "usedDataIntegrationUnits": 1,
            "usedParallelCopies": parallel,
            "detailedDurations": {"queuingDuration": 0, "transferDuration": duration},
        }


def _add(total: Tally, tally: Tally) -> None:
    for name in _SUMMED:
        setattr(total, name, getattr(total, name) + getattr(tally, name))


def _rows(tally: Tally) -> dict[str, Any]:
    return {"rowsRead": tally.rows_read, "rowsCopied": tally.rows_copied}


def _shown(row: Refused) -> dict[str, Any]:
    line = {"line": row.line} if row.line else {}
    return {"file": row.file, "row": row.row, **line, "reason": row.reason, "text": row.text}
