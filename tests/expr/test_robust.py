"""Nothing but WrongExpression comes out of a text, whatever is in it."""

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manara.errors import WrongExpression
from manara.expr import check, evaluate, functions

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=12)
    | st.sampled_from(["2024-01-31T10:00:00Z", "UTC", "Month", "<a><b>1</b></a>", "//b", "0.0#", "yyyy-MM-dd", "YQ=="]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
SCRAPS = st.sampled_from(
    [
        *"@{}()[].,?'",
        "@{",
        "?.",
        "?[",
        "''",
        "item()",
        "concat(",
        "'a'",
        "1",
        "-2.5",
        "null",
        " ",
        "\n",
        "x",
        "é",
        "\ud800",
    ]
)


@given(st.lists(SCRAPS, max_size=25).map("".join))
@settings(max_examples=400, deadline=None)
def test_any_text_gives_a_value_or_a_wrong_expression(text: str) -> None:
    with contextlib.suppress(WrongExpression):
        evaluate(text, {"item": {"x": [1]}})


@pytest.mark.parametrize("name", sorted(functions()))
@given(data=st.lists(JSON, max_size=4))
@settings(max_examples=40, deadline=None)
def test_any_arguments_give_a_value_or_a_wrong_expression(name: str, data: list[Any]) -> None:
    text = f"@{name}({', '.join(f'item()[{at}]' for at in range(len(data)))})"
    with contextlib.suppress(WrongExpression):
        evaluate(text, {"item": data, "variables": {}, "activities": {}})


@pytest.mark.parametrize(
    "text",
    [
        "@" + "not(" * 5000 + "true" + ")" * 5000,
        "@item()" + ".a" * 20_000,
        "@" + "item()[" * 3000,
        "@'" + "x" * 1_000_000,
        "@range(1, 9223372036854775807)",
        "@addDays('2024-01-01', 9223372036854775807)",
        "@addToTime('2024-01-01', 9223372036854775807, 'Year')",
        "@formatNumber(1.5, 'N999999999')",
        "@int('" + "9" * 10_000 + "')",
        "@json('" + "9" * 10_000 + "')",
        "@json('1e999')",
        "@json('" + "[" * 100_000 + "')",
        "@xml('" + "<a>" * 100_000 + "')",
        "@xpath('<a/>', '" + "(" * 10_000 + "')",
        "@xml('<!DOCTYPE a [<!ENTITY b \"b\">]><a>&b;</a>')",
        "@mul(1e308, 1e308)",
        "@convertFromUtc('0001-01-01', 'Pacific Standard Time')",
        "@convertToUtc('9999-12-31T23:59:59', 'Pacific Standard Time')",
        "@convertFromUtc('2024-01-01', '../../etc/passwd')",
    ],
    ids=lambda text: text[:40],
)
def test_what_is_too_much_is_a_wrong_expression(text: str) -> None:
    with pytest.raises(WrongExpression):
        evaluate(text, {"item": {}})


def test_a_deep_value_is_a_wrong_expression() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(WrongExpression):
        evaluate("@string(item())", {"item": deep})


def test_a_huge_text_without_an_expression_is_left_alone() -> None:
    text = "x" * 10_000_000
    assert evaluate(text, {}) is text
    assert check(text) == []
