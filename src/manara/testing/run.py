"""A run as a test looks at it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from manara.errors import NotFound
from manara.plugin.activity import Given
from manara.registry import near
from manara.resources.factory import Factory
from manara.runtime.graph import SKIPPED
from manara.runtime.history import fold
from manara.runtime.scope import RETURN_VALUE, start_values
from manara.store.journal import Journal
from manara.store.record import ActivityRun, PipelineRun
from manara.testing.address import addresses


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How a pipeline ran.

    `activities` holds what the run came to by path (`Each file[0]/Copy`), each with its status, input, output and
    error; `run["Copy"]` finds one by any address. `children` are the runs that it called, by the path of the call.
    """

    pipeline: str
    status: str
    parameters: Mapping[str, Any]
    variables: Mapping[str, Any]
    output: Mapping[str, Any]
    error: Mapping[str, Any] | None
    duration: timedelta
    activities: Mapping[str, ActivityRun]
    children: "Mapping[str, Run]"

    @property
    def message(self) -> str:
        """Why the run failed; empty where it did not."""
        return str((self.error or {}).get("message", ""))

    @property
    def order(self) -> list[str]:
        """The paths of the activities that began, in the order in which they did; not those that are inactive."""
        return [path for path, activity in self.activities.items() if activity.status != SKIPPED and activity.attempt]

    @property
    def skipped(self) -> set[str]:
        """The paths of the activities that were skipped."""
        return {path for path, activity in self.activities.items() if activity.status == SKIPPED}

    @property
    def statuses(self) -> dict[str, str]:
        """The status of each activity by path."""
        return {path: activity.status for path, activity in self.activities.items()}

    def __getitem__(self, address: str) -> ActivityRun:
        if address in self.activities:
            return self.activities[address]
        found = {path: each for pipeline, path, each in self._all() if address in addresses(pipeline, path)}
        if len(found) > 1:
            raise NotFound(f"'{address}' are {len(found)} activities.", advice=f"Name one of: {', '.join(found)}.")
        if not found:
            advice = near(address, [path for _, path, _ in self._all()])
            raise NotFound(f"The run never came to '{address}'.", where=f"pipeline '{self.pipeline}'", advice=advice)
        return next(iter(found.values()))

    def __contains__(self, address: str) -> bool:
        return any(address in addresses(pipeline, path) for pipeline, path, _ in self._all())

    def __repr__(self) -> str:
        lines = [f"run of '{self.pipeline}': {self.status}", f"  {self.message}" if self.message else ""]
        for pipeline, path, activity in self._all():
            name = path if pipeline == self.pipeline else f"{pipeline}:{path}"
            lines.append(f"  {activity.status:<10} {name}")
        return "\n".join(line for line in lines if line)

    def _all(self) -> "Iterator[tuple[str, str, ActivityRun]]":
        for path, activity in self.activities.items():
            yield self.pipeline, path, activity
        for child in self.children.values():
            yield from child._all()


def look_at(record: PipelineRun, journal: Journal, factory: Factory, given: Mapping[tuple[str, str], Given]) -> Run:
    """Return the run for a test. What `secureInput` hid from the journal is shown where a stub was given it."""
    for step, activity in record.activities.items():
        if not activity.input and (record.run_id, step) in given:
            activity.input = dict(given[record.run_id, step].properties)
    children = {
        step: look_at(activity.child, journal, factory, given)
        for step, activity in record.activities.items()
        if activity.child
    }
    variables = start_values(factory.pipeline(record.pipeline), fold(journal.events(record.run_id)))
    return Run(
        pipeline=record.pipeline,
        status=record.status,
        parameters=record.parameters,
        variables={name: value for name, value in variables.items() if name != RETURN_VALUE},
        output=record.output,
        error=record.error,
        duration=record.ended - record.started if record.started and record.ended else timedelta(),
        activities=record.activities,
        children=children,
    )
