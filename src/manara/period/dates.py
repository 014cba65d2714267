"""Dates in declared forms: what is not declared is refused, and what has two meanings is told with both."""

import csv
import importlib.resources
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache

from manara.errors import WrongDefinition
from manara.period.calendars import CALENDARS, Calendar, to_gregorian
from manara.registry import near

_FIELDS = {"Y": r"(?P<Y>\d{4})", "y": r"(?P<y>\d{2})", "m": r"(?P<m>\d{1,2})", "d": r"(?P<d>\d{1,2})"}
_IGNORED = {"H": r"\d{1,2}", "M": r"\d{2}", "S": r"\d{2}(?:\.\d+)?", "%": "%"}
_FIRST_SHORT_YEAR = 69
"""A year of two digits from here on is of the century before: POSIX's rule."""


@dataclass(frozen=True, slots=True)
class Forms:
    """How the dates of a source are written: `patterns` of strptime, the calendar, and the languages of month names.

    Known in a pattern are `%Y`, `%y`, `%m`, `%d`, `%b` or `%B` (a name of a month, short or long), and `%H`, `%M` and
    `%S`, which are read over. A day or month may have one digit or two. Raises WrongDefinition for a pattern that does
    not give a day, an unknown calendar, or a language without names.
    """

    patterns: tuple[str, ...]
    calendar: Calendar = "gregorian"
    languages: tuple[str, ...] = ("en",)

    def __post_init__(self) -> None:
        if not self.patterns:
            raise WrongDefinition("No form of a date is declared.", advice="Declare one, such as %d/%m/%Y.")
        if self.calendar not in CALENDARS:
            raise WrongDefinition(f"There is no calendar '{self.calendar}'.", advice=near(self.calendar, CALENDARS))
        for pattern in self.patterns:
            _compiled(pattern, self.calendar, self.languages)


def read_date(text: str, forms: Forms) -> date:
    """Return the Gregorian date that a text gives in one of the forms.

    Raises WrongDefinition where no form fits, where the day does not exist, and where two forms give two different
    days: then all candidates are named.
    """
    shown = text.strip()
    candidates: dict[date, str] = {}
    wrong = ""
    for pattern in forms.patterns:
        match = _compiled(pattern, forms.calendar, forms.languages).fullmatch(_plain(shown))
        if match is None:
            continue
        try:
            candidates.setdefault(_day(match.groupdict(), forms), pattern)
        except ValueError as error:
            wrong = wrong or str(error)
    if len(candidates) == 1:
        return next(iter(candidates))
    if not candidates:
        reason = f": {wrong}" if wrong else f" in the form {' or '.join(forms.patterns)}"
        raise WrongDefinition(f"'{shown}' is no date{reason}.", advice="Declare its form, or mend the text.")
    told = ", ".join(f"{day.isoformat()} by {pattern}" for day, pattern in candidates.items())
    raise WrongDefinition(f"'{shown}' could be {told}.", advice="Declare the one form that the source writes.")


def _day(found: dict[str, str | None], forms: Forms) -> date:
    year = int(str(found["Y"])) if found.get("Y") else _short_year(str(found["y"]))
    named = found.get("b")
    month = _months(forms.calendar, forms.languages)[named] if named else int(str(found["m"]))
    return to_gregorian(forms.calendar, year, month, int(str(found["d"])))


def _short_year(text: str) -> int:
    return int(text) + (1900 if int(text) >= _FIRST_SHORT_YEAR else 2000)


@cache
def _compiled(pattern: str, calendar: Calendar, languages: tuple[str, ...]) -> re.Pattern[str]:
    parts, seen = [], set()
    for piece in re.findall(r"%.|[^%]+|%", pattern):
        field = piece[1:] if piece.startswith("%") else ""
        if not field:
            parts.append(re.escape(_plain(piece)))
            continue
        if field in ("b", "B"):
            names = sorted(_months(calendar, languages), key=len, reverse=True)
            parts.append("(?P<b>" + "|".join(map(re.escape, names)) + r")\.?")
        elif field in _FIELDS or field in _IGNORED:
            parts.append({**_FIELDS, **_IGNORED}[field])
        else:
            raise WrongDefinition(
                f"'%{field}' is not known in a form of a date.",
                where=pattern,
                advice="Known are: %Y, %y, %m, %d, %b, %B, %H, %M, %S.",
            )
        seen.add("b" if field == "B" else field)
    _check(pattern, seen, parts)
    return re.compile("".join(parts))


def _check(pattern: str, seen: set[str], parts: Sequence[str]) -> None:
    if len(seen & {"Y", "y"}) != 1 or len(seen & {"m", "b"}) != 1 or "d" not in seen:
        raise WrongDefinition(
            f"The form '{pattern}' does not give one year, one month and one day.",
            advice="Such as %Y-%m-%d or %d-%b-%y.",
        )
    if len([part for part in parts if part.startswith("(?P<")]) != 3:
        raise WrongDefinition(f"The form '{pattern}' names a part of the day twice.")


@cache
def _months(calendar: Calendar, languages: tuple[str, ...]) -> dict[str, int]:
    """Return the numbers of the months by their plain names. Raises WrongDefinition for a language without names."""
    text = importlib.resources.files("manara.period").joinpath("month_names.csv").read_text("utf-8")
    rows = [row for row in csv.DictReader(text.splitlines()) if row["calendar"] == calendar]
    known = {row["language"] for row in rows}
    for language in languages:
        if language not in known:
            raise WrongDefinition(
                f"There are no names of months in '{language}' for the {CALENDARS[calendar].name} calendar.",
                advice=near(language, known),
            )
    return {
        _plain(name): int(row["month"])
        for row in rows
        if row["language"] in languages
        for name in row["names"].split("|")
    }


def _plain(text: str) -> str:
    """Return the text in lower case, without accents, with ASCII digits and single blanks."""
    bare = "".join(c for c in unicodedata.normalize("NFD", text.casefold()) if unicodedata.category(c) != "Mn")
    digits = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in bare)
    return re.sub(r"\s+", " ", digits)
