"""A file that comes from front to back, made able to seek: what was read is kept, in memory and then on disk."""

import io
import os
import tempfile
from collections.abc import Generator
from typing import Any, BinaryIO, cast

from manara.connectors.stores.remote import MEMORY_BYTES


def drawn(chunks: Generator[bytes, None, None]) -> BinaryIO:
    """Return the chunks as a file; they are drawn as it is read, and their generator is closed with it."""
    return cast(BinaryIO, io.BufferedReader(_Drawn(chunks), 1 << 16))


def keeping(file: BinaryIO, kept: dict[str, BinaryIO], name: str) -> BinaryIO:
    """Return the file so that closing it puts it among the `kept` ones under the name, and leaves it open there."""
    return cast(BinaryIO, io.BufferedReader(_Keeping(file, kept, name), 1 << 16))


class _Keeping(io.RawIOBase):
    def __init__(self, file: BinaryIO, kept: dict[str, BinaryIO], name: str) -> None:
        self._file = file
        self._kept = kept
        self._name = name

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def readinto(self, buffer: Any) -> int:
        return cast(io.BufferedReader, self._file).readinto(buffer)

    def close(self) -> None:
        if not self.closed:
            self._kept[self._name] = self._file
        super().close()


class _Drawn(io.RawIOBase):
    def __init__(self, chunks: Generator[bytes, None, None]) -> None:
        self._chunks = chunks
        self._kept = tempfile.SpooledTemporaryFile(max_size=MEMORY_BYTES)  # noqa: SIM115 # closed with the file itself
        self._drawn = 0
        self._position = 0
        self._ended = False
        self._failed: BaseException | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_END:
            while self._draw():
                pass
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._drawn}[whence]
        if base + offset < 0:
            raise ValueError("a position before the start of the file")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        target = memoryview(buffer)
        while self._position >= self._drawn and self._draw():
            pass
        if self._position >= self._drawn:
            return 0
        self._kept.seek(self._position)
        piece = self._kept.read(min(target.nbytes, self._drawn - self._position))
        target[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def close(self) -> None:
        if not self.closed:
            self._chunks.close()
            self._kept.close()
        super().close()

    def _draw(self) -> bool:
        """Say whether there was more; what has failed once fails again, and is not taken for the end."""
        if self._failed is not None:
            raise self._failed
        if self._ended:
            return False
        try:
            chunk = next(self._chunks, None)
        except BaseException as error:
            self._failed = error
            raise
        if chunk is None:
            self._ended = True
            return False
        self._kept.seek(self._drawn)
        self._kept.write(chunk)
        self._drawn += len(chunk)
        return True
