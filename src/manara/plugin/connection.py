"""What a linked service opens: a store of files, a database, or the address of a web service."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, runtime_checkable

from manara.registry import Registry
from manara.secret import Secret, bearer

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlglot import exp


@dataclass(frozen=True, slots=True, kw_only=True)
class FileInfo:
    """One file or folder of a store. `path` is relative to the store, with `/`; `size_bytes` is 0 for a folder."""

    path: str
    is_folder: bool
    size_bytes: int
    modified: datetime

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Which step of which run does the work: what a sink notes with its rows so that they arrive once.

    `step` is the path of the activity in the run (`Each file[3]/Load`). `attempt` counts from 1 and is only a note:
    work that was committed by one attempt is not done again by the next.
    """

    run_id: str
    step: str
    attempt: int


@runtime_checkable
class Store(Protocol):
    """Files under one root. Paths are relative, with `/`, and cannot leave the root (NotAllowed)."""

    def info(self, path: str) -> FileInfo | None:
        """Return the file or folder, or None where there is none."""

    def list(self, folder: str) -> list[FileInfo]:
        """Return what lies directly in the folder, by name. Raises SourceMissing where there is no such folder."""

    def open(self, path: str) -> BinaryIO:
        """Return the file opened for reading. Raises SourceMissing."""

    def create(self, path: str) -> AbstractContextManager[BinaryIO]:
        """Return a file to write, in a `with` block.

        It appears under its name, whole, when the block ends well, and not at all otherwise; missing folders are made.
        """

    def delete(self, path: str) -> None:
        """Remove the file or the folder with all it holds; nothing happens where there is none."""

    def local_path(self, path: str) -> Path | None:
        """Return the path on this machine's disk, for readers that are faster on one; None for a remote store."""


@runtime_checkable
class AskedStore(Store, Protocol):
    """A store whose files are the answers to requests, such as an HTTP server: it has no folders to look into."""

    def asking(self, settings: Mapping[str, Any]) -> "AskedStore":
        """Return the store that asks as a source's storeSettings say."""


@runtime_checkable
class InBulk(Protocol):
    """A store that writes many small files faster when it makes them safe together."""

    def bulk(self) -> AbstractContextManager[Store]:
        """Return the store, in a `with` block; at its end, all files made in it are as safe as those of `create`."""


class Transaction(Protocol):
    """An open transaction of a database; see `Database.once`."""

    def execute(self, statement: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> int:
        """Run a statement and return how many rows it changed (0 where that has no meaning)."""

    def query(self, statement: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> "pa.RecordBatchReader":
        """Return the rows of a query as Arrow batches."""

    def columns(self, table: "exp.Table") -> dict[str, str]:
        """Return the table's columns in order, with their types in the database's SQL; nothing where there is none."""

    def load(self, table: "exp.Table", rows: "pa.RecordBatchReader") -> int:
        """Insert the rows by the fastest way that the database has, and return how many they are.

        The names of the rows' columns are those of the table, and their values fit its types.
        """


@runtime_checkable
class ArrowTransaction(Transaction, Protocol):
    """A transaction of a database whose statements can read Arrow rows, such as DuckDB."""

    def register(self, name: str, rows: "pa.RecordBatchReader | pa.Table") -> AbstractContextManager[None]:
        """Make Arrow rows visible to statements as a view called `name`, in a `with` block."""

    def passing_through(self) -> AbstractContextManager[None]:
        """Say, for a `with` block, that statements take rows in as they come, and need no memory of their own."""


@runtime_checkable
class Undoable(Transaction, Protocol):
    """A transaction that can take back a part of itself, such as by a savepoint."""

    def attempt(self) -> AbstractContextManager[None]:
        """Take back what the `with` block did, and nothing before it, when it raises; the transaction goes on."""


@runtime_checkable
class ListsTables(Protocol):
    """A database or transaction that can say which tables it has."""

    def tables(self, schema: str) -> list[str]:
        """Return the names of the tables of a schema; of the usual one where it is empty."""


@runtime_checkable
class Database(Protocol):
    """Tables reached by SQL."""

    @property
    def dialect(self) -> str:
        """The name that sqlglot has for its SQL."""

    def query(self, statement: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> "pa.RecordBatchReader":
        """Return the rows of a query as Arrow batches."""

    def columns(self, table: "exp.Table") -> dict[str, str]:
        """Return the table's columns in order, with their types in the database's SQL; nothing where there is none."""

    def once(self, mark: Mark, work: Callable[[Transaction], dict[str, Any]]) -> dict[str, Any]:
        """Run `work` in one transaction together with the mark, and return what it returned (JSON).

        Where the step's mark is there already, nothing runs, and the result that was noted with it is returned: this
        is what makes a row arrive once whatever is killed when.
        """


@runtime_checkable
class Tunable(Protocol):
    """A database that can be told how its statements are to run."""

    def tuned(self, *, timeout_s: float = 0, isolation: str = "") -> "Database":
        """Return the database with a time limit for each statement, and an isolation level for what is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The address of a web service, without a `/` at its end, and the headers that open it."""

    url: str
    headers: Mapping[str, Secret]


Connection = Store | Database | Endpoint


NO_IDENTITY = bearer("")
"""What stands for a managed identity where none is set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedServiceGiven:
    """What a connector is given: its resolved typeProperties, and the factory's folder for relative paths.

    `identity` returns the bearer token of the factory's managed identity for a resource (`https://vault.azure.net`).
    """

    name: str
    type: str
    properties: Mapping[str, Any]
    root: Path
    identity: Callable[[str], Secret] = NO_IDENTITY


ABILITIES: Mapping[str, str] = {
    "read": "give rows, or the content of files",
    "write": "take rows, or the content of files",
    "upsert": "replace what has the same keys (`writeBehavior` upsert)",
    "list": "say what lies in a folder",
    "delete": "delete files and folders",
    "query": "run the statements of a Script",
    "procedure": "run stored procedures, or the scripts that answer them",
}
"""What a linked service or a dataset type can be able to do."""

CONNECTORS: Registry[Callable[[LinkedServiceGiven], Connection]] = Registry("connector", ABILITIES)
connector = CONNECTORS.register
"""Registers what opens a linked service by its type names; `can={"read", "list"}` says what can be done with it."""
