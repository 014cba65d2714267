"""The control activities that choose: IfCondition, Switch, Filter; and Fail, which ends."""

from collections.abc import Mapping, Sequence
from typing import Any

import anyio.lowlevel

from manara.errors import ManaraError, WrongDefinition
from manara.expr.value import kind_of, text_of
from manara.resources.model import Activity
from manara.runtime.control_step import ControlStep, control, raise_inner

_BREATH = 1_000
"""Items that a Filter looks at before it lets others work."""


@control("IfCondition")
async def if_condition(step: ControlStep) -> dict[str, Any]:
    """Run the one branch or the other; an empty branch succeeds (rule 79)."""
    holds = await step.decide("holds", lambda: boolean(step, step.resolve("expression"), "expression"))
    activities = step.activity.contained("ifTrueActivities" if holds else "ifFalseActivities")
    raise_inner(await step.walk(activities))
    return {}


def boolean(step: ControlStep, value: Any, name: str) -> bool:
    """Return a condition's value. Raises WrongDefinition for what is neither true nor false."""
    if not isinstance(value, bool):
        raise WrongDefinition(
            f"The {name} gives {kind_of(value)}, not true or false.",
            where=step.step,
            advice="Compare it with equals(), or make it a boolean with bool().",
        )
    return value


@control("Switch")
async def switch(step: ControlStep) -> dict[str, Any]:
    """Run the activities of the case that `on` names, or `defaultActivities`; where there are none, succeed (rule 80).

    The texts are compared as they stand: upper and lower case differ.
    """
    value = await step.decide("case", lambda: _switched(step))
    raise_inner(await step.walk(_case(step, value)))
    return {}


def _switched(step: ControlStep) -> str:
    value = step.resolve("on" if "on" in step.properties else "expression")
    if value is None or isinstance(value, Mapping | list):
        raise WrongDefinition(
            f"'on' gives {kind_of(value)}.",
            where=step.step,
            advice="Give an expression that yields a text or a number.",
        )
    return text_of(value)


def _case(step: ControlStep, value: str) -> Sequence[Activity]:
    for case in step.properties.get("cases") or []:
        if text_of(case.get("value")) == value:
            return [Activity.model_validate(activity) for activity in case.get("activities") or []]
    return step.activity.contained("defaultActivities")


@control("Filter", "filter")
async def filter_items(step: ControlStep) -> dict[str, Any]:
    """Return the `items` for which the `condition` holds, with their numbers (rule 81)."""
    items = step.array("items")
    kept = []
    for index, item in enumerate(items):
        if index % _BREATH == 0:
            await anyio.lowlevel.checkpoint()
        if boolean(step, step.resolve("condition", frame=step.inside(item=item)), "condition"):
            kept.append(item)
    return {"ItemsCount": len(items), "FilteredItemsCount": len(kept), "Value": kept}


@control("Fail")
async def fail(step: ControlStep) -> dict[str, Any]:
    """End in failure with the message and the code that the definition gives (rule 87)."""
    message, code = step.resolve("message"), step.resolve("errorCode")
    if not isinstance(message, str) or not message.strip():
        raise ManaraError("Failed to interpret the fail message or error code.", code="ErrorCodeNotString")
    if not isinstance(code, str) or not code.strip():
        raise ManaraError(message, code="ErrorCodeNotString")
    raise FailedOnPurpose(message, code=code)


class FailedOnPurpose(ManaraError):
    code = "UserError"
    status = 400
