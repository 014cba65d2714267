"""XPath over small documents."""

from typing import Any

import pytest

from manara.expr.markup import read, write
from manara.expr.table import Unfit
from manara.expr.xpath import search

STOCK = read(
    """<?xml version="1.0"?>
    <stock xmlns:m="urn:m">
      <item code="K1" m:lot="7"><name>Tent</name><left>4</left></item>
      <item code="K2"><name>Kit</name><left>10</left></item>
      <item code="K3"><name>Net</name><left>1</left><!-- last --></item>
      <m:note>ok</m:note>
    </stock>"""
)


def shown(found: Any) -> Any:
    return (
        [write(node) if node.is_element else node.text_content() for node in found]
        if isinstance(found, list)
        else found
    )


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("/stock/item[2]/name/text()", ["Kit"]),
        ("//item[@code='K3']/left", ["<left>1</left>"]),
        ("//item/@code", ["K1", "K2", "K3"]),
        ("//item[last()]/name/text()", ["Net"]),
        ("//item[left > 3]/name/text()", ["Tent", "Kit"]),
        ("//item[left > 3 and name != 'Kit']/@code", ["K1"]),
        ("//name[../left = 10]/text()", ["Kit"]),
        ("//item[2]/following-sibling::item/@code", ["K3"]),
        ("//item[3]/preceding-sibling::item[1]/@code", ["K2"]),
        ("//left/ancestor::item[@code='K1']/name/text()", ["Tent"]),
        ("//item[1]/name | //item[2]/name", ["<name>Tent</name>", "<name>Kit</name>"]),
        ("(//name)[2]/text()", ["Kit"]),
        ("//*[local-name()='note']/text()", ["ok"]),
        ("//*[namespace-uri()='urn:m']/text()", ["ok"]),
        ("//item/comment()", [" last "]),
        ("sum(//left)", 15.0),
        ("count(//item) * 2 - 1", 5.0),
        ("count(//*)", 11.0),
        ("string(//item[2]/name)", "Kit"),
        ("number(//left) div 8", 0.5),
        ("concat(name(/*), '-', string-length(//name))", "stock-4"),
        ("substring('12345', 2, 3)", "234"),
        ("translate('abc', 'ab', 'X')", "Xc"),
        ("substring-before('a=b', '=')", "a"),
        ("substring-after('a=b', '=')", "b"),
        ("normalize-space('  a   b ')", "a b"),
        ("boolean(//nothing)", False),
        ("not(//item[contains(name, 'en')])", False),
        ("starts-with('Tent', 'T') or false()", True),
        ("round(2.5) + floor(1.9) + ceiling(1.1)", 6.0),
        ("//nothing", []),
        ("-(1 + 2)", -3.0),
        ("7 mod 4", 3.0),
        ("count(/)", 1.0),
    ],
)
def test_an_expression_finds(expression: str, wanted: Any) -> None:
    assert shown(search(STOCK, expression)) == wanted


@pytest.mark.parametrize(
    "expression", ["", "//", "/a[", "foo(1)", "m:note", "a b", "count()", "side::a", "'a'/b", "1 = "]
)
def test_what_is_no_xpath_is_refused(expression: str) -> None:
    with pytest.raises(Unfit):
        search(STOCK, expression)
