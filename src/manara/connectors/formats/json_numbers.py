"""Numbers without end in JSON, kept from the parser: its C part ends the whole process at one that Python refuses."""

import re
from collections.abc import Iterable, Iterator

_MOST_DIGITS = 4_300
"""Python reads no longer whole number from a text (sys.int_info.default_max_str_digits)."""

_STEP = 4_096
_NEAR = 256
_ENDLESS = re.compile(rb"(?:[\[\]{},:]|\A)[ \t\r\n]*-?[0-9]{%d}" % (_MOST_DIGITS + 1))
_BEHIND = re.compile(rb"[\[\]{},:][ \t\r\n]*-?[0-9]{%d}" % (_MOST_DIGITS + 1))


def without_endless(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the pieces of a JSON text up to a number that is too long, and raise ValueError there.

    Digits in a text are no number, and go through.
    """
    held, pattern = b"", _ENDLESS
    for piece in pieces:
        whole = held + piece
        if _may_be_endless(whole) and (found := pattern.search(whole)):
            if before := whole[len(held) : found.start()]:
                yield before
            raise ValueError(f"a number has more than {_MOST_DIGITS:,} digits")
        yield piece
        held = whole[-2 * _STEP :]
        pattern = _ENDLESS if pattern is _ENDLESS and held == whole else _BEHIND


def _may_be_endless(text: bytes) -> bool:
    """Return whether so many digits may follow each other; looks at one byte in 4,096, as each such run has one."""
    for place in range(0, len(text), _STEP):
        if 48 <= text[place] <= 57 and (
            text[place : place + _NEAR].isdigit() or text[max(place - _NEAR, 0) : place + 1].isdigit()
        ):
            return True
    return False
