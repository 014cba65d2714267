import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.factories import DONE, Json, act, pipeline, write

from manara import clock
from manara.errors import Faults, ManaraError, NotFound, WrongDefinition
from manara.plugin.activity import Given, Output, activity
from manara.testing import calls, failure, output
from manara.testing.factory import START, Factory
from manara.testing.run import Run

CALL: Json = {"pipeline": {"referenceName": "child", "type": "PipelineReference"}, "waitOnCompletion": True}
RETRY = {"retry": 2, "retryIntervalInSeconds": 60}


@activity("TestSlow")
def slow(_: Given) -> Output:
    """Take a moment of real time."""
    before = clock.now()
    time.sleep(0.02)
    return {"thread": threading.current_thread() is not threading.main_thread(), "moved": clock.now() != before}


def factory_of(root: Path, main: Json, **others: Json) -> Factory:
    for name, properties in {"main": main, **others}.items():
        write(root / "factory", "pipeline", name, properties)
    return Factory.open(root / "factory", folder=root / "data")


def run(root: Path, main: Json, stubs: Any = None, **given: Any) -> Run:
    return factory_of(root, main).run("main", stubs=stubs or {}, **given)


LOAD = pipeline(
    act("Look", "Lookup", file="@pipeline().parameters.file"),
    act("See", "AppendVariable", after=["Look"], variableName="seen", value="@activity('Look').output.firstRow.name"),
    act("Copy", "DatabricksSparkJar", after=["See"], jar="@variables('seen')[0]", policy=RETRY),
    act("Archive", "Copy", after=["Copy"]),
    act("Send", "WebActivity", after={"Copy": ["Failed"]}, to="a@b.org", says="@activity('Copy').error.message"),
    parameters={"file": {"type": "string"}},
    variables={"seen": {"type": "Array", "defaultValue": []}, "other": {"type": "String", "defaultValue": "x"}},
)
STUBS = {
    "Look": output(firstRow={"name": "x.csv"}),
    "Copy": failure("2200", "no such file"),
    "Send": calls(lambda given: {"sent": given.properties["to"]}),
}


@pytest.fixture
def loaded(tmp_path: Path) -> Run:
    return factory_of(tmp_path, LOAD).run("main", {"file": "x.csv"}, stubs=STUBS)


def test_a_test_sees_statuses_order_variables_and_errors(loaded: Run) -> None:
    assert loaded.status == "Failed"
    assert loaded.order == ["Look", "See", "Copy", "Send"]
    assert loaded.skipped == {"Archive"}
    assert loaded.variables == {"seen": ["x.csv"], "other": "x"}
    assert loaded["Copy"].error is not None
    assert (loaded["Copy"].error["errorCode"], loaded["Copy"].error["failureType"]) == ("2200", "UserError")
    assert loaded.statuses["Copy"] == "Failed"


def test_a_test_sees_what_each_activity_was_given(loaded: Run) -> None:
    assert loaded["Look"].input == {"file": "x.csv"}
    assert loaded["Send"].input == {"to": "a@b.org", "says": "no such file"}
    assert loaded["Send"].output == {"sent": "a@b.org"}


def test_retries_pass_at_once_and_are_counted_on_the_clock(loaded: Run) -> None:
    assert (loaded["Copy"].attempt, loaded.duration) == (3, timedelta(minutes=2))


def test_the_run_can_be_read_when_an_assertion_fails(loaded: Run) -> None:
    assert repr(loaded).splitlines()[0] == "run of 'main': Failed"
    assert "  Skipped    Archive" in repr(loaded)


def test_stubs_may_answer_in_turn(tmp_path: Path) -> None:
    again = run(tmp_path, pipeline(act("Get", policy=RETRY)), {"Get": [failure("1", "busy"), output(n=7)]})
    assert (again.status, again["Get"].attempt, again["Get"].output) == ("Succeeded", 2, {"n": 7})


def test_an_until_asks_until_the_answer_is_there(tmp_path: Path) -> None:
    rounds = [act("Ask"), act("Rest", "Wait", after=["Ask"], waitTimeInSeconds=30)]
    loop = act("Poll", "Until", expression="@equals(activity('Ask').output.state, 'done')", activities=rounds)
    polled = run(tmp_path, pipeline(loop), {"Ask": [output(state="busy"), output(state="busy"), output(state="done")]})
    assert (polled.status, polled.duration) == ("Succeeded", timedelta(seconds=90))
    assert "Poll[2]/Ask" in polled
    assert "Poll[3]/Ask" not in polled


def test_a_loop_that_never_ends_is_stopped(tmp_path: Path) -> None:
    loop = act("Poll", "Until", expression="@equals(1, 2)", activities=[act("Ask")])
    factory = replace(factory_of(tmp_path, pipeline(loop)), most_steps=50)
    with pytest.raises(WrongDefinition, match="more than 50 steps"):
        factory.run("main", stubs={"Ask": output()})


def test_time_stands_where_the_test_puts_it(tmp_path: Path) -> None:
    main = pipeline(act("Show", at="@utcNow('yyyy-MM-dd')", by="@pipeline().TriggerTime"))
    shown = run(tmp_path, main, {"Show": output()}, at=datetime(2023, 2, 28, 23, 59, tzinfo=UTC))["Show"]
    assert shown.input == {"at": "2023-02-28", "by": "2023-02-28T23:59:00.0000000Z"}


def test_what_goes_on_side_by_side_ends_in_the_order_of_time(tmp_path: Path) -> None:
    minutes = {"Long": 30, "Short": 5, "Middle": 10}
    chain = [act(f"Step {n}", after=[f"Step {n - 1}"] if n else []) for n in range(4)]
    main = pipeline(*(act(name) for name in minutes), *chain)
    stubs = {name: output().after(timedelta(minutes=length)) for name, length in minutes.items()}
    side_by_side = run(tmp_path, main, {**stubs, **{each["name"]: output() for each in chain}})
    assert {name: side_by_side[name].ended for name in minutes} == {
        name: START + timedelta(minutes=length) for name, length in minutes.items()
    }
    assert side_by_side["Step 3"].ended == START
    assert side_by_side.duration == timedelta(minutes=30)


def test_a_day_of_waiting_takes_no_time(tmp_path: Path) -> None:
    before = time.monotonic()
    waited = run(tmp_path, pipeline(act("Night", "Wait", waitTimeInSeconds=86_400)))
    assert waited.duration == timedelta(days=1)
    assert time.monotonic() - before < 60


def test_a_stub_that_takes_longer_than_the_policy_allows_fails(tmp_path: Path) -> None:
    late = output().after(timedelta(hours=2))
    failed = run(tmp_path, pipeline(act("Copy", policy={"timeout": "0.01:00:00"})), {"Copy": late})
    assert failed.error is not None
    assert failed.error["errorCode"] == "Timeout"


def test_a_real_activity_works_in_a_thread_while_time_stands_still(tmp_path: Path) -> None:
    main = pipeline(act("Work", "TestSlow"), act("Rest", "Wait", waitTimeInSeconds=60))
    worked = run(tmp_path, main, real={"Work"})
    assert worked["Work"].output == {"thread": True, "moved": False}
    assert worked["Work"].ended == START


def test_a_real_activity_works_in_the_folder_of_the_test(tmp_path: Path) -> None:
    root = tmp_path / "factory"
    write(root, "linkedService", "Lake", {"type": "FileServer", "typeProperties": {"host": "lake"}})
    for name, path in (("In", "in.csv"), ("Out", "out.csv")):
        place = {"location": {"type": "FileServerLocation", "fileName": path}}
        reference = {"referenceName": "Lake", "type": "LinkedServiceReference"}
        write(root, "dataset", name, {"type": "Binary", "linkedServiceName": reference, "typeProperties": place})
    source, sink = ([{"referenceName": name, "type": "DatasetReference"}] for name in ("In", "Out"))
    copy = act(
        "Copy", "Copy", inputs=source, outputs=sink, source={"type": "BinarySource"}, sink={"type": "BinarySink"}
    )
    (tmp_path / "data/lake").mkdir(parents=True)
    (tmp_path / "data/lake/in.csv").write_text("a\n")
    assert run(tmp_path, pipeline(copy), real={"Copy"}).status == "Succeeded"
    assert (tmp_path / "data/lake/out.csv").read_text() == "a\n"


def test_an_activity_without_a_stub_ends_the_test_and_does_nothing(tmp_path: Path) -> None:
    DONE.clear()
    with pytest.raises(WrongDefinition, match=r"'Note' \(TestNote\) has no stub") as raised:
        run(tmp_path, pipeline(act("Note")))
    assert "stubs={'Note': output(...)}" in raised.value.advice
    assert DONE == []


def test_a_validation_opens_nothing_without_leave(tmp_path: Path) -> None:
    dataset = {"referenceName": "In", "type": "DatasetReference"}
    write(tmp_path / "factory", "linkedService", "Lake", {"type": "Unknown"})
    service = {"referenceName": "Lake", "type": "LinkedServiceReference"}
    write(tmp_path / "factory", "dataset", "In", {"type": "Unknown", "linkedServiceName": service})
    main = pipeline(act("Look", "Validation", dataset=dataset))
    with pytest.raises(WrongDefinition, match="'Look'"):
        run(tmp_path, main)
    assert run(tmp_path, main, {"Look": output(exists=True)})["Look"].output == {"exists": True}


def test_an_activity_in_a_branch_not_taken_needs_no_stub(tmp_path: Path) -> None:
    branch = act("If", "IfCondition", expression="@equals(1, 2)", ifTrueActivities=[act("Copy", "NoSuchType")])
    taken = run(tmp_path, pipeline(branch))
    assert taken.order == ["If"]
    with pytest.raises(NotFound, match="never came to 'Copy'"):
        taken["Copy"]


@pytest.mark.parametrize(
    ("kind", "properties", "given"),
    [
        ("ForEach", {"items": "@createArray(1, 2)", "activities": [act("In", got="@item()")]}, {"items": [1, 2]}),
        ("IfCondition", {"expression": "@equals(1, 1)", "ifTrueActivities": [act("In")]}, {"expression": True}),
        (
            "Until",
            {"expression": "@activity('In').output.x", "timeout": "1", "activities": [act("In")]},
            {"timeout": "1"},
        ),
        ("Filter", {"items": "@createArray(1)", "condition": "@equals(item(), 1)"}, {"items": [1]}),
        ("Switch", {"on": "a", "cases": [{"value": "a", "activities": [act("In")]}]}, {"on": "a"}),
        ("ExecutePipeline", {**CALL, "parameters": {"n": "@add(1, 1)"}}, {**CALL, "parameters": {"n": 2}}),
    ],
)
def test_a_control_activity_can_be_stubbed_whole(tmp_path: Path, kind: str, properties: Json, given: Json) -> None:
    child = pipeline(act("Never"), parameters={"n": {"type": "int"}})
    factory = factory_of(tmp_path, pipeline(act("Whole", kind, **properties)), child=child)
    whole = factory.run("main", stubs={"Whole": output(n=1)})
    assert (whole.order, whole["Whole"].input, whole["Whole"].output) == (["Whole"], given, {"n": 1})


@pytest.mark.parametrize(
    ("address", "stubbed"),
    [
        ("Copy", {"Copy", "Each[0]/Inner", "Each[1]/Inner", "child:Copy"}),
        ("child:Copy", {"child:Copy"}),
        ("main:Copy", {"Copy"}),
        ("Each/Inner", {"Each[0]/Inner", "Each[1]/Inner"}),
        ("Each[1]/Inner", {"Each[1]/Inner"}),
        ("main:Each[1]/Inner", {"Each[1]/Inner"}),
    ],
)
def test_the_most_exact_address_wins(tmp_path: Path, address: str, stubbed: set[str]) -> None:
    each = act("Each", "ForEach", items="@range(0, 2)", activities=[act("Inner")])
    factory = factory_of(tmp_path, pipeline(act("Copy"), each, act("Call", "ExecutePipeline", **CALL)),
                         child=pipeline(act("Copy")))  # fmt: skip
    found = factory.run("main", stubs={"Copy": output(n=1), "Inner": output(n=1), address: output(n=2)})
    paths = ("main:Copy", "Each[0]/Inner", "Each[1]/Inner", "child:Copy")
    assert {path.removeprefix("main:") for path in paths if found[path].output == {"n": 2}} == stubbed - (
        {"Each[0]/Inner", "Each[1]/Inner"} if address == "Copy" else set()
    )


def test_a_name_that_two_activities_bear_is_asked_back(tmp_path: Path) -> None:
    each = act("Each", "ForEach", items="@range(0, 2)", activities=[act("Copy")])
    with pytest.raises(NotFound, match=r"2 activities. Name one of: Each\[0\]/Copy, Each\[1\]/Copy"):
        run(tmp_path, pipeline(each), {"Copy": output()})["Copy"]


@pytest.mark.parametrize(
    ("address", "advice"),
    [
        ("Coppy", "Did you mean 'Copy'?"),
        ("chield:Copy", "Did you mean 'child:Copy'"),
        ("Each[0]/Inne", "Did you mean 'Each/Inner'"),
        ("Inner/Copy", "Did you mean"),
    ],
)
def test_an_unknown_address_is_told_with_near_ones(tmp_path: Path, address: str, advice: str) -> None:
    each = act("Each", "ForEach", items="@range(0, 2)", activities=[act("Inner")])
    factory = factory_of(tmp_path, pipeline(each, act("Call", "ExecutePipeline", **CALL)),
                         child=pipeline(act("Copy")))  # fmt: skip
    with pytest.raises(NotFound) as raised:
        factory.run("main", stubs={address: output()})
    assert address in raised.value.message
    assert raised.value.advice.startswith(advice)


def test_a_called_pipeline_is_a_run_of_its_own(tmp_path: Path) -> None:
    set_it = act("Set", "SetVariable", variableName="v", value="@activity('Copy').output.n", after=["Copy"])
    child = pipeline(act("Copy"), set_it, parameters={"n": {"type": "int"}}, variables={"v": {"type": "Integer"}})
    call = act("Call", "ExecutePipeline", **CALL, parameters={"n": "@add(1, 1)"})
    called = factory_of(tmp_path, pipeline(call), child=child).run("main", stubs={"Copy": output(n=3)}).children["Call"]
    assert (called.pipeline, called.parameters, called.variables) == ("child", {"n": 2}, {"v": 3})
    assert called.order == ["Copy", "Set"]


def test_a_child_that_nobody_waits_for_is_seen_too(tmp_path: Path) -> None:
    call = act("Call", "ExecutePipeline", **{**CALL, "waitOnCompletion": False})
    later = {"Copy": output(n=3).after(timedelta(hours=1))}
    called = factory_of(tmp_path, pipeline(call), child=pipeline(act("Copy"))).run("main", stubs=later)
    assert called.duration == timedelta()
    assert called["Copy"].output == {"n": 3}


def test_what_is_hidden_from_the_journal_is_shown_to_the_test(tmp_path: Path) -> None:
    hidden = act("Call", "WebActivity", key="@concat('a', 'b')", policy={"secureInput": True})
    assert run(tmp_path, pipeline(hidden), {"Call": output()})["Call"].input == {"key": "ab"}


@pytest.mark.parametrize("error", [AssertionError("not as expected"), KeyError("typo")])
def test_what_a_stub_s_function_raises_ends_the_test(tmp_path: Path, error: Exception) -> None:
    def breaks(_: Given) -> Output:
        raise error

    with pytest.raises(type(error)) as raised:
        run(tmp_path, pipeline(act("Copy", policy=RETRY)), {"Copy": calls(breaks)})
    assert raised.value is error


def test_a_stub_s_function_may_let_the_activity_fail(tmp_path: Path) -> None:
    def refuses(given: Given) -> Output:
        raise ManaraError(f"no {given.name}", code="Nope")

    failed = run(tmp_path, pipeline(act("Copy")), {"Copy": calls(refuses)})
    assert failed.message == "Operation on target Copy failed: no Copy"


@pytest.mark.parametrize("answer", [{"at": START}, "text", None])
def test_a_stub_gives_a_json_object(tmp_path: Path, answer: Any) -> None:
    with pytest.raises(WrongDefinition, match="The stub of 'Copy' gives"):
        run(tmp_path, pipeline(act("Copy")), {"Copy": calls(lambda _: answer)})


@pytest.mark.parametrize("stub", [[], {"n": 1}, 7, [output(), None]])
def test_what_is_no_stub_is_told(tmp_path: Path, stub: Any) -> None:
    with pytest.raises(WrongDefinition, match=r"The stub of 'Copy' is") as raised:
        run(tmp_path, pipeline(act("Copy")), {"Copy": stub})
    assert "output(...)" in raised.value.advice


def test_faults_of_the_definitions_come_first(tmp_path: Path) -> None:
    with pytest.raises(Faults, match="no variable 'v'"):
        run(tmp_path, pipeline(act("Copy", got="@variables('v')")), {"Copy": output()})


def test_parameters_that_do_not_fit_are_told(tmp_path: Path) -> None:
    with pytest.raises(WrongDefinition, match="needs the parameter 'file'"):
        factory_of(tmp_path, LOAD).run("main")


def test_a_real_activity_needs_a_folder(tmp_path: Path) -> None:
    factory = Factory(definitions=factory_of(tmp_path, pipeline(act("Copy"))).definitions)
    with pytest.raises(WrongDefinition, match="need a folder"):
        factory.run("main", real={"Copy"})


def test_two_runs_are_the_same(tmp_path: Path) -> None:
    factory = factory_of(tmp_path, pipeline(act("Copy", id="@pipeline().RunId", other="@guid()")))
    first, second = (factory.run("main", stubs={"Copy": output()})["Copy"].input for _ in range(2))
    assert first == second


def test_an_activity_whose_input_cannot_be_resolved_began_and_one_that_is_inactive_did_not(tmp_path: Path) -> None:
    main = pipeline(act("Off", state="Inactive"), act("Copy", after=["Off"], n="@activity('Off').output.n"))
    failed = run(tmp_path, main, {"Copy": output()})
    assert (failed.order, failed["Copy"].status, failed["Copy"].started) == (["Copy"], "Failed", None)
