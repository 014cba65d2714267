"""Times, lengths of time and values as a person reads them on one line."""

import json
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
