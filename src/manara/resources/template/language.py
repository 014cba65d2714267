"""The text of a template expression as a tree: `[concat('a', parameters('b').c[0])]`.

A text is an expression where it begins with one bracket and ends with another. One that begins with two brackets and
ends with one is text: the first bracket falls away (`escape` puts it there).

Source: https://learn.microsoft.com/azure/azure-resource-manager/templates/template-expressions
"""

import re
from functools import lru_cache
from typing import NamedTuple

from manara.errors import WrongExpression
from manara.expr.fault import wrong

MAX_DEPTH = 120
MOST_CHARACTERS = 24_576
"""The longest expression that Azure takes."""

_BLANK = re.compile(r"\s*")
_STRING = re.compile(r"'((?:[^']++|'')*+)'")
_NUMBER = re.compile(r"-?\d+(\.\d+)?(?![\w.])")
_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*(?=\s*\())?")
_PROPERTY = re.compile(r"[^\W\d][\w$-]*|\$[\w$-]+|\d\w*")
_SELECT = re.compile(r"\s*(\.\??|\[\??)")
_INT_MAX = 2**63 - 1


class Literal(NamedTuple):
    value: str | int | float
    at: int


class Call(NamedTuple):
    name: str
    arguments: tuple["Node", ...]
    at: int


class Select(NamedTuple):
    """A property or an element of `target`; `safe` is the form with `?`, which gives null for what is missing."""

    target: "Node"
    key: "Node"
    safe: bool
    at: int


Node = Literal | Call | Select


def is_expression(text: str) -> bool:
    """Say whether a text of a template is to be evaluated.

    >>> is_expression("[concat('a')]"), is_expression("[[a]"), is_expression("[a] b")
    (True, False, False)
    """
    return len(text) > 1 and text[0] == "[" and text[-1] == "]" and text[1] != "["


def escape(text: str) -> str:
    """Return the text as it stands in a template where it means itself.

    >>> escape("[dbo].[stock]"), escape("[dbo].stock")
    ('[[dbo].[stock]', '[dbo].stock')
    """
    return f"[{text}" if text[:1] == "[" and text[-1:] == "]" else text


def unescape(text: str) -> str:
    """Return what a text that is no expression means.

    >>> unescape("[[dbo].[stock]")
    '[dbo].[stock]'
    """
    return text[1:] if text[:2] == "[[" and text[-1:] == "]" else text


@lru_cache(maxsize=4096)
def parse(text: str) -> Node:
    """Return the tree of an expression, brackets included. Raises WrongExpression with the text and a caret."""
    if len(text) > MOST_CHARACTERS:
        raise wrong(text, 0, f"The expression has more than {MOST_CHARACTERS:,} characters.")
    parser = _Parser(text)
    node = parser.expression()
    parser.skip_blanks()
    if parser.at < parser.end:
        raise parser.error("The expression should end here.")
    return node


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 1
        self.end = len(text) - 1
        self.depth = 0

    def expression(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error(f"The expression is nested more than {MAX_DEPTH} deep.")
        node = self.primary()
        while found := _SELECT.match(self.text, self.at, self.end):
            node = self.select(node, found)
        self.skip_blanks()
        self.depth -= 1
        return node

    def primary(self) -> Node:
        self.skip_blanks()
        start = self.at
        if found := _STRING.match(self.text, start, self.end):
            self.at = found.end()
            return Literal(found[1].replace("''", "'"), start)
        if found := _NUMBER.match(self.text, start, self.end):
            self.at = found.end()
            return Literal(self.number(found, start), start)
        if found := _NAME.match(self.text, start, self.end):
            self.at = found.end()
            return self.call(found[0], start)
        raise self.error(_complaint(self.text[start : self.end][:1]))

    def number(self, found: re.Match[str], start: int) -> int | float:
        if found[1]:
            return float(found[0])
        if len(found[0]) > 20 or abs(int(found[0])) > _INT_MAX:
            raise wrong(self.text, start, "The number is too large: integers have 64 bits.")
        return int(found[0])

    def call(self, name: str, start: int) -> Node:
        self.skip_blanks()
        if self.peek() != "(":
            raise wrong(self.text, start, f"'{name}' stands alone: a function needs '(...)', and a text single quotes.")
        self.at += 1
        return Call(name, self.arguments(), start)

    def arguments(self) -> tuple[Node, ...]:
        self.skip_blanks()
        if self.peek() == ")":
            self.at += 1
            return ()
        found = [self.expression()]
        while self.peek() == ",":
            self.at += 1
            found.append(self.expression())
        self.expect(")", "',' or ')'")
        return tuple(found)

    def select(self, target: Node, found: re.Match[str]) -> Node:
        mark, start = found[1], found.start(1)
        self.at = found.end()
        if mark[0] == "[":
            key = self.expression()
            self.expect("]")
            return Select(target, key, mark == "[?", key.at)
        self.skip_blanks()
        name = _PROPERTY.match(self.text, self.at, self.end)
        if name is None:
            raise self.error("The name of a property should stand here.")
        self.at = name.end()
        return Select(target, Literal(name[0], name.start()), mark == ".?", start)

    def peek(self) -> str:
        return self.text[self.at] if self.at < self.end else ""

    def expect(self, character: str, said: str = "") -> None:
        if self.peek() != character:
            raise self.error(f"{said or repr(character)} should stand here.")
        self.at += 1

    def skip_blanks(self) -> None:
        found = _BLANK.match(self.text, self.at, self.end)
        self.at = found.end() if found else self.at

    def error(self, message: str) -> WrongExpression:
        self.skip_blanks()
        return wrong(self.text, self.at, message)


def _complaint(character: str) -> str:
    if character == '"':
        return "A text stands in single quotes, not in double ones."
    if character == "'":
        return "The text that opens here is not closed by a single quote."
    if not character:
        return "The expression ends too early."
    return "A value or a function should stand here."
