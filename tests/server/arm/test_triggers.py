"""Triggers over the API: started and stopped, and their runs."""

from dataclasses import replace
from typing import Any

import pytest
from tests.server.arm.conftest import FACTORY, Client

from manara import clock
from manara.store.firings import FAILED, RUNNING, Firing, change_firing, find_firing, fire

PIPELINE: dict[str, Any] = {"activities": [{"name": "W", "type": "Wait", "typeProperties": {"waitTimeInSeconds": 1}}]}
DAILY = {
    "type": "ScheduleTrigger",
    "typeProperties": {"recurrence": {"frequency": "Day", "interval": 1, "startTime": "2024-01-01T00:00:00Z"}},
    "pipelines": [{"pipelineReference": {"referenceName": "Load", "type": "PipelineReference"}}],
}
PATH = f"{FACTORY}/triggers/Daily"
SPAN = {"lastUpdatedAfter": "2020-01-01T00:00:00Z", "lastUpdatedBefore": "2999-01-01T00:00:00Z"}


@pytest.fixture
def trigger(factory: Client) -> Client:
    assert factory.put(f"{FACTORY}/pipelines/Load", PIPELINE).status == 200
    assert factory.put(PATH, DAILY).status == 200
    return factory


def code(answer: Any) -> tuple[int, str]:
    return answer.status, answer.body["error"]["code"]


def fired(client: Client, status: str = RUNNING, **body: Any) -> Firing:
    firing = Firing(
        id=clock.new_id(),
        trigger_id=PATH.lower(),
        factory=FACTORY.lower(),
        trigger_name="Daily",
        trigger_type="ScheduleTrigger",
        moment=clock.new_id(),
        status=status,
        body=body,
    )
    assert fire(client.site.journal, firing)
    return firing


def test_a_trigger_is_stopped_until_it_is_started(trigger: Client) -> None:
    states = [trigger.send("GET", PATH).body["properties"]["runtimeState"]]
    for verb in ("start", "start", "stop"):
        assert trigger.send("POST", f"{PATH}/{verb}").status == 200
        states.append(trigger.send("GET", PATH).body["properties"]["runtimeState"])
    assert states == ["Stopped", "Started", "Started", "Stopped"]


def test_a_started_trigger_is_neither_changed_nor_removed(trigger: Client) -> None:
    trigger.send("POST", f"{PATH}/start")
    assert code(trigger.put(PATH, DAILY)) == (400, "TriggerEnabledCannotUpdate")
    for path in (PATH, FACTORY):
        assert code(trigger.send("DELETE", path)) == (400, "TriggerEnabledCannotUpdate")
    trigger.send("POST", f"{PATH}/stop")
    assert trigger.send("DELETE", PATH).status == 200


def test_a_trigger_without_a_pipeline_is_not_started(trigger: Client) -> None:
    trigger.put(f"{FACTORY}/triggers/Idle", {**DAILY, "pipelines": []})
    assert code(trigger.send("POST", f"{FACTORY}/triggers/Idle/start")) == (400, "TriggerHasNoPipeline")


def test_a_pipeline_that_a_trigger_starts_is_not_removed(trigger: Client) -> None:
    assert "referenced by Daily" in trigger.send("DELETE", f"{FACTORY}/pipelines/Load").body["error"]["message"]


def test_trigger_runs_are_queried_by_status(trigger: Client) -> None:
    fired(trigger, runIds={"Load": "r1"}, scheduledTime="2024-01-01T00:00:00Z")
    fired(trigger, FAILED)
    wanted = {"operand": "Status", "operator": "Equals", "values": ["Failed"]}
    path = f"{FACTORY}/queryTriggerRuns"
    assert len(trigger.send("POST", path, SPAN).body["value"]) == 2
    (found,) = trigger.send("POST", path, {**SPAN, "filters": [wanted]}).body["value"]
    assert (found["triggerName"], found["status"]) == ("Daily", "Failed")


def test_a_trigger_run_is_cancelled_with_its_pipeline_runs(trigger: Client) -> None:
    run_id = trigger.send("POST", f"{FACTORY}/pipelines/Load/createRun", {}).body["runId"]
    firing = fired(trigger, runIds={"Load": run_id})
    path = f"{PATH}/triggerRuns/{firing.id}/cancel"
    assert trigger.send("POST", path).status == 200
    assert trigger.send("GET", f"{FACTORY}/pipelineruns/{run_id}").body["status"] == "Canceling"
    assert trigger.send("POST", path).status == 400


def test_only_a_trigger_run_that_is_over_runs_again(trigger: Client) -> None:
    firing = fired(trigger)
    path = f"{PATH}/triggerRuns/{firing.id}/rerun"
    assert trigger.send("POST", path).status == 400
    change_firing(trigger.site.journal, replace(firing, status=FAILED))
    assert trigger.send("POST", path).status == 200
    found = find_firing(trigger.site.journal, firing.id)
    assert found is not None
    assert (found.status, found.body) == ("Waiting", {"rerun": True})


def test_only_a_trigger_of_events_has_a_subscription(trigger: Client) -> None:
    assert code(trigger.send("POST", f"{PATH}/subscribeToEvents")) == (400, "BadRequest")
    blob: dict[str, Any] = {"type": "BlobEventsTrigger", "pipelines": DAILY["pipelines"]}
    blob |= {
        "typeProperties": {"events": ["Microsoft.Storage.BlobCreated"], "scope": "/x", "blobPathBeginsWith": "/a/"}
    }
    path = f"{FACTORY}/triggers/Blob"
    assert trigger.put(path, blob).status == 200
    assert trigger.send("POST", f"{path}/getEventSubscriptionStatus").body["status"] == "Disabled"
    trigger.send("POST", f"{path}/start")
    assert trigger.send("POST", f"{path}/getEventSubscriptionStatus").body["status"] == "Enabled"
    assert trigger.send("POST", f"{path}/unsubscribeFromEvents").status == 400


def test_triggers_are_queried(trigger: Client) -> None:
    assert [each["name"] for each in trigger.send("POST", f"{FACTORY}/querytriggers", {}).body["value"]] == ["Daily"]
    assert trigger.send("POST", f"{FACTORY}/querytriggers", {"parentTriggerName": "x"}).body["value"] == []


CUSTOM = {
    "type": "CustomEventsTrigger",
    "typeProperties": {"subjectBeginsWith": "field/", "events": ["report.*"], "scope": "/x"},
    "pipelines": DAILY["pipelines"],
}
EVENT = {"id": "1", "source": "app", "type": "report.sent", "subject": "field/north", "specversion": "1.0", "data": {}}


def test_a_message_fires_once_however_often_it_comes(trigger: Client) -> None:
    path = f"{FACTORY}/triggers/Custom"
    assert trigger.put(path, CUSTOM).status == 200
    assert trigger.send("POST", f"{path}/events", EVENT).status == 400
    trigger.send("POST", f"{path}/start")
    other = {**EVENT, "id": "2", "subject": "office"}
    told = [trigger.send("POST", f"{path}/events", body).body for body in (EVENT, [EVENT, other])]
    assert told == [{"fired": 1, "repeated": 0, "ignored": 0}, {"fired": 0, "repeated": 1, "ignored": 1}]
    assert [each["status"] for each in trigger.send("POST", f"{FACTORY}/queryTriggerRuns", SPAN).body["value"]] == [
        "Waiting"
    ]


@pytest.mark.parametrize("body", [None, {}, {"id": 1}, {"id": ""}, [1], "x"])
def test_a_message_without_an_id_is_refused(trigger: Client, body: Any) -> None:
    path = f"{FACTORY}/triggers/Custom"
    trigger.put(path, CUSTOM)
    trigger.send("POST", f"{path}/start")
    assert trigger.send("POST", f"{path}/events", body).status == 400
