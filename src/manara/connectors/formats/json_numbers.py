"""Numbers without end in JSON, kept from the parser: its C part ends the whole process at one that Python refuses."""

import re
from collections.abc import Iterable, Iterator

_MOST_DIGITS = 4_300
"""Python reads no longer whole number from a text (sys.int_info.default_max_str_digits)."""

_STEP = 4_096
_NEAR = 256
_KEPT = 2 * _STEP
_ENDLESS = re.compile(rb"(?<![0-9.eE+])(?<![eE]-)[0-9]{%d,}" % (_MOST_DIGITS + 1))
_OTHERS = bytes(letter for letter in range(256) if letter != ord('"'))


def without_endless(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the pieces of a JSON text up to a number that is too long, and raise ValueError there.

    Digits in a text, and behind a point, are no such number and go through.
    """
    held, is_in_text, is_beginning = b"", False, True
    for piece in pieces:
        whole = held + piece
        if _may_be_endless(whole):
            for found in _ENDLESS.finditer(whole):
                # What goes on from before was looked at when it began.
                begins = found.start() > 0 or is_beginning
                if begins and is_in_text == (_quotes(whole[: found.start()]) % 2 == 1):
                    if before := whole[len(held) : found.start()]:
                        yield before
                    raise ValueError(f"a number has more than {_MOST_DIGITS:,} digits")
        yield piece
        cut = _whole_escapes(whole, len(whole) - _KEPT)
        is_in_text ^= _quotes(whole[:cut]) % 2 == 1
        held, is_beginning = whole[cut:], is_beginning and cut == 0


def _quotes(text: bytes) -> int:
    """Return how many texts begin or end in it."""
    plain = text.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in text else text
    return len(plain.translate(None, _OTHERS))  # many times faster than to count what stands close together


def _whole_escapes(text: bytes, cut: int) -> int:
    """Return a place at `cut` or before it that does not stand behind a backslash; 0 where there is none."""
    while cut > 0 and text[cut - 1] == ord("\\"):
        cut -= 1
    return max(cut, 0)


def _may_be_endless(text: bytes) -> bool:
    """Return whether so many digits may follow each other; looks at one byte in 4,096, as each such run has one."""
    for place in range(0, len(text), _STEP):
        if 48 <= text[place] <= 57 and (
            text[place : place + _NEAR].isdigit() or text[max(place - _NEAR, 0) : place + 1].isdigit()
        ):
            return True
    return False
