"""Parameters of a statement, put into the spelling that a driver binds: `$name` and `?` become `%s`, `?` or `:1`."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

Parameters = Sequence[Any] | Mapping[str, Any]

_QUOTED = r"\"(?:[^\"]|\"\")*\"|`(?:[^`]|``)*`|--[^\n]*|/\*.*?\*/"
_TEXT = r"'(?:[^']|'')*'"
_TEXT_WITH_ESCAPES = r"'(?:[^'\\]|\\.|'')*'"
_PLACE = r"(?P<name>\$\w+)|(?P<mark>\?)"
_SPELLINGS = {"qmark": "?", "format": "%s", "pyformat": "%s", "numeric": ":{}", "named": ":{}"}


def bound(statement: str, parameters: Parameters, style: str, *, escapes: bool = False) -> tuple[str, list[Any]]:
    r"""Return the statement in the driver's spelling (its DB-API `paramstyle`), and the values in order.

    What stands in a text, a quoted name or a comment stays as it is. A name that has no value stays too. `escapes`
    says that a backslash in a text escapes what follows, as in MySQL. Without parameters nothing is touched.

    >>> bound("select '$a', $a, $b where $a = 1", {"a": 1, "b": 2}, "qmark")
    ("select '$a', ?, ? where ? = 1", [1, 2, 1])
    >>> bound("select 100 % n from t where n = ?", [7], "format")
    ('select 100 %% n from t where n = %s', [7])
    """
    if not parameters:
        return statement, []
    values: list[Any] = []
    left = None if isinstance(parameters, Mapping) else list(parameters)

    def put(found: re.Match[str]) -> str:
        if found["name"] and isinstance(parameters, Mapping) and found["name"][1:] in parameters:
            values.append(parameters[found["name"][1:]])
        elif found["name"] and left is not None and found["name"][1:].isdecimal():
            values.append(left[int(found["name"][1:]) - 1])
        elif found["mark"] and left is not None:
            values.append(left[len(values)])
        else:
            return found[0]
        return _SPELLINGS[style].format(len(values))

    text = _TEXT_WITH_ESCAPES if escapes else _TEXT
    pattern = re.compile(f"{text}|{_QUOTED}|{_PLACE}" + ("|%" if "format" in style else ""), re.DOTALL)
    spelt = pattern.sub(lambda found: put(found) if found["name"] or found["mark"] else doubled(found[0], style),
                        statement)  # fmt: skip
    return spelt, values


def places(style: str, count: int) -> str:
    """Return the places of so many values in the driver's spelling.

    >>> places("numeric", 2)
    '(:1, :2)'
    """
    return f"({', '.join(_SPELLINGS[style].format(number) for number in range(1, count + 1))})"


def doubled(text: str, style: str) -> str:
    """Return a text as it is, with `%` doubled where the driver reads it as the beginning of a place."""
    return text.replace("%", "%%") if "format" in style else text
