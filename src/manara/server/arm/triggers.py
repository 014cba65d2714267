"""Triggers over the API: started and stopped, their runs queried, run again and cancelled."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from manara import clock
from manara.errors import Conflict, NotFound, WrongDefinition
from manara.resources.events import is_heard
from manara.resources.published import FACTORIES
from manara.server.answer import Answer, Problem, bad_request, not_found
from manara.server.arm.queries import asked_object, filters, times
from manara.server.arm.references import missing_reference
from manara.server.arm.resources import factory, shown_part
from manara.server.site import Call
from manara.store.documents import Document
from manara.store.firings import (
    CANCELLED,
    FAILED,
    RUNNING,
    STARTED,
    STOPPED,
    SUCCEEDED,
    WAITING,
    Firing,
    change_firing,
    find_firing,
    fire,
    query_firings,
    set_trigger_state,
    trigger_state,
)

TRIGGERS = f"{FACTORIES}/triggers"
EVENTS = ("BlobEventsTrigger", "CustomEventsTrigger")


def start(call: Call) -> Answer:
    """Let a trigger fire from now on; all that it starts must be there."""
    document = _trigger(call)
    pipelines = _pipelines(document)
    if not pipelines:
        told = f"Trigger '{document.name}' cannot be activated and has no pipeline to start."
        raise Problem(400, "TriggerHasNoPipeline", told, target=document.path)
    if missing := missing_reference(call, "trigger", document.body):
        told = f"The trigger cannot be started because of invalid reference '{missing}'."
        raise bad_request(told, target=document.path)
    return _set(call, document, STARTED)


def stop(call: Call) -> Answer:
    """Keep a trigger from firing; the runs that it has started go on."""
    return _set(call, _trigger(call), STOPPED)


def subscribe(call: Call) -> Answer:
    """Answer that a trigger hears its events: the scheduler looks for them itself while it is started."""
    return Answer(body=_subscription(_event_trigger(call), is_on=True))


def unsubscribe(call: Call) -> Answer:
    """Answer that a trigger does not hear its events any more, once it is stopped."""
    document = _event_trigger(call)
    state = trigger_state(call.site.journal, document.id)
    if state and state.is_started:
        raise bad_request("The trigger is started; stop it first.", target=document.path)
    return Answer(body=_subscription(document, is_on=False))


def subscription(call: Call) -> Answer:
    """Answer whether a trigger hears its events."""
    document = _event_trigger(call)
    state = trigger_state(call.site.journal, document.id)
    return Answer(body=_subscription(document, is_on=bool(state and state.is_started)))


def query_triggers(call: Call) -> Answer:
    """Answer with the triggers of a factory, or those below one that waits for others (`parentTriggerName`)."""
    within = factory(call)
    asked = call.body if isinstance(call.body, Mapping) else {}
    above = str(asked.get("parentTriggerName") or "").lower()
    found = call.documents.inside(within.path, TRIGGERS)
    kept = [each for each in found if not above or above in _depends_on(each)]
    return Answer(body={"value": [shown_part(call, each) for each in kept]})


def query_runs(call: Call) -> Answer:
    """Answer with a page of trigger runs that fit the filters."""
    within = factory(call)
    asked = asked_object(call)
    orders = asked.get("orderBy")
    first = orders[0] if isinstance(orders, list) and orders and isinstance(orders[0], Mapping) else {}
    wanted = [each for each in filters(asked, "LatestOnly") if each.operand.lower() != "runid"]
    try:
        rows, token = query_firings(
            call.site.journal,
            within.id,
            times(asked),
            wanted,
            order=str(first.get("orderBy") or ""),
            descending=str(first.get("order") or "DESC").upper() == "DESC",
            after=str(asked.get("continuationToken") or ""),
        )
    except WrongDefinition as error:
        raise bad_request(str(error)) from error
    body: dict[str, Any] = {"value": [shown_firing(each) for each in rows]}
    return Answer(body=body | ({"continuationToken": token} if token else {}))


def rerun(call: Call) -> Answer:
    """Let a moment of a trigger come once more: the scheduler asks for its runs anew."""
    firing = _firing(call)
    if firing.status not in (SUCCEEDED, FAILED, CANCELLED):
        raise bad_request(f"The trigger run is {firing.status}; only one that is over can be run again.")
    change_firing(call.site.journal, replace(firing, status=WAITING, attempt=0, body={**firing.body, "rerun": True}))
    call.site.wake()
    return Answer()


def cancel(call: Call) -> Answer:
    """End a trigger run, and the pipeline runs that it has asked for."""
    firing = _firing(call)
    if firing.status not in (WAITING, RUNNING):
        raise bad_request(f"The trigger run is {firing.status} already.")
    runs = firing.body.get("runIds")
    for run_id in runs.values() if isinstance(runs, Mapping) else ():
        try:
            call.site.journal.write_cancel(str(run_id))
        except (Conflict, NotFound):
            continue  # it is over
    change_firing(call.site.journal, replace(firing, status=CANCELLED))
    call.site.wake()
    return Answer()


def post_events(call: Call) -> Answer:
    """Take messages for a trigger of custom events: one, or a list, as CloudEvents or in the form of Event Grid.

    A message that comes twice fires once: its `id` tells it from others. The answer counts them.
    """
    document = _trigger(call)
    properties = document.body.get("properties", {})
    state = trigger_state(call.site.journal, document.id)
    if properties.get("type") != "CustomEventsTrigger" or not (state and state.is_started):
        raise bad_request("Only a started trigger of custom events takes messages.", target=document.path)
    events = call.body if isinstance(call.body, list) else [call.body]
    if not all(isinstance(each, Mapping) and isinstance(each.get("id"), str) and each["id"] for each in events):
        raise bad_request("A message is an object with the text 'id'.", target=document.path)
    told = properties.get("typeProperties") or {}
    heard = [each for each in events if is_heard(told, each)]
    with call.documents.transaction():
        new = sum(fire(call.site.journal, _waiting(document, each)) for each in heard)
    call.site.wake()
    return Answer(body={"fired": new, "repeated": len(heard) - new, "ignored": len(events) - len(heard)})


def _waiting(document: Document, event: Mapping[str, Any]) -> Firing:
    return Firing(
        id=clock.new_id(),
        trigger_id=document.id,
        factory=document.parent,
        trigger_name=document.name,
        trigger_type="CustomEventsTrigger",
        moment=f"{event.get('source') or event.get('topic') or ''} {event['id']}",
        status=WAITING,
        attempt=0,
        body={"event": {"event": dict(event)}, "rerun": True},
    )


def shown_firing(firing: Firing) -> dict[str, Any]:
    """Return a trigger run as Azure shows it."""
    body = firing.body
    properties = {
        "TriggerTime": clock.stamp(firing.written),
        "ScheduleTime": body.get("scheduledTime"),
        "windowStartTime": body.get("windowStartTime"),
        "windowEndTime": body.get("windowEndTime"),
    }
    return {
        "triggerRunId": firing.id,
        "triggerName": firing.trigger_name,
        "triggerType": firing.trigger_type,
        "triggerRunTimestamp": clock.stamp(firing.written),
        "status": "InProgress" if firing.status == RUNNING else firing.status,
        "message": body.get("message"),
        "properties": {name: str(value) for name, value in properties.items() if value},
        "triggeredPipelines": dict(body.get("runIds") or {}),
        "runDimension": {},
        "dependencyStatus": dict(body.get("dependencyStatus") or {}),
    }


def _set(call: Call, document: Document, state: str) -> Answer:
    set_trigger_state(call.site.journal, document.id, document.parent, state)
    call.site.wake()
    return Answer()


def _trigger(call: Call) -> Document:
    factory(call)
    path = call.path_of(11)
    found = call.documents.get(path)
    if found is None:
        raise not_found(path)
    return found


def _event_trigger(call: Call) -> Document:
    document = _trigger(call)
    if document.body.get("properties", {}).get("type") not in EVENTS:
        raise bad_request("Only a trigger of events has a subscription.", target=document.path)
    return document


def _subscription(document: Document, *, is_on: bool) -> dict[str, Any]:
    return {"triggerName": document.name, "status": "Enabled" if is_on else "Disabled"}


def _pipelines(document: Document) -> list[Any]:
    properties = document.body.get("properties", {})
    single = properties.get("pipeline")
    return [single] if single else list(properties.get("pipelines") or [])


def _depends_on(document: Document) -> set[str]:
    told = document.body.get("properties", {}).get("typeProperties", {}).get("dependsOn") or []
    return {str(each.get("referenceTrigger", {}).get("referenceName")).lower() for each in told}


def _firing(call: Call) -> Firing:
    document = _trigger(call)
    found = find_firing(call.site.journal, call.names["runId"])
    if found is None or found.trigger_id != document.id:
        told = f"The trigger '{document.name}' has no run '{call.names['runId']}'."
        raise Problem(404, "TriggerRunNotFound", told, target=call.path)
    return found
