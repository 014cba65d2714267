"""The resources of a factory as typed values: what ADF's JSON says, unknown properties kept.

Only what Manara acts on has a field of its own; everything else stays in the model as it came (`extra="allow"`), so
that dumping with `by_alias=True, exclude_unset=True` gives back what was read.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.alias_generators import to_camel

Loose = Any  # ADF writes numbers and booleans as themselves, as text, or as an expression


class Model(BaseModel):
    """A JSON object of ADF: camelCase outside, snake_case inside, frozen."""

    model_config = ConfigDict(frozen=True, extra="allow", alias_generator=to_camel, populate_by_name=True)


class Reference(Model):
    reference_name: str
    type: str = ""
    parameters: dict[str, Any] | None = None


class Dependency(Model):
    activity: str
    dependency_conditions: list[Literal["Succeeded", "Failed", "Completed", "Skipped"]] | None = None


class Policy(Model):
    timeout: Loose = None
    retry: Loose = None
    retry_interval_in_seconds: Loose = None
    secure_input: Loose = None
    secure_output: Loose = None


class Activity(Model):
    """One activity; those of a container (`ForEach`, `IfCondition`, ...) lie in its typeProperties."""

    CONTAINED: ClassVar = ("activities", "ifTrueActivities", "ifFalseActivities", "defaultActivities")

    name: str = Field(min_length=1)
    type: str = Field(min_length=1)
    depends_on: list[Dependency] | None = None
    policy: Policy | None = None
    type_properties: dict[str, Any] = Field(default_factory=dict)
    inputs: list[Reference] | None = None
    outputs: list[Reference] | None = None
    linked_service_name: Reference | None = None
    sql_pool: Reference | None = None
    state: str | None = None
    on_inactive_mark_as: str | None = None

    @property
    def is_active(self) -> bool:
        """Whether it runs at all (rule 68)."""
        return (self.state or "").lower() != "inactive"

    @property
    def service(self) -> Reference | None:
        """The linked service that it works on; Synapse's own pool counts as the one of the pool's name."""
        return self.linked_service_name or self.sql_pool

    def contained(self, key: str) -> "list[Activity]":
        """Return the activities that the container holds under `key`; none where the key is absent or null.

        Raises pydantic's ValidationError where they have the wrong shape.
        """
        if not self.type_properties.get(key):
            return []
        if key not in self._contained:
            self._contained[key] = _ACTIVITIES.validate_python(self.type_properties[key])
        return self._contained[key]

    @cached_property
    def _contained(self) -> "dict[str, list[Activity]]":
        """What was read of the insides already: a loop reads them once, not in every round."""
        return {}

    def cases(self) -> "list[Case]":
        """Return the cases of a Switch. Raises pydantic's ValidationError where they have the wrong shape."""
        held = self.type_properties.get("cases")
        return _CASES.validate_python(held) if held else []


class Case(Model):
    value: Loose = None
    activities: list[Activity] | None = None


_ACTIVITIES = TypeAdapter(list[Activity])
_CASES = TypeAdapter(list[Case])


class Parameter(Model):
    type: str = "String"
    default_value: Any = None

    @property
    def has_default(self) -> bool:
        return "default_value" in self.model_fields_set


class PipelineProperties(Model):
    activities: list[Activity] = Field(default_factory=list)
    parameters: dict[str, Parameter] | None = None
    variables: dict[str, Parameter] | None = None
    concurrency: Loose = None


class DatasetProperties(Model):
    type: str = Field(min_length=1)
    linked_service_name: Reference
    parameters: dict[str, Parameter] | None = None
    type_properties: dict[str, Any] = Field(default_factory=dict)


class LinkedServiceProperties(Model):
    type: str = Field(min_length=1)
    parameters: dict[str, Parameter] | None = None
    type_properties: dict[str, Any] = Field(default_factory=dict)


class AnyProperties(Model):
    """The properties of a kind that this version reads and writes back but does not run."""


class Resource(Model):
    """A named file of the factory."""

    name: str = Field(min_length=1)


class Pipeline(Resource):
    properties: PipelineProperties


class Dataset(Resource):
    properties: DatasetProperties


class LinkedService(Resource):
    properties: LinkedServiceProperties


class Other(Resource):
    properties: AnyProperties = AnyProperties()


KINDS: dict[str, type[Resource]] = {
    "factory": Other,
    "linkedService": LinkedService,
    "dataset": Dataset,
    "pipeline": Pipeline,
    "dataflow": Other,
    "trigger": Other,
    "integrationRuntime": Other,
    "managedVirtualNetwork": Other,
    "credential": Other,
}
"""The folders of ADF's git layout, and what a file in each of them holds."""

TEXTS = {
    "contract": (".yaml", ".yml"),
    "subject": (".yaml", ".yml"),
    "script": (".sql",),
    "local/notebook": (".py", ".ipynb"),
    "local/procedure": (".sql",),
}
"""The folders beside them, and how their files end."""


def walk(activities: list[Activity], path: str = "properties.activities") -> Iterator[tuple[str, Activity]]:
    """Yield every activity with its JSON path, those inside containers too, outer before inner.

    Raises pydantic's ValidationError where a contained activity has the wrong shape.
    """
    for index, activity in enumerate(activities):
        place = f"{path}[{index}]"
        yield place, activity
        for key in Activity.CONTAINED:
            yield from walk(activity.contained(key), f"{place}.typeProperties.{key}")
        for number, case in enumerate(activity.cases()):
            yield from walk(case.activities or [], f"{place}.typeProperties.cases[{number}].activities")
