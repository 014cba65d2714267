"""Evaluate, resolve and check expressions: the door of the room."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from manara.errors import WrongExpression
from manara.expr import parse as tree
from manara.expr.compile import Evaluate, compile_tree
from manara.expr.fault import wrong
from manara.expr.table import FUNCTIONS, Scope

_LONGEST_CACHED = 20_000
_TOO_DEEP = "It is nested too deeply."

ReferenceKind = Literal[
    "parameter", "globalParameter", "system", "variable", "activity", "item", "dataset", "linkedService", "trigger"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One name that an expression uses; `path` is the place of the expression in the JSON value.

    `name` is empty where the whole is used (`item()`, `pipeline().parameters`) or where it is computed.
    """

    kind: ReferenceKind
    name: str
    path: str


def evaluate(text: str, scope: Scope) -> Any:
    """Return the value of a text as it stands in a definition; text without an expression stays as it is.

    >>> evaluate("@add(item().size, 1)", {"item": {"size": 4}})
    5
    >>> evaluate("n=@{item().size}", {"item": {"size": 4}})
    'n=4'

    The scope has the keys `pipeline`, `variables`, `activities`, `item`, `items`, `dataset`, `linkedService` and
    `trigger`, each where it applies, as mappings. Raises WrongExpression with the text and a caret.
    """
    if "@" not in text:
        return text
    try:
        return _compiled(text)(scope)
    except RecursionError:
        raise wrong(text, 0, _TOO_DEEP) from None


def resolve(value: Any, scope: Scope) -> Any:
    """Return a JSON value with every expression in it replaced by its value.

    An expression is a string with `@`, or `{"value": ..., "type": "Expression"}`. An error names the JSON path.
    """
    try:
        return _resolved(value, scope, "")
    except RecursionError:
        raise WrongExpression(_TOO_DEEP) from None


def check(value: Any) -> list[tuple[str, WrongExpression]]:
    """Return what is wrong with the expressions in a JSON value, each with its JSON path (`a.b[0]`).

    Finds wrong syntax, unknown functions and wrong numbers of arguments; values are not looked at.
    """
    faults = []
    for path, text in expressions(value):
        try:
            _compiled(text)
        except WrongExpression as error:
            faults.append((path, error))
        except RecursionError:
            faults.append((path, wrong(text, 0, _TOO_DEEP)))
    return faults


def references(value: Any) -> list[Reference]:
    """Return the names that the expressions in a JSON value use; expressions that cannot be parsed have none."""
    found = []
    for path, text in expressions(value):
        try:
            found += [Reference(kind=kind, name=name, path=path) for kind, name in _named(tree.parse(text))]
        except (WrongExpression, RecursionError):
            continue  # `check` reports it
    return found


def functions() -> dict[str, str]:
    """Return the signature of every function, by name."""
    return {one.name: one.signature for one in sorted(FUNCTIONS.values(), key=lambda one: one.name.lower())}


def expressions(value: Any) -> Iterator[tuple[str, str]]:
    """Yield every string of a JSON value that holds an `@`, with its JSON path; however deep it lies."""
    pending: list[tuple[str, Any]] = [("", value)]
    while pending:
        path, one = pending.pop()
        if isinstance(one, str):
            if "@" in one:
                yield path, one
        elif isinstance(one, Mapping):
            pending += [(_below(path, key), part) for key, part in reversed(list(one.items()))]
        elif isinstance(one, (list, tuple)):
            pending += [(f"{path}[{at}]", part) for at, part in reversed(list(enumerate(one)))]


def _below(path: str, key: Any) -> str:
    name = str(key)
    if not name.replace("_", "a").isalnum():
        return f"{path}['{name}']"
    return f"{path}.{name}" if path else name


@lru_cache(maxsize=4096)
def _kept(text: str) -> Evaluate:
    return compile_tree(text, tree.parse(text))


def _compiled(text: str) -> Evaluate:
    # A huge text is not kept: 4,096 of them would fill the memory.
    return _kept(text) if len(text) <= _LONGEST_CACHED else compile_tree(text, tree.parse(text))


def _resolved(value: Any, scope: Scope, path: str) -> Any:
    if isinstance(value, str):
        if "@" not in value:
            return value
        try:
            return evaluate(value, scope)
        except WrongExpression as error:
            if path:
                error.at(path)
            raise
    if isinstance(value, Mapping):
        if is_expression(value):
            return _resolved(value["value"], scope, _below(path, "value"))
        return {key: _resolved(part, scope, _below(path, key)) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_resolved(part, scope, f"{path}[{at}]") for at, part in enumerate(value)]
    return value


def is_expression(value: Mapping[str, Any]) -> bool:
    """Return whether an object is ADF's long form of an expression."""
    kind = value.get("type")
    return isinstance(kind, str) and kind.lower() == "expression" and "value" in value


_Named = Iterator[tuple[ReferenceKind, str]]
_HOLDERS: Mapping[str, ReferenceKind] = {"parameters": "parameter", "globalparameters": "globalParameter"}
_WHOLE: Mapping[str, ReferenceKind] = {
    "item": "item",
    "dataset": "dataset",
    "linkedservice": "linkedService",
    "trigger": "trigger",
    "triggerbody": "trigger",
    "triggeroutputs": "trigger",
}


def _named(node: tree.Node) -> _Named:
    """Yield the names that a tree uses, in the order of the text."""
    match node:
        case tree.Template(parts=parts):
            yield from _of_all(parts)
        case tree.Select():
            yield from _of_selection(node)
        case tree.Call(name=name, arguments=arguments):
            yield from _of_call(name.lower(), arguments)


def _of_all(nodes: tuple[tree.Node, ...]) -> _Named:
    for node in nodes:
        yield from _named(node)


def _of_call(name: str, arguments: tuple[tree.Node, ...]) -> _Named:
    if name in ("variables", "activity") and len(arguments) == 1:
        yield "variable" if name == "variables" else "activity", _text(arguments[0])
    elif name in _WHOLE:
        yield _WHOLE[name], ""
    elif name == "pipeline":
        yield "system", ""
    yield from _of_all(arguments)


def _of_selection(node: tree.Select) -> _Named:
    """Yield the names of a chain such as `pipeline().parameters.x.y`, of which `x` is the parameter."""
    keys: list[tree.Node] = []
    base: tree.Node = node
    while isinstance(base, tree.Select):
        keys.insert(0, base.key)
        base = base.target
    if isinstance(base, tree.Call) and base.name.lower() == "pipeline":
        yield _of_pipeline([_text(key) for key in keys])
    elif isinstance(base, tree.Call) and base.name.lower() in _WHOLE:
        yield _WHOLE[base.name.lower()], _text(keys[0])
    else:
        yield from _named(base)
    yield from _of_all(tuple(keys))


def _of_pipeline(names: list[str]) -> tuple[ReferenceKind, str]:
    head, second = names[0].lower(), names[1] if len(names) > 1 else ""
    if head in _HOLDERS:
        return _HOLDERS[head], second
    if head in ("dataset", "linkedservice"):
        return _WHOLE[head], second
    return "system", names[0]


def _text(node: tree.Node) -> str:
    return node.value if isinstance(node, tree.Literal) and isinstance(node.value, str) else ""
