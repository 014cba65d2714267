"""Everything that happened in a run as plain lines: `manara logs`."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from manara.cli.journal import open_journal
from manara.cli.tree import ROWS
from manara.cli.words import length, named_values, one_line, value_line
from manara.clock import parse, stamp
from manara.store.journal import CALL, Event
from manara.store.record import Story, find_run, is_attended

POLL_S = 0.3
_MESSAGE = 400


def show_logs(
    folder: Path, run: str, *, follow: bool, as_json: bool, wait: Callable[[float], None] = time.sleep
) -> None:
    """Print every event of a run and of those that it called; with `follow`, until the run has ended."""
    lines = Lines()
    with open_journal(folder) as journal:
        run_id = find_run(journal, run)
        story = Story(journal, run_id)
        told_alone = False
        while True:
            for event in story.news():
                sys.stdout.write((as_json_line(event) if as_json else lines.line(event)) + "\n")
            sys.stdout.flush()
            if story.has_ended or not follow:
                return
            if not told_alone and not is_attended(journal, run_id):
                told_alone = True
                sys.stderr.write(f"Nobody works on the run now; waiting. Go on with it: manara resume {run_id}\n")
            wait(POLL_S)


def as_json_line(event: Event) -> str:
    """Return the event as one line of JSON."""
    fields = {"at": stamp(event.at), "runId": event.run_id, "step": event.step, "kind": event.kind, **event.body}
    return json.dumps(fields)


class Lines:
    """Makes lines of events; a step of a called run is told under the path of the step that called it."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def line(self, event: Event) -> str:
        """Return the event as a line: when, where, what."""
        caller = event.body.get("caller") if event.kind == "runStarted" else None
        if caller and caller["runId"] in self._above:
            self._above[event.run_id] = f"{self._above[caller['runId']]}{caller['step']}/"
        above = self._above.setdefault(event.run_id, "")
        place = (above + event.step).rstrip("/")
        at = f"{event.at:%Y-%m-%d %H:%M:%S}.{event.at.microsecond // 1000:03d}"
        return f"{at}  {one_line(place)}{'  ' if place else ''}{_TOLD[event.kind](event)}"


def _run_started(event: Event) -> str:
    given = named_values(event.body["parameters"])
    return f"run of {one_line(event.body['pipeline'])} starts ({event.run_id})" + (f" with {given}" if given else "")


def _run_ended(event: Event) -> str:
    return f"run {_how(event.body)}"


def _started(event: Event) -> str:
    attempt = event.body["attempt"]
    return f"{event.body['type']} starts" + (f", try {attempt}" if attempt > 1 else "")


def _decided(event: Event) -> str:
    name, value = event.body["name"], event.body["value"]
    if name == CALL:
        return f"calls the run {value['runId']}"
    if isinstance(value, list):
        return f"{name}: {len(value)} of them"
    return f"{name} = {value_line(value)}"


def _variable(event: Event) -> str:
    sign, key = ("+=", "appended") if "appended" in event.body else ("=", "value")
    return f"variable {one_line(event.body['name'])} {sign} {value_line(event.body[key])}"


def _ended(event: Event) -> str:
    body = event.body
    took = length((event.at - parse(body["startedAt"])).total_seconds()) if "startedAt" in body else ""
    output = body.get("output") or {}
    rows = next((f"{output[key]:,} rows" for key in ROWS if isinstance(output.get(key), int)), "")
    return _how(body, ", ".join(part for part in (took, rows) if part))


def _how(body: dict[str, Any], more: str = "") -> str:
    message = one_line(str((body.get("error") or {}).get("message", "")), _MESSAGE)
    retried = ", will be tried again" if body.get("willRetry") else ""
    return f"{body['status']}{f' ({more})' if more else ''}{retried}{f': {message}' if message else ''}"


_TOLD: dict[str, Callable[[Event], str]] = {
    "runStarted": _run_started,
    "runEnded": _run_ended,
    "started": _started,
    "decided": _decided,
    "variable": _variable,
    "ended": _ended,
}
