"""Calendars beside the Gregorian one: the Ethiopian and the Solar Hijri of Afghanistan and Iran.

Sources: Reingold and Dershowitz, Calendrical Calculations (epoch and leap years of the Ethiopic calendar); Birashk's
rule of 33 years for the Solar Hijri, which agrees with the equinox in the years that are taken here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Literal

Calendar = Literal["gregorian", "ethiopian", "persian"]

_ETHIOPIAN_EPOCH = 2796
"""The ordinal of the first day of the year 1: 29 August of the year 8 in the Julian calendar."""

_PERSIAN_YEARS = range(1244, 1473)
_NOWRUZ_1400 = date(2021, 3, 21)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How a calendar counts: `to_gregorian(year, month, day)` and back, both for days that it has."""

    name: str
    to_gregorian: Callable[[int, int, int], date]
    from_gregorian: Callable[[date], tuple[int, int, int]]


def to_gregorian(calendar: Calendar, year: int, month: int, day: int) -> date:
    """Return the Gregorian date of a day of a calendar. Raises ValueError for a day that the calendar has not.

    >>> to_gregorian("ethiopian", 2016, 1, 1)
    datetime.date(2023, 9, 12)
    >>> to_gregorian("persian", 1403, 1, 1)
    datetime.date(2024, 3, 20)
    """
    return CALENDARS[calendar].to_gregorian(year, month, day)


def from_gregorian(calendar: Calendar, day: date) -> tuple[int, int, int]:
    """Return year, month and day that a calendar has for a Gregorian date.

    >>> from_gregorian("ethiopian", date(2023, 9, 11))
    (2015, 13, 6)
    """
    return CALENDARS[calendar].from_gregorian(day)


def _ethiopian(year: int, month: int, day: int) -> date:
    _check("Ethiopian", year, month, day, 13, (5 + (year % 4 == 3)) if month == 13 else 30)
    return date.fromordinal(_ethiopian_start(year) + 30 * (month - 1) + day - 1)


def _to_ethiopian(day: date) -> tuple[int, int, int]:
    year = (4 * (day.toordinal() - _ETHIOPIAN_EPOCH) + 1463) // 1461
    place = day.toordinal() - _ethiopian_start(year)
    return year, place // 30 + 1, place % 30 + 1


def _ethiopian_start(year: int) -> int:
    return _ETHIOPIAN_EPOCH + 365 * (year - 1) + year // 4


def _persian(year: int, month: int, day: int) -> date:
    _check_persian(year)
    _check("Solar Hijri", year, month, day, 12, _persian_days(year, month))
    return date.fromordinal(_nowruz(year) + _persian_before(month) + day - 1)


def _to_persian(day: date) -> tuple[int, int, int]:
    year = day.year - 621
    _check_persian(year)
    if day.toordinal() < _nowruz(year):
        year -= 1
        _check_persian(year)
    place = day.toordinal() - _nowruz(year)
    month = place // 31 + 1 if place < 186 else (place - 186) // 30 + 7
    return year, month, place - _persian_before(month) + 1


def _check_persian(year: int) -> None:
    if year not in _PERSIAN_YEARS:
        raise ValueError(
            f"the Solar Hijri calendar is read from {_PERSIAN_YEARS[0]} to {_PERSIAN_YEARS[-1]}, not {year}"
        )


def _is_persian_leap(year: int) -> bool:
    return (25 * year + 11) % 33 < 8


def _persian_days(year: int, month: int) -> int:
    if month == 12:
        return 29 + _is_persian_leap(year)
    return 31 if month <= 6 else 30


def _persian_before(month: int) -> int:
    return 31 * (month - 1) if month <= 6 else 186 + 30 * (month - 7)


@cache
def _nowruz(year: int) -> int:
    """Return the ordinal of the first day of a year."""
    if year == 1400:
        return _NOWRUZ_1400.toordinal()
    if year > 1400:
        return _nowruz(year - 1) + 365 + _is_persian_leap(year - 1)
    return _nowruz(year + 1) - 365 - _is_persian_leap(year)


def _gregorian(year: int, month: int, day: int) -> date:
    return date(year, month, day)


def _check(name: str, year: int, month: int, day: int, months: int, days: int) -> None:
    if year < 1 or not 1 <= month <= months:
        raise ValueError(f"the {name} calendar has no month {month} in {year}")
    if not 1 <= day <= days:
        raise ValueError(f"month {month} of {year} has {days} days in the {name} calendar, not {day}")


CALENDARS: Mapping[str, Rules] = {
    "gregorian": Rules(
        name="Gregorian", to_gregorian=_gregorian, from_gregorian=lambda day: (day.year, day.month, day.day)
    ),
    "ethiopian": Rules(name="Ethiopian", to_gregorian=_ethiopian, from_gregorian=_to_ethiopian),
    "persian": Rules(name="Solar Hijri", to_gregorian=_persian, from_gregorian=_to_persian),
}
