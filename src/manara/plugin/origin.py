"""Where the rows of a stream come from, and how its source would spell them again."""

import threading
from bisect import bisect_right, insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(slots=True)
class _Stretch:
    """The rows of one file: how many rows of the stream came before, and the numbers of those that could not be read.

    `passed` holds for each unread row, in order, how many rows that could be read stand before it in the file.
    """

    file: str
    before: int
    unread: list[int] = field(default_factory=list)
    passed: list[int] = field(default_factory=list)


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

    def files(self) -> list[str]:
        """Return the files that were begun, in order."""
        with self._lock:
            return [stretch.file for stretch in self._stretches if stretch.file]

    def of(self, place: int) -> tuple[str, int]:
        """Return the file, and the number in it, of the row at `place` in the stream (from 1).

        >>> origins = Origins()
        >>> origins.begin("a.csv", 0)
        >>> origins.unread(2)
        >>> origins.begin("b.csv", 2)
        >>> [origins.of(place) for place in (1, 2, 3)]
        [('a.csv', 1), ('a.csv', 3), ('b.csv', 1)]
        """
        with self._lock:
            last = bisect_right(self._stretches, place - 1, key=lambda stretch: stretch.before) - 1
            stretch = self._stretches[last]
            here = place - stretch.before
            return stretch.file, here + bisect_right(stretch.passed, here - 1)


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
