"""Warnings: what runs here, and would be refused in Azure or behave in a way that nobody means."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from manara import expr
from manara.errors import Fault
from manara.resources.factory import Definition, shown
from manara.resources.model import Parameter, Pipeline
from manara.resources.placed import Placed, place_all

MOST_CASES, MOST_PARAMETERS, MOST_AT_ONCE = 25, 50, 50
LONGEST_PIPELINE, LONGEST_ACTIVITY = 140, 55
LOOPS = ("ForEach", "Until")
FORBIDDEN = frozenset('.+?/<>*%&:\\"')

Warning_ = tuple[str, str, str]
"""Path, message, advice."""


def check_azure(definition: Definition) -> Iterator[Fault]:
    """Yield the warnings of one definition."""
    resource = definition.resource
    properties = getattr(resource, "properties", None)
    found = [*_defaults("parameters", getattr(properties, "parameters", None) or {})]
    if isinstance(resource, Pipeline):
        found += _defaults("variables", resource.properties.variables or {})
        found += _pipeline(resource)
        for placed in place_all(definition.file, resource.properties.activities).all:
            if placed.activity.is_active:
                found += [each for rule in _RULES for each in rule(placed)]
    for path, message, advice in found:
        yield Fault(file=definition.file, path=path, message=message, advice=advice, severity="warning")


def _pipeline(pipeline: Pipeline) -> Iterator[Warning_]:
    yield from _name("name", "pipeline", pipeline.name, LONGEST_PIPELINE)
    count = len(pipeline.properties.parameters or {})
    if count > MOST_PARAMETERS:
        yield (
            "properties.parameters",
            f"The pipeline has {count} parameters; Azure takes {MOST_PARAMETERS}.",
            "Put several into one of type Object.",
        )
    yield from _both_conditions(pipeline)


def _both_conditions(pipeline: Pipeline) -> Iterator[Warning_]:
    for group in place_all("", pipeline.properties.activities).groups().values():
        waited: dict[str, set[str]] = {}
        for placed in group:
            for link in placed.activity.depends_on or []:
                waited.setdefault(link.activity, set()).update(link.dependency_conditions or ["Succeeded"])
        for placed in group:
            conditions = waited.get(placed.activity.name, set())
            if "Completed" in conditions and conditions & {"Succeeded", "Failed"}:
                yield (
                    placed.path,
                    f"Activities wait for '{shown(placed.activity.name)}' on Completed, and others on Succeeded or "
                    "Failed; Azure takes the one or the other.",
                    "Let the one that waits on Completed wait on Succeeded and Failed.",
                )


def _names(placed: Placed) -> Iterator[Warning_]:
    yield from _name(f"{placed.path}.name", "activity", placed.activity.name, LONGEST_ACTIVITY)


def _name(path: str, kind: str, name: str, longest: int) -> Iterator[Warning_]:
    if len(name) > longest:
        yield (
            path,
            f"The name of the {kind} has {len(name)} characters; Azure takes {longest}.",
            "Shorten it.",
        )
    wrong = sorted(FORBIDDEN & set(name) - ({"/"} if kind == "activity" else set()))
    if wrong:
        yield path, f"The name of the {kind} holds {' '.join(wrong)}, which Azure does not take.", "Rename it."


def _nested(placed: Placed) -> Iterator[Warning_]:
    around = next((each for each in placed.containers() if each.activity.type in LOOPS), None)
    if placed.activity.type in LOOPS and around:
        yield (
            placed.path,
            f"A {placed.activity.type} stands inside the {around.activity.type} '{shown(around.activity.name)}'; "
            "Azure does not nest loops.",
            "Put the inner one into a pipeline of its own, and call it.",
        )
    if placed.activity.type == "Validation" and placed.above:
        yield (
            placed.path,
            f"A Validation stands inside '{shown(placed.above.activity.name)}'; Azure takes it at the top only.",
            "Move it to the top of a pipeline of its own, and call it.",
        )


def _races(placed: Placed) -> Iterator[Warning_]:
    loop = next((each for each in placed.containers() if _is_parallel(each)), None)
    if placed.activity.type == "SetVariable" and loop:
        yield (
            placed.path,
            f"The rounds of '{shown(loop.activity.name)}' run at the same time and set one variable of the pipeline: "
            "each may find the value of another.",
            "Set isSequential, or call a pipeline that has the variable.",
        )


def _is_parallel(placed: Placed) -> bool:
    told = placed.activity.type_properties
    sequential, count = told.get("isSequential", False), told.get("batchCount")
    in_turn = isinstance(sequential, dict) or str(sequential).lower() not in ("false", "none")
    return placed.activity.type == "ForEach" and not in_turn and str(count) != "1"


def _limits(placed: Placed) -> Iterator[Warning_]:
    told = placed.activity.type_properties
    cases = told.get("cases")
    if placed.activity.type == "Switch" and isinstance(cases, list) and len(cases) > MOST_CASES:
        yield (
            f"{placed.path}.typeProperties.cases",
            f"The Switch has {len(cases)} cases; Azure takes {MOST_CASES}.",
            "Choose by a parameter of a pipeline that it calls.",
        )
    count = told.get("batchCount")
    if placed.activity.type == "ForEach" and isinstance(count, int | float) and count > MOST_AT_ONCE:
        yield (
            f"{placed.path}.typeProperties.batchCount",
            f"The loop asks for {count} rounds at once; Azure takes {MOST_AT_ONCE}.",
            f"{MOST_AT_ONCE} run at once here too.",
        )


def _itself(placed: Placed) -> Iterator[Warning_]:
    told = placed.activity.type_properties
    name, value = told.get("variableName"), told.get("value")
    if (
        placed.activity.type != "SetVariable"
        or not isinstance(name, str)
        or (isinstance(value, str) and len(value) > 9999)
    ):
        return
    used = {each.name.lower() for each in expr.references(value) if each.kind == "variable"}
    if name.lower() in used:
        yield (
            f"{placed.path}.typeProperties.value",
            f"The variable '{shown(name)}' is set from itself, which Azure refuses.",
            "Set another variable first.",
        )


_RULES: tuple[Callable[[Placed], Iterator[Warning_]], ...] = (_names, _nested, _races, _limits, _itself)

_PYTHON: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "securestring": (str, dict),
    "int": (int,),
    "integer": (int,),
    "float": (int, float),
    "bool": (bool,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


def _defaults(key: str, declared: Mapping[str, Parameter]) -> Iterator[Warning_]:
    for name, parameter in declared.items():
        path = f"properties.{key}.{shown(name)}"
        kind = parameter.type.lower()
        if kind not in _PYTHON:
            yield (
                f"{path}.type",
                f"There is no type '{shown(parameter.type)}'.",
                "Take String, Int, Bool, Array, Object.",
            )
        elif not _fits(parameter.default_value, kind):
            yield (
                f"{path}.defaultValue",
                f"The default of '{shown(name)}' is {_kind_of(parameter.default_value)}, its type {parameter.type}.",
                "Change the one or the other.",
            )


def _fits(value: Any, kind: str) -> bool:
    if value is None:
        return True
    if isinstance(value, bool):
        return kind in ("bool", "boolean")
    return isinstance(value, _PYTHON[kind])


def _kind_of(value: Any) -> str:
    names = {str: "a text", bool: "a boolean", int: "a whole number", float: "a number", list: "an array"}
    return names.get(type(value), "an object")
