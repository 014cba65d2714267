"""Functions that turn a value of one type into another."""

import base64 as codec
import binascii
import json as standard_json
import math
import re
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import quote, unquote_to_bytes

from manara.expr.table import INT_MAX, INT_MIN, Object, Unfit, function
from manara.expr.value import kind_of, text_of

OCTETS = "application/octet-stream"
XML = "application/xml;charset=utf-8"
PLAIN = "text/plain;charset=utf-8"

_INTEGER = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(r"[+-]?([0-9][0-9,]*\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_DATA_URI = re.compile(r"data:([^,;]*(?:;[^,;=]+=[^,;]*)*)(;base64)?,(.*)", re.IGNORECASE | re.DOTALL)


@function("Conversion")
def array(value: Any) -> list[Any]:
    """Return an array with the value in it; an array stays as it is."""
    return list(value) if isinstance(value, (list, tuple)) else [value]


@function("Conversion")
def create_array(*values: Any) -> list[Any]:
    """Return an array of all arguments."""
    return list(values)


@function("Conversion")
def coalesce(*values: Any) -> Any:
    """Return the first value that is not null; an empty string is a value."""
    return next((value for value in values if value is not None), None)


@function("Conversion")
def string(value: Any) -> str:
    """Return the text of a value: `True`, nothing for null, compact JSON of arrays and objects."""
    return text_of(value)


@function("Conversion")
def int_(value: Any) -> int:
    """Return the integer that a text holds; true is 1; a number with decimals is refused."""
    is_text = isinstance(value, str) and _INTEGER.fullmatch(value.strip()) and len(value.strip()) < 100
    if is_text or isinstance(value, bool) or (isinstance(value, float) and value.is_integer()):
        value = int(value)
    if not isinstance(value, int):
        raise Unfit(f"It cannot make an integer of {kind_of(value)}.")
    if not INT_MIN <= value <= INT_MAX:
        raise Unfit("The value does not fit into a 64-bit integer.")
    return value


@function("Conversion")
def float_(value: Any) -> float:
    """Return the number that a text holds; a comma separates thousands (`10,5` is 105)."""
    if isinstance(value, str) and _FLOAT.fullmatch(value.strip()):
        value = float(value.replace(",", ""))
    if not isinstance(value, (int, float)):
        raise Unfit(f"It cannot make a number of {kind_of(value)}.")
    number = float(value)
    if not math.isfinite(number):
        raise Unfit("The value is too large for a number.")
    return number


@function("Conversion")
def bool_(value: Any) -> bool:
    """Return the boolean that the text `true` or `false` holds, in any case; of numbers only 0 is false."""
    if isinstance(value, (bool, int, float)):
        return bool(value)
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    raise Unfit(f"It cannot make a boolean of {kind_of(value)}.")


@function("Conversion")
def json(value: Any) -> Any:
    """Return the value that a JSON text holds (an empty one null), or an XML document as an object."""
    if isinstance(value, str):
        return _from_json(value) if value.strip() else None
    if is_binary(value) and "xml" in value["$content-type"].lower():
        from manara.expr import markup  # noqa: PLC0415  few expressions need XML, and every start would pay

        return markup.to_object(markup.read(decoded(value)))
    raise Unfit(f"It takes a JSON text or an XML document, not {kind_of(value)}.")


@function("Conversion")
def xml(value: Any) -> Object:
    """Return a text, or an object with one property, as an XML document."""
    from manara.expr import markup  # noqa: PLC0415

    if isinstance(value, str) or is_binary(value):
        document = markup.read(value if isinstance(value, str) else decoded(value))
    elif isinstance(value, Mapping):
        document = markup.from_object(value)
    else:
        raise Unfit(f"It takes an XML text or an object, not {kind_of(value)}.")
    return of_bytes(to_bytes(markup.write(document)), XML)


@function("Conversion")
def xpath(xml_: Any, xpath_: str) -> Any:
    """Return what an XPath 1.0 expression finds: an array of nodes and texts, or a string, number or boolean."""
    from manara.expr import markup  # noqa: PLC0415
    from manara.expr.xpath import search  # noqa: PLC0415

    if not isinstance(xml_, str) and not is_binary(xml_):
        raise Unfit(f"It searches an XML document, not {kind_of(xml_)}.")
    found = search(markup.read(xml_ if isinstance(xml_, str) else decoded(xml_)), xpath_)
    if not isinstance(found, list):
        return found
    return [of_bytes(to_bytes(markup.write(node)), XML) if node.is_element else node.text_content() for node in found]


@function("Conversion")
def base64(value: Any) -> str:
    """Return the base64 form of a text."""
    return str(binary(value)["$content"])


@function("Conversion")
def base64_to_string(value: str) -> str:
    """Return the text that a base64 form holds."""
    return to_text(_unbase64(value))


@function("Conversion")
def decode_base64(value: str) -> str:
    """Return the text that a base64 form holds."""
    return to_text(_unbase64(value))


@function("Conversion")
def base64_to_binary(value: str) -> Object:
    """Return the bytes that a base64 form holds."""
    return of_bytes(_unbase64(value), OCTETS)


@function("Conversion")
def binary(value: Any) -> Object:
    """Return the bytes of a text."""
    if is_binary(value):
        return {"$content-type": OCTETS, "$content": value["$content"]}
    if not isinstance(value, str):
        raise Unfit(f"It takes a string, not {kind_of(value)}.")
    return of_bytes(to_bytes(value), OCTETS)


@function("Conversion")
def data_uri(value: Any) -> str:
    """Return a data URI that holds a text."""
    if is_binary(value):
        return f"data:{value['$content-type']};base64,{value['$content']}"
    return f"data:{PLAIN};base64,{base64(value)}"


@function("Conversion")
def data_uri_to_string(value: str) -> str:
    """Return the text that a data URI holds."""
    return to_text(_of_data_uri(value)[0])


@function("Conversion")
def decode_data_uri(value: str) -> str:
    """Return the text that a data URI holds."""
    return to_text(_of_data_uri(value)[0])


@function("Conversion")
def data_uri_to_binary(value: str) -> Object:
    """Return the bytes that a data URI holds, with their type."""
    return of_bytes(*_of_data_uri(value))


@function("Conversion")
def uri_component(value: str) -> str:
    """Return the text with all but letters, digits and `-._~` percent-encoded."""
    return quote(to_bytes(value), safe="")


@function("Conversion")
def encode_uri_component(value: str) -> str:
    """Return the text with all but letters, digits and `-._~` percent-encoded."""
    return quote(to_bytes(value), safe="")


@function("Conversion")
def decode_uri_component(value: str) -> str:
    """Return the text with its percent-encoded characters decoded."""
    return to_text(unquote_to_bytes(to_bytes(value)))


@function("Conversion")
def uri_component_to_string(value: str) -> str:
    """Return the text with its percent-encoded characters decoded."""
    return to_text(unquote_to_bytes(to_bytes(value)))


@function("Conversion")
def uri_component_to_binary(value: str) -> Object:
    """Return the bytes of a percent-encoded text, as it stands decoded."""
    return of_bytes(unquote_to_bytes(to_bytes(value)), OCTETS)


def is_binary(value: Any) -> bool:
    """Return whether the value is bytes, in the form that the language gives them."""
    return isinstance(value, Mapping) and all(
        isinstance(value.get(name), str) for name in ("$content-type", "$content")
    )


def of_bytes(data: bytes, content_type: str) -> Object:
    """Return bytes in the form that the language gives them."""
    return {"$content-type": content_type, "$content": codec.b64encode(data).decode("ascii")}


def decoded(value: Object) -> str:
    """Return the text that bytes hold."""
    return to_text(_unbase64(value["$content"])).removeprefix("\ufeff")


def to_bytes(text: str) -> bytes:
    """Return the text in UTF-8; what is no character (half of a pair) becomes U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def to_text(data: bytes) -> str:
    """Return the text of UTF-8 bytes; what is no UTF-8 becomes U+FFFD."""
    return data.decode("utf-8", "replace")


def _unbase64(text: str) -> bytes:
    try:
        return codec.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unfit(f"The text is not base64 ({error}).") from error


def _of_data_uri(text: str) -> tuple[bytes, str]:
    found = _DATA_URI.fullmatch(text.strip())
    if found is None:
        raise Unfit("The text is not a data URI, which starts with 'data:' and has a comma before its content.")
    content_type = found[1] or "text/plain;charset=US-ASCII"
    return _unbase64(found[3]) if found[2] else unquote_to_bytes(to_bytes(found[3])), content_type


def _from_json(text: str) -> Any:
    try:
        # Line breaks inside of texts are accepted: the reference's reader does so too.
        return standard_json.loads(
            text.removeprefix("\ufeff"), strict=False, parse_float=_finite, parse_constant=_no_constant
        )
    except standard_json.JSONDecodeError as error:
        near = text[max(0, error.pos - 20) : error.pos + 20]
        raise Unfit(f"The text is not JSON: {error.msg} at character {error.pos}, near '{near}'.") from error


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise Unfit(f"The number {text[:40]} is too large.")
    return number


def _no_constant(text: str) -> NoReturn:
    raise Unfit(f"The text is not JSON: {text} is no value.")
