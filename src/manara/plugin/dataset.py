"""What a dataset type is given, and what it gives: rows in, rows out, and facts about itself."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from manara.errors import BadRows, NotFound
from manara.plugin.connection import Connection, Mark
from manara.registry import Registry

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A row that could not be read or written: where it stood, its text, and why."""

    file: str
    row: int
    text: str
    reason: str


def refuse_none(row: Refused) -> None:
    """Raise BadRows: what a copy does with a broken row unless it is told to skip it."""
    raise BadRows(
        f"Row {row.row} cannot be read: {row.reason}. It says: {row.text[:200]}",
        where=row.file,
        advice="Mend the row, or set enableSkipIncompatibleRow to carry on without it.",
        code="UserErrorSourceDataIsInvalid",
    )


@dataclass(slots=True, kw_only=True)
class Tally:
    """What has passed through a copy so far; source and sink add to it as the rows stream by.

    `data_expected` is how many bytes the source has to read, 0 where it does not know. A source that can go on where
    it stopped is given the `cursor` that it left at the last good run, and leaves a new one (JSON) when its rows end.

    `refuse` is called with each broken row (it counts it, or raises); `tick` is called after each batch: it reports
    progress, and raises Cancelled when the run is to stop.
    """

    rows_read: int = 0
    rows_skipped: int = 0
    rows_copied: int = 0
    files_read: int = 0
    files_written: int = 0
    data_read: int = 0
    data_written: int = 0
    data_expected: int = 0
    cursor: Any = None
    refuse: Callable[[Refused], None] = refuse_none
    tick: Callable[[], None] = field(default=lambda: None)


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


DATASETS: Registry[Callable[[DatasetGiven], Dataset]] = Registry("dataset")
dataset = DATASETS.register
