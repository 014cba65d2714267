"""The dataset type Binary: whole files, byte by byte, whatever is in them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from manara.connectors.file_facts import metadata
from manara.connectors.selection import (
    Settings,
    SourceFile,
    codec_of,
    join,
    location,
    source_files,
    store_of,
)
from manara.errors import Conflict, WrongDefinition
from manara.plugin.connection import Mark
from manara.plugin.dataset import DatasetGiven, Tally, dataset
from manara.registry import near

_CHUNK_BYTES = 4 << 20
_PIECES = pa.schema([("path", pa.string())]).append(pa.field("chunk", pa.large_binary()))
_BEHAVIOURS = ("PreserveHierarchy", "FlattenHierarchy")


@dataset("Binary")
def binary(given: DatasetGiven) -> "BinaryDataset":
    """Return files as bytes: pieces of at most 4 MB, each with the path that it belongs to.

    They are no rows to anybody else, and a copy does not count them (rule 97).
    """
    return BinaryDataset(given=given)


@dataclass(frozen=True, slots=True, kw_only=True)
class BinaryDataset:
    """Files as they are."""

    given: DatasetGiven

    def read(self, settings: Settings, tally: Tally) -> pa.RecordBatchReader:
        files = source_files(self.given, settings)
        return pa.RecordBatchReader.from_batches(_PIECES, _pieces(files, tally))

    def write(
        self,
        settings: Settings,
        rows: pa.RecordBatchReader,
        mark: Mark,  # noqa: ARG002 - every file has a name of its own, the same for every attempt
        tally: Tally,
    ) -> dict[str, Any]:
        if rows.schema.names != _PIECES.names:
            raise WrongDefinition(
                "Only Binary can be copied to Binary.", advice="Take a dataset of the source's format."
            )
        if codec_of(self.given):
            raise WrongDefinition("A Binary sink writes bytes as they are.", advice="Leave out its compression.")
        behaviour = (settings.get("storeSettings") or {}).get("copyBehavior") or _BEHAVIOURS[0]
        if behaviour not in _BEHAVIOURS:
            raise WrongDefinition(f"copyBehavior cannot be '{behaviour}'.", advice=near(str(behaviour), _BEHAVIOURS))
        pieces = _Pieces(rows)
        written: dict[str, str] = {}
        while (path := pieces.path) is not None:
            target = self._target(path, flatten=behaviour == "FlattenHierarchy")
            if target in written:
                raise Conflict(
                    f"'{path}' and '{written[target]}' would both become '{target}'.",
                    advice="Name a folder instead of a file, or take copyBehavior PreserveHierarchy.",
                )
            written[target] = path
            self._write_one(target, pieces, tally)
        return {}

    def _write_one(self, target: str, pieces: "_Pieces", tally: Tally) -> None:
        with store_of(self.given).create(target) as file:
            for chunk in pieces.of_this_file():
                file.write(chunk)
                tally.data_written += len(chunk)
        tally.files_written += 1

    def _target(self, path: str, *, flatten: bool) -> str:
        folder, name = location(self.given)
        return join(folder, name or (path.rsplit("/", 1)[-1] if flatten else path))

    def metadata(self, fields: Sequence[str]) -> dict[str, Any]:
        return metadata(self.given, fields)


class _Pieces:
    """The stream of pieces, one file after the other."""

    def __init__(self, rows: pa.RecordBatchReader) -> None:
        self._rows = (row for batch in rows for row in batch.to_pylist())
        self._next = next(self._rows, None)

    @property
    def path(self) -> str | None:
        """The file that the next piece belongs to; None at the end."""
        return str(self._next["path"]) if self._next else None

    def of_this_file(self) -> Iterator[bytes]:
        path = self.path
        while self._next and self._next["path"] == path:
            yield self._next["chunk"]
            self._next = next(self._rows, None)


def _pieces(files: Sequence[SourceFile], tally: Tally) -> Iterator[pa.RecordBatch]:
    for file in files:
        with file.open(tally) as content:
            chunk = content.read(_CHUNK_BYTES)
            while True:
                yield pa.record_batch([[file.relative], pa.array([chunk], pa.large_binary())], schema=_PIECES)
                chunk = content.read(_CHUNK_BYTES)
                if not chunk:
                    break
        tally.files_read += 1
