"""Values of a template: every text that is an expression becomes what it says, and all faults are kept."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from manara.errors import Fault, Faults, WrongExpression
from manara.expr.fault import wrong
from manara.registry import near
from manara.resources.factory import shown
from manara.resources.template import texts  # noqa: F401 # its functions are in the table once it is read
from manara.resources.template.functions import FUNCTIONS, Function, Unfit, find_key, kind_of
from manara.resources.template.language import Call, Literal, Node, Select, is_expression, parse, unescape

MOST_COPIES = 800
"""How often a loop may go round, as in Azure."""

MOST_FAULTS = 100

Calls = Mapping[str, Function]
"""The functions that an expression sees beside those of the table, by name in lower case."""

_LAZY = {"if": (3, 3), "and": (2, None), "or": (2, None), "tryget": (2, None)}
_REFUSED = {
    "reference": "What it refers to is known only once that is deployed: it cannot stand here.",
    "copyindex": "It stands in a loop ('copy') only.",
    "utcnow": "It stands in the default value of a parameter only.",
    "newguid": "It stands in the default value of a parameter only.",
    "pickzones": "There are no availability zones here.",
    "parameters": "Parameters cannot be read here.",
    "variables": "Variables cannot be read here.",
}
_KEYS = "Keys and secrets of resources are not handed out here: give them as a parameter of type securestring."


class TemplateFaults(Faults):
    """Everything that is wrong with a template and its parameters, at once."""

    code = "InvalidTemplate"

    def __init__(self, found: list[Fault]) -> None:
        super().__init__(found)
        count = f"{len(found)} fault" + ("s" if len(found) != 1 else "")
        self.message = f"The template has {count}:\n" + "\n".join(f"  {fault}" for fault in found)


class Told(Exception):
    """What is needed here is wrong elsewhere, where it was told already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """A secret that was not given: it may stand in the place of a value, and be used in no function."""

    parameter: str


@dataclass
class Findings:
    """The faults that were found so far in a file."""

    file: str = ""
    faults: list[Fault] = field(default_factory=list)

    def add(self, path: str, message: str, advice: str = "") -> None:
        """Note one; of very many, the first are enough."""
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(Fault(file=self.file, path=path, message=message, advice=advice))

    def end(self) -> None:
        """Raise TemplateFaults where there are any."""
        if self.faults:
            raise TemplateFaults(self.faults)

    def value(self, raw: Any, path: str, calls: Calls) -> Any:
        """Return a value of a template with its expressions evaluated, to any depth; None for what is wrong."""
        if isinstance(raw, str):
            return self._text(raw, path, calls)
        if isinstance(raw, Mapping):
            return self._object(raw, path, calls)
        if isinstance(raw, list):
            return [self.value(each, f"{path}[{index}]", calls) for index, each in enumerate(raw)]
        return raw

    def _text(self, raw: str, path: str, calls: Calls) -> Any:
        if not is_expression(raw):
            return unescape(raw)
        try:
            return evaluate(raw, calls)
        except Told:
            return None
        except WrongExpression as error:
            self.add(path, error.message)
            return None

    def _object(self, raw: Mapping[str, Any], path: str, calls: Calls) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, part in raw.items():
            place = f"{path}.{shown(key)}"
            if key.lower() == "copy" and is_property_loop(part):
                made |= self.loops(part, place, calls)
                continue
            name = self._text(key, place, calls)
            if not isinstance(name, str):
                self.add(place, f"The name of a property is a text, and this is {kind_of(name)}.")
                continue
            made[name] = self.value(part, place, calls)
        return made

    def loops(self, loops: list[Any], path: str, calls: Calls) -> dict[str, list[Any]]:
        """Return the arrays that loops over a property or a variable make: `[{name, count, input}]`."""
        made = {}
        for index, loop in enumerate(loops):
            place = f"{path}[{index}]"
            name = self.value(loop.get("name"), f"{place}.name", calls)
            count = self.count(loop.get("count"), f"{place}.count", calls)
            made[str(name)] = [
                self.value(loop.get("input"), f"{place}.input", counted(calls, str(name), number))
                for number in range(count)
            ]
        return made

    def count(self, raw: Any, path: str, calls: Calls) -> int:
        """Return how often a loop goes round."""
        before = len(self.faults)
        count = self.value(raw, path, calls)
        if isinstance(count, int) and not isinstance(count, bool) and 0 <= count <= MOST_COPIES:
            return count
        if len(self.faults) == before:
            self.add(path, f"A loop goes round 0 to {MOST_COPIES} times, and this says {shown(str(count))}.")
        return 0


def is_property_loop(value: Any) -> bool:
    """Say whether a value under the name `copy` makes arrays, and is not a property of that name."""
    wanted = {"name", "count", "input"}
    return isinstance(value, list) and all(isinstance(each, Mapping) and wanted <= each.keys() for each in value)


def evaluate(text: str, calls: Calls) -> Any:
    """Return what an expression says. Raises WrongExpression with the text and a caret."""
    return _Evaluation(text, calls).value(parse(text))


def counted(calls: Calls, loop: str, number: int) -> dict[str, Function]:
    """Return the functions that are seen in one round of a loop: `copyIndex` tells its number."""
    outer = calls.get("copyindex")

    def copy_index(*arguments: Any) -> int:
        names = [each for each in arguments if isinstance(each, str)]
        offset = next((each for each in arguments if isinstance(each, int)), 0)
        if names and names[0].lower() != loop.lower():
            if outer is None:
                raise Unfit(f"There is no loop '{shown(names[0])}' around this; there is '{shown(loop)}'.")
            return int(outer.call(*arguments))
        return number + offset

    return {**calls, "copyindex": Function(name="copyIndex", call=copy_index, least=0, most=2)}


@dataclass
class _Evaluation:
    text: str
    calls: Calls

    def value(self, node: Node) -> Any:
        if isinstance(node, Literal):
            return node.value
        if isinstance(node, Select):
            return self.selected(node)
        name = node.name.lower()
        if name in _LAZY:
            return self.lazy(name, node)
        found = self.calls.get(name) or FUNCTIONS.get(name)
        if found is None:
            raise self.unknown(node)
        self.counted(node, found.least, found.most)
        given = [self.value(argument) for argument in node.arguments]
        withheld = next((each for each in given if isinstance(each, Withheld)), None)
        if withheld:
            told = (
                f"The secret parameter '{shown(withheld.parameter)}' is not given, and '{node.name}' needs its value."
            )
            raise wrong(self.text, node.at, told)
        try:
            return found.call(*given)
        except Unfit as error:
            raise wrong(self.text, node.at, f"{found.name}: {error}") from error

    def lazy(self, name: str, node: Call) -> Any:
        """Return the value of a function that evaluates only those of its arguments that it needs."""
        self.counted(node, *_LAZY[name])
        if name == "if":
            return self.value(node.arguments[1 if self.truth(node.arguments[0]) else 2])
        if name == "tryget":
            held = self.value(node.arguments[0])
            for key in node.arguments[1:]:
                held = self.part(held, self.value(key), Select(node.arguments[0], key, True, key.at))
            return held
        ends = name == "or"
        return next((ends for each in node.arguments if self.truth(each) is ends), not ends)

    def truth(self, node: Node) -> bool:
        value = self.value(node)
        if not isinstance(value, bool):
            raise wrong(self.text, node.at, f"True or false belongs here, and this is {kind_of(value)}.")
        return value

    def selected(self, node: Select) -> Any:
        held = self.value(node.target)
        if held is None and node.safe:
            return None
        return self.part(held, self.value(node.key), node)

    def part(self, held: Any, key: Any, node: Select) -> Any:
        if isinstance(held, Mapping) and isinstance(key, str):
            name = find_key(held, key)
            if name is not None:
                return held[name]
            if node.safe:
                return None
            raise wrong(self.text, node.at, f"There is no property '{shown(key)}'.", near(key[:100], map(str, held)))
        if isinstance(held, list) and isinstance(key, int) and not isinstance(key, bool):
            if 0 <= key < len(held):
                return held[key]
            if node.safe:
                return None
            raise wrong(self.text, node.at, f"The array has {len(held)} elements: there is none at {key}.")
        if node.safe and held is None:
            return None
        raise wrong(self.text, node.at, f"{kind_of(held).capitalize()} has nothing under {kind_of(key)}.")

    def counted(self, node: Call, least: int, most: int | None) -> None:
        count = len(node.arguments)
        if least <= count and (most is None or count <= most):
            return
        wanted = str(least) if least == most else f"{least} or more" if most is None else f"{least} to {most}"
        raise wrong(self.text, node.at, f"'{node.name}' takes {wanted} arguments, and has {count}.")

    def unknown(self, node: Call) -> WrongExpression:
        name = node.name.lower()
        if name in _REFUSED:
            return wrong(self.text, node.at, f"'{node.name}' cannot be used here.", _REFUSED[name])
        if name.startswith("list"):
            return wrong(self.text, node.at, f"'{node.name}' cannot be used here.", _KEYS)
        known = [each.name for each in (*FUNCTIONS.values(), *self.calls.values())] + ["if", "and", "or"]
        return wrong(self.text, node.at, f"There is no function '{shown(node.name)}'.", near(node.name[:100], known))


def lookup(what: str, held: Mapping[str, Any], value: Callable[[str], Any]) -> Function:
    """Return the function that gives a parameter or a variable by its name, in any case."""
    by_name = {name.lower(): name for name in held}

    def find(name: Any) -> Any:
        if not isinstance(name, str):
            raise Unfit(f"It needs a name, and has {kind_of(name)}.")
        known = by_name.get(name.lower())
        if known is None:
            advice = near(name[:100], held) if held else ""
            raise Unfit(f"There is no {what} '{shown(name)}'. {advice}".strip())
        return value(known)

    return Function(name=f"{what}s", call=find, least=1, most=1)
