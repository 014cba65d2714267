"""The tree of an expression as a Python closure: what is found out once is not looked up again."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from manara.errors import WrongExpression
from manara.expr import collection, conversion, dates, logic, names, number, text  # noqa: F401  they fill the table
from manara.expr.fault import wrong
from manara.expr.parse import Call, Literal, Node, Select, Template
from manara.expr.table import ANYTHING, FUNCTIONS, Function, Kind, Scope, Unfit, nearest
from manara.expr.value import MISSING, find, kind_of, text_of

Evaluate = Callable[[Scope], Any]


def compile_tree(source: str, node: Node) -> Evaluate:
    """Return the function from a scope to the value of the expression.

    Raises WrongExpression for a function that does not exist or is given too few or too many arguments.
    """
    match node:
        case Literal(value=value):
            return lambda _: value
        case Template(parts=parts):
            return _template([compile_tree(source, part) for part in parts])
        case Call():
            return _call(source, node)
        case Select():
            return _select(source, node)


def _template(parts: Sequence[Evaluate]) -> Evaluate:
    return lambda scope: "".join([text_of(part(scope)) for part in parts])


def _call(source: str, node: Call) -> Evaluate:
    known = _known(source, node)
    arguments = tuple(compile_tree(source, argument) for argument in node.arguments)
    if known.lazy:
        return _lazy_call(source, node, known, arguments)
    if known.scoped and not arguments:
        return _scope_call(source, node, known)
    kinds = tuple(known.parameter(index).kind for index in range(len(arguments)))
    call, scoped, checked = known.call, known.scoped, any(kind is not ANYTHING for kind in kinds)

    def evaluate(scope: Scope) -> Any:
        values = [argument(scope) for argument in arguments]
        if checked:
            for value, kind in zip(values, kinds, strict=True):
                if type(value) not in kind.exact and not kind.accepts(value):
                    raise _mismatch(source, node, known, values, kinds)
        try:
            return call(scope, *values) if scoped else call(*values)
        except (Unfit, ArithmeticError, ValueError, MemoryError) as error:
            raise _unfit(source, node, known, error) from error

    return evaluate


def _known(source: str, node: Call) -> Function:
    known = FUNCTIONS.get(node.name.lower())
    if known is None:
        every = sorted(one.name for one in FUNCTIONS.values())
        raise wrong(source, node.at, f"There is no function '{node.name}'.", nearest(node.name, every))
    count = len(node.arguments)
    if count < known.least or (known.most is not None and count > known.most):
        given = f"{known.name} is given {count} argument" + ("" if count == 1 else "s")
        raise wrong(source, node.at, f"{given}.", signature=known.signature)
    return known


def _scope_call(source: str, node: Call, known: Function) -> Evaluate:
    call = known.call

    def evaluate(scope: Scope) -> Any:
        try:
            return call(scope)
        except Unfit as error:
            raise _unfit(source, node, known, error) from error

    return evaluate


def _lazy_call(source: str, node: Call, known: Function, arguments: Sequence[Evaluate]) -> Evaluate:
    def evaluate(scope: Scope) -> Any:
        try:
            return known.call(*[partial(argument, scope) for argument in arguments])
        except Unfit as error:
            raise _unfit(source, node, known, error) from error

    return evaluate


def _mismatch(
    source: str, node: Call, known: Function, values: Sequence[Any], kinds: Sequence[Kind]
) -> WrongExpression:
    at = next(index for index, value in enumerate(values) if not kinds[index].accepts(value))
    message = f"{known.name} takes {_article(kinds[at].word)} as its {_ordinal(at + 1)} argument, not "
    return wrong(source, node.arguments[at].at, f"{message}{kind_of(values[at])}.", signature=known.signature)


def _unfit(source: str, node: Call, known: Function, error: Exception) -> WrongExpression:
    said = str(error) if isinstance(error, Unfit) else f"it cannot be done with these values ({error})."
    return wrong(source, node.at, f"{known.name}: {said}", signature="" if known.scoped else known.signature)


def _article(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def _ordinal(place: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(place, f"{place}th")


def _select(source: str, node: Select) -> Evaluate:
    target = compile_tree(source, node.target)
    if isinstance(node.key, Literal):
        return _fixed_select(source, node, target, node.key.value)
    key = compile_tree(source, node.key)
    return lambda scope: _element(source, node, target(scope), key(scope))


def _fixed_select(source: str, node: Select, target: Evaluate, key: Any) -> Evaluate:
    def evaluate(scope: Scope) -> Any:
        value = target(scope)
        if type(value) is dict and key in value and type(key) is str:
            return value[key]
        return _element(source, node, value, key)

    return evaluate


def _element(source: str, node: Select, value: Any, key: Any) -> Any:
    if value is None:
        if node.safe:
            return None
        raise wrong(source, node.at, f"{_said(key)} cannot be taken from null.", "'?' before it gives null instead.")
    if isinstance(value, Mapping):
        return _property(source, node, value, key)
    if isinstance(value, (list, tuple)):
        return _item(source, node, value, key)
    raise wrong(source, node.at, f"{_said(key)} cannot be taken from {kind_of(value)}.")


def _property(source: str, node: Select, value: Mapping[str, Any], key: Any) -> Any:
    if not isinstance(key, str):
        raise wrong(source, node.at, f"An object is asked for a property by name, not by {kind_of(key)}.")
    found = find(value, key)
    if found is not MISSING:
        return found
    if node.safe:
        return None
    raise wrong(source, node.at, f"The property '{key}' does not exist.", nearest(key, list(value)))


def _item(source: str, node: Select, value: Sequence[Any], key: Any) -> Any:
    if not isinstance(key, int) or isinstance(key, bool):
        raise wrong(source, node.at, f"An element of an array is asked for by an integer, not by {kind_of(key)}.")
    if 0 <= key < len(value):
        return value[key]
    if node.safe:
        return None
    raise wrong(source, node.at, f"The array has {len(value)} elements, counted from 0; there is none at {key}.")


def _said(key: Any) -> str:
    return f"The property '{key}'" if isinstance(key, str) else f"The element {text_of(key)}"
