"""Backups of a factory's folder: its definitions, journal, warehouse and lake, each as it was at one moment.

The journal is taken first, then the warehouse, then the files. So the warehouse holds at least what the journal says
was done, and its marks keep a run that goes on after a restore from loading a row twice.
"""

import json
import sqlite3
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from manara.app.factory import SEAL
from manara.errors import Conflict, NotAllowed, WrongDefinition
from manara.resources.model import KINDS
from manara.store.repository import Backup, Damage, Kept, Progress, Repository
from manara.table.dialects import dialect_of

if TYPE_CHECKING:
    from manara.app.factory import Factory

FOLDER = "databases"
"""Where dumps of PostgreSQL lie in a backup, and in the folder that was restored from one."""

JOURNAL = "journal"
"""The name under which the journal is dumped, where it lies in PostgreSQL."""

_SECRETS = (".env",)
_SQLITE, _DUCKDB = b"SQLite format 3\x00", b"DUCK"
_BESIDE = ("-wal", "-shm", "-journal", ".wal", ".tmp")
_WAIT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A file to back up: where it lies, its path below the folder, and how it is read: as it is, or as a database."""

    file: Path
    path: str
    kind: str


def in_postgres(factory: "Factory") -> list[str]:
    """Return the names of what a factory keeps in PostgreSQL: `journal`, and linked services."""
    is_there = factory.settings.store_journal.startswith(("postgresql://", "postgres://"))
    names = factory.definitions.names("linkedService")
    kinds = {name: factory.definitions.linked_service(name).properties.type for name in names}
    return [*([JOURNAL] if is_there else []), *(name for name in names if dialect_of(kinds[name]) == "postgres")]


def path_of(name: str) -> str:
    """Return where the dump of a database lies in a backup."""
    return f"{FOLDER}/{name}.dump"


def back_up(
    root: Path,
    repository: Repository,
    tell: Progress,
    *,
    with_key: bool = False,
    wait_s: float = _WAIT_S,
    databases: Mapping[str, str] | None = None,
    others: Sequence[str] = (),
) -> Backup:
    """Make a backup of the folder and return it.

    `.env` never goes along, and the key that opens what a server has sealed only `with_key`. Databases are read as of
    one moment, while runs go on (SQLite) or as soon as nobody writes (DuckDB, waited for). Raises Conflict for a
    DuckDB file that stays in use, and WrongDefinition where there is no folder. `databases` are those of PostgreSQL
    that go along, by name with their addresses, and `others` those that do not.
    """
    if not root.is_dir():
        raise WrongDefinition(f"There is no folder '{root}'.")
    parts, left_out = _parts(root, repository.folder, with_key=with_key)
    databases = databases or {}
    dumps = {path_of(name) for name in databases}
    parts = [part for part in parts if part.path not in dumps]
    whole = sum(part.file.stat().st_size for part in parts)
    kept: list[Kept] = []
    done = 0

    def keep(some: Iterable[Part]) -> None:
        nonlocal done
        for part in some:
            tell(part.path, done, whole)
            try:
                with _still(part, wait_s) as file:
                    kept.append(repository.keep(part.path, file))
            except FileNotFoundError:
                left_out.append(f"{part.path}: it was removed while the backup was made")
            else:
                done += kept[-1].size_bytes

    keep(part for part in parts if part.kind != "file")
    for name, address in databases.items():
        from manara.app.dump import dumped, schemas_of  # noqa: PLC0415 # an extra

        tell(path_of(name), done, whole)
        with dumped(address, name) as content:
            kept.append(repository.keep_content(path_of(name), content))
        if schemas := schemas_of(address):
            left_out.append(f"{name}: the schemas of its database beside {', '.join(schemas)}, which its address names")
    keep(part for part in parts if part.kind == "file")
    tell("", whole, whole)
    left_out += [f"{name}: it lies in PostgreSQL (--database {name} takes it along)" for name in others]
    return repository.note(root.resolve().name, kept, left_out)


def restore(
    repository: Repository, backup: Backup, folder: Path, tell: Progress, *, damaged: bool = False
) -> list[Damage]:
    """Write a backup into a folder that is empty or not there, and return the files that could not be had.

    Everything is written beside, checked, and takes its name at the end. A factory that was called as its folder keeps
    that name in a file (`factory/NAME.json`), as its cursors belong to it. Raises Conflict for a folder that holds
    anything, and NotFound for the first damaged file unless `damaged` lets the others be restored.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Conflict(f"'{folder}' is not empty.", advice="Name a new folder: nothing is restored over anything.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.restoring-", dir=folder.parent) as beside:
            place = Path(beside) / folder.name
            place.mkdir()
            lost = list(_restored(repository, backup, place, tell, damaged=damaged))
            _keep_name(place, backup.of)
            if folder.exists():
                folder.rmdir()
            place.rename(folder)
    except OSError as error:
        raise NotAllowed(
            f"The folder cannot be written: {error.strerror}.",
            where=str(folder),
            advice="Check the rights and the disk.",
        ) from error
    return lost


def _restored(
    repository: Repository, backup: Backup, place: Path, tell: Progress, *, damaged: bool
) -> Iterator[Damage]:
    bad = {each.path: each for each in repository.damages(backup)} if damaged else {}
    done = 0
    for file in backup.files:
        tell(file.path, done, backup.size_bytes)
        if file.path in bad:
            yield bad[file.path]
        else:
            repository.restore(file, place)
        done += file.size_bytes
    tell("", backup.size_bytes, backup.size_bytes)


def _keep_name(place: Path, name: str) -> None:
    """Write a factory's name down where nothing but its folder said it, and the folder is now another."""
    is_factory = any((place / kind).is_dir() for kind in KINDS)
    if is_factory and place.name != name and not any((place / "factory").glob("*.json")):
        (place / "factory").mkdir(exist_ok=True)
        text = json.dumps({"name": name, "properties": {}}, indent=4, ensure_ascii=False)
        (place / "factory" / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")


def _parts(root: Path, repository: Path, *, with_key: bool) -> tuple[list[Part], list[str]]:
    """Return the files to back up in order (journals, warehouses, the rest), and what is left out and why."""
    parts: list[Part] = []
    left_out: list[str] = []
    for file in sorted(root.rglob("*")):
        path = file.relative_to(root).as_posix()
        if file.resolve().is_relative_to(repository.resolve()):
            continue
        if file.is_symlink():
            left_out.append(f"{path}: a link")
        elif not file.is_file() or file.name.endswith(_BESIDE):
            continue
        elif file.name in _SECRETS or (file.name == SEAL and not with_key):
            left_out.append(f"{path}: a secret")
        else:
            parts.append(Part(file=file, path=path, kind=_kind(file)))
    order = {"sqlite": 0, "duckdb": 1, "file": 2}
    return sorted(parts, key=lambda part: (order[part.kind], part.path)), left_out


def _kind(file: Path) -> str:
    with file.open("rb") as content:
        head = content.read(16)
    if head == _SQLITE:
        return "sqlite"
    return "duckdb" if head[8:12] == _DUCKDB else "file"


@contextmanager
def _still(part: Part, wait_s: float) -> Iterator[Path]:
    """Give a file that does not change while it is read: a copy of a journal, or a warehouse that nobody writes."""
    if part.kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix="manara-backup-") as folder:
            copy = Path(folder) / part.file.name
            with (
                closing(sqlite3.connect(f"{part.file.resolve().as_uri()}?mode=rw", uri=True)) as source,
                closing(sqlite3.connect(copy)) as target,
            ):
                source.backup(target)
            yield copy
    elif part.kind == "duckdb":
        with closing(_held(part, wait_s)):
            yield part.file
    else:
        yield part.file


def _held(part: Part, wait_s: float) -> duckdb.DuckDBPyConnection:
    """Return a connection that holds the file, all of it written down; nobody else writes while it is open."""
    until = time.monotonic() + wait_s
    while True:
        try:
            held = duckdb.connect(str(part.file))
            held.execute("CHECKPOINT")
        except duckdb.IOException as error:
            if time.monotonic() >= until:
                raise Conflict(
                    f"The warehouse '{part.path}' is in use.", advice="Wait for the run that writes it, and try again."
                ) from error
            time.sleep(0.2)
        else:
            return held


def check(repository: Repository, backups: Sequence[Backup], tell: Progress) -> list[tuple[Backup, Damage]]:
    """Return every file of the backups that cannot be had as it was; all pieces are read."""
    found = []
    for number, backup in enumerate(backups):
        tell(backup.id, number, len(backups))
        found += [(backup, damage) for damage in repository.damages(backup)]
    tell("", len(backups), len(backups))
    return found
