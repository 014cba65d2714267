"""Which activity may start now, which never will, and how a finished graph ended: pure, by rules 56 to 65."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from manara.resources.model import Activity, Dependency

SUCCEEDED, FAILED, SKIPPED, CANCELLED = "Succeeded", "Failed", "Skipped", "Cancelled"

Statuses = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What follows from what is done: activities to start, and activities that are skipped."""

    ready: tuple[Activity, ...]
    skipped: tuple[Activity, ...]


def next_steps(waiting: Sequence[Activity], done: Statuses) -> Plan:
    """Return which of the waiting activities can start, and which cannot any more.

    `done` holds the status of every activity that has ended. Several dependencies are AND, several conditions on one
    dependency are OR (rule 57); an activity whose condition was missed is skipped (rule 58).
    """
    ready, skipped = [], []
    for activity in waiting:
        fits = [_fits(dependency, done.get(dependency.activity)) for dependency in activity.depends_on or []]
        if False in fits:
            skipped.append(activity)
        elif None not in fits:
            ready.append(activity)
    return Plan(ready=tuple(ready), skipped=tuple(skipped))


def followers_of(activities: Sequence[Activity]) -> dict[str, list[Activity]]:
    """Return, by name, the activities that wait for each of them: what may follow when it ends."""
    followers: dict[str, list[Activity]] = {activity.name: [] for activity in activities}
    for activity in activities:
        for name in {dependency.activity for dependency in activity.depends_on or []}:
            followers.setdefault(name, []).append(activity)
    return followers


def _fits(dependency: Dependency, status: str | None) -> bool | None:
    """Whether the condition is met; None while the other activity has not ended."""
    if status is None:
        return None
    conditions: Sequence[str] = dependency.dependency_conditions or [SUCCEEDED]
    return status in conditions or ("Completed" in conditions and status in (SUCCEEDED, FAILED))


def culprits(activities: Sequence[Activity], done: Statuses) -> list[str]:
    """Return the names of the activities that make the graph fail; empty where it succeeded.

    Only leaves count; a skipped leaf is replaced by what it waited for, and so on upwards (rule 61).
    """
    by_name = {activity.name: activity for activity in activities}
    inner = {dependency.activity for activity in activities for dependency in activity.depends_on or []}
    ahead = [activity.name for activity in activities if activity.name not in inner]
    seen: dict[str, None] = {}
    while ahead:
        name = ahead.pop(0)
        if name in seen:
            continue
        seen[name] = None
        if done.get(name) == SKIPPED:
            ahead += [dependency.activity for dependency in by_name[name].depends_on or []]
    return [name for name in seen if done.get(name) not in (SUCCEEDED, SKIPPED)]
