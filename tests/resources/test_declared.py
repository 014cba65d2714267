from typing import Any

import pytest

from manara.resources.declared import fit
from manara.resources.model import Pipeline
from manara.resources.parameters import bind_parameters


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("String", True, "True"),
        ("String", [1, "a"], '[1,"a"]'),
        ("Int", " 7", 7),
        ("int", 7.0, 7),
        ("Float", "1.5", 1.5),
        ("Bool", "false", False),
        ("Array", "[1]", [1]),
        ("Object", '{"a": 1}', {"a": 1}),
        ("Object", [1], [1]),
        ("Mystery", {"kept": 1}, {"kept": 1}),
        ("Int", None, None),
    ],
)
def test_a_value_takes_its_declared_type(kind: str, value: Any, expected: Any) -> None:
    found = fit(kind, value)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("kind", "value"),
    [("Int", 1.5), ("Int", True), ("Int", "many"), ("Bool", 1), ("Float", "x"), ("Array", "{}"), ("Array", {}),
     ("Object", "[1]"), ("Object", "no")],
)  # fmt: skip
def test_what_does_not_fit_is_refused(kind: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r".*"):
        fit(kind, value)


def test_parameters_and_variables_are_typed_alike() -> None:
    declared = {"name": "p", "properties": {"parameters": {"s": {"type": "String", "defaultValue": True}}}}
    assert bind_parameters(Pipeline.model_validate(declared), {}) == {"s": "True"}
