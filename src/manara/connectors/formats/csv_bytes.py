"""The bytes of a delimited file, made ready for a parser that knows UTF-8 and doubled quotes only."""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

_PIECE_BYTES = 1 << 20
_BOM = codecs.BOM_UTF8
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)")


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


class CsvBytes(io.RawIOBase):
    """A stream of UTF-8 as the parser wants it.

    It has no byte order mark and no skipped lines, a quote inside quotes is doubled, and the last line has its end.
    Raises UnicodeDecodeError where the encoding does not fit.
    """

    def __init__(self, file: BinaryIO, dialect: Dialect, skip_lines: int) -> None:
        self._dialect = dialect
        self._pieces = _ended(_escaped(_decoded(file, dialect.encoding), dialect))
        self._ready = next(self._pieces, b"").removeprefix(_BOM)
        self._tail = b""
        self._skip(skip_lines)

    def take_row(self) -> list[str]:
        """Return the values of the first row that is not empty, and take it off; nothing at the end of the file.

        Raises csv.Error where a quote is not closed.
        """
        lines = io.StringIO(self._ready.decode("utf-8", "surrogateescape"), newline="")
        rows = csv.reader(lines, strict=True, delimiter=self._dialect.delimiter, **_quoting(self._dialect.quote))
        row = next(filter(None, rows), [])
        self._drop(rows.line_num)
        for value in row:
            value.encode()  # raises for what was no UTF-8
        return row

    def give_back(self, row: list[str]) -> None:
        """Put a row before the others again, spelt anew."""
        text = io.StringIO()
        csv.writer(
            text, delimiter=self._dialect.delimiter, lineterminator="\n", **_quoting(self._dialect.quote)
        ).writerow(row)
        self._ready = text.getvalue().encode() + self._ready

    @property
    def is_blank(self) -> bool:
        """Whether nothing but empty lines is left."""
        while not self._ready.strip(b"\r\n"):
            piece = next(self._pieces, None)
            if piece is None:
                return True
            self._ready = piece
        return False

    @property
    def ended_in_quote(self) -> bool:
        """Whether the last character that was read, line ends aside, is a quote."""
        return bool(self._dialect.quote) and self._tail.rstrip(b"\r\n").endswith(self._dialect.quote.encode())

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
        return found.group()


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
        kept = len(whole.rstrip(escape))
        held = whole[kept:]
        yield (
            pattern.sub(lambda found: found.group(1) + quote + quote, whole[:kept])
            if escape + quote in whole
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
