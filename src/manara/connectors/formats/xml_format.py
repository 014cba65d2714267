"""The dataset type Xml: elements as rows, read in bounded memory; it can be read but not written, as in ADF."""

import codecs
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, BinaryIO
from xml.parsers import expat

import pyarrow as pa

from manara.connectors.files import FileDataset, broken_file
from manara.connectors.formats import json_path
from manara.connectors.formats.objects import Counting, Row, batch, schema_of, taker
from manara.connectors.selection import Settings, SourceFile
from manara.errors import BadRows, ManaraError, WrongDefinition
from manara.plugin.dataset import DatasetGiven, Refused, Tally, dataset

_PIECE_BYTES = 1 << 16
_DEEPEST = 200
_MOST_HELD_BYTES = 64 << 20
_MOST_TEXT = 1 << 20
_VALUE = "_value_"
_INT = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,14})\.[0-9]{1,15}([eE][+-]?[0-9]{1,2})?")
_TRUTH = {"true": True, "false": False}

Step = str | int


@dataset("Xml", can={"read", "list", "delete"})
def xml(given: DatasetGiven) -> FileDataset:
    """Return XML files as ADF sees them: an object, in which an attribute is `@name` and mixed text `_value_`.

    The rows are the elements that `collectionReference` of the mapping names (`$['stock']['item']`), else each
    document is one row. `formatSettings` (xmlReadSettings): `namespaces` (true unless told) leaves out the
    declarations of namespaces, `namespacePrefixes` gives each namespace a prefix of its own, `detectDataType` (true
    unless told) makes whole numbers, numbers, true and false; a number with a leading zero stays text. Entities of the
    document's own are refused. Where a document is broken, the rows before the fault are given, and the rest is
    refused as one row. A `validationMode` other than none is refused: there is no validation here.
    """
    encoding = str(given.properties.get("encodingName") or "")
    if encoding:
        try:
            codecs.lookup(encoding)
        except LookupError as error:
            raise WrongDefinition(f"There is no encoding '{encoding}'.", where=f"dataset '{given.name}'") from error
    null = str(given.properties.get("nullValue") or "")
    return FileDataset(given=given, format=XmlFormat(batch_rows=given.batch_rows, encoding=encoding, null=null))


@dataclass(frozen=True, slots=True, kw_only=True)
class XmlFormat:
    """Reads element by element: memory grows with the largest row, and not with the file."""

    batch_rows: int
    encoding: str = ""
    null: str = ""
    extension: str = ".xml"

    def schema(self, files: Sequence[SourceFile], settings: Settings) -> pa.Schema:
        """Return the columns of what can be read; raises BadRows where that is nothing."""
        broken: list[Refused] = []
        deaf = Tally(refuse=broken.append)
        rows = Counting(row for file in files for row in self._rows(file, settings, deaf, counted=None))
        schema = schema_of(rows, settings.get("paths") or ())
        if broken and not rows.count:
            file = next(file for file in files if file.path == broken[0].file)
            raise broken_file(file, f"{broken[0].reason}.", "Mend it, or fetch the file again.")
        if not schema.names:
            raise broken_file(files[0], "There is no element with a value in it.", "Look at collectionReference.")
        return schema

    def batches(
        self, file: SourceFile, schema: pa.Schema, settings: Settings, tally: Tally
    ) -> Iterator[pa.RecordBatch]:
        held: list[Row] = []
        for row in self._rows(file, settings, tally, counted=tally):
            held.append(row)
            if len(held) == self.batch_rows:
                yield batch(held, schema)
                held = []
        if held:
            yield batch(held, schema)

    def write(self, _file: BinaryIO, _rows: pa.RecordBatchReader, _settings: Settings) -> None:
        raise WrongDefinition("XML can be read but not written.", advice="Write Json or DelimitedText.")

    def _rows(self, file: SourceFile, settings: Settings, tally: Tally, *, counted: Tally | None) -> Iterator[Row]:
        """Yield the rows of one file; what follows a fault is refused as one row."""
        way = json_path.steps(str(settings.get("collectionReference") or ""))
        take = taker(settings)
        options = _options(settings, self.null)
        number, ahead = 0, -1
        try:
            outer: Row = {}
            if way and any(json_path.is_absolute(path) for path in settings.get("paths") or ()):
                outer = next((found for _, found in self._elements(file, options, way, None, outer=True)), {})
            for line, element in self._elements(file, options, way, counted):
                number += 1
                if counted and line - number != ahead:
                    ahead = line - number
                    counted.origins.note_lines([number], [line])
                row = element if isinstance(element, dict) else {_VALUE: element}
                yield take(row, outer if way else row)
        except _NotWhole as fault:
            tally.refuse(Refused(file=file.path, row=number + 1, text=fault.text, reason=fault.reason))

    def _elements(
        self, file: SourceFile, options: "_Options", way: Sequence[Step], tally: Tally | None, *, outer: bool = False
    ) -> Iterator[tuple[int, Any]]:
        """Yield the elements at the end of the way, each with its line; with `outer`, the document without them."""
        building = _Building(options, tuple(str(step) for step in way), outer=outer)
        parser = building.parser
        decoder = codecs.getincrementaldecoder(self.encoding)() if self.encoding else None
        try:
            with file.open(tally) as content:
                while piece := content.read(_PIECE_BYTES):
                    parser.Parse(decoder.decode(piece) if decoder else piece, False)
                    yield from building.take()
                parser.Parse(decoder.decode(b"", True) if decoder else b"", True)
                yield from building.take()
        except expat.ExpatError as error:
            yield from building.take()
            place = f"line {error.lineno}, column {error.offset + 1}: {expat.ErrorString(error.code)}"
            text = "" if self.encoding else _behind(file, building.ended_at)
            raise _NotWhole(f"this is no whole XML at {place}", text) from error
        except (UnicodeDecodeError, LookupError, ValueError) as error:
            yield from building.take()
            raise _NotWhole(f"its text cannot be read: {error}; set encodingName in the dataset") from error
        except ManaraError as error:
            raise error.at(file.path) from error


class _NotWhole(Exception):
    """The file is no XML from here on."""

    def __init__(self, reason: str, text: str = "") -> None:
        super().__init__(reason)
        self.reason, self.text = reason, text


def _behind(file: SourceFile, ended_at: int) -> str:
    """Return the beginning of what stands behind the end tag at a byte of the file."""
    with file.open() as content:
        while ended_at > 0 and (piece := content.read(min(ended_at, _PIECE_BYTES))):
            ended_at -= len(piece)
        text = content.read(_MOST_TEXT).decode("utf-8", "replace")
    return (text.partition(">")[2] if text.startswith("</") else text).strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    detects: bool
    namespaces: bool
    prefixes: Mapping[str, str]
    null: str


def _options(settings: Settings, null: str) -> _Options:
    told = settings.get("formatSettings") or {}
    mode = str(told.get("validationMode") or "none").lower()
    if mode != "none":
        raise WrongDefinition(
            f"validationMode '{mode}' is not supported: XML is read without being held against a schema.",
            where="source.formatSettings.validationMode",
            advice="Set it to none, and check the rows by a data contract.",
        )
    return _Options(
        detects=str(told.get("detectDataType", True)).lower() == "true",
        namespaces=str(told.get("namespaces", True)).lower() == "true",
        prefixes={str(uri): str(prefix) for uri, prefix in (told.get("namespacePrefixes") or {}).items()},
        null=null,
    )


@dataclass(slots=True)
class _Open:
    """An element that is not closed yet."""

    name: str
    fields: dict[str, Any] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    several: set[str] = field(default_factory=set)

    def add(self, name: str, value: Any) -> None:
        """Add a child; several of one name become a list."""
        if name not in self.fields:
            self.fields[name] = value
        elif name in self.several:
            self.fields[name].append(value)
        else:
            self.several.add(name)
            self.fields[name] = [self.fields[name], value]


class _Building:
    """Makes objects of a parser's events, and keeps only those that are asked for."""

    def __init__(self, options: _Options, way: tuple[str, ...], *, outer: bool) -> None:
        self._options, self._way, self._outer = options, way, outer
        self._open: list[_Open] = []
        self._path: list[str] = []
        self._spaces: list[dict[str, str]] = [{}]
        self._done: deque[tuple[int, Any]] = deque()
        self._line = 0
        self._held = 0
        self.ended_at = 0
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.EntityDeclHandler = self._entity
        self.parser.ExternalEntityRefHandler = self._entity

    def take(self) -> Iterator[tuple[int, Any]]:
        """Yield what is whole by now, each with the line on which it begins."""
        while self._done:
            yield self._done.popleft()

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._path) >= _DEEPEST:
            raise BadRows(f"Its elements lie more than {_DEEPEST} deep within each other.", code=_INVALID)
        own = {key[6:]: uri for key, uri in attributes.items() if key.startswith("xmlns:")}
        own |= {"": attributes["xmlns"]} if "xmlns" in attributes else {}
        self._spaces.append(self._spaces[-1] | own if own else self._spaces[-1])
        shown = self._named(name)
        self._path.append(shown)
        if len(self._path) == max(len(self._way), 1):
            self._line = self.parser.CurrentLineNumber
        if not self._wanted():
            return
        element = _Open(shown)
        for key, value in attributes.items():
            if not (self._options.namespaces and (key == "xmlns" or key.startswith("xmlns:"))):
                element.fields[self._named(key, attribute=True)] = self._value(value)
                self._hold(len(value))
        self._open.append(element)

    def _wanted(self) -> bool:
        """Return whether the element that begins is kept: below the way's end, or, with `outer`, outside of it."""
        inside = tuple(self._path[: len(self._way)]) == self._way
        return not (inside and self._way) if self._outer else inside or not self._way

    def _end(self, _name: str) -> None:
        if self._wanted():
            element = self._open.pop()
            value = self._whole(element)
            if len(self._path) == len(self._way) and not self._outer:
                self._finish(value)
            elif self._open:
                self._open[-1].add(element.name, value)
            else:
                self._finish({element.name: value})
        self._path.pop()
        self._spaces.pop()

    def _finish(self, value: Any) -> None:
        self._done.append((self._line, value))
        self.ended_at = self.parser.CurrentByteIndex
        self._held = 0

    def _text(self, text: str) -> None:
        if self._open and self._wanted():
            self._open[-1].texts.append(text)
            self._hold(len(text))

    def _hold(self, size: int) -> None:
        self._held += size
        if self._held > _MOST_HELD_BYTES:
            raise BadRows(
                "One row of it is larger than 64 MB.",
                advice="Name the elements that are the rows in the mapping's collectionReference.",
                code=_INVALID,
            )

    def _whole(self, element: _Open) -> Any:
        text = "".join(element.texts)
        if not element.fields:
            return self._value(text)
        if text.strip():
            prefix = element.name.rpartition(":")[0]
            element.fields[f"{prefix}:{_VALUE}" if prefix else _VALUE] = self._value(text.strip())
        return element.fields

    def _value(self, text: str) -> Any:
        if text == self._options.null or not text.strip():
            return None
        plain = text.strip()
        if not self._options.detects:
            return text
        if _INT.fullmatch(plain) and plain != "-0":
            return int(plain)
        if _NUMBER.fullmatch(plain):
            return Decimal(plain)
        return _TRUTH.get(plain.lower(), text)

    def _named(self, name: str, *, attribute: bool = False) -> str:
        prefix, _, local = name.rpartition(":")
        sign = "@" if attribute else ""
        if self._options.namespaces and self._options.prefixes and not (attribute and not prefix):
            given = self._options.prefixes.get(self._spaces[-1].get(prefix, ""))
            if given is not None:
                return f"{given}:{sign}{local}"
        return f"{sign}{name}"

    def _entity(self, *_told: object) -> int:
        raise BadRows(
            "The document declares entities of its own, which may grow without bounds or reach other files.",
            advice="Do not trust this file; write the texts out instead of the entities.",
            code=_INVALID,
        )


_INVALID = "UserErrorSourceDataIsInvalid"
