"""A file that is fetched in ranges: large ones where it is read from front to back, small ones where it is not."""

import io
import os
from collections.abc import Callable
from typing import Any, BinaryIO, cast

from manara.errors import Transient

FIRST_BYTES = 1 << 20
MOST_BYTES = 8 << 20

Fetch = Callable[[int, int], bytes]
"""Returns the bytes from a position on: as many as asked for, or up to the end of the file."""


def ranged(fetch: Fetch, size_bytes: int, first: bytes = b"") -> BinaryIO:
    """Return a file of known size that fetches what is read; `first` is what was fetched from its start already."""
    return cast(BinaryIO, io.BufferedReader(_Ranged(fetch, size_bytes, first), 1 << 16))


class _Ranged(io.RawIOBase):
    def __init__(self, fetch: Fetch, size_bytes: int, first: bytes) -> None:
        self._fetch = fetch
        self._size = size_bytes
        self._held = memoryview(first)
        self._start = 0
        self._position = 0
        self._step = FIRST_BYTES

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("a position before the start of the file")
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        target = memoryview(buffer)
        if self._position >= self._size or not target.nbytes:
            return 0
        if not self._start <= self._position < self._start + len(self._held):
            self._load(target.nbytes)
        begin = self._position - self._start
        piece = self._held[begin : begin + target.nbytes]
        target[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def _load(self, wanted: int) -> None:
        """Fetch from the position on: twice as much as the last time while the reading goes on where it stopped."""
        goes_on = self._position == self._start + len(self._held)
        self._step = min(self._step * 2, MOST_BYTES) if goes_on else FIRST_BYTES
        count = min(max(self._step, wanted), MOST_BYTES, self._size - self._position)
        self._held = memoryview(b"")  # so that two ranges are never held at once
        self._held = memoryview(self._fetch(self._position, count))
        self._start = self._position
        if not self._held:
            raise Transient("The file became shorter while it was read.", advice="Run it again.")
