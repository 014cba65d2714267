import contextlib
import threading
from collections.abc import Iterator

import pytest

from manara.table.ahead import ahead, side_by_side


def test_items_come_in_order() -> None:
    assert list(ahead(iter(range(1, 100)))) == list(range(1, 100))
    assert list(ahead(iter([0, "", False]))) == [0, "", False]


def test_an_error_is_raised_where_the_items_are_taken() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    taken = ahead(items())
    assert next(taken) == 1
    with pytest.raises(ValueError, match="broken"):
        next(taken)


def test_no_more_is_read_ahead_than_allowed_and_closing_ends_the_thread() -> None:
    read: list[int] = []

    def items() -> Iterator[int]:
        for item in range(1000):
            read.append(item)
            yield item

    taken = ahead(items(), depth=2)
    next(taken)
    taken.close()
    assert len(read) <= 6
    assert not [thread for thread in threading.enumerate() if thread.name == "read ahead"]


def test_what_is_made_side_by_side_comes_in_order_and_an_error_in_its_place() -> None:
    def halved(number: int) -> int:
        return 100 // (50 - number)

    made = side_by_side(range(100), halved)
    assert [next(made) for _ in range(50)] == [100 // (50 - number) for number in range(50)]
    with pytest.raises(ZeroDivisionError):
        next(made)


def test_of_things_made_side_by_side_few_are_begun_before_they_are_asked_for() -> None:
    items = iter(range(1000))
    with contextlib.closing(side_by_side(items, str)) as made:
        assert next(made) == "0"
        assert next(items) <= 10
