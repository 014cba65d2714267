import json
import random
import re
import tracemalloc
from typing import Any

import pytest
from tests.plugin_given import Json, Place, files

from manara.errors import ManaraError, WrongDefinition
from manara.plugin.dataset import DATASETS, DatasetGiven, Refused, Tally

VALUES = {
    "dataSet": "S",
    "dataValues": [{"de": "a", "value": "1"}, {"de": "b", "value": "2"}],
    "period": {"id": "202401"},
}


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        pytest.param('[{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}], id="array"),
        pytest.param('{"a": 1}\n{"a": 2}\n', [{"a": 1}, {"a": 2}], id="lines"),
        pytest.param('{"a": 1}{"a": 2}', [{"a": 1}, {"a": 2}], id="concatenated"),
        pytest.param('\ufeff{"a": 1}', [{"a": 1}], id="one object, byte order mark"),
        pytest.param(
            '[{"a": 1}, {"b": "x"}]', [{"a": 1, "b": None}, {"a": None, "b": "x"}], id="fields that come later"
        ),
        pytest.param('[{"a": 1}, {"a": 1.5}]', [{"a": 1.0}, {"a": 1.5}], id="whole numbers and others"),
        pytest.param('[{"a": 1}, {"a": "See DN-304"}]', [{"a": "1"}, {"a": "See DN-304"}], id="number and text"),
        pytest.param('[{"a": true}, {"a": 1.50}]', [{"a": "true"}, {"a": "1.50"}], id="truth and number"),
        pytest.param('[{"a": null}]', [{"a": None}], id="never a value"),
        pytest.param('[{"a": {"b": [1, 0.5]}}]', [{"a": '{"b":[1,0.5]}'}], id="nested"),
        pytest.param('[{"a": 123456789012345678901234567890}]', [{"a": "123456789012345678901234567890"}], id="huge"),
        pytest.param('[{"a": 9007199254740993}, {"a": 0.5}]', [{"a": "9007199254740993"}, {"a": "0.5"}], id="exact"),
    ],
)
def test_documents_are_rows(place: Place, content: str, rows: list[Json]) -> None:
    place.write("in.json", content)
    assert place.read(files("Json", "in.json")).to_pylist() == rows


@pytest.mark.parametrize("around", [lambda one: one, lambda one: [one], lambda one: {"data": one}])
def test_an_array_inside_gives_rows_and_outer_values_repeat(place: Place, around: object) -> None:
    assert callable(around)
    document = around(VALUES)
    place.write("in.json", json.dumps(document))
    start = "$.data" if isinstance(document, dict) and "data" in document else "$"
    paths = ["['de']", f"{start}['period']['id']", "value"]
    table = place.read(files("Json", "in.json"), collectionReference=f"{start}['dataValues']", paths=paths)
    assert table.to_pylist() == [
        dict(zip(paths, row, strict=True)) for row in (("a", "202401", "1"), ("b", "202401", "2"))
    ]


def test_types_are_those_of_all_files(place: Place) -> None:
    place.write("in/1.json", '{"a": 1}')
    place.write("in/2.json", '{"a": "x", "b": true}')
    assert place.read(files("Json", "in/")).to_pylist() == [{"a": "1", "b": None}, {"a": "x", "b": True}]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param("", "The file is empty", id="empty"),
        pytest.param('[{"a": 1},\n{"a": ', r"cut off at line 2 \(byte 17\)", id="cut off"),
        pytest.param('{"a": 1}\n{"a": nul}\n', "no JSON at line 2", id="a bad line"),
        pytest.param("a,b\n1,2\n", "no JSON at line 1", id="CSV"),
        pytest.param("[]", "no object with a field", id="an empty array"),
        pytest.param(b'[{"a": "\xff"}]', "no JSON at line 1", id="bytes"),
    ],
)
def test_a_broken_file_says_where(place: Place, content: str | bytes, says: str) -> None:
    place.write("bad.json", content)
    with pytest.raises(ManaraError, match=f"bad.json: .*{says}") as raised:
        place.read(files("Json", "bad.json"))
    empty = content == "[]"
    assert raised.value.error_code == f"UserErrorSourceData{'HasNoFields' if empty else 'IsInvalid'}"


def test_what_is_no_object_is_refused_with_its_number(place: Place) -> None:
    place.write("in.json", '[{"a": 1}, 7, {"a": 2}]')
    refused: list[Refused] = []
    rows = place.dataset(files("Json", "in.json")).read({}, Tally(refuse=refused.append)).read_all()
    assert rows.num_rows == 2
    assert [(row.row, row.text, row.reason) for row in refused] == [(2, "7", "it is no JSON object")]


LINES = '{"a": 1}\n{"a": }\n\n{"a": 3}\n'
TOLERATED = {
    "a broken line": (LINES, [1, 3], [(2, '{"a": }', "line 2: Expecting value at column 7")]),
    "the first line": ('{"a" 1}\n{"a": 2}\n{"a": 3}\n', [2, 3], [(1, '{"a" 1}', "line 1")]),
    "the last line": ('{"a": 1}\r\n{"a": 2}\r\n{"a', [1, 2], [(3, '{"a', "line 3")]),
    "two lines behind a blank one": ('{"a": 1}\n\nx\ny\n', [1], [(2, "x", "line 3"), (3, "y", "line 4")]),
    "a line that is no object": ('{"a": 1}\n[7]\n{"a": 2}\n', [1, 2], [(2, "[7]", "no JSON object")]),
    "several objects in a line": (
        '{"a": 1} {"a": 2}\n{"a": 3}{"a"\n{"a": 4}',
        [1, 2, 4],
        [(3, '{"a": 3}{"a"', "line 2")],
    ),
    "a line in another encoding": (b'{"a": 1}\n{"a": "\xe9"}\n', [1], [(2, '{"a": "\ufffd"}', "utf-8")]),
    "no number": ('{"a": 1}\n{"a": NaN}\n', [1], [(2, '{"a": NaN}', "'NaN' is no number")]),
    "an array cut off": (
        '[{"a": 1},\n{"a": 2},\n{"a": [5,',
        [1, 2],
        [(3, '{"a": [5,', r"cut off at line 3 \(byte 30\)")],
    ),
    "an array with a fault": ('[{"a": 1}, {"a": x}, {"a": 3}]', [1], [(2, '{"a": x}, {"a": 3}]', r"near byte 17")]),
    "values in an array": (
        '[{"a": 1}, 7, [8], {"a": 2}]',
        [1, 2],
        [(2, "7", "no JSON obj"), (3, "[8]", "no JSON obj")],
    ),
    "objects one after the other": ('{"a":\n1}{"a":\n2}{"a":\n', [1, 2], [(3, '{"a":', "cut off")]),
    "objects over lines, behind one in a line": ('{"a": 1}\n{"a":\n2}\n', [1, 2], []),
    "a letter outside of the plane": ('{"a": 1}\n{"b": "\\ud83d\\ude00"}\n{"b": "\\ud83d"}\n', [1, None, None], []),
    "deep in a line": (
        '{"a": 1}\n{"a": ' + "[" * 9000 + "]" * 9000 + '}\n{"a": 2}\n',
        ["1", "2"],
        [(2, r'{"a":[[[', "deep")],
    ),
    "deep in a text": ('{"a": 1}\n{"a": 2, "b": ["' + "[" * 9000 + '"]}\n', [1, 2], []),
    "a number without end": ('{"a": 1}\n{"a": ' + "7" * 5000 + "}\n", [1], [(2, '{"a": 777', "line 2")]),
}


@pytest.mark.parametrize(("content", "kept", "refused"), TOLERATED.values(), ids=TOLERATED.keys())
def test_the_good_rows_of_a_broken_file_are_kept(
    place: Place, content: str | bytes, kept: list[Any], refused: list[tuple[int, str, str]]
) -> None:
    place.write("in.json", content)
    found: list[Refused] = []
    rows = place.dataset(files("Json", "in.json")).read({}, Tally(refuse=found.append)).read_all()
    assert rows["a"].to_pylist() == kept
    assert [one.row for one in found] == [row for row, _, _ in refused]
    for one, (_, text, reason) in zip(found, refused, strict=True):
        assert one.text.startswith(text)
        assert re.search(reason, one.reason)


@pytest.mark.parametrize("before", ["", " " * 70_000, '{"a": 0},' * 20_000], ids=["at once", "late", "far"])
def test_what_follows_a_fault_begins_behind_the_last_good_element(place: Place, before: str) -> None:
    place.write("in.json", f'[{before}{{"a": 1}},\n {{"a": 2, "b": tru')
    found: list[Refused] = []
    rows = place.dataset(files("Json", "in.json")).read({}, Tally(refuse=found.append)).read_all()
    assert rows["a"].to_pylist()[-1] == 1
    assert [(one.row, one.text) for one in found] == [(rows.num_rows + 1, '{"a": 2, "b": tru')]


def test_rows_of_a_collection_that_is_cut_are_kept(place: Place) -> None:
    place.write("in.json", '{"day": 5, "rows": [{"a": 1}, {"a": 2}, {"a"')
    found: list[Refused] = []
    settings = {"collectionReference": "$['rows']", "paths": ["$['day']", "a"]}
    rows = place.dataset(files("Json", "in.json")).read(settings, Tally(refuse=found.append)).read_all().to_pylist()
    assert [tuple(row.values()) for row in rows] == [(5, 1), (5, 2)]
    assert [(one.row, one.text) for one in found] == [(3, '{"a"')]


def test_rows_that_miss_what_stood_behind_the_cut_are_not_taken_for_whole(place: Place) -> None:
    place.write("in.json", '{"rows": [{"a": 1}, {"a": 2}, {"a"')
    settings = {"collectionReference": "$['rows']", "paths": ["$['day']", "a"]}
    with pytest.raises(ManaraError, match=r"cut off at line 1 \(byte 34\); all behind byte 0"):
        place.dataset(files("Json", "in.json")).read(settings, Tally(refuse=lambda _row: None))


@pytest.mark.parametrize("pattern", ["setOfObjects", "arrayOfObjects"])
def test_what_is_written_reads_back(place: Place, pattern: str) -> None:
    place.write("in.json", '[{"a": 1, "b": "é", "c": null}, {"a": 2, "b": "", "c": true}]')
    settings = {"formatSettings": {"filePattern": pattern}}
    place.copy(files("Json", "in.json"), files("Json", "out.json"), sink_settings=settings)
    assert place.read(files("Json", "out.json")) == place.read(files("Json", "in.json"))


def test_a_path_that_is_none_is_told(place: Place) -> None:
    place.write("in.json", json.dumps(VALUES))
    with pytest.raises(WrongDefinition, match="is no JSON path"):
        place.read(files("Json", "in.json"), collectionReference="$['dataValues'")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32", "iso-8859-1", "gb18030", "utf-8-sig"])
def test_other_encodings_are_read_and_written(place: Place, encoding: str) -> None:
    text = '[{"a": "é"}, {"a": "ü"}]'
    place.write("in.json", text.encode(encoding))
    told = {} if encoding in {"utf-16", "utf-32", "utf-8-sig"} else {"encodingName": encoding}
    rows = [{"a": "é"}, {"a": "ü"}]
    assert place.read(files("Json", "in.json", **told)).to_pylist() == rows
    target = files("Json", "out.json", encodingName=encoding)
    place.copy(files("Json", "in.json", **told), target)
    assert place.read(target).to_pylist() == rows
    assert [json.loads(line) for line in (place.folder / "out.json").read_text(encoding).splitlines()] == rows


def test_an_unknown_encoding_is_told(place: Place) -> None:
    with pytest.raises(WrongDefinition, match=r"The encoding 'UTF-9' is unknown"):
        place.read(files("Json", "in.json", encodingName="UTF-9"))


@pytest.mark.parametrize(
    ("before", "between", "after"),
    [("[", ",", "]"), ("", "\n", ""), ('{"x": [', ",", "]}")],
    ids=["array", "lines", "in"],
)
def test_memory_does_not_grow_with_the_file(place: Place, before: str, between: str, after: str) -> None:
    peaks = []
    for count in (2_000, 20_000):
        place.write("a.json", before + between.join(['{"a": "some text", "b": 12}'] * count) + after)
        properties = {"location": {"fileName": "a.json"}}
        given = DatasetGiven(name="x", type="Json", properties=properties, connection=place.store, batch_rows=100)
        tracemalloc.start()
        settings = {"collectionReference": "$.x"} if before.startswith("{") else {}
        reader = DATASETS.find("Json")(given).read(settings, Tally())
        assert sum(rows.num_rows for rows in reader) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 2


PLACES: dict[str, tuple[str, str, list[tuple[int, int]]]] = {
    "lines": (
        '{"n": 1}\n\n{"n": "x"}\nbad\n{"n": 3} {"n": "y"}\n[1]\n{"n": "z"}\n',
        "",
        [(2, 3), (3, 4), (5, 5), (6, 6), (7, 7)],
    ),
    "several lines": ('{"n": 1}\n{"n":\n "x"}\n{"n": "y"}\n', "", [(2, 2), (3, 4)]),
    "documents over lines": ('{\n"n": 1}\n\n{"n": 2} {"n": "x"}\n{"n":\n"y"}\n', "", [(3, 4), (4, 5)]),
    "an array": ('[{"n": 1},\n{"n": "x"}, {"n": "y"},\n\n{"m": [{"n": 1}],\n"n": "z"}, 7,\nnull]', "",
                 [(2, 2), (3, 2), (4, 4), (5, 5), (6, 6)]),
    "an array in one line": ('[{"n": "x"}, {"n": 2}, {"n": "y"}]', "", [(1, 1), (3, 1)]),
    "a collection": ('{"of": 7, "x": {"y": [\n{"n": 1},\n{"n": "x"}]},\n"y": [{"n": "no"}]}', "$.x.y", [(2, 3)]),
    "a collection in each line": (
        '{"y": [{"n": 1}, {"n": "x"}]}\n{"y": []}\n{"y": [{"n": "y"}]}\n', "$.y", [(2, 1), (3, 3)],
    ),
    "a collection in each of an array": (
        '[{"y": [{"n": 1},\n{"n": "x"}]},\n{"y": 5}, {"y": null}, {},\n{"y": [{"n": "y"}]}]', "$.y",
        [(2, 2), (3, 3), (4, 4)],
    ),
    "what is cut off": ('[{"n": 1},\n{"n": "x"},\n{"n"', "", [(2, 2), (3, 3)]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "reference", "where"), PLACES.values(), ids=PLACES)
def test_a_refused_row_is_told_with_its_line(
    place: Place, text: str, reference: str, where: list[tuple[int, int]]
) -> None:
    assert refused_lines(place, text, reference) == where


def refused_lines(place: Place, text: str, reference: str = "") -> list[tuple[int, int]]:
    """Return number and line of each row that is left out where `n` has to be a number."""
    place.write("in.json", text)
    path = "['n']" if reference else "$['n']"
    mapping = [{"source": {"path": path}, "sink": {"name": "n", "type": "Int32"}}]
    output = place.copy(
        files("Json", "in.json"), files("Parquet", "out.parquet"), enableSkipIncompatibleRow=True,
        translator={"type": "TabularTranslator", "mappings": mapping, "collectionReference": reference},
    )  # fmt: skip
    return sorted((row["row"], row.get("line", 0)) for row in output["skippedRows"])


@pytest.mark.parametrize("seed", range(20))
def test_lines_are_told_of_arrays_of_any_shape(place: Place, seed: int) -> None:
    choice = random.Random(seed).choice  # noqa: S311 # the same files every time
    blanks = ["", " ", "\n", "\r\n", "\n\n  "]
    text, lines = choice(["[", "\n["]), []
    values = ['"a\\"}]"', '[1,\n{"n": 2}]', "null", '{"n":\n"\\n"}', "-1e5"]
    for inner in ["1", *(choice(values) for _ in range(18))]:
        text += choice(blanks)
        lines.append(text.count("\n") + 1)
        shapes = ['{"x": %s, "n":"bad"}', '{"n" :\n"bad","x":%s}'] + (["[%s]"] if len(lines) > 1 else [])
        text += choice(shapes) % inner + choice(blanks) + ","
    assert refused_lines(place, text[:-1] + "]") == list(enumerate(lines, start=1))
