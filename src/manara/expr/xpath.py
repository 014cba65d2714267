"""XPath 1.0 over the tree of `markup`: all axes but `namespace`, all functions but `id` and `lang`."""

import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from manara.expr.markup import XmlNode
from manara.expr.table import Unfit
from manara.expr.value import float_text

Found = list[XmlNode] | str | float | bool

_PIECE = re.compile(
    r"""\s*(?:(?P<number>\d+(?:\.\d*)?|\.\d+)|(?P<text>"[^"]*"|'[^']*')|(?P<name>[^\W\d][\w.-]*(?::(?:[^\W\d][\w.-]*|\*))?)
        |(?P<sign>//|\.\.|::|!=|<=|>=|[/.@()\[\],|+\-=<>*]))""",
    re.VERBOSE,
)
_OPERATOR_NAMES = {"and", "or", "div", "mod"}
_LEVELS = ({"or"}, {"and"}, {"=", "!="}, {"<", "<=", ">", ">="}, {"+", "-"}, {"*", "div", "mod"})
_NODE_TESTS = {"node": None, "text": "text", "comment": "comment", "processing-instruction": "instruction"}
MAX_DEPTH = 60


class Place(NamedTuple):
    """Where an expression is evaluated: the node, its position among its fellows (from 1), and how many there are."""

    node: XmlNode
    position: int
    size: int


Evaluate = Callable[[Place], Found]


def search(document: XmlNode, expression: str) -> Found:
    """Return what the expression gives: nodes in the order of the document, a text, a number or a boolean."""
    return _compiled(expression)(Place(document, 1, 1))


@lru_cache(maxsize=256)
def _compiled(expression: str) -> Evaluate:
    parser = _Parser(expression)
    evaluate = parser.level(0)
    if parser.peek():
        raise parser.error()
    return evaluate


class _Parser:
    def __init__(self, expression: str) -> None:
        self.expression = expression
        self.pieces = list(_pieces(expression))
        self.at = 0
        self.depth = 0

    def peek(self) -> str:
        return self.pieces[self.at][1] if self.at < len(self.pieces) else ""

    def kind(self, ahead: int = 0) -> str:
        return self.pieces[self.at + ahead][0] if self.at + ahead < len(self.pieces) else ""

    def after(self) -> str:
        return self.pieces[self.at + 1][1] if self.at + 1 < len(self.pieces) else ""

    def take(self) -> str:
        piece = self.peek()
        self.at += 1
        return piece

    def accept(self, sign: str) -> bool:
        if self.kind() not in ("text", "name", "number") and self.peek() == sign:
            self.at += 1
            return True
        return False

    def expect(self, sign: str) -> None:
        if not self.accept(sign):
            raise self.error()

    def error(self) -> Unfit:
        return Unfit(f"The XPath '{self.expression[:80]}' is not understood at '{self.peek() or 'its end'}'.")

    def level(self, level: int) -> Evaluate:
        """Return an expression whose operators bind at least as strongly as those of the level."""
        if level == len(_LEVELS):
            return self.unary()
        if level == 0:
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise Unfit(f"The XPath is nested more than {MAX_DEPTH} deep.")
        left = self.level(level + 1)
        while self.kind() == "operator" and self.peek() in _LEVELS[level]:
            left = _binary(self.take(), left, self.level(level + 1))
        self.depth -= level == 0
        return left

    def unary(self) -> Evaluate:
        minus = False
        while self.kind() == "operator" and self.peek() == "-":
            self.at += 1
            minus = not minus
        value = self.union()
        return (lambda place: -number_of(value(place))) if minus else value

    def union(self) -> Evaluate:
        paths = [self.path()]
        while self.kind() == "operator" and self.peek() == "|":
            self.at += 1
            paths.append(self.path())
        return paths[0] if len(paths) == 1 else lambda place: _ordered(_nodes(path(place)) for path in paths)

    def path(self) -> Evaluate:
        if self.kind() in ("text", "number") or self.peek() == "(" or self.is_call():
            return self.filtered()
        absolute = self.peek() in ("/", "//")
        steps: list[Step] = []
        if self.accept("//"):
            steps.append(_every_node)
        elif self.accept("/") and not self.starts_step():
            return lambda place: [_root(place.node)]
        steps += self.relative()
        return _path(absolute, steps)

    def filtered(self) -> Evaluate:
        base = self.basic()
        tests = self.predicates()
        value = base if not tests else lambda place: _kept(_nodes(base(place)), tests)
        if self.peek() not in ("/", "//") or self.kind() != "sign":
            return value
        steps: list[Step] = [_every_node] if self.accept("//") else []
        if not steps:
            self.expect("/")
        steps += self.relative()
        return lambda place: _walk(_nodes(value(place)), steps)

    def basic(self) -> Evaluate:
        kind = self.kind()
        if kind == "text":
            text = self.take()[1:-1]
            return lambda _: text
        if kind == "number":
            number = float(self.take())
            return lambda _: number
        if self.accept("("):
            value = self.level(0)
            self.expect(")")
            return value
        return self.call()

    def is_call(self) -> bool:
        return self.kind() == "name" and self.after() == "(" and self.peek() not in _NODE_TESTS

    def call(self) -> Evaluate:
        name = self.take()
        self.expect("(")
        arguments: list[Evaluate] = []
        while not self.accept(")"):
            if arguments:
                self.expect(",")
            arguments.append(self.level(0))
        if name not in _FUNCTIONS:
            raise Unfit(f"XPath has no function '{name}'; there are {', '.join(sorted(_FUNCTIONS))}.")
        least, most, function = _FUNCTIONS[name]
        if not least <= len(arguments) <= most:
            raise Unfit(f"The XPath function '{name}' is given {len(arguments)} arguments.")
        return lambda place: function(place, *[argument(place) for argument in arguments])

    def starts_step(self) -> bool:
        return self.kind() == "name" or (self.kind() == "sign" and self.peek() in (".", "..", "@", "*"))

    def relative(self) -> list["Step"]:
        steps = [self.step()]
        while self.kind() == "sign" and self.peek() in ("/", "//"):
            if self.take() == "//":
                steps.append(_every_node)
            steps.append(self.step())
        return steps

    def step(self) -> "Step":
        if self.accept("."):
            return _step(_AXES["self"], _any_node, [], reverse=False)
        if self.accept(".."):
            return _step(_AXES["parent"], _any_node, [], reverse=False)
        axis = "child"
        if self.accept("@"):
            axis = "attribute"
        elif self.kind() == "name" and self.after() == "::":
            axis = self.take()
            self.expect("::")
        if axis not in _AXES:
            raise Unfit(f"XPath knows no axis '{axis}' here; there are {', '.join(_AXES)}.")
        test = self.test("attribute" if axis == "attribute" else "element")
        return _step(_AXES[axis], test, self.predicates(), reverse=axis in _REVERSE)

    def test(self, kind: str) -> Callable[[XmlNode], bool]:
        if self.accept("*"):
            return lambda node: node.kind == kind
        if self.kind() != "name":
            raise self.error()
        name = self.take()
        if name in _NODE_TESTS and self.accept("("):
            if self.kind() == "text":
                self.take()
            self.expect(")")
            wanted = _NODE_TESTS[name]
            return lambda node: wanted is None or node.kind == wanted
        if ":" in name:
            raise Unfit(f"The prefix of '{name}' stands for no namespace here; use *[local-name()='...'].")
        return lambda node: node.kind == kind and node.name == name and not node.space()

    def predicates(self) -> list[Evaluate]:
        tests = []
        while self.accept("["):
            tests.append(self.level(0))
            self.expect("]")
        return tests


def _pieces(expression: str) -> Iterator[tuple[str, str]]:
    at, before = 0, ""
    end = len(expression.rstrip())
    while at < end:
        found = _PIECE.match(expression, at)
        if found is None:
            raise Unfit(f"The XPath '{expression[:80]}' is not understood at '{expression[at : at + 20]}'.")
        kind, piece = str(found.lastgroup), found[str(found.lastgroup)]
        # A name or `*` after a value is an operator, otherwise the name of a node (XPath 1.0, section 3.7).
        if before and before not in ("operator", "opening"):
            kind = "operator" if piece in _OPERATOR_NAMES or piece == "*" else kind
        if kind == "sign" and piece in ("|", "+", "-", "=", "!=", "<", "<=", ">", ">="):
            kind = "operator"
        before = "opening" if kind == "sign" and piece in ("@", "::", "(", "[", ",", "/", "//") else kind
        yield kind, piece
        at = found.end()


Step = Callable[[XmlNode], list[XmlNode]]


def _step(
    axis: Callable[[XmlNode], Iterable[XmlNode]],
    test: Callable[[XmlNode], bool],
    tests: list[Evaluate],
    *,
    reverse: bool,
) -> Step:
    def walk(node: XmlNode) -> list[XmlNode]:
        kept = _kept([one for one in axis(node) if test(one)], tests)
        return kept[::-1] if reverse else kept

    return walk


def _any_node(_: XmlNode) -> bool:
    return True


def _every_node(node: XmlNode) -> list[XmlNode]:
    return [node, *node.descendants()]


def _path(absolute: bool, steps: list[Step]) -> Evaluate:
    return lambda place: _walk([_root(place.node) if absolute else place.node], steps)


def _walk(nodes: list[XmlNode], steps: list[Step]) -> list[XmlNode]:
    for step in steps:
        nodes = _ordered(step(node) for node in nodes)
    return nodes


def _ordered(groups: Iterable[list[XmlNode]]) -> list[XmlNode]:
    found = {node.order: node for group in groups for node in group}
    return [found[order] for order in sorted(found)]


def _kept(nodes: list[XmlNode], tests: list[Evaluate]) -> list[XmlNode]:
    for test in tests:
        size = len(nodes)
        nodes = [node for at, node in enumerate(nodes, 1) if _holds(test(Place(node, at, size)), at)]
    return nodes


def _holds(value: Found, position: int) -> bool:
    return value == position if isinstance(value, float) else boolean_of(value)


def _root(node: XmlNode) -> XmlNode:
    while node.parent:
        node = node.parent
    return node


def _ancestors(node: XmlNode) -> list[XmlNode]:
    found = []
    while node.parent:
        node = node.parent
        found.append(node)
    return found


def _fellows(node: XmlNode, *, after: bool) -> list[XmlNode]:
    if node.parent is None or node.kind == "attribute":
        return []
    fellows = [one for one in node.parent.children if (one.order > node.order) == after and one is not node]
    return fellows if after else fellows[::-1]


def _following(node: XmlNode) -> list[XmlNode]:
    fellows = [one for base in (node, *_ancestors(node)) for one in _fellows(base, after=True)]
    return [below for one in fellows for below in _every_node(one)]


def _preceding(node: XmlNode) -> list[XmlNode]:
    fellows = [one for base in (node, *_ancestors(node)) for one in _fellows(base, after=False)]
    return [below for one in fellows for below in reversed(_every_node(one))]


_AXES: dict[str, Callable[[XmlNode], Iterable[XmlNode]]] = {
    "child": lambda node: node.children,
    "attribute": lambda node: [one for one in node.attributes if one.name.split(":")[0] != "xmlns"],
    "self": lambda node: [node],
    "parent": lambda node: [node.parent] if node.parent else [],
    "descendant": lambda node: node.descendants(),
    "descendant-or-self": _every_node,
    "ancestor": _ancestors,
    "ancestor-or-self": lambda node: [node, *_ancestors(node)],
    "following-sibling": lambda node: _fellows(node, after=True),
    "preceding-sibling": lambda node: _fellows(node, after=False),
    "following": _following,
    "preceding": _preceding,
}
_REVERSE = {"ancestor", "ancestor-or-self", "preceding-sibling", "preceding"}


def text_of(value: Found) -> str:
    """Return the value as XPath's `string` does: of nodes, the text of the first."""
    if isinstance(value, list):
        return value[0].text_content() if value else ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return float_text(value) if isinstance(value, float) else value


def number_of(value: Found) -> float:
    """Return the value as XPath's `number` does; what is no number is NaN."""
    if isinstance(value, (bool, float)):
        return float(value)
    text = text_of(value).strip()
    return float(text) if re.fullmatch(r"-?(\d+\.?\d*|\.\d+)", text, re.ASCII) else math.nan


def boolean_of(value: Found) -> bool:
    """Return the value as XPath's `boolean` does."""
    return bool(value) and not (isinstance(value, float) and math.isnan(value))


def _nodes(value: Found) -> list[XmlNode]:
    if isinstance(value, list):
        return value
    raise Unfit("The XPath treats a text or a number like a set of nodes.")


_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "div": lambda left, right: left / right if right else math.nan if not left else math.copysign(math.inf, left),
    "mod": lambda left, right: math.fmod(left, right) if right else math.nan,
}
_ORDER: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _binary(sign: str, left: Evaluate, right: Evaluate) -> Evaluate:
    if sign in _ARITHMETIC:
        calculate = _ARITHMETIC[sign]
        return lambda place: calculate(number_of(left(place)), number_of(right(place)))
    if sign == "and":
        return lambda place: boolean_of(left(place)) and boolean_of(right(place))
    if sign == "or":
        return lambda place: boolean_of(left(place)) or boolean_of(right(place))
    return lambda place: _compare(sign, left(place), right(place))


def _compare(sign: str, left: Found, right: Found) -> bool:
    """Return whether any value on the left and any on the right stand in the relation (section 3.4)."""
    if isinstance(left, bool) or isinstance(right, bool):
        left, right = boolean_of(left), boolean_of(right)
    lefts: list[Found] = [node.text_content() for node in left] if isinstance(left, list) else [left]
    rights: list[Found] = [node.text_content() for node in right] if isinstance(right, list) else [right]
    return any(_relation(sign, one, other) for one in lefts for other in rights)


def _relation(sign: str, left: Found, right: Found) -> bool:
    if sign in _ORDER:
        return _ORDER[sign](number_of(left), number_of(right))
    if isinstance(left, float) or isinstance(right, float):
        return (number_of(left) == number_of(right)) == (sign == "=")
    return (left == right) == (sign == "=")


def _of_first(place: Place, nodes: tuple[Found, ...], read: Callable[[XmlNode], str]) -> str:
    chosen = _nodes(nodes[0]) if nodes else [place.node]
    return read(chosen[0]) if chosen else ""


def _substring(_: Place, value: Found, start: Found, length: Found = math.inf) -> str:
    first = math.floor(number_of(start) + 0.5)
    limit = number_of(length)
    end = math.inf if math.isinf(limit) else first + math.floor(limit + 0.5)
    return "".join(one for at, one in enumerate(text_of(value), 1) if first <= at < end)


def _translate(_: Place, value: Found, source: Found, target: Found) -> str:
    wanted, given = text_of(source), text_of(target)
    table = {ord(one): (given[at] if at < len(given) else None) for at, one in reversed(list(enumerate(wanted)))}
    return text_of(value).translate(table)


def _own_text(place: Place, values: tuple[Found, ...]) -> str:
    return text_of(values[0]) if values else place.node.text_content()


_FUNCTIONS: dict[str, tuple[int, float, Callable[..., Found]]] = {
    "last": (0, 0, lambda place: float(place.size)),
    "position": (0, 0, lambda place: float(place.position)),
    "count": (1, 1, lambda _, nodes: float(len(_nodes(nodes)))),
    "name": (0, 1, lambda place, *nodes: _of_first(place, nodes, lambda node: node.name)),
    "local-name": (0, 1, lambda place, *nodes: _of_first(place, nodes, lambda node: node.local_name)),
    "namespace-uri": (0, 1, lambda place, *nodes: _of_first(place, nodes, lambda node: node.space())),
    "string": (0, 1, lambda place, *values: _own_text(place, values)),
    "concat": (2, math.inf, lambda _, *values: "".join(map(text_of, values))),
    "starts-with": (2, 2, lambda _, value, start: text_of(value).startswith(text_of(start))),
    "contains": (2, 2, lambda _, value, part: text_of(part) in text_of(value)),
    "substring-before": (2, 2, lambda _, value, mark: _before(text_of(value), text_of(mark))),
    "substring-after": (
        2,
        2,
        lambda _, value, mark: _after(text_of(value), text_of(mark)),
    ),
    "substring": (2, 3, _substring),
    "string-length": (0, 1, lambda place, *values: float(len(_own_text(place, values)))),
    "normalize-space": (0, 1, lambda place, *values: " ".join(_own_text(place, values).split())),
    "translate": (3, 3, _translate),
    "boolean": (1, 1, lambda _, value: boolean_of(value)),
    "not": (1, 1, lambda _, value: not boolean_of(value)),
    "true": (0, 0, lambda _: True),
    "false": (0, 0, lambda _: False),
    "number": (0, 1, lambda place, *values: number_of(values[0] if values else [place.node])),
    "sum": (1, 1, lambda _, nodes: math.fsum(number_of([node]) for node in _nodes(nodes))),
    "floor": (1, 1, lambda _, value: _rounded(math.floor, value)),
    "ceiling": (1, 1, lambda _, value: _rounded(math.ceil, value)),
    "round": (1, 1, lambda _, value: _rounded(lambda number: math.floor(number + 0.5), value)),
}


def _before(value: str, mark: str) -> str:
    return value[: value.find(mark)] if mark and mark in value else ""


def _after(value: str, mark: str) -> str:
    return value.partition(mark)[2] if mark else value


def _rounded(rule: Callable[[float], int], value: Found) -> float:
    number = number_of(value)
    return float(rule(number)) if math.isfinite(number) else number
