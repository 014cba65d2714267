"""Characters that stand in for the marks of a delimited text which a parser does not know."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# Control characters that no text should hold: for the delimiter, and for what the real marks push aside.
_DELIMITER, _QUOTE, _LINE_FEED, _RETURN = "\x1f", "\x1a", "\x1d", "\x1c"
_LINE_ENDS = ("", "\n", "\r", "\r\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """The marks as the parser is given them, and the pairs of texts that are exchanged for that, in order."""

    delimiter: str
    quote: str
    pairs: tuple[tuple[str, str], ...] = ()

    @property
    def has_own_rows(self) -> bool:
        """Whether rows end at a mark of their own, and not with a line."""
        return any(mark == "\n" for _, mark in self.pairs)

    def put_in(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the text with the stand-ins in it; raises ValueError where it holds one of them already."""
        if not self.pairs:
            yield from pieces
            return
        pairs = [(real.encode(), mark.encode()) for real, mark in self.pairs]
        taken = [mark for _, mark in pairs if mark in _FOREIGN]
        reals = [real for real, _ in pairs if len(real) > 1]
        held = b""
        for piece in pieces:
            _check(piece, taken)
            whole = _exchanged(held + piece, pairs)
            # What is left at the end and could be the start of a mark waits for the next piece.
            kept = len(whole) - _started(whole, reals)
            yield whole[:kept]
            held = whole[kept:]
        yield held

    def put_into(self, text: str) -> str:
        """Return one text with the stand-ins in it."""
        for real, mark in self.pairs:
            text = text.replace(real, mark)
        return text

    def turned_back(self, text: str) -> str:
        """Return one text with the real marks in it again."""
        for real, mark in reversed(self.pairs):
            text = text.replace(mark, real)
        return text


_FOREIGN = {mark.encode() for mark in (_DELIMITER, _QUOTE, _LINE_FEED, _RETURN)}


def stand_ins(delimiter: str, quote: str, row_delimiter: str) -> Marks:
    """Return what stands in for the marks of a dialect; each mark of one byte stands for itself."""
    pairs: list[tuple[str, str]] = []
    if row_delimiter not in _LINE_ENDS:
        # What is a line end to the parser is a letter to such a file. The longer marks go after what they push aside.
        pairs += [("\n", _LINE_FEED), ("\r", _RETURN)]
        pairs += [(_aside(row_delimiter, pairs), "\n")]
    if len(quote.encode()) > 1:
        pairs += [('"', _QUOTE), (quote, '"')]
        quote = '"'
    if not delimiter:
        delimiter = _DELIMITER  # nothing divides a line: it is one value
    elif len(delimiter.encode()) > 1:
        pairs += [(_aside(delimiter, pairs), _DELIMITER)]
        delimiter = _DELIMITER
    return Marks(delimiter=delimiter, quote=quote, pairs=tuple(pairs))


def _aside(mark: str, pairs: Sequence[tuple[str, str]]) -> str:
    """Return the mark as it reads once others have been exchanged before it."""
    for real, stand_in in pairs:
        mark = mark.replace(real, stand_in)
    return mark


def _exchanged(piece: bytes, pairs: list[tuple[bytes, bytes]]) -> bytes:
    for real, mark in pairs:
        piece = piece.replace(real, mark)
    return piece


def _started(piece: bytes, reals: list[bytes]) -> int:
    """Return how many bytes at the end may be the start of a mark."""
    longest = max((len(real) for real in reals), default=1)
    for length in range(min(longest - 1, len(piece)), 0, -1):
        if any(len(real) > length and real.startswith(piece[-length:]) for real in reals):
            return length
    return 0


def _check(piece: bytes, taken: list[bytes]) -> None:
    for mark in taken:
        if mark in piece:
            raise ValueError(f"the character U+{ord(mark.decode()):04X} stands in it, which no text should hold")
