"""Lengths of time as ADF's JSON writes them: `d.hh:mm:ss`, in all the spellings that real files have."""

import math
import re
from datetime import timedelta

from manara.errors import WrongDefinition

_DAYS_AND_CLOCK = re.compile(
    r"(?:(?P<days>\d+)[.:](?=\d+:\d+:))?(?P<hours>\d+):(?P<minutes>\d+)(?::(?P<seconds>\d+(?:\.\d+)?))?", re.ASCII
)
_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_ADVICE = "Write days.hours:minutes:seconds, such as 0.12:00:00 or 00:30:00, or a number of seconds."


def read_timespan(text: object, default: timedelta) -> timedelta:
    """Return the length of time; `default` where nothing, or only blanks, are given.

    A number, and a text that is one, counts as seconds. Hours beyond 23 are hours, not days. Raises WrongDefinition.

    >>> str(read_timespan("7.00:00:00", timedelta())), str(read_timespan("0:30:00", timedelta()))
    ('7 days, 0:00:00', '0:30:00')
    """
    if text is None or (isinstance(text, str) and not text.strip()):
        return default
    try:
        seconds = _seconds(text)
        return timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        raise WrongDefinition(f"{str(text)[:60]!r} is no length of time.", advice=_ADVICE) from None


def _seconds(text: object) -> float:
    if isinstance(text, int | float) and not isinstance(text, bool):
        return _positive(float(text))
    words = text.strip() if isinstance(text, str) else ""
    if _NUMBER.fullmatch(words):
        return float(words)
    found = _DAYS_AND_CLOCK.fullmatch(words)
    if found is None or int(found["minutes"]) > 60 or float(found["seconds"] or 0) >= 61:
        raise ValueError(text)
    hours = int(found["days"] or 0) * 24 + int(found["hours"])
    return _positive((hours * 60 + int(found["minutes"])) * 60 + float(found["seconds"] or 0))


def _positive(seconds: float) -> float:
    if not math.isfinite(seconds) or seconds < 0:
        raise ValueError(seconds)
    return seconds
