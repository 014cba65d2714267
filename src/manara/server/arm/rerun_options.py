"""How a run over the API goes on from an earlier one: from the start, from the failure, or from an activity."""

from typing import Any

from manara.errors import NotFound
from manara.server.answer import Problem, bad_request
from manara.server.site import Call
from manara.store.runs import find_run_row


def rerun_options(call: Call) -> dict[str, Any]:
    """Return what the command of a run says of the earlier one; nothing where the whole is run anew."""
    earlier = call.query.get("referencepipelinerunid", "")
    start = call.query.get("startactivityname", "")
    from_failure = call.query.get("startfromfailure", "").lower() == "true"
    if not earlier:
        if start or from_failure:
            raise bad_request("startActivityName and startFromFailure need referencePipelineRunId.")
        return {}
    row = find_run_row(call.site.journal, earlier)
    if row is None or row.factory != call.factory.lower():
        told = f"Referenced pipeline run id {earlier} does not exist."
        raise Problem(400, "ReferencedPipelineRunNotFound", told, target="pipelinerun")
    if row.pipeline.lower() != call.names["pipelineName"].lower():
        raise bad_request(f"The run {earlier} is one of the pipeline '{row.pipeline}'.")
    if start:
        _refuse_unknown(call, start)
        return {"rerun": {"runId": row.run_id, "from": start}}
    if from_failure:
        return {"rerun": {"runId": row.run_id, "from": None}}
    return {}


def _refuse_unknown(call: Call, activity: str) -> None:
    document = call.documents.get(call.path_of(11))
    if document is None:
        raise NotFound("The pipeline is not there.")
    names = [each.get("name") for each in document.body.get("properties", {}).get("activities", [])]
    if activity not in names:
        raise bad_request(f"The pipeline has no activity '{activity}' on its first level.")
