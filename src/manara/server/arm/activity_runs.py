"""Activity runs as Azure shows them, from what the journal tells of a run."""

import uuid
from collections.abc import Mapping
from typing import Any

from manara import clock
from manara.server.site import Call
from manara.store.record import ActivityRun, PipelineRun
from manara.store.runs import RunRow

_TYPE = "Microsoft.DataTransfer.Common.Shared.HybridDeliveryException"
_COPY_FAILED = "2200"


def shown_activity_runs(call: Call, row: RunRow, run: PipelineRun) -> list[dict[str, Any]]:
    """Return the activity runs of a run in the order of their starts; those that were skipped have no times."""
    return [_shown(call, row, each) for each in run.activities.values() if each.status != "Skipped"]


def _shown(call: Call, row: RunRow, activity: ActivityRun) -> dict[str, Any]:
    started, ended = activity.started or activity.ended, activity.ended
    length = int((ended - started).total_seconds() * 1000) if started and ended else None
    run_id = str(uuid.uuid5(uuid.UUID(int=0), f"{row.run_id}/{activity.name}"))
    return {
        "id": f"{call.factory}/pipelineruns/{row.run_id}/activityruns/{run_id}",
        "pipelineName": row.pipeline,
        "pipelineRunId": row.run_id,
        "activityName": _bare(activity.name),
        "activityType": activity.type,
        "activityRunId": run_id,
        "linkedServiceName": "",
        "status": activity.status,
        "activityRunStart": clock.stamp(started) if started else clock.stamp(row.started),
        "activityRunEnd": clock.stamp(ended) if ended else None,
        "durationInMs": length,
        "input": activity.input,
        "output": activity.output,
        "error": _error(activity),
        "retryAttempt": activity.attempt - 1 or None,
        "iterationHash": activity.name.rpartition("/")[0],
        "userProperties": {},
        "recoveryStatus": "None",
        "integrationRuntimeNames": [],
        "executionDetails": activity.output.get("executionDetails"),
    }


def _bare(path: str) -> str:
    """Return the name of an activity without what stands before it in the journal (`Each[0]/`)."""
    return path.rpartition("/")[2]


def _error(activity: ActivityRun) -> dict[str, Any]:
    """Return the error as Azure tells it: that of a Copy stands inside the message of its own code."""
    told: Mapping[str, Any] = activity.error or {}
    code, message = str(told.get("errorCode") or ""), str(told.get("message") or "")
    if activity.type == "Copy" and code.startswith("UserError"):
        message = f"ErrorCode={code},'Type={_TYPE},Message={message},Source=Microsoft.DataTransfer.ClientLibrary,'"
        code = _COPY_FAILED
    return {
        "errorCode": code,
        "message": message,
        "failureType": str(told.get("failureType") or ""),
        "target": str(told.get("target") or _bare(activity.name)),
        "details": told.get("details") or "",
    }
