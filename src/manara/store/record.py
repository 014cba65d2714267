"""What the journal tells of a run to those who want to know: the run, its activities, and the runs it called."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from manara.clock import stamp
from manara.errors import NotFound
from manara.store.journal import Event, Journal

IN_PROGRESS = "InProgress"


@dataclass(slots=True, kw_only=True)
class ActivityRun:
    """One activity of a run. `name` is its path in the run; several attempts are told as the last of them."""

    name: str
    type: str
    status: str = IN_PROGRESS
    attempt: int = 1
    started: datetime | None = None
    ended: datetime | None = None
    input: Mapping[str, Any] = field(default_factory=dict)
    output: Mapping[str, Any] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None
    child: "PipelineRun | None" = None

    def as_json(self) -> dict[str, Any]:
        """Return the activity run under ADF's names; `pipelineRun` holds the run that it called."""
        return {
            "activityName": self.name,
            "activityType": self.type,
            "status": self.status,
            "retryAttempt": self.attempt - 1,
            **_times(self.started, self.ended, "activityRun"),
            "input": self.input,
            "output": self.output,
            "error": self.error,
            **({"pipelineRun": self.child.as_json()} if self.child else {}),
        }


@dataclass(slots=True, kw_only=True)
class PipelineRun:
    """One run of a pipeline as the journal knows it."""

    run_id: str
    pipeline: str
    parameters: Mapping[str, Any]
    status: str = IN_PROGRESS
    started: datetime | None = None
    ended: datetime | None = None
    output: Mapping[str, Any] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None
    activities: dict[str, ActivityRun] = field(default_factory=dict)

    @property
    def message(self) -> str:
        """Why the run failed; empty where it did not."""
        return str((self.error or {}).get("message", ""))

    def as_json(self) -> dict[str, Any]:
        """Return the run under ADF's names, its activities in `activityRuns`."""
        return {
            "runId": self.run_id,
            "pipelineName": self.pipeline,
            "status": self.status,
            "message": self.message,
            "parameters": self.parameters,
            **_times(self.started, self.ended, "run"),
            "output": self.output,
            "activityRuns": [activity.as_json() for activity in self.activities.values()],
        }


def read_run(journal: Journal, run_id: str) -> PipelineRun:
    """Return the run with its activities and the runs that they called. Raises NotFound for an unknown one."""
    run: PipelineRun | None = None
    for event in journal.events(run_id):
        if run is None:
            run = PipelineRun(
                run_id=run_id,
                pipeline=event.body["pipeline"],
                parameters=event.body["parameters"],
                started=event.at,
            )
        _add(journal, run, event)
    if run is None:
        raise NotFound(f"The journal knows nothing of the run '{run_id}'.")
    return run


def _add(journal: Journal, run: PipelineRun, event: Event) -> None:
    body = event.body
    if event.kind == "runEnded":
        run.status, run.ended, run.output, run.error = body["status"], event.at, body["output"], body["error"]
        return
    if event.kind not in ("started", "decided", "ended"):
        return
    activity = run.activities.setdefault(event.step, ActivityRun(name=event.step, type=body.get("type", "")))
    if event.kind == "started":
        activity.status, activity.attempt = IN_PROGRESS, body["attempt"]
        activity.started, activity.input = activity.started or event.at, body["input"]
    elif event.kind == "decided" and body["name"] == "call":
        activity.child = read_run(journal, body["value"]["runId"])
    elif event.kind == "ended":
        activity.status, activity.attempt, activity.ended = body["status"], body.get("attempt", 1), event.at
        activity.output, activity.error = body.get("output") or {}, body.get("error")


def _times(started: datetime | None, ended: datetime | None, prefix: str) -> dict[str, Any]:
    length = int((ended - started).total_seconds() * 1000) if started and ended else None
    return {
        f"{prefix}Start": stamp(started) if started else None,
        f"{prefix}End": stamp(ended) if ended else None,
        "durationInMs": length,
    }
