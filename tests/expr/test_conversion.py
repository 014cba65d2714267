"""Conversions that the table of rules does not show."""

from typing import Any

import pytest

from manara.errors import WrongExpression
from manara.expr import evaluate


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("@dataUriToString('data:,a%20b')", "a b"),
        ("@dataUriToBinary('data:,a')", {"$content-type": "text/plain;charset=US-ASCII", "$content": "YQ=="}),
        ("@base64ToString(base64(binary('é')))", "é"),
        ("@decodeUriComponent(encodeUriComponent('ü &'))", "ü &"),
        ("@int(7.0)", 7),
        ("@json('[1, 2.0, \"a\nb\"]')", [1, 2.0, "a\nb"]),
        (
            '@json(xml(json(\'{"r": {"@id": 1, "u": [true, null, "<"]}}\')))',
            {"r": {"@id": "1", "u": ["true", None, "<"]}},
        ),
        ('@string(json(\'{"a": 1.0, "b": 1e30}\'))', '{"a":1.0,"b":1E+30}'),
    ],
)
def test_a_value_is_converted(expression: str, wanted: Any) -> None:
    assert evaluate(expression, {}) == wanted


@pytest.mark.parametrize(
    "expression",
    [
        "@base64ToString('?')",
        "@dataUriToString('text')",
        "@json('NaN')",
        "@json(1)",
        '@xml(json(\'{"a": 1, "b": 2}\'))',
        "@xml('<a><b></a>')",
        "@xml(json('{\"a b\": 1}'))",
        "@xpath(json('{}'), '/a')",
        "@float('')",
        "@float('1e400')",
    ],
)
def test_what_cannot_be_converted_is_refused(expression: str) -> None:
    with pytest.raises(WrongExpression):
        evaluate(expression, {})
