"""Resolving, checking and looking through JSON values."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from manara import clock
from manara.errors import WrongExpression
from manara.expr import Reference, check, evaluate, functions, references, resolve
from manara.expr.table import FUNCTIONS


class Late(Mapping[str, Any]):
    """A mapping that makes its values when they are asked for, as the runtime's does."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values_made: list[str] = []
        self._values = values

    def __getitem__(self, name: str) -> Any:
        value = self._values[name]
        self.values_made.append(name)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def test_resolve_reaches_everything() -> None:
    value = {
        "rows": [{"value": "@item()", "type": "Expression"}, "n@{item()}", 1, None],
        "inner": {"type": "Expression", "value": {"deep": "@add(item(), 1)"}},
        "text": "SELECT 1",
    }
    assert resolve(value, {"item": 4}) == {"rows": [4, "n4", 1, None], "inner": {"deep": 5}, "text": "SELECT 1"}


def test_resolve_leaves_other_objects_with_a_type_alone() -> None:
    value = {"type": "SecureString", "value": "**"}
    assert resolve(value, {}) == value


def test_resolve_names_the_path_of_an_error() -> None:
    with pytest.raises(WrongExpression) as caught:
        resolve({"a": [{"b c": "@variables('x')"}]}, {"variables": {}})
    assert caught.value.where == "a[0]['b c']"


def test_only_what_is_asked_for_is_made() -> None:
    outputs = Late({"A": {"output": 1}, "B": {"output": 2}})
    assert evaluate("@activity('b').output", {"activities": outputs}) == 2
    assert outputs.values_made == ["B"]


def test_check_finds_all_faults_with_their_paths() -> None:
    value = {"ok": "@utcNow()", "a": ["@foo()", {"b": "x@{add(1)}"}], "c": {"value": "@concat('", "type": "Expression"}}
    assert [path for path, _ in check(value)] == ["a[0]", "a[1].b", "c.value"]


def test_check_looks_at_no_values() -> None:
    assert check("@div(variables('nothing'), 0)") == []


def test_check_survives_any_depth() -> None:
    value: Any = "@foo()"
    for _ in range(5000):
        value = [value]
    assert len(check(value)) == 1


def test_references_names_what_an_expression_uses() -> None:
    value = {
        "a": "@concat(pipeline().Parameters.day, pipeline().globalParameters['stage'], variables('n'), item().x)",
        "b": ["in/@{activity('Load').output.rows[pipeline().parameters.at]}/@{dataset().folder}", "@pipeline()?.RunId"],
    }
    assert references(value) == [
        Reference(kind="parameter", name="day", path="a"),
        Reference(kind="globalParameter", name="stage", path="a"),
        Reference(kind="variable", name="n", path="a"),
        Reference(kind="item", name="x", path="a"),
        Reference(kind="activity", name="Load", path="b[0]"),
        Reference(kind="parameter", name="at", path="b[0]"),
        Reference(kind="dataset", name="folder", path="b[0]"),
        Reference(kind="system", name="RunId", path="b[1]"),
    ]


def test_a_computed_name_is_an_empty_reference() -> None:
    assert references("@variables(concat('a', item()))") == [
        Reference(kind="variable", name="", path=""),
        Reference(kind="item", name="", path=""),
    ]


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("@trigger().scheduledTime", "2024-01-01T00:00:00Z"),
        ("@trigger().outputs.windowStartTime", "w0"),
        ("@triggerOutputs().windowStartTime", "w0"),
        ("@triggerBody().fileName", "stock.csv"),
        ("@dataset().folder", "in"),
        ("@pipeline().dataset.folder", "in"),
        ("@linkedService().server", "s1"),
        ("@items('Each')", 3),
        ("@pipeline().RunId", "r"),
    ],
)
def test_the_names_of_the_scope(expression: str, wanted: Any) -> None:
    scope = {
        "pipeline": {"RunId": "r"},
        "trigger": {
            "scheduledTime": "2024-01-01T00:00:00Z",
            "outputs": {"windowStartTime": "w0", "body": {"fileName": "stock.csv"}},
        },
        "dataset": {"folder": "in"},
        "linkedService": {"server": "s1"},
        "items": {"Each": 3},
    }
    assert evaluate(expression, scope) == wanted


@pytest.mark.parametrize("name", ["pipeline", "item", "dataset", "linkedService", "trigger", "triggerBody"])
def test_a_name_without_a_value_is_an_error(name: str) -> None:
    with pytest.raises(WrongExpression, match=f"{name}: It has no value"):
        evaluate(f"@{name}()", {})


def test_the_clock_and_the_ids_can_be_held() -> None:
    with clock.frozen(datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)):
        assert evaluate("@utcNow()", {}) == "2024-05-06T07:08:09.1234560Z"
        assert evaluate("@getPastTime(1, 'Month', 'yyyy-MM')", {}) == "2024-04"
        assert evaluate("@getFutureTime(2, 'Day', 'd')", {}) == "5/8/2024"
        assert evaluate("@guid()", {}) == "00000000-0000-0000-0000-000000000001"
        assert evaluate("@guid('N')", {}) == "00000000000000000000000000000002"


def test_all_documented_functions_are_there() -> None:
    documented = [one.category for one in FUNCTIONS.values() if one.documented]
    counted = {category: documented.count(category) for category in documented}
    assert counted == {"String": 12, "Collection": 10, "Logical": 9, "Conversion": 24, "Math": 9, "Date": 20}


def test_a_signature_is_made_from_the_code() -> None:
    known = functions()
    assert known["substring"] == "substring(text: string, startIndex: integer, length?: integer) -> string"
    assert known["concat"] == "concat(value...: any) -> string"
