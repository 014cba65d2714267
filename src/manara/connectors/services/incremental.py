"""Reading only what has changed: from the service's own time at the last good run, less an overlap."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from manara.errors import WrongDefinition
from manara.resources.timespan import read_timespan

OVERLAP = timedelta(days=1)
"""What is read again where the source names no `overlap`: rows that were still being saved when the last run read."""

_UNTIL, _FULL = "until", "full"
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 # a service's own time


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What an incremental read asks for: changes `since` a time (None: everything), and the cursor it leaves.

    All times are of the service's own clock on its wall, so that neither this machine's clock nor a time zone shifts
    the window.
    """

    since: datetime | None
    until: datetime
    full: datetime

    @property
    def cursor(self) -> dict[str, str]:
        """What the next run is given: until when all changes are known, and when everything was read last."""
        return {name: at.isoformat(timespec="milliseconds") for name, at in ((_UNTIL, self.until), (_FULL, self.full))}


def is_incremental(settings: Mapping[str, Any]) -> bool:
    """Return whether the source says `"incremental": true`."""
    return str(settings.get("incremental", False)).lower() == "true"


def window(settings: Mapping[str, Any], cursor: Any, now: datetime) -> Window:
    """Return the window from the last run's cursor to `now`, the service's time before anything is read.

    Everything is read at the first run, and again when `fullEvery` has passed since: that finds what changed without
    leaving a trace in its time. Raises WrongDefinition for an `overlap` that is no length of time, and for a cursor
    that is none of ours.
    """
    overlap = read_timespan(settings.get("overlap"), OVERLAP)
    every = read_timespan(settings.get("fullEvery"), timedelta.max)
    if cursor is None:
        return Window(since=None, until=now, full=now)
    told = {_UNTIL: cursor} if isinstance(cursor, str) else cursor  # a date that a person has set
    try:
        told = {_FULL: told[_UNTIL], **told}
        until, full = (datetime.fromisoformat(told[name]).replace(tzinfo=None) for name in (_UNTIL, _FULL))
    except (TypeError, KeyError, ValueError):
        raise WrongDefinition(
            f"The cursor {str(cursor)[:80]} of the last run is none that this source has left.",
            advice="Reset the cursor, so that everything is read again.",
        ) from None
    if now - full >= every:
        return Window(since=None, until=max(now, until), full=now)
    since = until - overlap if overlap < until - _EPOCH else _EPOCH
    return Window(since=since, until=max(now, until), full=full)
