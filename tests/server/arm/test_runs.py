"""Runs over the API: asked for, looked at, queried, cancelled and run again."""

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.server.arm.conftest import FACTORY, Client

from manara import clock
from manara.runtime.serve import Work, Worker

SET = {
    "name": "Set",
    "type": "SetVariable",
    "typeProperties": {"variableName": "v", "value": "@pipeline().parameters.n"},
}
FAIL = {
    "name": "No",
    "type": "Fail",
    "dependsOn": [{"activity": "Set", "dependencyConditions": ["Succeeded"]}],
    "typeProperties": {"message": "nothing there", "errorCode": "404"},
}
PIPELINE: dict[str, Any] = {
    "activities": [SET],
    "parameters": {"n": {"type": "string"}, "secret": {"type": "securestring", "defaultValue": "x"}},
    "variables": {"v": {"type": "String"}},
}
SPAN = {"lastUpdatedAfter": "2020-01-01T00:00:00Z", "lastUpdatedBefore": "2999-01-01T00:00:00Z"}


@pytest.fixture
def loaded(factory: Client) -> Client:
    assert factory.put(f"{FACTORY}/pipelines/Load", PIPELINE).status == 200
    assert factory.put(f"{FACTORY}/pipelines/Bad", {**PIPELINE, "activities": [SET, FAIL]}).status == 200
    return factory


def ask(client: Client, pipeline: str = "Load", query: str = "", body: Any = None, **headers: str) -> Any:
    given = {"n": "1"} if body is None else body
    return client.send("POST", f"{FACTORY}/pipelines/{pipeline}/createRun{query}", given, **headers)


def work(client: Client) -> int:
    """Do all that was asked for, and return how many runs have ended."""
    site = client.site
    own = Work(address=site.address, folder=site.folder, settings=site.settings, seal=site.seal)
    worker = Worker(work=own, listener=lambda _: None, tell=lambda _: None, drain=True, told_to_stop=threading.Event())
    worker.run()
    return worker.ended


def run_of(client: Client, run_id: str) -> Any:
    return client.send("GET", f"{FACTORY}/pipelineruns/{run_id}").body


def activities_of(client: Client, run_id: str, **more: Any) -> Any:
    return client.send("POST", f"{FACTORY}/pipelineruns/{run_id}/queryActivityruns", {**SPAN, **more}).body["value"]


def test_a_run_is_asked_for_done_and_told(loaded: Client) -> None:
    run_id = ask(loaded).body["runId"]
    assert run_of(loaded, run_id)["status"] == "Queued"
    assert work(loaded) == 1
    told = run_of(loaded, run_id)
    assert (told["status"], told["parameters"], told["pipelineName"]) == ("Succeeded", {"n": "1"}, "Load")
    assert told["invokedBy"] == {"id": "o1", "name": "Manual", "invokedByType": "Manual"}
    assert told["durationInMs"] >= 0
    (activity,) = activities_of(loaded, run_id)
    assert (activity["activityName"], activity["status"], activity["pipelineRunId"]) == ("Set", "Succeeded", run_id)


def test_a_failure_names_the_activity_and_its_error(loaded: Client) -> None:
    run_id = ask(loaded, "bad").body["runId"]
    work(loaded)
    told = run_of(loaded, run_id)
    assert (told["status"], told["message"]) == ("Failed", "Operation on target No failed: nothing there")
    errors = {each["activityName"]: each["error"]["errorCode"] for each in activities_of(loaded, run_id)}
    assert errors == {"Set": "", "No": "404"}


def test_a_run_from_the_failure_takes_over_what_succeeded(loaded: Client) -> None:
    first = ask(loaded, "Bad").body["runId"]
    work(loaded)
    again = ask(loaded, "Bad", f"?referencePipelineRunId={first}&isRecovery=true&startFromFailure=true", {})
    work(loaded)
    told = run_of(loaded, again.body["runId"])
    assert (told["parameters"]["n"], told["status"]) == ("1", "Failed")


@pytest.mark.parametrize(
    ("pipeline", "query", "body", "code"),
    [
        ("No", "", {}, "NotFound"),
        ("Load", "", [], "BadRequest"),
        ("Load", "", {}, "BadRequest"),
        ("Load", "", {"n": "1", "other": 2}, "BadRequest"),
        ("Load", "?startFromFailure=true", {"n": "1"}, "BadRequest"),
        ("Load", "?referencePipelineRunId=no", {"n": "1"}, "ReferencedPipelineRunNotFound"),
    ],
)
def test_a_run_that_cannot_be_is_refused(loaded: Client, pipeline: str, query: str, body: Any, code: str) -> None:
    answer = ask(loaded, pipeline, query, body)
    assert (answer.status in (400, 404), answer.body["error"]["code"]) == (True, code)


def test_a_request_sent_twice_asks_for_one_run(loaded: Client) -> None:
    sent = str(uuid.uuid1())
    runs = {ask(loaded, x_ms_client_request_id=sent).body["runId"] for _ in range(2)}
    assert runs == {sent}
    assert ask(loaded, "Bad", x_ms_client_request_id=sent).body["runId"] != sent


def test_a_secret_parameter_reaches_the_run_and_no_record(loaded: Client) -> None:
    check: dict[str, Any] = {"name": "If", "type": "IfCondition"}
    check |= {
        "typeProperties": {
            "expression": {"value": "@equals(pipeline().parameters.secret, 'fish')", "type": "Expression"}
        }
    }
    check["typeProperties"] |= {"ifFalseActivities": [{**FAIL, "dependsOn": []}]}
    loaded.put(f"{FACTORY}/pipelines/Secret", {**PIPELINE, "activities": [check]})
    run_id = ask(loaded, "Secret", body={"n": "1", "secret": "fish"}).body["runId"]
    work(loaded)
    told = run_of(loaded, run_id)
    assert (told["status"], "secret" in told["parameters"]) == ("Succeeded", False)
    events = loaded.site.journal.rows("events", run_id=run_id, after=0, most=100)
    assert "fish" not in str(events) + str(loaded.site.journal.rows("command", run_id=run_id, kind="run"))


def test_a_queued_run_is_cancelled(loaded: Client) -> None:
    run_id = ask(loaded).body["runId"]
    assert loaded.send("POST", f"{FACTORY}/pipelineruns/{run_id}/cancel?isRecursive=true").status == 200
    assert run_of(loaded, run_id)["status"] == "Canceling"
    work(loaded)
    assert run_of(loaded, run_id)["status"] == "Cancelled"
    again = loaded.send("POST", f"{FACTORY}/pipelineruns/{run_id}/cancel")
    assert (again.status, again.body["error"]["code"]) == (400, "BadRequest")


def test_an_unknown_run_is_told_as_azure_tells_it(loaded: Client) -> None:
    answer = loaded.send("POST", f"{FACTORY}/pipelineruns/someGuid/cancel")
    told = {"code": "ReferencedPipelineRunNotFound", "target": "pipelinerun", "details": None}
    assert answer.body["error"] == {**told, "message": "Referenced pipeline run id someGuid does not exist."}


def test_runs_of_another_factory_are_not_seen(loaded: Client) -> None:
    run_id = ask(loaded).body["runId"]
    other = FACTORY.replace("north", "south")
    loaded.send("PUT", other, {"location": "local"})
    assert loaded.send("GET", f"{other}/pipelineruns/{run_id}").status == 404
    assert loaded.send("POST", f"{other}/queryPipelineRuns", SPAN).body["value"] == []


def test_runs_are_queried_with_filters_in_pages(loaded: Client) -> None:
    asked = [ask(loaded, name).body["runId"] for name in ["Load", "Bad"] * 60]
    wanted = {"operand": "PipelineName", "operator": "Equals", "values": ["Load"]}
    order = [{"orderBy": "RunStart", "order": "ASC"}]
    path = f"{FACTORY}/queryPipelineRuns"
    assert len(loaded.send("POST", path, {**SPAN, "filters": [wanted]}).body["value"]) == 60
    first = loaded.send("POST", path, {**SPAN, "orderBy": order}).body
    rest = loaded.send("POST", path, {**SPAN, "orderBy": order, "continuationToken": first["continuationToken"]}).body
    assert [each["runId"] for each in first["value"] + rest["value"]] == asked
    assert "continuationToken" not in rest


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        {},
        {**SPAN, "lastUpdatedAfter": "yesterday"},
        {**SPAN, "filters": {}},
        {**SPAN, "filters": [{"operand": "Colour", "operator": "Equals", "values": ["x"]}]},
        {**SPAN, "filters": [{"operand": 1, "operator": "Equals", "values": ["x"]}]},
        {**SPAN, "continuationToken": "x"},
        {**SPAN, "orderBy": [{"orderBy": "Colour", "order": "ASC"}]},
    ],
)
def test_a_query_that_is_none_is_refused(loaded: Client, wrong: Any) -> None:
    answer = loaded.send("POST", f"{FACTORY}/queryPipelineRuns", wrong)
    assert (answer.status, answer.body["error"]["code"]) == (400, "BadRequest")


def test_a_pipeline_that_cannot_run_here_is_told_before_it_runs(loaded: Client) -> None:
    hive = {"name": "Ask", "type": "HDInsightHive", "typeProperties": {"scriptPath": "a.hql"}}
    loaded.put(f"{FACTORY}/pipelines/Wrong", {**PIPELINE, "activities": [hive]})
    answer = ask(loaded, "Wrong")
    assert answer.status == 400
    assert "HDInsightHive" in answer.body["error"]["message"]


@contextmanager
def at_work(client: Client) -> Iterator[None]:
    site = client.site
    stop = threading.Event()
    own = Work(address=site.address, folder=site.folder, settings=site.settings, seal=site.seal)
    worker = Worker(work=own, listener=lambda _: None, tell=lambda _: None, told_to_stop=stop)
    thread = threading.Thread(target=worker.run)
    site.wake = worker.wake
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_thousand_runs_asked_for_at_once_all_end(loaded: Client) -> None:
    asked = {ask(loaded).body["runId"] for _ in range(1000)}
    until = clock.now().timestamp() + 120
    with at_work(loaded):
        while loaded.site.journal.rows("count_unfinished")[0][0] and clock.now().timestamp() < until:
            threading.Event().wait(0.1)
    succeeded = {"operand": "Status", "operator": "Equals", "values": ["Succeeded"]}
    found: set[str] = set()
    token = ""
    while True:
        body = {**SPAN, "filters": [succeeded], **({"continuationToken": token} if token else {})}
        page = loaded.send("POST", f"{FACTORY}/queryPipelineRuns", body).body
        found |= {each["runId"] for each in page["value"]}
        token = page.get("continuationToken", "")
        if not token:
            break
    assert found == asked
