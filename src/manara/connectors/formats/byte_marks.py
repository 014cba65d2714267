"""Characters that stand for the bytes of a text that are no UTF-8, as Arrow's parser reads no others."""

import io
import re
from typing import Any

import pyarrow as pa

_BASES = (0xF700, 0xFF700, 0x10F700)
"""Where the marks may begin: in the three private use areas of Unicode."""

_PIECE_BYTES = 1 << 20
_LONGEST_CHARACTER = 4
_OWN = re.compile(b"\xf4\x8f\x9e|\xf4\x8f\x9f")
"""What characters of the last area begin with in UTF-8."""


def is_utf8(block: memoryview | bytes) -> bool:
    """Return whether all bytes are UTF-8."""
    offsets = pa.array([0, len(block)], pa.int32()).buffers()[1]
    whole = pa.Array.from_buffers(pa.string(), 1, [None, offsets, pa.py_buffer(block)])
    try:
        whole.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def marked(content: bytes) -> tuple[memoryview, int]:
    """Return the content with a mark for each byte that is no UTF-8, and the base of the marks.

    A content that uses the characters of all bases goes without marks, and cannot be read then.
    """
    plain = content.decode("utf-8", "ignore")
    base = next((each for each in _BASES if not re.search(marks_of(each), plain)), 0)
    return (memoryview(_put_marks(content, base)), base) if base else (memoryview(content), 0)


def _put_marks(content: bytes, base: int) -> bytes:
    parts: list[str] = []
    while content:
        try:
            parts.append(content.decode())
            break
        except UnicodeDecodeError as error:
            parts.append(content[: error.start].decode())
            parts += [chr(base + byte) for byte in content[error.start : error.end]]
            content = content[error.end :]
    return "".join(parts).encode()


def marks_of(base: int) -> str:
    """Return what finds the marks of a base, as a regular expression."""
    return f"[{chr(base + 0x80)}-{chr(base + 0xFF)}]"


def unmarked(text: str, base: int) -> str:
    r"""Return the text with each mark as the byte that it stands for, escaped.

    >>> unmarked("K\uf7e9", 0xF700)
    'K\\xe9'
    """
    if not base:
        return text
    return re.sub(marks_of(base), lambda mark: f"\\x{ord(mark[0]) - base:02x}", text)


class MarkedBytes(io.RawIOBase):
    """A stream with a mark for each byte that is no UTF-8; `base` is that of its marks, 0 as long as there are none.

    What comes is not known: the marks are of the last private use area. Raises ValueError where the text has such
    characters of its own besides bytes that are no UTF-8.
    """

    def __init__(self, text: io.RawIOBase) -> None:
        self.base = 0
        self._text = text
        self._held = b""
        self._ready = b""
        self._has_own = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            piece = self._text.read(_PIECE_BYTES) or b""
            whole, self._held = self._held + piece, b""
            if not whole:
                return 0
            if piece:
                end = _whole_characters(whole)
                whole, self._held = whole[:end], whole[end:]
            self._ready = self._with_marks(whole)
        taken, self._ready = self._ready[: len(buffer)], self._ready[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)

    def _with_marks(self, whole: bytes) -> bytes:
        self._has_own = self._has_own or _OWN.search(whole) is not None
        if not is_utf8(whole):
            self.base = _BASES[-1]
            whole = _put_marks(whole, self.base)
        if self.base and self._has_own:
            raise ValueError("bytes that are no UTF-8 stand beside characters of U+10F780 to U+10F7FF")
        return whole


def _whole_characters(content: bytes) -> int:
    """Return the length of the content without a character at its end whose bytes are not all there."""
    for back in range(1, min(_LONGEST_CHARACTER, len(content) + 1)):
        byte = content[-back]
        if byte >= 0xC0:  # the first byte of a character of several
            length = 2 + (byte >= 0xE0) + (byte >= 0xF0)
            return len(content) - (back if length > back else 0)
        if byte < 0x80:
            break
    return len(content)
