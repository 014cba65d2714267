"""Text files in any encoding, as the UTF-8 that a parser wants, in bounded memory."""

import codecs
import io
from dataclasses import dataclass, fields
from typing import Any, BinaryIO, cast

from manara.connectors.selection import SourceFile
from manara.errors import WrongDefinition
from manara.plugin.dataset import Tally

_PIECE_BYTES = 1 << 16
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def known_encoding(name: str, where: str) -> str:
    """Return Python's name of an encoding, nothing for none told; raises WrongDefinition for an unknown one."""
    bare = name.lower().removesuffix(" without bom").strip()
    try:
        return codecs.lookup(bare).name if bare else ""
    except LookupError as error:
        raise WrongDefinition(
            f"The encoding '{name}' is unknown.", where=where, advice="Most files are UTF-8."
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFile(SourceFile):
    """A file whose content is given as UTF-8 without a byte order mark, which is believed before `encoding`."""

    encoding: str = ""

    def open(self, tally: Tally | None = None) -> BinaryIO:
        content = SourceFile.open(self, tally)
        start = cast(io.BufferedReader, content).peek(4)[:4]
        mark, encoding = next(((mark, name) for mark, name in _MARKS if start.startswith(mark)), (b"", self.encoding))
        if encoding in {"", "utf-8", "ascii"}:
            content.read(len(mark))
            return content
        return io.BufferedReader(_Recoded(content, encoding), _PIECE_BYTES)


def text_file(file: SourceFile, encoding: str) -> SourceFile:
    """Return the file, its content given as UTF-8."""
    if isinstance(file, TextFile):
        return file
    return TextFile(**{one.name: getattr(file, one.name) for one in fields(SourceFile)}, encoding=encoding)


class _Recoded(io.RawIOBase):
    def __init__(self, content: BinaryIO, encoding: str) -> None:
        self._content = content
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            piece = self._content.read(_PIECE_BYTES)
            self._rest = self._decoder.decode(piece, not piece).encode()
            if not piece:
                break
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        self._content.close()
        super().close()
