"""What is seen of runs afterwards: the list, the tree with its bars, one activity, and the lines of the log."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.factories import act, factory_of, pipeline

from manara.app import Factory
from manara.cli.listing import show_runs
from manara.cli.logs import show_logs
from manara.cli.show import find_activity, show_run
from manara.errors import NotFound, WrongDefinition
from manara.store.journal import Event, Journal
from manara.store.record import read_run

CALL = act(
    "Call",
    "ExecutePipeline",
    pipeline={"referenceName": "inner", "type": "PipelineReference"},
    parameters={"n": "@item()"},
)
STOP = act("Stop", "Fail", message="The file is missing.\nAsk for it.", errorCode="404")
REFUSE = act("Refuse", "IfCondition", expression="@equals(pipeline().parameters.n, 1)", ifTrueActivities=[STOP])
TRIES = act("Try", "TestFail", policy={"retry": 1, "retryIntervalInSeconds": 0}, until=2)
Out = pytest.CaptureFixture[str]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    each = act("Each", "ForEach", items="@createArray(0, 1)", isSequential=True, activities=[CALL])
    outer = pipeline(TRIES, each, act("Never", after=["Each"]), parameters={"day": {"type": "String"}})
    opened = factory_of(tmp_path, outer=outer, inner=pipeline(REFUSE, parameters={"n": {"type": "Int"}}))
    opened.run("outer", {"day": "Monday"})
    return tmp_path


def journal_of(root: Path) -> Journal:
    return Journal(root / "data" / "journal.sqlite")


def newest(root: Path) -> str:
    journal = journal_of(root)
    (found,) = journal.rows("newest_run")
    journal.close()
    return str(found[0])


def lines(out: Out) -> list[str]:
    return [line.rstrip() for line in out.readouterr().out.splitlines()]


def test_runs_are_listed_with_how_they_ended(root: Path, capsys: Out) -> None:
    Factory.open(root).run("inner", {"n": 0})
    show_runs(root, pipeline=None, status=None, most=10, as_json=False)
    told = [line.split() for line in lines(capsys)]
    assert told[0][:3] == ["run", "pipeline", "status"]
    assert [row[1:4] for row in told[1:]] == [["inner", "✓", "Succeeded"], ["outer", "✗", "Failed"]]
    assert told[2][8:11] == ["Operation", "on", "target"]


@pytest.mark.parametrize(
    ("pipeline_name", "status", "most", "count"),
    [(None, None, 9, 2), ("OUTER", None, 9, 1), (None, "succeeded", 9, 1), (None, None, 1, 1), ("none", None, 9, 0)],
)
def test_the_list_is_narrowed(
    root: Path, capsys: Out, pipeline_name: str | None, status: str | None, most: int, count: int
) -> None:
    Factory.open(root).run("inner", {"n": 0})
    show_runs(root, pipeline=pipeline_name, status=status, most=most, as_json=True)
    assert len(json.loads(capsys.readouterr().out)["value"]) == count


def test_an_unknown_status_is_told_with_near_ones(root: Path) -> None:
    with pytest.raises(WrongDefinition, match="Did you mean 'Failed'"):
        show_runs(root, pipeline=None, status="fail", most=9, as_json=False)


def test_a_factory_without_a_journal_is_told_so_and_gets_none(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="Nothing has run"):
        show_runs(tmp_path, pipeline=None, status=None, most=9, as_json=False)
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_shown_as_a_tree_with_bars_and_what_failed(root: Path, capsys: Out) -> None:
    show_run(root, "last", activity=None, whole=True, as_json=False)
    told = lines(capsys)
    assert told[0].startswith("✗ Failed  outer  ")
    assert 'day = "Monday"' in told[2]
    tree = [" ".join(line.split()[:2]) for line in told if line.lstrip().startswith(("✓", "✗", "○"))][1:]
    good, bad = ["✓ [0]", "✓ Call", "✓ Refuse"], ["✗ [1]", "✗ Call", "✗ Refuse", "✗ Stop"]
    assert tree == ["✗ outer", "✓ Try", "✗ Each", *good, *bad, "○ Never"]
    assert "2 tries" in next(line for line in told if "Try" in line)
    assert all(any(block in line for block in "█▌▐━╺╸") for line in told if "Call" in line and "Each[" not in line)
    assert told[-3:] == ["  Each[1]/Call/Refuse/Stop", "    The file is missing.", "    Ask for it."]


def test_a_run_is_shown_as_json_with_the_runs_that_it_called(root: Path, capsys: Out) -> None:
    show_run(root, newest(root)[:8], activity=None, whole=False, as_json=True)
    told = json.loads(capsys.readouterr().out)
    call = next(each for each in told["activityRuns"] if each["activityName"] == "Each[1]/Call")
    assert call["pipelineRun"]["activityRuns"][-1]["error"]["errorCode"] == "404"


def test_one_activity_is_shown_with_its_error(root: Path, capsys: Out) -> None:
    show_run(root, "last", activity="stop", whole=False, as_json=False)
    told = capsys.readouterr().out
    assert "✗ Failed  Each[1]/Call/Refuse/Stop  Fail" in told
    assert '"errorCode": "404"' in told


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("call", WrongDefinition, "2 activities of the run end with 'call':\n  Each\\[0\\]/Call"),
        ("Stopp", NotFound, "'Stop'"),
    ],
)
def test_an_activity_that_is_not_named_exactly_is_told(
    root: Path, text: str, error: type[Exception], says: str
) -> None:
    journal = journal_of(root)
    run = read_run(journal, newest(root))
    journal.close()
    with pytest.raises(error, match=says):
        find_activity(run, text)


def test_the_log_tells_every_event_in_order(root: Path, capsys: Out) -> None:
    show_logs(root, "last", follow=False, as_json=False)
    told = [line[25:] for line in lines(capsys)]
    assert told[0].startswith("run of outer starts (")
    assert told[-1].startswith("run Failed: ")
    assert told.index("Each[0]/Call/Refuse  holds = false") < told.index("Each[1]/Call/Refuse  holds = true")
    assert any(line.startswith("Try  Failed") and "will be tried again" in line for line in told)
    assert any(line.endswith("The file is missing. Ask for it.") and "Stop" in line for line in told)


def test_the_log_as_json_is_one_object_a_line(root: Path, capsys: Out) -> None:
    show_logs(root, "last", follow=False, as_json=True)
    told = [json.loads(line) for line in lines(capsys)]
    assert (told[0]["kind"], told[-1]["kind"], told[-1]["status"]) == ("runStarted", "runEnded", "Failed")


def test_a_run_that_nobody_works_on_is_followed_until_it_ends(tmp_path: Path, capsys: Out) -> None:
    journal = journal_of(tmp_path)
    command = journal.write_command("p", {}, "{}")
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        begun = Event(
            run_id=command.run_id, kind="runStarted", body={"pipeline": "p", "parameters": {}, "caller": None}
        )
        ended = Event(run_id=command.run_id, kind="runEnded", body={"status": "Succeeded"})
        lease = journal.claim(command.run_id, 60)
        journal.append([begun] if len(waited) == 1 else [ended], lease)
        journal.release(lease)

    show_logs(tmp_path, "last", follow=True, as_json=False, wait=wait)
    told = capsys.readouterr()
    assert [line[25:36] for line in told.out.splitlines()] == ["run of p st", "run Succeed"]
    assert (len(waited), told.err.count("Nobody works on the run now")) == (2, 1)
    journal.close()


@pytest.mark.parametrize("show", [show_runs, None])
def test_a_run_that_was_killed_says_how_to_go_on(tmp_path: Path, capsys: Out, show: Callable[..., None] | None) -> None:
    journal = journal_of(tmp_path)
    command = journal.write_command("p", {}, "{}")
    begun: dict[str, Any] = {"pipeline": "p", "parameters": {}, "caller": None}
    lease = journal.claim(command.run_id, 60)
    journal.append([Event(run_id=command.run_id, kind="runStarted", body=begun)], lease)
    journal.release(lease)
    journal.close()
    if show:
        show(tmp_path, pipeline=None, status=None, most=5, as_json=False)
    else:
        show_run(tmp_path, "last", activity=None, whole=False, as_json=False)
    assert f"Nobody works on it: manara resume {command.run_id[:8]}" in capsys.readouterr().out


def test_many_rounds_are_counted_and_the_first_bad_ones_shown(tmp_path: Path, capsys: Out) -> None:
    stop = act("If", "IfCondition", expression="@greater(item(), 30)", ifTrueActivities=[STOP])
    each = act("Each", "ForEach", items="@range(0, 60)", activities=[stop])
    factory_of(tmp_path, many=pipeline(each)).run("many")
    show_run(tmp_path, "last", activity=None, whole=False, as_json=False)
    told = capsys.readouterr().out
    assert ("✓ 31 rounds succeeded" in told, "✗ 17 more rounds: Failed" in told) == (True, True)
    assert told.count("✗ Stop") == 12
    assert "... and 9 more" in told
