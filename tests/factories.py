"""Small factories for tests: written into a folder, opened, run."""

import json
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from manara.app import Factory
from manara.plugin.activity import Given, Output, activity

Json = dict[str, Any]

DONE: list[str] = []
"""The steps that `TestNote` has done, in order."""


@activity("TestNote")
def note(given: Given) -> Output:
    """Note the step, and give back its properties."""
    DONE.append(given.mark.step)
    return dict(given.properties)


@activity("TestFail")
def fail(given: Given) -> Output:
    """Fail as long as the attempt is not the one named in `until`."""
    DONE.append(given.mark.step)
    if given.mark.attempt < int(given.properties.get("until", 99)):
        raise ValueError("no luck")
    return {"attempt": given.mark.attempt}


@activity("TestReport")
def report(given: Given) -> Output:
    """Report some progress."""
    given.report({"rowsRead": 1})
    return {}


_ALONE = threading.Lock()


@activity("TestAlone")
def alone(given: Given) -> Output:
    """Fail where another one of its kind is at work."""
    if not _ALONE.acquire(blocking=False):
        raise ValueError("not alone")
    try:
        given.report({})
        return {}
    finally:
        _ALONE.release()


def act(
    name: str, kind: str = "TestNote", after: Sequence[str] | Mapping[str, Sequence[str]] = (), **more: Any
) -> Json:
    """Return an activity. `after` names those it waits for, with their conditions where it is a mapping."""
    conditions = after if isinstance(after, Mapping) else {other: ["Succeeded"] for other in after}
    depends = [{"activity": other, "dependencyConditions": list(kinds)} for other, kinds in conditions.items()]
    beside = ("policy", "state", "onInactiveMarkAs", "linkedServiceName", "inputs", "outputs")
    top: Json = {key: more.pop(key) for key in beside if key in more}
    return {"name": name, "type": kind, "dependsOn": depends, "typeProperties": more, **top}


def pipeline(*activities: Json, **properties: Any) -> Json:
    """Return the properties of a pipeline."""
    return {"activities": list(activities), **properties}


def write(root: Path, kind: str, name: str, properties: Json) -> None:
    """Write one resource of a factory."""
    path = root / kind / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"name": name, "properties": properties}, indent=4), encoding="utf-8")


def factory_of(root: Path, **pipelines: Json) -> Factory:
    """Return an opened factory that holds the pipelines."""
    for name, properties in pipelines.items():
        write(root, "pipeline", name, properties)
    return Factory.open(root)


def statuses(run: Any) -> dict[str, str]:
    """Return the status of each activity of a run."""
    return {name: activity.status for name, activity in run.activities.items()}
