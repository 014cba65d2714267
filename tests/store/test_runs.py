"""Questions over many runs: what the journal notes of each, filtered, ordered and in pages."""

from datetime import timedelta
from typing import Any

import pytest

from manara import clock
from manara.errors import WrongDefinition
from manara.store.journal import Event, Journal
from manara.store.runs import Filter, Question, find_run_row, query_runs

FACTORY = "/subscriptions/s/x"


def ask(journal: Journal, pipeline: str = "p", **options: Any) -> str:
    digest = journal.keep_snapshot("{}")
    return journal.write_kept_command(pipeline, {"n": 1}, digest, {"factory": FACTORY, **options}).run_id


def play(journal: Journal, run_id: str, *kinds: str, status: str = "Succeeded") -> None:
    lease = journal.claim(run_id, 60)
    bodies: dict[str, dict[str, Any]] = {
        "runStarted": {"pipeline": "p", "parameters": {"n": 1}, "names": {"GroupId": run_id}, "caller": None},
        "runEnded": {"status": status, "output": {}, "error": {"message": "why"}},
    }
    journal.append([Event(run_id=run_id, kind=kind, body=bodies[kind]) for kind in kinds], lease)
    journal.release(lease)


def question(**more: Any) -> Question:
    now = clock.now()
    wanted = {"updated_after": now - timedelta(hours=1), "updated_before": now + timedelta(hours=1), **more}
    return Question(factory=FACTORY.upper(), **wanted)


def test_a_run_is_queued_then_in_progress_then_over(journal: Journal) -> None:
    run_id = ask(journal)
    seen = []
    for kind in ("runStarted", "runEnded"):
        seen.append(find_run_row(journal, run_id))
        play(journal, run_id, kind)
    seen.append(find_run_row(journal, run_id))
    assert [row.status for row in seen if row] == ["Queued", "InProgress", "Succeeded"]
    assert seen[-1] is not None
    assert (seen[-1].message, seen[-1].parameters) == ("why", {"n": 1})


def test_a_run_that_is_to_stop_says_so(journal: Journal) -> None:
    run_id = ask(journal)
    journal.write_cancel(run_id)
    assert [row.status for row in query_runs(journal, question())[0]] == ["Canceling"]


def test_a_called_run_belongs_to_the_factory_of_its_caller(journal: Journal) -> None:
    run_id = ask(journal)
    lease = journal.claim(run_id, 60)
    names = {"GroupId": run_id}
    above: dict[str, Any] = {"pipeline": "p", "parameters": {}, "names": names, "caller": None}
    below = {**above, "pipeline": "q", "caller": {"runId": run_id, "step": "Call"}}
    journal.append([Event(run_id=run_id, kind="runStarted", body=above)], lease)
    journal.append([Event(run_id="called", kind="runStarted", body=below)], lease)
    found = query_runs(journal, question(filters=[Filter(operand="RunGroupId", operator="Equals", values=[run_id])]))[0]
    assert {(row.run_id, row.pipeline) for row in found} == {(run_id, "p"), ("called", "q")}


@pytest.mark.parametrize(
    ("operand", "operator", "values", "count"),
    [
        ("PipelineName", "Equals", ["a"], 2),
        ("pipelinename", "in", ["a", "b"], 3),
        ("PipelineName", "NotEquals", ["a"], 1),
        ("Status", "NotIn", ["Queued"], 1),
        ("Status", "In", ["Failed", "Queued"], 3),
        ("Status", "Equals", [], 3),
        ("PipelineName", "Equals", ["' or 1 = 1 --"], 0),
    ],
)
def test_runs_are_filtered(journal: Journal, operand: str, operator: str, values: list[str], count: int) -> None:
    for name in ("a", "a", "b"):
        last = ask(journal, name)
    play(journal, last, "runEnded", status="Failed")
    found, _ = query_runs(journal, question(filters=[Filter(operand=operand, operator=operator, values=values)]))
    assert len(found) == count


@pytest.mark.parametrize("order", ["", "RunStart", "RunEnd", "PipelineName", "status"])
@pytest.mark.parametrize("descending", [True, False])
def test_pages_give_each_run_once_in_order(journal: Journal, order: str, descending: bool) -> None:
    asked = {ask(journal, name) for name in "abcab"}
    play(journal, min(asked), "runEnded")
    found, token = [], ""
    while True:
        page, token = query_runs(journal, question(order=order, descending=descending, most=2, after=token))
        found += page
        if not token:
            break
    assert len(found) == len(asked)
    assert {row.run_id for row in found} == asked
    if order == "PipelineName":
        assert [row.pipeline for row in found] == sorted("abcab", reverse=descending)


@pytest.mark.parametrize(
    "wrong",
    [
        {"filters": [Filter(operand="Colour", operator="Equals", values=["x"])]},
        {"filters": [Filter(operand="Status", operator="Like", values=["x"])]},
        {"order": "Colour"},
        {"after": "x"},
        {"after": "[1, 2]"},
        {"after": "3"},
    ],
)
def test_a_question_that_is_none_is_refused(journal: Journal, wrong: dict[str, Any]) -> None:
    with pytest.raises(WrongDefinition):
        query_runs(journal, question(**wrong))


def test_other_factories_and_other_times_stay_out(journal: Journal) -> None:
    ask(journal)
    journal.write_command("p", {}, "{}")
    assert len(query_runs(journal, question())[0]) == 1
    assert query_runs(journal, question(updated_before=clock.now() - timedelta(minutes=1))) == ([], "")


def test_asking_twice_for_an_id_is_asking_once(journal: Journal) -> None:
    digest = journal.keep_snapshot("{}")
    for _ in range(2):
        journal.write_kept_command("p", {}, digest, {"factory": FACTORY}, run_id="one")
    assert [row.run_id for row in query_runs(journal, question())[0]] == ["one"]
