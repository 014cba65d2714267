"""From the path of a request to the operation that it asks for: any case, `//` as `/`, and no tricks.

What is fixed in a path is matched whatever its case; what is a name keeps the case that was sent. A name is decoded
once, and a path that could mean something else to somebody else (`..`, an encoded slash, a control character, bytes
that are no UTF-8) is refused before anything is looked up.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import unquote

from manara.errors import WrongDefinition
from manara.server.arm.names import check_name

_SCOPED = "/{scope}/providers/Microsoft.Authorization/"
_AUTHORITY = ["providers", "microsoft.authorization"]
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f/\\]")
_NAMED = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of the management API.

    `name` is Azure's (`Factories_Get`); `mark` says what becomes of it here: **E** works, **S** is stored and given
    back, **F** has a fixed answer, **N** is answered with 501. `action` is what a role must allow; it is empty where
    any signed-in caller is answered, and `scope` is the resource on which it must be allowed, as a template like
    `path`. `pageable` lists come with `nextLink`; `long_running` ones may be answered with 202. An `open` one is
    answered without a token.
    """

    name: str
    mark: str
    method: str
    path: str
    action: str
    scope: str
    pageable: bool = False
    long_running: bool = False
    open: bool = False

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names that the path holds, in order."""
        return tuple(_NAMED.findall(self.path))

    def resource(self, names: Mapping[str, str]) -> str:
        """Return the id of the resource on which the action must be allowed, with the names of a request."""
        return fill(self.scope, names)


def fill(template: str, names: Mapping[str, str]) -> str:
    """Return a path template with its names filled in.

    >>> fill("/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}",
    ...      {"subscriptionId": "1", "resourceGroupName": "field"})
    '/subscriptions/1/resourceGroups/field'
    >>> fill("/{scope}/providers/Microsoft.Authorization/permissions", {"scope": "/subscriptions/1"})
    '/subscriptions/1/providers/Microsoft.Authorization/permissions'
    """
    template = template.replace("/{scope}", "{scope}")
    return _NAMED.sub(lambda name: names[name[1]], template)


@dataclass(slots=True)
class _Node:
    fixed: dict[str, "_Node"] = field(default_factory=dict)
    named: "_Node | None" = None
    here: dict[str, Operation] = field(default_factory=dict)


class Routes:
    """The operations, ready to be looked up by method and path."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._plain, self._scoped = _Node(), _Node()
        self._operations = tuple(operations)
        for operation in self._operations:
            scoped = operation.path.startswith(_SCOPED)
            _plant(self._scoped if scoped else self._plain, operation, operation.path.removeprefix(_SCOPED))

    @cached_property
    def _parameters(self) -> dict[str, tuple[str, ...]]:
        return {operation.name: operation.parameters for operation in self._operations}

    def match(self, method: str, path: str) -> tuple[Operation, dict[str, str]] | frozenset[str] | None:
        """Return the operation and the names in its path; the allowed methods where only the method is wrong.

        `path` is the path as it was sent, still percent-encoded and without the query. None where nothing is there.
        Raises WrongDefinition for a path that plays tricks, and where a name that is to be created breaks the rules
        for names. The `scope` of an operation on any scope begins with a slash, and is empty for the whole of it.
        """
        segments = read_path(path)
        allowed: set[str] = set()
        for leaf, values in self._leaves(segments, [segment.lower() for segment in segments]):
            operation = leaf.get(method)
            if operation is None:
                allowed |= leaf.keys()
                continue
            names = dict(zip(self._parameters[operation.name], values, strict=True))
            if method == "PUT":
                _check_names(names)
            return operation, names
        return frozenset(allowed) if allowed else None

    def _leaves(self, segments: list[str], folded: list[str]) -> Iterator[tuple[dict[str, Operation], tuple[str, ...]]]:
        """What stands at the end of the path: what is on any scope first, then what is on a path of its own."""
        if "microsoft.authorization" in folded:
            at = _last_authority(folded)
            if at == 0 or (at > 0 and folded[0] == "subscriptions"):
                scope = "".join(f"/{segment}" for segment in segments[:at])
                yield from _walk(self._scoped, segments[at + 2 :], folded[at + 2 :], 0, (scope,))
        yield from _walk(self._plain, segments, folded, 0, ())


def read_path(path: str) -> list[str]:
    """Return the decoded segments of a path without the empty ones; raises WrongDefinition for one that plays tricks.

    >>> read_path("/subscriptions//1/resourceGroups/caf%C3%A9/")
    ['subscriptions', '1', 'resourceGroups', 'café']
    """
    segments = [segment for segment in path.split("/") if segment]
    if "%" in path:
        try:
            segments = [unquote(segment, errors="strict") for segment in segments]
        except UnicodeDecodeError:
            raise _refused("is not UTF-8 once decoded") from None
    for segment in segments:
        if segment in (".", ".."):
            raise _refused("goes up or stays with '.' or '..'")
        if not segment.isalnum() and _UNSAFE.search(segment):
            raise _refused("holds an encoded slash, a backslash or a control character")
    return segments


def _refused(why: str) -> WrongDefinition:
    return WrongDefinition(
        f"The path of the request {why}.", code="InvalidRequestUri", advice="Send the plain path of a resource."
    )


def _plant(root: _Node, operation: Operation, path: str) -> None:
    node = root
    for segment in filter(None, path.split("/")):
        if segment.startswith("{"):
            node.named = node.named or _Node()
            node = node.named
        else:
            node = node.fixed.setdefault(segment.lower(), _Node())
    if operation.method in node.here:
        raise ValueError(f"{operation.name} and {node.here[operation.method].name} have one path")
    node.here[operation.method] = operation


def _walk(
    node: _Node, segments: list[str], folded: list[str], at: int, values: tuple[str, ...]
) -> Iterator[tuple[dict[str, Operation], tuple[str, ...]]]:
    """Every leaf that the path leads to: a fixed segment is tried before a name."""
    if at == len(segments):
        if node.here:
            yield node.here, values
        return
    fixed = node.fixed.get(folded[at])
    if fixed is not None:
        yield from _walk(fixed, segments, folded, at + 1, values)
    if node.named is not None:
        yield from _walk(node.named, segments, folded, at + 1, (*values, segments[at]))


def _last_authority(folded: list[str]) -> int:
    """Return where the last `providers/Microsoft.Authorization` begins; -1 where there is none."""
    return next((at for at in range(len(folded) - 2, -1, -1) if folded[at : at + 2] == _AUTHORITY), -1)


def _check_names(names: Mapping[str, str]) -> None:
    for parameter, name in names.items():
        check_name(parameter, name)
