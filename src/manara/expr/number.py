"""Math functions on 64-bit integers and floats."""

import math
import random
from collections.abc import Callable
from typing import Any

from manara.expr.table import INT_MAX, INT_MIN, Number, Unfit, function
from manara.expr.value import kind_of

MAX_RANGE = 100_000


@function("Math")
def add(first: Number, second: Number) -> Number:
    """Return the sum."""
    return _within(first + second)


@function("Math")
def sub(first: Number, second: Number) -> Number:
    """Return the first less the second."""
    return _within(first - second)


@function("Math")
def mul(first: Number, second: Number) -> Number:
    """Return the product."""
    return _within(first * second)


@function("Math")
def div(dividend: Number, divisor: Number) -> Number:
    """Return the quotient; of two integers it is an integer, cut towards zero."""
    if divisor == 0:
        raise Unfit("The divisor is 0.")
    if isinstance(dividend, float) or isinstance(divisor, float):
        return _within(dividend / divisor)
    quotient = abs(dividend) // abs(divisor)
    return _within(quotient if (dividend < 0) == (divisor < 0) else -quotient)


@function("Math")
def mod(dividend: Number, divisor: Number) -> Number:
    """Return what is left after a division, with the sign of the dividend."""
    if divisor == 0:
        raise Unfit("The divisor is 0.")
    if isinstance(dividend, float) or isinstance(divisor, float):
        return math.fmod(dividend, divisor)
    left = abs(dividend) % abs(divisor)
    return -left if dividend < 0 else left


@function("Math")
def max_(*values: Any) -> Number:
    """Return the greatest of the numbers, or of the numbers in one array."""
    return _extreme(max, values)


@function("Math")
def min_(*values: Any) -> Number:
    """Return the least of the numbers, or of the numbers in one array."""
    return _extreme(min, values)


@function("Math")
def rand(min_value: int, max_value: int) -> int:
    """Return a random integer from the first up to before the second."""
    if min_value >= max_value:
        raise Unfit(f"There is no integer from {min_value} up to before {max_value}.")
    return random.randrange(min_value, max_value)  # noqa: S311  no secret depends on it


@function("Math")
def range_(start_index: int, count: int) -> list[Any]:
    """Return `count` integers in a row (at most 100,000)."""
    if not 0 <= count <= MAX_RANGE:
        raise Unfit(f"The count is from 0 to {MAX_RANGE:,}, not {count}.")
    _within(start_index + count)
    return list(range(start_index, start_index + count))


def _within(value: Number) -> Number:
    if isinstance(value, int):
        if INT_MIN <= value <= INT_MAX:
            return value
        raise Unfit("The result does not fit into a 64-bit integer.")
    if math.isfinite(value):
        return value
    raise Unfit("The result is too large for a number.")


def _extreme(choose: Callable[[Any], Number], values: tuple[Any, ...]) -> Number:
    numbers = values[0] if len(values) == 1 and isinstance(values[0], (list, tuple)) else values
    for value in numbers:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise Unfit(f"It compares numbers, not {kind_of(value)}.")
    if not numbers:
        raise Unfit("The array is empty.")
    return choose(numbers)
