"""One firing of a trigger: what its pipelines are given, and the runs that it asks for, in one transaction."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from manara import clock
from manara.errors import ManaraError, WrongDefinition
from manara.expr import resolve
from manara.resources.parameters import bind_parameters, open_values, sealed_values
from manara.resources.published import Snapshots
from manara.store.documents import Document, Documents
from manara.store.firings import FAILED, RUNNING, Firing, change_firing, fire, move_firing
from manara.store.journal import Journal
from manara.store.seal import Seal


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a scheduler works with: its own connection to the store, and the definitions."""

    journal: Journal
    documents: Documents
    snapshots: Snapshots
    seal: Seal


def begin(document: Document, moment: str, outputs: Mapping[str, Any], status: str = RUNNING) -> Firing:
    """Return a new firing of the trigger for the moment; it is not written yet."""
    return Firing(
        id=clock.new_id(),
        trigger_id=document.id,
        factory=document.parent,
        trigger_name=document.name,
        trigger_type=str(document.body.get("properties", {}).get("type")),
        moment=moment,
        status=status,
        body=dict(outputs),
    )


def fire_once(world: World, document: Document, firing: Firing) -> bool:
    """Write the firing and ask for its runs, all or nothing; False where the moment was fired before.

    A trigger whose pipelines cannot run leaves a firing that has Failed, and says why. Call it in a transaction.
    """
    if not fire(world.journal, firing):
        return False
    change_firing(world.journal, with_runs(world, document, firing))
    return True


def start_again(world: World, document: Document, firing: Firing) -> bool:
    """Ask for the runs of the next attempt of a firing; False where another has moved it on since it was read.

    Call it in a transaction.
    """
    started = replace(firing, status=RUNNING, attempt=firing.attempt + 1)
    if not move_firing(world.journal, firing, started):
        return False
    change_firing(world.journal, with_runs(world, document, started))
    return True


def with_runs(world: World, document: Document, firing: Firing) -> Firing:
    """Ask for the runs of a firing, and return it as it stands then. Call it in a transaction."""
    try:
        asked = [*_runs(world, document, firing)]
    except ManaraError as error:
        if error.retry:
            raise
        return _changed(firing, FAILED, message=str(error))
    runs = {}
    for pipeline, parameters, digest, options in asked:
        runs[pipeline] = world.journal.write_kept_command(pipeline, parameters, digest, options).run_id
    kept = {key: value for key, value in firing.body.items() if key not in ("message", "rerun", "waits", "notBefore")}
    return _changed(Firing(**{**_fields(firing), "body": kept}), RUNNING, runIds=runs)


def _runs(
    world: World, document: Document, firing: Firing
) -> Iterator[tuple[str, dict[str, Any], str, dict[str, Any]]]:
    """Yield (pipeline, parameters, digest of the definitions, options) of every run that the trigger starts."""
    definitions, digest = world.snapshots.of(document.parent, world.documents, world.journal)
    scope = {"trigger": _names(firing), "triggerBody": firing.body.get("event") or {}}
    for entry in pipelines_of(document):
        name = str((entry.get("pipelineReference") or {}).get("referenceName"))
        pipeline = definitions.pipeline(name)
        given = resolve(entry.get("parameters") or {}, scope)
        values = bind_parameters(pipeline, given)
        names = {
            "TriggerType": firing.trigger_type,
            "TriggerId": firing.id,
            "TriggerName": firing.trigger_name,
            "TriggerTime": clock.stamp(clock.now()),
        }
        options = {"factory": document.parent, "names": names, **sealed_values(pipeline, values, given, world.seal)}
        yield name, open_values(pipeline, values), digest, options


def pipelines_of(document: Document) -> list[Mapping[str, Any]]:
    """Return what a trigger starts: `pipelines`, or the one `pipeline` of a tumbling window."""
    properties = document.body.get("properties", {})
    single = properties.get("pipeline")
    told = [single] if single else properties.get("pipelines") or []
    if not isinstance(told, list) or not all(isinstance(each, Mapping) for each in told):
        raise WrongDefinition("The pipelines of a trigger are a list of objects.", where="properties.pipelines")
    return told


def _names(firing: Firing) -> dict[str, Any]:
    """Return what `trigger()` gives (rule 108)."""
    body = firing.body
    outputs = {name: body[name] for name in ("windowStartTime", "windowEndTime") if name in body}
    return {
        "name": firing.trigger_name,
        "scheduledTime": body.get("scheduledTime"),
        "startTime": clock.stamp(firing.written),
        "outputs": {**outputs, "body": body.get("event") or {}},
    }


def _changed(firing: Firing, status: str, **body: Any) -> Firing:
    return Firing(**{**_fields(firing), "status": status, "body": {**firing.body, **body}})


def _fields(firing: Firing) -> dict[str, Any]:
    return {name: getattr(firing, name) for name in Firing.__dataclass_fields__}
