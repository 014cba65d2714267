"""Loops, branches and waits after a crash, and when the run is to stop."""

import json
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from tests.factories import DONE, Json, act, factory_of, pipeline
from tests.runtime.test_worker import cut, outcome

from manara.store.journal import Event

LOG = {"variables": {"log": {"type": "Array"}, "v": {"type": "String"}}}
MAIN = pipeline(
    act("Again", "Until", expression="@equals(length(variables('log')), 3)", timeout="00:10:00", activities=[
        act("Log", "AppendVariable", variableName="log", value="@add(length(variables('log')), 1)"),
        act("Wait", "Wait", waitTimeInSeconds=0),
        act("Which", "Switch", after=["Log"], on="@length(variables('log'))", cases=[
            {"value": "2", "activities": [act("Two", "TestFail")]}], defaultActivities=[act("Other")]),
    ]),
    act("Some", "Filter", after=["Again"], items="@variables('log')", condition="@greater(item(), 1)"),
    act("Last", after=["Some"], got="@variables('log')", some="@activity('Some').output.Value"),
    **LOG,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _nothing_done() -> None:
    DONE.clear()


def journal_of(root: Path) -> Path:
    return root / "data" / "journal.sqlite"


def kinds_of(root: Path) -> list[str]:
    with sqlite3.connect(journal_of(root)) as connection:
        return [kind for (kind,) in connection.execute("select kind from event order by seq")]


def test_loops_and_branches_cut_off_anywhere_go_the_same_way_and_append_each_value_once(tmp_path: Path) -> None:
    factory = factory_of(tmp_path / "whole", main=MAIN)
    whole = factory.run("main")
    kinds = kinds_of(tmp_path / "whole")
    assert whole.activities["Last"].output == {"got": [1, 2, 3], "some": [2, 3]}
    # a variable is written in one commit with the end of its activity, so no crash comes between the two
    for kept in (number for number, kind in enumerate(kinds, 1) if kind != "variable"):
        factory = factory_of(tmp_path / str(kept), main=MAIN)
        run_id = factory.run("main").run_id
        cut(journal_of(tmp_path / str(kept)), kept)
        again = factory.resume(run_id)
        assert (outcome(again), again.activities["Last"].output) == (outcome(whole), whole.activities["Last"].output)


class Interrupt:
    """A listener that presses Ctrl-C once, when the first decision is written."""

    def __init__(self) -> None:
        self.is_done = False

    def __call__(self, event: object) -> None:
        if isinstance(event, Event) and event.kind == "decided" and not self.is_done:
            self.is_done = True
            signal.raise_signal(signal.SIGINT)


MISSING = act("Wait", "Until", expression="@false", activities=[act("In", "Wait", waitTimeInSeconds=3600)])


@pytest.mark.parametrize("waiting", [act("Wait", "Wait", waitTimeInSeconds=3600), MISSING])
def test_a_wait_stops_as_soon_as_the_run_is_cancelled(tmp_path: Path, waiting: Json) -> None:
    factory = factory_of(tmp_path, main=pipeline(waiting, act("After", after=["Wait"])))
    result = factory.run("main", listener=Interrupt())
    assert (result.status, result.activities["Wait"].status, DONE) == ("Cancelled", "Cancelled", [])


def test_a_continued_wait_ends_when_the_first_one_would_have(tmp_path: Path) -> None:
    factory = factory_of(tmp_path, main=pipeline(act("Wait", "Wait", waitTimeInSeconds=3600)))
    run_id = factory.run("main", listener=Interrupt()).run_id
    forget_the_end_and_say_that_it_waits_until(journal_of(tmp_path), "2020-01-01T00:00:00.0000000Z")
    assert factory.resume(run_id).status == "Succeeded"


def test_a_continued_until_has_no_more_time_than_the_first_one(tmp_path: Path) -> None:
    waiting = act("Wait", "Until", expression="@false", activities=[act("In")])
    factory = factory_of(tmp_path, main=pipeline(waiting))
    run_id = factory.run("main", listener=Interrupt()).run_id
    forget_the_end_and_say_that_it_waits_until(journal_of(tmp_path), "2020-01-01T00:00:00.0000000Z")
    result: Any = factory.resume(run_id)
    assert (result.status, result.activities["Wait"].error["errorCode"]) == ("Failed", "Timeout")


def forget_the_end_and_say_that_it_waits_until(path: Path, moment: str) -> None:
    with sqlite3.connect(path) as connection:
        seq, body = connection.execute("select seq, body from event where kind = 'decided' order by seq").fetchone()
        assert json.loads(body)["name"] == "until"
        connection.execute("drop trigger event_is_never_changed")
        decision = json.dumps({"name": "until", "value": moment})
        connection.execute("update event set body = ? where seq = ?", [decision, seq])
    cut(path, seq)


def test_a_variable_is_written_in_one_commit_with_the_end_of_its_activity(tmp_path: Path) -> None:
    seen: list[int] = []

    def look(event: object) -> None:
        if isinstance(event, Event) and event.kind == "variable":
            with sqlite3.connect(journal_of(tmp_path)) as connection:
                ended = "select count(*) from event where kind = 'ended' and step = ?"
                seen.append(connection.execute(ended, [event.step]).fetchone()[0])

    add = act("Add", "AppendVariable", variableName="log", value="@item()")
    loop = act("Each", "ForEach", items="@range(0, 30)", activities=[add])
    factory_of(tmp_path, main=pipeline(loop, **LOG)).run("main", listener=look)
    assert seen == [1] * 30
