"""Where each activity of a pipeline stands: its path, what is around it, and what it can see."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from manara.errors import Fault
from manara.resources.factory import shape_faults
from manara.resources.model import Activity

_EVALUATED = ("typeProperties", "policy", "linkedServiceName", "inputs", "outputs", "userProperties")
"""Where the expressions of an activity stand; in its description an `@` is only text."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Placed:
    """An activity in its place; `above` is the container around it, and `group` the path of the list it stands in."""

    path: str
    group: str
    activity: Activity
    above: "Placed | None" = None

    @cached_property
    def own(self) -> dict[str, Any]:
        """What the activity says itself, as JSON, without the activities that it contains."""
        told = self.activity.model_dump(by_alias=True, exclude_unset=True, exclude={"type_properties"})
        properties = self.activity.type_properties
        inner = {key: properties[key] for key in properties if key not in (*Activity.CONTAINED, "cases")}
        with suppress(ValidationError):  # told as a fault of their shape
            inner["cases"] = [{"value": case.value} for case in self.activity.cases()]
        return {key: value for key, value in {**told, "typeProperties": inner}.items() if key in _EVALUATED}

    def containers(self) -> "Iterator[Placed]":
        """Yield the containers around it, the nearest first."""
        if self.above:
            yield self.above
            yield from self.above.containers()


@dataclass(slots=True, kw_only=True)
class Places:
    """All activities of a pipeline, outer before inner, and faults in the shape of contained ones.

    An inactive activity is there, and what it contains is not (rule 68).
    """

    file: str
    all: list[Placed] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def groups(self) -> Mapping[str, Sequence[Placed]]:
        """Return the activities by the list that they stand in."""
        found: dict[str, list[Placed]] = {}
        for placed in self.all:
            found.setdefault(placed.group, []).append(placed)
        return found

    def add(self, activities: Sequence[Activity], group: str, above: Placed | None = None) -> None:
        """Take in the activities of one list and all that they contain."""
        for index, activity in enumerate(activities):
            placed = Placed(path=f"{group}[{index}]", group=group, activity=activity, above=above)
            self.all.append(placed)
            if activity.is_active:
                self._add_inside(placed)

    def _add_inside(self, placed: Placed) -> None:
        below = f"{placed.path}.typeProperties"
        for key in Activity.CONTAINED:
            try:
                self.add(placed.activity.contained(key), f"{below}.{key}", placed)
            except ValidationError as error:
                self.faults += shape_faults(self.file, f"{below}.{key}", error)
        try:
            for number, case in enumerate(placed.activity.cases()):
                self.add(case.activities or [], f"{below}.cases[{number}].activities", placed)
        except ValidationError as error:
            self.faults += shape_faults(self.file, f"{below}.cases", error)


def place_all(file: str, activities: Sequence[Activity]) -> Places:
    """Return the activities of a pipeline in their places."""
    places = Places(file=file)
    places.add(activities, "properties.activities")
    return places


class Sight:
    """Which activities each one sees: those before it in its list, and what the container around it sees."""

    def __init__(self, places: Places) -> None:
        self._bits = {placed.path: 1 << index for index, placed in enumerate(places.all)}
        self._seen: dict[str, int] = {}
        self._inside: dict[str, int] = {}
        for group in places.groups().values():
            self._look(group)
        for placed in places.all:
            if placed.above:
                above = placed.above.path
                self._inside[above] = self._inside.get(above, 0) | self._bits[placed.path]

    def sees(self, viewer: Placed, other: Placed) -> bool:
        """Say whether an expression of `viewer` can use the output of `other`."""
        return bool(self._seen[viewer.path] & self._bits[other.path])

    def holds(self, container: Placed, other: Placed) -> bool:
        """Say whether `other` stands directly in the container."""
        return bool(self._inside.get(container.path, 0) & self._bits[other.path])

    def _look(self, group: Sequence[Placed]) -> None:
        by_name = {placed.activity.name: placed for placed in group}
        above = group[0].above
        base = self._seen[above.path] if above else 0
        ahead = list(group)
        looked: set[str] = set()
        while ahead:
            placed = ahead[-1]
            before = {link.activity for link in placed.activity.depends_on or [] if link.activity in by_name}
            open_ones = [by_name[name] for name in before if by_name[name].path not in self._seen]
            if placed.path in self._seen:
                ahead.pop()
            elif open_ones and placed.path not in looked:
                looked.add(placed.path)  # in a ring, the second look ends it
                ahead += open_ones
            else:
                seen = base
                for name in before:
                    path = by_name[name].path
                    seen |= self._bits[path] | self._seen.get(path, 0)
                self._seen[placed.path] = seen
                ahead.pop()
