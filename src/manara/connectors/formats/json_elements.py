"""The elements of a JSON file one by one, and what of a broken file can still be read."""

import collections
import contextlib
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, BinaryIO

import ijson

from manara.connectors.formats import json_path
from manara.connectors.formats.json_numbers import without_endless
from manara.connectors.formats.objects import Row
from manara.connectors.selection import Settings, SourceFile
from manara.errors import ManaraError
from manara.plugin.dataset import Tally
from manara.plugin.origin import UNKNOWN

_PIECE_BYTES = 1 << 16
_LONGEST_LINE = 64 << 20
_SAMPLE_BYTES = 1 << 18
_SAMPLE_LINES = 100
_MOST_TEXT = 1 << 20
_FAULTS = (ijson.JSONError, ValueError)  # the latter: letters of another encoding, numbers without end


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A part of the file that is no JSON, or no element: its text (of a long one the first megabyte), and why."""

    text: str
    reason: str


Element = tuple[Any, Row] | Unread


def elements(file: SourceFile, settings: Settings, counted: Tally | None) -> Iterator[Element]:
    """Yield the elements of the collection (or the documents), each with the document around it.

    Of a file with a document in each line, every line that is no JSON is told apart. Of any other, the elements before
    the fault are given, and all that follows is one Unread. Memory does not grow with the file. `file` is UTF-8.
    """
    reference = json_path.steps(str(settings.get("collectionReference") or ""))
    with file.open() as content:
        in_array = _first_sign(content) == b"["
    if not in_array and _is_in_lines(file, at_least=2 if reference else 1):
        yield from _from_lines(file, reference, counted)
        return
    if counted:
        counted.origins.find_lines(_lines_of_rows(file, reference, in_array=in_array))
    if not reference or in_array or not _is_one_document(file):
        for document in _guarded(file, "item" if in_array else "", counted):
            yield from _cross(document, reference)
    else:
        yield from _from_one_document(file, reference, settings, counted)


def _cross(document: Any, reference: json_path.Steps) -> Iterator[Element]:
    """Yield the elements of the collection in a document, or the document; what could not be read as it is."""
    if isinstance(document, Unread):
        yield document
        return
    if not reference:
        yield document, document
        return
    found = json_path.value_at(document, reference)
    if isinstance(found, list):
        yield from ((element, document) for element in found)
    elif found is not None:
        yield _no_array(found)


def _no_array(found: Any) -> Unread:
    text = json.dumps(found, ensure_ascii=False, default=str)
    return Unread(text=text[:_MOST_TEXT], reason="what collectionReference names is no array")


def _guarded(file: SourceFile, prefix: str, counted: Tally | None) -> Iterator[Any]:
    """Yield the elements at the prefix, and then what the rest is where that is no JSON."""
    try:
        with file.open(counted) as content:
            yield from _items(_pieces(content), prefix)
    except _FAULTS as error:
        yield _rest(file, prefix, error)


def _items(pieces: Iterable[bytes], prefix: str) -> Iterator[Any]:
    """Yield the elements at the prefix; those before a fault come before the error."""
    found = ijson.sendable_list()
    parser = ijson.items_coro(found, prefix, multiple_values=True)
    for piece in without_endless(pieces):
        try:
            parser.send(piece)
        except _FAULTS:
            yield from found
            raise
        yield from found
        found.clear()
    parser.close()


def _from_one_document(
    file: SourceFile, reference: json_path.Steps, settings: Settings, counted: Tally | None
) -> Iterator[Element]:
    try:
        outer = _outer(file, settings)
    except _FAULTS as error:
        # What every row takes from around the collection lies behind the fault, so that no row is whole.
        yield _rest(file, None, error)
        return
    is_empty = True
    for element in _guarded(file, f"{_prefix(reference)}.item", counted):
        is_empty = False
        yield element if isinstance(element, Unread) else (element, outer)
    if is_empty:
        with file.open() as content:
            found = next(iter(ijson.items(_Safe(content), _prefix(reference))), None)
        if found is not None and not isinstance(found, list):
            yield _no_array(found)


def _is_one_document(file: SourceFile) -> bool:
    with file.open() as content:
        try:
            collections.deque(ijson.basic_parse(_Safe(content)), maxlen=0)
        except _FAULTS as error:
            return "trailing garbage" not in str(error)
    return True


def _outer(file: SourceFile, settings: Settings) -> Row:
    """Return what the absolute paths name, in the shape of the document, without reading the rest into memory."""
    found: Row = {}
    for path in settings.get("paths") or ():
        way = json_path.steps(path)
        names = tuple(itertools.takewhile(lambda step: isinstance(step, str), way))
        if not json_path.is_absolute(path) or not names:
            continue
        with file.open() as content:
            value = next(iter(ijson.items(_Safe(content), _prefix(names))), None)
        place = found
        for name in names[:-1]:
            place = place.setdefault(str(name), {})
        place[str(names[-1])] = value
    return found


def _prefix(way: Sequence[str | int]) -> str:
    return ".".join(str(step) for step in way)


def _first_sign(content: BinaryIO) -> bytes:
    try:
        for piece in _pieces(content):
            if signs := piece.lstrip():
                return signs[:1]
    except UnicodeDecodeError:
        pass
    return b""


def _pieces(content: BinaryIO) -> Iterator[bytes]:
    while piece := content.read(_PIECE_BYTES):
        yield piece


class _Safe:
    """A content for the parser to read; raises ValueError at a number without end."""

    def __init__(self, content: BinaryIO) -> None:
        self._pieces = without_endless(_pieces(content))

    def read(self, size: int = -1) -> bytes:
        """Return the next piece, whatever its size; nothing where nothing is asked for."""
        return next(self._pieces, b"") if size else b""


# Lines


def _lines_of_rows(file: SourceFile, reference: json_path.Steps, *, in_array: bool) -> Iterator[int]:
    """Yield the line on which each row begins: an element of the collection, or a document.

    Ends at a fault, and where the file cannot be read again. The parser is fed line by line, as it tells what it has
    found, and not where.
    """
    if not all(isinstance(step, str) for step in reference):
        return
    whole = [*(["item"] if in_array else []), *map(str, reference)]
    rows, collection = ".".join([*whole, "item"] if reference else whole), ".".join(whole) if reference else None
    found = ijson.sendable_list()
    parser = ijson.parse_coro(found, multiple_values=True)
    number, is_whole = 1, True
    with contextlib.suppress(*_FAULTS, ManaraError, OSError), file.open() as content:
        for line in _in_lines(without_endless(_pieces(content))):
            try:
                parser.send(line)
            except _FAULTS:
                is_whole = False
            for prefix, event, _ in found:
                if (prefix == rows and event in _BEGIN) or (prefix == collection and event in _NO_ARRAY):
                    yield number
            if not is_whole:
                return
            found.clear()
            number += line.endswith(b"\n")


def _in_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of the pieces; one that goes over several pieces comes in parts."""
    for piece in pieces:
        yield from piece.splitlines(keepends=True)


_NO_ARRAY = frozenset({"start_map", "string", "number", "boolean"})
_BEGIN = _NO_ARRAY | {"start_array", "null"}
"""The events with which an element begins. The former say of a collection that it is none, which is told as a row."""


# Documents in lines


def _is_in_lines(file: SourceFile, *, at_least: int) -> bool:
    """Return whether each line is meant to be a document: the first lines are such, or most of them."""
    lines: list[bytes] = []
    left = _SAMPLE_BYTES
    with file.open() as content:
        try:
            while left > 0 and len(lines) < _SAMPLE_LINES and (line := content.readline(left)):
                left -= len(line)
                lines += [line] if line.strip() else []
        except UnicodeDecodeError:
            return False
    if len(lines) < at_least:
        return False
    whole = [_is_object(line) for line in lines]
    return whole[0] or 2 * sum(whole) > len(whole)


def _is_object(line: bytes) -> bool:
    try:
        return all(isinstance(document, dict) for document in _documents_of(line))
    except _FAULTS:
        return False


def _from_lines(file: SourceFile, reference: json_path.Steps, counted: Tally | None) -> Iterator[Element]:
    """Yield the elements of the documents of each line, and note on which line they stand."""
    row, ahead, is_known = 0, -1, True  # so many rows were given, and so many lines more
    for number, document in _documents(file, counted):
        if counted and number == UNKNOWN and is_known:
            is_known = False
            counted.origins.find_lines(_lines_of_rows(file, reference, in_array=False))
        for element in _cross(document, reference):
            row += 1
            if counted and number and number - row != ahead:
                ahead = number - row
                counted.origins.note_lines([row], [number])
            yield element


def _documents(file: SourceFile, counted: Tally | None) -> Iterator[tuple[int, Any]]:
    """Yield the documents of each line with its number.

    A document over several lines is read too, in a file that has no fault; from there on no numbers are known (0).
    """
    offset, number, is_checked = 0, 0, False
    with file.open(counted) as content:
        try:
            while line := content.readline(_LONGEST_LINE):
                number += 1
                fault = "it is longer than 64 MB" if len(line) == _LONGEST_LINE and line[-1:] != b"\n" else ""
                try:
                    documents = [] if fault or not line.strip() else _documents_of(line)
                except _FAULTS as error:
                    fault = _told(error)
                if fault:
                    if not is_checked and _is_faultless(file, offset):
                        rest = _items(itertools.chain([line], _pieces(content)), "")
                        yield from ((UNKNOWN, document) for document in rest)
                        return
                    is_checked = True
                    offset += len(line) + _skip_line(content, line)
                    yield number, Unread(text=_text(line), reason=f"it is no JSON at line {number}: {fault}")
                    continue
                offset += len(line)
                yield from ((number, document) for document in documents)
        except UnicodeDecodeError as error:
            told = f"from line {number + 1} on it is not written in {error.encoding}"
            yield number + 1, Unread(text="", reason=told)


def _documents_of(line: bytes) -> list[Any]:
    """Return the documents in a line, most often one; raises ValueError where it holds anything else."""
    if b"\\ud" in line or b"\\uD" in line:  # halves of letters, which only this parser puts together or replaces
        return list(_items([line], ""))
    text = line.decode().strip()
    found, place = [], 0
    while place < len(text):
        try:
            document, place = _DECODER.raw_decode(text, place)
        except RecursionError:
            raise ValueError("it is nested too deep") from None
        found.append(document)
        while place < len(text) and text[place].isspace():
            place += 1
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"'{name}' is no number of JSON")


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_no_constant)


def _is_faultless(file: SourceFile, offset: int) -> bool:
    """Return whether the file from the offset on is JSON, over however many lines."""
    with file.open() as content:
        try:
            _skip(content, offset)
            collections.deque(ijson.basic_parse(_Safe(content), multiple_values=True), maxlen=0)
        except _FAULTS:
            return False
    return True


def _skip(content: BinaryIO, count: int) -> None:
    while count > 0 and (piece := content.read(min(count, _PIECE_BYTES))):
        count -= len(piece)


def _skip_line(content: BinaryIO, line: bytes) -> int:
    """Read the rest of a line that is too long; return its length."""
    skipped = 0
    while line and line[-1:] != b"\n" and (line := content.readline(_PIECE_BYTES)):
        skipped += len(line)
    return skipped


# Faults


def _rest(file: SourceFile, prefix: str | None, error: Exception) -> Unread:
    """Return all that stands behind the last whole element, and where and why it is no JSON; no prefix means all."""
    if isinstance(error, UnicodeDecodeError):
        return Unread(text="", reason=f"the rest is not written in {error.encoding}")
    good, line, byte = _places(file, prefix)
    told = _told(error)
    reason = f"it is no JSON at line {line} (near byte {byte}): {told}"
    if "premature EOF" in told:
        reason = f"the JSON is cut off at line {line} (byte {byte})"
    with file.open() as content:
        _skip(content, good)
        text = _text(content.read(_MOST_TEXT)).lstrip(", \t\r\n")
    return Unread(text=text, reason=f"{reason}; all behind byte {good} is left out")


def _places(file: SourceFile, prefix: str | None) -> tuple[int, int, int]:
    """Return the byte at which the last whole element ends, and the line and the byte at which the parser gives up."""
    last = fault = 0
    for offset, _, ended, failed in _walk(file, prefix, frozenset()):
        last, fault = (offset if ended else last), offset
        if failed:
            break
    good, line, byte = 0, 1, 0
    for offset, piece, ended, failed in _walk(file, prefix, frozenset((last, fault))):
        byte = offset + len(piece)
        good = byte if ended else good
        if failed:
            return good, line, offset
        line += piece.count(b"\n")
    return good, line, byte


def _walk(file: SourceFile, prefix: str | None, slowly: frozenset[int]) -> Iterator[tuple[int, bytes, bool, bool]]:
    """Yield each piece of the file, its offset, whether an element ended in it, and whether the parser gave up.

    The pieces at the offsets `slowly` are taken byte by byte.
    """
    found = ijson.sendable_list()
    parser = ijson.items_coro(found, prefix or "", multiple_values=True)
    offset = 0
    with file.open() as content:
        for piece, is_over in _until_fault(without_endless(_pieces(content))):
            if is_over:
                yield offset, b"", False, True
                return
            for part in (piece[at : at + 1] for at in range(len(piece))) if offset in slowly else (piece,):
                failed = False
                try:
                    parser.send(part)
                except _FAULTS:
                    failed = True
                yield offset, part, bool(found) and prefix is not None, failed
                if failed:
                    return
                found.clear()
                offset += len(part)


def _until_fault(pieces: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield each piece, and at the end whether the pieces ended with a fault."""
    try:
        for piece in pieces:
            yield piece, False
    except _FAULTS:
        yield b"", True


def _told(error: Exception) -> str:
    """Return what a parser says, in one line."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at column {error.colno}"
    if isinstance(error, UnicodeDecodeError):
        return f"it is not written in {error.encoding}"
    told = error.args[0] if error.args else ""
    return (told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)).partition("\n")[0]


def _text(content: bytes) -> str:
    return content[:_MOST_TEXT].decode("utf-8", "replace").strip()
