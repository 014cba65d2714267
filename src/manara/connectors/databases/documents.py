"""Datasets whose rows are documents of a store: read like JSON lines, written one by one, each once."""

import json
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from manara import clock
from manara.connectors.additional import Additional
from manara.connectors.databases.dbapi_rows import as_text
from manara.connectors.file_server import FolderStore
from manara.connectors.formats.json_format import JsonFormat
from manara.connectors.selection import SourceFile
from manara.errors import Conflict, SourceMissing, WrongDefinition
from manara.plugin.connection import FileInfo, Mark
from manara.plugin.dataset import DatasetGiven, Tally

Settings = Mapping[str, Any]
Document = dict[str, Any]

_BATCH = 1_000
_SPACE = uuid.UUID("5f1c0a52-7a3e-4f0e-9a57-8f1f6f2f3d10")
_BEHAVIORS = {"insert": False, "upsert": True}


class Collection(Protocol):
    """A collection, container or table of documents."""

    @property
    def name(self) -> str:
        """What it is called."""

    def exists(self) -> bool:
        """Return whether it is there."""

    def read(self, settings: Settings) -> Iterator[Document]:
        """Yield the documents that the source's settings mean, as values that JSON knows (others become text).

        Raises SourceMissing where there is no such collection.
        """

    def prepared(self, row: Document, new_id: str, settings: Settings) -> Document:
        """Return a row as a document that the store takes; `new_id` is its key where the row brings none."""

    def put(self, documents: Sequence[Document], *, replaces: bool) -> None:
        """Write the documents; one that is there already as it is to be counts as written.

        With `replaces`, what has the same key is replaced. Raises Conflict where it is there and another.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentDataset:
    """A collection as a dataset. `behaviors` says for the sink's setting `behavior` whether what is there is replaced.

    All rows are taken from the source before the first is written, so that a source that fails leaves nothing behind.
    A store has no transaction over many documents: an error of the store itself leaves those that were written before
    it. A document without a key of its own is given one that is the same at every attempt of the step, so that a retry
    completes the write and doubles nothing.
    """

    given: DatasetGiven
    collection: Collection
    behavior: str = "writeBehavior"
    behaviors: Mapping[str, bool] | None = None

    def read(self, settings: Settings, tally: Tally) -> pa.RecordBatchReader:
        return rows_of(self.collection.read(settings), settings, tally, self.given.batch_rows)

    def write(self, settings: Settings, rows: pa.RecordBatchReader, mark: Mark, tally: Tally) -> dict[str, Any]:
        replaces = self._replaces(settings)
        size = max(1, int(settings.get("writeBatchSize") or _BATCH))
        number = 0
        for batch in _taken(rows):
            for start in range(0, batch.num_rows, size):
                held = []
                for row in batch.slice(start, size).to_pylist():
                    number += 1
                    new_id = str(uuid.uuid5(_SPACE, f"{mark.run_id}\n{mark.step}\n{number}"))
                    held.append(self.collection.prepared(row, new_id, settings))
                self.collection.put(held, replaces=replaces)
                tally.rows_copied += len(held)
                tally.tick()
            tally.data_written += batch.nbytes
        return {}

    def metadata(self, fields: Sequence[str]) -> dict[str, Any]:
        there = self.collection.exists()
        if not there and "exists" not in fields:
            raise missing(self.collection.name)
        facts = {"exists": there, "itemName": self.collection.name}
        return {name: facts[name] for name in (fields if there else ["exists"]) if name in facts}

    def _replaces(self, settings: Settings) -> bool:
        known = self.behaviors or _BEHAVIORS
        told = str(settings.get(self.behavior) or next(iter(known))).lower()
        if told not in known:
            raise WrongDefinition(
                f"The {self.behavior} is {' or '.join(known)}, not '{told}'.", where=f"sink.{self.behavior}"
            )
        return known[told]


def missing(name: str) -> SourceMissing:
    """Return the error for a collection that is not there."""
    return SourceMissing(f"There is no '{name}'.", advice="Look at its name in the dataset, and at the database.")


def there_already(key: Any) -> Conflict:
    """Return the error for a document that is there, and another than the one to be written."""
    return Conflict(
        f"A document with the key '{key}' is there already, and differs.",
        advice="Write with upsert, or leave the row out.",
    )


def rows_of(documents: Iterator[Document], settings: Settings, tally: Tally, batch_rows: int) -> pa.RecordBatchReader:
    """Return the documents as rows, as the type Json reads objects (`collectionReference`, `paths`).

    They wait in a file of this machine meanwhile: their types are known only when all have been seen.
    """
    form = JsonFormat(batch_rows=batch_rows)
    file = tempfile.NamedTemporaryFile(prefix="manara-documents-", suffix=".jsonl")  # noqa: SIM115 # the rows close it
    try:
        count = _spool(documents, file, tally)
        source = _spooled(Path(file.name))
        paths = [str(path) for path in settings.get("paths") or ()]
        schema = form.schema([source], settings) if count else pa.schema([(path, pa.string()) for path in paths])
        additional = Additional.of(settings, schema)
    except BaseException:
        file.close()
        raise

    def batches() -> Iterator[pa.RecordBatch]:
        read = replace(tally)  # the bytes were counted when the documents came
        with file:
            for batch in form.batches(source, schema, settings, read) if count else ():
                yield additional.to(batch, "")

    return pa.RecordBatchReader.from_batches(additional.schema(schema), batches())


def _spool(documents: Iterator[Document], file: Any, tally: Tally) -> int:
    count = 0
    for document in documents:
        line = json.dumps(document, ensure_ascii=False, default=as_text).encode() + b"\n"
        file.write(line)
        tally.data_read += len(line)
        count += 1
        if not count % _BATCH:
            tally.tick()
    file.flush()
    return count


def _spooled(path: Path) -> SourceFile:
    info = FileInfo(path=path.name, is_folder=False, size_bytes=path.stat().st_size, modified=clock.now())
    return SourceFile(store=FolderStore(root=path.parent), info=info, relative=path.name, codec="")


def _taken(rows: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """Yield the batches when all of them have been taken from their source, from a file of this machine."""
    with tempfile.TemporaryFile(prefix="manara-rows-") as file:
        with pa.ipc.new_stream(file, rows.schema) as writer:
            for batch in rows:
                writer.write_batch(batch)
        file.seek(0)
        with closing(pa.ipc.open_stream(file)) as taken:
            yield from taken


def plain(value: Any, convert: Callable[[Any], Any]) -> Any:
    """Return a value with `convert` applied to what is in it, however deep."""
    if isinstance(value, Mapping):
        return {name: plain(part, convert) for name, part in value.items()}
    return [plain(part, convert) for part in value] if isinstance(value, list) else convert(value)
