"""What happened in runs as OpenLineage events, made from the journal."""

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from manara.catalog.history import History, Work
from manara.plugin.lineage import Asset
from manara.store.journal import Journal

PRODUCER = "https://manara.invalid/"
_SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_FACETS = "https://openlineage.io/spec/facets/"
_ENDS = {"Succeeded": "COMPLETE", "Failed": "FAIL", "Cancelled": "ABORT", "Skipped": "ABORT"}
_CONTROLS = {
    "ForEach", "Until", "IfCondition", "Switch", "Filter", "filter", "ExecutePipeline", "SetVariable",
    "AppendVariable", "Wait", "Validation", "Fail",
}  # fmt: skip
_PAGE = 1000
_MOST_SQL = 100_000

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """A run of a pipeline: its pipeline, the run that called it, and the first run of all."""

    run_id: str
    pipeline: str
    caller: str
    root: str


class Teller:
    """Makes the events of a journal; `factory` is the namespace of its jobs, and stands before its linked services."""

    def __init__(self, journal: Journal, history: History, factory: str) -> None:
        self._journal = journal
        self._factory = factory
        self._works = {work.seq: work for work in history.works}
        self._history = history
        self._runs: dict[str, _Run] = {}

    def events(self, after: int = 0) -> Iterator[tuple[int, Json]]:
        """Yield (sequence, event) of what happened since the sequence `after`, in order.

        A run of a pipeline is START and COMPLETE, FAIL or ABORT; so is each activity that does work, with the run of
        its pipeline as its parent, the tables and files that it read and wrote, and their columns.
        """
        last = 0
        while page := self._journal.rows("happened_after", after=last, most=_PAGE):
            for seq, run_id, step, kind, at, text in page:
                last = seq
                body = json.loads(text) if kind in {"runStarted", "runEnded", "started", "ended"} else {}
                if kind == "runStarted":
                    self._meet(run_id, body)
                event = self._event(seq, run_id, step, kind, at, body) if body and seq > after else None
                if event is not None:
                    yield seq, event

    def _meet(self, run_id: str, body: Mapping[str, Any]) -> None:
        caller = str((body.get("caller") or {}).get("runId") or "")
        root = str(body["names"].get("GroupId") or run_id)
        self._runs[run_id] = _Run(run_id=run_id, pipeline=body["pipeline"], caller=caller, root=root)

    def _event(self, seq: int, run_id: str, step: str, kind: str, at: str, body: Mapping[str, Any]) -> Json | None:
        run = self._runs.get(run_id)
        if run is None or (step and body.get("type") in _CONTROLS):
            return None
        is_start = kind in {"runStarted", "started"}
        status = "START" if is_start else _ENDS.get(str(body.get("status")), "OTHER")
        facets = self._error(body) | {"manara": _facet({"sequence": seq}, "")}
        parent = run if step else self._runs.get(run.caller)
        if parent is not None:
            facets["parent"] = self._parent(parent)
        work = self._works.get(seq)
        event: Json = {
            "eventType": status,
            "eventTime": at,
            "producer": PRODUCER,
            "schemaURL": _SPEC,
            "run": {"runId": self._run_id(run_id, step, body), "facets": facets},
            "job": {
                "namespace": self._factory,
                "name": f"{run.pipeline}.{_plain(step)}" if step else run.pipeline,
                "facets": self._job(step, body, work),
            },
            "inputs": [],
            "outputs": [],
        }
        if work is not None:
            event["inputs"] = [self._input(work, asset) for asset in dict.fromkeys(work.lineage.inputs)]
            event["outputs"] = [self._output(work, asset) for asset in dict.fromkeys(work.lineage.outputs)]
        return event

    def _run_id(self, run_id: str, step: str, body: Mapping[str, Any]) -> str:
        return str(uuid.uuid5(uuid.UUID(run_id), f"{step}#{body.get('attempt', 1)}")) if step else run_id

    def _parent(self, run: _Run) -> Json:
        told: Json = {"run": {"runId": run.run_id}, "job": {"namespace": self._factory, "name": run.pipeline}}
        root = self._runs.get(run.root)
        if root is not None:
            told["root"] = {"run": {"runId": root.run_id}, "job": {"namespace": self._factory, "name": root.pipeline}}
        return _facet(told, "1-1-0/ParentRunFacet.json#/$defs/ParentRunFacet")

    def _error(self, body: Mapping[str, Any]) -> Json:
        error = body.get("error")
        if not isinstance(error, Mapping) or body.get("status") != "Failed":
            return {}
        told = {"message": str(error.get("message") or ""), "programmingLanguage": "Python"}
        return {"errorMessage": _facet(told, "1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet")}

    def _job(self, step: str, body: Mapping[str, Any], work: Work | None) -> Json:
        told = {"processingType": "BATCH", "integration": "MANARA", "jobType": body.get("type") or "PIPELINE"}
        facets = {"jobType": _facet(told, "2-0-3/JobTypeJobFacet.json#/$defs/JobTypeJobFacet")}
        text = self._sql(work) if step and work else ""
        if text:
            facets["sql"] = _facet({"query": text[:_MOST_SQL]}, "1-0-1/SQLJobFacet.json#/$defs/SQLJobFacet")
        return facets

    def _sql(self, work: Work) -> str:
        given, text = work.input, self._history.definitions(work.group_id).text
        source = given.get("source") if isinstance(given.get("source"), Mapping) else {}
        parts = list(given.get("scripts") or ()) or [given]
        found = [
            text("script", str(one["scriptPath"]))
            if one.get("scriptPath")
            else str(one.get("text") or one.get("query") or "")
            for one in parts
            if isinstance(one, Mapping)
        ]
        found.append(str((source or {}).get("sqlReaderQuery") or (source or {}).get("query") or ""))
        return ";\n".join(part for part in found if part.strip())

    def _dataset(self, asset: Asset) -> Json:
        return {"namespace": f"{self._factory}.{asset.namespace}", "name": asset.name, "facets": {}}

    def _input(self, work: Work, asset: Asset) -> Json:
        told = self._dataset(asset) | {"inputFacets": {}}
        rows = work.output.get("rowsRead")
        if isinstance(rows, int) and len(work.lineage.inputs) == 1:
            quality: Json = {"rowCount": rows, "columnMetrics": {}}
            if isinstance(work.output.get("dataRead"), int):
                quality["bytes"] = work.output["dataRead"]
            schema = "1-0-2/DataQualityMetricsInputDatasetFacet.json#/$defs/DataQualityMetricsInputDatasetFacet"
            told["inputFacets"]["dataQualityMetrics"] = _facet(quality, schema)
        return told

    def _output(self, work: Work, asset: Asset) -> Json:
        told = self._dataset(asset) | {"outputFacets": {}}
        columns = work.lineage.columns.get(asset, {})
        if columns:
            schema = {"fields": [{"name": name} for name in columns]}
            told["facets"]["schema"] = _facet(schema, "1-1-1/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet")
            told["facets"]["columnLineage"] = self._columns(columns)
        rows = next((work.output[name] for name in ("rowsLoaded", "rowsCopied") if name in work.output), None)
        if isinstance(rows, int) and len(work.lineage.outputs) == 1:
            schema_url = "1-0-2/OutputStatisticsOutputDatasetFacet.json#/$defs/OutputStatisticsOutputDatasetFacet"
            told["outputFacets"]["outputStatistics"] = _facet({"rowCount": rows}, schema_url)
        return told

    def _columns(self, columns: Mapping[str, Any]) -> Json:
        fields = {
            name: {
                "inputFields": [
                    {
                        "namespace": f"{self._factory}.{one.asset.namespace}",
                        "name": one.asset.name,
                        "field": one.column,
                        "transformations": [
                            {"type": "DIRECT", "subtype": one.how, "description": "", "masking": False}
                        ],
                    }
                    for one in found
                ]
            }
            for name, found in columns.items()
        }
        return _facet({"fields": fields}, "1-2-0/ColumnLineageDatasetFacet.json#/$defs/ColumnLineageDatasetFacet")


def _facet(told: Json, schema: str) -> Json:
    url = f"{_FACETS}{schema}" if schema else "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunFacet"
    return {"_producer": PRODUCER, "_schemaURL": url, **told}


def _plain(step: str) -> str:
    """Return a step as the name of a job: the rounds of a loop are runs of one job."""
    kept, depth = "", 0
    for sign in step:
        depth += (sign == "[") - (sign == "]")
        kept += sign if depth == 0 and sign != "]" else ""
    return kept
