"""What the journal tells of runs to those who want to know: the runs, their activities, and the runs they called."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heappop, heappush
from itertools import count
from typing import Any

from manara.clock import parse, stamp
from manara.errors import NotFound, WrongDefinition
from manara.store.journal import CALL, Event, Journal

QUEUED, IN_PROGRESS = "Queued", "InProgress"
STATUSES = (QUEUED, IN_PROGRESS, "Succeeded", "Failed", "Cancelled")
NEWEST = "last"
"""Stands for the id of the newest run."""

_PAGE = 200


@dataclass(slots=True, kw_only=True)
class ActivityRun:
    """One activity of a run. `name` is its path in the run; several attempts are told as the last of them.

    The `output` of one that is at work holds what it has done so far, as ADF tells it.
    """

    name: str
    type: str
    status: str = IN_PROGRESS
    attempt: int = 1
    started: datetime | None = None
    tried: datetime | None = None
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
    """One run of a pipeline as the journal knows it; `is_attended` says whether a process works on it now."""

    run_id: str
    pipeline: str
    parameters: Mapping[str, Any]
    status: str = IN_PROGRESS
    started: datetime | None = None
    ended: datetime | None = None
    output: Mapping[str, Any] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None
    activities: dict[str, ActivityRun] = field(default_factory=dict)
    is_attended: bool = False

    @property
    def message(self) -> str:
        """Why the run failed; empty where it did not."""
        return str((self.error or {}).get("message", ""))

    def as_json(self) -> dict[str, Any]:
        """Return the run under ADF's names, its activities in `activityRuns`."""
        return {**self.head(), "activityRuns": [activity.as_json() for activity in self.activities.values()]}

    def head(self) -> dict[str, Any]:
        """Return the run under ADF's names without its activities."""
        return {
            "runId": self.run_id,
            "pipelineName": self.pipeline,
            "status": self.status,
            "message": self.message,
            "parameters": self.parameters,
            **_times(self.started, self.ended, "run"),
            "output": self.output,
        }

    def walk(self, above: str = "") -> Iterator[tuple[str, ActivityRun]]:
        """Yield every activity with its path, those of the runs that it called too (`Each[0]/Call/Copy`)."""
        for step, activity in self.activities.items():
            yield above + step, activity
            if activity.child:
                yield from activity.child.walk(f"{above}{step}/")


def find_run(journal: Journal, text: str) -> str:
    """Return the id of the run that `text` names: a whole id, the start of one, or `last` for the newest.

    Raises NotFound where there is none, and WrongDefinition where several ids start so.
    """
    if text.lower() == NEWEST:
        newest = journal.rows("newest_run")
        if not newest:
            raise NotFound("There is no run yet.", advice="Start one: manara run PIPELINE")
        return str(newest[0][0])
    prefix = text.lower()
    found = [str(run_id) for (run_id,) in journal.rows("runs_like", prefix=prefix, length=len(prefix))]
    if not prefix or not found:
        raise NotFound(f"There is no run '{text}'.", advice="See them all: manara runs")
    if len(found) > 1 and prefix not in found:
        more = f"{', '.join(found[:5])}{', ...' if len(found) > 5 else ''}"
        raise WrongDefinition(f"Several runs start with '{text}': {more}.", advice="Give more of the id.")
    return prefix if prefix in found else found[0]


def list_runs(journal: Journal, wanted: Callable[[PipelineRun], bool], most: int) -> list[PipelineRun]:
    """Return the newest `most` runs that are wanted, without their activities and without the runs they called."""
    found: list[PipelineRun] = []
    for skipped in count(0, _PAGE):
        page = journal.rows("runs", most=_PAGE, skipped=skipped)
        found += [run for run in map(_listed, page) if wanted(run)]
        if len(page) < _PAGE or len(found) >= most:
            break
    return found[:most]


def is_attended(journal: Journal, run_id: str) -> bool:
    """Say whether a process works on the run now."""
    return bool(journal.rows("attended", run_id=run_id))


class Story:
    """Reads what happens in a run and in those that it calls, each event once, while it goes on."""

    def __init__(self, journal: Journal, run_id: str) -> None:
        self._journal = journal
        self._run_id = run_id
        self._read = {run_id: 0}
        self.has_ended = False

    def news(self) -> Iterator[Event]:
        """Yield what has happened since the last call: in order within each run, the earlier run first."""
        order = count()
        heads: list[tuple[datetime, int, Event, Iterator[Event]]] = []

        def push(events: Iterator[Event]) -> None:
            event = next(events, None)
            if event is not None:
                heappush(heads, (event.at, next(order), event, events))

        for run_id in list(self._read):
            push(self._since(run_id))
        while heads:
            _, _, event, rest = heappop(heads)
            yield event
            called = event.body["value"]["runId"] if _is_call(event) else None
            if called and called not in self._read:
                self._read[called] = 0
                push(self._since(called))
            if event.kind == "runEnded":
                del self._read[event.run_id]
                self.has_ended = self.has_ended or event.run_id == self._run_id
            else:
                push(rest)

    def _since(self, run_id: str) -> Iterator[Event]:
        for seq, step, kind, at, body in self._journal.rows("events_after", run_id=run_id, after=self._read[run_id]):
            self._read[run_id] = seq
            yield Event(run_id=run_id, step=step, kind=kind, at=parse(at), body=json.loads(body))


def read_run(journal: Journal, run_id: str) -> PipelineRun:
    """Return the run with its activities and the runs that they called. Raises NotFound for an unknown one."""
    run = _read_begun(journal, run_id)
    if run is None:
        command = journal.command(run_id)
        run = PipelineRun(run_id=run_id, pipeline=command.pipeline, parameters=command.parameters, status=QUEUED)
    run.is_attended = is_attended(journal, run_id)
    return run


def _read_begun(journal: Journal, run_id: str) -> PipelineRun | None:
    """Return the run, or None where it has not begun: a process may be killed between a call and its start."""
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
    if run is not None and run.status == IN_PROGRESS:
        _add_progress(journal, run)
    return run


def _add_progress(journal: Journal, run: PipelineRun) -> None:
    """Give the activities that are at work what they have done so far, where this try of theirs has said so."""
    for step, at, body in journal.rows("progress", run_id=run.run_id):
        activity = run.activities.get(step)
        if activity and activity.status == IN_PROGRESS and activity.tried and parse(at) >= activity.tried:
            activity.output = json.loads(body)


def _listed(row: Sequence[Any]) -> PipelineRun:
    run_id, command, started, ended, end, attended = row
    asked, result = json.loads(command), json.loads(end) if end else {}
    return PipelineRun(
        run_id=run_id,
        pipeline=asked["pipeline"],
        parameters=asked["parameters"],
        status=result.get("status") or (IN_PROGRESS if started else QUEUED),
        started=parse(started) if started else None,
        ended=parse(ended) if ended else None,
        output=result.get("output") or {},
        error=result.get("error"),
        is_attended=bool(attended),
    )


def _add(journal: Journal, run: PipelineRun, event: Event) -> None:
    body = event.body
    if event.kind == "runEnded":
        run.status, run.ended, run.output, run.error = body["status"], event.at, body["output"], body["error"]
        return
    if event.kind not in ("started", "decided", "ended"):
        return
    activity = run.activities.setdefault(event.step, ActivityRun(name=event.step, type=body.get("type", "")))
    if event.kind == "started":
        activity.status, activity.attempt, activity.ended = IN_PROGRESS, body["attempt"], None
        activity.started, activity.tried, activity.input = activity.started or event.at, event.at, body["input"]
    elif _is_call(event):
        activity.child = _read_begun(journal, body["value"]["runId"])
    elif event.kind == "ended":
        activity.status, activity.attempt, activity.ended = body["status"], body.get("attempt", 1), event.at
        activity.output, activity.error = body.get("output") or {}, body.get("error")


def _is_call(event: Event) -> bool:
    return event.kind == "decided" and event.body["name"] == CALL


def _times(started: datetime | None, ended: datetime | None, prefix: str) -> dict[str, Any]:
    length = int((ended - started).total_seconds() * 1000) if started and ended else None
    return {
        f"{prefix}Start": stamp(started) if started else None,
        f"{prefix}End": stamp(ended) if ended else None,
        "durationInMs": length,
    }
