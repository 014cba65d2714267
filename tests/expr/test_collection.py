"""The functions beyond the documented ones, and corners of the documented."""

from typing import Any

import pytest

from manara.errors import WrongExpression
from manara.expr import evaluate

SCOPE = {"item": {"rows": [{"n": 2, "k": "b"}, {"n": 1, "k": "A"}], "A": 1}}


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("@sort(item().rows, 'n')[0].k", "A"),
        ("@sort(createArray('b', 'C', 'a'))", ["a", "b", "C"]),
        ("@reverse(createArray(1, 2))", [2, 1]),
        ("@chunk(createArray(1, 2, 3), 2)", [[1, 2], [3]]),
        ("@slice('Hello', -3, -1)", "ll"),
        ("@slice('Hello', 9)", ""),
        ("@nthIndexOf('abAB', 'a', -1)", 2),
        ("@nthIndexOf('abAB', 'a', 3)", -1),
        ("@isInt('1.5')", False),
        ("@isInt('1_0')", False),
        ("@isFloat('1.5')", True),
        ("@addProperty(item().rows[0], 'x', null)", {"n": 2, "k": "b", "x": None}),
        ("@setProperty(item().rows[0], 'N', 5)", {"n": 5, "k": "b"}),
        ("@removeProperty(item().rows[0], 'K')", {"n": 2}),
        ("@dateDifference('2024-01-02T00:00:01.5', '2024-01-01')", "-1.00:00:01.5000000"),
        ("@parseDateTime('5/3/2024', 'en-us', 'd/M/yyyy')", "2024-03-05T00:00:00.0000000"),
        ("@toUpper('straße')", "STRAßE"),
        ("@toLower('İX')", "İx"),
        ("@intersection(createArray(1, 2, 2), createArray(2.0, 3))", [2]),
    ],
)
def test_a_function_gives(expression: str, wanted: Any) -> None:
    assert evaluate(expression, SCOPE) == wanted


@pytest.mark.parametrize(
    "expression",
    [
        "@sort(createArray(1, 'a'))",
        "@sort(item().rows)",
        "@sort(item().rows, 'zz')",
        "@chunk('abc', 0)",
        "@addProperty(item(), 'a', 2)",
        "@union(createArray(1), item())",
        "@rand(5, 5)",
        "@max(createArray(1, 'a'))",
        "@min(skip(createArray(1), 1))",
        "@formatNumber(1, 'N', 'fr-fr')",
        "@formatDateTime('2024-01-01', 'D', 'de')",
        "@guid('Q')",
        "@convertToUtc('2024-03-10T02:30:00', 'Pacific Standard Time')",
        "@convertTimeZone('2024-03-10T02:30:00Z', 'Pacific Standard Time', 'UTC')",
    ],
)
def test_a_function_refuses(expression: str) -> None:
    with pytest.raises(WrongExpression):
        evaluate(expression, SCOPE)


def test_rand_stays_below_its_end() -> None:
    assert {evaluate("@rand(1, 3)", {}) for _ in range(200)} == {1, 2}


def test_an_hour_that_is_shown_twice_is_standard_time() -> None:
    assert evaluate("@convertToUtc('2024-11-03T01:30:00', 'Pacific Standard Time', 'HH:mm')", {}) == "09:30"
