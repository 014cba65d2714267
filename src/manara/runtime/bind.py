"""From a reference in a definition to an open dataset or connection."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from manara.errors import ManaraError
from manara.expr import resolve
from manara.plugin.activity import Reference
from manara.plugin.connection import CONNECTORS, Connection, LinkedServiceGiven
from manara.plugin.dataset import DATASETS, Dataset, DatasetGiven
from manara.resources.factory import Factory
from manara.resources.model import Parameter


@dataclass(frozen=True, slots=True, kw_only=True)
class Binder:
    """Opens what the definitions of one run name; `batch_rows` is the size of an Arrow batch."""

    factory: Factory
    batch_rows: int

    def dataset(self, reference: Reference) -> Dataset:
        """Return the dataset with its parameters filled in, on its opened linked service."""
        name = reference["referenceName"]
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
            )
            return DATASETS.find(properties.type)(given)
        except ManaraError as error:
            raise error.at(f"dataset '{name}'")  # noqa: B904 # the same error, with its place

    def connect(self, reference: Reference) -> Connection:
        """Return the opened linked service, or what stands in for it on this machine."""
        name = reference["referenceName"]
        properties = self.factory.linked_service(name).properties
        scope = {"linkedService": _values(properties.parameters, reference.get("parameters"))}
        given = LinkedServiceGiven(
            name=name,
            type=properties.type,
            properties=resolve(properties.type_properties, scope),
            root=self.factory.root,
        )
        try:
            return CONNECTORS.find(properties.type)(given)
        except ManaraError as error:
            raise error.at(f"linked service '{name}'")  # noqa: B904 # the same error, with its place


def _values(declared: Mapping[str, Parameter] | None, given: Mapping[str, Any] | None) -> dict[str, Any]:
    defaults = {name: parameter.default_value for name, parameter in (declared or {}).items() if parameter.has_default}
    return {**defaults, **(given or {})}
