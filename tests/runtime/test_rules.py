"""ADF's rules for pipelines, each as a small pipeline in a test that is named by the rule's number."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.factories import DONE, Json, act, factory_of, pipeline, statuses, write
from tests.web_server import Reply, serving

from manara.errors import Faults, SourceMissing
from manara.plugin.dataset import dataset

PAIRS = {"variables": {"v": {"type": "String"}, "w": {"type": "String"}}}
EVERY = {"variables": {name: {"type": name} for name in ("String", "Boolean", "Array", "Integer")}}


@pytest.fixture(autouse=True)
def _nothing_done() -> None:
    DONE.clear()


def run(root: Path, *activities: Json, parameters: dict[str, Any] | None = None, **properties: Any) -> Any:
    return factory_of(root, main=pipeline(*activities, **properties)).run("main", parameters)


def refused(root: Path, *activities: Json, **properties: Any) -> str:
    """Return what is said of a pipeline that cannot run: by the check before it starts, or by the run that failed."""
    try:
        result = run(root, *activities, **properties)
    except Faults as faults:
        return str(faults)
    assert result.status == "Failed"
    return str(result.message)


def error_of(result: Any, name: str) -> Any:
    return result.activities[name].error


def counted(name: str, expression: str, *inside: Json, **more: Any) -> Json:
    """Return an Until whose condition looks at how much stands in the variable `log`."""
    return act(name, "Until", expression={"value": expression, "type": "Expression"}, activities=list(inside), **more)


def log(name: str = "Log", after: Any = ()) -> Json:
    return act(name, "AppendVariable", after, variableName="log", value="x")


LOG = {"variables": {"log": {"type": "Array"}}}


@pytest.mark.parametrize(
    ("condition", "ends", "runs"),
    [
        ("Succeeded", 1, True),
        ("Succeeded", 99, False),
        ("Failed", 1, False),
        ("Failed", 99, True),
        ("Completed", 1, True),
        ("Completed", 99, True),
        ("Skipped", 1, False),
        ("Skipped", 99, False),
    ],
)
def test_rule_56_each_condition_starts_on_its_own_status(tmp_path: Path, condition: str, ends: int, runs: bool) -> None:
    result = run(tmp_path, act("A", "TestFail", until=ends), act("B", after={"A": [condition]}))
    assert statuses(result)["B"] == ("Succeeded" if runs else "Skipped")


def test_rule_57_conditions_are_or_and_dependencies_are_and(tmp_path: Path) -> None:
    either, both = {"A": ["Failed", "Skipped"]}, {"A": ["Failed"], "B": ["Succeeded"]}
    result = run(tmp_path, act("A", "TestFail"), act("B"), act("Or", after=either), act("And", after=both),
                 act("No", after={"A": ["Failed"], "B": ["Failed"]}))  # fmt: skip
    assert [statuses(result)[name] for name in ("Or", "And", "No")] == ["Succeeded", "Succeeded", "Skipped"]


def test_rule_58_skipped_goes_on_to_what_follows(tmp_path: Path) -> None:
    result = run(tmp_path, act("X", "TestFail"), act("Y", after=["X"]), act("Z", after=["Y"]))
    assert (statuses(result), DONE) == ({"X": "Failed", "Y": "Skipped", "Z": "Skipped"}, ["X"])


def test_rule_59_completed_does_not_start_on_skipped(tmp_path: Path) -> None:
    result = run(tmp_path, act("A", "TestFail"), act("B", after=["A"]), act("C", after={"B": ["Completed"]}))
    assert statuses(result)["C"] == "Skipped"


def test_rule_60_completed_may_stand_beside_succeeded_and_both_run(tmp_path: Path) -> None:
    run(tmp_path, act("A"), act("Good", after=["A"]), act("Any", after={"A": ["Completed"]}))
    assert sorted(DONE) == ["A", "Any", "Good"]


@pytest.mark.parametrize("leaf", ["Succeeded", "Failed"])
def test_rule_61_a_skipped_leaf_stands_for_what_it_waited_for(tmp_path: Path, leaf: str) -> None:
    first = act("A", "TestFail", until=1 if leaf == "Succeeded" else 99)
    other = "Failed" if leaf == "Succeeded" else "Succeeded"
    assert run(tmp_path, first, act("B", after={"A": [other]}), act("C", after=["B"])).status == leaf


def test_rule_62_try_and_catch_succeeds(tmp_path: Path) -> None:
    assert run(tmp_path, act("A", "TestFail"), act("Catch", after={"A": ["Failed"]})).status == "Succeeded"


def test_rule_63_if_and_else_fails_though_the_else_succeeds(tmp_path: Path) -> None:
    result = run(tmp_path, act("A", "TestFail"), act("Then", after=["A"]), act("Else", after={"A": ["Failed"]}))
    assert (result.status, statuses(result)["Else"]) == ("Failed", "Succeeded")


def test_rule_64_if_skip_and_else_succeeds(tmp_path: Path) -> None:
    result = run(tmp_path, act("A", "TestFail"), act("Then", after=["A"]), act("Else", after={"A": ["Failed"]}),
                 act("Dummy", after={"Then": ["Skipped"]}))  # fmt: skip
    assert result.status == "Succeeded"


@pytest.mark.parametrize("failing", ["A", "B", "C"])
def test_rule_65_a_handler_at_the_end_runs_whatever_failed(tmp_path: Path, failing: str) -> None:
    chain = [act(name, "TestFail", after, until=99 if name == failing else 1) for name, after in
             (("A", []), ("B", ["A"]), ("C", ["B"]))]  # fmt: skip
    result = run(tmp_path, *chain, act("Handle", after={"C": ["Failed", "Skipped"]}))
    assert statuses(result)["Handle"] == "Succeeded"


def test_rule_66_the_status_of_an_activity_can_be_asked(tmp_path: Path) -> None:
    either = "@or(equals(activity('A').Status, 'Failed'), equals(activity('B').status, 'Failed'))"
    both = {"A": ["Completed"], "B": ["Completed"]}
    result = run(tmp_path, act("A", "TestFail"), act("B"), act("C", after=both, any=either))
    assert result.activities["C"].output == {"any": True}


def test_rule_67_the_message_tells_the_way_to_what_failed(tmp_path: Path) -> None:
    result = run(tmp_path, act("A", "IfCondition", expression="@true", ifTrueActivities=[act("B", "TestFail")]))
    assert result.message.startswith(
        "Operation on target A failed: Activity failed because an inner activity failed; "
        "Inner activity name: B, Error: ValueError: no luck"
    )
    assert error_of(result, "A")["errorCode"] == "ActionFailed"


def test_rule_69_two_activities_of_one_name_start_nothing(tmp_path: Path) -> None:
    with pytest.raises(Faults, match="Two activities are called 'A'"):
        run(tmp_path, act("A"), act("If", "IfCondition", expression="@true", ifTrueActivities=[act("A")]))


@pytest.mark.parametrize(
    ("items", "says"),
    [
        ("@string(1)", "'items' is the string '1', not an array."),
        ("@json('{}')", "'items' is an object, not an array."),
        ("@union(range(0, 100000), range(100000, 1))", "'items' holds 100001 items; a loop takes 100000."),
    ],
)
def test_rule_70_a_loop_takes_an_array_of_at_most_100_000(tmp_path: Path, items: str, says: str) -> None:
    result = run(tmp_path, act("Each", "ForEach", items=items, activities=[act("In")]))
    assert (result.status, DONE) == ("Failed", [])
    assert says in result.message


@pytest.mark.parametrize("count", ["3", 3, "@int('3')", 0, 999, ""])
def test_rule_71_batch_count_may_be_a_text(tmp_path: Path, count: Any) -> None:
    result = run(tmp_path, act("Each", "ForEach", items="@range(0, 9)", batchCount=count, activities=[act("In")]))
    assert (result.status, len(DONE)) == ("Succeeded", 9)


def test_rule_71_a_batch_count_that_is_no_number_is_told(tmp_path: Path) -> None:
    loop = act("Each", "ForEach", items="@range(0, 9)", batchCount="many", activities=[act("In")])
    assert "'batchCount' is 'many'." in run(tmp_path, loop).message


def test_rule_74_what_is_appended_in_a_parallel_loop_is_all_there(tmp_path: Path) -> None:
    add = act("Add", "AppendVariable", variableName="LOG", value="@item()")
    loop = act("Each", "ForEach", items="@range(0, 40)", batchCount=20, activities=[add])
    result = run(tmp_path, loop, act("Show", after=["Each"], got="@variables('log')"), **LOG)
    assert sorted(result.activities["Show"].output["got"]) == list(range(40))


def test_rule_74_only_an_array_can_be_appended_to(tmp_path: Path) -> None:
    result = run(tmp_path, act("Add", "AppendVariable", variableName="v", value="x"), **PAIRS)
    assert "The variable 'v' is of type String. Declare it as Array" in result.message


def test_rule_76_containers_in_containers_run(tmp_path: Path) -> None:
    deepest = counted("Until", "@true", act("In", got="@item()"))
    inner = act("Inner", "ForEach", items="@item()", activities=[
        act("Which", "Switch", on="@item()", cases=[{"value": "2", "activities": [deepest]}])])  # fmt: skip
    loop = act("Outer", "ForEach", items="@createArray(createArray(1, 2), createArray(2))", activities=[inner])
    result = run(tmp_path, loop)
    assert sorted(DONE) == ["Outer[0]/Inner[1]/Which/Until[0]/In", "Outer[1]/Inner[0]/Which/Until[0]/In"]
    assert result.activities["Outer[0]/Inner[1]/Which/Until[0]/In"].output == {"got": 2}


def test_rule_77_until_is_do_while(tmp_path: Path) -> None:
    result = run(tmp_path, counted("Again", "@true", act("In")))
    assert (result.status, DONE) == ("Succeeded", ["Again[0]/In"])


def test_rule_77_a_failure_inside_does_not_stop_until(tmp_path: Path) -> None:
    tries = act("Try", "IfCondition", after=["Log"], expression="@less(length(variables('log')), 3)",
                ifTrueActivities=[act("Bad", "TestFail")])  # fmt: skip
    result = run(tmp_path, counted("Again", "@equals(length(variables('log')), 3)", log(), tries), **LOG)
    assert [statuses(result)[f"Again[{i}]/Try"] for i in range(3)] == ["Failed", "Failed", "Succeeded"]
    assert result.status == "Succeeded"


def test_rule_77_until_ends_as_its_last_round_did(tmp_path: Path) -> None:
    result = run(tmp_path, counted("Again", "@equals(activity('Bad').status, 'Failed')", act("Bad", "TestFail")))
    assert (result.status, DONE) == ("Failed", ["Again[0]/Bad"])
    assert "Inner activity name: Bad" in result.message


def test_rule_77_the_condition_sees_what_the_round_gave(tmp_path: Path) -> None:
    ask = act("Ask", after=["Log"], ready="@greater(length(variables('log')), 3)")
    result = run(tmp_path, counted("Again", "@activity('Ask').output.ready", log(), ask), **LOG)
    assert (result.status, len(DONE)) == ("Succeeded", 4)


@pytest.mark.parametrize("timeout", ["0.00:00:00", "00:00:00", "@string('0')", 0])
def test_rule_78_until_fails_when_its_time_is_over(tmp_path: Path, timeout: Any) -> None:
    result = run(tmp_path, counted("Again", "@false", act("In"), timeout=timeout))
    assert (result.status, error_of(result, "Again")["errorCode"], DONE) == ("Failed", "Timeout", ["Again[0]/In"])


@pytest.mark.parametrize(("value", "runs"), [("@true", ["If/Yes"]), ("@false", []), ("@equals(1, 1)", ["If/Yes"])])
def test_rule_79_a_missing_branch_succeeds(tmp_path: Path, value: str, runs: list[str]) -> None:
    result = run(tmp_path, act("If", "IfCondition", expression=value, ifTrueActivities=[act("Yes")]))
    assert (result.status, DONE) == ("Succeeded", runs)


@pytest.mark.parametrize("value", ["true", "@string(true)", "@int('1')", "@null"])
def test_rule_79_a_condition_must_be_true_or_false(tmp_path: Path, value: str) -> None:
    result = run(tmp_path, act("If", "IfCondition", expression=value, ifTrueActivities=[act("Yes")]))
    assert (result.status, DONE) == ("Failed", [])
    assert re.search(r"not true or false|stands alone", result.message)


@pytest.mark.parametrize(
    ("value", "runs"),
    [("@concat('', 'b')", "B"), ("2", "Two"), ("@int('2')", "Two"), ("B", "Other"), ("@string(null)", "Other")],
)
@pytest.mark.parametrize("name", ["on", "expression"])
def test_rule_80_switch_runs_one_case(tmp_path: Path, value: Any, runs: str, name: str) -> None:
    cases = [{"value": "b", "activities": [act("B")]}, {"value": "2", "activities": [act("Two")]}, {"value": "none"}]
    choice = act("Switch", "Switch", cases=cases, defaultActivities=[act("Other")], **{name: value})
    assert (run(tmp_path, choice).status, DONE) == ("Succeeded", [f"Switch/{runs}"])


@pytest.mark.parametrize("cases", [None, [], [{"value": "x"}]])
def test_rule_80_switch_without_a_fitting_case_succeeds(tmp_path: Path, cases: Any) -> None:
    assert run(tmp_path, act("Switch", "Switch", on="x", cases=cases)).status == "Succeeded"


@pytest.mark.parametrize("value", ["@null", "@createArray(1)"])
def test_rule_80_switch_needs_a_text(tmp_path: Path, value: str) -> None:
    result = run(tmp_path, act("Switch", "Switch", on=value, defaultActivities=[act("In")]))
    assert (result.status, DONE) == ("Failed", [])


@pytest.mark.parametrize("kind", ["Filter", "filter"])
def test_rule_81_filter_keeps_what_fits(tmp_path: Path, kind: str) -> None:
    filtered = act("Some", kind, items={"value": "@range(1, 4)", "type": "Expression"},
                   condition={"value": "@greater(item(), 2)", "type": "Expression"})  # fmt: skip
    use = act("Use", after=["Some"], got="@activity('Some').output.value")
    result = run(tmp_path, filtered, use)
    assert result.activities["Some"].output == {"ItemsCount": 4, "FilteredItemsCount": 2, "Value": [3, 4]}
    assert result.activities["Use"].output == {"got": [3, 4]}


def test_rule_81_a_filter_in_a_loop_has_its_own_item(tmp_path: Path) -> None:
    inner = act("Some", "Filter", items="@item()", condition="@equals(item(), 'a')")
    result = run(tmp_path, act("Each", "ForEach", items="@createArray(split('a,b', ','))", activities=[inner]))
    assert result.activities["Each[0]/Some"].output["Value"] == ["a"]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"items": "@createArray(1)", "condition": "@item()"}, "The condition gives the integer 1, not true or false."),
        ({"items": "x", "condition": "@true"}, "'items' is the string 'x', not an array."),
        ({"items": "@createArray(1)"}, "has no 'condition'."),
    ],
)
def test_rule_81_a_filter_that_cannot_work_says_why(tmp_path: Path, more: Json, says: str) -> None:
    assert says in refused(tmp_path, act("Some", "Filter", **more))


def test_rule_82_what_runs_in_a_round_is_not_seen_outside(tmp_path: Path) -> None:
    loop = act("Each", "ForEach", items="@range(0, 2)", activities=[act("In", n=1)])
    message = refused(tmp_path, loop, act("Out", after=["Each"], got="@activity('In').output.n"))
    assert re.search("'In' (stands inside 'Each', which shows nothing|is not defined)", message)


def test_rule_85_a_call_without_wait_on_completion_waits(tmp_path: Path) -> None:
    call = act("Call", "ExecutePipeline", pipeline={"referenceName": "child", "type": "PipelineReference"})
    factory = factory_of(tmp_path, main=pipeline(call), child=pipeline(act("Deep", "TestFail")))
    assert factory.run("main").status == "Failed"


def child_with_array(value: Any) -> dict[str, Json]:
    call = act("Call", "ExecutePipeline", pipeline={"referenceName": "child", "type": "PipelineReference"},
               parameters={"list": value})  # fmt: skip
    show = act("Show", "SetVariable", variableName="pipelineReturnValue", setSystemVariable=True,
               value=[{"key": "list", "value": "@pipeline().parameters.list"}])  # fmt: skip
    return {"main": pipeline(call), "child": pipeline(show, parameters={"list": {"type": "string"}})}


def test_rule_86_an_array_reaches_a_string_parameter_of_a_child_as_text(tmp_path: Path) -> None:
    result = factory_of(tmp_path, **child_with_array("@createArray(1, 'a')")).run("main")
    assert result.activities["Call"].output["pipelineReturnValue"] == {"list": '[1,"a"]'}


@pytest.mark.parametrize(
    ("value", "returned"),
    [
        ({"type": "Expression", "content": "@add(1, 1)"}, 2),
        ({"type": "String", "content": "a"}, "a"),
        ({"type": "Int", "content": 7}, 7),
        ({"type": "Int", "content": "7"}, 7),
        ({"type": "Boolean", "content": True}, True),
        ({"type": "Float", "content": 1.5}, 1.5),
        ({"type": "Null"}, None),
        ({"type": "Array", "content": [{"type": "Int", "content": 1}, {"type": "String", "content": "b"}]}, [1, "b"]),
        ({"type": "Object", "content": [{"key": "k", "value": {"type": "Int", "content": 1}}]}, {"k": 1}),
        ("plain", "plain"),
        ("@add(1, 2)", 3),
        ({"type": "parcel", "content": "x"}, {"type": "parcel", "content": "x"}),
    ],
)
def test_rule_86_a_return_value_may_carry_its_type(tmp_path: Path, value: Any, returned: Any) -> None:
    give = act("Give", "SetVariable", variableName="pipelineReturnValue", setSystemVariable=True,
               value=[{"key": "k", "value": value}])  # fmt: skip
    assert run(tmp_path, give).output == {"pipelineReturnValue": {"k": returned}}


@pytest.mark.parametrize("value", ["text", [1], [{"value": 1}], {"key": "k", "value": 1}])
def test_rule_86_a_return_value_of_another_shape_is_told(tmp_path: Path, value: Any) -> None:
    give = act("Give", "SetVariable", variableName="pipelineReturnValue", setSystemVariable=True, value=value)
    assert "A return value is a list of pairs." in run(tmp_path, give).message


@pytest.mark.parametrize("seconds", [0, "0", "@sub(1, 1)", {"value": "@int('0')", "type": "Expression"}, 0.01])
def test_rule_88_wait_takes_a_number_or_an_expression(tmp_path: Path, seconds: Any) -> None:
    assert run(tmp_path, act("W", "Wait", waitTimeInSeconds=seconds), act("Then", after=["W"])).status == "Succeeded"
    assert DONE == ["Then"]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"waitTimeInSeconds": "soon"}, "'soon' is no length of time"),
        ({"waitTimeInSeconds": -1}, "'-1' is no length of time"),
        ({"waitTimeInSeconds": 10**18}, "is no length of time"),
        ({"waitTimeInSeconds": 10**12}, "is too long"),
        ({"waitTimeInSeconds": ""}, "'waitTimeInSeconds' is empty"),
        ({}, "has no 'waitTimeInSeconds'"),
    ],
)
def test_rule_88_a_wait_of_no_length_is_told(tmp_path: Path, more: Json, says: str) -> None:
    assert says in refused(tmp_path, act("W", "Wait", **more))


@pytest.mark.parametrize(
    ("kind", "value", "held"),
    [
        ("String", "a", "a"),
        ("String", 7, "7"),
        ("String", True, "True"),
        ("String", [1, "a"], '[1,"a"]'),
        ("String", "@null", None),
        ("Boolean", True, True),
        ("Boolean", "false", False),
        ("Array", [1, 2], [1, 2]),
        ("Array", "[1, 2]", [1, 2]),
        ("Integer", 7, 7),
        ("Integer", "7", 7),
        ("Integer", "@div(14, 2.0)", 7),
    ],
)
def test_rule_95_a_variable_takes_what_fits_its_type(tmp_path: Path, kind: str, value: Any, held: Any) -> None:
    expression = value if not isinstance(value, str) or not value.startswith("@null") else "@json('null')"
    show = act("Show", after=["Set"], got=f"@variables('{kind}')")
    result = run(tmp_path, act("Set", "SetVariable", variableName=kind, value=expression), show, **EVERY)
    assert (result.status, result.activities["Show"].output["got"]) == ("Succeeded", held)


@pytest.mark.parametrize(
    ("kind", "value"),
    [("Boolean", "perhaps"), ("Boolean", 1), ("Array", "a"), ("Array", "{}"), ("Array", 1), ("Integer", "1.5"),
     ("Integer", 1.5), ("Integer", True), ("Integer", [])],
)  # fmt: skip
def test_rule_95_a_variable_refuses_what_does_not(tmp_path: Path, kind: str, value: Any) -> None:
    result = run(tmp_path, act("Set", "SetVariable", variableName=kind, value=value), **EVERY)
    assert f"It is of type {kind} and cannot hold" in result.message


@pytest.mark.parametrize("value", ["@concat(variables('V'), '!')", "say @{variables('v')}", ["@variables('v')"]])
def test_rule_95_a_variable_cannot_refer_to_itself(tmp_path: Path, value: Any) -> None:
    result = run(tmp_path, act("Set", "SetVariable", variableName="v", value=value), **PAIRS)
    assert "The expression contains self referencing variable." in result.message


def test_rule_95_another_variable_may_be_used(tmp_path: Path) -> None:
    set_it = act("Set", "SetVariable", variableName="v", value="@concat(variables('w'), '!')")
    result = run(tmp_path, set_it, act("Show", after=["Set"], got="@variables('v')"), **PAIRS)
    assert result.activities["Show"].output == {"got": "!"}


def test_rule_95_a_variable_that_is_not_declared_is_told_with_near_names(tmp_path: Path) -> None:
    message = refused(tmp_path, act("Set", "SetVariable", variableName="counts", value=1), variables={"count": {}})
    assert "The pipeline has no variable 'counts'. Did you mean 'count'?" in message


def test_rule_109_a_called_pipeline_knows_who_called_it(tmp_path: Path) -> None:
    call = act("Call", "ExecutePipeline", pipeline={"referenceName": "child", "type": "PipelineReference"})
    show = act("Show", by="@pipeline().TriggeredByPipelineName", how="@pipeline().TriggerType",
               none="@pipeline()?.Nothing")  # fmt: skip
    result: Any = factory_of(tmp_path, main=pipeline(call), child=pipeline(show)).run("main")
    shown = result.activities["Call"].child.activities["Show"].output
    assert shown == {"by": "main", "how": "PipelineActivity", "none": None}


def test_rule_92_a_pipeline_uses_what_a_web_service_and_a_function_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving(Reply(json={"items": [1, 2]}), Reply(json={"rows": 2})) as server:
        properties = {"functionAppUrl": server.url, "functionKey": {"type": "SecureString", "value": "k3y"}}
        write(tmp_path, "linkedService", "App", {"type": "AzureFunction", "typeProperties": properties})
        ask = act("Ask", "WebActivity", url=f"{server.url}/@{{pipeline().Pipeline}}", method="GET")
        load = act("Load", "AzureFunctionActivity", ["Ask"], functionName="load", method="POST",
                   body={"value": "@activity('Ask').output.items", "type": "Expression"},
                   linkedServiceName={"referenceName": "App", "type": "LinkedServiceReference"})  # fmt: skip
        result = run(tmp_path, ask, load, act("Use", after=["Load"], rows="@activity('Load').output.rows"))
    assert (result.status, result.activities["Use"].output) == ("Succeeded", {"rows": 2})
    assert [(asked.path, asked.body) for asked in server.asked] == [("/main", b""), ("/api/load", b"[1,2]")]


def with_file(root: Path, content: str | None, name: str | None = "in.csv", kind: str = "Binary") -> None:
    write(root, "linkedService", "Here", {"type": "FileServer", "typeProperties": {"host": "files"}})
    location = {"type": "FileServerLocation", "folderPath": "drop", **({"fileName": name} if name else {})}
    service = {"referenceName": "Here", "type": "LinkedServiceReference"}
    properties = {"type": kind, "linkedServiceName": service, "typeProperties": {"location": location}}
    write(root, "dataset", "In", properties)
    if content is not None:
        (root / "files" / "drop").mkdir(parents=True)
        (root / "files" / "drop" / "in.csv").write_text(content)


def there(**more: Any) -> Json:
    dataset = {"referenceName": "In", "type": "DatasetReference"}
    return act("There", "Validation", **{"dataset": dataset, "timeout": "0.00:00:00", "sleep": 0, **more})


@pytest.mark.parametrize(
    ("content", "more", "status"),
    [
        ("abc", {}, "Succeeded"),
        ("abc", {"minimumSize": "3"}, "Succeeded"),
        ("abc", {"minimumSize": 4}, "Failed"),
        ("", {"minimumSize": 0}, "Succeeded"),
        (None, {}, "Failed"),
    ],
)
def test_rule_94_validation_looks_for_a_file_of_some_size(
    tmp_path: Path, content: str | None, more: Json, status: str
) -> None:
    with_file(tmp_path, content)
    result = run(tmp_path, there(**more))
    assert (result.status, (error_of(result, "There") or {}).get("errorCode", "Timeout")) == (status, "Timeout")


@pytest.mark.parametrize(
    ("children", "status"), [(True, "Succeeded"), ("true", "Succeeded"), (False, "Failed"), (None, "Succeeded")]
)
def test_rule_94_validation_looks_into_a_folder(tmp_path: Path, children: Any, status: str) -> None:
    with_file(tmp_path, "abc", name=None)
    assert run(tmp_path, there(childItems=children)).status == status


class Coming:
    """A dataset that is there when it is looked at for the third time."""

    def __init__(self) -> None:
        self.looks = 0

    def read(self, settings: Any, tally: Any) -> Any:
        raise NotImplementedError

    def write(self, settings: Any, rows: Any, mark: Any, tally: Any) -> dict[str, Any]:
        raise NotImplementedError

    def metadata(self, fields: Sequence[str]) -> dict[str, Any]:
        self.looks += 1
        if self.looks == 2:
            raise SourceMissing("not yet")
        return {"exists": self.looks > 2}


def test_rule_94_validation_looks_again_until_the_file_is_there(tmp_path: Path) -> None:
    coming = Coming()
    dataset("TestComing")(lambda _given: coming)
    with_file(tmp_path, None, kind="TestComing")
    result = run(tmp_path, there(timeout="00:01:00", sleep=0.001))
    assert (result.activities["There"].output, coming.looks) == ({"exists": True}, 3)


@pytest.mark.parametrize("reference", [None, "In", {}, {"referenceName": 7}, "@createArray(1)"])
def test_rule_94_validation_needs_a_dataset(tmp_path: Path, reference: Any) -> None:
    message = refused(tmp_path, there(dataset=reference))
    assert re.search("The dataset is no reference|has no 'dataset'", message)
