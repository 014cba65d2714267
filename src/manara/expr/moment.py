"""Moments as the language keeps them: ticks of 100 ns since the year 1, and the zone mark that they print."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from manara.expr.table import Unfit

TICKS_PER_SECOND = 10_000_000
TICKS_PER_MINUTE = 60 * TICKS_PER_SECOND
TICKS_PER_HOUR = 60 * TICKS_PER_MINUTE
TICKS_PER_DAY = 24 * TICKS_PER_HOUR
MAX_TICKS = date.max.toordinal() * TICKS_PER_DAY - 1

UTC_MARK = "Z"
CONVERTED_MARK = "+00:00"

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")

_TIME = r"""(?:[T\s]\s*(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,20}))?)?
            (?:\s*(?P<half>[AP]M))?)?
            \s*(?P<zone>Z|GMT|UTC|[+-]\d{1,2}(?::?\d{2})?)?"""
_FORMS = tuple(
    form + _TIME
    for form in (
        r"(?P<year>\d{4})(?P<mark>[-/])(?P<month>\d{1,2})(?:(?P=mark)(?P<day>\d{1,2}))?",
        r"(?P<month>\d{1,2})(?P<mark>[-/])(?P<day>\d{1,2})(?P=mark)(?P<year>\d{4})",
        r"(?:[a-z]{3},\s*)?(?P<day>\d{1,2})\s+(?P<name>[a-z]{3})\s+(?P<year>\d{4})",
    )
)


@dataclass(frozen=True, slots=True)
class Moment:
    """A point of time. `mark` is `Z` for UTC, empty where no zone is known, `+00:00` where one was converted."""

    ticks: int
    mark: str

    def plus(self, ticks: int) -> "Moment":
        """Return the moment so much later; raises Unfit outside of the years 1 to 9999."""
        if not 0 <= self.ticks + ticks <= MAX_TICKS:
            raise Unfit("The result lies outside of the years 1 to 9999.")
        return Moment(self.ticks + ticks, self.mark)

    def fields(self) -> "Fields":
        days, rest = divmod(self.ticks, TICKS_PER_DAY)
        day = date.fromordinal(days + 1)
        seconds, fraction = divmod(rest, TICKS_PER_SECOND)
        return Fields(day, seconds // 3600, seconds // 60 % 60, seconds % 60, fraction)

    @property
    def of_day(self) -> int:
        """The ticks since midnight."""
        return self.ticks % TICKS_PER_DAY


class Fields(NamedTuple):
    """A moment on the calendar and the clock; `fraction` counts ticks."""

    day: date
    hour: int
    minute: int
    second: int
    fraction: int


def of_datetime(moment: datetime) -> Moment:
    """Return the moment of an aware datetime in UTC."""
    return at(moment.date(), moment.hour, moment.minute, moment.second, moment.microsecond * 10, UTC_MARK)


def at(day: date, hour: int, minute: int, second: int, fraction: int, mark: str) -> Moment:
    """Return the moment with these fields; `fraction` counts ticks."""
    seconds = (day.toordinal() - 1) * 86_400 + hour * 3600 + minute * 60 + second
    return Moment(seconds * TICKS_PER_SECOND + fraction, mark)


def read(text: str) -> Moment:
    """Return the moment that a text names: ISO 8601, `MM/dd/yyyy HH:mm:ss`, or the form of HTTP headers.

    A text with an offset is converted to UTC. Raises Unfit for all others, and for days that do not exist.
    """
    for form in _FORMS:
        if found := re.fullmatch(form, text.strip(), re.VERBOSE | re.IGNORECASE | re.ASCII):
            return _of_match(text, found)
    raise Unfit(f"'{text[:60]}' is no timestamp: ISO 8601 is read (2018-03-15T13:00:00Z), and MM/dd/yyyy HH:mm:ss.")


def _of_match(text: str, found: re.Match[str]) -> Moment:
    part = found.groupdict()
    month = month_of(part["name"]) if part.get("name") else int(part["month"])
    hour, minute, second = (int(part[name] or 0) for name in ("hour", "minute", "second"))
    if part["half"]:
        hour = hour_of_half(hour, part["half"].upper())
    try:
        day = date(int(part["year"]), month, int(part["day"] or 1))
    except ValueError:
        raise Unfit(f"'{text[:60]}' is no day of the calendar (the month stands before the day).") from None
    if hour > 23 or minute > 59 or second > 59:
        raise Unfit(f"'{text[:60]}' is no time of the day.")
    moment = at(day, hour, minute, second, 0, "").plus(fraction_ticks(part["fraction"] or ""))
    return with_zone(moment, part["zone"] or "")


def with_zone(moment: Moment, zone: str) -> Moment:
    """Return the moment that the clock of a zone shows: `Z`, an offset as `+02:00`, or none."""
    if not zone:
        return moment
    if zone.upper() in ("Z", "GMT", "UTC"):
        return Moment(moment.ticks, UTC_MARK)
    digits = zone[1:].replace(":", "")
    hours, minutes = (int(digits[:-2]), int(digits[-2:])) if len(digits) > 2 else (int(digits), 0)
    if hours > 14 or minutes > 59:
        raise Unfit(f"'{zone}' is no offset of a zone.")
    offset = hours * TICKS_PER_HOUR + minutes * TICKS_PER_MINUTE
    return Moment(moment.plus(offset if zone[0] == "-" else -offset).ticks, CONVERTED_MARK)


def fraction_ticks(digits: str) -> int:
    """Return the ticks of the digits after the point of a second, rounded."""
    return round(int(digits) * TICKS_PER_SECOND / 10 ** len(digits)) if digits else 0


def hour_of_half(hour: int, half: str) -> int:
    """Return the hour of 24 for one of 12 with `AM` or `PM`."""
    if not 1 <= hour <= 12:
        raise Unfit(f"The hour {hour} does not go with {half}.")
    return hour % 12 + (12 if half.startswith("P") else 0)


def month_of(name: str) -> int:
    """Return the number of a month by its English name or the first three letters of it; 0 for another word."""
    wanted = name.lower()
    return next((at + 1 for at, month in enumerate(MONTHS) if wanted in (month.lower(), month[:3].lower())), 0)
