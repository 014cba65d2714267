"""The text of a template expression as a tree, and what is told of one that is none."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manara.errors import WrongExpression
from manara.resources.template.language import Call, Literal, Select, escape, is_expression, parse, unescape


def test_a_call_has_its_arguments_and_selections() -> None:
    tree = parse("[ f( 'it''s', -1 ).a.b[g()] ]")
    assert isinstance(tree, Select)
    assert isinstance(tree.key, Call)
    assert isinstance(tree.target, Select)
    call = tree.target.target
    assert isinstance(call, Select)
    assert call.target == Call("f", (Literal("it's", 5), Literal(-1, 14)), 2)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("[f()]", True), ("[[f()]", False), ("[a] b", False), ("a", False), ("", False), ("[", False), ("[]", True)],
)
def test_an_expression_stands_in_single_brackets(text: str, is_one: bool) -> None:
    assert is_expression(text) is is_one


@pytest.mark.parametrize(
    ("text", "says", "caret"),
    [
        ("[concat('a', 'b']", "',' or ')' should stand here.", 16),
        ("[concat('a)]", "not closed by a single quote", 8),
        ('[concat("a")]', "single quotes, not in double ones", 8),
        ("[variables]", "'variables' stands alone", 1),
        ("[]", "ends too early", 1),
        ("[f() g()]", "should end here", 5),
        ("[f().]", "name of a property", 5),
        ("[99999999999999999999]", "too large", 1),
        ("[f(]", "ends too early", 3),
        ("[f(,)]", "A value or a function", 3),
        ("[" + "f(" * 200 + ")" * 200 + "]", "nested more than 120 deep", None),
        ("[f('" + "a" * 30_000 + "')]", "more than 24,576 characters", 0),
    ],
)
def test_what_is_wrong_is_told_with_a_caret(text: str, says: str, caret: int | None) -> None:
    with pytest.raises(WrongExpression) as error:
        parse(text)
    said, shown, mark = error.value.message.split("\n")[:3]
    assert says in said
    if caret is not None:
        assert mark.index("^") - 2 == caret, shown


@given(st.text(alphabet="[]'a", max_size=8))
def test_an_escaped_text_means_itself(text: str) -> None:
    assert not is_expression(escape(text))
    assert unescape(escape(text)) == text


@given(st.text(alphabet="[]()'.,af1 ?-\"", max_size=25))
def test_any_text_gives_a_tree_or_a_plain_error(text: str) -> None:
    with contextlib.suppress(WrongExpression):
        parse(f"[{text}]")
