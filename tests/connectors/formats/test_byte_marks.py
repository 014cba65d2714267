import io

import pytest

from manara.connectors.formats.byte_marks import MarkedBytes, unmarked


class _Drops(io.RawIOBase):
    """Gives so many bytes at a time."""

    def __init__(self, content: bytes, size: int) -> None:
        self.content, self.size = content, size

    def read(self, size: int = -1, /) -> bytes:
        taken, self.content = self.content[: self.size], self.content[self.size :]
        return taken


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ("é€😀\uf7e9".encode(), "é€😀\uf7e9"),
        ("\U0010f7e9".encode(), "\U0010f7e9"),
        ("é".encode() + b"\xe9", r"é\xe9"),
        (b"\xe9\xe9a\xff", r"\xe9\xe9a\xff"),
        ("😀".encode()[:3] + b"a", r"\xf0\x9f\x98a"),
        ("€".encode()[:2], r"\xe2\x82"),
        (b"\xed\xa0\x80", r"\xed\xa0\x80"),
        (b"", ""),
    ],
)
def test_characters_stay_whole_however_the_bytes_come_and_others_are_marked(
    content: bytes, shown: str, size: int
) -> None:
    stream = MarkedBytes(_Drops(content, size))
    text = io.BufferedReader(stream).read().decode()
    assert unmarked(text, stream.base) == shown


@pytest.mark.parametrize("content", ["\U0010f780".encode() + b"\xe9", b"\xe9" + "\U0010f7ff".encode()])
def test_characters_that_the_marks_would_be_taken_for_are_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="U\\+10F780"):
        io.BufferedReader(MarkedBytes(_Drops(content, 100))).read()
