"""Where the rows of a stream come from, and how its source would spell them again."""

import threading
from array import array
from bisect import bisect_right, insort
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


UNKNOWN = 0
"""The line of a row that could not be told for certain."""

_MOST_BREAKS = 1_000_000


@dataclass(slots=True)
class _Stretch:
    """The rows of one file: how many rows of the stream came before, and the numbers of those that could not be read.

    `passed` holds for each unread row, in order, how many rows that could be read stand before it in the file. `rows`
    are those from which on a row takes one line each, and `lines` where these begin (0 for not known). What is `ahead`
    gives the lines of all rows, and of the first `found` it has.
    """

    file: str
    before: int
    unread: list[int] = field(default_factory=list)
    passed: list[int] = field(default_factory=list)
    rows: "array[int]" = field(default_factory=lambda: array("q"))
    lines: "array[int]" = field(default_factory=lambda: array("q"))
    ahead: Iterator[int] | None = None
    found: int = 0

    def line_of(self, row: int) -> int:
        """Return the line on which a row begins, 0 where that is not known."""
        while self.ahead and self.found < row:
            self.found += 1
            line = next(self.ahead, UNKNOWN)
            if not line or len(self.rows) >= _MOST_BREAKS:
                self.ahead, line = None, UNKNOWN
            if line != self._noted(self.found):
                self.rows.append(self.found)
                self.lines.append(line)
        return self._noted(row)

    def _noted(self, row: int) -> int:
        last = bisect_right(self.rows, row) - 1
        return self.lines[last] + row - self.rows[last] if last >= 0 and self.lines[last] else 0


class Origins:
    """Which row of which file each row of a stream is; rows are numbered from 1, below the header.

    A source calls `begin` before the first row of each file; the rows of a source that never does have no file.
    Reading may go on in one thread while another one asks.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stretches = [_Stretch(file="", before=0)]

    def begin(self, file: str, before: int) -> None:
        """Note that the rows from here on are of `file`, after `before` rows of the stream."""
        with self._lock:
            self._stretches.append(_Stretch(file=file, before=before))

    def unread(self, row: int) -> None:
        """Note that this row of the file that is being read is not in the stream."""
        with self._lock:
            stretch = self._stretches[-1]
            if stretch.unread and row < stretch.unread[-1]:
                insort(stretch.unread, row)
                stretch.passed = [number - index - 1 for index, number in enumerate(stretch.unread)]
            else:
                stretch.unread.append(row)
                stretch.passed.append(row - len(stretch.unread))

    def note_lines(self, rows: Sequence[int], lines: Sequence[int]) -> None:
        """Note on which lines rows of the file that is being read begin (0 for not known), all that do not just follow.

        A row that is not noted begins on the line after the one before it. Called for rows in order; of a file with
        more than a million breaks the later lines are not known.
        """
        if not rows:
            return
        with self._lock:
            stretch = self._stretches[-1]
            follows = bool(lines[0]) and stretch.line_of(rows[0]) == lines[0]
            new = range(1 if follows else 0, len(rows))
            if len(stretch.rows) + len(new) > _MOST_BREAKS:
                if stretch.lines and stretch.lines[-1]:
                    stretch.rows.append(rows[0])
                    stretch.lines.append(0)
                return
            stretch.rows.extend(rows[new.start :])
            stretch.lines.extend(lines[new.start :])

    def find_lines(self, lines: Iterator[int]) -> None:
        """Let the lines of all rows of the file that is being read be found when one is asked for, and not before.

        `lines` gives the line of each row, in order; its end, or a 0, says that no more are known.
        """
        with self._lock:
            stretch = self._stretches[-1]
            stretch.ahead, stretch.found = lines, 0
            del stretch.rows[:], stretch.lines[:]

    def line_of(self, row: int) -> int:
        """Return the line on which a row of the file that is being read begins, 0 where that is not known."""
        with self._lock:
            return self._stretches[-1].line_of(row)

    def files(self) -> list[str]:
        """Return the files that were begun, in order."""
        with self._lock:
            return [stretch.file for stretch in self._stretches if stretch.file]

    def of(self, place: int) -> tuple[str, int, int]:
        """Return the file, and the number and the line in it, of the row at `place` in the stream (from 1).

        >>> origins = Origins()
        >>> origins.begin("a.csv", 0)
        >>> origins.note_lines([1], [2])
        >>> origins.unread(2)
        >>> origins.begin("b.csv", 2)
        >>> [origins.of(place) for place in (1, 2, 3)]
        [('a.csv', 1, 2), ('a.csv', 3, 4), ('b.csv', 1, 0)]
        """
        with self._lock:
            last = bisect_right(self._stretches, place - 1, key=lambda stretch: stretch.before) - 1
            stretch = self._stretches[last]
            here = place - stretch.before
            row = here + bisect_right(stretch.passed, here - 1)
            return stretch.file, row, stretch.line_of(row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spelling:
    """How a source spells its rows, so that refused ones can be mended by hand and read again by the same dataset.

    `head` stands before the rows; `rows` returns the text of each row of a batch, and `end` follows each.
    """

    extension: str
    rows: "Callable[[pa.RecordBatch], Sequence[str]]"
    head: str = ""
    end: str = "\n"
    encoding: str = "utf-8"
