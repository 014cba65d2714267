"""From a reference in a definition to an open dataset or connection."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from manara.errors import ManaraError, WrongDefinition
from manara.expr import resolve
from manara.plugin.activity import Reference
from manara.plugin.connection import CONNECTORS, NO_IDENTITY, Connection, LinkedServiceGiven
from manara.plugin.dataset import DATASETS, Dataset, DatasetGiven
from manara.resources.azure import MADE_BY_AZURE, NEEDS_NO_CREDENTIAL, stand_in_for
from manara.resources.factory import Factory
from manara.resources.model import LinkedService, Parameter
from manara.runtime.vault import Vault
from manara.secret import Secret

_NEEDS_NO_CREDENTIAL = NEEDS_NO_CREDENTIAL | {"FileServer"}
"""Of a folder, the rights of the one who runs it decide what can be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binder:
    """Opens what the definitions of one run name; `batch_rows` is the size of an Arrow batch."""

    factory: Factory
    batch_rows: int
    identity: Callable[[str], Secret] = NO_IDENTITY

    @property
    def vault(self) -> Vault:
        """What opens references to Key Vault secrets."""
        return Vault(root=self.factory.root)

    def dataset(self, reference: Reference) -> Dataset:
        """Return the dataset with its parameters filled in, on its opened linked service."""
        name = _name(reference, "dataset")
        properties = self.factory.dataset(name).properties
        scope = {"dataset": _values(properties.parameters, reference.get("parameters"))}
        try:
            service = properties.linked_service_name
            opened = self.connect(
                {"referenceName": service.reference_name, "parameters": resolve(service.parameters or {}, scope)}
            )
            given = DatasetGiven(
                name=name,
                type=properties.type,
                properties=resolve(properties.type_properties, scope),
                connection=opened,
                batch_rows=self.batch_rows,
                text=self.factory.text,
            )
            return DATASETS.find(properties.type)(given)
        except ManaraError as error:
            raise error.at(f"dataset '{name}'")  # noqa: B904 # the same error, with its place

    def describe(self, kind: str, reference: Reference) -> dict[str, Any]:
        """Return the definition of a `dataset` or `linkedService`, its parameters filled in and its secrets opened."""
        name = _name(reference, kind)
        of_dataset = kind == "dataset"
        properties = (
            self.factory.dataset(name).properties if of_dataset else self.factory.linked_service(name).properties
        )
        scope = {kind: _values(properties.parameters, reference.get("parameters"))}
        told = properties.model_dump(by_alias=True, exclude_unset=True, exclude={"parameters"})
        return {"name": name, "properties": self.vault.open(resolve(told, scope))}

    def published_type(self, reference: Reference) -> str:
        """Return the type of a linked service as it is published, not that of what stands in for it."""
        name = _name(reference, "linked service")
        published = self.factory.definitions.get(("linkedService", name))
        resource = published.resource if published else self.factory.linked_service(name)
        return cast("LinkedService", resource).properties.type

    def connect(self, reference: Reference) -> Connection:
        """Return the opened linked service, or what stands in for it on this machine."""
        name = _name(reference, "linked service")
        properties = self.factory.linked_service(name).properties
        scope = {"linkedService": _values(properties.parameters, reference.get("parameters"))}
        try:
            connector = CONNECTORS.find(properties.type)
            _check_credential(name, properties.type, properties.type_properties)
            given = LinkedServiceGiven(
                name=name,
                type=properties.type,
                properties=self.vault.open(resolve(properties.type_properties, scope)),
                root=self.factory.root,
                identity=self.identity,
            )
            return connector(given)
        except ManaraError as error:
            raise error.at(f"linked service '{name}'")  # noqa: B904 # the same error, with its place


def _name(reference: Any, kind: str) -> str:
    """Return the name in a reference. Raises WrongDefinition where it has none."""
    name = reference.get("referenceName") if isinstance(reference, Mapping) else None
    if not isinstance(name, str) or not name:
        raise WrongDefinition(
            f"The reference to a {kind} names none.", advice=f'Give it a "referenceName": the name of a {kind}.'
        )
    return name


def _check_credential(name: str, kind: str, properties: Mapping[str, Any]) -> None:
    if properties.get(MADE_BY_AZURE) and kind not in _NEEDS_NO_CREDENTIAL:
        stand_in = stand_in_for(kind, name)
        raise WrongDefinition(
            "Its encryptedCredential can be read by Azure only.",
            advice=f"{stand_in[:1].upper()}{stand_in[1:]}."
            if stand_in
            else f"Write the same linked service with a credential of your own into local/linkedService/{name}.json.",
        )


def _values(declared: Mapping[str, Parameter] | None, given: Mapping[str, Any] | None) -> dict[str, Any]:
    defaults = {name: parameter.default_value for name, parameter in (declared or {}).items() if parameter.has_default}
    return {**defaults, **(given or {})}
