"""What the message of a failed expression says."""

import pytest

from manara.errors import WrongExpression
from manara.expr import evaluate

SCOPE = {"variables": {"total": 3}, "pipeline": {"parameters": {"folder": "in"}}, "item": None}


def message(expression: str) -> str:
    with pytest.raises(WrongExpression) as caught:
        evaluate(expression, SCOPE)
    return str(caught.value)


def test_it_shows_the_text_a_caret_and_the_signature() -> None:
    assert message("@concat('a', substring(5, 1))").splitlines() == [
        "substring takes a string as its first argument, not the integer 5.",
        "  @concat('a', substring(5, 1))",
        "                         ^",
        "  substring(text: string, startIndex: integer, length?: integer) -> string",
    ]


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("@pipeline().parameters.foldr", "The property 'foldr' does not exist. Did you mean 'folder'?"),
        ("@variables('totl')", "The template variable 'totl' cannot be found. Did you mean 'total'?"),
        ("@activity('A')", "The template action 'A' is not defined at current scope. There are none."),
        ("@formatDatTime('x')", "There is no function 'formatDatTime'. Did you mean 'formatDateTime'"),
        ("@add(1)", "add is given 1 argument.\n  @add(1)\n   ^\n  add(first: number, second: number) -> number"),
        ("@item().name", "The property 'name' cannot be taken from null. '?' before it gives null instead."),
        ('@concat("a")', "A text stands in single quotes, not in double ones."),
        ("@concat('a)", "The text that opens here is not closed by a single quote."),
        ("@concat", "'concat' stands alone"),
        ("@add(1, 2) x", "The expression should end here."),
        ("@{add(1, 2)", "'}' should stand here."),
        ("@99999999999999999999", "The number is too large"),
        ("@if(1, 2, 3)", "if: A condition is true or false, not the integer 1."),
    ],
)
def test_it_says_what_is_wrong_and_what_there_is(expression: str, said: str) -> None:
    assert said in message(expression)


def test_a_long_text_is_cut_around_the_place() -> None:
    lines = message("@concat('" + "x" * 500 + "', foo(1), '" + "y" * 500 + "')").splitlines()
    assert len(lines[1]) < 120
    assert lines[1][lines[2].index("^") :].startswith("foo(1)")


def test_of_many_lines_the_one_with_the_place_is_shown() -> None:
    assert message("@concat(\n  'a',\n  foo(1)\n)").splitlines()[1:] == ["    foo(1)", "    ^"]
