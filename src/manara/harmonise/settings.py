"""What the activity Harmonise is told: the columns, read with all their faults at once."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator
from pydantic.alias_generators import to_camel

from manara.errors import Fault, Faults, ManaraError
from manara.harmonise.units import unit_of
from manara.period.calendars import Calendar
from manara.period.dates import Forms
from manara.period.notation import Notation

OnUnmatched = Literal["wait", "keep", "fail"]


class Column(BaseModel):
    """One column to bring to a code list: the column that it comes from, and the one that it goes to."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid", arbitrary_types_allowed=True
    )

    source: str = Field(alias="from", min_length=1)
    to: str = Field(min_length=1)
    on_unmatched: OnUnmatched = "wait"

    @property
    def list_name(self) -> str:
        """The name under which the steward knows what the column is matched against."""
        return f"{getattr(self, 'kind', '')}:{self.to}"

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns that it needs, those of the source and those that were harmonised before it."""
        return (self.source,)


class CodeColumn(Column):
    """A name or code to a code of a pack: countries, places with their parents, items, indicators.

    `parent` and `within` name columns (of the source, or harmonised before this one) that hold the code of what the
    name lies in: directly, and somewhere above. `level` keeps to the entries of a level.
    """

    kind: Literal["country", "place", "code"] = Field(alias="as")
    pack: str = Field(min_length=1)
    parent: str | None = None
    within: str | None = None
    level: int | None = None
    threshold: float = Field(default=88.0, ge=60, le=100)
    margin: float = Field(default=4.0, ge=0, le=40)
    never_fuzzy: tuple[str, ...] = ()
    outside: bool = False

    @property
    def list_name(self) -> str:
        return self.pack if self.level is None else f"{self.pack}/{self.level}"

    @property
    def reads(self) -> tuple[str, ...]:
        return tuple(name for name in (self.source, self.parent, self.within) if name)


class AgeColumn(Column):
    """A text of an age group to a code of CL_AGE; `pack` is the list that the code must be in."""

    kind: Literal["age"] = Field(alias="as")
    unit: Literal["months", "years"] | None = None
    pack: str | None = None


class SexColumn(Column):
    """A text of a sex to a code of CL_SEX; `values` are the words of the source."""

    kind: Literal["sex"] = Field(alias="as")
    values: Mapping[str, Literal["M", "F", "_T", "_U"]] = Field(default_factory=dict)


class DateColumn(Column):
    """A text to a Gregorian date, in declared forms of a calendar."""

    kind: Literal["date"] = Field(alias="as")
    formats: tuple[str, ...] = Field(min_length=1)
    calendar: Calendar = "gregorian"
    languages: tuple[str, ...] = Field(default=("en",), validate_default=True)

    @field_validator("languages")
    @classmethod
    def _are_known(cls, languages: tuple[str, ...], info: Any) -> tuple[str, ...]:
        formats, calendar = info.data.get("formats"), info.data.get("calendar")
        if formats and calendar:
            _tried(lambda: Forms(formats, calendar, languages))
        return languages

    @property
    def forms(self) -> Forms:
        """The declared forms."""
        return Forms(self.formats, self.calendar, self.languages)


class PeriodColumn(Column):
    """A period of a notation to another notation, with its first and last day in `<to>_start` and `<to>_end`."""

    kind: Literal["period"] = Field(alias="as")
    notation: Notation
    write: Notation = "ISO"


class AmountColumn(Column):
    """An amount to a unit: a text such as `1.1 KG`, or the number in `value` times the text's unit."""

    kind: Literal["amount"] = Field(alias="as")
    unit: str
    value: str | None = None

    @field_validator("unit")
    @classmethod
    def _is_known(cls, unit: str) -> str:
        _tried(lambda: unit_of(unit))
        return unit

    @property
    def reads(self) -> tuple[str, ...]:
        return tuple(name for name in (self.source, self.value) if name)


class MoneyColumn(Column):
    """An amount of money to a currency, by the rates of a pack; `currency` and `day` name columns of the source."""

    kind: Literal["money"] = Field(alias="as")
    currency: str
    day: str
    target: str = Field(min_length=3, max_length=3)
    pack: str = Field(min_length=1)
    oldest_days: int = Field(default=31, ge=0)

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.source, self.currency, self.day)


AnyColumn = Annotated[
    CodeColumn | AgeColumn | SexColumn | DateColumn | PeriodColumn | AmountColumn | MoneyColumn,
    Field(discriminator="kind"),
]
_COLUMNS = TypeAdapter(list[AnyColumn])


def read_columns(given: Any, where: str) -> list[AnyColumn]:
    """Return the columns of the activity. Raises Faults with all that is wrong, each with its path."""
    if not isinstance(given, list) or not given:
        raise Faults([Fault(file=where, path="typeProperties.columns", message="Name one column at least.", advice="")])
    try:
        columns = _COLUMNS.validate_python(given)
    except ValidationError as error:
        raise Faults([
            Fault(file=where, path=_path(each["loc"]), message=_message(each), advice="")
            for each in error.errors(include_url=False)
        ]) from error  # fmt: skip
    seen: set[str] = set()
    faults = []
    for index, column in enumerate(columns):
        if column.to.lower() in seen:
            path = f"typeProperties.columns[{index}].to"
            faults.append(Fault(file=where, path=path, message=f"Two columns go to '{column.to}'.", advice=""))
        seen.add(column.to.lower())
    if faults:
        raise Faults(faults)
    return columns


def _tried(make: Any) -> None:
    try:
        make()
    except ManaraError as error:
        raise ValueError(str(error)) from error


def _path(location: Any) -> str:
    kinds = {"country", "place", "code", "age", "sex", "date", "period", "amount", "money"}
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in location if part not in kinds]
    return "typeProperties.columns" + "".join(parts)


def _message(detail: Any) -> str:
    if detail["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return "'as' is one of country, place, code, age, sex, date, period, amount and money."
    if detail["type"] == "extra_forbidden":
        return "This is not known here."
    if detail["type"] == "missing":
        return "This is missing."
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"])
    return f"{detail['msg']} (it says {detail.get('input')!r:.80})."
