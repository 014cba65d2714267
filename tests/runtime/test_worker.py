"""Going on after a crash: the journal is cut off after every single event, and the run continued from there."""

import json
import sqlite3
from pathlib import Path

import pytest
from tests.factories import DONE, act, factory_of, pipeline

from manara.errors import Conflict, NotFound
from manara.store.journal import Journal
from manara.store.record import PipelineRun, read_run

CHILD = pipeline(
    act("Deep", got="@pipeline().parameters.n"),
    act("Set", "SetVariable", after=["Deep"], variableName="pipelineReturnValue", setSystemVariable=True,
        value=[{"key": "n", "value": "@activity('Deep').output.got"}]),
    parameters={"n": {"type": "int"}},
)  # fmt: skip
MAIN = pipeline(
    act("First", got="@utcNow()"),
    act("Each", "ForEach", after=["First"], items="@range(0, 3)", activities=[
        act("If", "IfCondition", expression="@equals(item(), 1)", ifTrueActivities=[act("In", got="@item()")]),
        act("Call", "ExecutePipeline", after=["If"], parameters={"n": "@item()"},
            pipeline={"referenceName": "child", "type": "PipelineReference"}),
    ]),
    act("Set", "SetVariable", after=["Each"], variableName="v", value="@activity('First').output.got"),
    act("Last", after=["Set"], got="@variables('v')"),
    variables={"v": {"type": "String"}},
)  # fmt: skip


def cut(path: Path, events: int) -> None:
    """Leave only the first events in the journal, as a killed process would have."""
    with sqlite3.connect(path) as connection:
        connection.execute("drop trigger event_is_never_removed")
        connection.execute("delete from event where seq > ?", [events])
        connection.execute("insert or ignore into unfinished select run_id, written from command")


def outcome(run: PipelineRun) -> object:
    """What must be the same with and without a crash: no times, no ids of called runs."""
    children = {name: outcome(activity.child) for name, activity in run.activities.items() if activity.child}
    return {name: activity.status for name, activity in run.activities.items()}, children, run.status


def events_of_a_whole_run(root: Path) -> int:
    factory_of(root, main=MAIN, child=CHILD).run("main")
    with sqlite3.connect(root / "data" / "journal.sqlite") as connection:
        return int(connection.execute("select count(*) from event").fetchone()[0])


def test_a_run_cut_off_anywhere_ends_the_same_and_repeats_nothing(tmp_path: Path) -> None:
    total = events_of_a_whole_run(tmp_path / "whole")
    assert total > 40
    for kept in range(total):
        root = tmp_path / f"cut{kept}"
        opened = factory_of(root, main=MAIN, child=CHILD)
        whole = opened.run("main")
        path = root / "data" / "journal.sqlite"
        cut(path, kept)
        ended = ended_steps(path)
        DONE.clear()
        assert outcome(opened.resume(whole.run_id)) == outcome(whole), kept
        assert not ended & set(DONE), kept
        journal = Journal(path)
        again = read_run(journal, whole.run_id)
        journal.close()
        assert again.activities["Last"].output == again.activities["First"].output


def ended_steps(path: Path) -> set[str]:
    with sqlite3.connect(path) as connection:
        rows = connection.execute("select step, body from event where kind = 'ended'").fetchall()
    # steps of child runs share their names, so that only those of the main run are told apart
    return {
        step for step, body in rows if json.loads(body)["status"] == "Succeeded" and step.startswith(("F", "L", "E"))
    }


def test_continuing_a_run_that_has_ended_does_nothing(tmp_path: Path) -> None:
    opened = factory_of(tmp_path, main=pipeline(act("A")))
    run = opened.run("main")
    DONE.clear()
    assert (opened.resume(run.run_id).status, DONE) == ("Succeeded", [])


def test_a_run_uses_the_definitions_it_started_with(tmp_path: Path) -> None:
    opened = factory_of(tmp_path, main=pipeline(act("A"), act("B", after=["A"], says="old")))
    run = opened.run("main")
    cut(tmp_path / "data" / "journal.sqlite", 3)
    later = factory_of(tmp_path, main=pipeline(act("A"), act("B", after=["A"], says="new")))
    assert later.resume(run.run_id).activities["B"].output == {"says": "old"}


def test_a_run_that_somebody_works_on_is_not_taken(tmp_path: Path) -> None:
    opened = factory_of(tmp_path, main=pipeline(act("A")))
    run = opened.run("main")
    journal = Journal(tmp_path / "data" / "journal.sqlite")
    journal.claim(run.run_id, lease_s=60)
    with pytest.raises(Conflict, match="is being worked on by process"):
        opened.resume(run.run_id)
    journal.close()


def test_an_unknown_run_is_answered_with_the_unfinished_ones(tmp_path: Path) -> None:
    opened = factory_of(tmp_path, main=pipeline(act("A")))
    run = opened.run("main")
    cut(tmp_path / "data" / "journal.sqlite", 1)
    with pytest.raises(NotFound, match=run.run_id):
        opened.resume("nonsense")
