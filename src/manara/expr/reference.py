"""The page of the reference about expressions, made from the table of functions."""

from collections.abc import Iterable

from manara.expr import functions
from manara.expr.table import FUNCTIONS, Function

_ORDER = ("Reference", "String", "Collection", "Logical", "Conversion", "Math", "Date")
_HEAD = """\
# Expressions

A string whose first character is `@` is an expression and gives a value of any type; `@{...}` inserts a value into a
text and always gives a string. `@@` stands for a plain `@`. Names of functions and properties are found in any case.
`.name` and `[...]` need the property or element to be there; `?.name` and `?[...]` give null where it is not.

A name in a signature that ends in `?` may be left out; one that ends in `...` may be repeated. The functions marked *
are not among the 84 that Azure Data Factory documents for expressions; its engine has them all the same, or they name
what an expression sees.
"""


def page() -> str:
    """Return the page in Markdown."""
    return _HEAD + "".join(_section(category) for category in _ORDER)


def _section(category: str) -> str:
    known = [FUNCTIONS[name.lower()] for name in functions() if FUNCTIONS[name.lower()].category == category]
    return f"\n## {category}\n\n| function | gives |\n|---|---|\n{''.join(_rows(known))}"


def _rows(known: Iterable[Function]) -> Iterable[str]:
    for one in known:
        gives = one.summary.removeprefix("Return ").replace("|", "\\|")
        yield f"| `{one.signature}`{'' if one.documented else ' *'} | {gives[:1].upper()}{gives[1:]} |\n"
