"""Bodies that must be taken, since real factories are like that, and bodies that must not, each with its reason."""

import json
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import manara.blueprints
from manara.resources.check import Known
from manara.resources.schema.check import DEEPEST, MOST_FAULTS, check_body

Json = dict[str, Any]
KNOWN = Known(
    activities={"Copy", "QualityGate", "Harmonise", "LoadDimension", "LoadFact"},
    datasets={"Binary", "DuckDBTable"},
    connectors={"FileServer", "DuckDB"},
)
BLUEPRINTS = sorted(Path(manara.blueprints.__file__).parent.rglob("*.json"))
LAKE = {"referenceName": "Lake", "type": "LinkedServiceReference"}
COMPUTED = {"value": "@item()", "type": "Expression"}


def faults(kind: str, properties: Any, client: str = "") -> list[tuple[str, str, str]]:
    found = check_body(kind, {"properties": properties}, known=KNOWN, client=client)
    return [(fault.path.removeprefix("properties."), fault.message, fault.advice) for fault in found]


def pipeline(kind: str = "Wait", beside: Json | None = None, /, **type_properties: Any) -> Json:
    return {"activities": [{"name": "a", "type": kind, "typeProperties": type_properties, **(beside or {})}]}


@pytest.mark.parametrize("path", BLUEPRINTS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_blueprint_is_taken(path: Path) -> None:
    assert check_body(path.parent.name, json.loads(path.read_text(encoding="utf-8")), known=KNOWN) == []


SOURCE = {"type": "DelimitedTextSource"}
REAL: dict[str, tuple[str, Json]] = {
    "an empty pipeline": ("pipeline", {}),
    "a pipeline as Studio writes it": (
        "pipeline",
        {**pipeline(waitTimeInSeconds=1), "annotations": [], "folder": {"name": "x"}, "lastPublishTime": "2024"},
    ),
    "numbers and booleans as texts": ("pipeline", pipeline("ForEach", items="@x", activities=[], batchCount="20")),
    "an expression for a number": (
        "pipeline",
        pipeline("ForEach", items=COMPUTED, activities=[], batchCount="@int(1)"),
    ),
    "a loop over a bare expression": ("pipeline", pipeline("ForEach", items="@variables('a')", activities=[])),
    "a body of any sort": ("pipeline", pipeline("WebActivity", method="PATCH", url=COMPUTED, body={"a": [1]})),
    "a statement as an object": ("pipeline", pipeline("Script", scripts=[{"type": "Query", "text": COMPUTED}])),
    "a variable set to a list": ("pipeline", pipeline("SetVariable", variableName="v", value=[1, 2])),
    "a return value": (
        "pipeline",
        pipeline("SetVariable", variableName="pipelineReturnValue", setSystemVariable="true", value=[{"key": "a"}]),
    ),
    "types of parameters in small letters": (
        "pipeline",
        {
            "parameters": {
                name: {"type": name} for name in ("string", "int", "bool", "array", "object", "securestring")
            },
            "variables": {"n": {"type": "integer", "defaultValue": {}}, "b": {"type": "Boolean"}},
        },
    ),
    "a default of another type": ("pipeline", {"parameters": {"p": {"type": "String", "defaultValue": {"a": 1}}}}),
    "an odd timeout": ("pipeline", pipeline("Wait", {"policy": {"timeout": "0:30:00", "retry": "2"}})),
    "an inactive activity": ("pipeline", pipeline("Wait", {"state": "Inactive", "onInactiveMarkAs": "Succeeded"})),
    "nulls": ("pipeline", pipeline("Wait", {"dependsOn": None, "userProperties": None})),
    "a newer type of ADF": ("pipeline", pipeline("SqlPoolStoredProcedure", {"sqlPool": {"referenceName": "p"}})),
    "a type of ours": ("pipeline", pipeline("QualityGate", contract="x.yaml")),
    "a copy with sides of ours": (
        "pipeline",
        pipeline("Copy", source={"type": "DuckDBSource"}, sink={"type": "DuckDBTableSink"}),
    ),
    "a translator by expression": (
        "pipeline",
        pipeline("Copy", source=SOURCE, sink={"type": "ParquetSink"}, translator=COMPUTED, parallelCopies="4"),
    ),
    "settings of a newer type": (
        "pipeline",
        pipeline("Copy", source={**SOURCE, "formatSettings": {"type": "NewerReadSettings"}}, sink={"type": "JsonSink"}),
    ),
    "a cased switch": (
        "pipeline",
        pipeline("Switch", on=COMPUTED, cases=[{"value": "a", "activities": []}], defaultActivities=[]),
    ),
    "a data flow with its parameters": (
        "pipeline",
        pipeline(
            "ExecuteDataFlow",
            dataflow={"referenceName": "d", "type": "DataFlowReference", "parameters": {"a": "'x'"}},
            compute={"coreCount": 8, "computeType": "General"},
            traceLevel="Fine",
        ),
    ),
    "a dataset of ours": ("dataset", {"type": "DuckDBTable", "linkedServiceName": LAKE}),
    "a dataset with an odd letter": (
        "dataset",
        {
            "type": "DelimitedText",
            "linkedServiceName": {**LAKE, "parameters": {"a": COMPUTED}},
            "typeProperties": {
                "location": {"type": "AzureBlobFSLocation", "fileName": COMPUTED},
                "columnDelimiter": "♥",
                "escapeChar": "\\",
                "firstRowAsHeader": "true",
                "compressionCodec": "",
            },
            "schema": [],
        },
    ),
    "a linked service with a credential of Azure": (
        "linkedService",
        {"type": "AzureSqlDatabase", "typeProperties": {"encryptedCredential": "abc"}, "annotations": []},
    ),
    "a linked service with a plain password": (
        "linkedService",
        {"type": "RestService", "typeProperties": {"url": "x", "authenticationType": "Basic", "password": "p"}},
    ),
    "a schedule": (
        "trigger",
        {
            "type": "ScheduleTrigger",
            "typeProperties": {
                "recurrence": {
                    "frequency": "Week",
                    "interval": 1,
                    "startTime": "2024-01-01T00:00:00",
                    "timeZone": "E. South America Standard Time",
                    "schedule": {"minutes": [0], "hours": [6], "weekDays": ["Monday"]},
                }
            },
            "pipelines": [{"pipelineReference": {"referenceName": "p", "type": "PipelineReference"}, "parameters": {}}],
            "runtimeState": "Started",
        },
    ),
    "an integration runtime": ("integrationRuntime", {"type": "SelfHosted", "typeProperties": {}}),
    "a global parameter": ("globalParameter", {"default": {"type": "int", "value": 1}}),
    "a network": ("managedVirtualNetwork", {"preventDataExfiltration": False}),
}


@pytest.mark.parametrize("name", REAL)
def test_what_real_factories_hold_is_taken(name: str) -> None:
    assert faults(*REAL[name]) == []


WRONG: dict[str, tuple[str, Any, str, str]] = {
    "no type": ("linkedService", {"typeProperties": {}}, "", "There is no 'type'. Add it"),
    "a misspelt type": ("linkedService", {"type": "AzureBlobStorag"}, "type", "Did you mean 'AzureBlobStorage'"),
    "no linked service": ("dataset", {"type": "Binary"}, "", "There is no 'linkedServiceName'"),
    "a reference as text": (
        "dataset",
        {"type": "Binary", "linkedServiceName": "Lake"},
        "linkedServiceName",
        'Write {"referenceName": ..., "type": "LinkedServiceReference"}',
    ),
    "an activity without a name": ("pipeline", {"activities": [{"type": "Wait"}]}, "activities[0]", "no 'name'"),
    "an activity without a type": ("pipeline", {"activities": [{"name": "a"}]}, "activities[0]", "no 'type'"),
    "activities as an object": ("pipeline", {"activities": {"a": 1}}, "activities", "where a list is wanted"),
    "a word for a number": (
        "pipeline",
        pipeline("ForEach", items="@x", activities=[], batchCount="many"),
        "activities[0].typeProperties.batchCount",
        "where a whole number is wanted",
    ),
    "a condition that is none": (
        "pipeline",
        pipeline("Wait", {"dependsOn": [{"activity": "b", "dependencyConditions": ["Suceeded"]}]}),
        "activities[0].dependsOn[0].dependencyConditions[0]",
        "Did you mean 'Succeeded'",
    ),
    "a fault deep inside": (
        "pipeline",
        pipeline("IfCondition", expression=COMPUTED, ifTrueActivities=[{"name": "b", "type": "Wate"}]),
        "activities[0].typeProperties.ifTrueActivities[0].type",
        "Did you mean 'Wait'",
    ),
    "a copy without a sink": ("pipeline", pipeline("Copy", source=SOURCE), "activities[0].typeProperties", "no 'sink'"),
    "a source that is none": (
        "pipeline",
        pipeline("Copy", source={"type": "DelimitedTextSorce"}, sink={"type": "JsonSink"}),
        "activities[0].typeProperties.source.type",
        "Did you mean 'DelimitedTextSource'",
    ),
    "a type of parameter that is none": (
        "pipeline",
        {"parameters": {"p": {"type": "text"}}},
        "parameters.p.type",
        "'text' is none of",
    ),
    "a frequency that is none": (
        "trigger",
        {"type": "ScheduleTrigger", "typeProperties": {"recurrence": {"frequency": "Daily"}}},
        "typeProperties.recurrence.frequency",
        "Did you mean 'Day'",
    ),
    "properties as a list": ("pipeline", [], "", "where an object is wanted"),
    "a type that is a number": ("trigger", {"type": 1}, "type", "where the name of a type is wanted"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_told_with_its_place_and_what_to_try(name: str) -> None:
    kind, properties, path, told = WRONG[name]
    found = [each for each in faults(kind, properties) if told in " ".join(each[1:])]
    assert [each[0].removeprefix("properties") for each in found] == [path]


def test_all_faults_are_told_at_once() -> None:
    activities = [{"name": "a"}, {"type": "Fail", "typeProperties": {}}]
    assert len(faults("pipeline", {"activities": activities, "concurrency": "many"})) == 3
    assert len(faults("pipeline", {"activities": [{}] * 1000})) == MOST_FAULTS


@pytest.mark.parametrize("body", [None, [], "x", 1, {}, {"name": "p"}])
def test_a_body_needs_properties(body: Any) -> None:
    assert len(check_body("pipeline", body)) == 1


def test_a_factory_needs_none() -> None:
    assert check_body("factory", {"location": "westus"}) == []


def test_a_client_that_loses_types_is_named_with_its_cure() -> None:
    client = "azsdk-python-mgmt-datafactory/10.0.0 Python/3.11.2"
    found = faults("pipeline", {"activities": [{"name": "a"}, {"name": "b"}]}, client)
    assert "azure-mgmt-datafactory 10.0.0 leaves the 'type' out" in found[0][2]
    assert "'azure-mgmt-datafactory<10'" in found[0][2]
    assert found[1][2] == "Add it: it says what the rest means."
    assert "10.0.0" not in faults("pipeline", {"activities": [{"name": "a"}]}, client.replace("10.0.0", "9.3.0"))[0][2]


@pytest.mark.parametrize(
    ("kind", "properties"),
    [
        ("pipeline", {"activities": [{"name": "a", "type": "Execution"}]}),
        ("trigger", {"type": "MultiplePipelineTrigger"}),
    ],
)
def test_the_family_of_a_type_is_no_type(kind: str, properties: Json) -> None:
    told = faults(kind, properties, "azsdk-python-mgmt-datafactory/10.0.0")
    assert [advice.partition(" leaves")[0] for _, _, advice in told] == ["azure-mgmt-datafactory 10.0.0"]
    assert "leaves" not in faults(kind, properties, "azsdk-python-mgmt-datafactory/9.3.0")[0][2]


def test_a_body_that_is_nested_too_deep_is_refused() -> None:
    deep: Any = {}
    for _ in range(DEEPEST * 50):
        deep = {"a": deep}
    assert [fault.message for fault in check_body("pipeline", deep)] == ["The body is nested deeper than 100 levels."]


def test_a_large_pipeline_is_checked_at_once() -> None:
    body = {
        "properties": {"activities": pipeline("Copy", source=SOURCE, sink={"type": "JsonSink"})["activities"] * 2000}
    }
    began = perf_counter()
    assert check_body("pipeline", body) == []
    assert perf_counter() - began < 1


words = st.sampled_from(["type", "properties", "activities", "name", "typeProperties", "Copy", "@", "source", "value"])
bodies = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4),
)


@given(st.sampled_from(["pipeline", "dataset", "linkedService", "trigger", "factory", "globalParameter", "x"]), bodies)
def test_no_body_makes_it_fail(kind: str, body: Any) -> None:
    check_body(kind, {"properties": body}, known=KNOWN)
    check_body(kind, body)
