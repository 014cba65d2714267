"""Templates and parameters as they come."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.resources.template.templates import SCHEMA, resource, template

from manara.resources.template.evaluate import TemplateFaults
from manara.resources.template.read import check_template, read_json, read_values

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1}', {"a": 1}),
        ('\ufeff{"a": 1}', {"a": 1}),
        ('{a: 1, "b": [1, 2,], // c: 3\n}', {"a": 1, "b": [1, 2]}),
        ('{"a": "x // y", /* "b": 2, */ c: "z, }"}', {"a": "x // y", "c": "z, }"}),
        ("{'a': 'it\\'s \"so\"'}", {"a": 'it\'s "so"'}),
        ('{"a": "two\nlines"}', {"a": "two\nlines"}),
        ('{"a": +1, b: 0x10}', {"a": 1, "b": 16}),
        ('{"properties": {"mode": "x"}, template:{"a": 1}}', {"properties": {"mode": "x"}, "template": {"a": 1}}),
    ],
)
def test_json_is_read_with_the_freedoms_that_azure_tools_take(text: str, expected: Any) -> None:
    assert read_json(text.encode()) == expected


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b'{"a": 1', "This is no JSON"),
        (b"", "This is no JSON"),
        (b'{"a": NaN}', "This is no JSON"),
        (b'{"a": "\xff"}', "is no UTF-8"),
        (b"[" * 500 + b"]" * 500, "nested too deeply"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{a: "' + b"x" * 300_000, "This is no JSON"),
        (b" " * (20 * 2**20 + 1), "bytes; at most"),
    ],
    ids=range(8),
)
def test_what_cannot_be_read_is_told(raw: bytes, says: str) -> None:
    with pytest.raises(TemplateFaults) as error:
        read_json(raw)
    assert says in str(error.value)


@given(VALUES)
def test_the_quick_way_reads_what_json_says(value: Any) -> None:
    text = "/* c */" + json.dumps({"k": value}, ensure_ascii=False).replace('"k"', "k", 1) + "// end"
    assert read_json(text.encode()) == {"k": value}


def test_ten_megabytes_with_comments_are_read_in_seconds() -> None:
    whole = json.dumps(template(*(resource(f"f/{number}", x="y" * 10_000) for number in range(1_000))))
    raw = whole.replace('"resources"', "// here\n resources", 1).encode()
    assert len(raw) > 10_000_000
    began = time.process_time()
    assert len(read_json(raw)["resources"]) == 1_000
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ([], "A template is a JSON object."),
        ({"$schema": SCHEMA}, "has an array of resources, and this has none"),
        ({"name": "p", "properties": {}}, "Export it from Data Factory"),
        ({"$schema": SCHEMA.replace("deploymentTemplate", "deploymentParameters")}, "a file of parameters"),
        ({"$schema": SCHEMA.replace("deployment", "subscriptionDeployment")}, "a template for a subscription"),
        ({"$schema": "https://json-schema.org/draft/2020-12/schema"}, "is no schema of a template"),
        ({"$schema": 1, "resources": []}, "is no schema of a template"),
    ],
)
def test_what_is_no_template_for_a_group_is_refused(document: Any, says: str) -> None:
    with pytest.raises(TemplateFaults) as error:
        check_template(document)
    assert says in str(error.value)


def test_values_are_read_from_a_file_and_from_a_request() -> None:
    values = {"a": {"value": 1}, "b": {"value": None}}
    assert read_values(values) == {"a": 1, "b": None}
    assert read_values({"$schema": "x", "parameters": values}) == {"a": 1, "b": None}
    assert read_values(None) == {}


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"a": 1}, "parameters.a: A parameter is given as"),
        ({"a": {"reference": {"keyVault": {}}}}, "parameters.a: The value lies in a Key Vault of Azure"),
        ([], "An object belongs here."),
    ],
)
def test_values_that_cannot_be_had_are_told(values: Any, says: str) -> None:
    with pytest.raises(TemplateFaults) as error:
        read_values(values)
    assert says in str(error.value)
