"""JSON paths as mappings write them: `$['a']['b']`, `$.a.b`, `['a']`, `a.b[0]`."""

import re
from collections.abc import Sequence
from typing import Any

from manara.errors import WrongDefinition

Steps = tuple[str | int, ...]

_STEP = re.compile(r"""\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|\.?([^.\[\]'"$\s][^.\[\]]*)""")


def steps(path: str) -> Steps:
    """Return the names and positions on the way, without the `$`.

    Raises WrongDefinition for what is no path.

    >>> steps("$['a'].b[0]")
    ('a', 'b', 0)
    """
    rest = path.strip().removeprefix("$")
    found: list[str | int] = []
    while rest and rest != ".":
        match = _STEP.match(rest)
        if not match:
            raise WrongDefinition(f"'{path}' is no JSON path.", advice="Write for instance $['orders'][0]['id'].")
        single, double, index, plain = match.groups()
        name = next((part for part in (single, double, plain) if part is not None), "")
        found.append(int(index) if index is not None else name)
        rest = rest[match.end() :]
    return tuple(found)


def is_absolute(path: str) -> bool:
    """Return whether the path counts from the document, and not from an element of the collection."""
    return path.strip().startswith("$")


def value_at(document: Any, path: Sequence[str | int]) -> Any:
    """Return the value at the end of the path, or None where the way is broken."""
    for step in path:
        if isinstance(document, dict) and isinstance(step, str):
            document = document.get(step)
        elif isinstance(document, list) and isinstance(step, int) and step < len(document):
            document = document[step]
        else:
            return None
    return document
