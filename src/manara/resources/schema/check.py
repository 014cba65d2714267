"""What is wrong with a body that somebody sends: its shape, held against what Azure says of its type.

Taken as real factories write it: expressions anywhere, numbers and booleans as texts, null and the empty text for
nothing, properties and types that are newer than the table. See docs/decisions/bodies-and-schema.md.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from manara.errors import Fault
from manara.registry import near
from manara.resources.azure import unknown_side
from manara.resources.check import Known
from manara.resources.factory import shown
from manara.resources.schema.table import Shape, read_table

MOST_FAULTS = 100
DEEPEST = 100
"""How deep a body may be nested: more has no use, and would ask too much of every reader after this one."""

_BROKEN_CLIENT = re.compile(r"azsdk-python-mgmt-datafactory/(10\.\S+)")
_FAMILIES = {"Execution", "Container", "MultiplePipelineTrigger", "TabularSource", "TriggerDependencyReference"}
"""What such a client sends in the place of a type: the name of the family that the type belongs to."""

_SECRETS = ("securestring", "azurekeyvaultsecret")
_NEWER = {"Activity": {"SqlPoolStoredProcedure"}}
"""Types that Azure has and its schema lacks."""

_OWN: Mapping[str, Callable[[Known], Collection[str]]] = {
    "Activity": lambda known: known.activities,
    "Dataset": lambda known: known.datasets,
    "LinkedService": lambda known: known.connectors,
}
_SIDES = {"CopySource": "source", "CopySink": "sink"}
_CLOSED = {"dependencyConditions", "frequency", "weekDays", "state", "onInactiveMarkAs"}
"""The properties that take the listed words only. Other lists of words grow with each version of Azure."""

_PARAMETER_TYPES = {"string", "securestring", "bool", "boolean", "int", "integer", "float", "array", "object"}


def check_body(kind: str, body: Any, *, known: Known | None = None, client: str = "") -> list[Fault]:
    """Return every fault in the shape of a body, in the order of the body; none where it can be taken.

    `kind` is one such as `linkedService`; one that the table does not have is not looked into. `known` tells the types
    that run here beside Azure's own, `client` the User-Agent of the sender.
    """
    if depth_over(body, DEEPEST):
        return [Fault(file=kind, path="", message=f"The body is nested deeper than {DEEPEST} levels.")]
    found = _Found(kind, known, client)
    spec = read_table().resources.get(kind)
    if not isinstance(body, Mapping):
        found.add("", "The body is no JSON object.", 'Send {"properties": {...}}.')
    elif spec and body.get("properties") is not None:
        found.look(spec, body["properties"], "properties")
    elif spec and kind != "factory":
        advice = "Put what describes the resource into 'properties'." if len(body) > 0 else ""
        found.add("properties", "The body has no 'properties'.", advice)
    return found.faults


def depth_over(value: Any, levels: int) -> bool:
    """Return whether objects and lists stand in one another deeper than `levels`."""
    layer = [value]
    for _ in range(levels + 1):
        layer = [
            part
            for each in layer
            if isinstance(each, Mapping | list)
            for part in (each.values() if isinstance(each, Mapping) else each)
        ]
        if not layer:
            return False
    return True


def is_computed(value: Any) -> bool:
    """Return whether a value is an expression, whose result is known only in a run.

    >>> is_computed({"value": "@item()", "type": "Expression"}), is_computed("a-@{item()}"), is_computed("a@b.org")
    (True, True, False)
    """
    if isinstance(value, Mapping):
        return str(value.get("type", "")).lower() == "expression" and "value" in value
    return isinstance(value, str) and (value.startswith("@") or "@{" in value)


class _Found:
    """The faults of one body, as they are found."""

    def __init__(self, kind: str, known: Known | None, client: str) -> None:
        self.faults: list[Fault] = []
        self._kind = kind
        self._known = known
        self._client = _BROKEN_CLIENT.search(client)
        self._is_told = False

    def add(self, path: str, message: str, advice: str = "") -> None:
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(Fault(file=self._kind, path=path[:400], message=message, advice=advice))

    def look(self, spec: str, value: Any, path: str) -> None:
        """Hold a value against what it must be."""
        if value is None:
            return
        if spec.startswith("#"):
            self._shape(spec[1:], value, path)
        elif spec.startswith("list of "):
            self._list(spec[8:], value, path)
        elif spec.startswith("map of "):
            self._map(spec[7:], value, path)
        elif spec.startswith("one of "):
            self._word(spec[7:].split(" "), value, path)
        elif not is_computed(value) and not _FITS[spec](value):
            self.add(path, f"Here stands {_sort(value)}, where {_WORDS[spec.lstrip('~')]} is wanted.")

    def _list(self, spec: str, value: Any, path: str) -> None:
        if not isinstance(value, list):
            if value and not is_computed(value):
                self.add(path, f"Here stands {_sort(value)}, where a list is wanted.", "Put it into [ ].")
            return
        for index, each in enumerate(value):
            self.look(spec, each, f"{path}[{index}]")

    def _map(self, spec: str, value: Any, path: str) -> None:
        if not isinstance(value, Mapping):
            if value != "" and not is_computed(value):
                self.add(path, f"Here stands {_sort(value)}, where an object is wanted.")
            return
        for name, each in value.items():
            self.look(spec, each, f"{path}.{shown(name)}")

    def _word(self, words: list[str], value: Any, path: str) -> None:
        if is_computed(value):
            return
        name = re.sub(r"\[\d+\]$", "", path).rpartition(".")[2]
        closed = len(words) == 1 or name in _CLOSED or {"String", "Array"} <= {*words}
        taken = {word.lower() for word in words} | (_PARAMETER_TYPES if "Array" in words else set())
        if not isinstance(value, str):
            self.add(path, f"Here stands {_sort(value)}, where one of {', '.join(words)} is wanted.")
        elif closed and value.lower() not in taken:
            self.add(path, f"'{shown(value)}' is none of {', '.join(words)}.", _near(value, words))

    def _shape(self, name: str, value: Any, path: str) -> None:
        shape = read_table().shapes[name]
        if is_computed(value) or (name == "Expression" and not isinstance(value, Mapping)):
            return
        if not isinstance(value, Mapping):
            if value != "" and not (name == "SecretBase" and isinstance(value, str)):
                self.add(path, f"Here stands {_sort(value)}, where an object is wanted.", _example(name))
            return
        self._properties(shape, value, path)
        if shape.by:
            self._branch(name, shape, value, path)

    def _properties(self, shape: Shape, value: Mapping[str, Any], path: str) -> None:
        missing = [need for need in shape.needs if value.get(need) is None and _is_firm(shape.has[need])]
        written = {key.lower() for key in value if value[key] is not None} if missing else set()
        for need in missing:
            if need.lower() not in written:
                self.add(path, f"There is no '{need}'.", "Add it.")
        for key, spec in shape.has.items():
            if key in value and spec != "any":
                self.look(spec, value[key], f"{path}.{key}")

    def _branch(self, name: str, shape: Shape, value: Mapping[str, Any], path: str) -> None:
        chosen = value.get(shape.by)
        if chosen is None or chosen == "":
            self.add(path, f"There is no '{shape.by}'.", self._without_type())
        elif not isinstance(chosen, str):
            self.add(f"{path}.{shape.by}", f"Here stands {_sort(chosen)}, where the name of a type is wanted.")
        elif self._client and chosen in _FAMILIES:
            self.add(f"{path}.{shape.by}", f"'{chosen}' is no type.", self._without_type())
        elif chosen in shape.of:
            self._properties(shape.of[chosen], value, path)
        elif not is_computed(chosen):
            for advice in self._unknown(name, shape, chosen):
                self.add(f"{path}.{shape.by}", f"There is no type '{shown(chosen)}' here.", advice)

    def _without_type(self) -> str:
        if not self._client or self._is_told:
            return "Add it: it says what the rest means."
        self._is_told = True
        return (
            f"azure-mgmt-datafactory {self._client[1]} leaves the 'type' out of its models: install "
            "'azure-mgmt-datafactory<10', or give it the body as a dictionary."
        )

    def _unknown(self, name: str, shape: Shape, chosen: str) -> Iterator[str]:
        """Yield advice where a type is neither Azure's nor ours; a newer one of an inner part is taken."""
        own = _OWN[name](self._known) if self._known and name in _OWN else ()
        if name in _SIDES:
            known = [*self._known.datasets, *self._known.connectors] if self._known else []
            advice = unknown_side(_SIDES[name], chosen, known)
            yield from () if advice is None else (advice,)
        elif name in read_table().kinds and chosen not in own and chosen not in _NEWER.get(name, ()):
            yield _near(chosen, {*shape.of, *own})


def _is_firm(spec: str) -> bool:
    """Return whether a property that Azure asks for must be there: not where an expression or a credential gives it."""
    return not spec.startswith(("~", "any"))


def _near(value: str, known: Collection[str]) -> str:
    return near(value, known) if len(value) <= 100 else ""


def _is_number(value: Any, *, whole: bool = False) -> bool:
    if isinstance(value, str):
        return re.fullmatch(r"\s*[-+]?\d+(\.\d*)?\s*|", value) is not None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return not whole or float(value).is_integer()


def _is_text(value: Any) -> bool:
    if isinstance(value, Mapping):
        return str(value.get("type", "")).lower() in _SECRETS
    return not isinstance(value, list)


_FITS: Mapping[str, Callable[[Any], bool]] = {
    "any": lambda _: True,
    "text": _is_text,
    "~text": lambda _: True,
    "int": lambda value: _is_number(value, whole=True),
    "~int": lambda value: _is_number(value, whole=True),
    "number": _is_number,
    "~number": _is_number,
    "bool": lambda value: isinstance(value, bool) or str(value).lower() in ("true", "false", ""),
    "~bool": lambda value: isinstance(value, bool) or str(value).lower() in ("true", "false", ""),
    "~list": lambda value: isinstance(value, list) or value == "",
    "object": lambda value: isinstance(value, Mapping) or value == "",
    "~object": lambda value: isinstance(value, Mapping | str | list),
}
_WORDS = {
    "text": "a text",
    "int": "a whole number",
    "number": "a number",
    "bool": "true or false",
    "list": "a list",
    "object": "an object",
}


def _sort(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    sorts = ((str, "a text"), (int | float, "a number"), (list, "a list"), (Mapping, "an object"))
    return next((word for kind, word in sorts if isinstance(value, kind)), "null")


def _example(name: str) -> str:
    if name.endswith("Reference"):
        return f'Write {{"referenceName": ..., "type": "{name}"}}.'
    return ""
