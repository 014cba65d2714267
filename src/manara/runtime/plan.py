"""What a run would do, without doing it: its activities, with expressions resolved as far as they can be known."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from manara.errors import WrongExpression
from manara.expr import references, resolve
from manara.resources.factory import Factory
from manara.resources.model import Activity, Pipeline, Reference
from manara.resources.parameters import bind_parameters
from manara.runtime.history import History
from manara.runtime.scope import start_values, system_names

UNKNOWN_RUN = "(the run's id)"
SETTERS = ("SetVariable", "AppendVariable")
DEEPEST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """An activity that would run.

    `when` says on what it depends, in words; `properties` are resolved as far as known, and `open` lists the
    expressions that only the run can know. `problem` says what would go wrong. `inside` holds what a container would
    run, each with the reason in `when`.
    """

    name: str
    type: str
    when: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    open: Sequence[str] = ()
    problem: str = ""
    inside: "Sequence[Planned]" = ()

    def as_json(self) -> dict[str, Any]:
        """Return the activity and all inside it as JSON."""
        own = {name: getattr(self, name) for name in ("name", "type", "when", "properties", "open", "problem")}
        return {**own, "inside": [each.as_json() for each in self.inside]}


def plan(factory: Factory, name: str, parameters: Mapping[str, Any]) -> list[Planned]:
    """Return what running the pipeline with these parameters would do.

    Nothing is opened, read or written. Raises NotFound and WrongDefinition as a run would before it starts.
    """
    pipeline = factory.pipeline(name)
    return _Planner(factory, pipeline, bind_parameters(pipeline, parameters), depth=0).level(
        pipeline.properties.activities, item=None
    )


class _Planner:
    """Plans the activities of one pipeline."""

    def __init__(self, factory: Factory, pipeline: Pipeline, values: Mapping[str, Any], depth: int) -> None:
        self._factory = factory
        self._pipeline = pipeline
        self._depth = depth
        names = system_names(factory.name, pipeline.name, UNKNOWN_RUN, None)
        self._scope: dict[str, Any] = {
            "pipeline": {
                **{key: value for key, value in names.items() if key in ("DataFactory", "Pipeline", "TriggerTime")},
                "parameters": values,
                "globalParameters": factory.global_parameters,
            },
            "variables": self._constants(),
        }

    def _constants(self) -> dict[str, Any]:
        """Return the variables that nothing in the pipeline sets."""
        set_here = {
            str(activity.type_properties.get("variableName")).lower()
            for activity in _all(self._pipeline.properties.activities)
            if activity.type in SETTERS
        }
        values = start_values(self._pipeline, History())
        return {name: value for name, value in values.items() if name.lower() not in set_here}

    def level(self, activities: Sequence[Activity], item: Any, why: str = "") -> list[Planned]:
        """Return what the activities of one level would do; `item` is a one-element list where a loop's is known."""
        scope = {**self._scope, "item": item[0]} if item else self._scope
        return [self._one(activity, scope, item, why) for activity in activities if activity.is_active]

    def _one(self, activity: Activity, scope: Mapping[str, Any], item: Any, why: str) -> Planned:
        own = {name: value for name, value in activity.type_properties.items() if name not in _CONTAINED}
        properties, unknown, problem = _resolved(own, scope)
        return Planned(
            name=activity.name,
            type=activity.type,
            when=" and ".join(part for part in (why, _condition(activity)) if part),
            properties=properties,
            open=unknown,
            problem=problem,
            inside=self._inside(activity, properties, unknown, item),
        )

    def _inside(
        self, activity: Activity, properties: Mapping[str, Any], unknown: Sequence[str], item: Any
    ) -> list[Planned]:
        match activity.type:
            case "IfCondition":
                return self._branches(activity, properties.get("expression"), item)
            case "Switch":
                return self._cases(activity, properties.get("on"), item)
            case "ForEach":
                items = properties.get("items")
                known = isinstance(items, list) and not unknown
                why = f"for each of {len(items)} items" if known and isinstance(items, list) else "for each item"
                first = items[:1] if known and isinstance(items, list) else None
                return self.level(activity.contained("activities"), first, why)
            case "Until":
                return self.level(activity.contained("activities"), item, "until the expression holds")
            case "ExecutePipeline":
                return self._call(activity, properties.get("parameters") or {})
        return []

    def _branches(self, activity: Activity, holds: Any, item: Any) -> list[Planned]:
        branches = {True: "ifTrueActivities", False: "ifFalseActivities"}
        if isinstance(holds, bool):
            return self.level(activity.contained(branches[holds]), item)
        return [
            planned
            for value, key in branches.items()
            for planned in self.level(activity.contained(key), item, f"if it is {str(value).lower()}")
        ]

    def _cases(self, activity: Activity, on: Any, item: Any) -> list[Planned]:
        planned: list[Planned] = []
        cases = activity.type_properties.get("cases") or []
        chosen = [case for case in cases if case.get("value") == on]
        for case in chosen or cases:
            inner = [Activity.model_validate(each) for each in case.get("activities") or []]
            planned += self.level(inner, item, f"in the case '{case.get('value')}'")
        return planned if chosen else planned + self.level(activity.contained("defaultActivities"), item, "otherwise")

    def _call(self, activity: Activity, parameters: Mapping[str, Any]) -> list[Planned]:
        name = Reference.model_validate(activity.type_properties.get("pipeline") or {}).reference_name
        if self._depth >= DEEPEST:
            return []
        child = self._factory.pipeline(name)
        declared = child.properties.parameters or {}
        known = {key: value for key, value in parameters.items() if key in declared and not _is_open(value)}
        defaults = {
            key: each.default_value for key, each in declared.items() if each.has_default and key not in parameters
        }
        planner = _Planner(self._factory, child, {**defaults, **known}, self._depth + 1)
        return planner.level(child.properties.activities, item=None)


_CONTAINED = (*Activity.CONTAINED, "cases")


def _all(activities: Sequence[Activity]) -> Iterator[Activity]:
    for activity in activities:
        yield activity
        for key in Activity.CONTAINED:
            yield from _all(activity.contained(key))
        for case in activity.type_properties.get("cases") or []:
            yield from _all([Activity.model_validate(each) for each in case.get("activities") or []])


def _condition(activity: Activity) -> str:
    parts = []
    for link in activity.depends_on or []:
        kinds = link.dependency_conditions or ["Succeeded"]
        parts.append(f"after '{link.activity}'" + ("" if kinds == ["Succeeded"] else f" {' or '.join(kinds).lower()}"))
    return " and ".join(parts)


def _resolved(value: Any, scope: Mapping[str, Any]) -> tuple[Any, list[str], str]:
    """Return the value with what is known filled in, the expressions that stay open, and the first problem."""
    unknown: list[str] = []
    problems: list[str] = []

    def walk(part: Any) -> Any:
        if isinstance(part, list):
            return [walk(each) for each in part]
        if isinstance(part, Mapping) and str(part.get("type")).lower() != "expression":
            return {key: walk(each) for key, each in part.items()}
        try:
            return resolve(part, scope)
        except WrongExpression as error:
            text = part["value"] if isinstance(part, Mapping) else part
            (unknown if _is_open(part) else problems).append(text if _is_open(part) else error.message)
            return text

    return walk(value), unknown, problems[0] if problems else ""


def _is_open(value: Any) -> bool:
    """Whether only the run can know the value: it needs an output, an item, a variable, an id or a parameter."""
    return any(
        reference.kind in ("activity", "item", "variable", "system", "parameter") for reference in references(value)
    )
