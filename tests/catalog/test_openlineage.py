import http.server
import json
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import column_lineage_dataset, parent_run, schema_dataset
from tests.catalog.conftest import Told

from manara.catalog.openlineage import Teller
from manara.catalog.send import to_file, to_server
from manara.errors import NotAllowed, WrongDefinition
from manara.secret import Secret

Json = dict[str, Any]


@pytest.fixture(scope="module")
def events(told: Told) -> list[Json]:
    return [event for _, event in Teller(told.journal, told.history, "supply").events()]


def judged(event: Json) -> RunEvent:
    """The event as the foreign client's own values, which check ids, times and addresses."""
    return RunEvent(
        eventType=RunState[event["eventType"]],
        eventTime=event["eventTime"],
        run=Run(runId=event["run"]["runId"], facets=event["run"]["facets"]),
        job=Job(namespace=event["job"]["namespace"], name=event["job"]["name"], facets=event["job"]["facets"]),
        producer=event["producer"],
        inputs=[InputDataset(**one) for one in event["inputs"]],
        outputs=[OutputDataset(**one) for one in event["outputs"]],
    )


def test_a_foreign_client_takes_every_event(events: list[Json]) -> None:
    for event in events:
        taken = judged(event)
        assert uuid.UUID(taken.run.runId)
        for output in event["outputs"]:
            facets = output["facets"]
            if "columnLineage" in facets:
                fields = facets["columnLineage"]["fields"]
                column_lineage_dataset.ColumnLineageDatasetFacet(
                    fields={
                        name: column_lineage_dataset.Fields(
                            inputFields=[column_lineage_dataset.InputField(**one) for one in field["inputFields"]]
                        )
                        for name, field in fields.items()
                    }
                )
                [schema_dataset.SchemaDatasetFacetFields(**one) for one in facets["schema"]["fields"]]
        if parent := event["run"]["facets"].get("parent"):
            parent_run.ParentRunFacet(run=parent_run.Run(**parent["run"]), job=parent_run.Job(**parent["job"]))


def test_every_run_that_starts_ends(events: list[Json]) -> None:
    begun = {one["run"]["runId"] for one in events if one["eventType"] == "START"}
    ended = [one["run"]["runId"] for one in events if one["eventType"] != "START"]
    assert begun == set(ended)
    assert len(ended) == len(set(ended))


def test_columns_parents_and_sql_are_told(events: list[Json]) -> None:
    (load,) = [one for one in events if one["job"]["name"].endswith("/Stock") and one["eventType"] == "COMPLETE"]
    (output,) = load["outputs"]
    (source,) = output["facets"]["columnLineage"]["fields"]["opening"]["inputFields"]
    assert (source["name"], source["field"]) == ("stock_month_both", "opening")
    assert source["transformations"][0]["subtype"] == "IDENTITY"
    assert load["run"]["facets"]["parent"]["job"]["name"] == "supply"
    assert "from stock_month_both" in load["job"]["facets"]["sql"]["query"]


def test_a_file_gets_each_event_once_even_after_a_break(told: Told, tmp_path: Path, events: list[Json]) -> None:
    teller, path = Teller(told.journal, told.history, "supply"), tmp_path / "out" / "lineage.jsonl"
    assert to_file(path, teller.events) == len(events)
    whole = path.read_bytes()
    assert to_file(path, teller.events) == 0
    path.write_bytes(whole[: len(whole) // 2])
    assert to_file(path, teller.events) > 0
    assert path.read_bytes() == whole


def test_a_file_of_something_else_is_left_alone(told: Told, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("mine\n")
    with pytest.raises(WrongDefinition, match="no event of ours"):
        to_file(path, Teller(told.journal, told.history, "supply").events)
    assert path.read_text() == "mine\n"


class _Marquez(http.server.BaseHTTPRequestHandler):
    taken: list[Json]
    answers: list[int]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.answers.pop(0) if self.answers else 201
        if self.headers.get("Authorization") != "Bearer sesame":
            status = 401
        if status < 300:
            self.taken.append(json.loads(body))
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def marquez() -> Iterator[tuple[str, type[_Marquez]]]:
    handler = type("Handler", (_Marquez,), {"taken": [], "answers": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", handler
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_server_gets_each_event_once_though_it_is_busy_and_breaks(
    told: Told, tmp_path: Path, events: list[Json], marquez: tuple[str, type[_Marquez]]
) -> None:
    url, handler = marquez
    few = events[:12]

    def told_few(after: int) -> Iterator[tuple[int, Json]]:
        return (
            (one["run"]["facets"]["manara"]["sequence"], one)
            for one in few
            if one["run"]["facets"]["manara"]["sequence"] > after
        )

    handler.answers = [201, 503, 201, 201, 400]
    with pytest.raises(WrongDefinition, match="answers 400"):
        to_server(url, Secret("sesame"), tmp_path, told_few)
    assert len(handler.taken) == 3
    assert to_server(url, Secret("sesame"), tmp_path, told_few) == len(few) - 3
    assert to_server(url, Secret("sesame"), tmp_path, told_few) == 0
    assert handler.taken == few


def test_a_wrong_key_is_told(tmp_path: Path, events: list[Json], marquez: tuple[str, type[_Marquez]]) -> None:
    with pytest.raises(NotAllowed, match="MANARA_LINEAGE_KEY"):
        to_server(marquez[0], Secret("no"), tmp_path, lambda _: [(1, events[0])])
