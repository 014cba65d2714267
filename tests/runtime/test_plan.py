from pathlib import Path
from typing import Any

import pytest
from tests.factories import DONE, Json, act, factory_of, pipeline

from manara.errors import WrongDefinition
from manara.runtime.plan import Planned, plan

N = {"parameters": {"n": {"type": "int"}}}


def planned(root: Path, main: Json, parameters: dict[str, Any] | None = None, **others: Json) -> list[Planned]:
    return plan(factory_of(root, main=main, **others).definitions, "main", parameters or {})


def test_what_can_be_known_is_filled_in_and_the_rest_stays_open(tmp_path: Path) -> None:
    second = act("B", after=["A"], twice="@mul(pipeline().parameters.n, 2)", later="@activity('A').output.x")
    _, b = planned(tmp_path, pipeline(act("A"), second, **N), {"n": 3})
    assert (b.when, b.properties["twice"], b.open) == ("after 'A'", 6, ["@activity('A').output.x"])


def test_a_plan_runs_nothing(tmp_path: Path) -> None:
    DONE.clear()
    planned(tmp_path, pipeline(act("A")))
    assert (DONE, (tmp_path / "data").exists()) == ([], False)


@pytest.mark.parametrize(
    ("expression", "names"),
    [("@equals(1, 1)", ["Yes"]), ("@equals(1, 2)", ["No"]), ("@activity('A').output.x", ["Yes", "No"])],
)
def test_only_the_branch_that_is_known_is_shown(tmp_path: Path, expression: str, names: list[str]) -> None:
    branch = act("If", "IfCondition", after=["A"], expression=expression, ifTrueActivities=[act("Yes")],
                 ifFalseActivities=[act("No")])  # fmt: skip
    assert [each.name for each in planned(tmp_path, pipeline(act("A"), branch))[1].inside] == names


def test_a_loop_says_over_how_many_items(tmp_path: Path) -> None:
    loop = act("Each", "ForEach", items="@createArray('a', 'b')", activities=[act("In", got="@item()")])
    (inner,) = planned(tmp_path, pipeline(loop))[0].inside
    assert (inner.when, inner.properties) == ("for each of 2 items", {"got": "a"})


def test_a_called_pipeline_is_planned_with_its_parameters(tmp_path: Path) -> None:
    call = act("Call", "ExecutePipeline", parameters={"n": 4},
               pipeline={"referenceName": "child", "type": "PipelineReference"})  # fmt: skip
    child = pipeline(act("In", got="@pipeline().parameters.n"), **N)
    assert planned(tmp_path, pipeline(call), child=child)[0].inside[0].properties == {"got": 4}


def test_a_variable_that_is_set_somewhere_is_not_taken_for_known(tmp_path: Path) -> None:
    main = pipeline(
        act("Set", "SetVariable", variableName="V", value="x"),
        act("Show", set="@variables('v')", constant="@variables('c')"),
        variables={"v": {"type": "String"}, "c": {"type": "String", "defaultValue": "kept"}},
    )
    _, show = planned(tmp_path, main)
    assert (show.open, show.properties["constant"]) == (["@variables('v')"], "kept")


def test_what_is_bound_to_go_wrong_is_told(tmp_path: Path) -> None:
    (a,) = planned(tmp_path, pipeline(act("A", got="@div(1, 0)")))
    assert "The divisor is 0." in a.problem


def test_a_wrong_parameter_is_refused_as_by_a_run(tmp_path: Path) -> None:
    with pytest.raises(WrongDefinition, match="needs the parameter 'n'"):
        planned(tmp_path, pipeline(act("A"), **N))
