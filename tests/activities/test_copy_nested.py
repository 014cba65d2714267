import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.plugin_given import Place, files

from manara.activities.mapping import translation
from manara.errors import WrongDefinition

DEEP: list[Any] = [{"a": [1, None], "b": 'é"'}, None, {"a": [], "b": None}]
TEXTS = ['{"a":[1,null],"b":"é\\""}', None, '{"a":[],"b":null}']
AS_TEXT = {"mapComplexValuesToString": True}
MAPPED = [{"source": {"name": "id"}, "sink": {"name": "id"}}, {"source": {"name": "deep"}, "sink": {"name": "deep"}}]
TYPED = [MAPPED[0], {"source": {"name": "deep"}, "sink": {"name": "deep", "type": "String"}}]


@pytest.mark.parametrize(
    ("translator", "expected"),
    [
        ({}, DEEP),
        ({"mapComplexValuesToString": False}, DEEP),
        (AS_TEXT, TEXTS),
        (AS_TEXT | {"mappings": MAPPED}, TEXTS),
        ({"mappings": TYPED}, TEXTS),
        ({"mappings": TYPED} | AS_TEXT, TEXTS),
    ],
)
def test_nested_values_become_json_texts_where_the_copy_says_so(
    tmp_path: Path, translator: dict[str, Any], expected: list[Any]
) -> None:
    place = Place(folder=tmp_path)
    pq.write_table(pa.table({"id": [1, 2, 3], "deep": pa.array(DEEP)}), tmp_path / "in.parquet")
    told = {"type": "TabularTranslator", **translator}
    place.copy(files("Parquet", "in.parquet"), files("Parquet", "out.parquet"), translator=told)
    assert [row["deep"] for row in place.rows("out.parquet")] == expected


@pytest.mark.parametrize(("translator", "expected"), [({}, DEEP), (AS_TEXT, TEXTS)])
def test_json_is_nested_again_unless_its_values_are_to_be_texts(
    tmp_path: Path, translator: dict[str, Any], expected: list[Any]
) -> None:
    place = Place(folder=tmp_path)
    place.write("in.json", "\n".join(json.dumps({"id": at, "deep": deep}) for at, deep in enumerate(DEEP)))
    told = {"type": "TabularTranslator", **translator}
    place.copy(files("Json", "in.json"), files("Json", "out.json"), translator=told)
    lines = (tmp_path / "out.json").read_text("utf-8").splitlines()
    assert [json.loads(line)["deep"] for line in lines] == expected


def test_what_is_neither_true_nor_false_is_refused() -> None:
    with pytest.raises(WrongDefinition, match="mapComplexValuesToString is true or false, not 'maybe'"):
        translation({"type": "TabularTranslator", "mapComplexValuesToString": "maybe"})
