"""String functions."""

from typing import Any

from manara import clock
from manara.expr.table import INT_MAX, INT_MIN, Number, Unfit, function
from manara.expr.value import text_of

_GUID_FORMS = {"N": "{0:32}", "D": "{1}", "B": "{{{1}}}", "P": "({1})"}


@function("String")
def concat(*values: Any) -> str:
    """Return the texts of all arguments in a row; null adds nothing, arrays and objects their JSON."""
    return "".join([text_of(value) for value in values])


@function("String")
def ends_with(text: str, search_text: str) -> bool:
    """Return whether the text ends with another, without regard to case."""
    return folded(text).endswith(folded(search_text))


@function("String")
def starts_with(text: str, search_text: str) -> bool:
    """Return whether the text starts with another, without regard to case."""
    return folded(text).startswith(folded(search_text))


@function("String")
def guid(format_: str = "D") -> str:
    """Return a fresh random id; the format is N, D, B or P."""
    identifier = clock.new_id()
    if format_.upper() not in _GUID_FORMS:
        raise Unfit(f"The format of a guid is one of {', '.join(_GUID_FORMS)}, not '{format_}'.")
    return _GUID_FORMS[format_.upper()].format(identifier.replace("-", ""), identifier)


@function("String")
def index_of(text: str, search_text: str) -> int:
    """Return where a text first occurs, counted from 0 and without regard to case; -1 where it does not."""
    return folded(text).find(folded(search_text))


@function("String")
def last_index_of(text: str, search_text: str) -> int:
    """Return where a text last occurs, counted from 0 and without regard to case; -1 where it does not."""
    return folded(text).rfind(folded(search_text))


@function("String", documented=False)
def nth_index_of(text: str, search_text: str, occurrence: int) -> int:
    """Return where the n-th occurrence of a text starts, without regard to case; a negative n counts from the end."""
    if not search_text or not occurrence:
        raise Unfit("The search text must not be empty, and the occurrence not 0.")
    places = _places(folded(text), folded(search_text))
    at = occurrence - 1 if occurrence > 0 else len(places) + occurrence
    return places[at] if 0 <= at < len(places) else -1


@function("String")
def replace(text: str, old_text: str, new_text: str) -> str:
    """Return the text with every occurrence of one text, in the same case, replaced by another."""
    if not old_text:
        raise Unfit("The text to replace must not be empty.")
    return text.replace(old_text, new_text)


@function("String", documented=False)
def slice_(text: str, start_index: int, end_index: int | None = None) -> str:
    """Return the part from one index up to before another; negative ones count from the end."""
    return text[start_index:end_index]


@function("String")
def split(text: str, delimiter: str) -> list[Any]:
    """Return the parts between the delimiters, empty ones too."""
    return list(text.split(delimiter)) if delimiter else [text]


@function("String")
def substring(text: str, start_index: int, length: int | None = None) -> str:
    """Return a part of the text; all of it must be there."""
    if not 0 <= start_index < len(text):
        raise Unfit(f"The start index is {start_index}; the text has {len(text)} characters, counted from 0.")
    end = len(text) if length is None else start_index + length
    if not start_index <= end <= len(text):
        raise Unfit(f"There are {len(text) - start_index} characters from {start_index} on, not {length}.")
    return text[start_index:end]


@function("String")
def to_lower(text: str) -> str:
    """Return the text in lower case."""
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(_one(one, one.lower()) for one in text)


@function("String")
def to_upper(text: str) -> str:
    """Return the text in upper case."""
    return folded(text)


@function("String")
def trim(text: str) -> str:
    """Return the text without blanks at its ends."""
    return text.strip()


@function("String", documented=False)
def is_int(text: str) -> bool:
    """Return whether the text can be read as an integer."""
    try:
        return INT_MIN <= int(text) <= INT_MAX and "_" not in text
    except ValueError:
        return False


@function("String", documented=False)
def is_float(text: str) -> bool:
    """Return whether the text can be read as a number."""
    try:
        return abs(float(text.replace(",", ""))) < float("inf") and "_" not in text
    except ValueError:
        return False


@function("String", documented=False)
def format_number(number: Number, format_: str, locale: str = "en-us") -> str:
    """Return the number in a .NET format, such as `N2`, `0.00` or `#,##0`; the locale is English."""
    from manara.expr import dotnet_number  # noqa: PLC0415  it needs decimal, for which every start would pay

    check_english(locale)
    return dotnet_number.format_number(number, format_)


def check_english(locale: str) -> None:
    """Raise Unfit for a locale whose words and signs are not the English ones."""
    if locale and locale.lower().split("-")[0] != "en":
        raise Unfit(f"The locale '{locale}' is not known here, only en-us.")


def folded(text: str) -> str:
    """Return the text in upper case, character by character, so that places stay where they are ('ß' stays)."""
    upper = text.upper()
    return upper if len(upper) == len(text) else "".join(_one(one, one.upper()) for one in text)


def _one(character: str, changed: str) -> str:
    return changed if len(changed) == 1 else character


def _places(text: str, search_text: str) -> list[int]:
    places, at = [], text.find(search_text)
    while at >= 0:
        places.append(at)
        at = text.find(search_text, at + 1)
    return places
