"""Values in the types that pipelines declare for parameters, variables and return values: one table for all three."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from manara.expr.value import text_of


def fit(kind: str, value: Any) -> Any:
    """Return the value in the declared type, where nothing is lost by it; text is read for every type.

    Null stays null, and an unknown type takes anything. An array or object becomes JSON text for a String (rule 86).
    Raises ValueError for what does not fit.

    >>> fit("String", 7), fit("integer", "7"), fit("Boolean", "True"), fit("Array", "[1]")
    ('7', 7, True, [1])
    """
    convert = _CONVERT.get(kind.lower())
    return value if convert is None or value is None else convert(value)


def _boolean(value: Any) -> bool:
    word = value.strip().lower() if isinstance(value, str) else value
    if word is True or word is False:
        return word
    if word in ("true", "false"):
        return bool(word == "true")
    raise ValueError(value)


def _integer(value: Any) -> int:
    is_whole = value.is_integer() if isinstance(value, float) else isinstance(value, int | str)
    if not is_whole or isinstance(value, bool):
        raise ValueError(value)
    return int(value)


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(value)  # noqa: TRY004 # the caller tells it, as it tells a text that is no number
    return float(value)


def _array(value: Any) -> list[Any]:
    items = json.loads(value) if isinstance(value, str) else value
    if not isinstance(items, list):
        raise ValueError(value)  # noqa: TRY004 # the caller tells it, as it tells a text that is no JSON
    return items


def _object(value: Any) -> Any:
    """Read a text as an object; what is no text stays as it is, since real files pass arrays as objects too."""
    if not isinstance(value, str):
        return value
    found = json.loads(value)
    if not isinstance(found, dict):
        raise ValueError(value)  # noqa: TRY004 # the caller tells it, as it tells a text that is no JSON
    return found


_CONVERT: Mapping[str, Callable[[Any], Any]] = {
    "string": text_of,
    "securestring": text_of,
    "bool": _boolean,
    "boolean": _boolean,
    "int": _integer,
    "integer": _integer,
    "float": _float,
    "array": _array,
    "object": _object,
}
