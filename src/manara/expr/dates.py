"""Date functions."""

from datetime import date

from manara import clock
from manara.expr.dotnet_date import format_moment, parse_exact
from manara.expr.moment import (
    TICKS_PER_DAY,
    TICKS_PER_HOUR,
    TICKS_PER_MINUTE,
    TICKS_PER_SECOND,
    Moment,
    at,
    of_datetime,
    read,
)
from manara.expr.table import Unfit, function
from manara.expr.text import check_english

_TICKS = {
    "second": TICKS_PER_SECOND,
    "minute": TICKS_PER_MINUTE,
    "hour": TICKS_PER_HOUR,
    "day": TICKS_PER_DAY,
    "week": 7 * TICKS_PER_DAY,
}
_MONTHS = {"month": 1, "year": 12}


@function("Date")
def utc_now(format_: str = "o") -> str:
    """Return the present moment in UTC."""
    return format_moment(_now(), format_)


@function("Date")
def add_days(timestamp: str, days: int, format_: str = "o") -> str:
    """Return the timestamp so many days later."""
    return format_moment(read(timestamp).plus(days * TICKS_PER_DAY), format_)


@function("Date")
def add_hours(timestamp: str, hours: int, format_: str = "o") -> str:
    """Return the timestamp so many hours later."""
    return format_moment(read(timestamp).plus(hours * TICKS_PER_HOUR), format_)


@function("Date")
def add_minutes(timestamp: str, minutes: int, format_: str = "o") -> str:
    """Return the timestamp so many minutes later."""
    return format_moment(read(timestamp).plus(minutes * TICKS_PER_MINUTE), format_)


@function("Date")
def add_seconds(timestamp: str, seconds: int, format_: str = "o") -> str:
    """Return the timestamp so many seconds later."""
    return format_moment(read(timestamp).plus(seconds * TICKS_PER_SECOND), format_)


@function("Date")
def add_to_time(timestamp: str, interval: int, time_unit: str, format_: str = "o") -> str:
    """Return the timestamp so many units (Second to Year) later; 31 January and a month is 28 February."""
    return format_moment(_later(read(timestamp), interval, time_unit), format_)


@function("Date")
def subtract_from_time(timestamp: str, interval: int, time_unit: str, format_: str = "o") -> str:
    """Return the timestamp so many units (Second to Year) earlier."""
    return format_moment(_later(read(timestamp), -interval, time_unit), format_)


@function("Date")
def get_future_time(interval: int, time_unit: str, format_: str = "o") -> str:
    """Return the present moment in UTC and so many units (Second to Year) later."""
    return format_moment(_later(_now(), interval, time_unit), format_)


@function("Date")
def get_past_time(interval: int, time_unit: str, format_: str = "o") -> str:
    """Return the present moment in UTC and so many units (Second to Year) earlier."""
    return format_moment(_later(_now(), -interval, time_unit), format_)


@function("Date")
def convert_from_utc(timestamp: str, destination_time_zone: str, format_: str = "o") -> str:
    """Return what the clocks of a zone show at a timestamp in UTC."""
    return format_moment(_from_utc(read(timestamp), destination_time_zone), format_)


@function("Date")
def convert_to_utc(timestamp: str, source_time_zone: str, format_: str = "o") -> str:
    """Return the moment in UTC at which the clocks of a zone show a timestamp."""
    return format_moment(_to_utc(read(timestamp), source_time_zone), format_)


@function("Date")
def convert_time_zone(timestamp: str, source_time_zone: str, destination_time_zone: str, format_: str = "o") -> str:
    """Return what the clocks of one zone show when those of another show a timestamp."""
    return format_moment(_from_utc(_to_utc(read(timestamp), source_time_zone), destination_time_zone), format_)


@function("Date")
def day_of_month(timestamp: str) -> int:
    """Return the day of the month, from 1."""
    return read(timestamp).fields().day.day


@function("Date")
def day_of_week(timestamp: str) -> int:
    """Return the day of the week, from 0 for Sunday."""
    return read(timestamp).fields().day.isoweekday() % 7


@function("Date")
def day_of_year(timestamp: str) -> int:
    """Return the day of the year, from 1."""
    return read(timestamp).fields().day.timetuple().tm_yday


@function("Date")
def format_date_time(timestamp: str, format_: str = "o", locale: str = "en-us") -> str:
    """Return the timestamp in a .NET format, such as `yyyy-MM-dd` or `D`; the locale is English."""
    check_english(locale)
    return format_moment(read(timestamp), format_)


@function("Date")
def start_of_day(timestamp: str, format_: str = "o") -> str:
    """Return the midnight before the timestamp."""
    return _floored(read(timestamp), TICKS_PER_DAY, format_)


@function("Date")
def start_of_hour(timestamp: str, format_: str = "o") -> str:
    """Return the full hour before the timestamp."""
    return _floored(read(timestamp), TICKS_PER_HOUR, format_)


@function("Date")
def start_of_month(timestamp: str, format_: str = "o") -> str:
    """Return the first midnight of the month."""
    moment = read(timestamp)
    return format_moment(at(moment.fields().day.replace(day=1), 0, 0, 0, 0, moment.mark), format_)


@function("Date")
def ticks(timestamp: str) -> int:
    """Return the steps of 100 nanoseconds since the start of the year 1."""
    return read(timestamp).ticks


@function("Date", documented=False)
def date_difference(start_date: str, end_date: str) -> str:
    """Return the time from one timestamp to another as days, hours, minutes and seconds (`1.00:00:00`)."""
    difference = read(end_date).ticks - read(start_date).ticks
    days, rest = divmod(abs(difference), TICKS_PER_DAY)
    seconds, fraction = divmod(rest, TICKS_PER_SECOND)
    whole = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{'-' if difference < 0 else ''}{f'{days}.' if days else ''}{whole}{f'.{fraction:07d}' if fraction else ''}"


@function("Date", documented=False)
def parse_date_time(text: str, locale: str = "en-us", format_: str = "") -> str:
    """Return the timestamp that a text holds, read in a .NET format where one is given; the locale is English."""
    check_english(locale)
    return format_moment(parse_exact(text, format_) if format_ else read(text), "o")


def _now() -> Moment:
    return of_datetime(clock.now())


def _floored(moment: Moment, ticks: int, format_: str) -> str:
    return format_moment(moment.plus(-(moment.ticks % ticks)), format_)


def _later(moment: Moment, interval: int, time_unit: str) -> Moment:
    unit = time_unit.lower()
    if unit in _TICKS:
        return moment.plus(interval * _TICKS[unit])
    if unit in _MONTHS:
        return _months_later(moment, interval * _MONTHS[unit])
    known = ", ".join(name.capitalize() for name in (*_TICKS, *_MONTHS))
    raise Unfit(f"The unit of time is one of {known}, not '{time_unit}'.")


def _months_later(moment: Moment, months: int) -> Moment:
    fields = moment.fields()
    year, month = divmod(fields.day.year * 12 + fields.day.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise Unfit("The result lies outside of the years 1 to 9999.")
    first = date(year, month + 1, 1)
    last = 31 if month == 11 else (date(year, month + 2, 1) - first).days
    day = first.replace(day=min(fields.day.day, last))
    return at(day, 0, 0, 0, 0, moment.mark).plus(moment.of_day)


def _from_utc(moment: Moment, zone: str) -> Moment:
    from manara.expr import zones  # noqa: PLC0415  the tables of zones cost time to load, and few need them

    return zones.from_utc(moment, zone)


def _to_utc(moment: Moment, zone: str) -> Moment:
    from manara.expr import zones  # noqa: PLC0415

    return zones.to_utc(moment, zone)
