"""The moments of schedules, against ADF's own examples and against a clock that is watched minute by minute."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from time import perf_counter
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from manara.errors import WrongDefinition
from manara.runtime.triggers.recurrence import moments

YEAR = datetime(2026, 1, 1, tzinfo=UTC)
START = "2026-01-01T12:25:00"

TABLE: list[tuple[str, dict[str, Any], list[str]]] = [
    ("every quarter of an hour", {"frequency": "Minute", "interval": 15}, ["01 12:40", "01 12:55", "01 13:10"]),
    ("every third hour", {"frequency": "Hour", "interval": 3}, ["01 15:25", "01 18:25", "01 21:25"]),
    ("minutes of every hour", {"frequency": "Hour", "schedule": {"minutes": [15, 45]}}, ["01 12:45", "01 13:15"]),
    ("every second day", {"frequency": "Day", "interval": 2}, ["03 12:25", "05 12:25"]),
    ("an hour takes the minute of the start", {"frequency": "Day", "schedule": {"hours": [5]}}, ["02 05:25"]),
    (
        "minutes take the hour of the start",
        {"frequency": "Day", "schedule": {"minutes": [50]}},
        ["01 12:50", "02 12:50"],
    ),
    (
        "hours by minutes",
        {"frequency": "Day", "schedule": {"hours": [5, 17], "minutes": [15, 45]}},
        ["01 17:15", "01 17:45", "02 05:15"],
    ),
    ("a week takes the day of the start", {"frequency": "Week"}, ["08 12:25", "15 12:25"]),
    (
        "days of the week",
        {"frequency": "Week", "schedule": {"weekDays": ["Tuesday", "saturday"], "hours": [17], "minutes": [0]}},
        ["03 17:00", "06 17:00", "10 17:00"],
    ),
    (
        "every second week counts from the day of the start",
        {"frequency": "Week", "interval": 2, "schedule": {"weekDays": ["Wednesday", "Friday"]}},
        ["02 12:25", "07 12:25", "16 12:25", "21 12:25"],
    ),
    ("a day of the month", {"frequency": "Month", "schedule": {"monthDays": [28, 3]}}, ["03 12:25", "28 12:25"]),
    (
        "the last days of the month",
        {"frequency": "Month", "schedule": {"monthDays": [-1, -2]}},
        ["30 12:25", "31 12:25"],
    ),
    (
        "the third Friday and the last Monday",
        {
            "frequency": "Month",
            "schedule": {
                "monthlyOccurrences": [{"day": "Friday", "occurrence": 3}, {"day": "Monday", "occurrence": -1}],
            },
        },
        ["16 12:25", "26 12:25"],
    ),
    (
        "every Friday of a month",
        {"frequency": "Month", "schedule": {"monthlyOccurrences": [{"day": "Friday"}]}},
        ["02 12:25", "09 12:25", "16 12:25"],
    ),
]


@pytest.mark.parametrize(("recurrence", "wanted"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_a_schedule_has_its_moments(recurrence: dict[str, Any], wanted: list[str]) -> None:
    found = islice(moments({"startTime": START, **recurrence}, datetime(2026, 1, 1, 12, 25, tzinfo=UTC)), len(wanted))
    assert [f"{moment:%d %H:%M}" for moment in found] == wanted


def test_the_start_itself_is_a_moment_and_none_is_before_it() -> None:
    found = moments({"frequency": "Day", "startTime": START}, YEAR - timedelta(days=90))
    assert next(found) == datetime(2026, 1, 1, 12, 25, tzinfo=UTC)


def test_the_end_is_the_last_moment_that_can_be() -> None:
    found = moments({"frequency": "Day", "startTime": START, "endTime": "2026-01-03T12:25:00Z"}, YEAR)
    assert [moment.day for moment in found] == [1, 2, 3]


def test_a_month_without_the_day_is_left_out() -> None:
    found = moments({"frequency": "Month", "startTime": "2026-01-31T08:00:00"}, YEAR)
    assert [moment.month for moment in islice(found, 4)] == [1, 3, 5, 7]


def test_a_year_that_has_no_29th_of_february_is_left_out() -> None:
    found = moments({"frequency": "Year", "startTime": "2024-02-29T08:00:00"}, YEAR)
    assert [moment.year for moment in islice(found, 2)] == [2028, 2032]


def test_a_start_with_an_offset_is_that_moment() -> None:
    found = moments(
        {"frequency": "Day", "startTime": "2026-01-01T12:25:00+02:00", "timeZone": "Tokyo Standard Time"}, YEAR
    )
    assert next(found) == datetime(2026, 1, 1, 10, 25, tzinfo=UTC)


@pytest.mark.parametrize(
    "schedule",
    [
        {"frequency": "Month", "interval": 12, "startTime": "2026-02-01T00:00:00", "schedule": {"monthDays": [30]}},
        {"frequency": "Minute", "interval": 2, "startTime": START, "schedule": {"minutes": [0]}},
        {"frequency": "Hour", "interval": 24, "startTime": START, "schedule": {"hours": [3]}},
        {"frequency": "Day", "interval": 7, "startTime": START, "schedule": {"weekDays": ["Monday"]}},
        {"frequency": "Week", "interval": 1_000_000, "startTime": START},
    ],
)
def test_a_schedule_that_never_comes_true_ends(schedule: dict[str, Any]) -> None:
    started = perf_counter()
    assert list(islice(moments(schedule, YEAR + timedelta(days=1)), 1)) == []
    assert perf_counter() - started < 2


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("frequency", {"frequency": "Fortnight"}),
        ("interval", {"interval": 0}),
        ("interval", {"interval": 1.5}),
        ("timeZone", {"timeZone": "Moon Standard Time"}),
        ("startTime", {"startTime": "tomorrow"}),
        ("hours", {"schedule": {"hours": [24]}}),
        ("weekDays", {"schedule": {"weekDays": ["Someday"]}}),
        ("monthDays", {"schedule": {"monthDays": [0]}}),
        ("occurrence", {"schedule": {"monthlyOccurrences": [{"day": "Monday", "occurrence": 6}]}}),
        ("minutes", {"schedule": {"minutes": 5}}),
    ],
)
def test_a_wrong_value_is_named(name: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(WrongDefinition, match=name):
        next(moments({"frequency": "Day", **wrong}, YEAR))


def test_a_year_of_minutes_takes_less_than_a_second() -> None:
    started = perf_counter()
    hourly = {
        "frequency": "Hour",
        "startTime": START,
        "timeZone": "Romance Standard Time",
        "schedule": {"minutes": [7]},
    }
    assert sum(1 for _ in within_year(hourly)) == 365 * 24 - 12
    assert perf_counter() - started < 1


ZONES = ["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Santiago", "Africa/Cairo"]


@pytest.mark.parametrize("name", ZONES)
def test_a_year_of_days_is_what_a_watched_clock_shows(name: str) -> None:
    plain = {"startTime": "2026-01-01T00:00:00", "timeZone": name}
    times = {"hours": [0, 1, 2, 3, 23], "minutes": [0, 30, 59]}
    day_and_week = {**plain, "frequency": "Week", "schedule": {**times, "weekDays": ["Friday", "Sunday"]}}
    month = {**plain, "frequency": "Month", "schedule": {**times, "monthDays": [-1, 5, 25]}}

    def of_times(local: datetime) -> bool:
        return local.hour in times["hours"] and local.minute in times["minutes"]

    def of_month(local: datetime) -> bool:
        return of_times(local) and (local.day in (5, 25) or (local + timedelta(days=1)).day == 1)

    assert list(within_year({**plain, "frequency": "Day", "schedule": times})) == watched(name, of_times)
    assert list(within_year(day_and_week)) == watched(name, lambda at: of_times(at) and at.weekday() in (4, 6))
    assert list(within_year(month)) == watched(name, of_month)


@pytest.mark.parametrize("name", ZONES)
def test_hours_pass_through_a_change_of_the_clocks(name: str) -> None:
    start = datetime(2026, 1, 1, 2, 0, tzinfo=ZoneInfo(name)).astimezone(UTC)
    every = {"frequency": "Hour", "interval": 5, "startTime": "2026-01-01T02:00:00", "timeZone": name}
    wanted = [start + timedelta(hours=5 * number) for number in range(1800)]
    assert list(within_year(every)) == [at for at in wanted if YEAR < at < YEAR.replace(year=2027)]


def test_asking_later_gives_the_rest_of_the_same_moments() -> None:
    each = {"frequency": "Day", "interval": 3, "startTime": START, "timeZone": "Romance Standard Time"}
    whole = list(within_year(each))
    for number in range(0, len(whole), 7):
        assert next(moments(each, whole[number])) == whole[number + 1]


def within_year(recurrence: dict[str, Any]) -> Iterator[datetime]:
    for moment in moments(recurrence, YEAR):
        if moment >= YEAR.replace(year=2027):
            return
        yield moment


def watched(name: str, wanted: Callable[[datetime], bool]) -> list[datetime]:
    """What a clock shows, looked at every minute: what it skips comes late, what it repeats comes once."""
    there = ZoneInfo(name)
    began = datetime(2026, 1, 1, tzinfo=there).astimezone(UTC)
    at = began - timedelta(days=1)
    shown = at.astimezone(there).replace(tzinfo=None)
    found: set[datetime] = set()
    highest = shown
    while at < YEAR.replace(year=2027):
        at += timedelta(minutes=1)
        before, shown = shown, at.astimezone(there).replace(tzinfo=None)
        if shown > highest and wanted(shown):
            found.add(at)
        skipped = before + timedelta(minutes=1)
        while skipped < shown:
            if wanted(skipped):
                found.add(at + (skipped - before) - timedelta(minutes=1))
            skipped += timedelta(minutes=1)
        highest = max(highest, shown)
    return sorted(each for each in found if max(YEAR + timedelta(seconds=1), began) <= each < YEAR.replace(year=2027))
