"""A number that no parser takes is kept from it, and nothing else is."""

import contextlib
from collections.abc import Iterator

import pytest

from manara.connectors.formats.json_numbers import without_endless

LONG = b"7" * 4_301
ENDLESS = {
    "in an object": b'{"a": 1}\n{"a": ' + LONG + b"}",
    "negative, in a list": b"[1, -" + LONG + b"]",
    "alone": LONG,
    "after texts with quotes": b'["' + rb"\"" * 9_001 + b'", ' + LONG + b"]",
    "after much": b'{"a": "' + b"x" * 70_000 + b'", "b":\n ' + LONG + b"}",
}
OTHERS = {
    "as long as may be": b"[" + LONG[:-1] + b"]",
    "in a text": b'["' + LONG * 40 + b'", "of ' + LONG + b'"]',
    "after a colon in a text": b'["' + b"x, " * 9_000 + rb"\\" + b'", "codes: ' + LONG + rb"\", " + LONG + b'"]',
    "many digits after a point": b"[1." + LONG * 40 + b", 1e-" + LONG + b"]",
    "a fraction": b"[0." + LONG + b"]",
    "many short ones": b"[" + b"1234567," * 20_000 + b"1]",
}


def until_fault(pieces: list[bytes]) -> Iterator[bytes]:
    with contextlib.suppress(ValueError):
        yield from without_endless(pieces)


def cut(text: bytes, size: int) -> list[bytes]:
    return [text[at : at + size] for at in range(0, len(text), size)]


@pytest.mark.parametrize("size", [1_000, 4_096, 65_536])
@pytest.mark.parametrize("text", ENDLESS.values(), ids=ENDLESS.keys())
def test_the_text_ends_where_such_a_number_stands(text: bytes, size: int) -> None:
    with pytest.raises(ValueError, match="a number has more than 4,300 digits"):
        list(without_endless(cut(text, size)))
    given = b"".join(until_fault(cut(text, size)))
    assert text.startswith(given)
    assert LONG not in given


@pytest.mark.parametrize("size", [1_000, 4_096, 65_536])
@pytest.mark.parametrize("text", OTHERS.values(), ids=OTHERS.keys())
def test_all_else_goes_through(text: bytes, size: int) -> None:
    assert b"".join(without_endless(cut(text, size))) == text
