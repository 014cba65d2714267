from pathlib import Path
from typing import Any

import pytest
from tests.quality.conftest import contract_text

from manara.errors import Faults
from manara.plugin.activity import CHECKERS
from manara.quality.contract import read_contract

KEY: dict[str, Any] = {"name": "code", "primaryKey": True}


def faults_of(text: str) -> dict[str, str]:
    with pytest.raises(Faults) as raised:
        read_contract(text, "contract/stock.yaml")
    assert {fault.file for fault in raised.value.faults} == {"contract/stock.yaml"}
    return {fault.path: f"{fault.message} {fault.advice}".strip() for fault in raised.value.faults}


def custom(implementation: Any, **more: Any) -> dict[str, Any]:
    return {"id": "r", "type": "custom", "engine": "manara", "implementation": implementation} | more


def library(**arguments: Any) -> dict[str, Any]:
    return {"type": "library", "metric": "invalidValues", "arguments": arguments}


def test_a_contract_keeps_what_it_does_not_know() -> None:
    contract = read_contract(contract_text([KEY | {"tags": ["x"]}], domain="supply"), "c")
    assert contract.model_extra == {"domain": "supply"}
    assert contract.properties[0].model_extra == {"tags": ["x"]}
    assert contract.model_dump(by_alias=True, exclude_unset=True)["schema"][0]["properties"][0]["tags"] == ["x"]


def test_a_contract_is_checked_with_the_rest_of_the_factory() -> None:
    with pytest.raises(Faults, match=r"contract/stock\.yaml schema: This is missing\."):
        CHECKERS.find("contract")("kind: DataContract", "contract/stock.yaml")


def test_keys_come_by_their_position() -> None:
    second = {"name": "a", "primaryKey": True, "primaryKeyPosition": 2}
    first = {"name": "b", "primaryKey": True, "primaryKeyPosition": 1}
    assert [key.name for key in read_contract(contract_text([second, first]), "c").keys] == ["b", "a"]


SQL = {"type": "sql", "id": "q", "mustBe": 0}


@pytest.mark.parametrize(
    ("field", "path", "says"),
    [
        ({"logicalType": "decimal"}, "logicalType", "'decimal' is not known here. Known are: 'string'"),
        ({"name": "_row"}, "name", "is a name that the gate needs"),
        ({"name": "__text_1"}, "name", "is a name that the gate needs"),
        ({"name": 7}, "name", "7 is not a text. Put it in quotes."),
        ({"required": "perhaps"}, "required", "valid boolean"),
        ({"transformLogic": "a; drop table x"}, "transformLogic", "holds 2 statements"),
        ({"relationships": [{"to": "facility"}]}, "relationships[0].to", "Write table.column."),
        ({"logicalTypeOptions": {"pattern": "("}}, "logicalTypeOptions.pattern", "not a regular expression"),
        ({"logicalTypeOptions": {"minimum": 1}}, "logicalTypeOptions.minimum", "of type string has no minimum"),
        ({"logicalTypeOptions": {"multipleOf": 5}}, "logicalTypeOptions.multipleOf", "is not checked by the gate"),
        (
            {"logicalType": "integer", "logicalTypeOptions": {"pattern": "x"}},
            "logicalTypeOptions.pattern",
            "of type integer has no pattern",
        ),
        (
            {"logicalType": "date", "logicalTypeOptions": {"minimum": "soon"}},
            "logicalTypeOptions.minimum",
            "'soon' is not of type date",
        ),
        (
            {"logicalType": "integer", "customProperties": [{"property": "formats", "value": ["%Y"]}]},
            "customProperties[0].value",
            "of type integer has no formats",
        ),
        ({"customProperties": [{"property": "missingValues", "value": [9]}]}, "customProperties[0].value", "of texts"),
        ({"quality": [library(validValues=[True])]}, "quality[0].arguments.validValues[0]", "Put it in quotes."),
        ({"quality": [library()]}, "quality[0].arguments.validValues", "needs the list validValues"),
        (
            {"quality": [{"type": "library", "metric": "nullValues"}]},
            "quality[0]",
            "does not say what nullValues must be",
        ),
        (
            {"quality": [{"type": "library", "metric": "nullValues", "mustBeLess": 5}]},
            "quality[0].mustBeLess",
            "not known",
        ),
        ({"quality": [{"type": "library", "metric": "nullValues", "mustBe": "few"}]}, "quality[0].mustBe", "no number"),
        (
            {"quality": [{"type": "library", "metric": "nullValues", "mustBe": 0, "unit": "pct"}]},
            "quality[0].unit",
            "rows",
        ),
        ({"quality": [{"type": "library", "metric": "rowCount"}]}, "quality[0].metric", "'rowCount' is not checked"),
        ({"quality": [{"type": "library", "metric": "mode"}]}, "quality[0].metric", "'mode' is not checked"),
        ({"quality": [{"type": "sql", "query": "select 1", "mustBe": 1}]}, "quality[0].id", "needs an id"),
        ({"quality": [{"type": "sql", "id": "q", "query": "select 1"}]}, "quality[0]", "what its query must be"),
        ({"quality": [{"type": "sql", "id": "q", "mustBe": 1}]}, "quality[0].query", "has no query"),
        ({"quality": [SQL | {"query": "2 > 1"}]}, "quality[0].query", "is no query"),
        ({"quality": [SQL | {"query": "select count(*) from {thing}"}]}, "quality[0].query", "'{thing}' is not known"),
        ({"quality": [SQL | {"query": "select 1; drop table x"}]}, "quality[0].query", "is not SQL"),
        ({"quality": [SQL | {"query": "select 1) ; (select 2"}]}, "quality[0].query", "2 statements"),
        (
            {"quality": [SQL | {"query": "select count(*) from read_csv('/etc/passwd')"}]},
            "quality[0].query",
            "read_csv",
        ),
        ({"quality": [SQL | {"query": "select count(*) from 'a.csv'"}]}, "quality[0].query", "no plain table name"),
        ({"quality": [SQL | {"query": "delete from stock"}]}, "quality[0].query", "SQL"),
    ],
)
def test_a_fault_of_a_property_is_told_with_its_path(field: dict[str, Any], path: str, says: str) -> None:
    faults = faults_of(contract_text([KEY, {"name": "other"} | field]))
    assert list(faults) == [f"schema[0].properties[1].{path}"]
    assert says in faults[f"schema[0].properties[1].{path}"]


@pytest.mark.parametrize(
    ("rule", "path", "says"),
    [
        (custom("code = 'a'", id=None), "id", "needs an id"),
        (custom(["a"]), "implementation", "as a text"),
        (custom("cod = 'a'"), "implementation", "no property 'cod'. Did you mean 'code'?"),
        (custom("select 1"), "implementation", "is a statement"),
        (custom("code = 'a'", severity="bad"), "severity", "'bad' is not known here"),
        (custom("code = 'a'", dimension="beauty"), "dimension", "Known are: 'accuracy'"),
    ],
)
def test_a_fault_of_a_rule_is_told_with_its_path(rule: dict[str, Any], path: str, says: str) -> None:
    faults = faults_of(contract_text([KEY], [rule]))
    assert list(faults) == [f"schema[0].quality[0].{path}"]
    assert says in faults[f"schema[0].quality[0].{path}"]


def test_all_faults_are_told_at_once() -> None:
    text = contract_text(
        [{"name": "a", "logicalType": "int"}, {"name": "b", "transformLogic": "drop table x"}, {"name": "B"}],
        [custom("b = 1"), custom("b > 1")],
        apiVersion="v2.0",
    )
    assert list(faults_of(text)) == [
        "apiVersion",
        "schema[0].properties[0].logicalType",
        "schema[0].properties[1].transformLogic",
        "schema[0].properties",
        "schema[0].quality[1].id",
    ]


def test_two_rules_of_one_id_are_told_whatever_their_types() -> None:
    custom = {"type": "custom", "engine": "manara", "id": "q", "implementation": "code <> ''"}
    asked = SQL | {"query": "select 0"}
    faults = faults_of(contract_text([KEY | {"quality": [asked]}], [custom, asked]))
    assert [path for path, told in faults.items() if "'q' stands here a second time" in told] == [
        "schema[0].quality[1].id", "schema[0].properties[0].quality[0].id",
    ]  # fmt: skip


def test_a_repeated_name_is_told_whatever_its_case() -> None:
    faults = faults_of(contract_text([KEY, {"name": "CODE"}]))
    assert faults["schema[0].properties[1].name"] == (
        "'code' stands here a second time, first at schema[0].properties[0]."
    )


@pytest.mark.parametrize(
    ("text", "path", "says"),
    [
        ("a: [1", "line 1, column 6", "not YAML"),
        ("kind: a\nid: b\nkind: c", "line 3, column 1", "'kind' stands here twice"),
        ("- 1", "", "begins with apiVersion"),
        ("", "", "begins with apiVersion"),
        ("a: 1\x00", "", "not YAML"),
        ("kind: DataContract", "schema", "This is missing."),
    ],
)
def test_what_is_no_contract_is_a_fault(text: str, path: str, says: str) -> None:
    assert says in faults_of(text)[path]


def test_the_contract_of_the_how_to_page_is_a_contract() -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "check-data-against-a-contract.md").read_text("utf-8")
    text = page.partition("```yaml\n")[2].partition("```")[0]
    assert [each.name for each in read_contract(text, "page").keys] == ["facility_code", "period"]
