"""What the expressions of a template can name: where it is deployed, its variables, and its own functions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from manara.resources.factory import shown
from manara.resources.template.evaluate import Findings, Told, is_property_loop, lookup
from manara.resources.template.functions import Function
from manara.resources.template.place import Place, extension_resource_id, tenant_resource_id

_CLOUD = {
    "name": "Manara",
    "authentication": {
        "loginEndpoint": "https://login.microsoftonline.com/",
        "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
    },
    "resourceManager": "https://management.azure.com/",
    "portal": "https://portal.azure.com",
    "suffixes": {
        "storage": "core.windows.net",
        "keyvaultDns": ".vault.azure.net",
        "sqlServerHostname": ".database.windows.net",
    },
}


def place_calls(place: Place) -> dict[str, Function]:
    """Return the functions that tell of where a template is deployed, by name in lower case."""
    told = {"name": place.deployment, "properties": {"mode": place.mode, "template": {}, "parameters": {}}}
    rows: list[tuple[str, Callable[..., Any], int, int | None]] = [
        ("resourceGroup", place.shown_group, 0, 0),
        ("subscription", place.shown_subscription, 0, 0),
        ("tenant", lambda: {"tenantId": place.tenant, "displayName": "Manara", "countryCode": "XX"}, 0, 0),
        ("deployment", lambda: told, 0, 0),
        ("environment", lambda: _CLOUD, 0, 0),
        ("resourceId", place.resource_id, 2, None),
        ("subscriptionResourceId", place.subscription_resource_id, 2, None),
        ("tenantResourceId", tenant_resource_id, 2, None),
        ("extensionResourceId", extension_resource_id, 3, None),
    ]
    return {row[0].lower(): Function(name=row[0], call=row[1], least=row[2], most=row[3]) for row in rows}


def own_functions(held: Any, findings: Findings, path: str) -> dict[str, Function]:
    """Return the functions that a template declares, by `namespace.name`; they see their own parameters only."""
    found = {}
    for number, space in enumerate(held if isinstance(held, list) else []):
        members = space.get("members") if isinstance(space, Mapping) else None
        for name, member in members.items() if isinstance(members, Mapping) else ():
            if isinstance(member, Mapping):
                whole = f"{space.get('namespace')}.{name}"
                place = f"{path}[{number}].members.{shown(name)}.output.value"
                found[whole.lower()] = _own_function(whole, member, findings, place)
    return found


def _own_function(name: str, member: Mapping[str, Any], findings: Findings, path: str) -> Function:
    declared = member.get("parameters")
    names = [str(each.get("name")) for each in declared or () if isinstance(each, Mapping)]
    output = member.get("output")
    raw = output.get("value") if isinstance(output, Mapping) else None

    def call(*values: Any) -> Any:
        given = dict(zip(names, values, strict=True))
        return findings.value(raw, path, {"parameters": lookup("parameter", given, given.__getitem__)})

    return Function(name=name, call=call, least=len(names), most=len(names))


@dataclass
class Variables:
    """The variables of a template, each evaluated when it is first asked for."""

    held: Mapping[str, Any]
    findings: Findings
    path: str
    calls: Mapping[str, Function] = field(default_factory=dict)
    _values: dict[str, Any] = field(default_factory=dict)
    _trail: list[str] = field(default_factory=list)
    _wrong: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        loops = self.held.get("copy")
        if is_property_loop(loops):
            made = {str(loop["name"]): {"copy": [loop]} for loop in loops or ()}
            self.held = {**{name: part for name, part in self.held.items() if name != "copy"}, **made}

    def function(self) -> Function:
        """Return `variables(...)`."""
        return lookup("variable", self.held, self.value)

    def check(self) -> None:
        """Note everything that is wrong with them."""
        for name in self.held:
            try:
                self.value(name)
            except Told:
                continue

    def value(self, name: str) -> Any:
        """Return the value of a variable that is there. Raises Told where it is wrong."""
        if name in self._wrong:
            raise Told
        if name in self._values:
            return self._values[name]
        if name in self._trail:
            ring = [*self._trail[self._trail.index(name) :], name]
            self._wrong |= set(ring)
            told = f"The variables name each other in a ring: {' -> '.join(map(shown, ring[:10]))}."
            self.findings.add(f"{self.path}.{shown(name)}", told)
            raise Told
        before = len(self.findings.faults)
        self._trail.append(name)
        try:
            value = self._evaluated(name)
        finally:
            self._trail.pop()
        if len(self.findings.faults) > before or name in self._wrong:
            self._wrong.add(name)
            raise Told
        self._values[name] = value
        return value

    def _evaluated(self, name: str) -> Any:
        raw = self.held[name]
        value = self.findings.value(raw, f"{self.path}.{shown(name)}", self.calls)
        is_loop = isinstance(raw, Mapping) and set(raw) == {"copy"} and name in (value or ())
        return value[name] if is_loop else value
