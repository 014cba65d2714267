"""Files that are packed as a whole (gzip, bzip2, deflate, snappy, lz4, zstd), opened to read or to write.

Archives (ZipDeflate, Tar, TarGZip) hold files of their own: `archives` reads them. One is written here with a single
file in it.
"""

import bz2
import contextlib
import gzip
import importlib
import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

import pyarrow as pa

from manara.connectors import archives
from manara.errors import BadRows, WrongDefinition
from manara.registry import missing_library, near

ARCHIVES = archives.CODECS
_EXTENSIONS = {
    "": "",
    "gzip": ".gz",
    "bzip2": ".bz2",
    "deflate": ".deflate",
    "snappy": ".snappy",
    "lz4": ".lz4",
    "zstd": ".zst",
    "zipdeflate": ".zip",
    "tar": ".tar",
    "targzip": ".tar.gz",
}
_LEVELS = {"": "", "fastest": "Fastest", "optimal": "Optimal"}
# Snappy, lz4 and zstd are packed in one way.
_FASTEST = {"gzip": 1, "bzip2": 1, "deflate": 1}
_OPTIMAL = {"gzip": 9, "bzip2": 9, "deflate": 9}
_USUAL = {"gzip": 6, "bzip2": 9, "deflate": 6}
_BUFFER_BYTES = 1 << 20
_LZ4_FRAME = b"\x04\x22\x4d\x18"
_SNAPPY_FRAME = b"\xff\x06\x00\x00sNaPpY"
_MOST_BLOCK_BYTES = 64 << 20


def known(codec: str) -> str:
    """Return the codec in lower case, nothing for none. Raises WrongDefinition for one that is not known."""
    name = codec.lower()
    name = "" if name == "none" else name
    if name not in _EXTENSIONS:
        raise WrongDefinition(
            f"The compression '{codec}' is not supported.", advice=near(codec, filter(None, _EXTENSIONS))
        )
    return name


def known_level(level: str) -> str:
    """Return the level as ADF spells it, nothing for none. Raises WrongDefinition for one that is not known."""
    if level.lower() not in _LEVELS:
        raise WrongDefinition(f"There is no compression level '{level}'.", advice=near(level, ("Fastest", "Optimal")))
    return _LEVELS[level.lower()]


def extension(codec: str) -> str:
    """Return what a packed file's name ends with."""
    return _EXTENSIONS[codec]


def unpacked_name(name: str, codec: str) -> str:
    """Return the name of the file that is packed in another: without the codec's ending where it is there.

    >>> unpacked_name("in/a.csv.gz", "gzip")
    'in/a.csv'
    """
    for ending in (_EXTENSIONS[codec], *((".tgz",) if codec == "targzip" else ())):
        if ending and name.lower().endswith(ending) and not name.lower().endswith("/" + ending):
            return name[: -len(ending)] or name
    return name


def reader(raw: io.RawIOBase, codec: str, path: str) -> BinaryIO:
    """Return the unpacked content; raises BadRows while reading where the packing is broken or cut off."""
    file = io.BufferedReader(raw, _BUFFER_BYTES)
    if not codec:
        return file
    unpacked = _unpacked(cast("io.BufferedReader[Any]", file), codec)
    return io.BufferedReader(_Told(unpacked, file, codec, path), _BUFFER_BYTES)


def _unpacked(file: "io.BufferedReader[Any]", codec: str) -> BinaryIO:
    if codec == "gzip":
        return cast(BinaryIO, gzip.GzipFile(fileobj=file, mode="rb"))
    if codec == "bzip2":
        return cast(BinaryIO, bz2.BZ2File(file))
    if codec == "deflate":
        return cast(BinaryIO, _Inflated(file))
    if codec == "snappy":
        framed = file.peek(len(_SNAPPY_FRAME)).startswith(_SNAPPY_FRAME)
        return cast(BinaryIO, _Pieces(_snappy_frames(file) if framed else _hadoop_blocks(file, "snappy")))
    if codec == "lz4" and not file.peek(len(_LZ4_FRAME)).startswith(_LZ4_FRAME):
        return cast(BinaryIO, _Pieces(_hadoop_blocks(file, "lz4_raw")))
    return cast(BinaryIO, _Streamed(file, codec))


@contextlib.contextmanager
def writer(file: BinaryIO, codec: str, *, level: str = "", name: str = "data") -> Iterator[BinaryIO]:
    """Return a file that packs what is written into `file`, in a `with` block; the same bytes give the same bytes.

    `name` is that of the one file in an archive.
    """
    if not codec:
        yield file
        return
    if codec in ARCHIVES:
        with archives.Writer(file, codec, level) as archive, archive.create(name) as member:
            yield member
        return
    effort = {"Fastest": _FASTEST, "Optimal": _OPTIMAL}.get(level, _USUAL).get(codec)
    with _packing(file, codec, effort or 0) as packed:
        yield packed


@contextlib.contextmanager
def _packing(file: BinaryIO, codec: str, effort: int) -> Iterator[BinaryIO]:
    if codec == "gzip":
        # Neither name nor time, so that the same rows give the same bytes.
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0, compresslevel=effort) as packed:
            yield cast(BinaryIO, packed)
    elif codec == "bzip2":
        with bz2.BZ2File(file, "wb", compresslevel=effort) as packed:
            yield cast(BinaryIO, packed)
    elif codec == "deflate":
        deflated = _Deflating(file, effort)
        yield cast(BinaryIO, deflated)
        deflated.end()
    elif codec == "snappy":
        blocks = _SnappyFrames(file)
        yield cast(BinaryIO, blocks)
        blocks.end()
    else:
        with pa.CompressedOutputStream(pa.PythonFile(_Open(file), "w"), cast(Any, codec)) as packed:
            yield cast(BinaryIO, packed)


class _Open(io.RawIOBase):
    """A file to write to that stays open when what packs into it closes it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._file.write(data)
        return memoryview(data).nbytes


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
        except (gzip.BadGzipFile, zlib.error, pa.ArrowInvalid, ValueError, OSError) as error:
            if "runcated" in str(error):
                raise self._broken("is cut off: its packing ends too early") from error
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


class _Streamed(io.RawIOBase):
    """A stream of lz4 frames or of zstd, unpacked by Arrow."""

    def __init__(self, packed: BinaryIO, codec: str) -> None:
        self._stream = pa.CompressedInputStream(pa.PythonFile(cast(Any, packed), "r"), cast(Any, codec))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._stream.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()


class _Inflated(io.RawIOBase):
    """A deflate stream, unpacked: raw, as .NET writes it, or with zlib's head and checksum."""

    def __init__(self, packed: io.BufferedReader) -> None:
        self._packed = packed
        head = packed.peek(2)[:2]
        has_head = len(head) == 2 and head[0] & 0x0F == 8 and int.from_bytes(head, "big") % 31 == 0
        self._machine = zlib.decompressobj(zlib.MAX_WBITS if has_head else -zlib.MAX_WBITS)

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


class _Deflating(io.RawIOBase):
    """Packs by raw deflate."""

    def __init__(self, file: BinaryIO, effort: int) -> None:
        self._file = file
        self._machine = zlib.compressobj(effort, zlib.DEFLATED, -zlib.MAX_WBITS)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._file.write(self._machine.compress(data))
        return memoryview(data).nbytes

    def end(self) -> None:
        """Write what is still held."""
        self._file.write(self._machine.flush())


class _Pieces(io.RawIOBase):
    """Content that comes in pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def _exactly(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) < count:
        raise EOFError
    return data


def _snappy_frames(file: BinaryIO) -> Iterator[bytes]:
    """Yield the pieces of Snappy's framing format; each one's checksum is compared."""
    cramjam = _cramjam()
    while head := file.read(4):
        if len(head) < 4:
            raise EOFError
        kind, size = head[0], int.from_bytes(head[1:], "little")
        chunk = _exactly(file, size)
        if kind in {0, 1}:
            yield bytes(_unframed(cramjam, _SNAPPY_FRAME + head + chunk))
        elif 2 <= kind < 0x80:
            raise ValueError(f"a chunk of the unknown kind {kind}")


def _unframed(cramjam: Any, frame: bytes) -> bytes:
    try:
        return bytes(cramjam.snappy.decompress(frame))
    except cramjam.DecompressionError as error:
        raise ValueError(str(error)) from error


def _hadoop_blocks(file: BinaryIO, codec: str) -> Iterator[bytes]:
    """Yield the blocks that Hadoop and Spark write: each with its size, and in it packed parts with theirs."""
    machine = pa.Codec(cast(Any, codec))
    while head := file.read(4):
        if len(head) < 4:
            raise EOFError
        left = struct.unpack(">I", head)[0]
        if left > _MOST_BLOCK_BYTES:
            raise ValueError("its first bytes are no size of a block")
        while left:
            packed = _exactly(file, _size(_exactly(file, 4)))
            part = _raw(machine, packed, left, codec)
            left -= len(part)
            yield part


def _size(data: bytes) -> int:
    size = int(struct.unpack(">I", data)[0])
    if not 0 < size <= _MOST_BLOCK_BYTES:
        raise ValueError("a part has an impossible size")
    return size


def _raw(machine: pa.Codec, packed: bytes, most: int, codec: str) -> bytes:
    """Return an unpacked part. Snappy tells its size first; a part of raw LZ4 fills its block."""
    size = most
    if codec == "snappy":
        size = shift = 0
        for byte in packed[:5]:
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        if not 0 < size <= most:
            raise ValueError("a part is larger than its block")
    try:
        return bytes(machine.decompress(packed, size, asbytes=True))
    except OSError as error:
        raise ValueError(str(error)) from error


class _SnappyFrames(io.RawIOBase):
    """Packs by Snappy's framing format, a block at a time."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._held = bytearray()
        self._cramjam = _cramjam()
        self._file.write(_SNAPPY_FRAME)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._held += data
        if len(self._held) >= _BUFFER_BYTES:
            self.end()
        return memoryview(data).nbytes

    def end(self) -> None:
        """Write what is still held."""
        if self._held:
            packed = bytes(self._cramjam.snappy.compress(bytes(self._held)))
            self._file.write(packed.removeprefix(_SNAPPY_FRAME))
            self._held.clear()


def _cramjam() -> Any:
    try:
        return importlib.import_module("cramjam")
    except ModuleNotFoundError as error:
        raise missing_library(error) from error
