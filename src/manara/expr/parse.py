"""The text of an expression as a tree."""

import re
from typing import NamedTuple

from manara.errors import WrongExpression
from manara.expr.fault import wrong
from manara.expr.table import INT_MAX, INT_MIN

MAX_DEPTH = 120

_BLANK = re.compile(r"\s*")
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?(?![\w.])")
_STRING = re.compile(r"'((?:[^']++|'')*+)'")
_NAME = re.compile(r"[A-Za-z_]\w*")
_PROPERTY = re.compile(r"[^\W\d][\w$-]*|\$[\w$-]+|\d\w*")
_SELECT = re.compile(r"\s*(\??[.\[])")
_CONSTANTS = {"true": True, "false": False, "null": None}


class Literal(NamedTuple):
    value: str | int | float | bool | None
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


class Template(NamedTuple):
    """Text with `@{...}` in it: the result is always a string."""

    parts: tuple["Node", ...]
    at: int


Node = Literal | Call | Select | Template


def parse(text: str) -> Node:
    """Return the tree of a text as it stands in a definition, with or without an expression in it.

    Raises WrongExpression with the text and a caret. Where a text opens with `@@`, one `@` is dropped and the rest is
    text that may hold `@{...}` (the reference does not say; this keeps both escapes working together).
    """
    if "@" not in text or text == "@":
        return Literal(text, 0)
    if text[0] == "@" and text[1] not in "@{":
        return _whole(text)
    if text.startswith("@@") and not text.startswith("@@{"):
        return _template(text, 2, "@")
    return _template(text, 0, "")


def _whole(text: str) -> Node:
    parser = _Parser(text, 1)
    node = parser.expression()
    if parser.at < len(text):
        raise parser.error("The expression should end here.")
    return node


def _template(text: str, start: int, before: str) -> Node:
    parts: list[Node] = []
    while (opening := text.find("@{", start)) >= 0:
        before += text[start:opening]
        if opening > start and before.endswith("@"):
            before, start = before + "{", opening + 2
            continue
        parser = _Parser(text, opening + 2)
        node = parser.expression()
        parser.expect("}")
        parts += [Literal(before, start), node] if before else [node]
        before, start = "", parser.at
    before += text[start:]
    if not parts:
        return Literal(before, 0)
    return Template((*parts, Literal(before, start)) if before else tuple(parts), 0)


class _Parser:
    def __init__(self, text: str, at: int) -> None:
        self.text = text
        self.at = at
        self.depth = 0

    def expression(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error(f"The expression is nested more than {MAX_DEPTH} deep.")
        node = self.primary()
        while found := _SELECT.match(self.text, self.at):
            node = self.select(node, found)
        self.skip_blanks()
        self.depth -= 1
        return node

    def primary(self) -> Node:
        self.skip_blanks()
        start = self.at
        if found := _STRING.match(self.text, start):
            self.at = found.end()
            return Literal(found[1].replace("''", "'"), start)
        if found := _NUMBER.match(self.text, start):
            self.at = found.end()
            return Literal(self.number(found, start), start)
        if found := _NAME.match(self.text, start):
            self.at = found.end()
            return self.named(found[0], start)
        raise self.error(_complaint(self.text, start))

    def number(self, found: re.Match[str], start: int) -> int | float:
        if found[1] or found[2]:
            value = float(found[0])
            fits = abs(value) != float("inf")
        else:
            fits = len(found[0]) < 21 and INT_MIN <= int(found[0]) <= INT_MAX
            value = int(found[0]) if fits else 0
        if not fits:
            raise wrong(self.text, start, "The number is too large: integers have 64 bits.")
        return value

    def named(self, name: str, start: int) -> Node:
        self.skip_blanks()
        if self.peek() == "(":
            self.at += 1
            return Call(name, self.arguments(), start)
        if name.lower() in _CONSTANTS:
            return Literal(_CONSTANTS[name.lower()], start)
        raise wrong(self.text, start, f"'{name}' stands alone: a function needs '(...)', and a text single quotes.")

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
        if mark.endswith("["):
            key = self.expression()
            self.expect("]")
            return Select(target, key, mark == "?[", key.at)
        self.skip_blanks()
        name = _PROPERTY.match(self.text, self.at)
        if name is None:
            raise self.error("The name of a property should stand here.")
        self.at = name.end()
        return Select(target, Literal(name[0], name.start()), mark == "?.", name.start() if name[0] else start)

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def expect(self, character: str, said: str = "") -> None:
        if self.peek() != character:
            raise self.error(f"{said or repr(character)} should stand here.")
        self.at += 1

    def skip_blanks(self) -> None:
        found = _BLANK.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def error(self, message: str) -> WrongExpression:
        self.skip_blanks()
        return wrong(self.text, self.at, message)


def _complaint(text: str, at: int) -> str:
    character = text[at : at + 1]
    if character == '"':
        return "A text stands in single quotes, not in double ones."
    if character == "'":
        return "The text that opens here is not closed by a single quote."
    if character == "[":
        return "An array is made with createArray(...)."
    if not character:
        return "The expression ends too early."
    return "A value or a function should stand here."
