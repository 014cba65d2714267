from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.factories import act, factory_of, pipeline

from manara.errors import NotFound, WrongDefinition
from manara.store.journal import Command, Event, Journal
from manara.store.record import Story, find_run, list_runs, read_run

ITEMS = {"value": "@createArray(1, 2)", "type": "Expression"}
CALL = act("Call", "ExecutePipeline", pipeline={"referenceName": "inner", "type": "PipelineReference"})


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "journal.sqlite")
    yield opened
    opened.close()


def asked(journal: Journal, name: str, *events: tuple[str, str, dict[str, Any]]) -> Command:
    """Ask for a run and let happen what `events` say."""
    command = journal.write_command(name, {}, "{}")
    lease = journal.claim(command.run_id, 60)
    begun: tuple[str, str, dict[str, Any]] = (
        "runStarted",
        "",
        {"pipeline": name, "names": {}, "parameters": {}, "caller": None},
    )
    happened = [begun, *events] if events else []
    journal.append([Event(run_id=command.run_id, kind=k, step=s, body=b) for k, s, b in happened], lease)
    journal.release(lease)
    return command


def ended(status: str) -> tuple[str, str, dict[str, Any]]:
    return "runEnded", "", {"status": status, "output": {}, "error": {"message": "no luck"}}


def test_runs_are_listed_the_newest_first(journal: Journal) -> None:
    for name, events in {"a": [ended("Failed")], "b": [ended("Succeeded")], "c": []}.items():
        asked(journal, name, *events)
    found = list_runs(journal, lambda _: True, most=10)
    assert [(run.pipeline, run.status, run.message) for run in found] == [
        ("c", "Queued", ""),
        ("b", "Succeeded", "no luck"),
        ("a", "Failed", "no luck"),
    ]
    assert [run.pipeline for run in list_runs(journal, lambda run: run.status == "Failed", most=1)] == ["a"]


def test_more_runs_than_a_page_are_looked_through(journal: Journal) -> None:
    first = asked(journal, "wanted")
    for _ in range(201):
        journal.write_command("other", {}, "{}")
    (found,) = list_runs(journal, lambda run: run.pipeline == "wanted", most=5)
    assert found.run_id == first.run_id


def test_a_run_is_found_by_the_start_of_its_id_and_as_the_last(journal: Journal) -> None:
    runs = [asked(journal, name) for name in "ab"]
    for run in runs:
        assert find_run(journal, run.run_id[:12].upper()) == run.run_id
    assert find_run(journal, "last") == runs[1].run_id


@pytest.mark.parametrize("text", ["nothing", "%", "", "last"])
def test_a_run_that_is_not_there_is_told(journal: Journal, text: str) -> None:
    with pytest.raises(NotFound, match="no run"):
        find_run(journal, text)


def test_an_id_that_several_runs_start_with_is_told(journal: Journal) -> None:
    runs = [asked(journal, "p").run_id for _ in range(17)]  # of sixteen digits one comes twice
    shared = next(run[0] for run in runs if sum(other[0] == run[0] for other in runs) > 1)
    with pytest.raises(WrongDefinition, match=f"Several runs start with '{shared}'"):
        find_run(journal, shared)


def test_a_run_that_nobody_has_begun_is_queued(journal: Journal) -> None:
    run = read_run(journal, asked(journal, "p").run_id)
    assert (run.status, run.started, run.as_json()["activityRuns"]) == ("Queued", None, [])


def test_a_call_whose_run_has_not_begun_can_be_read(journal: Journal) -> None:
    call = ("decided", "Call", {"name": "call", "value": {"runId": "none", "parameters": {}}})
    run = read_run(journal, asked(journal, "p", call).run_id)
    assert (run.activities["Call"].child, run.is_attended) == (None, False)


def test_the_story_of_a_run_holds_the_runs_that_it_called_in_order(tmp_path: Path) -> None:
    each = act("Each", "ForEach", items=ITEMS, isSequential=True, activities=[CALL])
    opened = factory_of(tmp_path, outer=pipeline(each), inner=pipeline(act("Note")))
    run = opened.run("outer")
    journal = Journal(tmp_path / "data" / "journal.sqlite")
    story = Story(journal, run.run_id)
    told = list(story.news())
    assert [event.kind for event in told].count("runEnded") == 3
    assert [event.at for event in told] == sorted(event.at for event in told)
    assert (story.has_ended, list(story.news())) == (True, [])
    paths = [path for path, _ in read_run(journal, run.run_id).walk()]
    assert paths == ["Each", "Each[0]/Call", "Each[0]/Call/Note", "Each[1]/Call", "Each[1]/Call/Note"]
    journal.close()


def test_a_story_goes_on_where_it_stopped(journal: Journal) -> None:
    command = asked(journal, "p", ("started", "A", {"type": "Wait", "attempt": 1, "input": {}}))
    story = Story(journal, command.run_id)
    assert [event.kind for event in story.news()] == ["runStarted", "started"]
    assert list(story.news()) == []
    lease = journal.claim(command.run_id, 60)
    journal.append(
        [Event(run_id=command.run_id, kind=kind, step=step, body=body) for kind, step, body in [ended("Failed")]], lease
    )
    assert [event.kind for event in story.news()] == ["runEnded"]
    assert story.has_ended
