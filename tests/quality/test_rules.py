from pathlib import Path
from typing import Any

import pytest
from tests.quality.conftest import contract_text

from manara.quality import odcs
from manara.quality.contract import read_contract
from manara.quality.odcs import Contract
from manara.quality.rules import rules_of

KEY: dict[str, Any] = {"name": "code", "primaryKey": True}
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "contracts.md"


def contract(*properties: dict[str, Any], quality: list[dict[str, Any]] | None = None) -> Contract:
    return read_contract(contract_text([KEY, *properties], quality or []), "contract/stock.yaml")


VALUES = {"type": "library", "metric": "invalidValues", "arguments": {"validValues": ["a"]}}
CUSTOM = {"id": "stock-identity", "type": "custom", "engine": "manara", "implementation": "v = code"}


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ({"required": True}, ("v.required", "completeness", "error")),
        ({"logicalType": "date"}, ("v.type", "conformity", "error")),
        ({"transformLogic": "upper(v)"}, ("v.type", "conformity", "error")),
        ({"logicalTypeOptions": {"pattern": "x"}}, ("v.pattern", "conformity", "error")),
        ({"logicalTypeOptions": {"maxLength": 3}}, ("v.length", "conformity", "error")),
        ({"quality": [VALUES]}, ("v.values", "conformity", "error")),
        ({"quality": [VALUES | {"severity": "warning"}]}, ("v.values", "conformity", "warning")),
        ({"relationships": [{"to": "t.c"}]}, ("v.reference", "consistency", "error")),
        ({"unique": True}, ("v.unique", "uniqueness", "error")),
        ({"quality": [CUSTOM]}, ("stock-identity", "consistency", "error")),
        ({"quality": [CUSTOM | {"dimension": "timeliness"}]}, ("stock-identity", "timeliness", "error")),
    ],
)
def test_a_property_makes_its_rule(field: dict[str, Any], expected: tuple[str, str, str]) -> None:
    made = [(rule.name, rule.dimension, rule.severity) for rule in rules_of(contract({"name": "v"} | field))]
    assert made == [
        ("code.required", "completeness", "error"),
        expected,
        ("key.duplicate", "uniqueness", "error"),
    ]


def test_a_range_comes_after_the_type() -> None:
    number = {"name": "v", "logicalType": "number", "logicalTypeOptions": {"minimum": 0}}
    assert [rule.name for rule in rules_of(contract(number))][1:3] == ["v.type", "v.range"]


@pytest.mark.parametrize(
    "rule",
    [
        {"type": "text", "description": "The count is made on the last day of the month."},
        {"type": "custom", "engine": "soda", "implementation": "checks: ..."},
    ],
)
def test_a_rule_that_is_not_for_the_gate_is_left_alone(rule: dict[str, Any]) -> None:
    assert [each.name for each in rules_of(contract(quality=[rule]))] == ["code.required", "key.duplicate"]


@pytest.mark.parametrize(
    "word",
    ["required", "type", "range", "pattern", "length", "values", "reference", "unique"],
)
def test_the_reference_page_names_every_rule(word: str) -> None:
    assert f"`<column>.{word}`" in PAGE.read_text("utf-8")


def test_the_reference_page_names_every_key_that_is_read() -> None:
    parts = [each for each in vars(odcs).values() if isinstance(each, type) and issubclass(each, odcs.Part)]
    keys = {str(field.alias) for part in parts for field in part.model_fields.values()}
    text = PAGE.read_text("utf-8")
    assert sorted(key for key in keys if f"`{key}`" not in text) == []
