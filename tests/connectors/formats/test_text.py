"""Values that were nested in their source: text for who knows nothing else, and nested again in JSON."""

import json

import pyarrow as pa
import pytest
from tests.plugin_given import Json, Place, files

ROWS = '{"id": 1, "in": {"a": [1, null]}, "mixed": [1]}\n{"id": 2, "in": null, "mixed": "x"}\n'


def _translator(**sink: str) -> Json:
    sinks = [{"name": "id"}, {"name": "in", **sink}]
    return {"mappings": [{"source": {"path": f"['{one['name']}']"}, "sink": one} for one in sinks]}


@pytest.mark.parametrize(
    ("more", "inside"),
    [
        pytest.param({}, {"a": [1, None]}, id="as it is"),
        pytest.param({"translator": _translator()}, {"a": [1, None]}, id="mapped"),
        pytest.param({"translator": _translator(type="String")}, '{"a":[1,null]}', id="asked for as text"),
    ],
)
def test_json_to_json_keeps_what_is_nested(place: Place, more: Json, inside: object) -> None:
    place.write("in.json", ROWS)
    place.copy(files("Json", "in.json"), files("Json", "out.json"), **more)
    lines = (place.folder / "out.json").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["in"] for line in lines] == [inside, None]


def test_a_column_of_nested_values_and_texts_stays_text(place: Place) -> None:
    place.write("in.json", ROWS)
    place.copy(files("Json", "in.json"), files("Json", "out.json"))
    lines = (place.folder / "out.json").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["mixed"] for line in lines] == ["[1]", "x"]


def test_a_table_has_what_is_nested_as_text(place: Place) -> None:
    place.write("in.json", ROWS)
    place.copy(files("Json", "in.json"), files("Parquet", "out.parquet"))
    assert [row["in"] for row in place.rows("out.parquet")] == ['{"a":[1,null]}', None]
    assert place.read(files("Parquet", "out.parquet")).schema.field("in").type == pa.string()
