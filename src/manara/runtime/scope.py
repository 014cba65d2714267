"""A run while it is going on, and the names that an expression sees at each place of it."""

from collections import ChainMap
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from manara import clock
from manara.plugin.activity import Given
from manara.resources.model import Activity, Pipeline
from manara.runtime.history import History, Result
from manara.store.journal import Event

ABSENT = object()
RETURN_VALUE = "pipelineReturnValue"


@dataclass(slots=True, kw_only=True)
class Run:
    """One run of one pipeline, or of the part of it that is in `activities`.

    `names` is what `pipeline()` gives; variables belong to the whole run (rule 74). `given` is what the steps at work
    were given.
    """

    run_id: str
    pipeline: Pipeline
    activities: Sequence[Activity]
    names: Mapping[str, Any]
    variables: dict[str, Any]
    history: History
    given: dict[str, Given] = field(default_factory=dict)

    def event(self, kind: str, step: str = "", **body: Any) -> Event:
        """Return an event of this run, of this moment."""
        return Event(run_id=self.run_id, kind=kind, step=step, body=body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The step that called a pipeline."""

    run: Run
    step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What the activities of one level see: the run, the results beside and above them, the item of a loop.

    `path` is what stands before their names in the journal (`Each file[3]/`).
    """

    run: Run
    path: str = ""
    results: MutableMapping[str, Mapping[str, Any]] = field(default_factory=dict)
    item: Any = ABSENT

    def scope(self) -> dict[str, Any]:
        """Return the names that an expression sees here."""
        names = {"pipeline": self.run.names, "variables": self.run.variables, "activities": self.results}
        return names if self.item is ABSENT else {**names, "item": self.item}

    def note(self, name: str, result: Result) -> None:
        """Let the activities of this level see how another ended."""
        self.results[name] = {"status": result.status, "output": result.output, "error": result.error}

    def inside(self, path: str, item: Any = ABSENT) -> "Frame":
        """Return the frame for activities inside a container of this one: they see out, nobody sees in (rule 82)."""
        results: MutableMapping[str, Mapping[str, Any]] = ChainMap({}, self.results)
        return Frame(run=self.run, path=path, results=results, item=self.item if item is ABSENT else item)


def start_values(pipeline: Pipeline, history: History) -> dict[str, Any]:
    """Return the variables as the pipeline declares them, with what the journal has seen since."""
    declared = pipeline.properties.variables or {}
    values = {name: _default(variable.type, variable.default_value) for name, variable in declared.items()}
    longer = {name: [*(values.get(name) or []), *more] for name, more in history.appended.items()}
    return {**values, **longer, **history.variables}


def _default(kind: str, value: Any) -> Any:
    if value is not None:
        return value
    empty: dict[str, Any] = {"array": [], "boolean": False, "integer": 0}
    return empty.get(kind.lower(), "")


def system_names(factory: str, pipeline: str, run_id: str, caller: Caller | None) -> dict[str, Any]:
    """Return the system variables of a new run: what `pipeline()` gives beside the parameters (rule 109)."""
    names = {
        "DataFactory": factory,
        "Pipeline": pipeline,
        "RunId": run_id,
        "GroupId": run_id,
        "TriggerType": "Manual",
        "TriggerId": run_id,
        "TriggerName": "Manual",
        "TriggerTime": clock.stamp(clock.now()),
    }
    if caller is None:
        return names
    above = caller.run.names
    return names | {
        "GroupId": above["GroupId"],
        "TriggerType": "PipelineActivity",
        "TriggerId": above["RunId"],
        "TriggerName": above["Pipeline"],
        "TriggeredByPipelineName": above["Pipeline"],
        "TriggeredByPipelineRunId": above["RunId"],
    }
