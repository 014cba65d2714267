"""Files that are fetched in ranges."""

import os
import random

import pytest

from manara.connectors.stores.ranged import FIRST_BYTES, MOST_BYTES, ranged
from manara.errors import Transient

CONTENT = random.Random(1).randbytes(20 << 20)  # noqa: S311 # any bytes will do


class Fetched:
    """Gives ranges of the content, and notes which."""

    def __init__(self) -> None:
        self.ranges: list[tuple[int, int]] = []

    def __call__(self, start: int, count: int) -> bytes:
        self.ranges.append((start, count))
        return CONTENT[start : start + count]


def test_reading_straight_on_takes_ever_larger_ranges_up_to_a_limit() -> None:
    fetch = Fetched()
    with ranged(fetch, len(CONTENT), CONTENT[:FIRST_BYTES]) as file:
        assert b"".join(iter(lambda: file.read(65_536), b"")) == CONTENT
    assert [count >> 20 for _, count in fetch.ranges] == [2, 4, 8, 5]


def test_a_file_is_read_in_any_order() -> None:
    places, fetch = random.Random(2), Fetched()  # noqa: S311
    with ranged(fetch, len(CONTENT)) as file:
        for _ in range(200):
            start, count = places.randrange(len(CONTENT)), places.choice([1, 100, 70_000, 3 << 20, 12 << 20])
            file.seek(start)
            assert file.read(count) == CONTENT[start : start + count]
        assert file.seek(-5, os.SEEK_END) == len(CONTENT) - 5
        assert file.read() == CONTENT[-5:]
    assert max(count for _, count in fetch.ranges) <= MOST_BYTES


def test_the_end_is_not_fetched() -> None:
    fetch = Fetched()
    with ranged(fetch, 0) as file:
        assert file.read() == b""
    assert fetch.ranges == []


def test_a_file_that_became_shorter_is_told() -> None:
    with ranged(lambda _start, _count: b"", 10) as file, pytest.raises(Transient, match="shorter"):
        file.read()


def test_no_position_lies_before_the_start() -> None:
    with ranged(Fetched(), 10) as file, pytest.raises(ValueError, match="before the start"):
        file.seek(-1)
