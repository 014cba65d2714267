"""Factories as templates, and back."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.resources.template.templates import Json, resource, template

from manara.resources.factory import Factory, made_factory, read_factory
from manara.resources.template.evaluate import TemplateFaults
from manara.resources.template.export import Export, export_template
from manara.resources.template.git import VAULT, Layout, layout_of_template

BLUEPRINTS = Path(__file__).parents[3] / "src" / "manara" / "blueprints"
GOLDEN = Path(__file__).with_name("golden.json")
SECRET = {"type": "SecureString", "value": "hidden"}
ODD = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.text(alphabet="[]'@{}", max_size=5)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | ODD,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(ODD.filter(lambda key: key.lower() != "copy"), inner, max_size=3)
    ),
    max_leaves=8,
)
NAMES = st.text(alphabet="aB c'_-[]é", min_size=1, max_size=6).filter(lambda name: name == name.strip())


def factory(files: Mapping[str, Any]) -> Factory:
    made = made_factory(
        Path("north"),
        {place: json.dumps({"name": Path(place).stem, "properties": held}) for place, held in files.items()},
        local={},
        more={},
    )
    assert not made.faults
    return made


def back(made: Export, *, with_secrets: bool = True) -> Layout:
    values = {name: part["value"] for name, part in made.parameters["parameters"].items()}
    document = json.loads(json.dumps(made.template))
    return layout_of_template(document, {**values, **(made.secrets if with_secrets else {})})


def properties(layout: Layout) -> dict[str, Any]:
    return {place: json.loads(text)["properties"] for place, text in layout.files.items()}


FILES: dict[str, Any] = {
    "factory/north.json": {"globalParameters": {"office": {"type": "string", "value": "Aden"}}},
    "linkedService/Lake.json": {
        "type": "AzureBlobStorage",
        "typeProperties": {"connectionString": "AccountName=a;AccountKey=k", "serviceEndpoint": "https://x"},
    },
    "linkedService/Sql.json": {
        "type": "AzureSqlDatabase",
        "typeProperties": {"server": "s", "password": SECRET, "deep": {"more": [SECRET]}},
        "connectVia": {"referenceName": "Office", "type": "IntegrationRuntimeReference"},
    },
    "integrationRuntime/Office.json": {"type": "SelfHosted"},
    "dataset/Table.json": {
        "type": "AzureSqlTable",
        "linkedServiceName": {"referenceName": "Sql", "type": "LinkedServiceReference"},
        "typeProperties": {"tableName": "[dbo].[stock]"},
    },
    "pipeline/load.json": {
        "activities": [
            {
                "name": "It's",
                "type": "Copy",
                "inputs": [{"referenceName": "Table", "type": "DatasetReference"}],
                "typeProperties": {"[key]": "[dbo].[x]", "query": "@concat('[', ']')"},
            }
        ]
    },
    "trigger/daily.json": {
        "type": "ScheduleTrigger",
        "runtimeState": "Started",
        "pipelines": [
            {"pipelineReference": {"referenceName": "load", "type": "PipelineReference"}, "parameters": {"month": 5}}
        ],
    },
}


def test_a_template_has_the_form_that_data_factory_publishes() -> None:
    made = export_template(factory(FILES))
    assert json.loads(GOLDEN.read_text(encoding="utf-8")) == {"template": made.template, "parameters": made.parameters}


@pytest.mark.parametrize("name", ["start", "supply"])
def test_a_blueprint_comes_back_as_it_went(name: str) -> None:
    whole = read_factory(BLUEPRINTS / name)
    held = {item.file: item.data.get("properties", {}) for item in whole.definitions.values()}
    assert properties(back(export_template(whole))) == held


def test_a_factory_comes_back_with_its_triggers_stopped() -> None:
    layout = back(export_template(factory(FILES)))
    stopped = {**FILES["trigger/daily.json"], "runtimeState": "Stopped"}
    assert properties(layout) == {**FILES, "trigger/daily.json": stopped}
    assert (layout.name, layout.secrets) == ("north", ())


@given(st.dictionaries(NAMES, VALUES, max_size=3), st.dictionaries(NAMES, VALUES, max_size=3), VALUES)
def test_odd_texts_come_back_as_they_went(pipelines: Json, services: Json, value: Any) -> None:
    files: Json = {
        f"pipeline/{name}.json": {
            "activities": [{"name": "a", "type": "Wait", "typeProperties": {"x": part}}],
            "y": value,
        }
        for name, part in pipelines.items()
    }
    for name, part in services.items():
        held = {"url": value, "password": {"type": "SecureString", "value": name}, "x": part}
        files[f"linkedService/{name}.json"] = {"type": "Web", "typeProperties": held}
    files = {place: held for index, (place, held) in enumerate(files.items()) if _is_first(files, index)}
    if files:
        assert properties(back(export_template(factory(files)))) == files


def _is_first(files: Json, index: int) -> bool:
    """Names that differ in capitals only are one name in Azure, and one file in some folders."""
    lowered = [place.lower() for place in files]
    return lowered.index(lowered[index]) == index


def test_secrets_are_left_out_unless_they_are_asked_for() -> None:
    made = export_template(factory(FILES))
    assert made.parameters["parameters"]["Sql_password"] == {"value": ""}
    assert "hidden" not in json.dumps([made.template, made.parameters])
    assert export_template(factory(FILES), with_secrets=True).parameters["parameters"]["Sql_password"] == {
        "value": "hidden"
    }


def test_a_secret_that_is_not_given_is_looked_up_in_a_key_vault() -> None:
    layout = back(export_template(factory(FILES)), with_secrets=False)
    assert layout.secrets == ("Lake_connectionString", "Sql_deep_more_0", "Sql_password")
    held = properties(layout)
    assert held["linkedService/Sql.json"]["typeProperties"]["password"]["secretName"] == "Sql_password"
    assert held[f"linkedService/{VAULT}.json"]["type"] == "AzureKeyVault"


def test_a_factory_with_very_many_addresses_has_parameters_for_its_secrets_only() -> None:
    files: Json = {
        f"linkedService/s{number}.json": {"type": "Web", "typeProperties": {"url": "u", "password": SECRET}}
        for number in range(200)
    }
    made = export_template(factory(files))
    assert len(made.template["parameters"]) == 201
    assert properties(back(made)) == files


def test_parameters_of_one_name_are_told_apart() -> None:
    files: Json = {
        f"linkedService/{name}.json": {"type": "Web", "typeProperties": held}
        for name, held in (("a", {"b": {"c": SECRET}}), ("a_b", {"c": {**SECRET, "value": "other"}}))
    }
    assert properties(back(export_template(factory(files)))) == files


@pytest.mark.parametrize(
    ("resources", "says"),
    [
        ([], "The template makes nothing."),
        ([resource("x", "Microsoft.Storage/storageAccounts")], "is no part of a factory"),
        ([resource("f/a"), resource("g/b")], "The template makes 2 factories: f, g."),
        ([resource("f/a"), resource("f/a:b")], "cannot be the name of a file"),
        ([resource("f/.hidden")], "cannot be the name of a file"),
        ([resource("f/" + "é" * 130)], "is too long for the name of a file"),
    ],
)
def test_what_no_folder_can_hold_is_refused(resources: list[Json], says: str) -> None:
    with pytest.raises(TemplateFaults) as error:
        layout_of_template(template(*resources), {})
    assert says in str(error.value)


def test_global_parameters_and_endpoints_find_their_place() -> None:
    kind = "Microsoft.DataFactory/factories"
    layout = layout_of_template(
        template(
            resource("f", kind, location="x", properties={}),
            resource("f/default", f"{kind}/globalparameters", properties={"a": {"type": "int", "value": 1}}),
            resource("f/net/e", f"{kind}/managedVirtualNetworks/managedPrivateEndpoints", properties={}),
            resource("f/c", f"{kind}/adfcdcs", properties={}),
        ),
        {},
    )
    assert json.loads(layout.files["factory/f.json"])["properties"]["globalParameters"] == {
        "a": {"type": "int", "value": 1}
    }
    assert "managedVirtualNetwork/net/managedPrivateEndpoint/e.json" in layout.files
    assert layout.passed_by == (f"{kind}/adfcdcs f/c",)
