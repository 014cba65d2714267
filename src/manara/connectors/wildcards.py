"""ADF's wildcards: `*` for any characters of a name, `?` for one or none, `^` before a sign that means itself."""

import re
from functools import lru_cache

ANY_FOLDERS = "**"


def is_wild(text: str) -> bool:
    """Return whether there is a wildcard in the text that means more than itself.

    >>> is_wild("2024/*.csv"), is_wild("a^*b.csv")
    (True, False)
    """
    return any(wild for _, wild in _signs(text))


def plain(text: str) -> str:
    """Return the text without escapes.

    >>> plain("a^*b^^.csv")
    'a*b^.csv'
    """
    return "".join(sign for sign, _ in _signs(text))


def matches(name: str, pattern: str) -> bool:
    """Return whether a name, or a part of a path, is like the pattern; `[` and `{` mean themselves.

    >>> [matches(name, "stock?.csv") for name in ("stock.csv", "stock1.csv", "stock12.csv")]
    [True, True, False]
    """
    return _compiled(pattern).fullmatch(name) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> "re.Pattern[str]":
    means = {"*": "[^/]*", "?": "[^/]?"}
    return re.compile("".join(means[sign] if wild else re.escape(sign) for sign, wild in _signs(pattern)), re.DOTALL)


def _signs(text: str) -> list[tuple[str, bool]]:
    """Return the signs, each with whether it is a wildcard."""
    found: list[tuple[str, bool]] = []
    escaped = False
    for index, sign in enumerate(text):
        if sign == "^" and not escaped and index + 1 < len(text):
            escaped = True
            continue
        found.append((sign, sign in "*?" and not escaped))
        escaped = False
    return found
