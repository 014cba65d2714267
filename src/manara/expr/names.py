"""The names that an expression sees: parameters, variables, outputs of activities, the item of a loop, the trigger."""

from collections import ChainMap
from collections.abc import Mapping
from typing import Any, cast

from manara.expr.table import Object, Scope, Unfit, function, nearest
from manara.expr.value import MISSING, find, kind_of

_OF_PIPELINE = ("dataset", "linkedService")


@function("Reference", documented=False, scoped=True)
def pipeline(scope: Scope) -> Object:
    """Return the run: its parameters, the global parameters and the system variables (`RunId`, `TriggerTime`, ...)."""
    run = _whole(scope, "pipeline", "outside of a pipeline")
    inside = {name: scope[name] for name in _OF_PIPELINE if name in scope}
    # ADF writes a dataset's own parameters also as `pipeline().dataset.x`.
    return cast(Object, ChainMap(cast(dict[str, Any], run), inside)) if inside else run


@function("Reference", documented=False, scoped=True)
def variables(scope: Scope, name: str) -> Any:
    """Return the present value of a variable of the pipeline."""
    known = scope.get("variables") or {}
    found = find(known, name)
    if found is MISSING:
        raise Unfit(f"The template variable '{name}' cannot be found. {nearest(name, list(known))}")
    return found


@function("Reference", documented=False, scoped=True)
def activity(scope: Scope, name: str) -> Object:
    """Return what an activity left: `output`, `error`, `Status` and the times of its run."""
    known = scope.get("activities") or {}
    found = find(known, name)
    if found is MISSING:
        raise Unfit(f"The template action '{name}' is not defined at current scope. {nearest(name, list(known))}")
    return cast(Object, found)


@function("Reference", documented=False, scoped=True)
def item(scope: Scope) -> Any:
    """Return the element that the loop or the filter around it works on."""
    return _whole(scope, "item", "outside of a ForEach or Filter")


@function("Reference", documented=False, scoped=True)
def items(scope: Scope, loop: str) -> Any:
    """Return the element that the named loop works on, where loops are nested."""
    known = scope.get("items") or {}
    found = find(known, loop)
    if found is MISSING:
        raise Unfit(f"There is no loop '{loop}' around this. {nearest(loop, list(known))}")
    return found


@function("Reference", documented=False, scoped=True)
def dataset(scope: Scope) -> Object:
    """Return the parameters of the dataset in whose definition it stands."""
    return cast(Object, _whole(scope, "dataset", "outside of a dataset with parameters"))


@function("Reference", documented=False, scoped=True)
def linked_service(scope: Scope) -> Object:
    """Return the parameters of the linked service in whose definition it stands."""
    return cast(Object, _whole(scope, "linkedService", "outside of a linked service with parameters"))


@function("Reference", documented=False, scoped=True)
def trigger(scope: Scope) -> Object:
    """Return the firing that started the run: `name`, `scheduledTime`, `startTime`, `outputs`."""
    return cast(Object, _whole(scope, "trigger", "in a run that no trigger started"))


@function("Reference", documented=False, scoped=True)
def trigger_outputs(scope: Scope) -> Any:
    """Return the outputs of the trigger (`windowStartTime`, `windowEndTime`, `body`)."""
    return scope["triggerOutputs"] if "triggerOutputs" in scope else _part(trigger(scope), "outputs")


@function("Reference", documented=False, scoped=True)
def trigger_body(scope: Scope) -> Any:
    """Return the body of the event that fired the trigger (`fileName`, `folderPath`)."""
    return scope["triggerBody"] if "triggerBody" in scope else _part(trigger_outputs(scope), "body")


def _whole(scope: Scope, name: str, outside: str) -> Any:
    found = scope.get(name, MISSING)
    if found is MISSING:
        raise Unfit(f"It has no value {outside}.")
    return found


def _part(value: Any, name: str) -> Any:
    found = find(value, name) if isinstance(value, Mapping) else MISSING
    if found is MISSING:
        raise Unfit(f"The trigger has no '{name}', only {kind_of(value)}.")
    return found
