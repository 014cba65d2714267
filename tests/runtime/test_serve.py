"""A worker for everybody's runs, in this process: it takes what was asked for until there is nothing left."""

import signal
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.factories import DONE, act, factory_of, pipeline, statuses

from manara.errors import Conflict, NotFound, WrongDefinition
from manara.plugin.activity import Given, Output, activity
from manara.store.journal import Event, Journal
from manara.store.record import PipelineRun, read_run

CALL = {"referenceName": "child", "type": "PipelineReference"}
KEY = {"parameters": {"key": {"type": "SecureString"}}}


@activity("TestStop")
def stop_worker(given: Given) -> Output:
    """Tell this process to stop, as a container's platform does."""
    DONE.append(given.mark.step)
    signal.raise_signal(signal.SIGTERM)
    return {}


@activity("TestCancel")
def ask_for_the_end(given: Given) -> Output:
    """Ask for the end of the run that this activity's run was called by."""
    with closing(journal_of(Path(given.properties["journal"]))) as journal:
        journal.write_cancel(journal.unfinished()[0][0])
    return {}


@pytest.fixture(autouse=True)
def _nothing_done() -> None:
    DONE.clear()


def journal_of(root: Path) -> Journal:
    return Journal(root / "data" / "journal.sqlite")


def told(root: Path, run_id: str) -> PipelineRun:
    with closing(journal_of(root)) as journal:
        return read_run(journal, run_id)


def begun(root: Path, *events: Event) -> None:
    """Let a process take the oldest run, do what the events say, and die."""
    with closing(journal_of(root)) as journal:
        lease = journal.claim_next(-1)
        assert lease is not None
        journal.append(events, lease)


def test_all_that_was_asked_for_is_done_the_oldest_first(tmp_path: Path) -> None:
    opened = factory_of(tmp_path, **{name: pipeline(act(f"In{name}")) for name in "ABC"})
    runs = [opened.submit(name) for name in "CAB"]
    assert opened.serve(drain=True) == 3
    assert [told(tmp_path, run_id).status for run_id in runs] == ["Succeeded"] * 3
    assert DONE == ["InC", "InA", "InB"]


def test_a_run_of_a_dead_process_is_gone_on_with_and_repeats_nothing(tmp_path: Path) -> None:
    opened = factory_of(tmp_path, main=pipeline(act("A"), act("B", after=["A"])))
    run_id = opened.submit("main")
    body: dict[str, Any] = {"type": "TestNote", "attempt": 1, "input": {}}
    start = {"pipeline": "main", "names": {"GroupId": run_id}, "parameters": {}, "caller": None}
    end = {**body, "status": "Succeeded", "output": {}, "error": None}
    begun(
        tmp_path,
        Event(run_id=run_id, kind="runStarted", body=start),
        Event(run_id=run_id, kind="started", step="A", body=body),
        Event(run_id=run_id, kind="ended", step="A", body=end),
    )
    assert opened.serve(drain=True) == 1
    assert (DONE, told(tmp_path, run_id).status) == (["B"], "Succeeded")


def test_a_worker_that_is_told_to_stop_ends_what_is_at_work_and_leaves_the_rest_to_another(tmp_path: Path) -> None:
    opened = factory_of(tmp_path, main=pipeline(act("A", "TestStop"), act("B", after=["A"]), act("W", "Wait",
                        waitTimeInSeconds=0.2)))  # fmt: skip
    run_id = opened.submit("main")
    assert (opened.serve(), DONE) == (0, ["A"])
    assert statuses(told(tmp_path, run_id))["A"] == "Succeeded"
    assert opened.serve(drain=True) == 1
    assert (DONE, told(tmp_path, run_id).status) == (["A", "B"], "Succeeded")


def test_a_run_that_needs_a_secret_is_left_to_who_knows_it(tmp_path: Path) -> None:
    opened = factory_of(tmp_path, main=pipeline(act("A"), **KEY))
    with closing(journal_of(tmp_path)) as journal:
        command = journal.write_command("main", {}, opened.definitions.snapshot())
    said: list[str] = []
    assert opened.serve(tell=said.append, drain=True) == 0
    assert said == [
        f"The run {command.run_id} needs what is never written down: manara resume {command.run_id} -p key=..."
    ]
    assert opened.resume(command.run_id, {"key": "s3cret"}).status == "Succeeded"


def test_a_secret_is_not_written_down_for_a_worker(tmp_path: Path) -> None:
    opened = factory_of(tmp_path, main=pipeline(act("A"), **KEY))
    with pytest.raises(WrongDefinition, match="needs key, which is never written down"):
        opened.submit("main", {"key": "s3cret"})


def test_a_run_that_cannot_begin_fails_and_does_not_end_the_worker(tmp_path: Path) -> None:
    opened = factory_of(tmp_path, main=pipeline(act("A")))
    with closing(journal_of(tmp_path)) as journal:
        wrong = [journal.write_command(name, {"n": 1}, opened.definitions.snapshot()).run_id for name in ("main", "no")]
    right = opened.submit("main")
    assert opened.serve(drain=True) == 3
    assert [told(tmp_path, run_id).status for run_id in (*wrong, right)] == ["Failed", "Failed", "Succeeded"]
    assert "has no parameter 'n'" in told(tmp_path, wrong[0]).message
    assert "There is no pipeline 'no'" in told(tmp_path, wrong[1]).message


def test_a_run_that_waits_for_a_worker_is_cancelled_at_once(tmp_path: Path) -> None:
    opened = factory_of(tmp_path, main=pipeline(act("A")))
    run_id = opened.submit("main")
    assert opened.cancel(run_id)
    assert (opened.serve(drain=True), told(tmp_path, run_id).status, DONE) == (0, "Cancelled", [])
    with pytest.raises(Conflict, match="has ended already"):
        opened.cancel(run_id)
    with pytest.raises(NotFound, match="There is no run 'nothing'"):
        opened.cancel("nothing")


def test_a_run_that_was_left_is_cancelled_with_all_that_it_called(tmp_path: Path) -> None:
    main = pipeline(act("Call", "ExecutePipeline", pipeline=CALL), act("Beside", after=["Call"]))
    child = pipeline(act("Deep", "TestStop"), act("Wait", "Wait", waitTimeInSeconds=3600))
    opened = factory_of(tmp_path, main=main, child=child)
    run_id = opened.submit("main")
    opened.serve()
    assert opened.cancel(run_id)
    run = told(tmp_path, run_id)
    inner = run.activities["Call"].child
    assert inner is not None
    assert (run.status, statuses(run)) == ("Cancelled", {"Call": "Cancelled"})
    assert (inner.status, statuses(inner)) == ("Cancelled", {"Deep": "Succeeded", "Wait": "Cancelled"})


def test_a_run_that_is_at_work_hears_of_its_cancellation(tmp_path: Path) -> None:
    main = pipeline(act("Call", "ExecutePipeline", pipeline=CALL), act("After", after=["Call"]))
    child = pipeline(act("Ask", "TestCancel", journal=str(tmp_path)), act("Wait", "Wait", waitTimeInSeconds=3600))
    opened = factory_of(tmp_path, main=main, child=child)
    run_id = opened.submit("main")
    assert opened.serve(drain=True) == 1
    run = told(tmp_path, run_id)
    inner = run.activities["Call"].child
    assert inner is not None
    assert (run.status, inner.status, statuses(inner)["Wait"]) == ("Cancelled", "Cancelled", "Cancelled")
