from datetime import timedelta

import pytest

from manara.errors import WrongDefinition
from manara.resources.timespan import read_timespan

DEFAULT = timedelta(hours=12)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("7.00:00:00", timedelta(days=7)),
        ("0.12:00:00", timedelta(hours=12)),
        ("00:30:00", timedelta(minutes=30)),
        ("0:30:00", timedelta(minutes=30)),
        ("0.3:00:00", timedelta(hours=3)),
        ("1:02:03:04", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("01:30", timedelta(minutes=90)),
        ("24:00:00", timedelta(days=1)),
        ("00:00:00.5", timedelta(milliseconds=500)),
        (" 00:60:60 ", timedelta(hours=1, minutes=1)),
        ("", DEFAULT),
        ("  ", DEFAULT),
        (None, DEFAULT),
        (0, timedelta()),
        (90, timedelta(seconds=90)),
        (0.25, timedelta(milliseconds=250)),
        ("90", timedelta(seconds=90)),
    ],
)
def test_every_spelling_of_real_files_is_read(text: object, length: timedelta) -> None:
    assert read_timespan(text, DEFAULT) == length


@pytest.mark.parametrize(
    "text",
    [
        "soon",
        "1.2.3",
        "-00:30:00",
        "1:99:00",
        "12:00:61",
        "\u0667:30:00",
        -1,
        float("nan"),
        True,
        {},
        "9" * 400,
        10**400,
    ],
)
def test_what_is_no_length_of_time_is_told(text: object) -> None:
    with pytest.raises(WrongDefinition, match="is no length of time"):
        read_timespan(text, DEFAULT)
