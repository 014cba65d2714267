"""Time zones by their Windows and IANA names."""

from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from tzlocal.windows_tz import win_tz

from manara.expr.moment import TICKS_PER_SECOND, Moment
from manara.expr.table import Unfit, nearest

_IANA = {name.lower(): iana for name, iana in win_tz.items()}


@lru_cache(maxsize=512)
def zone(name: str) -> ZoneInfo:
    """Return the zone of a Windows name (`Romance Standard Time`) or an IANA name (`Europe/Paris`)."""
    try:
        return ZoneInfo(_IANA.get(name.strip().lower(), name.strip()))
    except (KeyError, ValueError, OSError):  # unknown; no name at all; the folder of a region
        advice = nearest(name, sorted(win_tz))
        raise Unfit(f"There is no time zone '{name}'. {advice} IANA names (Europe/Paris) go too.") from None


def from_utc(moment: Moment, name: str) -> Moment:
    """Return what the clock of the zone shows at a moment in UTC; without a mark."""
    offset = _whole_seconds(moment, UTC).astimezone(zone(name)).utcoffset()
    return Moment(moment.plus(_ticks(offset)).ticks, "")


def to_utc(moment: Moment, name: str) -> Moment:
    """Return the moment in UTC at which the clock of the zone shows this.

    An hour that a clock shows twice counts as the later one (standard time); one that it never shows is refused, and
    so is a moment that says by its mark to be in UTC while the zone is another one.
    """
    there = zone(name)
    local = _whole_seconds(moment, there).replace(fold=1)
    if moment.mark and local.utcoffset() != timedelta(0):
        raise Unfit(f"The timestamp is in UTC by its mark '{moment.mark}'; the source zone '{name}' says otherwise.")
    back = local.astimezone(UTC).astimezone(there)
    if back.replace(tzinfo=None) != local.replace(tzinfo=None):
        raise Unfit(f"The clocks of '{name}' never showed that time: they were put forward over it.")
    return Moment(moment.plus(-_ticks(local.utcoffset())).ticks, "Z")


def _whole_seconds(moment: Moment, there: tzinfo) -> datetime:
    fields = moment.fields()
    return datetime(
        fields.day.year, fields.day.month, fields.day.day, fields.hour, fields.minute, fields.second, tzinfo=there
    )


def _ticks(offset: timedelta | None) -> int:
    return round((offset or timedelta(0)).total_seconds()) * TICKS_PER_SECOND
