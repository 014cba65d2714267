"""Times, lengths of time and values as a person reads them on one line."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def moment(at: datetime | None) -> str:
    """Return a moment to the second, in UTC as the journal has it; nothing for None."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if at else ""


def length(seconds: float | None) -> str:
    """Return a length of time; nothing for None.

    >>> length(0.04), length(75), length(7300), length(200_000)
    ('40 ms', '1 min 15 s', '2 h 01 min', '2 d 07 h')
    """
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds * 1000:.0f} ms" if seconds < 0.095 else f"{seconds:.1f} s"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} min {int(seconds % 60):02d} s"
    hours = minutes // 60
    return f"{hours} h {minutes % 60:02d} min" if hours < 24 else f"{hours // 24} d {hours % 24:02d} h"


def one_line(text: str, most: int = 0) -> str:
    r"""Return the text on one line, without what a terminal would obey, cut to `most` characters where that is given.

    >>> one_line("a \n  b\x1b[2J", 6)
    'a b...'
    """
    line = "".join(each if each.isprintable() else "\ufffd" for each in " ".join(text.split()))
    return line if not most or len(line) <= most else line[: max(0, most - 3)] + "..."


def value_line(value: Any, most: int = 120) -> str:
    """Return a JSON value on one line, cut to `most` characters."""
    return one_line(json.dumps(value, ensure_ascii=False, default=str), most)


def named_values(values: dict[str, Any], most: int = 60) -> str:
    """Return `name = value` pairs on one line, each value cut to `most` characters."""
    return ", ".join(f"{name} = {value_line(value, most)}" for name, value in values.items())


def size(count: float) -> str:
    """Return a number of bytes.

    >>> size(900), size(12_345), size(3_400_000_000)
    ('900 B', '12.3 kB', '3.4 GB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5 and unit == "B":
            return f"{count:.0f} B"
        if count < 999.5:
            return f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"


def going(figures: Mapping[str, Any], seconds: float | None, *, is_short: bool = False) -> str:
    """Return what an activity at work has done so far on one line: bytes, rate, share and estimated rest.

    `seconds` is how long it has been at work; without it, and in its first second, no rate is told. The short form
    tells only the share and the rest.

    >>> going({"rowsRead": 120_000, "dataRead": 48_000_000, "percent": 40.0, "secondsLeft": 6}, 4)
    '48.0 MB, 30,000 rows/s, 40 %, about 6 s left'
    """
    rows, data = _number(figures, "rowsRead"), _number(figures, "dataRead")
    files, percent, left = (_number(figures, name) for name in ("filesRead", "percent", "secondsLeft"))
    rate = seconds if seconds and seconds >= 1 else None
    told = [
        size(data) if data else "",
        f"{files:,.0f} files" if files and files > 1 else "",
        f"{rows / rate:,.0f} rows/s" if rows and rate else f"{size(data / rate)}/s" if data and rate else "",
        f"{min(percent, 100):.0f} %" if percent else "",
        f"about {f'{left:.0f} s' if left < 60 else length(left)} left" if left else "",
    ][-2 if is_short else 0 :]
    return ", ".join(part for part in told if part)


def _number(figures: Mapping[str, Any], name: str) -> float | None:
    value = figures.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
