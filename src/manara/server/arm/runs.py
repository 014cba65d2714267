"""Pipeline runs over the API: asked for, looked at, queried in pages, and cancelled."""

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from manara import clock
from manara.errors import Conflict, Faults, WrongDefinition
from manara.resources.check import check_pipeline
from manara.resources.factory import Factory
from manara.resources.parameters import bind_parameters, open_values, sealed_values
from manara.server.answer import Answer, Problem, bad_request, not_found
from manara.server.arm.activity_runs import shown_activity_runs
from manara.server.arm.queries import asked_object, filters, times
from manara.server.arm.rerun_options import rerun_options
from manara.server.arm.resources import factory
from manara.server.site import Call
from manara.store.record import read_run
from manara.store.runs import Filter, Question, RunRow, find_run_row, query_runs

AGAIN = timedelta(minutes=5)
"""For how long a request with the id of an earlier one is the same request, sent again by the client."""


def create_run(call: Call) -> Answer:
    """Ask for a run with the definitions as they are now; the request's id becomes that of the run.

    A request that the client sends again, because it saw no answer, asks for nothing twice.
    """
    found = factory(call)
    name = call.names["pipelineName"]
    if call.documents.get(call.path_of(11)) is None:
        raise not_found(call.path_of(11))
    options = {"factory": found.id, "invokedBy": _invoked_by(call), **rerun_options(call)}
    given = {**_earlier_parameters(call), **_parameters(call)}
    journal = call.site.journal
    with journal.transaction():
        definitions, digest = call.site.snapshots.of(found.path, call.documents, journal)
        pipeline = definitions.pipeline(_spelled(definitions, name))
        _refuse_faults(call, definitions, pipeline.name)
        try:
            values = bind_parameters(pipeline, given)
        except WrongDefinition as error:
            raise bad_request(str(error), target=call.path_of(11)) from error
        options |= sealed_values(pipeline, values, given, call.site.seal)
        run_id = _run_id(call, pipeline.name)
        journal.write_kept_command(pipeline.name, open_values(pipeline, values), digest, options, run_id=run_id)
    call.site.wake()
    return Answer(body={"runId": run_id})


def get_run(call: Call) -> Answer:
    """Answer with a run as it stands."""
    return Answer(body=shown_run(call, _run(call, status=404)))


def cancel_run(call: Call) -> Answer:
    """Ask for the end of a run and of all that it called; it is Cancelled within about a second."""
    row = _run(call, status=400)
    try:
        call.site.journal.write_cancel(row.run_id)
    except Conflict as error:
        raise bad_request(str(error), target="pipelinerun") from error
    call.site.wake()
    return Answer()


def query_pipeline_runs(call: Call) -> Answer:
    """Answer with a page of runs that fit the filters."""
    found = factory(call)
    asked = asked_object(call)
    wanted = filters(asked, "LatestOnly")
    orders = asked.get("orderBy") or []
    first = orders[0] if isinstance(orders, list) and orders and isinstance(orders[0], Mapping) else {}
    after, before = times(asked)
    question = Question(
        factory=found.id,
        updated_after=after,
        updated_before=before,
        filters=wanted,
        order=str(first.get("orderBy") or ""),
        descending=str(first.get("order") or "DESC").upper() == "DESC",
        after=str(asked.get("continuationToken") or ""),
    )
    try:
        rows, token = query_runs(call.site.journal, question)
    except WrongDefinition as error:
        raise bad_request(str(error)) from error
    body: dict[str, Any] = {"value": [shown_run(call, row) for row in rows]}
    return Answer(body=body | ({"continuationToken": token} if token else {}))


def query_activity_runs(call: Call) -> Answer:
    """Answer with the activity runs of a run."""
    row = _run(call, status=404)
    asked = asked_object(call)
    after, before = times(asked)
    shown = shown_activity_runs(call, row, read_run(call.site.journal, row.run_id))
    wanted = filters(asked, "")
    found = [each for each in shown if _fits(each, wanted) and after <= _updated(each) <= before]
    orders = asked.get("orderBy") or []
    for order in reversed(orders if isinstance(orders, list) else []):
        key = _FIELDS.get(str(order.get("orderBy")), "activityRunStart")
        found.sort(key=lambda each: str(each.get(key) or ""), reverse=str(order.get("order")).upper() == "DESC")
    start = _offset(asked)
    body: dict[str, Any] = {"value": found[start : start + _PAGE]}
    if len(found) > start + _PAGE:
        body["continuationToken"] = str(start + _PAGE)
    return Answer(body=body)


_PAGE = 1000
_FIELDS = {
    "ActivityRunStart": "activityRunStart",
    "ActivityRunEnd": "activityRunEnd",
    "ActivityName": "activityName",
    "ActivityType": "activityType",
    "Status": "status",
}


def shown_run(call: Call, row: RunRow) -> dict[str, Any]:
    """Return a run as Azure shows it; moments in UTC, the duration in milliseconds."""
    ended = row.ended if row.status not in ("Queued", "InProgress", "Canceling") else None
    length = int((ended - row.started).total_seconds() * 1000) if ended else None
    return {
        "id": f"{call.factory.upper()}/pipelineruns/{row.run_id}",
        "runId": row.run_id,
        "debugRunId": None,
        "runGroupId": row.group_id,
        "pipelineName": row.pipeline,
        "parameters": {name: _text(value) for name, value in row.parameters.items()},
        "invokedBy": _shown_invoker(row),
        "runStart": clock.stamp(row.started),
        "runEnd": clock.stamp(ended) if ended else None,
        "durationInMs": length,
        "status": row.status,
        "message": row.message,
        "pipelineReturnValue": row.output.get("pipelineReturnValue"),
        "lastUpdated": clock.stamp(row.updated),
        "annotations": [],
        "runDimension": {},
    }


def _run(call: Call, status: int) -> RunRow:
    found = factory(call)
    run_id = call.names["runId"]
    row = find_run_row(call.site.journal, run_id.lower()) or find_run_row(call.site.journal, run_id)
    if row is None or row.factory != found.id:
        told = f"Referenced pipeline run id {run_id} does not exist."
        raise Problem(status, "ReferencedPipelineRunNotFound", told, target="pipelinerun")
    return row


def _invoked_by(call: Call) -> dict[str, Any]:
    return {"id": call.caller.object_id.replace("-", ""), "name": "Manual", "invokedByType": "Manual"}


def _shown_invoker(row: RunRow) -> dict[str, Any]:
    kind = str(row.names.get("TriggerType") or "Manual")
    if kind == "PipelineActivity":
        names = {"name": row.names.get("TriggerName"), "pipelineName": row.names.get("TriggerName")}
        caller = str(row.names.get("TriggerId") or "")
        return {"id": caller, "invokedByType": "PipelineActivity", "pipelineRunId": caller, **names}
    if kind != "Manual":
        return {"id": row.names.get("TriggerId"), "name": row.names.get("TriggerName"), "invokedByType": kind}
    return dict(row.options.get("invokedBy") or {"id": row.run_id, "name": "Manual", "invokedByType": "Manual"})


def _run_id(call: Call, pipeline: str) -> str:
    """Return the id of the request where it can be that of a new run, or is that of the same request sent before."""
    try:
        wanted = str(uuid.UUID(call.header("x-ms-client-request-id")))
    except ValueError:
        return clock.new_id()
    there = find_run_row(call.site.journal, wanted)
    if there is None:
        return wanted
    is_same = there.pipeline == pipeline and there.factory == call.factory.lower()
    return wanted if is_same and clock.now() - there.started < AGAIN else clock.new_id()


def _parameters(call: Call) -> Mapping[str, Any]:
    if call.body is None:
        return {}
    if not isinstance(call.body, Mapping):
        raise bad_request("The parameters of a run must be a JSON object.", target=call.path_of(11))
    return call.body


def _earlier_parameters(call: Call) -> Mapping[str, Any]:
    """Return the parameters of the run that is run again; none where this is no rerun."""
    reference = call.query.get("referencepipelinerunid", "")
    row = find_run_row(call.site.journal, reference) if reference else None
    return row.parameters if row else {}


def _spelled(definitions: Factory, name: str) -> str:
    if ("pipeline", name) in definitions.definitions:
        return name
    return next((known for known in definitions.names("pipeline") if known.lower() == name.lower()), name)


def _refuse_faults(call: Call, definitions: Factory, name: str) -> None:
    faults = [fault for fault in check_pipeline(definitions, name, call.site.known()) if fault.severity == "error"]
    if faults:
        details = [{"code": "BadRequest", "message": str(fault), "target": fault.path} for fault in faults]
        raise Problem(400, "BadRequest", str(Faults(faults)), target=call.path_of(11), details=details)


def _fits(shown: Mapping[str, Any], wanted: Sequence[Filter]) -> bool:
    for each in wanted:
        key = _FIELDS.get(each.operand)
        if key is None:
            raise bad_request(f"Activity runs are not filtered by '{each.operand}'.")
        is_in = str(shown.get(key)) in each.values
        if is_in != (each.operator.lower() in ("equals", "in")):
            return False
    return True


def _updated(shown: Mapping[str, Any]) -> datetime:
    return clock.parse(shown["activityRunEnd"] or shown["activityRunStart"])


def _offset(asked: Mapping[str, Any]) -> int:
    token = asked.get("continuationToken")
    if token in (None, ""):
        return 0
    if not isinstance(token, str) or not token.isdecimal() or len(token) > 9:
        raise bad_request("The continuationToken is none of ours.")
    return int(token)


def _text(value: Any) -> str:
    """Return a parameter's value as Azure shows it: every one as a text."""
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
