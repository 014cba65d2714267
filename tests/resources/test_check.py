from pathlib import Path
from typing import Any

import pytest
from tests.factories import Json, act, pipeline, write

from manara.app import known
from manara.errors import Fault
from manara.resources.check import check, check_pipeline
from manara.resources.factory import read_factory

LAKE = {"type": "FileServer", "typeProperties": {"host": "lake"}}
CSV = {
    "type": "DelimitedText",
    "linkedServiceName": {"referenceName": "Lake", "type": "LinkedServiceReference"},
    "parameters": {"file": {"type": "String"}},
    "typeProperties": {"location": {"type": "FileServerLocation", "fileName": "@dataset().file"}},
}


def reference(name: str, kind: str = "DatasetReference", **parameters: object) -> Json:
    return {"referenceName": name, "type": kind, "parameters": parameters}


def faults_of(root: Path, properties: Json) -> list[str]:
    write(root, "linkedService", "Lake", LAKE)
    write(root, "dataset", "Csv", CSV)
    write(root, "pipeline", "p", properties)
    return [str(fault).removeprefix("pipeline/p.json properties.") for fault in check(read_factory(root), known())]


def test_a_factory_in_order_has_no_fault(tmp_path: Path) -> None:
    assert faults_of(tmp_path, pipeline(act("Look", "Lookup", source={}, dataset=reference("Csv", file="a.csv")))) == []


@pytest.mark.parametrize(
    ("properties", "says"),
    [
        (
            pipeline(act("A", "Lookup", dataset=reference("Csw", file="a"))),
            "activities[0].typeProperties.dataset: There is no dataset 'Csw'. Did you mean 'Csv'?",
        ),
        (
            pipeline(act("A", "Lookup", dataset=reference("Csv"))),
            "activities[0].typeProperties.dataset: The dataset 'Csv' needs the parameter 'file' (String).",
        ),
        (
            pipeline(act("A", "Lookup", dataset=reference("Csv", file="a", fle="b"))),
            "activities[0].typeProperties.dataset: The dataset 'Csv' has no parameter 'fle'. Did you mean 'file'?",
        ),
        (pipeline(act("A", "Coppy")), "activities[0].type: The activity type 'Coppy' does not run here."),
        (pipeline(act("A"), act("A")), "activities[1].name: Two activities are called 'A'."),
        (
            pipeline(act("A"), act("B", after=["Aa"])),
            "activities[1].dependsOn[0]: 'B' waits for 'Aa', which does not stand beside it.",
        ),
        (
            pipeline(act("A", after=["B"]), act("B", after=["A"])),
            "activities[0].dependsOn: The activities wait for one another in a ring: A -> B -> A.",
        ),
        (pipeline(act("A", text="@concat('a'")), "activities[0].typeProperties.text: "),
        (pipeline(act("A", text="@conact('a')")), "activities[0].typeProperties.text: "),
        (
            pipeline(act("A", text="@variables('v')")),
            "activities[0].typeProperties.text: The pipeline has no variable 'v'.",
        ),
        (
            pipeline(act("Each", "ForEach", items="@pipeline().parameters.list", activities=[act("In", "Coppy")])),
            "activities[0].typeProperties.activities[0].type: The activity type 'Coppy' does not run here.",
        ),
        (
            pipeline(act("Each", "ForEach", items="@pipeline().parameters.list", activities=[])),
            "activities[0].typeProperties.items: The pipeline has no parameter 'list'.",
        ),
        (
            pipeline(act("Call", "ExecutePipeline", pipeline=reference("q", "PipelineReference"))),
            "activities[0].typeProperties.pipeline: There is no pipeline 'q'.",
        ),
        (pipeline(act("S", "Script", scripts=[{"scriptPath": "x.sql"}])), "There is no script 'x.sql'"),
        (pipeline(act("Q", "QualityGate", contract="stock")), "There is no contract 'stock'"),
    ],
)
def test_a_fault_is_told_with_its_place_and_a_way_out(tmp_path: Path, properties: Json, says: str) -> None:
    assert any(says in fault for fault in faults_of(tmp_path, properties))


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "dataset").mkdir(parents=True)
    (tmp_path / "dataset" / "broken.json").write_text("{", encoding="utf-8")
    wrong = pipeline(act("A", "Coppy", text="@nope()"), act("A", "Lookup", source={}, dataset=reference("broken")))
    assert len(faults_of(tmp_path, wrong)) == 4


def test_a_replaced_linked_service_may_be_of_a_type_unknown_here(tmp_path: Path) -> None:
    write(tmp_path, "local/linkedService", "Lake", LAKE)
    write(tmp_path, "linkedService", "Lake", {"type": "AzureMystery"})
    write(tmp_path, "linkedService", "Other", {"type": "AzureMystery"})
    (fault,) = check(read_factory(tmp_path), known())
    assert fault.file == "linkedService/Other.json"
    assert "local/linkedService" in fault.advice


IN = "activities[0].typeProperties.activities[0]"
EACH: Json = {"items": "@createArray(1)", "isSequential": "true"}
SET = act("S", "SetVariable", variableName="v", value="x")
VARIABLE = {"v": {"type": "String"}}


def loop(*activities: Json, name: str = "Each", **more: Any) -> Json:
    return act(name, "ForEach", activities=list(activities), **{**EACH, **more})


@pytest.mark.parametrize(
    ("properties", "says"),
    [
        (pipeline(act("A", text="@activity('B').output"), act("B")), "'A' uses 'B', which does not come before it."),
        (pipeline(act("A", text="@activity('Bb')"), act("B")), "There is no activity 'Bb'. Did you mean 'B'?"),
        (
            pipeline(loop(act("In")), act("A", after=["Each"], text="@activity('In')")),
            "'In' stands inside 'Each', which shows nothing of it outside.",
        ),
        (pipeline(act("A", text="@item()")), "item() has no value here"),
        (pipeline(act("A", text="@pipeline().globalParameters.g")), "The factory has no global parameter 'g'."),
        (pipeline(act("A", "SetVariable", variableName="w"), variables=VARIABLE), "The pipeline has no variable 'w'."),
        (pipeline(act("A", "ForEach")), "The ForEach has no 'items'."),
        (pipeline(act("A", "Switch")), "The Switch has no 'on'."),
        (pipeline(act("A", "Copy", source={}, sink={})), "A Copy has one dataset in 'inputs'; this has 0."),
        (pipeline(act("A", policy={"timeout": "soon"})), "activities[0].policy.timeout: 'soon' is no length of time."),
        (pipeline(act("a/b")), "The name 'a/b' holds '/'"),
        (pipeline(act("A", "ForEach", items="@variables('v')", activities=3)), "typeProperties.activities: "),
        (pipeline(act("A", "Switch", on="x", cases=[{"activities": [{}]}])), "cases[0].activities[0].name: "),
        (
            pipeline(act("A", "ExecutePipeline", pipeline=reference("p", "PipelineReference"))),
            "The pipelines call one another in a ring: p -> p.",
        ),
        (
            pipeline(act("A", "Lookup", source={}, dataset={**reference("Csv"), "parameters": "file"})),
            "The parameters for the dataset 'Csv' are no object.",
        ),
        (pipeline(act("A", "OracleThing")), "The activity type 'OracleThing' does not run here."),
        (pipeline(act("A", "ExecuteSSISPackage")), 'set "state": "Inactive" to pass it by'),
    ],
)
def test_what_azure_refuses_is_an_error(tmp_path: Path, properties: Json, says: str) -> None:
    write(tmp_path, "pipeline", "p", properties)
    errors = [str(fault) for fault in faults_list(tmp_path, properties) if fault.severity == "error"]
    assert any(says in error for error in errors), errors


def faults_list(root: Path, properties: Json) -> list[Fault]:
    faults_of(root, properties)
    return check(read_factory(root), known())


@pytest.mark.parametrize(
    ("properties", "says"),
    [
        (
            pipeline(loop(loop(SET, name="Inner")), variables=VARIABLE),
            f"{IN}: A ForEach stands inside the ForEach 'Each'",
        ),
        (
            pipeline(loop(act("V", "Validation", dataset=reference("Csv", file="a")))),
            f"{IN}: A Validation stands inside",
        ),
        (
            pipeline(act("A"), act("B", after={"A": ["Completed"]}), act("C", after={"A": ["Failed"]})),
            "activities[0]: Activities wait for 'A' on Completed",
        ),
        (pipeline(loop(SET, isSequential=False), variables=VARIABLE), f"{IN}: The rounds of 'Each' run at the same"),
        (pipeline(loop(act("A"), batchCount=51)), "activities[0].typeProperties.batchCount: The loop asks for 51"),
        (pipeline(act("A" * 56)), "activities[0].name: The name of the activity has 56 characters; Azure takes 55."),
        (pipeline(act("A?")), "activities[0].name: The name of the activity holds ?"),
        (pipeline(parameters={f"p{n}": {"type": "int"} for n in range(51)}), "parameters: The pipeline has 51 param"),
        (
            pipeline(act("A", "Switch", on="x", cases=[{"value": str(n)} for n in range(26)])),
            "activities[0].typeProperties.cases: The Switch has 26 cases; Azure takes 25.",
        ),
        (
            pipeline(parameters={"n": {"type": "int", "defaultValue": "5"}}),
            "parameters.n.defaultValue: The default of 'n' is a text, its type int.",
        ),
        (pipeline(variables={"b": {"type": "Strin"}}), "variables.b.type: There is no type 'Strin'."),
        (
            pipeline(act("A", "SetVariable", variableName="v", value="@concat(variables('V'), 1)"), variables=VARIABLE),
            "activities[0].typeProperties.value: The variable 'v' is set from itself",
        ),
    ],
)
def test_what_azure_would_not_take_and_runs_here_is_a_warning(tmp_path: Path, properties: Json, says: str) -> None:
    found = faults_list(tmp_path, properties)
    assert {fault.severity for fault in found} == {"warning"}
    assert any(str(fault).removeprefix("pipeline/p.json properties.").startswith(says) for fault in found), found
    assert check_pipeline(read_factory(tmp_path), "p", known()) == []


@pytest.mark.parametrize(
    "properties",
    [
        pipeline(act("A"), act("B", after=["A"]), act("C", after=["B"], text="@activity('a').output.x")),
        pipeline(act("A"), loop(act("B", text="@concat(activity('A').output, item())"), after=["A"])),
        pipeline(act("U", "Until", expression="@activity('In').output.done", activities=[act("In")])),
        pipeline(act("F", "Filter", items="@createArray(1)", condition="@equals(item(), 1)")),
        pipeline(loop(SET), variables=VARIABLE),
        pipeline(loop(SET, isSequential=False, batchCount="1"), variables=VARIABLE),
        pipeline(act("A", "Nonsense", state="Inactive", text="@nope(", dataset=reference("None"))),
        pipeline(act("A"), act("B", after={"A": ["Succeeded"]}), act("C", after={"A": ["Failed"]})),
        pipeline(parameters={"s": {"type": "String"}, "n": {"type": "Int", "defaultValue": 5}}),
        {**pipeline(), "description": "@anna: mind the @{gap}"},
    ],
)
def test_what_is_in_order_is_not_complained_of(tmp_path: Path, properties: Json) -> None:
    assert faults_of(tmp_path, properties) == []


def test_what_one_activity_would_meet_is_left_to_its_turn(tmp_path: Path) -> None:
    write(tmp_path, "pipeline", "p", pipeline(act("A", "ForEach"), act("B", text="@activity('C')")))
    factory = read_factory(tmp_path)
    assert len(check(factory, known())) == 2
    assert check_pipeline(factory, "p", known()) == []


def test_a_credential_that_only_azure_can_read_is_a_warning(tmp_path: Path) -> None:
    secret = {"host": "x", "encryptedCredential": "abc"}
    write(tmp_path, "linkedService", "Share", {"type": "FileServer", "typeProperties": secret})
    (fault,) = check(read_factory(tmp_path), known())
    assert (fault.severity, fault.message) == ("warning", "Only Azure can read its credential.")
    assert "local/linkedService/Share.json" in fault.advice


def test_names_in_a_dataset_and_a_linked_service_are_looked_up(tmp_path: Path) -> None:
    write(tmp_path, "linkedService", "L", {"type": "FileServer", "typeProperties": {"host": "@linkedService().h"}})
    (told,) = faults_of(tmp_path, pipeline())
    place = "linkedService/L.json properties.typeProperties.host"
    assert told == f"{place}: The linked service has no parameter 'h'. There is none yet."


@pytest.mark.parametrize(
    ("activity", "says"),
    [
        (
            act("A", "SynapseNotebook", notebook={"referenceName": "Clean"}),
            "Write local/notebook/Clean.py (or .ipynb).",
        ),
        (
            act("A", "Lookup", source={"type": "JsonSorce"}, dataset=reference("Csv", file="a")),
            "Did you mean 'JsonSource'",
        ),
    ],
    ids=["a notebook without its script", "a source that nobody knows"],
)
def test_what_will_not_do_its_work_is_a_warning(tmp_path: Path, activity: Json, says: str) -> None:
    assert any(says in told for told in faults_of(tmp_path, pipeline(activity)))


@pytest.mark.parametrize("kind", ["JsonSource", "BlobSource", "FileSystemSource", "SqlDWSource", "DuckDBSource", "@x"])
def test_every_source_that_azure_or_manara_has_is_known(tmp_path: Path, kind: str) -> None:
    look = act("A", "Lookup", source={"type": kind}, dataset=reference("Csv", file="a"))
    assert not any("source type" in told for told in faults_of(tmp_path, pipeline(look)))
