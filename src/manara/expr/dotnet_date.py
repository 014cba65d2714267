"""The date formats of .NET, for English."""

import re
from collections.abc import Callable
from datetime import date
from functools import lru_cache

from manara.expr.moment import (
    DAYS,
    MONTHS,
    Fields,
    Moment,
    at,
    fraction_ticks,
    hour_of_half,
    month_of,
    with_zone,
)
from manara.expr.table import Unfit

ROUND_TRIP = "yyyy-MM-ddTHH:mm:ss.fffffffK"
_STANDARD = {
    "d": "M/d/yyyy",
    "D": "dddd, MMMM d, yyyy",
    "f": "dddd, MMMM d, yyyy h:mm tt",
    "F": "dddd, MMMM d, yyyy h:mm:ss tt",
    "g": "M/d/yyyy h:mm tt",
    "G": "M/d/yyyy h:mm:ss tt",
    "m": "MMMM d",
    "M": "MMMM d",
    "o": ROUND_TRIP,
    "O": ROUND_TRIP,
    "r": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
    "R": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
    "s": "yyyy-MM-ddTHH:mm:ss",
    "t": "h:mm tt",
    "T": "h:mm:ss tt",
    "u": "yyyy-MM-dd HH:mm:ss'Z'",
    "U": "dddd, MMMM d, yyyy h:mm:ss tt",
    "y": "MMMM yyyy",
    "Y": "MMMM yyyy",
}
_PIECE = re.compile(r"([dfFghHKmMstyz])\1*|'[^']*'|\"[^\"]*\"|\\.|%|.", re.DOTALL)
_PLAIN = re.compile(r"\d+")

Write = Callable[[Fields, int, str], str]

_WRITERS: dict[str, Write] = {
    "d": lambda fields, width, _: _day(fields, width),
    "f": lambda fields, width, _: f"{fields.fraction:07d}"[:width],
    "F": lambda fields, width, _: f"{fields.fraction:07d}"[:width].rstrip("0"),
    "g": lambda *_: "A.D.",
    "h": lambda fields, width, _: _padded((fields.hour + 11) % 12 + 1, width),
    "H": lambda fields, width, _: _padded(fields.hour, width),
    "K": lambda _, width, mark: mark * width,
    "m": lambda fields, width, _: _padded(fields.minute, width),
    "M": lambda fields, width, _: _month(fields, width),
    "s": lambda fields, width, _: _padded(fields.second, width),
    "t": lambda fields, width, _: ("AM" if fields.hour < 12 else "PM")[:width],
    "y": lambda fields, width, _: _year(fields.day.year, width),
    "z": lambda _, width, __: "+0" if width == 1 else "+00" if width == 2 else "+00:00",
}


def format_moment(moment: Moment, form: str) -> str:
    """Return the moment in a standard format (one letter) or a custom one; an empty one is `o`.

    Raises Unfit for a letter that stands for no format, and for a quote that is not closed.
    """
    fields = moment.fields()
    written: list[str] = []
    for piece in _pieces(form):
        letter = piece[0]
        if letter in _WRITERS:
            if letter in "fF" and len(piece) > 7:
                raise Unfit(f"A second has at most seven decimals; the format '{form}' asks for more.")
            text = _WRITERS[letter](fields, len(piece), moment.mark)
            if letter == "F" and not text and written and written[-1] == ".":
                written.pop()  # .NET drops the point before decimals that are not there
            written.append(text)
        else:
            written.append(_literal(piece))
    return "".join(written)


def parse_exact(text: str, form: str) -> Moment:
    """Return the moment that a text holds which was written in a .NET format."""
    pattern, letters = "", []
    for piece in _pieces(form):
        if piece[0] in _WRITERS:
            pattern += f"({_accepts(piece)})"
            letters.append(piece)
        else:
            pattern += re.escape(_literal(piece))
    found = re.fullmatch(pattern, text, re.IGNORECASE | re.ASCII)
    if found is None:
        raise Unfit(f"The text '{text[:60]}' does not have the format '{form}'.")
    return _assembled(dict(zip((_key(piece) for piece in letters), found.groups(), strict=True)), text)


@lru_cache(maxsize=512)
def _pieces(form: str) -> tuple[str, ...]:
    form = form or "o"
    if len(form) == 1:
        if form not in _STANDARD:
            raise Unfit(f"'{form}' is no date format; the single letters are {' '.join(_STANDARD)}.")
        form = _STANDARD[form]
    pieces = [found[0] for found in _PIECE.finditer(form)]
    if any(piece in ("'", '"', "\\") for piece in pieces):
        raise Unfit(f"A quote in the format '{form}' is not closed.")
    return tuple(piece for piece in pieces if piece != "%")


def _literal(piece: str) -> str:
    if piece[0] in "'\"":
        return piece[1:-1]
    return piece[1] if piece[0] == "\\" else piece


def _padded(number: int, width: int) -> str:
    return f"{number:02d}" if width > 1 else str(number)


def _day(fields: Fields, width: int) -> str:
    if width < 3:
        return _padded(fields.day.day, width)
    name = DAYS[fields.day.isoweekday() % 7]
    return name[:3] if width == 3 else name


def _month(fields: Fields, width: int) -> str:
    if width < 3:
        return _padded(fields.day.month, width)
    name = MONTHS[fields.day.month - 1]
    return name[:3] if width == 3 else name


def _year(year: int, width: int) -> str:
    return f"{year % 100:0{width}d}" if width < 3 else f"{year:0{width}d}"


def _key(piece: str) -> str:
    """Return what the value of a piece means: a weekday counts for nothing, the names of months as months."""
    return piece[0] if piece[0] != "d" or len(piece) < 3 else "weekday"


_ACCEPTED = {"g": r"A\.D\.", "K": r"Z|[+-]\d\d:\d\d|", "z": r"[+-]\d{1,2}(?::\d\d)?"}


def _accepts(piece: str) -> str:
    """Return the regular expression of what may stand for a piece of a format."""
    letter, width = piece[0], len(piece)
    if letter in "dM" and width > 2:
        names = DAYS if letter == "d" else MONTHS
        return "|".join(name[:3] if width == 3 else name for name in names)
    if letter == "t":
        return "AM|PM" if width > 1 else "A|P"
    if letter == "F":
        return rf"\d{{0,{width}}}"
    if letter == "f" or (letter == "y" and width > 1):
        return rf"\d{{{width}}}"
    return _ACCEPTED.get(letter, r"\d{2}" if width > 1 else r"\d{1,2}")


def _assembled(part: dict[str, str], text: str) -> Moment:
    year = int(part.get("y", "1"))
    if len(part.get("y", "0001")) < 3:
        year += 2000 if year < 50 else 1900  # .NET's window ends in 2049
    month = part.get("M", "1")
    hour = int(part.get("H", "0"))
    if "h" in part:
        hour = hour_of_half(int(part["h"]), part.get("t", "AM").upper())
    minute, second = int(part.get("m", "0")), int(part.get("s", "0"))
    try:
        day = date(year, int(month) if _PLAIN.fullmatch(month) else month_of(month), int(part.get("d", "1")))
    except ValueError:
        raise Unfit(f"'{text[:60]}' is no day of the calendar.") from None
    if hour > 23 or minute > 59 or second > 59:
        raise Unfit(f"'{text[:60]}' is no time of the day.")
    moment = at(day, hour, minute, second, fraction_ticks(part.get("f") or part.get("F") or ""), "")
    return with_zone(moment, part.get("K") or part.get("z") or "")
