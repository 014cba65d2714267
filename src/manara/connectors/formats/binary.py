"""The dataset type Binary: whole files, byte by byte, whatever is in them."""

import contextlib
import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

import pyarrow as pa

from manara.connectors import archives, compression
from manara.connectors.deletion import deletes_afterwards, doomed, to_delete
from manara.connectors.file_facts import metadata
from manara.connectors.file_names import FLATTEN, MERGE, behaviour, flat, marked
from manara.connectors.selection import (
    Settings,
    SourceFile,
    codec_of,
    join,
    level_of,
    location,
    source_files,
    store_of,
)
from manara.errors import Conflict, ManaraError, NotAllowed, SourceMissing, WrongDefinition
from manara.plugin.connection import InBulk, Mark, Store
from manara.plugin.dataset import DatasetGiven, Doomed, Tally, dataset

_CHUNK_BYTES = 4 << 20
_SMALL_BYTES = 1 << 20
_MOST_ROWS = 512
_AT_A_TIME = 8
_FIELDS: list[tuple[str, pa.DataType]] = [
    ("path", pa.string()),
    ("flat", pa.string()),
    ("chunk", pa.large_binary()),
    ("ends", pa.bool_()),
    ("moved", pa.bool_()),
]
_PIECES = pa.schema(_FIELDS)


@dataset("Binary", can={"read", "write", "list", "delete"})
def binary(given: DatasetGiven) -> "BinaryDataset":
    """Return files as bytes: pieces of at most 4 MB, each with the path that it belongs to.

    They are no rows to anybody else, and a copy does not count them (rule 97). A source with a compression is
    unpacked, a sink with one packs: files lose and get its ending. The files of an archive arrive one by one, in a
    folder with the archive's name unless preserveZipFileNameAsFolder or preserveCompressionFileNameAsFolder says no
    (rule 104). A sink that is an archive packs each file apart, or all into one with a file name or MergeFiles.
    """
    return BinaryDataset(given=given)


@dataclass(frozen=True, slots=True, kw_only=True)
class BinaryDataset:
    """Files as they are."""

    given: DatasetGiven

    def read(self, settings: Settings, tally: Tally) -> pa.RecordBatchReader:
        moved = deletes_afterwards(settings)
        try:
            files = source_files(self.given, settings)
        except SourceMissing:
            # A folder that is empty now may be one that an earlier attempt has moved already.
            if not moved or location(self.given)[1]:
                raise
            files = []
        if moved:
            _check_apart(files)
        tally.counts_rows = False
        tally.data_expected = sum({file.info.path: file.info.size_bytes for file in files}.values())
        return pa.RecordBatchReader.from_batches(_PIECES, self._batches(files, settings, tally, moved=moved))

    def _batches(
        self, files: Sequence[SourceFile], settings: Settings, tally: Tally, *, moved: bool
    ) -> Iterator[pa.RecordBatch]:
        store = store_of(self.given)
        with store.bulk() if isinstance(store, InBulk) else contextlib.nullcontext(store) as open_store:
            held = [replace(file, store=open_store) if file.store is store else file for file in files]
            yield from _batches(held, settings, tally, moved=moved)

    def write(self, settings: Settings, rows: pa.RecordBatchReader, mark: Mark, tally: Tally) -> dict[str, Any]:
        if rows.schema.names != _PIECES.names:
            raise WrongDefinition(
                "Only Binary can be copied to Binary.", advice="Take a dataset of the source's format."
            )
        wanted = behaviour(settings)
        pieces = _Pieces(rows)
        codec, name = codec_of(self.given), location(self.given)[1]
        together = wanted == MERGE or (codec in compression.ARCHIVES and bool(name))
        if together and pieces.moved:
            raise WrongDefinition(
                "Files that go into one cannot be deleted afterwards: a copy that is tried again after it was stopped "
                "would find only those that are left, and write over the rest.",
                where="source.storeSettings.deleteFilesAfterCompletion",
                advice="Copy them, and let a Delete activity follow.",
            )
        with contextlib.ExitStack() as stack:
            store = store_of(self.given)
            open_store = stack.enter_context(store.bulk()) if isinstance(store, InBulk) else store
            if together:
                self._write_together(open_store, pieces, mark, tally)
            else:
                self._write_apart(open_store, pieces, settings, tally, flatten=wanted == FLATTEN)
        return {}

    def _write_apart(self, store: Store, pieces: "_Pieces", settings: Settings, tally: Tally, *, flatten: bool) -> None:
        """Write each file: small ones several at a time, large ones piece by piece."""
        written: dict[str, str] = {}
        (folder, name), codec = location(self.given), codec_of(self.given)
        ending = compression.extension(codec)
        with _Crew(_at_a_time(settings), tally) as crew:
            while (path := pieces.path) is not None:
                target = join(folder, name or f"{pieces.flat if flatten else path}{ending}")
                if target in written:
                    raise Conflict(
                        f"'{path}' and '{written[target]}' would both become '{target}'.",
                        advice="Name a folder instead of a file, or take copyBehavior MergeFiles.",
                    )
                written[target] = path
                inside = compression.unpacked_name(target, codec).rpartition("/")[2]
                if pieces.is_whole:
                    crew.do(self._write_one, store, target, inside, list(pieces.of_this_file()))
                else:
                    crew.wrote(_counted(self._write_one, store, target, inside, pieces.of_this_file()))

    def _write_one(self, store: Store, target: str, inside: str, chunks: Iterable[bytes]) -> int:
        """Write one file; return its size, or -1 where it is packed and only the store knows."""
        if codec_of(self.given):
            with store.create(target) as file, self._packing(file, inside) as packed:
                for chunk in chunks:
                    packed.write(chunk)
            return -1
        size = 0
        with store.create(target) as file:
            for chunk in chunks:
                file.write(chunk)
                size += len(chunk)
        return size

    @contextlib.contextmanager
    def _packing(self, file: BinaryIO, inside: str) -> Iterator[BinaryIO]:
        with compression.writer(file, codec_of(self.given), level=level_of(self.given), name=inside) as packed:
            yield packed

    def _write_together(self, store: Store, pieces: "_Pieces", mark: Mark, tally: Tally) -> None:
        """Write all files one behind the other, or into one archive under their paths."""
        codec = codec_of(self.given)
        target = self._merged(mark)
        with store.create(target) as file:
            if codec in compression.ARCHIVES:
                with archives.Writer(file, codec, level_of(self.given)) as archive:
                    while (path := pieces.path) is not None:
                        with archive.create(path) as member:
                            _write_all(member, pieces)
            else:
                with self._packing(file, "") as packed:
                    while pieces.path is not None:
                        _write_all(packed, pieces)
        tally.files_written += 1
        tally.data_written += _size(store, target)

    def _merged(self, mark: Mark) -> str:
        folder, name = location(self.given)
        digest = hashlib.sha256(f"{mark.run_id}\n{mark.step}".encode()).hexdigest()[:20]
        return join(folder, name or f"data_{digest}{compression.extension(codec_of(self.given))}")

    def doomed(self, settings: Settings) -> list[Doomed]:
        return doomed(self.given, settings)

    def metadata(self, fields: Sequence[str]) -> dict[str, Any]:
        return metadata(self.given, fields)


def _check_apart(files: Sequence[SourceFile]) -> None:
    """Raise where files that are to be deleted afterwards are one archive's: it goes when all of them are copied."""
    if any(file.member for file in files):
        raise WrongDefinition(
            "An archive whose files are unpacked cannot be deleted by the same copy.",
            where="source.storeSettings.deleteFilesAfterCompletion",
            advice="Copy them, and let a Delete activity follow.",
        )


def _write_all(file: BinaryIO, pieces: "_Pieces") -> None:
    for chunk in pieces.of_this_file():
        file.write(chunk)


def _size(store: Store, path: str) -> int:
    info = store.info(path)
    return info.size_bytes if info else 0


def _at_a_time(settings: Settings) -> int:
    told = settings.get("parallelCopies") or (settings.get("storeSettings") or {}).get("maxConcurrentConnections")
    try:
        return max(1, min(int(str(told or _AT_A_TIME)), 64))
    except ValueError as error:
        raise WrongDefinition(f"maxConcurrentConnections is a whole number, not '{told}'.") from error


class _Crew:
    """Threads that write small files; the first error is raised to who gives the work, or at the end."""

    def __init__(self, count: int, tally: Tally) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="write files")
        self._most = 4 * count
        self._tally = tally
        self._waiting: deque[Future[int]] = deque()

    def __enter__(self) -> "_Crew":
        return self

    def __exit__(self, kind: object, *_rest: object) -> None:
        try:
            while kind is None and self._waiting:
                self.wrote(self._waiting.popleft().result())
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def do(self, work: Any, store: Store, target: str, inside: str, chunks: list[bytes]) -> None:
        """Let a thread write a file; waits where many are under way."""
        if len(self._waiting) >= self._most:
            self.wrote(self._waiting.popleft().result())
        self._waiting.append(self._pool.submit(_counted, work, store, target, inside, chunks))

    def wrote(self, size_bytes: int) -> None:
        """Count a file that is written."""
        self._tally.files_written += 1
        self._tally.data_written += size_bytes


def _counted(work: Any, store: Store, target: str, inside: str, chunks: Iterable[bytes]) -> int:
    written = int(work(store, target, inside, chunks))
    return written if written >= 0 else _size(store, target)


class _Pieces:
    """The stream of pieces, one file after the other."""

    def __init__(self, rows: pa.RecordBatchReader) -> None:
        self._rows = _rows(rows)
        self._next = next(self._rows, None)

    @property
    def path(self) -> str | None:
        """The file that the next piece belongs to; None at the end."""
        return self._next[0] if self._next else None

    @property
    def flat(self) -> str:
        """Its name in a folder that holds all files."""
        return self._next[1] if self._next else ""

    @property
    def is_whole(self) -> bool:
        """Whether the next piece is a whole small file."""
        return bool(self._next and self._next[3])

    @property
    def moved(self) -> bool:
        """Whether the source deletes the files afterwards."""
        return bool(self._next and self._next[4])

    def of_this_file(self) -> Iterator[bytes]:
        ended = False
        while self._next and not ended:
            ended = self._next[3]
            yield self._next[2]
            self._next = next(self._rows, None)


def _rows(rows: pa.RecordBatchReader) -> Iterator[tuple[str, str, bytes, bool, bool]]:
    for batch in rows:
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _batches(files: Sequence[SourceFile], settings: Settings, tally: Tally, *, moved: bool) -> Iterator[pa.RecordBatch]:
    """Yield the files' pieces; small files many at a time."""
    names = [compression.unpacked_name(file.relative, file.codec) if not file.member else file.relative
             for file in files]  # fmt: skip
    flats = [marked(name) for name in names] if moved else flat(names)
    held: list[tuple[str, str, bytes, bool, bool]] = []
    size = 0
    for file, name, own, chunk, ends in _pieces(files, names, flats, settings, tally):
        held.append((name, own, chunk, ends, moved))
        size += len(chunk)
        if size >= _CHUNK_BYTES or len(held) >= _MOST_ROWS:
            yield _batch(held)
            held, size = [], 0
        if ends:
            tally.files_read += 1
            if moved:
                tally.afterwards.append(to_delete(file))
    if held:
        yield _batch(held)


def _batch(held: Sequence[tuple[str, str, bytes, bool, bool]]) -> pa.RecordBatch:
    columns = zip(*held, strict=True)
    return pa.record_batch(
        [pa.array(list(column), one.type) for column, one in zip(columns, _PIECES, strict=True)], schema=_PIECES
    )


def _pieces(
    files: Sequence[SourceFile], names: Sequence[str], flats: Sequence[str], settings: Settings, tally: Tally
) -> Iterator[tuple[SourceFile, str, str, bytes, bool]]:
    validates = bool(settings.get("validateDataConsistency"))
    with ThreadPoolExecutor(_at_a_time(settings), thread_name_prefix="read files") as pool:
        loads = _ahead(pool, files)
        for file, name, own in zip(files, names, flats, strict=True):
            load = next(loads)
            try:
                chunks = iter([_loaded(load, tally)]) if load else _chunks(file, tally)
                first = next(chunks)
            except (SourceMissing, NotAllowed) as error:
                tally.leave_out(file.path, error)
                continue
            chunk, total = first, len(first)
            for following in chunks:
                yield file, name, own, chunk, False
                chunk, total = following, total + len(following)
            if validates and not (file.codec or total == file.info.size_bytes):
                raise ManaraError(
                    f"{total} bytes were read of a file of {file.info.size_bytes}.",
                    where=file.path,
                    advice="Copy it again when nobody writes to it.",
                    code="UserErrorDataInconsistency",
                )
            yield file, name, own, chunk, True


def _loaded(load: "Future[bytes]", tally: Tally) -> bytes:
    content = load.result()
    tally.data_read += len(content)
    return content


def _ahead(pool: ThreadPoolExecutor, files: Sequence[SourceFile]) -> Iterator["Future[bytes] | None"]:
    """Yield for each small file its content under way, read a little ahead; None for one that is read in pieces."""
    under_way: deque[Future[bytes] | None] = deque()
    for file in files:
        small = not file.codec and file.info.size_bytes <= _SMALL_BYTES
        under_way.append(pool.submit(_content, file) if small else None)
        if len(under_way) >= _MOST_ROWS // 4:
            yield under_way.popleft()
    yield from under_way


def _content(file: SourceFile) -> bytes:
    with file.store.open(file.path) as content:
        return content.read()


def _chunks(file: SourceFile, tally: Tally) -> Iterator[bytes]:
    """Yield a file's content in pieces, at least one."""
    with file.open(tally) as content:
        chunk = content.read(_CHUNK_BYTES)
        while True:
            yield chunk
            chunk = content.read(_CHUNK_BYTES)
            if not chunk:
                return
