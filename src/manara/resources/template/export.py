"""A factory as the template that Data Factory's publish makes: ARMTemplateForFactory.json and its parameters.

Source of the form, and of what becomes a parameter:
https://learn.microsoft.com/azure/data-factory/continuous-integration-delivery-resource-manager-custom-parameters
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from manara.resources.factory import Definition, Factory
from manara.resources.template.git import referenced
from manara.resources.template.language import escape
from manara.resources.template.template import MOST_PARAMETERS
from manara.secret import STARS, hidden

TEMPLATE_FILE = "ARMTemplateForFactory.json"
PARAMETERS_FILE = "ARMTemplateParametersForFactory.json"
API_VERSION = "2018-06-01"
TYPES = {
    "pipeline": "pipelines",
    "dataset": "datasets",
    "linkedService": "linkedServices",
    "trigger": "triggers",
    "dataflow": "dataflows",
    "integrationRuntime": "integrationRuntimes",
    "managedVirtualNetwork": "managedVirtualNetworks",
    "credential": "credentials",
}
"""The segment of each kind, in the order in which the template has them."""

_SCHEMA = "http://schema.management.azure.com/schemas/2015-01-01/{}.json#"
_REFERENCES = {
    "DatasetReference": "dataset",
    "LinkedServiceReference": "linkedService",
    "PipelineReference": "pipeline",
    "DataFlowReference": "dataflow",
    "TriggerReference": "trigger",
    "IntegrationRuntimeReference": "integrationRuntime",
    "ManagedVirtualNetworkReference": "managedVirtualNetwork",
    "CredentialReference": "credential",
}
_PLACES = {
    "accountName", "username", "userName", "accessKeyId", "servicePrincipalId", "userId", "clientId",
    "clusterUserName", "clusterSshUserName", "hostSubscriptionId", "clusterResourceGroup", "subscriptionId",
    "resourceGroupName", "tenant", "dataLakeStoreUri", "baseUrl", "database", "serviceEndpoint", "batchUri",
    "poolName", "databaseName", "systemNumber", "server", "url", "functionAppUrl", "environmentUrl",
    "aadResourceId", "existingClusterId",
}  # fmt: skip
"""The properties of linked services that differ from one environment to the next."""

_CONNECTIONS = ("connectionstring", "sasuri")
_PLAIN = {str: "string", bool: "bool", int: "int", list: "array", dict: "object"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A factory as a template, and its file of parameters; `secrets` are the values that the file leaves empty."""

    template: Mapping[str, Any]
    parameters: Mapping[str, Any]
    secrets: Mapping[str, Any]


def export_template(factory: Factory, *, with_secrets: bool = False) -> Export:
    """Return the factory as a template. Secrets stand in the file of parameters only where that is asked for.

    The factory itself is part of it where it has a definition (`factory/*.json`). Triggers come out stopped.
    """
    drawn = _draw(factory, all_places=True)
    if len(drawn.declared) > MOST_PARAMETERS:
        drawn = _draw(factory, all_places=False)
    values = {**drawn.values, **{name: value if with_secrets else "" for name, value in drawn.secrets.items()}}
    template = {
        "$schema": _SCHEMA.format("deploymentTemplate"),
        "contentVersion": "1.0.0.0",
        "parameters": drawn.declared,
        "variables": {"factoryId": "[concat('Microsoft.DataFactory/factories/', parameters('factoryName'))]"},
        "resources": drawn.resources,
    }
    parameters = {
        "$schema": _SCHEMA.format("deploymentParameters"),
        "contentVersion": "1.0.0.0",
        "parameters": {name: {"value": values[name]} for name in drawn.declared},
    }
    return Export(template=template, parameters=parameters, secrets=drawn.secrets)


def _draw(factory: Factory, *, all_places: bool) -> "_Drawing":
    drawn = _Drawing(factory, all_places)
    drawn.declared["factoryName"] = {
        "type": "string",
        "metadata": "Data Factory name",
        "defaultValue": escape(factory.name),
    }
    drawn.values["factoryName"] = factory.name
    for name in factory.names("factory"):
        drawn.add_factory(factory.definitions["factory", name])
    for kind in TYPES:
        for name in factory.names(kind):
            drawn.add(factory.definitions[kind, name])
    return drawn


@dataclass
class _Drawing:
    """The template while it is made: its parameters come out of the definitions as they are gone through."""

    factory: Factory
    all_places: bool
    declared: dict[str, dict[str, Any]] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    secrets: dict[str, Any] = field(default_factory=dict)
    resources: list[dict[str, Any]] = field(default_factory=list)

    def add_factory(self, item: Definition) -> None:
        data = item.data
        properties = dict(data.get("properties") or {})
        held = properties.get("globalParameters")
        if isinstance(held, Mapping):
            properties["globalParameters"] = {escape(name): self._global(name, part) for name, part in held.items()}
        more: dict[str, Any] = {key: escaped(data[key]) for key in ("tags", "identity") if key in data}
        location = data.get("location")
        if isinstance(location, str):
            more["location"] = self._moved("dataFactory_location", location)
        rest = {key: part for key, part in properties.items() if key != "globalParameters"}
        kept = {"globalParameters": properties["globalParameters"]} if "globalParameters" in properties else {}
        self.resources.append(
            {
                "name": "[parameters('factoryName')]",
                "type": "Microsoft.DataFactory/factories",
                "apiVersion": API_VERSION,
                **more,
                "properties": {**escaped(rest), **kept},
                "dependsOn": [],
            }
        )

    def _global(self, name: str, part: Any) -> Any:
        if not isinstance(part, Mapping) or "value" not in part:
            return escaped(part)
        moved = self._moved(f"dataFactory_properties_globalParameters_{name}_value", part["value"])
        return {**escaped({key: each for key, each in part.items() if key != "value"}), "value": moved}

    def add(self, item: Definition) -> None:
        properties = item.data.get("properties") or {}
        drawn = {
            "linkedService": self._linked_service,
            "trigger": self._trigger,
            "dataset": self._dataset,
        }.get(item.kind, lambda _name, held: escaped(held))(item.name, properties)
        self.resources.append(
            {
                "name": f"[concat(parameters('factoryName'), '/{_quoted(item.name)}')]",
                "type": f"Microsoft.DataFactory/factories/{TYPES[item.kind]}",
                "apiVersion": API_VERSION,
                "properties": drawn,
                "dependsOn": list(dict.fromkeys(self._depends(item, properties))),
            }
        )

    def _depends(self, item: Definition, properties: Any) -> Iterator[str]:
        if self.factory.names("factory"):
            yield "[variables('factoryId')]"
        names = {(kind, name.lower()): name for kind, name in self.factory.definitions}
        for reference, name in referenced(properties):
            kind = _REFERENCES.get(reference, "")
            found = names.get((kind, name.lower()))
            if found is not None and (kind, found) != (item.kind, item.name):
                yield f"[concat(variables('factoryId'), '/{TYPES[kind]}/{_quoted(found)}')]"

    def _linked_service(self, name: str, properties: Mapping[str, Any]) -> dict[str, Any]:
        told: dict[str, Any] = escaped(properties)
        held = properties.get("typeProperties")
        if isinstance(held, Mapping):
            told["typeProperties"] = {escape(key): self._service_part(name, key, part) for key, part in held.items()}
        return told

    def _service_part(self, name: str, key: str, part: Any) -> Any:
        if key in _PLACES and isinstance(part, str) and not _is_secret(key, part):
            return self._moved(f"{name}_properties_typeProperties_{key}", part)
        return self._without_secrets(name, (key,), part)

    def _without_secrets(self, name: str, keys: tuple[str, ...], part: Any) -> Any:
        """Return a part of a linked service with its secrets made parameters, however deep they lie."""
        if isinstance(part, Mapping):
            if str(part.get("type", "")).lower() == "securestring" and isinstance(part.get("value"), str):
                secret = self._secret(name, keys, part["value"])
                return {**escaped({key: each for key, each in part.items() if key != "value"}), "value": secret}
            return {escape(key): self._without_secrets(name, (*keys, key), each) for key, each in part.items()}
        if isinstance(part, list):
            return [self._without_secrets(name, (*keys, str(index)), each) for index, each in enumerate(part)]
        if isinstance(part, str) and part and _is_secret(keys[-1], part):
            return self._secret(name, keys, part)
        return escaped(part)

    def _secret(self, name: str, keys: tuple[str, ...], value: str) -> str:
        what = {"type": "secureString", "metadata": f"Secure string for '{'.'.join(keys)}' of '{name}'"}
        parameter = self._free("_".join((name, *keys)))
        self.declared[parameter] = what
        self.secrets[parameter] = value
        return f"[parameters('{_quoted(parameter)}')]"

    def _trigger(self, name: str, properties: Mapping[str, Any]) -> dict[str, Any]:
        told: dict[str, Any] = escaped(properties)
        if "runtimeState" in told:
            told["runtimeState"] = "Stopped"
        held = properties.get("typeProperties")
        if isinstance(held, Mapping) and isinstance(held.get("scope"), str):
            moved = self._moved(f"{name}_properties_typeProperties_scope", held["scope"])
            told["typeProperties"] = {**told["typeProperties"], "scope": moved}
        started = properties.get("pipelines")
        if isinstance(started, list):
            told["pipelines"] = [self._started(name, each) for each in started]
        if isinstance(properties.get("pipeline"), Mapping):
            told["pipeline"] = self._started(name, properties["pipeline"], "pipeline")
        return told

    def _started(self, name: str, call: Any, called: str = "") -> Any:
        """Return what a trigger starts, with the values of the pipeline's parameters made parameters."""
        held = call.get("parameters") if isinstance(call, Mapping) else None
        if not isinstance(held, Mapping):
            return escaped(call)
        reference = call.get("pipelineReference")
        called = called or str(reference.get("referenceName") if isinstance(reference, Mapping) else "")
        moved = {
            escape(key): self._moved(f"{name}_properties_{called}_parameters_{key}", part) for key, part in held.items()
        }
        return {**escaped({key: part for key, part in call.items() if key != "parameters"}), "parameters": moved}

    def _dataset(self, name: str, properties: Mapping[str, Any]) -> dict[str, Any]:
        told: dict[str, Any] = escaped(properties)
        held = properties.get("typeProperties")
        if isinstance(held, Mapping):
            for key in ("folderPath", "fileName"):
                if isinstance(held.get(key), str):
                    told["typeProperties"][key] = self._moved(f"{name}_properties_typeProperties_{key}", held[key])
        return told

    def _moved(self, parameter: str, value: Any) -> Any:
        """Return what stands for a value that differs between environments: a parameter, where there may be more."""
        kind = _PLAIN.get(type(value))
        if kind is None or not self.all_places:
            return escaped(value)
        parameter = self._free(parameter)
        self.declared[parameter] = {"type": kind, "defaultValue": escaped(value)}
        self.values[parameter] = value
        return f"[parameters('{_quoted(parameter)}')]"

    def _free(self, parameter: str) -> str:
        """Return a name that no other parameter has, in any case."""
        taken = {name.lower() for name in self.declared}
        found, number = parameter, 2
        while found.lower() in taken:
            found, number = f"{parameter}_{number}", number + 1
        return found


def escaped(value: Any) -> Any:
    """Return a value as it stands in a template where it means itself, to any depth."""
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, Mapping):
        return {escape(key): escaped(part) for key, part in value.items()}
    return [escaped(part) for part in value] if isinstance(value, list) else value


def _quoted(text: str) -> str:
    return text.replace("'", "''")


def _is_secret(key: str, value: str) -> bool:
    if key.lower().endswith(_CONNECTIONS):
        return True
    return not value.startswith("@") and hidden({key: value})[key] == STARS
