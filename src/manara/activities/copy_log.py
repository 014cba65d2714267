"""What a copy has left out, written down as it goes: a log in ADF's form, and the refused rows to be mended."""

import csv
import hashlib
import os
import re
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from manara import clock
from manara.activities.copy_settings import LogPlace
from manara.errors import WrongDefinition
from manara.plugin.activity import Given
from manara.plugin.connection import Store
from manara.plugin.dataset import Refused
from manara.plugin.origin import Spelling

_FOLDER = Path("data/refused")
_HEADER = ("Timestamp", "Level", "OperationName", "OperationItem", "Message")
_ROW_SKIP, _FILE_SKIP, _FILE_READ = "TabularRowSkip", "FileSkip", "FileRead"
_SHOWN, _TEXT_SHOWN = 20, 200
_SPELT, _BY_SINK = ".rows", ".sink"
_HELD_BYTES = 1 << 20
"""Each write to the disk lets the threads that parse go first, which costs more than the write."""


class CopyLog:
    """The log of one copy.

    It is written below the factory's `data/refused/`, in the folder of the run, as rows are refused: it is whole, and
    safe on the disk, before the sink commits. Beside it stand the texts of the refused rows, spelt as in the source
    with its header, so that they can be mended and read again. Where the copy names a place for its log, both are
    copied there at the end; a step that is done again after its commit copies what the first attempt wrote.
    """

    def __init__(self, given: Given, place: LogPlace | None) -> None:
        self._given = given
        self._place = place
        self._lock = threading.Lock()
        self._log: TextIO | None = None
        self._rows: dict[str | None, TextIO] = {}  # by the ending of what the source spells, None for the sink's
        self.shown: list[Refused] = []
        mark = given.mark
        digest = hashlib.sha256(f"{mark.run_id}\n{mark.step}".encode()).hexdigest()[:8]
        self._stem = f"{_plain(mark.step)[:80]}-{digest}"
        self._folder = given.root / _FOLDER / _plain(mark.run_id)

    def refuse(self, row: Refused, spelling: Spelling | None) -> None:
        """Write down a row that is left out."""
        with self._lock:
            if len(self.shown) < _SHOWN:
                self.shown.append(replace(row, text=row.text[:_TEXT_SHOWN]))
            self._line("Warning", _ROW_SKIP, row.text, f"{row.file}, {row.place}: {row.reason}")
            kind = spelling.extension if spelling else None
            if kind not in self._rows:
                self._rows[kind] = self._opened(self._rows_path(kind), spelling.encoding if spelling else "utf-8")
                self._rows[kind].write(spelling.head if spelling else "")
            self._rows[kind].write(row.text + (spelling.end if spelling else "\n"))
            if spelling is None:  # the sink refuses rows to its very end, when nobody calls `sync` any more
                self._flush()

    def leave_out(self, file: str, reason: str) -> None:
        """Write down a file that is left out."""
        with self._lock:
            self._line("Warning", _FILE_SKIP, file, reason)
            self._flush()

    def copied(self, file: str) -> None:
        """Write down a file that was copied, where the copy asks for that."""
        if self._place and self._place.all_files:
            with self._lock:
                self._line("Info", _FILE_READ, file, "The file was read to its end.")
                self._flush()

    def sync(self) -> None:
        """Make sure that what was written so far outlives a loss of power."""
        with self._lock:
            self._flush()
            for file in (self._log, *self._rows.values()):
                if file:
                    os.fsync(file.fileno())

    def _flush(self) -> None:
        for file in (self._log, *self._rows.values()):
            if file:
                file.flush()

    def close(self) -> None:
        """End the files; what is written is whole with every line, so this only lets go of them."""
        for file in (self._log, *self._rows.values()):
            if file:
                file.close()
        self._log, self._rows = None, {}

    def outputs(self) -> dict[str, Any]:
        """Bring the log to where the copy wants it, and return what the copy's output says of it."""
        self.close()
        log = self._folder / f"{self._stem}.csv"
        if not log.exists():
            return {}
        found = {"logFilePath": log}
        for name, kind in (("refusedRowsPath", _SPELT), ("refusedBySinkPath", _BY_SINK)):
            for path in self._folder.glob(f"{self._stem}{kind}.*"):
                found[name] = path
        if self._place is None:
            root = self._given.root
            return {name: path.relative_to(root).as_posix() for name, path in found.items()}
        told = {name: self._brought(path, self._place) for name, path in found.items()}
        older = {"redirectRowPath": told["logFilePath"].rpartition("/")[0] + "/"} if self._place.redirects else {}
        return told | older

    def forget(self) -> None:
        """Remove what an earlier attempt of this step has written: this one has left nothing out."""
        self.close()
        for path in self._folder.glob(f"{self._stem}.*"):
            path.unlink(missing_ok=True)

    def _brought(self, path: Path, place: LogPlace) -> str:
        store = self._given.connect(place.service)
        if not isinstance(store, Store):
            raise WrongDefinition(
                f"The linked service '{place.service.get('referenceName')}' holds no files, so no log can go there.",
                where="logSettings.logLocationSettings.linkedServiceName",
            )
        mark = self._given.mark
        parts = (place.folder.strip("/"), "copyactivity-logs", _plain(self._given.name), _plain(mark.run_id), path.name)
        target = "/".join(filter(None, parts))
        with path.open("rb") as source, store.create(target) as sink:
            shutil.copyfileobj(source, sink)
        return target

    def _line(self, level: str, operation: str, item: str, message: str) -> None:
        if self._log is None:
            self._log = self._opened(self._folder / f"{self._stem}.csv", "utf-8")
            csv.writer(self._log).writerow(_HEADER)
        at = clock.now().replace(tzinfo=None).isoformat(" ", "microseconds")
        csv.writer(self._log).writerow((at, level, operation, item, message))

    def _rows_path(self, kind: str | None) -> Path:
        return self._folder / f"{self._stem}{f'{_BY_SINK}.txt' if kind is None else f'{_SPELT}{kind}'}"

    def _opened(self, path: Path, encoding: str) -> TextIO:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("w", buffering=_HELD_BYTES, encoding=encoding, errors="backslashreplace", newline="")


def _plain(name: str) -> str:
    """Return the name with nothing in it that a path could stumble over."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip(".") or "_"
