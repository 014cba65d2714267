"""Patterns of T-SQL's LIKE with brackets, as regular expressions that DuckDB and PostgreSQL read alike."""

import re

_IN_CLASS = re.compile(r"[\\\[\]&~|]")


def has_brackets(pattern: str) -> bool:
    """Return whether a pattern needs more than LIKE has elsewhere."""
    return "[" in pattern


def as_regex(pattern: str, escape: str = "") -> str | None:
    """Return the regular expression of a pattern; None where a bracket is not closed, which never matches.

    >>> as_regex("[a-c]%_x"), as_regex("100[%]"), as_regex("[^0-9]!%", "!")
    ('(?s)^[a-c].*.x$', '(?s)^100[%]$', '(?s)^[^0-9]%$')
    >>> as_regex("[ab") is None
    True
    """
    found, at = "", 0
    while at < len(pattern):
        letter = pattern[at]
        if escape and letter == escape and at + 1 < len(pattern):
            found += re.escape(pattern[at + 1])
            at += 2
            continue
        if letter == "[":
            end = pattern.find("]", at + 1)
            if end < 0:
                return None
            found += _class(pattern[at + 1 : end])
            at = end + 1
            continue
        found += {"%": ".*", "_": "."}.get(letter) or re.escape(letter)
        at += 1
    return f"(?s)^{found}$"


def _class(inside: str) -> str:
    sign, letters = ("^", inside[1:]) if inside.startswith("^") and len(inside) > 1 else ("", inside)
    if not letters:
        return "(?:$a)"  # nothing is among no letters
    first = "\\^" if letters.startswith("^") else letters[:1]
    rest = letters[1:]
    told = (first if first == "\\^" else _IN_CLASS.sub(r"\\\g<0>", first)) + _IN_CLASS.sub(r"\\\g<0>", rest)
    return f"[{sign}{told}]"
