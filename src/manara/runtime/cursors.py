"""Where an activity goes on: what its last good run left as `cursor`, found again by what it reads and writes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from manara import expr
from manara.expr.expression import is_expression
from manara.plugin.activity import Given
from manara.resources.model import Activity
from manara.runtime.scope import ABSENT, Frame
from manara.secret import hidden
from manara.store.journal import Journal
from manara.store.keeps import Keeps, Place

CURSOR = "cursor"
"""The key of an activity's output that is kept for its next run."""

_ECHOES = frozenset({"WebActivity", "WebHook", "AzureFunctionActivity", "Lookup", "Custom"})
"""Activities whose output is the words of somebody else, who may call anything a cursor."""

_MOVES = re.compile(
    r"\b(utcnow|getpasttime|getfuturetime|ticks|guid|rand)\s*\(|\b(runid|triggertime|triggerid|groupid)\b",
    re.IGNORECASE,
)
"""What makes an expression give something else in each run."""


@dataclass(kw_only=True)
class Cursors:
    """The cursors of one factory. Those of activities that have never left one are not looked for."""

    journal: Journal
    factory: str
    _own: set[tuple[str, str]] = field(default_factory=set)

    def find(self, activity: Activity, frame: Frame, given: Given) -> Any:
        """Return where the activity goes on (JSON); None where it begins."""
        pipeline = frame.run.pipeline.name
        if (pipeline, activity.name) not in self._known and (pipeline, activity.name) not in self._own:
            return None
        return self.journal.cursor(self.place(activity, frame, given).key)

    def keep(
        self, activity: Activity, frame: Frame, given: Given, output: Mapping[str, Any], began: datetime
    ) -> Keeps | None:
        """Return the cursor to keep with the end of the step; None where its output has none.

        `began` is when the step did so first in its run.
        """
        if output.get(CURSOR) is None or activity.type in _ECHOES:
            return None
        self._own.add((frame.run.pipeline.name, activity.name))
        return Keeps(place=self.place(activity, frame, given), value=output[CURSOR], began=began)

    def place(self, activity: Activity, frame: Frame, given: Given) -> Place:
        """Return what the cursor belongs to.

        That is what the activity reads and writes: a loop over countries keeps a cursor for each. What is computed
        from the clock or the run (a sink's folder of the day) counts as it stands in the definition, with the item of
        the loop and the parameters and variables that it names: it would never be found again otherwise.
        """
        told = {"inputs": list(given.inputs), "outputs": list(given.outputs), "linkedServiceName": given.linked_service}
        written = {
            "inputs": [_raw(each) for each in activity.inputs or ()],
            "outputs": [_raw(each) for each in activity.outputs or ()],
            "linkedServiceName": _raw(activity.service) if activity.service else None,
        }
        has_source = bool(given.inputs) and "source" in given.properties
        told |= {"source": given.properties["source"]} if has_source else dict(given.properties)
        written |= {"source": activity.type_properties["source"]} if has_source else activity.type_properties
        moving: list[str] = []
        about = {name: _steady(written.get(name), value, moving) for name, value in told.items() if value}
        return Place(
            factory=self.factory,
            pipeline=frame.run.pipeline.name,
            activity=activity.name,
            about=hidden(about),
            apart=_apart(moving, frame),
        )

    @cached_property
    def _known(self) -> set[tuple[str, str]]:
        return {(pipeline, name) for pipeline, name in self.journal.rows("cursor_places", factory=self.factory)}


def _raw(reference: Any) -> dict[str, Any]:
    return {"referenceName": reference.reference_name, "parameters": reference.parameters or {}}


def _steady(written: Any, value: Any, moving: list[str]) -> Any:
    """Return the resolved value, but the text of an expression that gives something else in each run."""
    text = written.get("value") if isinstance(written, Mapping) and is_expression(written) else written
    if isinstance(text, str):
        if "@" not in text or not _MOVES.search(text):
            return value
        moving.append(text)
        return text
    if isinstance(written, Mapping) and isinstance(value, Mapping):
        return {name: _steady(written.get(name), part, moving) for name, part in value.items()}
    if isinstance(written, list) and isinstance(value, list) and len(written) == len(value):
        return [_steady(before, after, moving) for before, after in zip(written, value, strict=True)]
    return value


def _apart(moving: list[str], frame: Frame) -> Any:
    if not moving:
        return None
    folded = {name.lower(): value for name, value in frame.run.names["parameters"].items()}
    variables = {name.lower(): value for name, value in frame.run.variables.items()}
    held = {"parameter": folded, "variable": variables}
    found = {
        f"{each.kind} {each.name.lower()}": held[each.kind].get(each.name.lower())
        for each in expr.references(moving)
        if each.kind in held
    }
    return found if frame.item is ABSENT else {**found, "item": frame.item}
