"""The functions of template expressions that need nothing but their arguments, as a table by name.

Source of what each gives: https://learn.microsoft.com/azure/azure-resource-manager/templates/template-functions
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

C = TypeVar("C", bound=Callable[..., Any])

INT_MAX = 2**63 - 1
MOST_ITEMS = 10_000
"""The longest array that `range` makes."""

FUNCTIONS: dict[str, "Function"] = {}
"""By name in lower case; the modules beside this one add theirs."""


class Unfit(Exception):
    """What is wrong with the arguments of a function."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """`call` takes at least `least` values and at most `most` (None: any number)."""

    name: str
    call: Callable[..., Any]
    least: int
    most: int | None


def function(name: str, least: int, most: int | None = -1) -> Callable[[C], C]:
    """Return a decorator that puts a function into the table; `most` is `least` where it is left out."""

    def decorate(call: C) -> C:
        FUNCTIONS[name.lower()] = Function(name=name, call=call, least=least, most=least if most == -1 else most)
        return call

    return decorate


def text_of(value: Any, what: str = "a text") -> str:
    """Return a value that must be a text."""
    if not isinstance(value, str):
        raise Unfit(f"It needs {what}, and has {kind_of(value)}.")
    return value


def whole(value: Any) -> int:
    """Return a value that must be a whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unfit(f"It needs a whole number, and has {kind_of(value)}.")
    return value


def kind_of(value: Any) -> str:
    """Return what a value is, in words."""
    if value is None:
        return "null"
    kinds = {bool: "true or false", str: "a text", int: "a whole number", float: "a number", list: "an array"}
    return kinds.get(type(value), "an object")


def shown(value: Any) -> str:
    """Return a value as the functions of text write it.

    >>> shown(True), shown(1), shown({"a": [1]})
    ('True', '1', '{"a":[1]}')
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def same(left: Any, right: Any) -> bool:
    """Say whether two values are equal: of one kind, texts by each letter."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return bool(left == right) and isinstance(left, str) is isinstance(right, str)


def find_key(held: Mapping[str, Any], name: str) -> str | None:
    """Return the key of an object that a name means: as it is written, else without regard to case."""
    if name in held:
        return name
    return next((key for key in held if key.lower() == name.lower()), None)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Unfit(f"It needs true or false, and has {kind_of(value)}.")
    return value


def _held(value: Any) -> Sequence[Any] | Mapping[str, Any] | str:
    if not isinstance(value, str | list | Mapping):
        raise Unfit(f"It needs a text, an array or an object, and has {kind_of(value)}.")
    return value


def _array(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Unfit(f"It needs an array, and has {kind_of(value)}.")
    return value


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Unfit(f"It needs an object, and has {kind_of(value)}.")
    return value


def _bounded(value: int) -> int:
    if abs(value) > INT_MAX:
        raise Unfit("The result is too large: integers have 64 bits.")
    return value


function("equals", 2)(same)
function("not", 1)(lambda value: not _truth(value))
function("xor", 2)(lambda left, right: _truth(left) is not _truth(right))
function("true", 0)(lambda: True)
function("false", 0)(lambda: False)
function("null", 0)(lambda: None)
function("add", 2)(lambda left, right: _bounded(whole(left) + whole(right)))
function("sub", 2)(lambda left, right: _bounded(whole(left) - whole(right)))
function("mul", 2)(lambda left, right: _bounded(whole(left) * whole(right)))
function("array", 1)(lambda value: value if isinstance(value, list) else [value])
function("createArray", 0, None)(lambda *values: list(values))
function("coalesce", 1, None)(lambda *values: next((value for value in values if value is not None), None))
function("length", 1)(lambda value: len(_held(value)))
function("empty", 1)(lambda value: value is None or len(_held(value)) == 0)
function("objectKeys", 1)(lambda value: list(_object(value)))
function("items", 1)(lambda held: [{"key": key, "value": held[key]} for key in sorted(_object(held))])
function("flatten", 1)(lambda arrays: [each for part in _array(arrays) for each in _array(part)])
function("less", 2)(lambda left, right: _compared(left, right) < 0)
function("lessOrEquals", 2)(lambda left, right: _compared(left, right) <= 0)
function("greater", 2)(lambda left, right: _compared(left, right) > 0)
function("greaterOrEquals", 2)(lambda left, right: _compared(left, right) >= 0)
function("min", 1, None)(lambda *values: min(_numbers(values)))
function("max", 1, None)(lambda *values: max(_numbers(values)))


@function("div", 2)
def _div(left: Any, right: Any) -> int:
    if whole(right) == 0:
        raise Unfit("Nothing can be divided by zero.")
    quotient = abs(whole(left)) // abs(whole(right))
    return _bounded(quotient if (whole(left) < 0) == (whole(right) < 0) else -quotient)


@function("mod", 2)
def _mod(left: Any, right: Any) -> int:
    return whole(left) - _div(left, right) * whole(right)


def _compared(left: Any, right: Any) -> int:
    if isinstance(left, str) and isinstance(right, str):
        return (left > right) - (left < right)
    return (whole(left) > whole(right)) - (whole(left) < whole(right))


def _numbers(values: Sequence[Any]) -> list[int]:
    numbers = [whole(each) for each in (values[0] if len(values) == 1 and isinstance(values[0], list) else values)]
    if not numbers:
        raise Unfit("It needs at least one number.")
    return numbers


@function("range", 2)
def _range(start: Any, count: Any) -> list[int]:
    if not 0 <= whole(count) <= MOST_ITEMS:
        raise Unfit(f"The count is from 0 to {MOST_ITEMS:,}.")
    return list(range(whole(start), start + count))


@function("contains", 2)
def _contains(held: Any, wanted: Any) -> bool:
    if isinstance(held, str):
        return shown(wanted) in held
    if isinstance(held, list):
        return any(same(each, wanted) for each in held)
    return find_key(_object(held), text_of(wanted)) is not None


@function("first", 1)
def _first(held: Any) -> Any:
    if isinstance(held, str):
        return held[:1]
    return _array(held)[0] if held else None


@function("last", 1)
def _last(held: Any) -> Any:
    if isinstance(held, str):
        return held[-1:]
    return _array(held)[-1] if held else None


@function("skip", 2)
def _skip(held: Any, count: Any) -> Any:
    return (held if isinstance(held, str) else _array(held))[max(0, whole(count)) :]


@function("take", 2)
def _take(held: Any, count: Any) -> Any:
    return (held if isinstance(held, str) else _array(held))[: max(0, whole(count))]


@function("union", 1, None)
def _union(first: Any, *others: Any) -> Any:
    if isinstance(first, list):
        found: list[Any] = []
        for part in (first, *others):
            found += [each for each in _array(part) if not any(same(each, known) for known in found)]
        return found
    merged = dict(_object(first))
    for part in others:
        merged = _merged(merged, _object(part))
    return merged


def _merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(first)
    for name, value in second.items():
        key = find_key(merged, name) or name
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = _merged(old, value) if both and isinstance(old, Mapping) else value
    return merged


@function("intersection", 1, None)
def _intersection(first: Any, *others: Any) -> Any:
    if isinstance(first, list):
        return [each for each in first if all(any(same(each, other) for other in _array(part)) for part in others)]
    kept = dict(_object(first))
    for part in others:
        kept = {key: value for key, value in kept.items() if key in _object(part) and same(value, part[key])}
    return kept


@function("createObject", 0, None)
def _create_object(*pairs: Any) -> dict[str, Any]:
    if len(pairs) % 2:
        raise Unfit("It needs names and values in pairs.")
    return {text_of(name): value for name, value in zip(pairs[::2], pairs[1::2], strict=True)}


@function("int", 1)
def _int(value: Any) -> int:
    if isinstance(value, str):
        try:
            return _bounded(int(value)) if len(value) < 30 else _bounded(INT_MAX + 1)
        except ValueError:
            raise Unfit("The text is no whole number.") from None
    return _bounded(int(value)) if isinstance(value, float) else whole(value)


@function("float", 1)
def _float(value: Any) -> float:
    try:
        return float(value if isinstance(value, str | float) else whole(value))
    except ValueError:
        raise Unfit("The text is no number.") from None


@function("bool", 1)
def _bool(value: Any) -> bool:
    words = {"true": True, "1": True, "false": False, "0": False}
    found = words.get(shown(value).lower())
    if found is None:
        raise Unfit("The value is neither true nor false.")
    return found


@function("string", 1)
def _string(value: Any) -> str:
    return shown(value)


@function("json", 1)
def _json(value: Any) -> Any:
    try:
        return json.loads(text_of(value))
    except (ValueError, RecursionError) as error:
        raise Unfit(f"The text is no JSON: {error}.") from None
