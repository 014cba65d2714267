"""The functions of template expressions for texts, in the table of `functions.py`."""

import base64
import binascii
import hashlib
import json
import re
import uuid
from typing import Any
from urllib.parse import quote, unquote, urljoin

from manara.resources.template.functions import Unfit, function, kind_of, shown, text_of, whole

GUIDS = uuid.UUID("11fb06fb-712d-4ddd-98c7-e71bbd588830")
"""The name space of `guid`: the one that Azure is known to use."""

MOST_CHARACTERS = 1_048_576
_HOLE = re.compile(r"\{\{|\}\}|\{(\d{1,4})(?:,(-?\d{1,4}))?(?::([^{}]*))?\}|[{}]")
_UNRESERVED = "!*'()"  # what encodeURIComponent leaves as it is, beside letters, digits and -_.~


@function("concat", 1, None)
def _concat(*parts: Any) -> Any:
    if all(isinstance(part, list) for part in parts):
        return [each for part in parts for each in part]
    if any(isinstance(part, list) for part in parts):
        raise Unfit("It joins texts or arrays, not both.")
    return _short("".join(map(shown, parts)))


function("toLower", 1)(lambda text: text_of(text).lower())
function("toUpper", 1)(lambda text: text_of(text).upper())
function("trim", 1)(lambda text: text_of(text).strip())
function("startsWith", 2)(lambda text, start: text_of(text).lower().startswith(text_of(start).lower()))
function("endsWith", 2)(lambda text, end: text_of(text).lower().endswith(text_of(end).lower()))
function("indexOf", 2)(lambda text, part: text_of(text).lower().find(text_of(part).lower()))
function("lastIndexOf", 2)(lambda text, part: text_of(text).lower().rfind(text_of(part).lower()))
function("uriComponent", 1)(lambda text: quote(text_of(text), safe=_UNRESERVED))
function("uriComponentToString", 1)(lambda text: unquote(text_of(text)))
function("uri", 2)(lambda base, rest: urljoin(text_of(base), text_of(rest)))
function("base64ToString", 1)(lambda text: _decoded(text_of(text)))

function("guid", 1, None)(lambda *parts: str(uuid.uuid5(GUIDS, "-".join(map(text_of, parts)))))


@function("uniqueString", 1, None)
def _unique(*parts: Any) -> str:
    """Return 13 letters and digits that are always the same for the same texts; Azure's are others."""
    digest = hashlib.sha256("-".join(map(text_of, parts)).encode()).digest()
    return base64.b32encode(digest).decode().lower()[:13]


@function("substring", 2, 3)
def _substring(text: Any, start: Any, length: Any = None) -> str:
    whole_text = text_of(text)
    count = len(whole_text) - whole(start) if length is None else whole(length)
    if not (0 <= start <= len(whole_text) and 0 <= count <= len(whole_text) - start):
        raise Unfit(f"The part from {start} of length {count} lies outside of the text, which has {len(whole_text)}.")
    return whole_text[start : start + count]


@function("replace", 3)
def _replace(text: Any, old: Any, new: Any) -> str:
    if not text_of(old):
        raise Unfit("What is to be replaced is empty.")
    return _short(text_of(text).replace(old, text_of(new)))


@function("split", 2)
def _split(text: Any, between: Any) -> list[str]:
    marks = [text_of(each) for each in (between if isinstance(between, list) else [between])]
    kept = [re.escape(mark) for mark in marks if mark]
    return re.split("|".join(kept), text_of(text)) if kept else [text_of(text)]


@function("join", 2)
def _join(parts: Any, between: Any) -> str:
    if not isinstance(parts, list):
        raise Unfit(f"It needs an array, and has {kind_of(parts)}.")
    return _short(text_of(between).join(map(shown, parts)))


@function("padLeft", 2, 3)
def _pad_left(value: Any, length: Any, filler: Any = " ") -> str:
    if len(text_of(filler)) != 1:
        raise Unfit("The filler is one character.")
    if whole(length) > MOST_CHARACTERS:
        raise Unfit(f"A text has at most {MOST_CHARACTERS:,} characters.")
    return shown(value).rjust(length, filler)


@function("format", 1, None)
def _format(form: Any, *values: Any) -> str:
    def fill(found: re.Match[str]) -> str:
        if found[0] in ("{{", "}}"):
            return found[0][0]
        if found[1] is None:
            raise Unfit("A '{' or '}' stands alone: write '{0}' for a value, and '{{' for the sign.")
        if int(found[1]) >= len(values):
            raise Unfit(f"There is no value for '{found[0]}'.")
        filled = _formed(values[int(found[1])], found[3] or "")
        width = int(found[2] or 0)
        return filled.rjust(width) if width > 0 else filled.ljust(-width)

    return _short(_HOLE.sub(fill, text_of(form)))


def _formed(value: Any, form: str) -> str:
    """Return a value in a .NET form: `D4`, `X2`, `N0` and `F2` for numbers."""
    found = re.fullmatch(r"([DdXxNnFf])(\d{0,2})", form)
    if not form:
        return shown(value)
    if not found or isinstance(value, bool) or not isinstance(value, int | float):
        raise Unfit(f"The form '{form[:20]}' is not known here; known are D, X, N and F for numbers.")
    letter, digits = found[1], found[2]
    if letter in "dD":
        return f"{whole(value):0{int(digits or 1) + (value < 0)}d}"
    if letter in "xX":
        return f"{whole(value):0{digits or 1}{letter}}"
    return f"{value:{',' if letter in 'nN' else ''}.{digits or 2}f}"


def _short(text: str) -> str:
    if len(text) > MOST_CHARACTERS:
        raise Unfit(f"A text has at most {MOST_CHARACTERS:,} characters.")
    return text


@function("base64", 1)
def _encoded(text: Any) -> str:
    return base64.b64encode(text_of(text).encode()).decode()


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise Unfit("The text is no base64.") from None


@function("base64ToJson", 1)
def _base64_json(text: Any) -> Any:
    try:
        return json.loads(_decoded(text_of(text)))
    except ValueError:
        raise Unfit("The text is no JSON in base64.") from None


@function("dataUri", 1)
def _data_uri(value: Any) -> str:
    return f"data:text/plain;charset=utf8;base64,{_encoded(shown(value))}"


@function("dataUriToString", 1)
def _data_uri_text(text: Any) -> str:
    head, comma, data = text_of(text).partition(",")
    if not comma or not head.startswith("data:"):
        raise Unfit("The text is no data URI.")
    return _decoded(data) if head.endswith(";base64") else unquote(data)
