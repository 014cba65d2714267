"""A repository of backups: pieces of files by their checksum, each once, and one manifest for each backup.

    objects/ab/abcd...      a piece of a file, compressed, named by the SHA-256 of what it holds
    backups/20240131T120000Z-1a2b3c4d.json

A piece is written beside and renamed, and a manifest is written last: a backup that is killed leaves pieces that nobody
names, and no half backup. Two at once write the same pieces, or different ones.
"""

import hashlib
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from manara import clock
from manara.errors import Conflict, NotAllowed, NotFound, WrongDefinition

PIECE_BYTES = 4 << 20
FORMAT = 1
_LEFT_ALONE_S = 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A file of a backup: its path below the folder, its size, its mode, and the checksums of its pieces in order."""

    path: str
    size_bytes: int
    mode: int
    sha256: str
    pieces: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """One backup: when it was made, of what, and the files that it holds. `left_out` says what it does not hold."""

    id: str
    made: datetime
    of: str
    files: tuple[Kept, ...]
    left_out: tuple[str, ...] = ()

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A file of a backup that cannot be had as it was, and why."""

    path: str
    reason: str


Progress = Callable[[str, int, int], None]
"""Is told what is being done, how many bytes are done, and how many there are."""


def _silent(_what: str, _done: int, _whole: int) -> None:
    pass


class Repository:
    """The backups in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._objects = folder / "objects"
        self._backups = folder / "backups"

    def keep(self, path: str, file: Path) -> Kept:
        """Put a file into the repository, piece by piece.

        A piece that is there already is read, and written again only where it is not whole: so what is kept can be had,
        and a new backup mends the older ones.
        """
        with file.open("rb") as content:
            return self.keep_content(path, content, file.stat().st_mode & 0o777)

    def keep_content(self, path: str, content: IO[bytes], mode: int = 0o600) -> Kept:
        """Put what is read into the repository as a file, as `keep` does."""
        whole = hashlib.sha256()
        pieces: list[str] = []
        size = 0
        while piece := _read_whole(content, PIECE_BYTES):
            whole.update(piece)
            size += len(piece)
            pieces.append(self._keep_piece(piece))
        return Kept(path=path, size_bytes=size, mode=mode, sha256=whole.hexdigest(), pieces=tuple(pieces))

    def note(self, of: str, files: Sequence[Kept], left_out: Sequence[str]) -> Backup:
        """Write the manifest of a backup: from here on it is one."""
        made = clock.now()
        identity = f"{made:%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}"
        backup = Backup(id=identity, made=made, of=of, files=tuple(files), left_out=tuple(left_out))
        text = json.dumps(_told(backup), ensure_ascii=False, indent=1)
        self._write(self._backups / f"{identity}.json", text.encode())
        return backup

    def backups(self) -> list[Backup]:
        """Return all backups, the oldest first. Raises NotFound where the folder is no repository."""
        if not self._backups.is_dir():
            raise NotFound(f"There is no backup in '{self.folder}'.", advice="manara backup makes one.")
        return sorted((_read(path) for path in self._backups.glob("*.json")), key=lambda each: each.made)

    def find(self, at: str = "") -> Backup:
        """Return the newest backup; with `at`, the one whose id begins so, or the newest up to that moment (UTC).

        Raises NotFound where there is none, and WrongDefinition for a text that is neither.
        """
        found = self.backups()
        named = [each for each in found if at and each.id.startswith(at)]
        if len(named) == 1:
            return named[0]
        if at:
            moment = _moment(at)
            found = [each for each in found if each.made <= moment]
        if not found:
            first = self.backups()
            advice = f"The first is of {first[0].made:%Y-%m-%d %H:%M} UTC." if first else "manara backup makes one."
            raise NotFound(f"There is no backup up to '{at}'.", advice=advice)
        return found[-1]

    def damages(self, backup: Backup) -> Iterator[Damage]:
        """Yield the files of a backup that cannot be had; every piece is read and its checksum worked out."""
        for file in backup.files:
            try:
                for _ in self.pieces(file):
                    pass
            except NotFound as error:
                yield Damage(path=file.path, reason=error.message)

    def pieces(self, file: Kept) -> Iterator[bytes]:
        """Yield the content of a file. Raises NotFound for a piece that is missing or not what its name says."""
        for name in file.pieces:
            yield self._read_piece(name, file.path)

    def restore(self, file: Kept, folder: Path) -> None:
        """Write a file below the folder. Raises NotAllowed for a path that leads out of it."""
        target = (folder / file.path).resolve()
        if not target.is_relative_to(folder.resolve()):
            raise NotAllowed(f"The backup names a file outside of its folder: '{file.path}'.")
        target.parent.mkdir(parents=True, exist_ok=True)
        whole = hashlib.sha256()
        with target.open("wb") as content:
            for piece in self.pieces(file):
                whole.update(piece)
                content.write(piece)
            content.flush()
            os.fsync(content.fileno())
        if whole.hexdigest() != file.sha256:
            raise NotFound(f"The file '{file.path}' is not what was backed up.")
        target.chmod(file.mode)

    def prune(self, most: int, tell: Progress = _silent) -> tuple[int, int]:
        """Forget what is older than the newest `most` whole backups; return how many backups and pieces went.

        Backups are read to know whether they are whole: a damaged one does not count, and nothing is forgotten where
        fewer than `most` are whole. Pieces of the last day stay: a backup may be under way that has not named them yet.
        """
        found = self.backups()
        old = found[: self._first_to_keep(found, most, tell)] if len(found) > most else []
        for each in old:
            (self._backups / f"{each.id}.json").unlink()
        named = {piece for each in found[len(old) :] for file in each.files for piece in file.pieces}
        count = 0
        for path in self._objects.glob("*/*"):
            if path.name not in named and time.time() - path.stat().st_mtime > _LEFT_ALONE_S:
                path.unlink(missing_ok=True)
                count += 1
        return len(old), count

    def _first_to_keep(self, found: Sequence[Backup], most: int, tell: Progress) -> int:
        """Return where the newest `most` whole backups begin; 0 where there are not so many."""
        read: dict[str, bool] = {}
        whole = done = 0
        size = sum(each.size_bytes for each in found[-most:])
        for index in range(len(found) - 1, -1, -1):
            tell(found[index].id, done, max(size, done))
            done += found[index].size_bytes
            pieces = {piece for file in found[index].files for piece in file.pieces}
            for piece in pieces - read.keys():
                read[piece] = self._is_whole(piece)
            whole += all(read[piece] for piece in pieces)
            if whole == most:
                return index
        return 0

    def _is_whole(self, name: str) -> bool:
        try:
            self._read_piece(name, "")
        except NotFound:
            return False
        return True

    def _keep_piece(self, piece: bytes) -> str:
        name = hashlib.sha256(piece).hexdigest()
        path = self._path(name)
        if not path.exists() or not self._is_whole(name):
            packed = pa.compress(piece, codec="zstd", asbytes=True)
            self._write(path, len(piece).to_bytes(8, "big") + packed)
        return name

    def _read_piece(self, name: str, of: str) -> bytes:
        try:
            held = self._path(name).read_bytes()
            size = int.from_bytes(held[:8], "big")
            piece = pa.decompress(held[8:], decompressed_size=min(size, PIECE_BYTES), codec="zstd", asbytes=True)
        except FileNotFoundError as error:
            raise NotFound(f"A piece of '{of}' is missing: {name[:16]}.") from error
        except (pa.ArrowException, ValueError, OverflowError, MemoryError, OSError) as error:
            raise NotFound(f"A piece of '{of}' is damaged: {name[:16]}.") from error
        if hashlib.sha256(piece).hexdigest() != name:
            raise NotFound(f"A piece of '{of}' is damaged: {name[:16]}.")
        return piece

    def _path(self, name: str) -> Path:
        return self._objects / name[:2] / name

    def _write(self, path: Path, content: bytes) -> None:
        """Write a file beside and rename it, so that it is whole or not there."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}")
            with beside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except OSError as error:
            raise Conflict(
                f"The repository cannot be written: {error.strerror}.", where=str(self.folder),
                advice="Check the rights and the disk. Backups that are there are whole.",
            ) from error  # fmt: skip


def _read_whole(content: IO[bytes], size: int) -> bytes:
    """Return so many bytes, fewer only at the end: a pipe gives what it has."""
    parts: list[bytes] = []
    while size and (part := content.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _told(backup: Backup) -> dict[str, Any]:
    return {
        "format": FORMAT, "id": backup.id, "made": backup.made.isoformat(), "of": backup.of,
        "leftOut": list(backup.left_out),
        "files": [
            {"path": file.path, "size": file.size_bytes, "mode": file.mode, "sha256": file.sha256,
             "pieces": list(file.pieces)} for file in backup.files
        ],
    }  # fmt: skip


def _read(path: Path) -> Backup:
    try:
        told: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if told["format"] > FORMAT:
            raise WrongDefinition(
                f"The backup was made by a newer Manara (format {told['format']}).", where=path.name,
                advice="Install that version.",
            )  # fmt: skip
        files = tuple(
            Kept(path=file["path"], size_bytes=file["size"], mode=file["mode"], sha256=file["sha256"],
                 pieces=tuple(file["pieces"])) for file in told["files"]
        )  # fmt: skip
        made = datetime.fromisoformat(told["made"])
        return Backup(id=told["id"], made=made, of=told["of"], files=files, left_out=tuple(told["leftOut"]))
    except (ValueError, KeyError, TypeError) as error:
        raise WrongDefinition("The manifest of the backup cannot be read.", where=str(path)) from error


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise WrongDefinition(
            f"'{text}' is neither a backup nor a moment.", advice="Such as 2024-01-31T12:00 (UTC)."
        ) from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
