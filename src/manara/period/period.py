"""One period of time: its grain and its first day."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Self

from manara.errors import WrongDefinition
from manara.period.grain import GRAINS, Grain
from manara.registry import near


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A period: `start` and `end` are its first and last day. Periods are ordered by start, and then by length.

    >>> quarter = period_at("Quarterly", date(2024, 5, 17))
    >>> quarter.start, quarter.end
    (datetime.date(2024, 4, 1), datetime.date(2024, 6, 30))
    >>> [month.start.month for month in quarter.parts("Monthly")]
    [4, 5, 6]
    """

    start: date
    end: date
    grain: Grain

    def __init__(self, grain: Grain, start: date) -> None:
        if grain.start_of(start) != start:
            raise WrongDefinition(
                f"No {grain.name} period starts on {start}.",
                advice=f"The one of that day starts on {grain.start_of(start)}.",
            )
        try:
            end = grain.after(start, 1) - timedelta(days=1)
        except (OverflowError, ValueError) as error:
            raise WrongDefinition(f"The {grain.name} period of {start} ends after the year 9999.") from error
        if grain.unit == "week" and grain.length > 1:
            end = start + timedelta(weeks=grain.length, days=-1)
        object.__setattr__(self, "grain", grain)
        object.__setattr__(self, "start", start)
        object.__setattr__(self, "end", end)

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.end - self.start).days + 1

    def shifted(self, number: int) -> Self:
        """Return the period that lies `number` periods later; earlier for a negative number."""
        return type(self)(self.grain, self.grain.after(self.start, number))

    def __contains__(self, other: "Period | date") -> bool:
        """Say whether a day or a whole period lies inside this one."""
        if isinstance(other, Period):
            return self.start <= other.start and other.end <= self.end
        return self.start <= other <= self.end

    def overlaps(self, other: "Period") -> bool:
        """Say whether they have a day in common."""
        return self.start <= other.end and other.start <= self.end

    def parts(self, grain: Grain | str) -> "list[Period]":
        """Return the periods of a finer grain that make this one up, in order.

        Raises WrongDefinition where they do not fill it exactly, as weeks do not fill a month.
        """
        finer = grain_of(grain)
        found = list(self._within(finer))
        if not found or found[0].start != self.start or found[-1].end != self.end:
            raise WrongDefinition(
                f"{finer.name} periods do not fill the {self.grain.name} period from {self.start} to {self.end}.",
                advice="Take days, or a grain whose periods start and end with it.",
            )
        return found

    def whole(self, grain: Grain | str) -> "Period":
        """Return the one period of a coarser grain in which this one lies whole.

        Raises WrongDefinition where it lies in two, as a week may in two months.
        """
        found = period_at(grain, self.start)
        if self not in found:
            raise WrongDefinition(
                f"The {self.grain.name} period from {self.start} to {self.end} lies in two {found.grain.name} periods.",
                advice="Go by its days, or say which of its days counts.",
            )
        return found

    def _within(self, grain: Grain) -> "Iterator[Period]":
        one = period_at(grain, self.start)
        while one.start <= self.end:
            yield one
            one = one.shifted(1)


def period_at(grain: Grain | str, day: date) -> Period:
    """Return the period of a grain in which the day lies.

    Raises WrongDefinition for an unknown grain, and for a day of a 53rd week, which lies in no two weeks of DHIS2.
    """
    known = grain_of(grain)
    found = Period(known, known.start_of(day))
    if day not in found:
        raise WrongDefinition(
            f"{day} lies in week 53, which is in no {known.name} period.", advice="Take weeks or days."
        )
    return found


def grain_of(grain: Grain | str) -> Grain:
    """Return the grain with the name. Raises WrongDefinition with near names."""
    if isinstance(grain, Grain):
        return grain
    if grain not in GRAINS:
        raise WrongDefinition(f"There is no period type '{grain}'.", advice=near(grain, GRAINS))
    return GRAINS[grain]
