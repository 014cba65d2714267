"""Archives (ZipDeflate, Tar, TarGZip): the files in them, read one by one in bounded memory, and new ones written."""

import contextlib
import gzip
import io
import struct
import tarfile
import tempfile
import threading
import weakref
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Protocol, cast

from manara.errors import BadRows, ManaraError, NotAllowed, WrongDefinition

CODECS = ("zipdeflate", "tar", "targzip")
_BUFFER_BYTES = 1 << 20
_HELD_BYTES = 8 << 20
_ENCRYPTED = 0x1
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
_EFFORT = {"Fastest": 1, "Optimal": 9}

Open = Callable[[], BinaryIO]


class Member(Protocol):
    """A file in an archive."""

    @property
    def name(self) -> str:
        """Its path in the archive, with `/`."""

    @property
    def size_bytes(self) -> int:
        """How large it is unpacked, by what the archive says."""

    def open(self, archive: Open) -> BinaryIO:
        """Return its content; `archive` opens the archive. Raises BadRows while reading where it is broken."""


def keeps_name(settings: Mapping[str, Any]) -> bool:
    """Return whether the archive's own name becomes a folder round its files (rule 104: unless told otherwise)."""
    told = (settings.get("formatSettings") or {}).get("compressionProperties") or {}
    for option in ("preserveZipFileNameAsFolder", "preserveCompressionFileNameAsFolder"):
        if told.get(option) is not None:
            return str(told[option]).lower() == "true"
    return True


def members(archive: Open, codec: str, path: str) -> list[Member]:
    """Return the files in an archive, by name.

    Raises BadRows where it is broken, NotAllowed for one that would leave its folder, and WrongDefinition for one with
    a password.
    """
    try:
        found = _in_zip(archive, path) if codec == "zipdeflate" else _in_tar(archive, path, packed=codec == "targzip")
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile, NotImplementedError) as error:
        raise broken(path, f"is no whole archive ({error or 'it is cut off'})") from error
    return sorted(found, key=lambda member: member.name)


def broken(path: str, what: str) -> ManaraError:
    """Return the error for an archive that cannot be unpacked."""
    return BadRows(
        f"The file {what}.",
        where=path,
        advice="Fetch it again, or mend the compression in the dataset.",
        code="UserErrorDecompressionFailed",
    )


def _safe(name: str, path: str) -> str:
    """Return the member's path with `/`; raises NotAllowed where it leads out of the folder."""
    plain = name.replace("\\", "/")
    parts = PurePosixPath(plain).parts
    if ".." in parts or plain.startswith("/") or "\0" in plain or (parts and parts[0].endswith(":")):
        raise NotAllowed(
            f"The archive holds '{name}', which would leave the folder that it is unpacked to.",
            where=path,
            advice="Do not trust this archive; unpack by hand what you need of it.",
        )
    return "/".join(part for part in parts if part != ".")


def _in_zip(archive: Open, path: str) -> list[Member]:
    with _seekable(archive()) as file, zipfile.ZipFile(file) as opened:
        found: list[Member] = []
        for entry in opened.infolist():
            name = _safe(entry.filename, path)
            if entry.is_dir() or not name:
                continue
            if entry.flag_bits & _ENCRYPTED:
                raise WrongDefinition(
                    f"The file '{name}' in the archive has a password.",
                    where=path,
                    advice="Unpack it by hand first: Azure Data Factory cannot open it either.",
                )
            if entry.compress_type not in _METHODS:
                raise broken(path, f"holds '{name}', packed by the method {entry.compress_type} and not by deflate")
            found.append(ZipMember(name=name, entry=entry, path=path))
    return found


@contextlib.contextmanager
def _seekable(file: BinaryIO) -> Iterator[BinaryIO]:
    """Return the file, or a copy on the disk where it can only be read from the start to the end."""
    with file:
        if file.seekable():
            yield file
            return
        with tempfile.SpooledTemporaryFile(_HELD_BYTES) as copy:
            while piece := file.read(_BUFFER_BYTES):
                copy.write(piece)
            copy.seek(0)
            yield cast(BinaryIO, copy)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZipMember:
    """A file in a zip: read from its place, so that opening one does not read the list of all."""

    name: str
    entry: zipfile.ZipInfo
    path: str

    @property
    def size_bytes(self) -> int:
        return self.entry.file_size

    def open(self, archive: Open) -> BinaryIO:
        stack = contextlib.ExitStack()
        try:
            file = stack.enter_context(_seekable(archive()))
            file.seek(self.entry.header_offset)
            head = file.read(30)
            if len(head) < 30 or head[:4] != b"PK\x03\x04":
                raise broken(self.path, f"has no '{self.name}' where its list says")
            skipped = sum(struct.unpack("<HH", head[26:30]))
            file.seek(self.entry.header_offset + 30 + skipped)
        except BaseException:
            stack.close()
            raise
        return io.BufferedReader(_Unzipped(file, self, stack), _BUFFER_BYTES)


class _Unzipped(io.RawIOBase):
    """A zip's file, unpacked and held against its checksum; never more than the list says."""

    def __init__(self, file: BinaryIO, member: ZipMember, stack: contextlib.ExitStack) -> None:
        self._file, self._member, self._stack = file, member, stack
        self._left = member.entry.compress_size
        is_packed = member.entry.compress_type == zipfile.ZIP_DEFLATED
        self._machine = zlib.decompressobj(-zlib.MAX_WBITS) if is_packed else None
        self._crc = self._count = 0
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._ended:
            return 0
        try:
            piece = self._next(len(buffer))
        except (zlib.error, EOFError) as error:
            raise self._broken(str(error) or "it is cut off") from error
        self._crc, self._count = zlib.crc32(piece, self._crc), self._count + len(piece)
        if self._count > self._member.entry.file_size:
            raise self._broken("it is larger than it says")
        if not piece:
            self._ended = True
            if self._crc != self._member.entry.CRC or self._count != self._member.entry.file_size:
                raise self._broken("its checksum does not fit")
        buffer[: len(piece)] = piece
        return len(piece)

    def _next(self, most: int) -> bytes:
        if self._machine is None:
            return self._packed(most)
        piece = b""
        while not piece and not self._machine.eof:
            packed = self._machine.unconsumed_tail or self._packed(_BUFFER_BYTES)
            if not packed:
                raise EOFError
            piece = self._machine.decompress(packed, most)
        return piece

    def _packed(self, most: int) -> bytes:
        piece = self._file.read(min(most, self._left))
        if self._left and not piece:
            raise EOFError
        self._left -= len(piece)
        return piece

    def close(self) -> None:
        self._stack.close()
        super().close()

    def _broken(self, why: str) -> ManaraError:
        return broken(self._member.path, f"holds '{self._member.name}', which is broken: {why}")


def _in_tar(archive: Open, path: str, *, packed: bool) -> list[Member]:
    ways = _Ways(packed=packed, path=path)
    found: list[Member] = []
    with archive() as raw, _plain(raw, packed=packed) as file, tarfile.open(fileobj=file, mode="r|") as opened:
        for entry in opened:
            name = _safe(entry.name, path)
            if entry.isfile() and name:
                found.append(TarMember(name=name, start=entry.offset_data, size_bytes=entry.size, ways=ways))
            elif entry.issym() or entry.islnk():
                raise NotAllowed(
                    f"The archive holds '{entry.name}', a link to '{entry.linkname}'.",
                    where=path,
                    advice="Pack the file itself instead of a link.",
                )
        while file.read(_BUFFER_BYTES):  # to the end, where the checksum of the packing stands
            pass
    return found


def _plain(raw: BinaryIO, *, packed: bool) -> BinaryIO:
    return cast(BinaryIO, gzip.GzipFile(fileobj=raw, mode="rb")) if packed else raw


@dataclass(frozen=True, slots=True, kw_only=True)
class TarMember:
    """A file in a tar: so many bytes from a place on."""

    name: str
    start: int
    size_bytes: int
    ways: "_Ways"

    def open(self, archive: Open) -> BinaryIO:
        return io.BufferedReader(_Slice(self, self.ways.at(self.start, archive)), _BUFFER_BYTES)


class _Slice(io.RawIOBase):
    def __init__(self, member: TarMember, way: "_Way") -> None:
        self._member, self._way, self._left = member, way, member.size_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._way.read(min(len(buffer), self._left))
        if self._left and not piece:
            raise broken(self._member.ways.path, f"is cut off in '{self._member.name}'")
        self._left -= len(piece)
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        if not self.closed:
            self._member.ways.give_back(self._way)
        super().close()


@dataclass(slots=True)
class _Way:
    """An archive that is open, and how far it was read."""

    raw: BinaryIO
    content: BinaryIO
    place: int = 0

    def read(self, count: int) -> bytes:
        piece = self.content.read(count)
        self.place += len(piece)
        return piece

    def close(self) -> None:
        self.content.close()
        self.raw.close()


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class _Ways:
    """Keeps an archive open between files that are read in its order, so that it is unpacked once."""

    packed: bool
    path: str
    idle: list[_Way] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        weakref.finalize(self, _close_all, self.idle)

    def at(self, start: int, archive: Open) -> _Way:
        """Return the archive open at a place."""
        with self.lock:
            fit = [way for way in self.idle if way.place <= start or way.raw is way.content]
            way = max(fit, key=lambda one: one.place) if fit else None
            if way:
                self.idle.remove(way)
        if way is None:
            raw = archive()
            way = _Way(raw, _plain(raw, packed=self.packed))
        if way.raw is way.content and way.raw.seekable():
            way.place = way.raw.seek(start)
        while way.place < start:
            if not way.read(min(_BUFFER_BYTES, start - way.place)):
                way.close()
                raise broken(self.path, "is cut off")
        return way

    def give_back(self, way: _Way) -> None:
        """Keep an open archive for the next file."""
        with self.lock:
            if not self.idle:
                self.idle.append(way)
                return
        way.close()


def _close_all(idle: list[_Way]) -> None:
    for way in idle:
        way.close()


class Writer:
    """A new archive, in a `with` block: the same files give the same bytes."""

    def __init__(self, file: BinaryIO, codec: str, level: str = "") -> None:
        self._stack = contextlib.ExitStack()
        effort = _EFFORT.get(level, 6)
        self._zip: zipfile.ZipFile | None = None
        self._tar: tarfile.TarFile | None = None
        if codec == "zipdeflate":
            self._zip = self._stack.enter_context(
                zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=effort)
            )
            return
        if codec == "targzip":
            packed = gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0, compresslevel=effort)
            file = cast(BinaryIO, self._stack.enter_context(packed))
        self._tar = self._stack.enter_context(
            tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115 - closed with the stack
        )

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*cast(Any, error))

    @contextlib.contextmanager
    def create(self, name: str) -> Iterator[BinaryIO]:
        """Return a file of the archive to write; one at a time."""
        if self._zip:
            entry = zipfile.ZipInfo(name, _LONG_AGO)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            with self._zip.open(entry, "w", force_zip64=True) as member:
                yield cast(BinaryIO, member)
            return
        # A tar tells the size before the content.
        with tempfile.SpooledTemporaryFile(_HELD_BYTES) as held:
            yield cast(BinaryIO, held)
            about = tarfile.TarInfo(name)
            about.size, about.mode = held.tell(), 0o644
            held.seek(0)
            cast(tarfile.TarFile, self._tar).addfile(about, cast(Any, held))
