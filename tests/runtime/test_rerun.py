from pathlib import Path
from typing import Any

import pytest
from tests.factories import DONE, Json, act, factory_of, pipeline, statuses, write

from manara.app import Factory
from manara.errors import NotFound
from manara.resources.model import Activity
from manara.runtime.rerun import needed_for


@pytest.fixture(autouse=True)
def _nothing_done() -> None:
    DONE.clear()


def mended(factory: Factory, name: str, properties: Json) -> Factory:
    """The factory after somebody has mended a pipeline."""
    write(factory.root, "pipeline", name, properties)
    return Factory.open(factory.root)


def loop(until: object) -> Json:
    inner = [act("Check"), act("Try", "TestFail", after=["Check"], until=until)]
    each = act("Each", "ForEach", items="@createArray(1, 9, 1)", isSequential=True, activities=inner)
    return pipeline(act("First"), {**each, "dependsOn": [{"activity": "First"}]}, act("Last", after=["Each"]))


def test_from_the_beginning_everything_runs_again(tmp_path: Path) -> None:
    factory = factory_of(
        tmp_path, main=pipeline(act("A", got="@pipeline().parameters.n"), parameters={"n": {"type": "int"}})
    )
    first = factory.run("main", {"n": 1})
    again = factory.rerun(first.run_id)
    assert (DONE, again.run_id == first.run_id, again.parameters) == (["A", "A"], False, {"n": 1})


def test_from_the_failure_what_succeeded_is_taken_over_with_its_output(tmp_path: Path) -> None:
    def main(until: int) -> Json:
        return pipeline(act("A", got="@utcNow()"), act("B", "TestFail", after=["A"], until=until),
                        act("C", after=["B"], got="@activity('A').output.got"))  # fmt: skip

    factory = factory_of(tmp_path, main=main(9))
    first = factory.run("main")
    DONE.clear()
    again = mended(factory, "main", main(1)).rerun(first.run_id, start="failure")
    assert (again.status, DONE) == ("Succeeded", ["B", "C"])
    assert again.activities["C"].output == first.activities["A"].output


def test_only_the_failed_rounds_of_a_loop_run_again_and_whole(tmp_path: Path) -> None:
    factory = factory_of(tmp_path, main=loop("@item()"))
    first = factory.run("main")
    assert statuses(first)["Each[1]/Try"] == "Failed"
    DONE.clear()
    again = mended(factory, "main", loop(1)).rerun(first.run_id, start="failure")
    assert (again.status, DONE) == ("Succeeded", ["Each[1]/Check", "Each[1]/Try", "Last"])


def test_from_an_activity_it_and_what_follows_run_again(tmp_path: Path) -> None:
    main = pipeline(act("A"), act("B", after=["A"]), act("C", after=["B"]), act("D", after=["A"]))
    factory = factory_of(tmp_path, main=main)
    first = factory.run("main")
    DONE.clear()
    assert factory.rerun(first.run_id, start="activity", activity="B").status == "Succeeded"
    assert DONE == ["B", "C"]


def test_variables_that_were_set_before_are_taken_over(tmp_path: Path) -> None:
    def main(until: int) -> Json:
        return pipeline(act("Set", "SetVariable", variableName="v", value="kept"),
                        act("Try", "TestFail", after=["Set"], until=until),
                        act("Show", after=["Try"], got="@variables('v')"),
                        variables={"v": {"type": "String"}})  # fmt: skip

    factory = factory_of(tmp_path, main=main(9))
    first = factory.run("main")
    again = mended(factory, "main", main(1)).rerun(first.run_id, start="failure")
    assert again.activities["Show"].output == {"got": "kept"}


@pytest.mark.parametrize("words", [{"run_id": "nothing"}, {"start": "activity", "activity": "Z"}])
def test_what_is_not_there_is_told(tmp_path: Path, words: dict[str, Any]) -> None:
    factory = factory_of(tmp_path, main=pipeline(act("A")))
    first = factory.run("main")
    with pytest.raises(NotFound):
        factory.rerun(**{"run_id": first.run_id, **words})


def test_until_runs_an_activity_and_what_it_waits_for(tmp_path: Path) -> None:
    main = pipeline(act("A"), act("B", after=["A"]), act("C", after=["B"]), act("D"))
    run = factory_of(tmp_path, main=main).run("main", until="B")
    assert (run.status, DONE) == ("Succeeded", ["A", "B"])


def test_what_is_needed_keeps_the_order_of_the_definition() -> None:
    activities = [Activity.model_validate(each) for each in (act("C", after=["A", "B"]), act("A"), act("B"), act("X"))]
    assert [activity.name for activity in needed_for(activities, "C")] == ["C", "A", "B"]
