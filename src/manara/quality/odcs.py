"""The part of the Open Data Contract Standard 3.1 that the gate reads, as values."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel

from manara.errors import WrongDefinition
from manara.quality.expression import read_expression

Dimension = Literal["accuracy", "completeness", "conformity", "consistency", "coverage", "timeliness", "uniqueness"]
Severity = Literal["error", "warning"]
LogicalType = Literal["string", "integer", "number", "boolean", "date", "timestamp"]
Scalar = bool | int | float | datetime | date | str


def _is_expression(text: str) -> str:
    try:
        read_expression(text)
    except WrongDefinition as error:
        raise ValueError(str(error)) from error
    return text


def _is_pattern(text: str) -> str:
    try:
        pc.match_substring_regex(pa.array([""]), text)
    except pa.ArrowInvalid as error:
        raise ValueError(f"'{text}' is not a regular expression that DuckDB knows (RE2).") from error
    return text


SqlText = Annotated[str, AfterValidator(_is_expression)]
Pattern = Annotated[str, AfterValidator(_is_pattern)]


class Part(BaseModel):
    """What every part of a contract has in common: camelCase names, frozen, unknown fields kept."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="allow")


class CustomProperty(Part):
    """A named value of our own: `formats` and `missingValues` are read by the gate."""

    property: str
    value: Any = None


class Options(Part):
    """What a value must be beside its type. Ranges are for numbers and dates, the rest for strings."""

    minimum: Scalar | None = None
    maximum: Scalar | None = None
    exclusive_minimum: Scalar | None = None
    exclusive_maximum: Scalar | None = None
    pattern: Pattern | None = None
    min_length: int | None = Field(default=None, ge=0)
    max_length: int | None = Field(default=None, ge=0)


class Relationship(Part):
    """A value that must stand in another table of the warehouse: `to` is `table.column` or `schema.table.column`."""

    type: Literal["foreignKey"] = "foreignKey"
    to: str

    @field_validator("to")
    @classmethod
    def _has_a_column(cls, to: str) -> str:
        if len(to.split(".")) not in (2, 3) or not all(to.split(".")):
            raise ValueError(f"'{to}' does not name a column. Write table.column.")
        return to

    @property
    def schema_name(self) -> str | None:
        parts = self.to.split(".")
        return parts[0] if len(parts) == 3 else None

    @property
    def table(self) -> str:
        return self.to.split(".")[-2]

    @property
    def column(self) -> str:
        return self.to.split(".")[-1]


MEASURED = ("rowCount", "nullValues", "missingValues", "duplicateValues", "invalidValues")
"""The metrics of the library that are measured over all rows."""


class Quality(Part):
    """A quality rule. Read are those of the `library`, of `sql`, and `custom` ones with the engine `manara`."""

    id: str | None = None
    name: str | None = None
    description: str | None = None
    type: Literal["library", "custom", "text", "sql"] = "library"
    metric: str | None = None
    query: Any = None
    arguments: Mapping[str, Any] = Field(default_factory=dict)
    engine: str | None = None
    implementation: Any = None
    dimension: Dimension | None = None
    severity: Severity = "error"

    @property
    def bounds(self) -> dict[str, Any]:
        """What a measured number must be: `mustBe`, `mustNotBe`, `mustBeLessThan` ..., as the rule says it."""
        said = self.model_extra or {}
        return {key: value for key, value in said.items() if key.startswith(("mustBe", "mustNotBe"))}

    @property
    def is_measured(self) -> bool:
        """Whether the rule is about a number of the whole table, and not about single rows."""
        if self.type == "sql":
            return True
        if self.type != "library" or self.metric not in MEASURED:
            return False
        return self.metric != "invalidValues" or self.bounds not in ({}, {"mustBe": 0})

    @property
    def is_ours(self) -> bool:
        """Whether the gate computes the rule: a custom rule with the engine `manara`."""
        return self.type == "custom" and self.engine == "manara"

    @property
    def valid_values(self) -> list[Any] | None:
        """The list of a rule `invalidValues`, and None for any other rule."""
        listed = self.arguments.get("validValues") if self.type == "library" else None
        return listed if isinstance(listed, list) else None


class Property(Part):
    """A column of the target table, and what its values must be."""

    name: str = Field(min_length=1)
    physical_name: str | None = None
    logical_type: LogicalType = "string"
    logical_type_options: Options = Options()
    required: bool = False
    primary_key: bool = False
    primary_key_position: int = -1
    unique: bool = False
    classification: str | None = None
    description: str | None = None
    transform_logic: SqlText | None = None
    relationships: tuple[Relationship, ...] = ()
    quality: tuple[Quality, ...] = ()
    custom_properties: tuple[CustomProperty, ...] = ()

    @property
    def source(self) -> str:
        """The source column that the value comes from, unless `transformLogic` computes it."""
        return self.physical_name or self.name

    @property
    def is_mandatory(self) -> bool:
        return self.required or self.primary_key

    @property
    def formats(self) -> list[str]:
        """The forms that a date may have, in the order in which they are tried; none means ISO 8601."""
        return self._listed("formats")

    @property
    def missing_values(self) -> list[str]:
        """The texts that count as missing, as a blank does."""
        return self._listed("missingValues")

    def _listed(self, name: str) -> list[str]:
        return next((list(custom.value) for custom in self.custom_properties if custom.property == name), [])


class ServiceLevel(Part):
    """A service level: `latency` is checked (how old the newest value of `element` may be), others are kept."""

    named: str = Field(alias="property")
    value: Any = None
    unit: str | None = None
    element: str | None = None
    driver: str | None = None
    severity: Severity = "warning"

    @property
    def column(self) -> str:
        """The column that a latency looks at."""
        return (self.element or "").split(".")[-1]

    @property
    def seconds(self) -> float | None:
        """How long a latency is; None for a value or unit that gives no time."""
        unit = _SECONDS.get((self.unit or "").lower())
        is_number = isinstance(self.value, int | float) and not isinstance(self.value, bool)
        return self.value * unit if unit and is_number else None


_SECONDS = {
    word: seconds
    for seconds, words in (
        (1, "s sec second seconds"), (60, "min minute minutes"), (3600, "h hour hours"), (86_400, "d day days"),
        (7 * 86_400, "w week weeks"), (30.4375 * 86_400, "m month months"), (365.25 * 86_400, "y year years"),
    )
    for word in words.split()
}  # fmt: skip


class SchemaObject(Part):
    """The one table of a contract."""

    name: str = Field(min_length=1)
    logical_type: Literal["object"] = "object"
    description: str | None = None
    properties: tuple[Property, ...] = Field(min_length=1)
    quality: tuple[Quality, ...] = ()
    custom_properties: tuple[CustomProperty, ...] = ()

    def custom(self, name: str) -> Any:
        """Return the value of a custom property; None where there is none."""
        return next((each.value for each in self.custom_properties if each.property == name), None)


class Contract(Part):
    """A data contract: who promises what about the rows of one table."""

    api_version: str = Field(pattern=r"^v3\.")
    kind: Literal["DataContract"]
    id: str = Field(min_length=1)
    version: str
    status: str
    name: str | None = None
    description: Any = None
    schema_: tuple[SchemaObject, ...] = Field(alias="schema", min_length=1, max_length=1)
    sla_properties: tuple[ServiceLevel, ...] = ()

    @property
    def title(self) -> str:
        """The name by which quarantine and findings know the contract."""
        return self.name or self.id

    @property
    def table(self) -> SchemaObject:
        return self.schema_[0]

    @property
    def properties(self) -> tuple[Property, ...]:
        return self.table.properties

    @property
    def keys(self) -> list[Property]:
        """The properties of the primary key, by their position."""
        return sorted((each for each in self.properties if each.primary_key), key=lambda key: key.primary_key_position)
