"""Files that are packed as a whole (gzip, bzip2, deflate), opened to read or to write."""

import bz2
import contextlib
import gzip
import io
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from manara.errors import BadRows, WrongDefinition
from manara.registry import near

_EXTENSIONS = {"": "", "gzip": ".gz", "bzip2": ".bz2", "deflate": ".deflate"}
_BUFFER_BYTES = 1 << 20


def known(codec: str) -> str:
    """Return the codec in lower case, nothing for none. Raises WrongDefinition for one that cannot be read."""
    name = codec.lower().replace("none", "")
    if name not in _EXTENSIONS:
        raise WrongDefinition(
            f"The compression '{codec}' is not supported.", advice=near(codec, filter(None, _EXTENSIONS))
        )
    return name


def extension(codec: str) -> str:
    """Return what a packed file's name ends with."""
    return _EXTENSIONS[codec]


def reader(raw: io.RawIOBase, codec: str, path: str) -> BinaryIO:
    """Return the unpacked content; raises BadRows while reading where the packing is broken or cut off."""
    file = io.BufferedReader(raw, _BUFFER_BYTES)
    if not codec:
        return file
    unpacked = {"gzip": gzip.open, "bzip2": bz2.open, "deflate": _Inflated}[codec](file)  # type: ignore[operator]
    return io.BufferedReader(_Told(cast(BinaryIO, unpacked), file, codec, path), _BUFFER_BYTES)


@contextlib.contextmanager
def writer(file: BinaryIO, codec: str) -> Iterator[BinaryIO]:
    """Return a file that packs what is written into `file`, in a `with` block."""
    if not codec:
        yield file
    elif codec == "gzip":
        # Neither name nor time, so that the same rows give the same bytes.
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0, compresslevel=6) as packed:
            yield cast(BinaryIO, packed)
    elif codec == "bzip2":
        with bz2.BZ2File(file, "wb") as packed:
            yield cast(BinaryIO, packed)
    else:
        raise WrongDefinition(f"Files cannot be written with the compression '{codec}'.", advice="Take gzip.")


class _Told(io.RawIOBase):
    """Unpacked content that says which file is broken, and closes the packed one behind it."""

    def __init__(self, unpacked: BinaryIO, packed: BinaryIO, codec: str, path: str) -> None:
        self._unpacked, self._packed, self._codec, self._path = unpacked, packed, codec, path

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            return cast(io.BufferedReader, self._unpacked).readinto(buffer)
        except EOFError as error:
            raise self._broken("is cut off: its packing ends too early") from error
        except (gzip.BadGzipFile, zlib.error, OSError) as error:
            raise self._broken(f"is no whole {self._codec} file ({error})") from error

    def close(self) -> None:
        self._unpacked.close()
        self._packed.close()
        super().close()

    def _broken(self, what: str) -> BadRows:
        return BadRows(
            f"The file {what}.",
            where=self._path,
            advice="Fetch it again, or mend compressionCodec in the dataset.",
            code="UserErrorDecompressionFailed",
        )


class _Inflated(io.RawIOBase):
    """A zlib stream, unpacked."""

    def __init__(self, packed: BinaryIO) -> None:
        self._packed = packed
        self._machine = zlib.decompressobj()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = b""
        while not piece and not self._machine.eof:
            tail = self._machine.unconsumed_tail or self._packed.read(_BUFFER_BYTES)
            if not tail:
                raise EOFError
            piece = self._machine.decompress(tail, len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)
