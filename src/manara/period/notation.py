"""The notations of periods: a text in, a Period out, and the other way. Nothing is guessed.

DHIS2 writes `20240315`, `2024W12`, `2024WedW5`, `2024BiW1`, `202401`, `202401B`, `2024Q1`, `2024S1`, `2024AprilS1`,
`2024NovS1`, `2024`, `2024April`. SDMX writes `2024-W12`, `2024-M01`, `2024-Q1`, `2024-T1`, `2024-S1`, `2024-A1`,
`2024-D074`, and what ISO writes; ISO 8601 writes `2024-03-15`, `2024-075`, `2024-W12`, `2024-W12-3`, `2024-01`, `2024`
and an interval `2024-01-01/P1M`. Sources: the DHIS2 developer guide (date and period format), the SDMX 2.1 technical
notes (time period), ISO 8601.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Literal

from manara.errors import WrongDefinition
from manara.period import grain as grains
from manara.period.grain import Grain, first_week, week_number, week_year
from manara.period.period import Period

Notation = Literal["DHIS2", "SDMX", "ISO"]
NOTATIONS: tuple[Notation, ...] = ("DHIS2", "SDMX", "ISO")

_WEEKS = {
    "": grains.WEEKLY,
    "Wed": grains.WEEKLY_WEDNESDAY,
    "Thu": grains.WEEKLY_THURSDAY,
    "Sat": grains.WEEKLY_SATURDAY,
    "Sun": grains.WEEKLY_SUNDAY,
}
_HALVES = {"": grains.SIX_MONTHLY, "April": grains.SIX_MONTHLY_APRIL, "Nov": grains.SIX_MONTHLY_NOV}
_FINANCIAL = {
    "April": grains.FINANCIAL_APRIL,
    "July": grains.FINANCIAL_JULY,
    "Sep": grains.FINANCIAL_SEP,
    "Oct": grains.FINANCIAL_OCT,
    "Nov": grains.FINANCIAL_NOV,
}
_PARTS = {
    "A": grains.YEARLY,
    "S": grains.SIX_MONTHLY,
    "T": grains.FOUR_MONTHLY,
    "Q": grains.QUARTERLY,
    "M": grains.MONTHLY,
}
_LENGTHS = {"P1Y": 12, "P12M": 12, "P6M": 6, "P4M": 4, "P3M": 3, "P2M": 2, "P1M": 1}
_DAYS = {"P1D": 1, "P7D": 7, "P1W": 7, "P14D": 14, "P2W": 14}


def read_period(text: str, notation: Notation) -> Period:
    """Return the period that a text names in a notation.

    Raises WrongDefinition where it names none; the notations in which it would be one are told, and not tried.
    """
    found = _read(text, notation)
    if found is not None:
        return found
    others = [other for other in NOTATIONS if other != notation and _is_read(text, other)]
    advice = f"It is one of {' and '.join(others)}: declare that." if others else f"Write it as {_EXAMPLES[notation]}."
    raise WrongDefinition(f"'{text}' is no period of {notation}.", advice=advice)


def write_period(period: Period, notation: Notation) -> str:
    """Return how a notation writes the period. Raises WrongDefinition where it has no word for it."""
    word = {"DHIS2": _to_dhis2, "SDMX": _to_sdmx, "ISO": _to_iso}[notation](period)
    if word is None:
        raise WrongDefinition(
            f"{notation} has no word for the {period.grain.name} period from {period.start} to {period.end}.",
            advice="Write it as an interval of ISO." if notation != "ISO" else "",
        )
    return word


def convert(text: str, source: Notation, target: Notation) -> str:
    """Return a period of one notation in another.

    >>> convert("2024Q1", "DHIS2", "SDMX")
    '2024-Q1'
    """
    return write_period(read_period(text, source), target)


_EXAMPLES: Mapping[Notation, str] = {
    "DHIS2": "20240315, 2024W12, 202403, 2024Q1, 2024S1, 2024 or 2024April",
    "SDMX": "2024-03-15, 2024-W12, 2024-M03, 2024-Q1, 2024-S1, 2024 or 2024-01-01/P1M",
    "ISO": "2024-03-15, 2024-W12, 2024-03, 2024 or 2024-01-01/P3M",
}


def _is_read(text: str, notation: Notation) -> bool:
    try:
        return _read(text, notation) is not None
    except WrongDefinition:
        return False


def _read(text: str, notation: Notation) -> Period | None:
    """Return the period; None where no form fits. Raises WrongDefinition for a number that the form does not have."""
    for pattern, make in _FORMS[notation]:
        match = pattern.fullmatch(text)
        if match:
            try:
                return make(*match.groups())
            except (ValueError, OverflowError) as error:
                raise WrongDefinition(f"'{text}' is no period of {notation}: {error}.") from error
    return None


def _day(year: str, month: str, day: str) -> Period:
    return Period(grains.DAILY, date(int(year), int(month), int(day)))


def _day_of_year(year: str, number: str) -> Period:
    day = date(int(year), 1, 1) + timedelta(days=int(number) - 1)
    if day.year != int(year) or int(number) < 1:
        raise ValueError(f"{year} has no day {number}")
    return Period(grains.DAILY, day)


def _day_of_week(year: str, week: str, day: str) -> Period:
    return Period(grains.DAILY, _week(year, "", week).start + timedelta(days=int(day) - 1))


def _week(year: str, kind: str, number: str) -> Period:
    grain = _WEEKS[kind]
    start = first_week(int(year), grain.first) + timedelta(weeks=int(number) - 1)
    if int(number) < 1 or week_year(start) != int(year):
        raise ValueError(f"{year} has no week {number}")
    return Period(grain, start)


def _two_weeks(year: str, number: str) -> Period:
    if not 1 <= int(number) <= 26:
        raise ValueError(f"a year has two weeks 1 to 26, not {number}")
    return Period(grains.BI_WEEKLY, first_week(int(year), 1) + timedelta(weeks=2 * (int(number) - 1)))


def _months(grain: Grain, year: str, number: str) -> Period:
    """Return the period with a number in a year of Gregorian months."""
    if not 1 <= int(number) <= 12 // grain.length:
        raise ValueError(f"a year has {12 // grain.length} {grain.name} periods, not {number}")
    return Period(grain, date(int(year), (int(number) - 1) * grain.length + 1, 1))


def _half(year: str, kind: str, number: str) -> Period:
    """Return a half of a year; NovS1 begins in November of the year before."""
    grain = _HALVES[kind]
    first = date(int(year) - (kind == "Nov"), grain.first, 1)
    return Period(grain, grain.after(first, int(number) - 1))


def _financial(year: str, kind: str) -> Period:
    return Period(_FINANCIAL[kind], date(int(year), _FINANCIAL[kind].first, 1))


def _part(year: str, kind: str, number: str) -> Period:
    return _months(_PARTS[kind], year, number)


def _interval(year: str, month: str, day: str, length: str) -> Period:
    start = date(int(year), int(month), int(day))
    if length in _DAYS:
        return Period(_grain_of_days(start, _DAYS[length], length), start)
    if length not in _LENGTHS:
        raise ValueError(f"the length {length} is none of {', '.join([*_LENGTHS, *_DAYS])}")
    fitting = [
        grain
        for grain in grains.GRAINS.values()
        if grain.unit == "month" and grain.length == _LENGTHS[length] and grain.start_of(start) == start
    ]
    if not fitting:
        raise ValueError(f"no period type of {length} starts on {start}")
    return Period(fitting[0], start)


def _grain_of_days(start: date, days: int, length: str) -> Grain:
    if days == 1:
        return grains.DAILY
    if days == 14:
        return grains.BI_WEEKLY
    named = {grain.first: grain for grain in _WEEKS.values()}
    if start.isoweekday() not in named:
        raise ValueError(f"no period type of {length} starts on a {start:%A}")
    return named[start.isoweekday()]


_YEAR = r"(\d{4})"
Form = tuple[re.Pattern[str], Callable[..., Period]]
_ISO_FORMS: list[Form] = [
    (re.compile(_YEAR), lambda year: _months(grains.YEARLY, year, "1")),
    (re.compile(_YEAR + r"-(\d{2})"), lambda year, month: _months(grains.MONTHLY, year, month)),
    (re.compile(_YEAR + r"-(\d{2})-(\d{2})"), _day),
    (re.compile(_YEAR + r"-(\d{3})"), _day_of_year),
    (re.compile(_YEAR + r"-W(\d{2})"), lambda year, week: _week(year, "", week)),
    (re.compile(_YEAR + r"-W(\d{2})-([1-7])"), _day_of_week),
    (re.compile(_YEAR + r"-(\d{2})-(\d{2})(?:T00:00:00)?/(P\w+)"), _interval),
]
_FORMS: Mapping[Notation, list[Form]] = {
    "DHIS2": [
        (re.compile(_YEAR), lambda year: _months(grains.YEARLY, year, "1")),
        (re.compile(_YEAR + r"(\d{2})"), lambda year, month: _months(grains.MONTHLY, year, month)),
        (re.compile(_YEAR + r"(\d{2})(\d{2})"), _day),
        (re.compile(_YEAR + r"(|Wed|Thu|Sat|Sun)W(\d{1,2})"), _week),
        (re.compile(_YEAR + r"BiW(\d{1,2})"), _two_weeks),
        (re.compile(_YEAR + r"(\d{2})B"), lambda year, number: _months(grains.BI_MONTHLY, year, number)),
        (re.compile(_YEAR + r"Q(\d)"), lambda year, number: _months(grains.QUARTERLY, year, number)),
        (re.compile(_YEAR + r"(|April|Nov)S([12])"), _half),
        (re.compile(_YEAR + r"(April|July|Sep|Oct|Nov)"), _financial),
    ],
    "SDMX": [
        *_ISO_FORMS,
        (re.compile(_YEAR + r"-([ASTQ])(\d)"), _part),
        (re.compile(_YEAR + r"-(M)(\d{2})"), _part),
        (re.compile(_YEAR + r"-D(\d{3})"), _day_of_year),
    ],
    "ISO": _ISO_FORMS,
}


def _to_dhis2(period: Period) -> str | None:
    start, grain = period.start, period.grain
    if grain.unit == "day":
        return f"{start:%Y%m%d}"
    if grain is grains.BI_WEEKLY:
        return f"{week_year(start)}BiW{(week_number(start) - 1) // 2 + 1}"
    if grain.unit == "week":
        return f"{week_year(start)}{_key(_WEEKS, grain)}W{week_number(start)}"
    place = (start.month - grain.first) % 12 // grain.length + 1
    if grain.length == 6:
        year = start.year + (grain is grains.SIX_MONTHLY_NOV and start.month == 11)
        year -= grain is grains.SIX_MONTHLY_APRIL and start.month < 4
        return f"{year}{_key(_HALVES, grain)}S{place}"
    if grain.length == 12:
        return f"{start.year}{_key(_FINANCIAL, grain) if grain is not grains.YEARLY else ''}"
    return {1: f"{start:%Y%m}", 2: f"{start.year}{place:02}B", 3: f"{start.year}Q{place}"}.get(grain.length)


def _to_sdmx(period: Period) -> str | None:
    start, grain = period.start, period.grain
    if grain is grains.MONTHLY:
        return f"{start:%Y}-M{start:%m}"
    letter = next((letter for letter, known in _PARTS.items() if known is grain), None)
    if letter is not None and grain is not grains.YEARLY:
        return f"{start.year}-{letter}{(start.month - 1) // grain.length + 1}"
    return _to_iso(period)


def _to_iso(period: Period) -> str | None:
    start, grain = period.start, period.grain
    if grain.unit == "day":
        return start.isoformat()
    if grain is grains.WEEKLY:
        return f"{week_year(start)}-W{week_number(start):02}"
    if grain is grains.YEARLY:
        return f"{start.year}"
    if grain is grains.MONTHLY:
        return f"{start:%Y-%m}"
    if grain.unit == "week":
        return f"{start.isoformat()}/P{7 * grain.length}D"
    return f"{start.isoformat()}/P{grain.length}M" if grain.length < 12 else f"{start.isoformat()}/P1Y"


def _key(table: Mapping[str, Grain], grain: Grain) -> str:
    return next(name for name, known in table.items() if known is grain)
