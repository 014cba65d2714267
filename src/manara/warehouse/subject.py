"""Subject areas: stars declared in `subject/*.yaml`, read with all their faults at once.

    subject: supply
    description: Stock and shipments.
    dimensions:
      - name: facility
        key: [facility_id]
        attributes:
          - {name: facility_id, type: string}
          - {name: name, type: string, history: 2}
    facts:
      - name: stock_month
        grain: one item at one facility in one month, as one source tells it
        key: [facility, item, date, source]
        asOf: month
        roles:
          - {name: facility, dimension: facility, from: [facility_id]}
          - {name: date, dimension: date, from: [month]}
        degenerate: [{name: source, type: string}]
        measures: [{name: opening, type: integer, unit: unit, additivity: semi-additive, over: [date]}]

The terms are Kimball's (The Data Warehouse Toolkit, third edition): grain, role, degenerate dimension, additivity,
slowly changing attributes of type 1 (`history: 1`, overwritten) and type 2 (a new row for each version).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.alias_generators import to_camel

from manara.errors import Fault, Faults, NotFound
from manara.plugin.activity import checker
from manara.registry import near
from manara.resources.factory import STANDARD

DATE, PERIOD = "date", "period"
GIVEN = frozenset({DATE, PERIOD})
"""The dimensions of days and of periods, which every subject area has without declaring them."""

_TYPES = {
    "string": "TEXT", "integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN", "date": "DATE",
    "timestamp": "TIMESTAMP",
}  # fmt: skip
_DECIMAL = re.compile(r"decimal\((\d{1,2}), ?(\d{1,2})\)")
_NAME = r"^[A-Za-z][A-Za-z0-9_]*$"
_RESERVED = {
    "valid_from", "valid_to", "is_current", "is_deleted", "is_inferred", "fact_key", "loaded_at", "loaded_run",
    "replaced_at", "_origin", "_row", "_run",
}  # fmt: skip


class Part(BaseModel):
    """What all parts have in common: camelCase names, frozen, nothing unknown."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid")


class Typed(Part):
    """A column: its name and type."""

    name: str = Field(pattern=_NAME)
    type: str = "string"
    description: str = ""

    @field_validator("type")
    @classmethod
    def _is_known(cls, kind: str) -> str:
        if kind not in _TYPES and not _DECIMAL.fullmatch(kind):
            raise ValueError(f"'{kind}' is no type. Known are: {', '.join(_TYPES)} and decimal(18,2).")
        return kind

    @field_validator("name")
    @classmethod
    def _is_free(cls, name: str) -> str:
        if name.lower() in _RESERVED:
            raise ValueError(f"'{name}' is a name that the warehouse needs.")
        return name

    @property
    def sql_type(self) -> str:
        """The type in SQL."""
        return _TYPES.get(self.type, self.type.upper())


class Attribute(Typed):
    """An attribute of a dimension. With `history: 2`, a change makes a new version; with 1, it is overwritten."""

    history: Literal[1, 2] = 1


class Measure(Typed):
    """A number of a fact: its unit, and over which dimensions it may be added up."""

    type: str = "number"
    unit: str = ""
    additivity: Literal["additive", "semi-additive", "non-additive"] = "additive"
    over: tuple[str, ...] = ()


class Dimension(Part):
    """A dimension: its natural key and attributes, or the subject area that declares it (`conformed`)."""

    name: str = Field(pattern=_NAME)
    key: tuple[str, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    conformed: str | None = None
    description: str = ""

    @property
    def table(self) -> str:
        return f"dim_{self.name}"

    @property
    def surrogate(self) -> str:
        return f"{self.name}_key"

    @property
    def columns(self) -> list[str]:
        return [attribute.name for attribute in self.attributes]

    def of_type(self, history: int) -> list[str]:
        """Return the attributes outside the key that are kept so."""
        return [each.name for each in self.attributes if each.history == history and each.name not in self.key]


class Role(Part):
    """A dimension in a fact: the role that it plays, and the source's columns with its natural key.

    `late` says what is done with a member that is not there yet: `infer` makes one that the dimension completes later,
    `unknown` points to the unknown member, `refuse` ends the load.
    """

    name: str = Field(pattern=_NAME)
    dimension: str
    source: tuple[str, ...] = Field(alias="from", min_length=1)
    late: Literal["infer", "unknown", "refuse"] = "infer"

    @property
    def column(self) -> str:
        return f"{self.name}_key"


class Fact(Part):
    """A fact table: its grain, roles and measures, and its natural key, which names roles and degenerate columns.

    `partition_by` is a role of the dimension date: PostgreSQL then keeps each of its years in a table of its own.
    """

    name: str = Field(pattern=_NAME)
    grain: str = Field(min_length=1)
    key: tuple[str, ...] = Field(min_length=1)
    as_of: str | None = None
    partition_by: str | None = None
    roles: tuple[Role, ...] = ()
    degenerate: tuple[Typed, ...] = ()
    measures: tuple[Measure, ...] = ()
    description: str = ""

    @property
    def table(self) -> str:
        return f"fact_{self.name}"

    @property
    def own(self) -> list[Typed]:
        """The columns that the source gives as they are: degenerate dimensions and measures."""
        return [*self.degenerate, *self.measures]

    @property
    def partition_column(self) -> str | None:
        """The column by whose years the table is parted; None where it is not."""
        return next((role.column for role in self.roles if role.name == self.partition_by), None)


class Subject(Part):
    """A subject area."""

    subject: str = Field(pattern=_NAME)
    description: str = ""
    dimensions: tuple[Dimension, ...] = ()
    facts: tuple[Fact, ...] = ()

    def dimension(self, name: str) -> Dimension:
        """Return a dimension. Raises NotFound with near names."""
        known = {each.name: each for each in self.dimensions}
        if name not in known:
            raise NotFound(f"The subject area has no dimension '{name}'.", advice=near(name, known))
        return known[name]

    def fact(self, name: str) -> Fact:
        """Return a fact. Raises NotFound with near names."""
        known = {each.name: each for each in self.facts}
        if name not in known:
            raise NotFound(f"The subject area has no fact '{name}'.", advice=near(name, known))
        return known[name]


def read_subject(text: str, file: str, others: Mapping[str, str] | None = None) -> Subject:
    """Return the subject area of a file, with conformed dimensions filled in from `others` (texts by name).

    Raises Faults with everything that is wrong, each with its place.
    """
    subject = _shape(text, file)
    faults = list(_sense(subject, file))
    dimensions = []
    for index, each in enumerate(subject.dimensions):
        if each.conformed is None or others is None:
            dimensions.append(each)
            continue
        found, fault = _conformed(each, others, f"{file} dimensions[{index}].conformed")
        faults += [fault] if fault else []
        dimensions.append(found)
    whole = subject.model_copy(update={"dimensions": tuple(dimensions)})
    faults = faults or [
        Fault(file=file, path=f"facts[{index}].{where}", message=told)
        for index, fact in enumerate(whole.facts)
        for where, told in _role_faults(fact, {each.name: each.key for each in whole.dimensions if each.key})
    ]
    if faults:
        raise Faults(faults)
    return whole


@checker("subject")
def check_subject(text: str, file: str) -> None:
    """Raise Faults where the text is no subject area: what `manara validate` asks of each file in `subject/`."""
    read_subject(text, file)


def _shape(text: str, file: str) -> Subject:
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Faults([Fault(file=file, path="", message=f"This is not YAML: {error}.")]) from error
    try:
        return Subject.model_validate(document)
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise Faults([Fault(file=file, path=_path(each["loc"]), message=_message(each)) for each in details]) from error


def _sense(subject: Subject, file: str) -> Iterator[Fault]:
    def fault(path: str, message: str, advice: str = "") -> Fault:
        return Fault(file=file, path=path, message=message, advice=advice)

    known = {each.name for each in subject.dimensions} | GIVEN
    for index, each in enumerate(subject.dimensions):
        path = f"dimensions[{index}]"
        if each.name in GIVEN:
            yield fault(path, f"The dimension {each.name} is there already: every subject area has it.")
        if each.conformed is None:
            yield from (fault(f"{path}.{where}", told) for where, told in _dimension_faults(each))
    for index, fact in enumerate(subject.facts):
        path = f"facts[{index}]"
        for at, role in enumerate(fact.roles):
            if role.dimension not in known:
                told = f"There is no dimension '{role.dimension}'."
                yield fault(f"{path}.roles[{at}].dimension", told, near(role.dimension, known))
        yield from (fault(f"{path}.{where}", told) for where, told in _fact_faults(fact, subject))
    for kind, listed in (("dimensions", subject.dimensions), ("facts", subject.facts)):
        for name in _twice([each.name for each in listed]):
            yield fault(kind, f"'{name}' is declared twice.")


def _dimension_faults(dimension: Dimension) -> Iterator[tuple[str, str]]:
    if not dimension.key:
        yield "key", "The dimension has no natural key."
    for name in dimension.key:
        if name not in dimension.columns:
            yield "key", f"The key '{name}' is no attribute."
    for name in _twice(dimension.columns):
        yield "attributes", f"'{name}' is declared twice."
    for each in dimension.attributes:
        if each.history == 2 and each.name in dimension.key:
            yield "attributes", f"'{each.name}' is part of the key, and cannot change."


def _fact_faults(fact: Fact, subject: Subject) -> Iterator[tuple[str, str]]:
    parts = [role.name for role in fact.roles] + [each.name for each in fact.degenerate]
    for name in fact.key:
        if name not in parts:
            yield "key", f"'{name}' is neither a role nor a degenerate dimension."
    columns = [role.column for role in fact.roles] + [each.name for each in fact.own]
    for name in _twice(columns):
        yield "measures", f"The column '{name}' is there twice."
    yield from _role_faults(fact, {each.name: each.key for each in subject.dimensions if each.conformed is None})
    if fact.partition_by and fact.partition_by not in [r.name for r in fact.roles if r.dimension == DATE]:
        yield "partitionBy", f"'{fact.partition_by}' is no role of the dimension date."
    yield from _measure_faults(fact)


def _role_faults(fact: Fact, keys: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, str]]:
    for at, role in enumerate(fact.roles):
        wanted = len(keys.get(role.dimension, role.source)) if role.dimension not in GIVEN else 1
        if len(role.source) != wanted:
            yield f"roles[{at}].from", f"The key of '{role.dimension}' has {wanted} parts, not {len(role.source)}."


def _measure_faults(fact: Fact) -> Iterator[tuple[str, str]]:
    for at, measure in enumerate(fact.measures):
        if measure.additivity == "semi-additive" and not measure.over:
            yield f"measures[{at}].over", "Say over which roles a semi-additive measure is not added up."
        for name in measure.over:
            if name not in [role.name for role in fact.roles]:
                yield f"measures[{at}].over", f"There is no role '{name}'."


def _conformed(dimension: Dimension, others: Mapping[str, str], place: str) -> tuple[Dimension, Fault | None]:
    """Return the dimension as the other subject area declares it, and the fault where that cannot be."""
    named = str(dimension.conformed)
    if named not in others:
        told = f"There is no subject area '{named}'."
        return dimension, Fault(file=place, path="", message=told, advice=near(named, [*others, STANDARD]))
    declared = {each.name: each for each in _shape(others[named], f"subject/{named}.yaml").dimensions}
    if dimension.name not in declared or declared[dimension.name].conformed is not None:
        told = f"The subject area '{named}' does not declare the dimension '{dimension.name}'."
        return dimension, Fault(file=place, path="", message=told)
    found = declared[dimension.name]
    if (dimension.key and dimension.key != found.key) or (
        dimension.attributes and dimension.attributes != found.attributes
    ):
        told = f"The dimension '{dimension.name}' is declared otherwise in '{named}'."
        return found, Fault(file=place, path="", message=told, advice="Leave out key and attributes here.")
    return found, None


def _twice(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


def _path(location: Sequence[Any]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")


def _message(detail: Any) -> str:
    if detail["type"] == "missing":
        return "This is missing."
    if detail["type"] == "extra_forbidden":
        return "This is not known here."
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"])
    return f"{detail['msg']} (it says {detail.get('input')!r:.80})."
