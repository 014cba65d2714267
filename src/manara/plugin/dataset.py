"""What a dataset type is given, and what it gives: rows in, rows out, and facts about itself."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from manara.errors import BadRows, ManaraError, NotFound
from manara.plugin.connection import ABILITIES, Connection, Database, Mark
from manara.plugin.origin import Origins, Spelling
from manara.registry import Registry

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlglot import exp


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A row that could not be read or written: where it stood, its text, and why.

    `row` counts from 1 below the header; `line` is the one in the file on which it begins. Both are 0 where they are
    not known.
    """

    file: str
    row: int
    text: str
    reason: str
    line: int = 0

    @property
    def place(self) -> str:
        """Where in its file it stands, in words."""
        if not self.row:
            return "a row"
        return f"row {self.row} (line {self.line})" if self.line else f"row {self.row}"


def refuse_none(row: Refused) -> None:
    """Raise BadRows: what a copy does with a broken row unless it is told to skip it."""
    raise BadRows(
        f"{row.place.capitalize()} cannot be read: {row.reason}. It says '{row.text[:200]}'.",
        where=row.file,
        advice="Mend the row, or set enableSkipIncompatibleRow to carry on without it.",
        code="UserErrorSourceDataIsInvalid",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AfterFile:
    """Something to do with a file once the sink holds all its rows (delete it)."""

    file: str
    work: Callable[[], None]

    def __call__(self) -> None:
        """Do it."""
        self.work()


class Conversion(Protocol):
    """What makes the texts of one column values of the type `arrow`.

    It `is_known_to_arrow` where Arrow's parser of delimited text understands them as this does: it then gives the same
    value, or an error.
    """

    arrow: "pa.DataType"
    is_known_to_arrow: bool

    def __call__(self, column: "pa.Array[Any]", /) -> "tuple[pa.Array[Any], list[int] | None]":
        """Return the values, and the places of those that do not fit, which are null then; None where all fit."""

    def misfit(self, text: object, column: str) -> str:
        """Return the reason why a row with this text in the column is refused."""


def convert_none(_schema: "pa.Schema") -> Mapping[str, Conversion]:
    """Return no conversion: what a source is told whose columns are taken as it has them."""
    return {}


def leave_out_none(_file: str, error: ManaraError) -> None:
    """Raise the error: what a copy does with a file that cannot be read unless skipErrorFile tells it to go on."""
    raise error


@dataclass(slots=True, kw_only=True)
class Tally:
    """What has passed through a copy so far; source and sink add to it as the rows stream by.

    `data_expected` is how many bytes the source has to read, 0 where it does not know. A source that can go on where
    it stopped is given the `cursor` that it left at the last good run, and leaves a new one (JSON) when its rows end.

    `afterwards` are the things a source wants done once the sink holds everything (delete the files that were read).
    They run in order at the end of a copy that succeeded, and may run again after a crash: each is safe to do twice.
    Where the rows were committed by an earlier attempt, only AfterFile is done, of the `files` that were noted then.

    `refuse` is called with each broken row (it counts it, or raises); `leave_out` with each file that cannot be read,
    before any row of it has been given, and its error (it counts it, or raises); `tick` after each batch: it reports
    progress, and raises Cancelled when the run is to stop. `origins` and `spelling` say where refused rows stand and
    how they are written; a source that knows nothing of them leaves them as they are. `skips` says that `refuse`
    counts: a sink may then take trouble to find the rows that its database does not take. A source whose batches are
    not rows (the pieces of files) sets `counts_rows` to false. `conversions`, given the columns of a source of texts,
    tells which of them are to have another type; a source may convert those itself while it reads, all of them, and
    refuses the rows that do not fit. `rows_together` are how many rows the sink stores together, 0 where it does not
    care: a source that may cut its batches as it likes spares the sink to cut them anew.
    """

    rows_read: int = 0
    rows_skipped: int = 0
    rows_copied: int = 0
    files_read: int = 0
    files_written: int = 0
    files_skipped: int = 0
    data_read: int = 0
    data_written: int = 0
    data_expected: int = 0
    cursor: Any = None
    files: list[str] = field(default_factory=list)
    afterwards: list[Callable[[], None]] = field(default_factory=list)
    origins: Origins = field(default_factory=Origins)
    spelling: Spelling | None = None
    skips: bool = False
    counts_rows: bool = True
    rows_together: int = 0
    refuse: Callable[[Refused], None] = refuse_none
    leave_out: Callable[[str, ManaraError], None] = leave_out_none
    conversions: "Callable[[pa.Schema], Mapping[str, Conversion]]" = convert_none
    tick: Callable[[], None] = field(default=lambda: None)


_NOTED = (
    "rows_read", "rows_skipped", "rows_copied", "files_read", "files_written", "files_skipped", "data_read",
    "data_written", "cursor", "files",
)  # fmt: skip


def noted(tally: Tally) -> dict[str, Any]:
    """Return what a database sink notes of the tally together with its mark (JSON)."""
    return {name: getattr(tally, name) for name in _NOTED}


def restore(tally: Tally, found: Mapping[str, Any]) -> None:
    """Set the tally to what was noted when an earlier attempt committed; what is not there stays as it is."""
    for name in _NOTED:
        if name in found:
            setattr(tally, name, found[name])


class Dataset(Protocol):
    """Rows at one place. A type may leave out what it cannot do by raising WrongDefinition."""

    def read(self, settings: Mapping[str, Any], tally: Tally) -> "pa.RecordBatchReader":
        """Return the rows. `settings` are the properties of the copy's or lookup's `source`.

        Adds `files_read` and `data_read` (bytes) to the tally while the rows are taken, and hands broken rows to
        `tally.refuse`. Raises SourceMissing where there is nothing to read.
        """

    def write(
        self, settings: Mapping[str, Any], rows: "pa.RecordBatchReader", mark: Mark, tally: Tally
    ) -> dict[str, Any]:
        """Write all rows or none. `settings` are the properties of the copy's `sink`.

        Adds `files_written`, `data_written` and `rows_copied` to the tally. Returns what the sink adds to the copy's
        output (often nothing). A write that an earlier attempt of the same step finished is not done twice; then the
        tally is set to what that attempt wrote.
        """

    def metadata(self, fields: Sequence[str]) -> dict[str, Any]:
        """Return the GetMetadata fields that were asked for (`exists`, `childItems`, `itemName`, `size`, ...).

        Raises SourceMissing where there is nothing, unless `exists` is among the fields (rule 91).
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One of the files that a source means: its path below the source's folder, its size, and what reads it alone."""

    name: str
    size_bytes: int
    dataset: Dataset


@runtime_checkable
class InParts(Protocol):
    """A source whose rows lie in files that can be copied one by one."""

    def parts(self, settings: Mapping[str, Any]) -> list[Part]:
        """Return the files that the source means, by path. Raises SourceMissing where there is none."""


@runtime_checkable
class ByParts(Protocol):
    """A sink that can write a file for each file of the source."""

    def targets(self, settings: Mapping[str, Any], names: Sequence[str]) -> "list[Dataset] | None":
        """Return what writes each of the source's files, in order; None where all of them go into one.

        The same names give the same targets, so that every attempt writes the same files.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version of a table: what made it, when, which run of ours did, and how many rows and files it brought or took.

    Figures that the table does not tell are None.
    """

    number: int
    made: datetime
    operation: str
    run_id: str = ""
    rows_added: int | None = None
    files_added: int | None = None
    files_removed: int | None = None


@runtime_checkable
class Versioned(Protocol):
    """A table that keeps its versions, and is to be tidied up now and then."""

    def versions(self) -> list[Version]:
        """Return the versions, the newest first. Raises SourceMissing where there is no table."""

    def compact(self) -> tuple[int, int]:
        """Bring small files together, as a version of its own; return how many files went, and how many came."""

    def vacuum(self, keep_days: int, *, really: bool) -> list[str]:
        """Remove files that no version of the last days needs, and return them; unless `really`, only return them.

        Older versions cannot be read from then on. Raises WrongDefinition for fewer days than a table allows.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Doomed:
    """A file or folder that a Delete means, and what deletes it.

    `work` says whether it deleted something: what is gone already, or a folder that is not empty by then, stays.
    """

    name: str
    is_folder: bool
    work: Callable[[], bool]


@runtime_checkable
class Deletable(Protocol):
    """A dataset whose files can be deleted."""

    def doomed(self, settings: Mapping[str, Any]) -> list[Doomed]:
        """Return the files that the settings mean, by path, and then the folders that go with them, the deepest first.

        `settings` hold `storeSettings`. Nothing to delete is no error.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """Rows that DuckDB reads by itself: the query that gives them, and the columns as the Arrow stream has them.

    `rows` is how many there are, None where only reading tells. Rows of a database are read there and nowhere else:
    `home` is its open file, and `text` the SQL whose rows the query knows as a view. They are `streamed` where none has
    to wait for others in memory, as with sorting.
    """

    query: "exp.Select"
    schema: "pa.Schema"
    rows: int | None
    files: int
    size_bytes: int
    home: Any = None
    text: str = ""
    streamed: bool = True


@runtime_checkable
class AsRelation(Protocol):
    """A source that DuckDB may be able to read by itself."""

    def relation(self, settings: Mapping[str, Any]) -> Relation | str:
        """Return the rows as DuckDB reads them, exactly those that `read` gives, or why that is not certain."""


@runtime_checkable
class TakesRelation(Protocol):
    """A sink that DuckDB may be able to write by itself."""

    def takes(self, settings: Mapping[str, Any], relation: Relation) -> str:
        """Return nothing where DuckDB writes the rows exactly as `write` does, or else why that is not certain."""

    def write_relation(
        self, settings: Mapping[str, Any], relation: Relation, mark: Mark, tally: Tally
    ) -> dict[str, Any]:
        """Write all rows or none, as `write` does with a stream of them, and add them to the tally as read and copied.

        Any error leaves the sink as it was, so that the rows can be taken the other way.
        """


def no_text(kind: str, name: str) -> str:
    """Raise NotFound: there is no factory to look in."""
    raise NotFound(f"There is no {kind} '{name}'.")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetGiven:
    """What a dataset type is given: resolved typeProperties, the opened connection, and rows per Arrow batch.

    `text` returns a file of the factory beside the JSON by kind and name (`text("procedure", "dbo.Load")`); it raises
    NotFound where there is none.
    """

    name: str
    type: str
    properties: Mapping[str, Any]
    connection: Connection
    batch_rows: int = 65_536
    text: Callable[[str, str], str] = no_text


@runtime_checkable
class DatabaseTable(Protocol):
    """A dataset that is a table: its database and its definition, for an activity that writes with statements."""

    @property
    def database(self) -> Database: ...

    @property
    def given(self) -> DatasetGiven: ...


DATASETS: Registry[Callable[[DatasetGiven], Dataset]] = Registry("dataset", ABILITIES)
dataset = DATASETS.register
"""Registers a dataset type by its names; `can={"read"}` says what can be done with it, if its linked service can."""
