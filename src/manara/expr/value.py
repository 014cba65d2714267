"""Values as the language sees them: their text, their JSON, when two are equal, and how a name is found."""

from collections.abc import Mapping
from json.encoder import encode_basestring
from typing import Any

MISSING: Any = object()


def text_of(value: Any) -> str:
    """Return the text that `string` gives and that interpolation inserts (rules 6 and 20).

    >>> [text_of(one) for one in (True, None, 1.50, 1.0, {"a": [1, None]})]
    ['True', '', '1.5', '1', '{"a":[1,null]}']
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, float):
        return float_text(value)
    return str(value) if isinstance(value, int) else json_text(value)


def float_text(value: float) -> str:
    """Return the shortest text that reads back as the same number, in the form of .NET (`1E+20`, not `1e+20`)."""
    text = repr(value)
    if 1e-4 <= abs(value) < 1e15:
        return text.removesuffix(".0")
    if text in ("inf", "-inf", "nan"):
        return {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}[text]
    sign, digits, exponent = _scientific(text)
    if digits == "0":
        return f"{sign}0"
    mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    return f"{sign}{mantissa}E{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _scientific(text: str) -> tuple[str, str, int]:
    """Return the sign, the significant digits, and the power of ten of the first of them."""
    sign, text = ("-", text[1:]) if text.startswith("-") else ("", text)
    mantissa, _, power = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    leading = len(whole + fraction) - len(digits)
    return sign, digits.rstrip("0") or "0", len(whole) - 1 - leading + int(power or 0)


def json_text(value: Any) -> str:
    """Return compact JSON; a whole float keeps its decimal (`1.0`), other than in `text_of`."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{encode_basestring(str(key))}:{json_text(one)}" for key, one in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(json_text, value)) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return _number_json(value) if isinstance(value, (int, float)) else encode_basestring(str(value))


def _number_json(value: int | float) -> str:
    text = text_of(value)
    return text if isinstance(value, int) or not text.lstrip("-").isdigit() else text + ".0"


def identity(value: Any) -> Any:
    """Return something hashable that is equal for equal values: 1 = 1.0, '1' is not 1, key order does not count."""
    if isinstance(value, (str, bool)) or value is None:
        return type(value), value
    if isinstance(value, Mapping):
        return dict, frozenset((key, identity(one)) for key, one in value.items())
    if isinstance(value, (list, tuple)):
        return list, tuple(map(identity, value))
    return value


def find(mapping: Mapping[str, Any], name: str) -> Any:
    """Return the property called `name`, whatever its case (the exact spelling goes first), or MISSING."""
    try:
        return mapping[name]
    except KeyError:
        wanted = name.lower()
    for known in mapping:
        if isinstance(known, str) and known.lower() == wanted:
            return mapping[known]
    return MISSING


def kind_of(value: Any) -> str:
    """Return what a value is, in the words of the signatures, with the value itself where it is short."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, (list, tuple)):
        return f"an array of {len(value)}"
    if isinstance(value, str):
        return f"the string '{value if len(value) <= 40 else value[:40] + '...'}'"
    return "null" if value is None else _number_kind(value)


def _number_kind(value: Any) -> str:
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    if isinstance(value, int):
        return f"the integer {value}" if value.bit_length() < 128 else "an integer beyond 64 bits"
    return f"the number {float_text(value)}" if isinstance(value, float) else f"a {type(value).__name__}"
