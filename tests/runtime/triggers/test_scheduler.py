"""The scheduler: each moment once, missed ones as the setting says, windows filled up, files and messages heard."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from manara import clock
from manara.errors import Conflict
from manara.resources.published import FACTORIES, GROUPS, Snapshots, factory_id
from manara.runtime.triggers.firing import World as Here
from manara.runtime.triggers.firing import start_again
from manara.runtime.triggers.scheduler import Scheduler, chosen
from manara.settings import Settings
from manara.store.documents import Documents
from manara.store.firings import (
    STARTED,
    STOPPED,
    Firing,
    change_firing,
    firings_from,
    set_trigger_state,
    trigger_state,
)
from manara.store.journal import Event, Journal
from manara.store.runs import find_run_row
from manara.store.seal import Seal

FACTORY = factory_id("north")
START = datetime.fromisoformat("2024-03-30T00:00:00+00:00")
REFERENCE = {"referenceName": "Load", "type": "PipelineReference"}


@dataclass
class World:
    """A store with a factory, and a scheduler that a test moves through time."""

    journal: Journal
    documents: Documents
    scheduler: Scheduler
    root: Path

    def put(self, segment: str, name: str, properties: Mapping[str, Any]) -> None:
        self.documents.put(f"{FACTORY}/{segment}/{name}", f"{FACTORIES}/{segment}", FACTORY, {"properties": properties})

    def trigger(self, kind: str, told: Mapping[str, Any], parameters: Mapping[str, Any], name: str = "T") -> None:
        entry = {"pipelineReference": REFERENCE, "parameters": parameters}
        held = {"pipeline": entry} if kind == "TumblingWindowTrigger" else {"pipelines": [entry]}
        self.put("triggers", name, {"type": kind, "typeProperties": told, **held})
        set_trigger_state(self.journal, f"{FACTORY}/triggers/{name}", FACTORY, STARTED)

    def look(self, **passed: float) -> None:
        with clock.frozen(START + timedelta(**passed)) as held:
            held.ids = iter(range(int(timedelta(**passed).total_seconds()) * 100 + 1, 2**60))
            self.scheduler.once(self.journal, clock.now())

    def firings(self, name: str = "T") -> list[Firing]:
        return firings_from(self.journal, f"{FACTORY}/triggers/{name}")

    def end(self, firing: Firing, status: str) -> None:
        """End the runs of a firing."""
        for run_id in firing.body["runIds"].values():
            lease = self.journal.claim(run_id, 60)
            body: dict[str, Any] = {"status": status, "output": {}, "error": None}
            self.journal.append([Event(run_id=run_id, kind="runEnded", body=body)], lease)
            self.journal.settle(lease)
            self.journal.release(lease)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    seal = Seal(tmp_path / "seal.key")
    journal = Journal(tmp_path / "store.sqlite", seal)
    root = tmp_path / "factory"
    snapshots = Snapshots(folder=lambda _: root, shared=tmp_path)
    scheduler = Scheduler(address=tmp_path / "store.sqlite", seal=seal, snapshots=snapshots, settings=Settings())
    made = World(journal, Documents(journal, seal), scheduler, root)
    with clock.frozen(START):
        made.documents.put(FACTORY.partition("/providers")[0], GROUPS, "", {})
        made.documents.put(FACTORY, FACTORIES, "", {"properties": {}})
        wait = {"name": "W", "type": "Wait", "typeProperties": {"waitTimeInSeconds": 1}}
        text = {"type": "string", "defaultValue": ""}
        made.put("pipelines", "Load", {"activities": [wait], "parameters": {"a": text, "b": text}})
    yield made
    journal.close()


def hourly(world: World, **more: Any) -> None:
    told = {"recurrence": {"frequency": "Hour", "interval": 1, "startTime": "2024-03-30T00:00:00Z", **more}}
    with clock.frozen(START):
        world.trigger("ScheduleTrigger", told, {"a": "@trigger().scheduledTime"})


def tumbling(world: World, **more: Any) -> None:
    told = {"frequency": "Hour", "interval": 1, "startTime": "2024-03-29T22:00:00Z", "maxConcurrency": 2, **more}
    outputs = "@trigger().outputs"
    with clock.frozen(START):
        world.trigger(
            "TumblingWindowTrigger", told, {"a": f"{outputs}.windowStartTime", "b": f"{outputs}.windowEndTime"}
        )


def test_a_moment_is_fired_once_and_its_run_knows_of_it(world: World) -> None:
    hourly(world)
    for seconds in (0, 10, 10, 11):
        world.look(hours=1, seconds=seconds)
    (firing,) = world.firings()
    assert (firing.moment, firing.status) == ("2024-03-30T01:00:00.0000000Z", "Running")
    run = find_run_row(world.journal, firing.body["runIds"]["Load"])
    assert run is not None
    assert run.parameters["a"] == "2024-03-30T01:00:00.0000000Z"
    assert run.names["TriggerName"] == "T"
    assert run.names["TriggerId"] == firing.id


def test_a_firing_ends_with_its_runs(world: World) -> None:
    hourly(world)
    world.look(hours=1)
    world.end(world.firings()[0], "Failed")
    world.look(hours=1, seconds=5)
    assert world.firings()[0].status == "Failed"


@pytest.mark.parametrize(("missed", "count"), [("all", 5), ("latest", 1), ("none", 1)])
def test_what_was_missed_is_fired_as_the_setting_says(world: World, missed: str, count: int) -> None:
    world.scheduler.settings = Settings(trigger_missed=missed)
    hourly(world)
    world.look(hours=5)
    assert len(world.firings()) == count


@pytest.mark.parametrize(
    ("ago", "missed", "expected"),
    [([90, 5], "latest", [5]), ([90, 5], "all", [90, 5]), ([90], "latest", [90]), ([90], "none", []), ([], "all", [])],
)
def test_a_missed_moment_gives_way_to_a_fresh_one(ago: list[int], missed: str, expected: list[int]) -> None:
    due = [START - timedelta(seconds=each) for each in ago]
    assert [int((START - each).total_seconds()) for each in chosen(due, START, missed)] == expected


def test_a_stopped_trigger_fires_for_nothing_that_came_meanwhile(world: World) -> None:
    hourly(world)
    with clock.frozen(START + timedelta(hours=3, minutes=30)):
        set_trigger_state(world.journal, f"{FACTORY}/triggers/T", FACTORY, STARTED)
    world.look(hours=4)
    assert [firing.moment[11:13] for firing in world.firings()] == ["04"]


def test_windows_are_filled_up_oldest_first_as_many_as_may_go_side_by_side(world: World) -> None:
    tumbling(world)
    world.look(hours=1)
    assert [firing.body["windowStartTime"][11:13] for firing in world.firings()] == ["22", "23"]
    world.end(world.firings()[1], "Succeeded")
    world.look(hours=1, seconds=1)
    world.look(hours=1, seconds=2)
    assert [firing.status for firing in world.firings()] == ["Running", "Succeeded", "Running"]
    run = find_run_row(world.journal, world.firings()[2].body["runIds"]["Load"])
    assert run is not None
    assert (run.parameters["a"][11:13], run.parameters["b"][11:13]) == ("00", "01")


def test_a_window_that_failed_is_tried_again_after_its_interval(world: World) -> None:
    tumbling(world, retryPolicy={"count": 1, "intervalInSeconds": 30}, endTime="2024-03-29T23:00:00Z")
    world.look()
    world.end(world.firings()[0], "Failed")
    states = []
    for seconds in (1, 20, 32):
        world.look(seconds=seconds)
        states.append((world.firings()[0].status, world.firings()[0].attempt))
    assert states == [("Waiting", 1), ("Waiting", 1), ("Running", 2)]
    world.end(world.firings()[0], "Failed")
    world.look(seconds=40)
    assert world.firings()[0].status == "Failed"


def test_a_window_waits_for_the_one_before_it(world: World) -> None:
    depends = [{"type": "SelfDependencyTumblingWindowTriggerReference", "offset": "-01:00:00", "size": "01:00:00"}]
    tumbling(world, dependsOn=depends)
    world.look()
    assert [firing.status for firing in world.firings()] == ["Running", "Waiting"]
    world.end(world.firings()[0], "Succeeded")
    world.look(seconds=1)
    assert [firing.status for firing in world.firings()] == ["Succeeded", "Running"]


def test_a_moment_runs_again_when_it_is_asked_for(world: World) -> None:
    hourly(world)
    world.look(hours=1)
    first = world.firings()[0]
    world.end(first, "Failed")
    world.look(hours=1, seconds=1)
    again = replace(world.firings()[0], status="Waiting", attempt=0, body={**first.body, "rerun": True})
    change_firing(world.journal, again)
    world.look(hours=1, seconds=2)
    found = world.firings()[0]
    assert (found.status, found.attempt, found.body["runIds"] != first.body["runIds"]) == ("Running", 1, True)


def test_a_pipeline_that_cannot_start_leaves_a_firing_that_says_why(world: World) -> None:
    told = {"recurrence": {"frequency": "Hour", "interval": 1, "startTime": "2024-03-30T00:00:00Z"}}
    with clock.frozen(START):
        world.trigger("ScheduleTrigger", told, {"wrong": "x"})
    world.look(hours=1)
    (firing,) = world.firings()
    assert firing.status == "Failed"
    assert "wrong" in firing.body["message"]


def test_a_trigger_that_is_wrong_keeps_no_other_from_firing(world: World) -> None:
    said: list[str] = []
    world.scheduler.tell = said.append
    with clock.frozen(START):
        world.trigger("ScheduleTrigger", {"recurrence": {"frequency": "Eon"}}, {}, name="A")
    hourly(world)
    for _ in range(2):
        world.look(hours=1)
    assert (len(world.firings()), len(said)) == (1, 1)
    assert "Eon" in said[0]


def test_files_that_come_after_the_start_are_fired_for_each_once(world: World) -> None:
    lake = {"type": "FileServer", "typeProperties": {"host": "lake"}}
    inbox = world.root / "lake" / "box" / "in"
    inbox.mkdir(parents=True)
    (inbox / "old.csv").write_text("x")
    told = {"blobPathBeginsWith": "/box/blobs/in/", "blobPathEndsWith": ".csv", "ignoreEmptyBlobs": True}
    with clock.frozen(START):
        world.put("linkedservices", "Lake", lake)
        names = {"a": "@triggerBody().fileName", "b": "@triggerBody().folderPath"}
        world.trigger("BlobEventsTrigger", {**told, "events": ["Microsoft.Storage.BlobCreated"]}, names)
    world.look(seconds=1)
    for name, text in (("new.csv", "y"), ("empty.csv", ""), ("new.txt", "y")):
        (inbox / name).write_text(text)
    for seconds in (10, 20, 30):
        world.look(seconds=seconds)
    (firing,) = world.firings()
    run = find_run_row(world.journal, firing.body["runIds"]["Load"])
    assert run is not None
    assert run.parameters == {"a": "new.csv", "b": "box/in"}


def test_two_schedulers_fire_a_moment_once(world: World, tmp_path: Path) -> None:
    hourly(world)
    other = Journal(tmp_path / "store.sqlite", world.scheduler.seal)
    with clock.frozen(START + timedelta(hours=1)) as held:
        for journal in (world.journal, other):
            world.scheduler.once(journal, held.now())
    other.close()
    assert len(world.firings()) == 1


@pytest.mark.parametrize("kind", ["rerun", "window"])
def test_of_two_that_start_an_attempt_one_does(world: World, kind: str) -> None:
    if kind == "rerun":
        hourly(world)
    else:
        tumbling(world, endTime="2024-03-29T23:00:00Z")
    world.look(hours=1)
    world.end(world.firings()[0], "Failed")
    world.look(hours=1, seconds=1)
    change_firing(world.journal, replace(world.firings()[0], status="Waiting", attempt=0))
    (read_by_both,) = world.firings()
    document = world.documents.get(read_by_both.trigger_id)
    assert document is not None
    scheduler = world.scheduler
    here = Here(journal=world.journal, documents=world.documents, snapshots=scheduler.snapshots, seal=scheduler.seal)
    assert [start_again(here, document, read_by_both) for _ in range(2)] == [True, False]
    assert [run for run, _, _ in world.journal.unfinished()] == list(world.firings()[0].body["runIds"].values())


def test_of_a_long_time_only_the_latest_moment_is_fired(world: World) -> None:
    told = {"recurrence": {"frequency": "Minute", "interval": 1, "startTime": "2024-03-30T00:00:00Z"}}
    with clock.frozen(START):
        world.trigger("ScheduleTrigger", told, {})
    for seconds in (30, 31, 32, 33):
        world.look(days=1, seconds=seconds)
    assert [firing.moment for firing in world.firings()] == ["2024-03-31T00:00:00.0000000Z"]


def test_a_crash_between_firing_and_asking_for_runs_leaves_neither(world: World) -> None:
    hourly(world)
    kept = world.journal.write_kept_command

    def crash(*_: Any, **__: Any) -> Any:
        raise Conflict("killed here")

    world.journal.write_kept_command = crash  # type: ignore[method-assign]
    world.scheduler.tell = lambda _: None
    world.look(hours=1)
    assert world.firings() == []
    world.journal.write_kept_command = kept  # type: ignore[method-assign]
    world.look(hours=1, seconds=1)
    assert [firing.status for firing in world.firings()] == ["Running"]


def test_marks_are_json_that_people_can_read(world: World) -> None:
    hourly(world)
    world.look(hours=1)
    state = trigger_state(world.journal, f"{FACTORY}/triggers/T")
    assert state is not None
    assert json.loads(json.dumps(state.mark)) == {"last": "2024-03-30T01:00:00.0000000Z"}


@pytest.mark.parametrize(
    ("recurrence", "pipelines"),
    [
        ("soon", [{"pipelineReference": REFERENCE}]),
        ({"frequency": "Hour", "startTime": "0001-01-01T00:00:00", "timeZone": "Tokyo Standard Time"}, []),
        ({"frequency": "Hour", "startTime": "2024-03-30T00:00:00Z"}, ["Load"]),
    ],
    ids=["a recurrence that is text", "a start before the calendar", "pipelines that are text"],
)
def test_a_definition_of_a_wrong_form_does_not_end_the_scheduler(
    world: World, recurrence: Any, pipelines: list[Any]
) -> None:
    with clock.frozen(START):
        told = {"type": "ScheduleTrigger", "typeProperties": {"recurrence": recurrence}, "pipelines": pipelines}
        world.put("triggers", "A", told)
        set_trigger_state(world.journal, f"{FACTORY}/triggers/A", FACTORY, STARTED)
    hourly(world)
    world.look(hours=1)
    assert len(world.firings()) == 1


def test_files_that_come_while_a_trigger_is_stopped_are_not_fired_for(world: World) -> None:
    inbox = world.root / "lake" / "box"
    inbox.mkdir(parents=True)
    told = {"blobPathBeginsWith": "/box/blobs/", "events": ["Microsoft.Storage.BlobCreated"]}
    with clock.frozen(START):
        world.put("linkedservices", "Lake", {"type": "FileServer", "typeProperties": {"host": "lake"}})
        world.trigger("BlobEventsTrigger", told, {"a": "@triggerBody().fileName"})
    world.look(seconds=1)
    with clock.frozen(START + timedelta(seconds=10)):
        set_trigger_state(world.journal, f"{FACTORY}/triggers/T", FACTORY, "Stopped")
        (inbox / "meanwhile.csv").write_text("x")
        set_trigger_state(world.journal, f"{FACTORY}/triggers/T", FACTORY, STARTED)
    world.look(seconds=20)
    (inbox / "after.csv").write_text("x")
    world.look(seconds=30)
    assert [each.body["event"]["fileName"] for each in world.firings()] == ["after.csv"]


def test_the_runs_of_a_stopped_trigger_are_followed_to_their_end(world: World) -> None:
    hourly(world)
    world.look(hours=1)
    with clock.frozen(START + timedelta(hours=1, seconds=1)):
        set_trigger_state(world.journal, f"{FACTORY}/triggers/T", FACTORY, STOPPED)
    world.end(world.firings()[0], "Succeeded")
    world.look(hours=3)
    assert [firing.status for firing in world.firings()] == ["Succeeded"]


def test_a_trigger_that_is_made_anew_has_windows_of_its_own(world: World) -> None:
    tumbling(world)
    world.look()
    before = {firing.id for firing in world.firings()}
    world.documents.delete(f"{FACTORY}/triggers/T")
    tumbling(world)
    world.look(seconds=1)
    after = world.firings()
    assert (len(before), len(after), before & {firing.id for firing in after}) == (2, 2, set())


def test_a_secret_that_a_trigger_gives_reaches_its_run_sealed(world: World) -> None:
    wait = {"name": "W", "type": "Wait", "typeProperties": {"waitTimeInSeconds": 1}}
    told = {"recurrence": {"frequency": "Hour", "interval": 1, "startTime": "2024-03-30T00:00:00Z"}}
    with clock.frozen(START):
        world.put("pipelines", "Load", {"activities": [wait], "parameters": {"key": {"type": "securestring"}}})
        world.trigger("ScheduleTrigger", told, {"key": "swordfish"})
    world.look(hours=1)
    command = world.journal.command(world.firings()[0].body["runIds"]["Load"])
    assert "swordfish" not in str(command)
    assert json.loads(world.scheduler.seal.open(command.options["sealed"])) == {"key": "swordfish"}
