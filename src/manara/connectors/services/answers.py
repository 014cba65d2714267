"""Answers as files: kept as they came, each whole or not at all, and then read as rows."""

import gzip
import hashlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, cast

import ijson
import pyarrow as pa

from manara import clock
from manara.connectors.additional import Additional
from manara.connectors.file_server import FolderStore
from manara.connectors.formats.json_format import NO_FIELDS, JsonFormat
from manara.connectors.selection import Settings, SourceFile
from manara.connectors.services import paging
from manara.connectors.services.client import Client, failed
from manara.errors import BadRows, Transient
from manara.plugin.connection import FileInfo
from manara.plugin.dataset import Tally
from manara.secret import masked
from manara.web import Answer, shown

_PIECE = 1 << 16
_INDEX = "index.jsonl"
_COMPLETE = "complete.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One answer on this disk: its body, packed with gzip, what it says of itself, and the digest of the body."""

    path: Path
    answer: Answer
    digest: str
    size_bytes: int

    def open(self) -> BinaryIO:
        """Return the body."""
        return cast(BinaryIO, gzip.open(self.path, "rb"))

    def json(self) -> Any:
        """Return the body as a JSON value, all in memory. Raises BadRows."""
        with self.open() as file:
            try:
                return json.load(file)
            except (ValueError, RecursionError) as error:
                raise BadRows(
                    f"The answer of '{shown(self.answer.url)}' is no JSON: {error}.",
                    where=str(self.path),
                    advice="Look at what it says.",
                    code="UserErrorSourceDataIsInvalid",
                ) from None

    def find(self, place: paging.Path) -> Any:
        """Return a value of the body, reading no more into memory than the part that the path's names lead to."""
        names = [step for step in place.steps if isinstance(step, str)] if _is_plain(place) else []
        if not names:
            return paging.value_at(self.json(), place)
        with self.open() as file:
            try:
                found = next(iter(ijson.items(file, ".".join(names), use_float=True)), paging)
            except (ijson.JSONError, UnicodeDecodeError):
                found = paging
        return paging.value_at(self.json(), place) if found is paging else found


@dataclass(kw_only=True)
class Answers:
    """A folder for the answers of one read, in order. With `keeps`, an index beside them names what was asked.

    A web page is no answer, unless `pages` are wanted.
    """

    folder: Path
    keeps: bool = False
    pages: bool = False
    kept: list[Kept] = field(default_factory=list)

    def fetch(self, client: Client, method: str, url: str, tally: Tally, **more: Any) -> Kept:
        """Ask, keep the answer, and count it. Raises what `failed` says where the status is no success."""
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / f".part-{secrets.token_hex(4)}"
        try:
            answer = client.ask(method, url, into=part, **more)
            if answer.status >= 300:
                self._note(answer, answer.text.encode())
                raise failed(answer, client.service)
            digest, size = _digest(part)
            path = self.folder / f"{len(self.kept) + 1:05}.json.gz"
            _settle(part, path, durable=self.keeps)
        finally:
            part.unlink(missing_ok=True)
        kept = Kept(path=path, answer=answer, digest=digest, size_bytes=size)
        self.kept.append(kept)
        if self.keeps:
            self._index(answer, path.name, size, digest)
        tally.data_read += size
        tally.files_read += 1
        if not self.pages:
            _check_is_data(kept)
        return kept

    def keep(self, name: str, content: bytes) -> None:
        """Keep a text of ours beside the answers, such as what was sent."""
        if self.keeps:
            self.folder.mkdir(parents=True, exist_ok=True)
            part = self.folder / f".part-{secrets.token_hex(4)}"
            part.write_bytes(gzip.compress(content, 3, mtime=0))
            _settle(part, self.folder / f"{name}.gz", durable=True)

    def complete(self, facts: Mapping[str, Any]) -> None:
        """Note that the read came to its end: a folder without this file holds a read that failed."""
        if self.keeps and self.folder.is_dir():
            part = self.folder / f".part-{secrets.token_hex(4)}"
            whole = {"at": clock.stamp(clock.now()), "answers": len(self.kept), **facts}
            part.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
            _settle(part, self.folder / _COMPLETE, durable=True)

    def _note(self, answer: Answer, body: bytes) -> None:
        if self.keeps:
            name = f"failed-{len(self.kept) + 1:05}.json"
            self.keep(name, body)
            self._index(answer, f"{name}.gz", len(body), hashlib.sha256(body).hexdigest())

    def _index(self, answer: Answer, name: str, size: int, digest: str) -> None:
        told = {"file": name, "url": _without_secrets(answer.url), "status": answer.status}
        told |= {"date": answer.header("Date"), "bytes": size, "sha256": digest}
        with (self.folder / _INDEX).open("a", encoding="utf-8") as file:
            file.write(json.dumps(told) + "\n")


@contextmanager
def passing() -> Iterator[Answers]:
    """Return a folder for answers that goes away at the end of the `with` block."""
    folder = Path(tempfile.mkdtemp(prefix="manara-answers-"))
    try:
        yield Answers(folder=folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def raw_folder(root: Path, store: str, service: str, dataset: str) -> Path:
    """Return a new folder for the answers of one read: below the raw store, by service, dataset and time."""
    stamp = clock.now().strftime("%Y%m%dT%H%M%SZ")
    return root / store / _name(service) / _name(dataset) / f"{stamp}-{secrets.token_hex(3)}"


def schema_of(kept: list[Kept], settings: Settings, batch_rows: int) -> pa.Schema:
    """Return the columns of the rows in the answers; none where there is no row."""
    files = [_file(one) for one in kept if one.size_bytes]
    try:
        form = JsonFormat(batch_rows=batch_rows, is_whole=True)
        return form.schema(files, settings) if files else pa.schema([])
    except BadRows as error:
        if error.error_code == NO_FIELDS:  # an empty list is no fault of a service
            return pa.schema([])
        raise


def rows_of(
    kept: list[Kept], schema: pa.Schema, settings: Settings, tally: Tally, batch_rows: int
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of the answers in order, as Json sources read files."""
    form = JsonFormat(batch_rows=batch_rows)
    aside = replace(tally)  # the bytes were counted when they came
    for one in kept:
        if len(schema) and one.size_bytes:
            yield from form.batches(_file(one), schema, settings, aside)


def reader(schema: pa.Schema, batches: Iterator[pa.RecordBatch], settings: Settings) -> pa.RecordBatchReader:
    """Return the rows as a copy takes them, with the source's `additionalColumns` behind their own."""
    additional = Additional.of(settings, schema)
    return pa.RecordBatchReader.from_batches(additional.schema(schema), (additional.to(batch, "") for batch in batches))


def _file(one: Kept) -> SourceFile:
    path = one.path.resolve()
    inside = path.relative_to(path.anchor).as_posix()
    info = FileInfo(path=inside, is_folder=False, size_bytes=one.size_bytes, modified=clock.now())
    return SourceFile(store=FolderStore(root=Path(path.anchor)), info=info, relative=path.name, codec="gzip")


def _digest(path: Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with gzip.open(path, "rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
            size += len(piece)
    return digest.hexdigest(), size


def _settle(part: Path, path: Path, *, durable: bool) -> None:
    try:
        if durable:
            with part.open("rb") as file:
                os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise Transient(
            f"The answer cannot be kept: {error.strerror}.", where=str(path), advice="Make room on the disk."
        ) from error


def _check_is_data(kept: Kept) -> None:
    kind = kept.answer.header("Content-Type").split(";")[0].strip().lower()
    if kind not in ("text/html", "application/xhtml+xml"):
        return
    raise BadRows(
        f"'{shown(kept.answer.url)}' answered with a web page, and not with data.",
        advice="Check the address, and the sign-in: services often answer with their sign-in page.",
        code="UserErrorSourceDataIsInvalid",
    )


def _is_plain(place: paging.Path) -> bool:
    """Return whether the path means the same to ijson: names, none of which it could take for two or for an element."""
    names = [step for step in place.steps if isinstance(step, str)]
    alone = len(names) == 1
    return len(names) == len(place.steps) and all(name != "item" and (alone or "." not in name) for name in names)


def _without_secrets(url: str) -> str:
    return masked(url)


def _name(text: str) -> str:
    kept = "".join(sign if sign.isalnum() or sign in "-_." else "_" for sign in text).strip(".")
    return kept or "_"
