"""The moments of a ScheduleTrigger: what its recurrence says, in the clock of its time zone (rule 106)."""

from calendar import monthrange
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from heapq import heappop, heappush
from typing import Any

from manara.resources.recurrence import Recurrence, in_utc, read

_MISSES = 2 * 7 * 24 * 60
"""So many turns of an interval that bring nothing mean that nothing will come: minutes repeat after a week, months
after 400 years."""
_LONGEST_SHIFT = timedelta(hours=25)
_LAST_YEAR = 9990


def moments(recurrence: Mapping[str, Any], after: datetime) -> Iterator[datetime]:
    """Yield the moments of a recurrence that lie after one, in order, in UTC.

    Intervals count from `startTime`; without one, from `after`. Minutes and hours count as they pass, so they go on
    through a change of the clocks. A time of day that the clock skips comes as much later as the clock was put
    forward; one that the clock shows twice comes the first time only. A schedule that never comes true yields
    nothing. Raises WrongDefinition for values that no recurrence has.
    """
    plan = read(recurrence, after)
    found = _passing(plan, after) if plan.frequency in ("Minute", "Hour") else _in_order(_calendar(plan, after))
    last = None
    for moment in found:
        if plan.end is not None and moment > plan.end:
            return
        if moment > after and moment >= plan.start and moment != last:
            yield moment
            last = moment


def _passing(plan: Recurrence, after: datetime) -> Iterator[datetime]:
    """Yield moments of minutes or hours: they count as they pass."""
    unit = timedelta(minutes=1) if plan.frequency == "Minute" else timedelta(hours=1)
    step = unit * plan.interval
    spread = plan.minutes if plan.frequency == "Hour" else ()
    first = plan.start - timedelta(minutes=plan.local.minute) if spread else plan.start
    at = first + step * max(0, (after - first) // step - 1)
    misses = 0
    while misses < _MISSES and at.year < _LAST_YEAR:
        found = sorted(_within_hour(at, plan)) if spread else [at]
        kept = [each for each in found if _fits(each, plan)]
        yield from kept
        misses = 0 if kept else misses + 1
        at += step


def _within_hour(at: datetime, plan: Recurrence) -> Iterator[datetime]:
    shown = at.astimezone(plan.zone).minute
    for minute in plan.minutes:
        yield at + timedelta(minutes=(minute - shown) % 60)


def _fits(moment: datetime, plan: Recurrence) -> bool:
    """Say whether the schedule lets a moment of minutes or hours be: it only leaves out."""
    local = moment.astimezone(plan.zone)
    if plan.hours and (local.hour not in plan.hours or local.fold):
        return False
    if plan.week_days and local.weekday() not in plan.week_days:
        return False
    return plan.frequency != "Minute" or not plan.minutes or local.minute in plan.minutes


def _calendar(plan: Recurrence, after: datetime) -> Iterator[datetime]:
    """Yield moments of days and longer, in the order of the local clock."""
    start = plan.local
    times = [
        time(hour, minute, start.second)
        for hour in plan.hours or [start.hour]
        for minute in plan.minutes or [start.minute]
    ]
    for day in _days(plan, (max(after, plan.start) - 2 * _LONGEST_SHIFT).astimezone(plan.zone).date()):
        for each in times:
            yield in_utc(datetime.combine(day, each), plan.zone)


def _days(plan: Recurrence, since: date) -> Iterator[date]:
    """Yield the days of the calendar at which something comes, from one on."""
    turns = _months(plan, since) if plan.frequency in ("Month", "Year") else _weeks(plan, since)
    misses = 0
    for days in turns:
        kept = [day for day in days if day >= since]
        yield from kept
        misses = 0 if days else misses + 1
        if misses > _MISSES:
            return


def _weeks(plan: Recurrence, since: date) -> Iterator[list[date]]:
    """Yield the days of each turn of days or weeks; a week is seven days from the day of the start."""
    start = plan.local.date()
    length = 7 if plan.frequency == "Week" else 1
    wanted = plan.week_days or ([start.weekday()] if plan.frequency == "Week" else range(7))
    turn = max(0, (since - start).days // (length * plan.interval))
    while True:
        try:
            first = start + timedelta(days=turn * length * plan.interval)
            days = [first + timedelta(days=number) for number in range(length)]
        except OverflowError:
            return
        if first.year >= _LAST_YEAR:
            return
        yield [day for day in days if day.weekday() in wanted]
        turn += 1


def _months(plan: Recurrence, since: date) -> Iterator[list[date]]:
    """Yield the days of each turn of months or years."""
    start = plan.local
    step = plan.interval * (12 if plan.frequency == "Year" else 1)
    first = start.year * 12 + start.month - 1
    turn = max(0, (since.year * 12 + since.month - 1 - first) // step)
    while (first + turn * step) // 12 < _LAST_YEAR:
        year, month = divmod(first + turn * step, 12)
        yield sorted(set(_days_of_month(plan, year, month + 1, start.day)))
        turn += 1


def _days_of_month(plan: Recurrence, year: int, month: int, usual: int) -> Iterator[date]:
    last = monthrange(year, month)[1]
    named = bool(plan.week_days or plan.occurrences)
    for number in plan.month_days or (() if named else (usual,)):
        day = number if number > 0 else last + 1 + number
        if 1 <= day <= last:
            yield date(year, month, day)
    for weekday, occurrence in [*plan.occurrences, *((day, 0) for day in plan.week_days)]:
        days = [date(year, month, day) for day in range(1, last + 1) if date(year, month, day).weekday() == weekday]
        if not occurrence:
            yield from days
        elif abs(occurrence) <= len(days):
            yield days[occurrence - 1 if occurrence > 0 else occurrence]


def _in_order(found: Iterator[datetime]) -> Iterator[datetime]:
    """Yield moments in order, where a skipped time of day has moved one behind others."""
    held: list[datetime] = []
    for moment in found:
        heappush(held, moment)
        while held[0] < moment - _LONGEST_SHIFT:
            yield heappop(held)
    while held:
        yield heappop(held)
