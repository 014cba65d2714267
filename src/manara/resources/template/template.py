"""A template as the list of what it wants: each resource once, those first that others wait for.

Pure: parameters in, resources out; all faults at once, each with its JSON path.
Source: https://learn.microsoft.com/azure/azure-resource-manager/templates/syntax
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from manara.resources.factory import shown
from manara.resources.template.evaluate import Calls, Findings, counted
from manara.resources.template.functions import Function, Unfit, kind_of, text_of
from manara.resources.template.names import Variables, own_functions, place_calls
from manara.resources.template.order import Item, in_order
from manara.resources.template.parameters import Parameters
from manara.resources.template.place import Place, joined_id, wrong_name, wrong_type
from manara.secret import hidden

DEPLOYMENTS = "microsoft.resources/deployments"
MOST_RESOURCES = 800
"""How many resources one template may have, as in Azure."""

MOST_PARAMETERS = 256
_NOT_BODY = {
    "name", "type", "apiversion", "dependson", "condition", "copy", "comments", "resources", "scope", "existing",
    "asserts", "metadata",
}  # fmt: skip
_LINKED = (
    "Linked templates are not fetched: deploy ARMTemplateForFactory.json, which Data Factory writes beside them and "
    "which holds everything, or put the template in as properties.template."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One resource that a template wants. `scope` is the id of its resource group, `depends` are ids that it awaits.

    `body` is what a PUT of it takes; `path` is where it stands in the template.
    """

    id: str
    type: str
    name: str
    scope: str
    api_version: str
    body: Mapping[str, Any]
    depends: tuple[str, ...] = ()
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a template wants, in the order in which it can be made; outputs and parameters as a record shows them."""

    wanted: tuple[Wanted, ...]
    outputs: Mapping[str, Any]
    parameters: Mapping[str, Any]


Existing = Callable[[str], Mapping[str, Any] | None]
"""Gives the body of a resource by its id, or None."""


def read_template(
    document: Any,
    given: Mapping[str, Any],
    place: Place,
    *,
    existing: Existing = lambda _id: None,
    withholds: bool = False,
    file: str = "",
) -> Plan:
    """Return what a template wants with these values of its parameters.

    `existing` is asked by `reference(...)` for what the template does not make. With `withholds`, secrets that are not
    given become Withheld in the bodies. Raises TemplateFaults with everything that is wrong.
    """
    findings = Findings(file=file)
    held = _Template(document, given, place, findings, existing, withholds)
    held.read()
    findings.end()
    ordered = in_order([made.item for made in held.all()], findings)
    findings.end()
    made_by_key = {made.item.key: made for made in held.all()}
    wanted = []
    for key, depends in ordered:
        made = made_by_key[key]
        wanted.append(replace(made.wanted(), depends=depends))
    outputs = held.outputs()
    findings.end()
    return Plan(wanted=tuple(wanted), outputs=outputs, parameters=held.parameters.shown())


@dataclass
class _Resource:
    """One resource of a template, or one round of its loop; its body is evaluated when somebody needs it."""

    template: "_Template"
    raw: Mapping[str, Any]
    path: str
    calls: Calls
    id: str
    type: str
    name: str
    item: Item
    nested: "_Template | None" = None
    _wanted: Wanted | None = None
    _busy: bool = False

    def wanted(self) -> Wanted:
        if self._wanted is None:
            if self._busy:
                raise Unfit(f"The resource '{shown(self.name)}' refers to itself.")
            self._busy = True
            try:
                self._wanted = self._evaluated()
            finally:
                self._busy = False
        return self._wanted

    def _evaluated(self) -> Wanted:
        calls = {**self.calls, "reference": Function(name="reference", call=self.template.reference, least=1, most=3)}
        raw = {key: part for key, part in self.raw.items() if key.lower() not in _NOT_BODY}
        body = self.template.findings.value(raw, self.path, calls)
        version = self.template.findings.value(self.raw.get("apiVersion"), f"{self.path}.apiVersion", calls)
        return Wanted(
            id=self.id,
            type=self.type,
            name=self.name,
            scope=self.template.place.scope,
            api_version=str(version or ""),
            body=body,
            path=self.path,
        )


@dataclass
class _Template:
    document: Any
    given: Mapping[str, Any]
    place: Place
    findings: Findings
    existing: Existing
    withholds: bool = False
    path: str = ""
    within: str = ""
    parameters: Parameters = field(init=False)
    calls: dict[str, Function] = field(default_factory=dict)
    made: list[_Resource] = field(default_factory=list)

    def read(self) -> None:
        """Evaluate everything but the bodies of resources and the outputs."""
        calls = place_calls(self.place)
        declared = self.section("parameters")
        self.parameters = Parameters(
            declared, self.given, self.findings, self.withholds, self.at("parameters"), {**calls}
        )
        if len(declared) > MOST_PARAMETERS and not self.withholds:
            told = f"There are {len(declared)} parameters; a template has at most {MOST_PARAMETERS}."
            self.findings.add(self.at("parameters"), told)
        self.calls = calls | {"parameters": self.parameters.function()}
        self.calls |= own_functions(self.part("functions"), self.findings, self.at("functions"))
        variables = Variables(self.section("variables"), self.findings, self.at("variables"), self.calls)
        self.calls["variables"] = variables.function()
        self.parameters.check()
        variables.check()
        self._read_resources()

    def all(self) -> list[_Resource]:
        """Return every resource, those of nested deployments too; deployments themselves are only gone through."""
        return [each for made in self.made for each in [made, *(made.nested.all() if made.nested else [])]]

    def at(self, part: str) -> str:
        return f"{self.path}.{part}" if self.path else part

    def part(self, name: str) -> Any:
        return self.document.get(name) if isinstance(self.document, Mapping) else None

    def section(self, name: str) -> Mapping[str, Any]:
        """Return a part of the template that is an object; empty where it is missing."""
        held = self.part(name)
        if held is None:
            return {}
        if not isinstance(held, Mapping):
            self.findings.add(self.at(name), f"An object belongs here, and this is {kind_of(held)}.")
            return {}
        return held

    def _read_resources(self) -> None:
        held = self.part("resources")
        if isinstance(held, Mapping):  # languageVersion 2.0: by symbolic names
            named = [(str(name), raw, self.at(f"resources.{shown(str(name))}")) for name, raw in held.items()]
        elif isinstance(held, list):
            named = [("", raw, self.at(f"resources[{index}]")) for index, raw in enumerate(held)]
        else:
            what = "Nothing" if held is None else kind_of(held).capitalize()
            self.findings.add(self.at("resources"), f"An array of resources belongs here. {what} is there.")
            return
        for symbol, raw, path in named:
            self._read_resource(raw, path, symbol)

    def _read_resource(self, raw: Any, path: str, symbol: str = "", parent: _Resource | None = None) -> None:
        if not isinstance(raw, Mapping):
            self.findings.add(path, f"A resource is an object, and this is {kind_of(raw)}.")
            return
        if raw.get("existing") is True:
            return
        loop = raw.get("copy")
        if not isinstance(loop, Mapping):
            self._add(raw, path, self.calls if parent is None else parent.calls, parent, (symbol,))
            return
        name = str(self.findings.value(loop.get("name"), f"{path}.copy.name", self.calls))
        for number in range(self.findings.count(loop.get("count"), f"{path}.copy.count", self.calls)):
            self._add(raw, path, counted(self.calls, name, number), parent, (symbol, name))

    def _add(
        self, raw: Mapping[str, Any], path: str, calls: Calls, parent: _Resource | None, aliases: tuple[str, ...]
    ) -> None:
        """Add one resource, or one round of its loop, and what lies in it."""
        if len(self.made) >= MOST_RESOURCES and not self.withholds:
            self._too_many(path)
            return
        head = {key: self.findings.value(raw.get(key), f"{path}.{key}", calls) for key in ("type", "name", "scope")}
        is_wanted = self._condition(raw, path, calls)
        kind, name = head["type"], head["name"]
        if not isinstance(kind, str) or not isinstance(name, str):
            for key in ("type", "name"):
                if not isinstance(head[key], str) and not isinstance(raw.get(key), str):
                    self.findings.add(f"{path}.{key}", f"A resource has a {key}, a text.")
            return
        if parent is not None:
            name = f"{parent.name}/{name}"
            kind = kind if "/" in kind and "." in kind.split("/")[0] else f"{parent.type}/{kind}"
        wrong = wrong_type(kind) or wrong_name(name, kind)
        if wrong:
            self.findings.add(f"{path}.name", wrong)
            return
        depends = self._depends(raw, path, calls)
        place = self._place_of(raw, path, calls) if kind.lower() == DEPLOYMENTS else self.place
        scope = head["scope"] if isinstance(head["scope"], str) else place.scope
        id_ = joined_id(scope.rstrip("/"), kind, name.split("/"))
        item = Item(
            key=f"{self.within}/{len(self.made)}",
            id=id_,
            name=name,
            aliases=frozenset(filter(None, aliases)),
            depends=depends,
            path=path,
            is_wanted=is_wanted,
            space=self.within,
            scope=place.scope,
            is_group=kind.lower() == DEPLOYMENTS,
            within=self.within,
        )
        made = _Resource(self, raw, path, calls, id_, kind, name, item)
        self.made.append(made)
        if item.is_group and is_wanted:
            made.nested = self._nested(raw, path, calls, replace(place, deployment=name), item)
        children = raw.get("resources")
        if is_wanted and isinstance(children, list):
            for index, child in enumerate(children):
                self._read_resource(child, f"{path}.resources[{index}]", parent=made)

    def _too_many(self, path: str) -> None:
        told = f"A template has at most {MOST_RESOURCES} resources."
        if not any(each.message == told for each in self.findings.faults):
            self.findings.add(path, told, "Make several of it, and deploy them one after the other.")

    def _condition(self, raw: Mapping[str, Any], path: str, calls: Calls) -> bool:
        if "condition" not in raw:
            return True
        before = len(self.findings.faults)
        value = self.findings.value(raw["condition"], f"{path}.condition", calls)
        if not isinstance(value, bool) and len(self.findings.faults) == before:
            self.findings.add(f"{path}.condition", f"A condition is true or false, and this is {kind_of(value)}.")
        return value is True

    def _depends(self, raw: Mapping[str, Any], path: str, calls: Calls) -> tuple[str, ...]:
        value = self.findings.value(raw.get("dependsOn"), f"{path}.dependsOn", calls)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            self.findings.add(f"{path}.dependsOn", "An array of texts belongs here.")
            return ()
        return tuple(value)

    def _place_of(self, raw: Mapping[str, Any], path: str, calls: Calls) -> Place:
        """Return where a nested deployment goes: it may name another resource group."""
        told = {
            key: self.findings.value(raw.get(name), f"{path}.{name}", calls)
            for key, name in (("subscription", "subscriptionId"), ("group", "resourceGroup"))
        }
        subscription, group = (told[key] if isinstance(told[key], str) else "" for key in ("subscription", "group"))
        for value in filter(None, (subscription, group)):
            if wrong := wrong_name(value, "x/y"):
                self.findings.add(path, wrong)
        return replace(
            self.place,
            subscription=subscription or self.place.subscription,
            group=group or self.place.group,
        )

    def _nested(self, raw: Mapping[str, Any], path: str, calls: Calls, place: Place, item: Item) -> "_Template | None":
        """Return the template inside a deployment, read; its faults are noted with the others."""
        told = raw.get("properties")
        properties: Mapping[str, Any] = told if isinstance(told, Mapping) else {}
        within = f"{path}.properties"
        if "templateLink" in properties or not isinstance(properties.get("template"), Mapping):
            what = _LINKED if "templateLink" in properties else "A nested deployment has its template in it."
            self.findings.add(f"{within}.template", what)
            return None
        calls = {**calls, "reference": Function(name="reference", call=self.reference, least=1, most=3)}
        inner = self.findings.value(
            properties.get("expressionEvaluationOptions"), f"{within}.expressionEvaluationOptions", calls
        )
        template = properties["template"]
        is_inner = isinstance(inner, Mapping) and str(inner.get("scope")).lower() == "inner"
        if not is_inner:
            template = self.findings.value(template, f"{within}.template", calls)
        given = self.findings.value(properties.get("parameters") or {}, f"{within}.parameters", calls)
        values = {key: part.get("value") for key, part in given.items() if isinstance(part, Mapping)}
        nested = _Template(
            template, values, place, self.findings, self.existing, self.withholds, f"{within}.template", item.key
        )
        nested.read()
        return nested

    def reference(self, target: Any, _version: Any = None, full: Any = None) -> Any:
        """Return what `reference(...)` gives: of what the template makes, of a nested deployment, of what is there."""
        wanted = text_of(target).lower()
        found = next((made for made in self.made if _is_meant(made, wanted)), None)
        whole = isinstance(full, str) and full.lower() == "full"
        if found and found.nested:
            told = {"outputs": found.nested.outputs(), "provisioningState": "Succeeded"}
            return {"properties": told} if whole else told
        if found and found.item.is_wanted:
            body: Mapping[str, Any] | None = found.wanted().body
        else:
            held = self.existing(target if wanted.startswith("/") else f"{self.place.scope}/providers/{target}")
            body = None if held is None else hidden(held)
        if body is None:
            raise Unfit(
                f"'{shown(target)}' is neither in the template nor there already, so that nothing is known of it."
            )
        return dict(body) if whole else body.get("properties") or {}

    def outputs(self) -> dict[str, Any]:
        """Return the outputs as the record of a deployment shows them: secret ones have no value."""
        calls = {**self.calls, "reference": Function(name="reference", call=self.reference, least=1, most=3)}
        told: dict[str, Any] = {}
        for name, output in self.section("outputs").items():
            path = self.at(f"outputs.{shown(name)}")
            if not isinstance(output, Mapping):
                self.findings.add(path, f"An output is an object, and this is {kind_of(output)}.")
                continue
            if not self._condition(output, path, calls):
                continue
            kind = str(output.get("type", "String"))
            told[name] = {"type": kind}
            if not kind.lower().startswith("secure"):
                told[name]["value"] = self._output(output, path, calls)
        return told

    def _output(self, output: Mapping[str, Any], path: str, calls: Calls) -> Any:
        loop = output.get("copy")
        if not isinstance(loop, Mapping):
            return self.findings.value(output.get("value"), f"{path}.value", calls)
        count = self.findings.count(loop.get("count"), f"{path}.copy.count", calls)
        return [
            self.findings.value(loop.get("input"), f"{path}.copy.input", counted(calls, "", number))
            for number in range(count)
        ]


def _is_meant(made: _Resource, wanted: str) -> bool:
    whole = made.id.lower()
    return wanted in (whole, made.name.lower(), whole.partition("/providers/")[2]) or any(
        alias.lower() == wanted for alias in made.item.aliases
    )
