import re
from pathlib import Path
from typing import Any

import pytest
from tests.factories import DONE, Json, act, factory_of, pipeline, statuses

from manara.errors import Faults, WrongDefinition

INT = {"parameters": {"n": {"type": "int"}}}
STRINGS = {"variables": {"v": {"type": "String", "defaultValue": "old"}}}


@pytest.fixture(autouse=True)
def _nothing_done() -> None:
    DONE.clear()


def run(root: Path, main: Json, parameters: dict[str, Any] | None = None, **others: Json) -> Any:
    return factory_of(root, main=main, **others).run("main", parameters)


def test_activities_run_in_the_order_of_their_dependencies(tmp_path: Path) -> None:
    result = run(tmp_path, pipeline(act("C", after=["B"]), act("B", after=["A"]), act("A")))
    assert (result.status, DONE) == ("Succeeded", ["A", "B", "C"])


def test_an_expression_sees_parameters_and_outputs(tmp_path: Path) -> None:
    second = act("B", after=["A"], got="@add(activity('A').output.n, 1)")
    result = run(tmp_path, pipeline(act("A", n="@pipeline().parameters.n"), second, **INT), {"n": "41"})
    assert result.activities["B"].output == {"got": 42}


def test_a_failed_activity_skips_what_follows_and_names_itself(tmp_path: Path) -> None:
    result = run(tmp_path, pipeline(act("A", "TestFail"), act("B", after=["A"]), act("C", after=["B"])))
    assert statuses(result) == {"A": "Failed", "B": "Skipped", "C": "Skipped"}
    assert result.message.startswith("Operation on target A failed: ValueError: no luck")


def test_a_retry_tries_again_and_keeps_the_output(tmp_path: Path) -> None:
    policy = {"retry": "3", "retryIntervalInSeconds": 0}
    result = run(tmp_path, pipeline(act("A", "TestFail", until=3, policy=policy)))
    assert (result.status, result.activities["A"].output) == ("Succeeded", {"attempt": 3})


def test_rule_68_an_inactive_activity_does_not_run_and_counts_as_it_is_marked(tmp_path: Path) -> None:
    off = {"state": "Inactive", "onInactiveMarkAs": "Failed"}
    result = run(tmp_path, pipeline(act("A", "NoSuchTypeAtAll", **off), act("B", after={"A": ["Failed"]})))
    assert (result.status, DONE) == ("Succeeded", ["B"])


def test_a_condition_runs_one_branch_only(tmp_path: Path) -> None:
    holds = {"value": "@greater(1, 0)", "type": "Expression"}
    condition = act("If", "IfCondition", expression=holds, ifTrueActivities=[act("Yes")], ifFalseActivities=[act("No")])
    assert run(tmp_path, pipeline(condition)).status == "Succeeded"
    assert DONE == ["If/Yes"]


def test_rule_71_a_sequential_loop_keeps_the_order(tmp_path: Path) -> None:
    inner = act("Show", got="@item()")
    loop = act("Each", "ForEach", items="@createArray(3, 1, 2)", isSequential="true", activities=[inner])
    result = run(tmp_path, pipeline(loop))
    assert [result.activities[f"Each[{i}]/Show"].output["got"] for i in range(3)] == [3, 1, 2]
    assert DONE == ["Each[0]/Show", "Each[1]/Show", "Each[2]/Show"]


def test_rule_72_all_rounds_run_even_when_one_fails(tmp_path: Path) -> None:
    inner = act("Try", "TestFail", until="@if(equals(item(), 2), 9, 1)")
    loop = act("Each", "ForEach", items="@range(0, 5)", activities=[inner])
    result = run(tmp_path, pipeline(loop))
    assert (result.status, len(DONE)) == ("Failed", 5)
    assert "inner activity failed; Inner activity name: Try, Error: ValueError: no luck" in result.message


def test_rule_73_item_reaches_into_a_branch_inside_a_loop(tmp_path: Path) -> None:
    branch = act("If", "IfCondition", expression="@equals(item(), 1)", ifTrueActivities=[act("Show", got="@item()")])
    result = run(tmp_path, pipeline(act("Each", "ForEach", items="@range(0, 3)", activities=[branch])))
    assert DONE == ["Each[1]/If/Show"]
    assert result.activities["Each[1]/If/Show"].output == {"got": 1}


def test_variables_belong_to_the_run(tmp_path: Path) -> None:
    before = act("Before", got="@variables('v')")
    change = act("Set", "SetVariable", after=["Before"], variableName="V", value="new")
    result = run(tmp_path, pipeline(before, change, act("After", after=["Set"], got="@variables('v')"), **STRINGS))
    assert [result.activities[name].output["got"] for name in ("Before", "After")] == ["old", "new"]


def test_a_called_pipeline_gets_parameters_and_returns_its_value(tmp_path: Path) -> None:
    pairs = [{"key": "twice", "value": "@mul(pipeline().parameters.n, 2)"}]
    child = pipeline(
        act("Give", "SetVariable", variableName="pipelineReturnValue", setSystemVariable=True, value=pairs), **INT
    )
    call = act("Call", "ExecutePipeline", pipeline={"referenceName": "child", "type": "PipelineReference"},
               parameters={"n": 21}, waitOnCompletion=True)  # fmt: skip
    result = run(tmp_path, pipeline(call), child=child)
    assert result.activities["Call"].output["pipelineReturnValue"] == {"twice": 42}
    assert result.activities["Call"].child.pipeline == "child"


def test_rule_85_a_call_that_does_not_wait_succeeds_at_once_and_the_child_still_runs(tmp_path: Path) -> None:
    call = act("Call", "ExecutePipeline", pipeline={"referenceName": "child", "type": "PipelineReference"},
               waitOnCompletion=False)  # fmt: skip
    result = run(tmp_path, pipeline(call), child=pipeline(act("Deep", "TestFail")))
    assert (result.status, DONE) == ("Succeeded", ["Deep"])
    assert result.activities["Call"].child.status == "Failed"


@pytest.mark.parametrize(
    ("message", "code", "told", "given"),
    [
        ("@concat('too', ' few')", "42", "too few", "42"),
        ("stop", "", "stop", "ErrorCodeNotString"),
        (" ", "42", "Failed to interpret the fail message or error code.", "ErrorCodeNotString"),
    ],
)
def test_rule_87_fail_ends_with_its_message_and_code(
    tmp_path: Path, message: str, code: str, told: str, given: str
) -> None:
    result = run(tmp_path, pipeline(act("Stop", "Fail", message=message, errorCode=code)))
    error = result.activities["Stop"].error
    assert (result.status, error["message"], error["errorCode"]) == ("Failed", told, given)


def test_rule_84_secure_output_is_hidden_from_the_journal_and_not_from_expressions(tmp_path: Path) -> None:
    policy = {"secureOutput": True, "secureInput": "true"}
    hidden = act("Key", word="@pipeline().parameters.key", policy=policy)
    use = act("Use", after=["Key"], got="@length(activity('Key').output.word)")
    parameters = {"key": {"type": "SecureString"}}
    result = run(tmp_path, pipeline(hidden, use, parameters=parameters), {"key": "s3cret"})
    assert result.activities["Use"].output == {"got": 6}
    assert (result.activities["Key"].input, result.activities["Key"].output) == ({}, {})
    assert b"s3cret" not in b"".join(path.read_bytes() for path in (tmp_path / "data").iterdir())


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "needs the parameter 'n' (int)"),
        ({"n": "many"}, "'n' is 'many', which is no int"),
        ({"n": 1, "m": 2}, "has no parameter 'm'. Known are: n."),
    ],
)
def test_a_wrong_parameter_starts_nothing(tmp_path: Path, given: dict[str, Any], says: str) -> None:
    with pytest.raises(WrongDefinition, match=re.escape(says)):
        run(tmp_path, pipeline(act("A"), **INT), given)
    assert not (tmp_path / "data").exists()


def test_a_fault_in_a_called_pipeline_stops_the_run_before_it_starts(tmp_path: Path) -> None:
    call = act("Call", "ExecutePipeline", pipeline={"referenceName": "child", "type": "PipelineReference"})
    with pytest.raises(Faults, match="The activity type 'Coppy' does not run here"):
        run(tmp_path, pipeline(call), child=pipeline(act("A", "Coppy")))
    assert not (tmp_path / "data").exists()


def test_rule_83_an_activity_that_takes_longer_than_its_timeout_fails(tmp_path: Path) -> None:
    result = run(tmp_path, pipeline(act("A", "TestReport", policy={"timeout": "0.00:00:00"})))
    assert (result.status, result.activities["A"].error["errorCode"]) == ("Failed", "Timeout")


def test_runs_of_a_pipeline_with_concurrency_take_turns(tmp_path: Path) -> None:
    call = act("Call", "ExecutePipeline", pipeline={"referenceName": "child", "type": "PipelineReference"})
    loop = act("Each", "ForEach", items="@range(0, 4)", activities=[call])
    child = pipeline(act("In", "TestAlone"), concurrency="1")
    assert run(tmp_path, pipeline(loop), child=child).status == "Succeeded"
