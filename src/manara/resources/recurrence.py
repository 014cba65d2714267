"""The recurrence of a ScheduleTrigger as it is meant: its frequency, its zone, its schedule (rule 106)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from manara.errors import WrongDefinition
from manara.expr.table import Unfit
from manara.expr.zones import zone

FREQUENCIES = ("Minute", "Hour", "Day", "Week", "Month", "Year")
WEEK_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """A recurrence as it is meant: `start` and `end` in UTC, `local` the start on the clock of `zone`.

    Minutes, hours and days of the schedule are sorted; empty where the schedule does not name them.
    """

    frequency: str
    interval: int
    start: datetime
    end: datetime | None
    zone: tzinfo
    minutes: Sequence[int] = ()
    hours: Sequence[int] = ()
    week_days: Sequence[int] = ()
    month_days: Sequence[int] = ()
    occurrences: Sequence[tuple[int, int]] = ()

    @property
    def local(self) -> datetime:
        """The start on the clock of the zone."""
        return self.start.astimezone(self.zone).replace(tzinfo=None)


def read(recurrence: Mapping[str, Any], start: datetime) -> Recurrence:
    """Return what a recurrence means; `start` is its beginning where it has no `startTime`."""
    if not isinstance(recurrence, Mapping):
        raise _wrong("form", recurrence, "an object")
    frequency = _frequency(recurrence.get("frequency"))
    there = zone_of(recurrence)
    given = recurrence.get("schedule") or {}
    if not isinstance(given, Mapping):
        raise _wrong("schedule", given, "an object")
    began = instant(recurrence["startTime"], there, "startTime") if recurrence.get("startTime") else start
    days = [_week_day(each) for each in _list(given, "weekDays")]
    return Recurrence(
        frequency=frequency,
        interval=whole(recurrence.get("interval", 1), "interval", 1, 1_000_000),
        start=began.replace(microsecond=0),
        end=instant(recurrence["endTime"], there, "endTime") if recurrence.get("endTime") else None,
        zone=there,
        minutes=sorted({whole(each, "schedule.minutes", 0, 59) for each in _list(given, "minutes")}),
        hours=sorted({whole(each, "schedule.hours", 0, 23) for each in _list(given, "hours")}),
        week_days=sorted(set(days)),
        month_days=sorted({_month_day(each) for each in _list(given, "monthDays")}),
        occurrences=[_occurrence(each) for each in _list(given, "monthlyOccurrences")],
    )


def zone_of(recurrence: Mapping[str, Any]) -> tzinfo:
    """Return the time zone of a recurrence, by its Windows or IANA name; UTC where it names none."""
    name = recurrence.get("timeZone") or "UTC"
    try:
        return zone(str(name))
    except Unfit as error:
        raise WrongDefinition(f"The recurrence has a wrong timeZone: {error}") from error


def instant(value: Any, there: tzinfo, name: str) -> datetime:
    """Return the moment that a text gives: on the clock of the zone unless it says its offset."""
    try:
        moment = datetime.fromisoformat(str(value).strip())
        return moment.astimezone(UTC) if moment.tzinfo else in_utc(moment, there)
    except (ValueError, OverflowError):
        raise _wrong(name, value, "a time such as 2026-01-31T08:00:00") from None


def in_utc(local: datetime, there: tzinfo) -> datetime:
    """Return when the clock of a zone shows a time: the first of two, and the shifted one where it is skipped."""
    return local.replace(tzinfo=there, fold=0).astimezone(UTC)


def whole(value: Any, name: str, least: int, most: int) -> int:
    """Return a whole number within bounds, as a number or as text. Raises WrongDefinition."""
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = least - 1
    if isinstance(value, bool) or not least <= number <= most or str(number) != str(value).strip():
        raise _wrong(name, value, f"a whole number from {least} to {most}")
    return number


def _frequency(value: Any) -> str:
    known = {each.lower(): each for each in FREQUENCIES}
    found = known.get(str(value).lower())
    if found is None:
        raise _wrong("frequency", value, f"one of {', '.join(FREQUENCIES)}")
    return found


def _list(schedule: Mapping[str, Any], name: str) -> Sequence[Any]:
    value = schedule.get(name)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise _wrong(f"schedule.{name}", value, "an array")
    return value


def _week_day(value: Any) -> int:
    known = [day.lower() for day in WEEK_DAYS]
    if str(value).lower() not in known:
        raise _wrong("schedule.weekDays", value, f"one of {', '.join(WEEK_DAYS)}")
    return known.index(str(value).lower())


def _month_day(value: Any) -> int:
    day = whole(value, "schedule.monthDays", -31, 31)
    if day == 0:
        raise _wrong("schedule.monthDays", value, "a day from 1 to 31, or from -1 (the last) to -31")
    return day


def _occurrence(value: Any) -> tuple[int, int]:
    """Return the day of the week, and which of a month: 0 means each of them."""
    if not isinstance(value, Mapping):
        raise _wrong("schedule.monthlyOccurrences", value, "an object with day and occurrence")
    occurrence = value.get("occurrence")
    return _week_day(value.get("day")), whole(occurrence, "occurrence", -5, 5) if occurrence is not None else 0


def _wrong(name: str, value: Any, wanted: str) -> WrongDefinition:
    return WrongDefinition(f"The recurrence has a wrong {name}: {value!r}.", advice=f"It is {wanted}.")
