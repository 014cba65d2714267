"""The control activities that give values to variables: SetVariable and AppendVariable."""

from collections.abc import Mapping
from typing import Any

from manara.errors import WrongDefinition
from manara.expr import references, resolve
from manara.expr.value import kind_of, text_of
from manara.resources.declared import fit
from manara.runtime.control_step import ControlStep, control
from manara.runtime.policy import truth
from manara.runtime.scope import RETURN_VALUE

_TYPED = {"string", "expression", "int", "integer", "float", "bool", "boolean", "array", "object", "null"}
"""What ADF's editor writes as `type` beside the `content` of a return value."""


@control("SetVariable")
async def set_variable(step: ControlStep) -> dict[str, Any]:
    """Give a variable of the run a value, or with `setSystemVariable` the run its return value (rules 86 and 95)."""
    name = str(step.properties.get("variableName") or "")
    if truth(step.properties.get("setSystemVariable")) and name == RETURN_VALUE:
        value: Any = _returned(step)
    else:
        _refuse_itself(step, name)
        value = as_declared(step.variable(name).type, step.resolve("value"), f"{step.step}: variable '{name}'")
    step.set_variable(name, value)
    return {"name": name, "value": value}


@control("AppendVariable")
async def append_variable(step: ControlStep) -> dict[str, Any]:
    """Put a value at the end of a variable of type Array (rule 74)."""
    name = str(step.properties.get("variableName") or "")
    declared = step.variable(name)
    if declared.type.lower() != "array":
        raise WrongDefinition(
            f"The variable '{name}' is of type {declared.type}.",
            where=step.step,
            advice="Declare it as Array; only such a variable can be appended to.",
        )
    value = step.resolve("value")
    step.append_variable(name, value)
    return {"name": name, "value": value}


def as_declared(kind: str, value: Any, where: str) -> Any:
    """Return the value in the type that a variable declares. Raises WrongDefinition for what does not fit."""
    try:
        return fit(kind, value)
    except (ValueError, RecursionError):
        raise WrongDefinition(
            f"It is of type {kind} and cannot hold {kind_of(value)}.",
            where=where,
            advice=f"Give it a value of type {kind}, or declare another type.",
        ) from None


def _refuse_itself(step: ControlStep, name: str) -> None:
    used = references(step.properties.get("value"))
    if any(one.kind == "variable" and one.name.lower() == name.lower() for one in used):
        raise WrongDefinition(
            "The expression contains self referencing variable. A variable cannot reference itself in the expression.",
            where=f"{step.step}: variable '{name}'",
            advice="Set another variable from it first, and this one from that.",
        )


def _returned(step: ControlStep) -> dict[str, Any]:
    """Return the pairs of a return value: plain ones, or with the type that ADF's editor writes beside them."""
    given = step.properties.get("value")
    is_written_out = isinstance(given, list)
    pairs = given if isinstance(given, list) else step.resolve("value")
    if not isinstance(pairs, list) or not all(isinstance(pair, Mapping) and "key" in pair for pair in pairs):
        raise WrongDefinition(
            "A return value is a list of pairs.",
            where=f"{step.step}: typeProperties.value",
            advice='Write [{"key": "name", "value": ...}, ...].',
        )
    scope = step.frame.scope()
    values = {}
    for pair in pairs:
        key, value = text_of(resolve(pair["key"], scope)), pair.get("value")
        values[key] = _value(value, scope) if is_written_out else value
    return values


def _value(written: Any, scope: Mapping[str, Any]) -> Any:
    if not isinstance(written, Mapping) or str(written.get("type")).lower() not in _TYPED or "value" in written:
        return resolve(written, scope)
    kind, content = str(written["type"]).lower(), written.get("content")
    if kind == "null":
        return None
    if kind == "array" and isinstance(content, list):
        return [_value(item, scope) for item in content]
    if kind == "object" and isinstance(content, list):
        return {text_of(resolve(pair.get("key"), scope)): _value(pair.get("value"), scope) for pair in content}
    value = resolve(content, scope)
    return value if kind == "expression" else as_declared(kind, value, "the return value")
