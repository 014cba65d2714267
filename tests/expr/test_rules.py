"""The rules 1 to 55 of ADF's expressions, each with named cases of our own."""

import json
from types import MappingProxyType
from typing import Any

import pytest

from manara.errors import WrongExpression
from manara.expr import evaluate, resolve

ERROR = object()

SCOPE: dict[str, Any] = {
    "pipeline": {
        "parameters": {
            "country": "Mali",
            "year": 2024,
            "rate": 2.50,
            "urgent": True,
            "none": None,
            "months": [10, 20, 30],
            "site": {"Name": "Gao", "Beds": {"free": [4, {"ward": "B"}]}, "none": None, "a b": 1, "a.b": 2},
        },
        "globalParameters": {"stage": "test"},
        "RunId": "run-7",
    },
    "variables": {"Total": 12, "names": ["Ana", "Bo"]},
    "activities": {
        "Load stock": {"output": {"rowsCopied": 5, "firstRow": {"Item Code": "K1"}}, "status": "Succeeded"},
        "Ask": {
            "output": {},
            "status": "Failed",
            "error": {"message": "no line", "errorCode": "2108", "failureType": "UserError", "target": "Ask"},
        },
    },
    "item": {"code": "K1"},
}

Case = tuple[int, str, str, Any]
LITERALS: list[Case] = [
    (1, "a leading at sign makes a typed value", "@pipeline().parameters.year", 2024),
    (1, "without one it is text", "pipeline().parameters.year", "pipeline().parameters.year"),
    (2, "two at signs are one", "@@home", "@home"),
    (2, "a lone at sign stays", "@", "@"),
    (2, "an address of mail is text", "data@relief.org", "data@relief.org"),
    (2, "a leading blank makes text", " @item().code", " @item().code"),
    (3, "interpolation gives a string", "@{pipeline().parameters.year}", "2024"),
    (3, "interpolation stands anywhere", "y@{1}m@{2}", "y1m2"),
    (4, "an escaped interpolation is text", "a@@{item().code}", "a@{item().code}"),
    (4, "an escaped interpolation at the start too", "@@{item().code}", "@{item().code}"),
    (4, "both kinds in one text", "@@{a} is @{item().code}", "@{a} is K1"),
    (5, "braces and quotes inside of an interpolation", "<@{concat('}', '''', '{')}>", "<}'{>"),
    (6, "null is inserted as nothing", "[@{pipeline().parameters.none}]", "[]"),
    (6, "true is inserted with a capital", "@{pipeline().parameters.urgent}!", "True!"),
    (6, "trailing zeros go", "@{pipeline().parameters.rate} @{3.0}", "2.5 3"),
    (6, "arrays and objects are inserted as JSON", "@{createArray(1, 2.0, 'é', null)}", '[1,2.0,"é",null]'),
    (7, "a doubled quote is one", "@'don''t'", "don't"),
    (7, "double quotes are refused", '@concat("a")', ERROR),
    (7, "a backslash is a backslash", r"@'C:\new'", r"C:\new"),
    (7, "a text may have line breaks", "@'a\nb'", "a\nb"),
    (8, "blanks and line breaks between the parts", "@\n add ( 1 ,\n 2 )", 3),
    (8, "a trailing comma is refused", "@add(1, 2,)", ERROR),
    (9, "functions in any case", "@CONCAT(tolower('A'), ToUpper('b'))", "aB"),
    (9, "an unknown function is refused", "@conkat('a')", ERROR),
    (10, "names and properties in any case", "@PIPELINE().PARAMETERS.Site.NAME", "Gao"),
    (
        10,
        "variables and activities in any case",
        "@add(variables('TOTAL'), activity('LOAD STOCK').output.rowscopied)",
        17,
    ),
    (10, "an index in any case", "@pipeline()['parameters']['COUNTRY']", "Mali"),
    (11, "a missing property is refused", "@pipeline().parameters.site.beds.used", ERROR),
    (11, "a missing index is refused", "@pipeline().parameters['nothing']", ERROR),
    (11, "a question mark gives null", "@pipeline().parameters.site?.used", None),
    (11, "a question mark before an index gives null", "@pipeline().parameters?['nothing']", None),
    (12, "null goes on only with a question mark", "@pipeline().parameters?.nothing.more", ERROR),
    (12, "two question marks", "@pipeline().parameters?.nothing?.more", None),
    (13, "a property may be null", "@pipeline().parameters.site.none", None),
    (13, "null has no properties", "@pipeline().parameters.site.none.x", ERROR),
    (13, "null with a question mark", "@pipeline().parameters.site.none?.x", None),
    (14, "an index beyond the end is refused", "@pipeline().parameters.months[3]", ERROR),
    (14, "a negative index is refused", "@pipeline().parameters.months[-1]", ERROR),
    (14, "an index with a question mark", "@pipeline().parameters.months?[3]", None),
    (15, "odd names in brackets", "@add(pipeline().parameters.site['a b'], pipeline().parameters.site['a.b'])", 3),
    (15, "an index may be computed", "@pipeline().parameters.months[sub(length(pipeline().parameters.months), 1)]", 30),
    (16, "a result can be indexed", "@split('a-b-c', '-')[2]", "c"),
    (16, "a result has properties", '@json(\'{"a": {"b": [7]}}\').a.b[0]', 7),
    (17, "an unknown variable is refused", "@variables('Sum')", ERROR),
    (17, "an unknown activity is refused", "@activity('Load').output", ERROR),
    (18, "the output of an activity", "@activity('Load stock').output.firstRow['Item Code']", "K1"),
    (
        18,
        "the error of an activity",
        "@concat(activity('Ask').error.errorCode, activity('Ask').error.failureType)",
        "2108UserError",
    ),
    (18, "the status of an activity", "@activity('Ask').Status", "Failed"),
]
TYPES: list[Case] = [
    (20, "true", "@string(true)", "True"),
    (20, "null", "@string(null)", ""),
    (20, "an object", "@string(activity('Load stock').output.firstRow)", '{"Item Code":"K1"}'),
    (21, "concat takes all types", "@concat('n', 1, null, false, createArray('x'))", 'n1False["x"]'),
    (21, "concat of nothing is refused", "@concat()", ERROR),
    (22, "integer and float", "@equals(3, 3.0)", True),
    (22, "number and text", "@equals('3', 3)", False),
    (22, "a number is no boolean", "@equals(1, true)", False),
    (22, "case counts", "@equals('Kit', 'kit')", False),
    (22, "arrays go deep", "@equals(createArray(1, createArray('a')), createArray(1.0, createArray('a')))", True),
    (22, "the order of keys does not count", '@equals(json(\'{"a":1,"b":[2]}\'), json(\'{"b":[2],"a":1}\'))', True),
    (22, "null and the empty text", "@equals(null, '')", False),
    (23, "two numbers", "@greater(2.5, 2)", True),
    (23, "two texts", "@less('2024-01', '2024-02')", True),
    (23, "texts of digits", "@less('10', '9')", True),
    (23, "case does not count", "@greaterOrEquals('B', 'a')", True),
    (23, "mixed types are refused", "@greater('3', 2)", ERROR),
    (23, "null is refused", "@less(null, 1)", ERROR),
    (24, "only booleans", "@and(true, 'true')", ERROR),
    (24, "not of a number", "@not(1)", ERROR),
    (24, "one argument is enough", "@or(false)", False),
    (24, "or stops early", "@or(true, greater(null, 1))", True),
    (24, "and stops early", "@and(false, div(1, 0))", False),
    (25, "only the branch that is chosen", "@if(false, div(1, 0), 'ok')", "ok"),
    (25, "the condition is a boolean", "@if('false', 1, 2)", ERROR),
    (26, "integers from texts", "@int(' 7 ')", 7),
    (26, "an integer from true", "@int(true)", 1),
    (26, "no integer from decimals", "@int('7.5')", ERROR),
    (26, "no integer from null", "@int(null)", ERROR),
    (26, "64 bits and no more", "@int('9223372036854775808')", ERROR),
    (26, "64 bits", "@int('-9223372036854775808')", -(2**63)),
    (27, "an exponent", "@float('2.5e2')", 250.0),
    (27, "a comma separates thousands", "@float('1,234.5')", 1234.5),
    (28, "texts", "@bool('FALSE')", False),
    (28, "numbers", "@bool(3)", True),
    (28, "other texts are refused", "@bool('no')", ERROR),
    (29, "null", "@json('null')", None),
    (29, "the empty text", "@json('')", None),
    (29, "malformed", "@json('{\"a\":}')", ERROR),
    (29, "null is refused", "@json(null)", ERROR),
    (29, "dates stay texts", "@json('\"2024-01-01T00:00:00Z\"')", "2024-01-01T00:00:00Z"),
    (30, "XML as JSON", "@json(xml('<r><u n=\"2\">x</u><u/></r>'))", {"r": {"u": [{"@n": "2", "#text": "x"}, None]}}),
    (30, "XML in base64", "@base64ToString(xml('<r> <u>1</u></r>')['$content'])", "<r><u>1</u></r>"),
    (31, "nodes in base64", "@base64ToString(xpath(xml('<r><u>1</u></r>'), '/r/u')[0]['$content'])", "<u>1</u>"),
    (31, "texts", "@xpath(xml('<r><u>1</u><u>2</u></r>'), '//u/text()')", ["1", "2"]),
    (31, "numbers", "@xpath(xml('<r><u>1</u><u>2</u></r>'), 'count(//u)')", 2.0),
    (31, "a string", "@xpath(xml('<r><u>1</u><u>2</u></r>'), 'string(/r)')", "12"),
    (32, "binary", "@binary('a')", {"$content-type": "application/octet-stream", "$content": "YQ=="}),
    (
        32,
        "a data URI",
        "@dataUriToBinary('data:text/csv;base64,YQ==')",
        {"$content-type": "text/csv", "$content": "YQ=="},
    ),
    (33, "array of null", "@array(null)", [None]),
    (33, "array of an array", "@array(variables('names'))", ["Ana", "Bo"]),
    (33, "an array of nothing is refused", "@createArray()", ERROR),
    (34, "the empty text is a value", "@coalesce(null, '', 'x')", ""),
]
COLLECTIONS: list[Case] = [
    (35, "startsWith ignores case", "@startsWith('Mali', 'MA')", True),
    (35, "indexOf ignores case", "@indexOf('aBcB', 'b')", 1),
    (35, "lastIndexOf ignores case", "@lastIndexOf('aBcB', 'b')", 3),
    (35, "contains does not", "@contains('Mali', 'MA')", False),
    (36, "an array holds values of one type", "@contains(createArray('1', '2'), 2)", False),
    (36, "an object ignores case", "@contains(item(), 'CODE')", True),
    (36, "null is refused", "@contains(null, 'a')", ERROR),
    (37, "without a length", "@substring('abcdef', 4)", "ef"),
    (37, "at the end is refused", "@substring('abc', 3)", ERROR),
    (37, "beyond the end is refused", "@substring('abc', 1, 3)", ERROR),
    (37, "a negative length is refused", "@substring('abc', 1, -1)", ERROR),
    (38, "empty parts stay", "@split(';a;;', ';')", ["", "a", "", ""]),
    (38, "a long delimiter", "@split('a--b', '--')", ["a", "b"]),
    (38, "no delimiter", "@split('abc', '')", ["abc"]),
    (39, "nothing cannot be replaced", "@replace('abc', '', 'x')", ERROR),
    (40, "an empty object", "@empty(json('{}'))", True),
    (40, "a blank is something", "@empty(' ')", False),
    (40, "a number is refused", "@empty(0)", ERROR),
    (40, "an object has no length", "@length(item())", ERROR),
    (41, "first of an empty text", "@first('')", ""),
    (41, "last of an empty array", "@last(skip(variables('names'), 2))", None),
    (41, "take beyond the end", "@take(variables('names'), 9)", ["Ana", "Bo"]),
    (41, "a negative count is refused", "@skip('abc', -1)", ERROR),
    (42, "null and true", "@join(createArray(1, null, true), '/')", "1//True"),
    (43, "union of objects", "@union(json('{\"a\":1}'), json('{\"a\":2}'))", {"a": 2}),
    (43, "intersection of objects", '@intersection(json(\'{"a":1,"b":2}\'), json(\'{"a":1,"b":"2"}\'))', {"a": 1}),
    (43, "union of arrays", "@union(createArray(1, '1'), createArray(1.0, true))", [1, "1", True]),
    (44, "nothing", "@range(5, 0)", []),
    (44, "the limit", "@length(range(1, 100000))", 100000),
    (44, "beyond the limit", "@range(1, 100001)", ERROR),
    (45, "all but letters and digits", "@uriComponent('a (1)*!/é')", "a%20%281%29%2A%21%2F%C3%A9"),
    (45, "unreserved signs stay", "@encodeUriComponent('a-b._~')", "a-b._~"),
]
NUMBERS: list[Case] = [
    (46, "towards zero", "@div(-9, 2)", -4),
    (46, "a float makes a float", "@div(9.0, 2)", 4.5),
    (46, "by zero", "@div(1, 0.0)", ERROR),
    (46, "the least integer", "@div(-9223372036854775808, -1)", ERROR),
    (47, "the sign of the dividend", "@mod(-9, 4)", -1),
    (47, "a positive dividend", "@mod(9, -4)", 1),
    (47, "overflow", "@mul(9223372036854775807, 2)", ERROR),
    (47, "texts are refused", "@add('1', 1)", ERROR),
    (48, "a list", "@max(3, 4.5, 1)", 4.5),
    (48, "an array", "@min(pipeline().parameters.months)", 10),
    (48, "texts are refused", "@max('a', 'b')", ERROR),
    (49, "Z stays", "@addHours('2024-02-28T23:30:00Z', 1)", "2024-02-29T00:30:00.0000000Z"),
    (49, "no zone stays none", "@addDays('2024-02-28', 1)", "2024-02-29T00:00:00.0000000"),
    (49, "an offset is converted", "@formatDateTime('2024-01-01T01:00:00+03:00')", "2023-12-31T22:00:00.0000000+00:00"),
    (49, "ticks of 100 ns stay", "@addSeconds('2024-01-01T00:00:00.0000001Z', 1)", "2024-01-01T00:00:01.0000001Z"),
    (50, "whole days only", "@addDays('2024-01-01', 0.5)", ERROR),
    (50, "no texts", "@addMinutes('2024-01-01', '5')", ERROR),
    (50, "the end of the month", "@addToTime('2024-01-31', 1, 'Month', 'yyyy-MM-dd')", "2024-02-29"),
    (50, "29 February", "@subtractFromTime('2024-02-29', 1, 'Year', 'yyyy-MM-dd')", "2023-02-28"),
    (51, "the American order", "@formatDateTime('12/31/2024 23:59:58', 's')", "2024-12-31T23:59:58"),
    (51, "the European order is refused", "@formatDateTime('31/12/2024', 's')", ERROR),
    (51, "a day that does not exist", "@formatDateTime('2023-02-29', 's')", ERROR),
    (52, "the long date", "@formatDateTime('2024-07-04', 'D')", "Thursday, July 4, 2024"),
    (52, "a custom format", "@formatDateTime('2024-07-04T15:05:09.25Z', 'd/M/yy h:m:s.ff tt')", "4/7/24 3:5:9.25 PM"),
    (52, "quoted words", "@formatDateTime('2024-07-04T15:05:09Z', '\"week of\" d MMMM')", "week of 4 July"),
    (52, "an unknown letter is refused", "@formatDateTime('2024-07-04', 'q')", ERROR),
    (53, "units in any case", "@addToTime('2024-01-01', 2, 'wEEK', 'd')", "1/15/2024"),
    (53, "no quarters", "@addToTime('2024-01-01', 1, 'Quarter')", ERROR),
    (
        54,
        "a Windows name",
        "@convertFromUtc('2024-07-01T10:00:00Z', 'E. Africa Standard Time')",
        "2024-07-01T13:00:00.0000000",
    ),
    (54, "an IANA name", "@convertToUtc('2024-07-01T13:00:00', 'Africa/Nairobi')", "2024-07-01T10:00:00.0000000Z"),
    (
        54,
        "from zone to zone",
        "@convertTimeZone('2024-01-01T00:00:00Z', 'UTC', 'Nepal Standard Time', 'HH:mm')",
        "05:45",
    ),
    (54, "an unknown zone", "@convertFromUtc('2024-07-01', 'Atlantis Standard Time')", ERROR),
    (55, "Sunday is 0", "@dayOfWeek('2024-06-30')", 0),
    (55, "the day of a leap year", "@dayOfYear('2024-12-31')", 366),
    (55, "ticks", "@ticks('0001-01-02')", 864_000_000_000),
]
CASES = [*LITERALS, *TYPES, *COLLECTIONS, *NUMBERS]


@pytest.mark.parametrize(
    ("expression", "wanted"), [pytest.param(text, wanted, id=f"{rule} {name}") for rule, name, text, wanted in CASES]
)
def test_the_rules(expression: str, wanted: Any) -> None:
    if wanted is ERROR:
        with pytest.raises(WrongExpression):
            evaluate(expression, SCOPE)
    else:
        assert json.dumps(evaluate(expression, SCOPE)) == json.dumps(wanted)


def test_rule_19_both_spellings_of_an_expression_are_evaluated() -> None:
    given = {"bare": "@item().code", "long": {"value": "@{item().code}!", "type": "Expression"}}
    assert resolve(given, SCOPE) == {"bare": "K1", "long": "K1!"}


def test_every_rule_has_a_case() -> None:
    assert {rule for rule, *_ in CASES} | {19} == set(range(1, 56))


def test_the_scope_may_be_any_mapping() -> None:
    scope = MappingProxyType({name: MappingProxyType(value) for name, value in SCOPE.items()})
    assert evaluate("@pipeline().PARAMETERS.Country", scope) == "Mali"
    assert evaluate("@{item()}", scope) == '{"code":"K1"}'
