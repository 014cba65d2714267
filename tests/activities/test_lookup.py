from typing import Any

import pytest
from tests.plugin_given import Json, Place, csv, files, table

from manara.errors import BadRows, WrongDefinition

TYPES = (
    "select 1 as i, 1.5::decimal(9, 2) as d, 'x' as t, null as n, true as b, date '2024-03-01' as day, "
    "timestamptz '2024-03-01 12:30:00+02' as moment, timestamp '2024-03-01 01:02:03.5' as plain, [1, 2] as l, "
    "{'a': date '2024-03-01'} as s, 'nan'::double as nan"
)


def _lookup(place: Place, dataset: Json, **properties: Any) -> Json:
    source = {"type": "Source", **properties.pop("source", {})}
    return place.run("Lookup", {"source": source, "dataset": dataset, **properties})


@pytest.mark.parametrize(
    ("content", "properties", "output"),
    [
        pytest.param("a\n1\n2\n", {}, {"firstRow": {"a": "1"}}, id="first row"),
        pytest.param("a\n1\n2\n", {"firstRowOnly": False}, {"count": 2, "value": [{"a": "1"}, {"a": "2"}]}, id="all"),
        pytest.param("a\n", {}, {}, id="no row"),
        pytest.param("a\n", {"firstRowOnly": "false"}, {"count": 0, "value": []}, id="no rows"),
    ],
)
def test_rows_are_looked_up(place: Place, content: str, properties: Json, output: Json) -> None:
    place.write("in.csv", content)
    assert _lookup(place, csv("in.csv"), **properties) == output


def test_values_are_plain_json(place: Place) -> None:
    assert _lookup(place, table("none"), source={"query": TYPES})["firstRow"] == {
        "i": 1, "d": 1.5, "t": "x", "n": None, "b": True, "day": "2024-03-01T00:00:00",
        "moment": "2024-03-01T10:30:00Z", "plain": "2024-03-01T01:02:03.5", "l": [1, 2],
        "s": {"a": "2024-03-01"}, "nan": None,
    }  # fmt: skip


def test_of_many_rows_the_first_are_kept(place: Place) -> None:
    source = {"query": "select * from range(200000) as t(n)"}
    output = _lookup(place, table("none"), source=source, firstRowOnly=False)
    assert (output["count"], output["value"][-1]) == (5_000, {"n": 4_999})


def test_more_than_4_mb_fail(place: Place) -> None:
    source = {"query": "select repeat('x', 1000) as t from range(5000)"}
    with pytest.raises(BadRows, match=r"'Work' gives 4\.\d MB"):
        _lookup(place, table("none"), source=source, firstRowOnly=False)


def test_json_objects_one_after_the_other_are_rows(place: Place) -> None:
    place.write("in.json", '{"a": 1}{"a": 2}')
    assert _lookup(place, files("Json", "in.json"), firstRowOnly=False)["count"] == 2


def test_a_dataset_is_needed(place: Place) -> None:
    with pytest.raises(WrongDefinition, match=r"needs typeProperties\.dataset"):
        place.run("Lookup", {"source": {}})
