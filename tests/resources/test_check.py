from pathlib import Path

import pytest
from tests.factories import Json, act, pipeline, write

from manara.app import known
from manara.resources.check import check
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
    assert faults_of(tmp_path, pipeline(act("Look", "Lookup", dataset=reference("Csv", file="a.csv")))) == []


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
            "activities[0].typeProperties: The pipeline has no variable 'v'.",
        ),
        (
            pipeline(act("Each", "ForEach", items="@pipeline().parameters.list", activities=[act("In", "Coppy")])),
            "activities[0].typeProperties.activities[0].type: The activity type 'Coppy' does not run here.",
        ),
        (
            pipeline(act("Each", "ForEach", items="@pipeline().parameters.list", activities=[])),
            "activities[0].typeProperties: The pipeline has no parameter 'list'.",
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
    wrong = pipeline(act("A", "Coppy", text="@nope()"), act("A", "Lookup", dataset=reference("broken")))
    assert len(faults_of(tmp_path, wrong)) == 4


def test_a_replaced_linked_service_may_be_of_a_type_unknown_here(tmp_path: Path) -> None:
    write(tmp_path, "local/linkedService", "Lake", LAKE)
    write(tmp_path, "linkedService", "Lake", {"type": "AzureMystery"})
    write(tmp_path, "linkedService", "Other", {"type": "AzureMystery"})
    (fault,) = check(read_factory(tmp_path), known())
    assert fault.file == "linkedService/Other.json"
    assert "local/linkedService" in fault.advice
