"""The parameters of a template, held against what was given."""

from typing import Any

import pytest
from tests.resources.template.templates import Json, faults, plan, template


def declared(**parameter: Any) -> Json:
    return template(parameters={"p": parameter}, outputs={"o": {"type": "object", "value": "[parameters('P')]"}})


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ({"type": "String"}, ""),
        ({"type": "int"}, 5),
        ({"type": "bool"}, False),
        ({"type": "array"}, [1]),
        ({"type": "object"}, {"a": 1}),
        ({"type": "string", "allowedValues": ["a", "b"]}, "b"),
        ({"type": "array", "allowedValues": ["a", "b"]}, ["b"]),
        ({"type": "int", "minValue": 1, "maxValue": 5}, 5),
        ({"type": "string", "minLength": 1, "maxLength": 1}, "a"),
        ({"type": "string", "nullable": True}, None),
        ({"type": "string", "metadata": "a text, as Data Factory writes it"}, "a"),
        ({"type": "string"}, "[not evaluated]"),
    ],
)
def test_a_value_that_fits_is_taken_as_it_is(parameter: Json, value: Any) -> None:
    assert plan(declared(**parameter), p=value).outputs["o"]["value"] == value


@pytest.mark.parametrize(
    ("parameter", "value", "says"),
    [
        ({"type": "string"}, 1, "is of type string, and its value is a whole number."),
        ({"type": "int"}, "1", "is of type int, and its value is a text."),
        ({"type": "int"}, True, "its value is true or false"),
        ({"type": "bool"}, None, "its value is null"),
        ({"type": "string", "allowedValues": ["a", "b"]}, "c", "The value 'c' of the parameter 'p' is not part of"),
        ({"type": "int", "minValue": 1}, 0, "must be at least 1 (minValue)"),
        ({"type": "int", "maxValue": 1}, 2, "must be at most 1 (maxValue)"),
        ({"type": "string", "minLength": 2}, "a", "must be as long as 2 (minLength)"),
        ({"type": "array", "maxLength": 1}, [1, 2], "must be no longer than 1 (maxLength)"),
        ({"type": "text"}, "a", "A parameter has a type."),
        ({}, "a", "A parameter has a type."),
    ],
)
def test_a_value_that_does_not_fit_is_told(parameter: Json, value: Any, says: str) -> None:
    (fault,) = faults(declared(**parameter), p=value)
    assert says in fault.message
    assert fault.path == "parameters.p"


def test_a_secret_that_does_not_fit_is_not_shown() -> None:
    (fault,) = faults(declared(type="securestring", allowedValues=["a"]), p="hidden")
    assert "hidden" not in str(fault)


def test_what_is_not_given_and_what_is_not_known_are_told_together() -> None:
    found = faults(declared(type="string"), pp="a")
    assert [fault.message for fault in found] == [
        "The parameter 'pp' was given, and the template has none of that name.",
        "The value for the template parameter 'p' is not provided.",
    ]
    assert found[0].advice == "Did you mean 'p'?" or "p" in found[0].advice


def test_a_default_value_may_name_other_parameters_but_not_itself() -> None:
    two = {"p": {"type": "string", "defaultValue": "[parameters('q')]"}, "q": {"type": "string", "defaultValue": "a"}}
    document = template(parameters=two, outputs={"o": {"type": "string", "value": "[parameters('p')]"}})
    assert plan(document).outputs["o"]["value"] == "a"
    two["q"]["defaultValue"] = "[parameters('p')]"
    assert faults(document)
