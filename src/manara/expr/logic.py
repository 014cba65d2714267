"""Logical functions: comparisons, and choices that evaluate only what they need."""

from typing import Any

from manara.expr.table import Later, Unfit, function
from manara.expr.text import folded
from manara.expr.value import identity, kind_of


@function("Logical", lazy=True)
def and_(*values: Later) -> bool:
    """Return whether all values are true; stops at the first that is not."""
    return all(_truth(value) for value in values)


@function("Logical", lazy=True)
def or_(*values: Later) -> bool:
    """Return whether any value is true; stops at the first that is."""
    return any(_truth(value) for value in values)


@function("Logical")
def not_(value: bool) -> bool:
    """Return the opposite."""
    return not value


@function("Logical", lazy=True)
def if_(condition: Later, when_true: Later, when_false: Later) -> Any:
    """Return the second argument where the first is true, else the third; evaluates only that one."""
    return when_true() if _truth(condition) else when_false()


@function("Logical")
def equals(first: Any, second: Any) -> bool:
    """Return whether two values are equal: 1 is 1.0 and not '1', case counts, arrays and objects go deep."""
    return bool(identity(first) == identity(second))


@function("Logical")
def greater(first: Any, second: Any) -> bool:
    """Return whether the first is greater; compares two numbers, or two strings without regard to case."""
    return _order(first, second) > 0


@function("Logical")
def greater_or_equals(first: Any, second: Any) -> bool:
    """Return whether the first is greater or equal."""
    return _order(first, second) >= 0


@function("Logical")
def less(first: Any, second: Any) -> bool:
    """Return whether the first is less; compares two numbers, or two strings without regard to case."""
    return _order(first, second) < 0


@function("Logical")
def less_or_equals(first: Any, second: Any) -> bool:
    """Return whether the first is less or equal."""
    return _order(first, second) <= 0


def _truth(later: Later) -> bool:
    value = later()
    if isinstance(value, bool):
        return value
    raise Unfit(f"A condition is true or false, not {kind_of(value)}.")


def _order(first: Any, second: Any) -> int:
    # The reference finds 'B' greater than 'a': strings are compared without regard to case, as in startsWith.
    if isinstance(first, str) and isinstance(second, str):
        first, second = folded(first), folded(second)
    elif not (_is_number(first) and _is_number(second)):
        raise Unfit(f"It compares two numbers or two strings, not {kind_of(first)} with {kind_of(second)}.")
    return int(first > second) - int(first < second)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
