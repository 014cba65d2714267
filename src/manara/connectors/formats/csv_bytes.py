"""The bytes of a delimited file, made ready for a parser that knows UTF-8, one-byte marks and doubled quotes only."""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from manara.connectors.formats.csv_lines import where
from manara.connectors.formats.marks import Marks, stand_ins

_PIECE_BYTES = 1 << 20
_LONGEST_ROW_BYTES = 64 << 20
_BOM = codecs.BOM_UTF8
_STEPS_BACK = 64
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)")
_ENDS = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a delimited file is spelt."""

    delimiter: str
    quote: str
    escape: str
    header: bool
    null_value: str
    row_delimiter: str
    encoding: str

    @property
    def marks(self) -> Marks:
        """What stands in for the marks that the parser does not know."""
        return stand_ins(self.delimiter, self.quote, self.row_delimiter)


class CsvBytes(io.RawIOBase):
    """A stream of UTF-8 as the parser wants it.

    It has no byte order mark and no skipped lines, a quote inside quotes is doubled, and the last line has its end;
    `marks` stand in for delimiters, quotes and line ends of other kinds, and have to be turned back in the values.
    `lines_taken` is how many lines stand before what is left, as long as nothing but the first rows was taken.
    Raises UnicodeDecodeError where the encoding does not fit, and ValueError where the text holds a stand-in itself.
    """

    def __init__(self, file: BinaryIO, dialect: Dialect, skip_lines: int) -> None:
        self.marks = dialect.marks
        self._quote = self.marks.quote
        self._delimiter = self.marks.delimiter
        marked = self.marks.put_in(_escaped(_decoded(file, dialect.encoding), dialect))
        self._pieces = _ended(marked)
        self._ready = next(self._pieces, b"").removeprefix(_BOM)
        self._tail = b""
        self.lines_taken = 0
        self._skip(skip_lines)

    def take_row(self) -> list[str]:
        """Return the values of the first row that is not empty, and take it off; nothing at the end of the file.

        Raises csv.Error where a quote is not closed.
        """
        row, lines = self._first_row()
        while lines == 0 and (piece := next(self._pieces, None)) is not None:
            self._ready += piece  # the row goes on in the next piece
            row, lines = self._first_row()
            if not lines and len(self._ready) > _LONGEST_ROW_BYTES:
                raise csv.Error("it is longer than 64 MB, or a quote in it is never closed")
        if not lines:
            row, lines = self._first_row(is_last=True)
        self._drop(lines)
        for value in row:
            value.encode()  # raises for what was no UTF-8
        return [self.marks.turned_back(value) for value in row]

    def _first_row(self, *, is_last: bool = False) -> tuple[list[str], int]:
        """Return the first row that is not empty, and the lines up to its end; no lines where it may go on."""
        text = io.StringIO(self._ready.decode("utf-8", "surrogateescape"), newline="")
        rows = csv.reader(text, strict=True, delimiter=self._delimiter, **_quoting(self._quote))
        try:
            row = next(filter(None, rows), [])
        except csv.Error:
            if is_last or text.read(1):
                raise
            return [], 0
        is_whole = is_last or text.tell() < len(text.getvalue()) or self._ready.endswith((b"\n", b"\r"))
        return (row, rows.line_num) if is_whole and (row or is_last) else ([], 0)

    def give_back(self, row: list[str]) -> None:
        """Put a row before the others again, spelt anew."""
        row = [self.marks.put_into(value) for value in row]
        text = io.StringIO()
        csv.writer(text, delimiter=self._delimiter, lineterminator="\n", **_quoting(self._quote)).writerow(row)
        self.lines_taken -= len(_ENDS.findall(text.getvalue().encode()))
        self._ready = text.getvalue().encode() + self._ready

    def take_rows(self, size_bytes: int) -> memoryview:
        """Take about so many bytes off, up to where a row seems to end; nothing at the end, or where no row does.

        Whether it does is for the parser to say: a quote in the middle of a value is a letter, and counts here.
        """
        pieces, size = [self._ready], len(self._ready)
        while size < size_bytes and (piece := next(self._pieces, b"")):
            pieces.append(piece)
            size += len(piece)
        whole = b"".join(pieces)
        is_last = size < size_bytes and bool(whole.strip(b"\r\n"))
        end = size if is_last else self._row_end(whole, size_bytes)
        self._ready = whole[end:]
        return memoryview(whole)[:end]

    def _row_end(self, block: bytes, most: int) -> int:
        """Return the length of the rows at the start of the block that seem whole, `most` bytes or fewer."""
        quote, at = self._quote.encode(), block.rfind(b"\n", 0, most)
        in_quotes = bool(quote) and _count(block, quote, max(at, 0)) % 2 == 1
        for _ in range(_STEPS_BACK):
            if at < 0 or not in_quotes:
                break
            before = block.rfind(b"\n", 0, max(block.rfind(quote, 0, at), 0))
            in_quotes ^= block.count(quote, max(before, 0), at) % 2 == 1
            at = before
        return 0 if in_quotes else at + 1

    def put_back(self, rows: bytes) -> None:
        """Put the bytes of rows before the others again."""
        self._ready = rows + self._ready

    @property
    def is_blank(self) -> bool:
        """Whether nothing but empty lines is left."""
        while not self._ready.strip(b"\r\n"):
            piece = next(self._pieces, None)
            if piece is None:
                return True
            self.lines_taken += len(_ENDS.findall(self._ready))
            self._ready = piece
        return False

    @property
    def ended_in_quote(self) -> bool:
        """Whether the last character that was read, line ends aside, is a quote."""
        return bool(self._quote) and self._tail.rstrip(b"\r\n").endswith(self._quote.encode())

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._ready:
            self._ready = next(self._pieces, b"")
        taken = self._ready[: len(buffer)]
        self._ready = self._ready[len(taken) :]
        buffer[: len(taken)] = taken
        if taken:
            self._tail = (self._tail + taken[-8:])[-8:]
        return len(taken)

    def _skip(self, count: int) -> None:
        while count and not self.is_blank:
            line = self._line()
            count -= bool(line.strip(b"\r\n"))

    def _drop(self, lines: int) -> None:
        for _ in range(lines):
            self._line()

    def _line(self) -> bytes:
        """Take one line off."""
        while not (found := _LINE.match(self._ready)):
            piece = next(self._pieces, None)
            if piece is None:
                line, self._ready = self._ready, b""
                return line
            self._ready += piece
        self._ready = self._ready[found.end() :]
        self.lines_taken += 1
        return found.group()


def _count(block: bytes, sign: bytes, end: int) -> int:
    """Return how often a sign stands before the end."""
    return where(block, sign, 0, end).true_count if len(sign) == 1 else block.count(sign, 0, end)


def _quoting(quote: str) -> dict[str, Any]:
    return {"quotechar": quote, "doublequote": True} if quote else {"quoting": csv.QUOTE_NONE, "quotechar": None}


def _decoded(file: BinaryIO, encoding: str) -> Iterator[bytes]:
    if encoding == "utf-8":
        while piece := file.read(_PIECE_BYTES):
            yield piece
        return
    decoder = codecs.getincrementaldecoder(encoding)()
    while piece := file.read(_PIECE_BYTES):
        yield decoder.decode(piece).encode()
    yield decoder.decode(b"", final=True).encode()


def _escaped(pieces: Iterator[bytes], dialect: Dialect) -> Iterator[bytes]:
    r"""Yield the pieces with `\"` written as `""`. The escape stands before quotes only: elsewhere it is itself."""
    if not dialect.quote or not dialect.escape or dialect.escape == dialect.quote:
        yield from pieces
        return
    quote, escape = dialect.quote.encode(), dialect.escape.encode()
    pattern = re.compile(
        b"(?<!%b)((?:%b%b)*)%b%b" % tuple(re.escape(one) for one in (escape, escape, escape, escape, quote))
    )
    held = b""
    for piece in pieces:
        whole = held + piece
        # What may be the first bytes of a quote waits too, as it may be an escaped one.
        kept = len(whole) - next((size for size in range(len(quote) - 1, 0, -1) if whole.endswith(quote[:size])), 0)
        while whole.endswith(escape, 0, kept):
            kept -= len(escape)
        held = whole[kept:]
        yield (
            pattern.sub(lambda found: found.group(1) + quote + quote, whole[:kept])
            if escape in whole and escape + quote in whole
            else whole[:kept]
        )
    yield held


def _ended(pieces: Iterator[bytes]) -> Iterator[bytes]:
    last = b""
    for piece in pieces:
        if piece:
            yield piece
            last = piece[-1:]
    if last not in (b"\n", b"\r", b""):
        yield b"\n"
