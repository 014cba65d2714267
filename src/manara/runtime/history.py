"""What the journal already says of a run: with it, walking the same graph again repeats nothing that has ended."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from manara.store.journal import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How an activity or a pipeline ended. `error` is ADF's: errorCode, message, failureType, target."""

    status: str
    output: Mapping[str, Any] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None

    @property
    def message(self) -> str:
        return str((self.error or {}).get("message", ""))


@dataclass(slots=True)
class History:
    """A fold over the events of one run."""

    names: dict[str, Any] = field(default_factory=dict)
    ended: dict[str, Result] = field(default_factory=dict)
    failed: Counter[str] = field(default_factory=Counter)
    attempts: Counter[str] = field(default_factory=Counter)
    began: dict[str, datetime] = field(default_factory=dict)
    decisions: dict[tuple[str, str], Any] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    appended: dict[str, list[Any]] = field(default_factory=dict)
    result: Result | None = None


def fold(events: Iterable[Event]) -> History:
    """Return what a run had come to: the results of its steps, its decisions, its variables.

    A step whose output was hidden (`secureOutput`) has no recorded output to go on with, so it counts as not ended.
    """
    history = History()
    for event in events:
        _add(history, event)
    return history


def _add(history: History, event: Event) -> None:
    body = event.body
    match event.kind:
        case "runStarted":
            history.names = body["names"]
        case "started":
            history.attempts[event.step] += 1
            history.began.setdefault(event.step, event.at)
        case "decided":
            history.decisions[event.step, body["name"]] = body["value"]
        case "variable" if "appended" in body:
            _append(history, body["name"], body["appended"])
        case "variable":
            history.variables[body["name"]] = body["value"]
            history.appended.pop(body["name"], None)
        case "ended" if body.get("willRetry"):
            history.failed[event.step] += 1
        case "ended" if not body.get("hidden"):
            history.ended[event.step] = _result(body)
        case "runEnded":
            history.result = _result(body)


def _append(history: History, name: str, value: Any) -> None:
    """Put a value behind those that were set, or keep it to be put behind what the pipeline declares."""
    known = history.variables.get(name)
    values = known if isinstance(known, list) else history.appended.setdefault(name, [])
    values.append(value)


def _result(body: Mapping[str, Any]) -> Result:
    return Result(status=body["status"], output=body.get("output") or {}, error=body.get("error"))
