"""The windows of a TumblingWindowTrigger as its properties mean them (rule 107)."""

from calendar import monthrange
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from manara.errors import WrongDefinition
from manara.resources.recurrence import instant, whole
from manara.resources.timespan import read_timespan

FREQUENCIES = ("Minute", "Hour", "Month")
_UNITS = {"Minute": timedelta(minutes=1), "Hour": timedelta(hours=1)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Windows that follow each other without a gap, from `start` on; numbered from 0."""

    frequency: str
    interval: int
    start: datetime
    end: datetime | None = None

    def at(self, number: int) -> datetime:
        """Return where a window begins, and the one before it ends. A month that is too short ends on its last day."""
        if self.frequency != "Month":
            return self.start + number * self.interval * _UNITS[self.frequency]
        year, month = divmod(self.start.year * 12 + self.start.month - 1 + number * self.interval, 12)
        return self.start.replace(year=year, month=month + 1, day=min(self.start.day, monthrange(year, month + 1)[1]))

    def number_from(self, moment: datetime) -> int:
        """Return the number of the first window that begins at a moment or after it."""
        if moment <= self.start:
            return 0
        if self.frequency != "Month":
            return -((self.start - moment) // (self.interval * _UNITS[self.frequency]))
        passed = (moment.year - self.start.year) * 12 + moment.month - self.start.month
        number = passed // self.interval
        return number if self.at(number) >= moment else number + 1

    def has(self, number: int) -> bool:
        """Say whether there is a window of a number: it begins at the start or later, and ends by the end."""
        return number >= 0 and (self.end is None or self.at(number + 1) <= self.end)

    def touching(self, since: datetime, until: datetime) -> Iterator[datetime]:
        """Yield where the windows begin that share time with a span."""
        number = self.number_from(since)
        if number and self.at(number) > since:
            number -= 1
        while self.has(number) and self.at(number) < until:
            yield self.at(number)
            number += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """What a window waits for: windows of a trigger in a span beside it. `trigger` is empty for the trigger itself.

    `size` is None where it is that of the window.
    """

    trigger: str
    offset: timedelta
    size: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tumbling:
    """All that a TumblingWindowTrigger says."""

    windows: Windows
    delay: timedelta
    max_concurrency: int
    retries: int
    retry_interval: timedelta
    depends_on: tuple[Dependency, ...]


def read_tumbling(properties: Mapping[str, Any]) -> Tumbling:
    """Return what the typeProperties of a TumblingWindowTrigger mean. Raises WrongDefinition."""
    policy = _object(properties, "retryPolicy")
    seconds = whole(policy.get("intervalInSeconds", 30), "retryPolicy.intervalInSeconds", 30, 86_400)
    given = properties.get("dependsOn") or []
    if not isinstance(given, list):
        raise WrongDefinition("The trigger has a wrong dependsOn.", advice="It is an array of objects.")
    return Tumbling(
        windows=read_windows(properties),
        delay=_span(properties.get("delay"), "delay"),
        max_concurrency=whole(properties.get("maxConcurrency", 50), "maxConcurrency", 1, 50),
        retries=whole(policy.get("count", 0), "retryPolicy.count", 0, 1_000_000),
        retry_interval=timedelta(seconds=seconds),
        depends_on=tuple(_dependency(each) for each in given),
    )


def read_windows(properties: Mapping[str, Any]) -> Windows:
    """Return the windows alone."""
    known = {each.lower(): each for each in FREQUENCIES}
    frequency = known.get(str(properties.get("frequency")).lower())
    if frequency is None:
        raise WrongDefinition(
            f"The trigger has a wrong frequency: {properties.get('frequency')!r}.",
            advice=f"The windows of a tumbling window trigger count in {', '.join(FREQUENCIES)}.",
        )
    if not properties.get("startTime"):
        raise WrongDefinition(
            "The trigger has no startTime.", advice="Give the moment at which its first window begins."
        )
    end = properties.get("endTime")
    return Windows(
        frequency=frequency,
        interval=whole(properties.get("interval"), "interval", 1, 1_000_000),
        start=instant(properties["startTime"], UTC, "startTime"),
        end=instant(end, UTC, "endTime") if end else None,
    )


def _dependency(given: Any) -> Dependency:
    if not isinstance(given, Mapping):
        raise WrongDefinition("The trigger has a wrong dependsOn.", advice="It is an array of objects.")
    is_self = str(given.get("type", "")).startswith("SelfDependency")
    name = str(_object(given, "referenceTrigger").get("referenceName") or "")
    offset = _span(given.get("offset"), "dependsOn.offset")
    if is_self and offset >= timedelta(0):
        raise WrongDefinition(
            "A trigger that waits for itself has a wrong offset.", advice="Look back: give one such as -01:00:00."
        )
    if not is_self and not name:
        raise WrongDefinition("A dependency names no trigger.", advice="Give referenceTrigger.referenceName.")
    size = _span(given["size"], "dependsOn.size") if given.get("size") else None
    if size is not None and size <= timedelta(0):
        raise WrongDefinition("The size of a dependency is not above zero.", advice="Give one such as 01:00:00.")
    return Dependency(trigger="" if is_self else name, offset=offset, size=size)


def _span(value: Any, name: str) -> timedelta:
    """Return a length of time that may stand below zero."""
    text = str(value).strip() if value is not None else None
    try:
        if text and text.startswith("-"):
            return -read_timespan(text[1:], timedelta(0))
        return read_timespan(text, timedelta(0))
    except WrongDefinition as error:
        raise WrongDefinition(f"The trigger has a wrong {name}: {error}") from error


def _object(properties: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = properties.get(name) or {}
    if not isinstance(value, Mapping):
        raise WrongDefinition(f"The trigger has a wrong {name}.", advice="It is an object.")
    return value
