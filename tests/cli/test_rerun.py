"""Running again, stopping and planning, as a user meets them."""

import json
from pathlib import Path

import pytest
from tests.cli.test_main import change, manara
from tests.factories import act, pipeline, write

MAIN = pipeline(
    act("First", "SetVariable", variableName="v", value="a"),
    act("Second", "Fail", after=["First"], message="not yet", errorCode="7"),
    act("Third", "SetVariable", after=["Second"], variableName="v", value="b"),
    variables={"v": {"type": "String"}},
)


@pytest.fixture
def factory(tmp_path: Path) -> Path:
    write(tmp_path, "pipeline", "main", MAIN)
    return tmp_path


def test_a_failed_run_is_run_again_from_the_failure(factory: Path) -> None:
    assert manara("run", "main", at=factory).returncode == 1
    change(factory / "pipeline" / "main.json", '"Fail"', '"Wait"')
    change(factory / "pipeline" / "main.json", '"message": "not yet"', '"waitTimeInSeconds": 0')
    again = json.loads(manara("rerun", "last", "--from-failure", "--json", at=factory).stdout)
    assert again["status"] == "Succeeded"
    assert [each["activityName"] for each in again["activityRuns"]] == ["First", "Second", "Third"]


def test_a_plan_shows_what_would_run_and_runs_nothing(factory: Path) -> None:
    told = manara("run", "main", "--plan", at=factory)
    assert (told.returncode, told.stdout.split()[:3]) == (0, ["main", "would", "run"])
    assert "after 'First'" in told.stdout
    assert not (factory / "data").exists()


def test_until_stops_after_an_activity(factory: Path) -> None:
    run = json.loads(manara("run", "main", "--until", "First", "--json", at=factory).stdout)
    assert (run["status"], [each["activityName"] for each in run["activityRuns"]]) == ("Succeeded", ["First"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["rerun", "last", "--from", "Nothing"], "There is no activity 'Nothing' at the top of the pipeline."),
        (["rerun", "last", "--from", "First", "--from-failure"], "exclude each other"),
        (["run", "main", "--until", "Nothing"], "There is no activity 'Nothing' at the top of the pipeline."),
        (["cancel", "last"], "has ended"),
    ],
)
def test_wrong_use_is_told(factory: Path, words: list[str], says: str) -> None:
    manara("run", "main", at=factory)
    told = manara(*words, at=factory)
    assert (told.returncode, says in told.stderr) == (2, True), told.stderr


def test_a_queued_run_is_done_by_a_worker(factory: Path) -> None:
    asked = json.loads(manara("run", "main", "--queue", "--json", at=factory).stdout)
    assert "Ended. 1 run was done." in manara("worker", "--drain", at=factory).stdout
    shown = json.loads(manara("show", asked["runId"], "--json", at=factory).stdout)
    assert (shown["runId"], shown["status"]) == (asked["runId"], "Failed")
