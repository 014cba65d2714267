"""What is wrong inside one pipeline: with its activities, their order, and the names that their expressions use."""

from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from functools import partial

from manara import expr
from manara.errors import Fault, WrongDefinition
from manara.expr.expression import Reference, expressions
from manara.registry import near
from manara.resources.azure import way_to_run
from manara.resources.factory import Definition, shown
from manara.resources.model import Pipeline
from manara.resources.placed import Placed, Places, Sight, place_all
from manara.resources.ring import find_ring
from manara.resources.timespan import read_timespan

MOST_ACTIVITIES = 10_000
LONGEST_PATH = 400
MOST_NAMES = 1_000
"""Among how many names a near one is looked for."""

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "AppendVariable": ("variableName", "value"),
    "Copy": ("source", "sink"),
    "Custom": ("command",),
    "DatabricksNotebook": ("notebookPath",),
    "DatabricksSparkPython": ("pythonFile",),
    "ExecutePipeline": ("pipeline",),
    "Fail": ("message", "errorCode"),
    "Filter": ("items", "condition"),
    "ForEach": ("items",),
    "GetMetadata": ("dataset",),
    "IfCondition": ("expression",),
    "Lookup": ("source", "dataset"),
    "Script": ("scripts",),
    "SetVariable": ("variableName",),
    "SparkJob": ("sparkJob",),
    "SynapseNotebook": ("notebook",),
    "Until": ("expression",),
    "Validation": ("dataset",),
    "Wait": ("waitTimeInSeconds",),
    "WebActivity": ("url", "method"),
}
"""The typeProperties without which an activity of ours cannot begin."""


def check_activities(
    definition: Definition,
    pipeline: Pipeline,
    known: Collection[str],
    globals_known: Collection[str],
    *,
    to_run: bool = False,
) -> Iterator[Fault]:
    """Yield every error in the activities of a pipeline; inactive ones are passed by (rule 68).

    With `to_run`, errors that one activity meets when its turn comes, if it comes, are left to it.
    """
    places = place_all(definition.file, pipeline.properties.activities)
    yield from places.faults
    if len(places.all) > MOST_ACTIVITIES:
        message = f"The pipeline has {len(places.all):,} activities; at most {MOST_ACTIVITIES:,} can be run."
        yield _fault(definition.file, "properties.activities", message, "Cut it into several pipelines.")
        return
    yield from _check_order(places)
    names = _Names(places, pipeline, globals_known, to_run=to_run)
    for placed in places.all:
        yield from _check_name(places, placed, names)
        if placed.activity.is_active:
            yield from _check_type(places.file, placed, known)
            if not to_run:
                yield from _check_own(places.file, placed)
            yield from names.check(placed)


def _fault(file: str, path: str, message: str, advice: str = "") -> Fault:
    return Fault(file=file, path=path[:LONGEST_PATH], message=message, advice=advice)


def nearest(name: str, known: Collection[str]) -> str:
    """Return advice as `near` gives it; none where looking for it would take long."""
    return near(name, known) if len(name) <= 200 and len(known) <= MOST_NAMES else ""


def _check_name(places: Places, placed: Placed, names: "_Names") -> Iterator[Fault]:
    name = placed.activity.name
    if names.first(name) is not placed:
        message = f"Two activities are called '{shown(name)}'."
        yield _fault(places.file, f"{placed.path}.name", message, "Rename one of them.")
    if "/" in name:
        message = f"The name '{shown(name)}' holds '/', which parts the names in the path of an activity."
        yield _fault(places.file, f"{placed.path}.name", message, "Rename it.")


def _check_type(file: str, placed: Placed, known: Collection[str]) -> Iterator[Fault]:
    activity = placed.activity
    if activity.type not in known:
        message = f"The activity type '{shown(activity.type)}' does not run here."
        advice = way_to_run("activity", activity.type, activity.name, known)
        yield _fault(file, f"{placed.path}.type", message, advice)


def _check_own(file: str, placed: Placed) -> Iterator[Fault]:
    activity = placed.activity
    fault = partial(_fault, file)
    for name in REQUIRED.get(activity.type, ()):
        if activity.type_properties.get(name) is None:
            yield fault(f"{placed.path}.typeProperties", f"The {activity.type} has no '{name}'.", "Add it.")
    if activity.type == "Switch" and not {"on", "expression"} & activity.type_properties.keys():
        yield fault(f"{placed.path}.typeProperties", "The Switch has no 'on'.", "Add it.")
    if activity.type == "Copy":
        for key, held in (("inputs", activity.inputs), ("outputs", activity.outputs)):
            if len(held or []) != 1:
                yield fault(placed.path, f"A Copy has one dataset in '{key}'; this has {len(held or [])}.", "Name one.")
    try:
        timeout = activity.policy.timeout if activity.policy else None
        if not isinstance(timeout, str) or "@" not in timeout:
            read_timespan(None if isinstance(timeout, dict) else timeout, timedelta())
    except WrongDefinition as error:
        yield fault(f"{placed.path}.policy.timeout", error.message, error.advice)


def _check_order(places: Places) -> Iterator[Fault]:
    for group in places.groups().values():
        beside = {placed.activity.name: placed for placed in group}
        after: dict[str, list[str]] = {}
        for placed in group:
            name = placed.activity.name
            after[name] = [link.activity for link in placed.activity.depends_on or []]
            for index, other in enumerate(after[name]):
                if other not in beside:
                    message = f"'{shown(name)}' waits for '{shown(other)}', which does not stand beside it."
                    yield _fault(places.file, f"{placed.path}.dependsOn[{index}]", message, nearest(other, beside))
        ring = find_ring(after)
        if ring:
            told = " -> ".join(shown(name) for name in [*ring[:10], *(["..."] if len(ring) > 10 else []), ring[0]])
            message = f"The activities wait for one another in a ring: {told}."
            yield _fault(places.file, f"{beside[ring[0]].path}.dependsOn", message, "Take one link away.")


class _Names:
    """The names that expressions may use at each place of a pipeline."""

    def __init__(self, places: Places, pipeline: Pipeline, globals_known: Collection[str], *, to_run: bool) -> None:
        self._file = places.file
        self._to_run = to_run
        self._declared: Mapping[str, Collection[str]] = {
            "parameter": list(pipeline.properties.parameters or {}),
            "variable": list(pipeline.properties.variables or {}),
            **({} if to_run else {"globalParameter": globals_known}),
        }
        self._folded = {kind: {name.lower() for name in names} for kind, names in self._declared.items()}
        self._sight = Sight(places)
        self._activities: dict[str, Placed] = {}
        self._by_name: dict[str, Placed] = {}
        for placed in places.all:
            self._by_name.setdefault(placed.activity.name, placed)
            self._activities.setdefault(placed.activity.name.lower(), placed)

    def first(self, name: str) -> Placed:
        """Return the first activity of that name."""
        return self._by_name[name]

    def check(self, placed: Placed) -> Iterator[Fault]:
        """Yield what is wrong with the expressions of one activity, and with the variable that it sets."""
        told: set[tuple[str, str]] = set()
        for path, text in expressions(placed.own):
            wrong = expr.check(text)
            if wrong:
                yield _fault(self._file, f"{placed.path}.{path}", str(wrong[0][1]))
                continue
            for reference in expr.references(text):
                if (reference.kind, reference.name) not in told:
                    told.add((reference.kind, reference.name))
                    yield from self._check_reference(placed, path, reference)
        name = placed.activity.type_properties.get("variableName")
        sets = placed.activity.type in ("SetVariable", "AppendVariable") and not self._to_run
        if sets and isinstance(name, str) and "@" not in name:
            yield from self._check_declared(placed, "typeProperties.variableName", "variable", name)

    def _check_reference(self, placed: Placed, path: str, reference: Reference) -> Iterator[Fault]:
        if reference.kind == "item" and not self._to_run:
            yield from self._check_item(placed, path)
        elif reference.name and reference.kind == "activity" and not self._to_run:
            yield from self._check_activity(placed, path, reference.name)
        elif reference.name and reference.kind in self._declared:
            yield from self._check_declared(placed, path, reference.kind, reference.name)

    def _check_item(self, placed: Placed, path: str) -> Iterator[Fault]:
        in_filter = placed.activity.type.lower() == "filter" and path.startswith("typeProperties.condition")
        if not in_filter and all(each.activity.type != "ForEach" for each in placed.containers()):
            message = "item() has no value here: no ForEach stands around the activity."
            yield _fault(self._file, f"{placed.path}.{path}", message, "Move it into a loop, or use a parameter.")

    def _check_activity(self, placed: Placed, path: str, name: str) -> Iterator[Fault]:
        place, message = f"{placed.path}.{path}", ""
        other = self._activities.get(name.lower())
        if other is None:
            yield _fault(self._file, place, f"There is no activity '{shown(name)}'.", nearest(name, self._by_name))
        elif not self._is_seen(placed, path, other):
            around = [other.above] if other.above and other.above not in placed.containers() else []
            if around:
                message = (
                    f"'{shown(name)}' stands inside '{around[0].activity.name}', which shows nothing of it outside."
                )
                advice = "Set a variable inside, and use that."
            else:
                message = f"'{shown(placed.activity.name)}' uses '{shown(name)}', which does not come before it."
                advice = f"Let it wait for '{shown(name)}' in dependsOn."
            yield _fault(self._file, place, message, advice)

    def _is_seen(self, placed: Placed, path: str, other: Placed) -> bool:
        if self._sight.sees(placed, other):
            return True
        after_round = placed.activity.type == "Until" and path.startswith("typeProperties.expression")
        return after_round and self._sight.holds(placed, other)

    def _check_declared(self, placed: Placed, path: str, kind: str, name: str) -> Iterator[Fault]:
        if name.lower() in self._folded[kind] or (kind == "variable" and name == "pipelineReturnValue"):
            return
        whose = "factory has no global parameter" if kind == "globalParameter" else f"pipeline has no {kind}"
        yield _fault(
            self._file,
            f"{placed.path}.{path}",
            f"The {whose} '{shown(name)}'.",
            nearest(name, self._declared[kind]),
        )
