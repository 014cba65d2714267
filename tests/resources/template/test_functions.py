"""The functions of template expressions: what each gives, and what it refuses.

The rows follow the examples of https://learn.microsoft.com/azure/azure-resource-manager/templates/template-functions
"""

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.resources.template.templates import FACTORY, faults, template, value

from manara import clock

VALUES: list[tuple[str, Any]] = [
    ("concat('a', 1, true())", "a1True"),
    ("concat(createArray(1), createArray('b'))", [1, "b"]),
    ("equals(1, '1')", False),
    ("equals(createObject('a', createArray(1)), createObject('a', createArray(1)))", True),
    ("equals(1, true())", False),
    ("if(true(), 'a', json('broken'))", "a"),
    ("if(false(), int('x'), 2)", 2),
    ("and(true(), true(), false())", False),
    ("or(false(), true(), bool('broken'))", True),
    ("not(false())", True),
    ("xor(true(), false())", True),
    ("empty('')", True),
    ("empty(createObject())", True),
    ("empty(null())", True),
    ("length('abc')", 3),
    ("length(createObject('a', 1))", 1),
    ("contains('Abc', 'a')", False),
    ("contains('Abc', 'bc')", True),
    ("contains(createArray(1, 2), 2)", True),
    ("contains(createObject('Key', 1), 'key')", True),
    ("coalesce(null(), null(), 'c')", "c"),
    ("toLower('ABC')", "abc"),
    ("toUpper('abc')", "ABC"),
    ("substring('one two three', 4, 3)", "two"),
    ("substring('one two', 4)", "two"),
    ("replace('123-123', '-', '')", "123123"),
    ("split('one,two', ',')", ["one", "two"]),
    ("split('one;two,three', createArray(',', ';'))", ["one", "two", "three"]),
    ("join(createArray('one', 2), ', ')", "one, 2"),
    ("first('one')", "o"),
    ("first(createArray('a', 'b'))", "a"),
    ("first(createArray())", None),
    ("last(createArray('a', 'b'))", "b"),
    ("last('')", ""),
    ("skip('one two', 4)", "two"),
    ("take(createArray(1, 2, 3), 2)", [1, 2]),
    ("union(createArray(1, 2), createArray(2, 3))", [1, 2, 3]),
    (
        'union(json(\'{"a": {"b": 1}, "k": [1]}\'), json(\'{"A": {"c": 2}, "k": [2]}\'))',
        {"a": {"b": 1, "c": 2}, "k": [2]},
    ),
    ("intersection(createArray(1, 2, 3), createArray(3, 2))", [2, 3]),
    ('intersection(json(\'{"a": 1, "b": 2}\'), json(\'{"a": 1, "b": 3}\'))', {"a": 1}),
    ("array('a')", ["a"]),
    ("array(createArray(1))", [1]),
    ("string(createObject('a', 1))", '{"a":1}'),
    ("string(1)", "1"),
    ("int('35')", 35),
    ("float('1.5')", 1.5),
    ("bool('True')", True),
    ("bool(0)", False),
    ("json('[1, null]')", [1, None]),
    ("format('{0}, {1,4}|{2:D3}{{x}}', 'a', 'b', 7)", "a,    b|007{x}"),
    ("base64('abc')", "YWJj"),
    ("base64ToString('YWJj')", "abc"),
    ("base64ToJson('eyJhIjoxfQ==')", {"a": 1}),
    ("dataUri('Hello')", "data:text/plain;charset=utf8;base64,SGVsbG8="),
    ("dataUriToString('data:,a%20b')", "a b"),
    ("uri('https://x.org/a/b.json', 'c.json')", "https://x.org/a/c.json"),
    ("uriComponent('a b/c')", "a%20b%2Fc"),
    ("uriComponentToString('a%20b')", "a b"),
    ("range(2, 3)", [2, 3, 4]),
    ("min(createArray(0, 3, 2))", 0),
    ("max(0, 3, 2)", 3),
    ("add(3, 5)", 8),
    ("sub(3, 5)", -2),
    ("mul(3, 5)", 15),
    ("div(-7, 2)", -3),
    ("mod(-7, 2)", -1),
    ("startsWith('abcdef', 'AB')", True),
    ("endsWith('abcdef', 'EF')", True),
    ("indexOf('abcdef', 'D')", 3),
    ("lastIndexOf('abab', 'ab')", 2),
    ("trim('  a ')", "a"),
    ("padLeft(5, 3, '0')", "005"),
    ("less(1, 2)", True),
    ("greaterOrEquals('b', 'a')", True),
    ('items(json(\'{"b": 1, "a": 2}\'))', [{"key": "a", "value": 2}, {"key": "b", "value": 1}]),
    ("flatten(createArray(createArray(1), createArray(2)))", [1, 2]),
    ("objectKeys(createObject('a', 1))", ["a"]),
    ("tryGet(createObject('a', 1), 'b', 'c')", None),
    ("createObject('a', createArray(1))['A'][0]", 1),
    ("createObject('a', 1).?b", None),
    ("null().?a", None),
    ("guid('a')", "3703365d-5a9f-59b4-bca7-b9681389e4c1"),
    ("length(uniqueString('a', 'b'))", 13),
    ("equals(uniqueString('a'), uniqueString('b'))", False),
    ("resourceGroup().location", "west"),
    ("resourceGroup().id", "/subscriptions/s/resourceGroups/g"),
    ("subscription().subscriptionId", "s"),
    ("deployment().name", "d"),
    ("environment().suffixes.storage", "core.windows.net"),
    ("resourceId('Microsoft.DataFactory/factories', 'f')", FACTORY),
    ("resourceId('Microsoft.DataFactory/factories/pipelines', 'f', 'p')", f"{FACTORY}/pipelines/p"),
    (
        "resourceId('t', 'h', 'Microsoft.DataFactory/factories', 'f')",
        FACTORY.replace("/s/", "/t/").replace("/g/", "/h/"),
    ),
    ("resourceId('h', 'Microsoft.DataFactory/factories', 'f')", FACTORY.replace("/g/", "/h/")),
    ("subscriptionResourceId('Microsoft.A/roles', 'r')", "/subscriptions/s/providers/Microsoft.A/roles/r"),
    ("tenantResourceId('Microsoft.A/roles', 'r')", "/providers/Microsoft.A/roles/r"),
    ("extensionResourceId('/x', 'Microsoft.A/roles', 'r')", "/x/providers/Microsoft.A/roles/r"),
]


@pytest.mark.parametrize(("expression", "expected"), VALUES, ids=[row[0] for row in VALUES])
def test_a_function_gives_its_value(expression: str, expected: Any) -> None:
    assert value(f"[{expression}]") == expected


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("cocnat('a')", "There is no function 'cocnat'. Did you mean 'concat'?"),
        ("toLower(1)", "toLower: It needs a text, and has a whole number."),
        ("toLower()", "'toLower' takes 1 arguments, and has 0."),
        ("substring('a', 1, 9)", "lies outside of the text"),
        ("div(1, 0)", "divided by zero"),
        ("add(9223372036854775807, 1)", "64 bits"),
        ("range(0, 100000000)", "The count is from 0 to 10,000."),
        ("padLeft('a', 100000000)", "at most 1,048,576 characters"),
        ("format('{1}', 'a')", "There is no value for '{1}'"),
        ("format('{')", "stands alone"),
        ("if('a', 1, 2)", "True or false belongs here, and this is a text."),
        ("createObject('a', 1).b", "There is no property 'b'."),
        ("createArray(1)[1]", "The array has 1 elements"),
        ("split(1, ',')", "It needs a text"),
        ("createObject('a')", "in pairs"),
        ("json('{')", "The text is no JSON"),
        ("resourceId('Microsoft.DataFactory/factories/pipelines', 'f')", "needs 2 names, and has 1"),
        ("utcNow()", "default value of a parameter only"),
        ("copyIndex()", "It stands in a loop"),
        ("listKeys('x', '2019-01-01')", "Keys and secrets of resources are not handed out here"),
        ("parameters('x')", "There is no parameter 'x'."),
        ("reference('x')", "neither in the template nor there already"),
    ],
)
def test_a_function_says_what_it_cannot_take(expression: str, says: str) -> None:
    (fault,) = faults(template(outputs={"o": {"type": "string", "value": f"[{expression}]"}}))
    assert says in fault.message
    assert fault.path == "outputs.o.value"
    assert "^" in fault.message


def test_the_time_and_new_ids_stand_in_default_values() -> None:
    declared = {
        "now": {"type": "string", "defaultValue": "[utcNow('yyyy-MM')]"},
        "stamp": {"type": "string", "defaultValue": "[utcNow()]"},
        "id": {"type": "string", "defaultValue": "[newGuid()]"},
    }
    with clock.frozen(datetime(2024, 3, 1, 5, tzinfo=UTC)):
        told = value(
            "[createArray(parameters('now'), parameters('stamp'), length(parameters('id')))]", parameters=declared
        )
    assert told == ["2024-03", "20240301T050000Z", 36]


def test_a_template_may_declare_functions_of_its_own() -> None:
    body = {"parameters": [{"name": "x", "type": "string"}], "output": {"value": "[concat(parameters('x'), '!')]"}}
    own = [{"namespace": "own", "members": {"shout": body}}]
    assert value("[own.shout('a')]", functions=own) == "a!"
