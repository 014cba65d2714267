"""Loads that take only what has changed since the last good one."""

from datetime import date, datetime
from typing import Any

import pytest
from tests.warehouse.conftest import Rows, Star

from manara.errors import WrongDefinition

ITEMS: Rows = [
    {"code": "v1", "title": "BCG", "changed": datetime.fromisoformat("2024-01-01")},
    {"code": "v2", "title": "OPV", "changed": datetime.fromisoformat("2024-01-02T10:00")},
    {"code": "v3", "title": "MR", "changed": None},
]


def load(star: Star, rows: Rows, **more: Any) -> dict[str, Any]:
    output = star.dimension(rows, name="item", watermark="changed", **more)
    star.place.cursor = output["cursor"]
    return output


def titles(star: Star) -> list[str]:
    return [row["title"] for row in star.query("select title from dim_item where item_key > 0 order by code")]


def test_only_rows_from_the_last_value_on_are_taken_and_those_without_one(star: Star) -> None:
    first = load(star, ITEMS)
    assert (first["rowsRead"], first["cursor"]) == (3, "2024-01-02 10:00:00")
    changed = [{**ITEMS[0], "title": "never seen"}, {**ITEMS[1], "title": "bOPV"}, ITEMS[2]]
    new = {"code": "v4", "title": "Rota", "changed": datetime.fromisoformat("2024-01-03")}
    second = load(star, [*changed, new])
    assert [second[f"rows{what}"] for what in ("Read", "Inserted", "Updated", "Unchanged")] == [3, 1, 1, 1]
    assert second["cursor"] == "2024-01-03 00:00:00"
    assert titles(star) == ["BCG", "bOPV", "MR", "Rota"]
    nothing = load(star, [ITEMS[0]])
    assert (nothing["rowsRead"], nothing["cursor"]) == (0, "2024-01-03 00:00:00")


def test_an_overlap_takes_again_what_may_have_come_late(star: Star) -> None:
    load(star, ITEMS)
    late = {"code": "v0", "title": "HepB", "changed": datetime.fromisoformat("2024-01-02T09:30")}
    assert load(star, [late], overlapInSeconds=60)["rowsRead"] == 0
    assert load(star, [late], overlapInSeconds=3600)["rowsInserted"] == 1


@pytest.mark.parametrize(
    ("kind", "first", "second"),
    [
        ("date", "2024-01-31", "2024-02-01"),
        ("integer", "9", "10"),
        ("timestamp", "2024-01-31 08:00:00", "2024-02-01 00:00:00"),
    ],
)
def test_a_query_is_asked_for_the_new_rows_in_the_type_of_its_column(
    star: Star, kind: str, first: str, second: str
) -> None:
    query = f"select 'v1' as code, 'BCG' as title, cast('{first}' as {kind}) as mark"
    output = star.ask("LoadDimension", dimension="item", watermark="mark", query=query)
    assert (output["rowsInserted"], output["cursor"]) == (1, first)
    star.place.cursor = output["cursor"]
    more = f"{query} union all select 'v2', 'OPV', cast('{second}' as {kind}); "
    output = star.ask("LoadDimension", dimension="item", watermark="mark", query=more)
    assert (output["rowsInserted"], output["cursor"]) == (1, second)


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"watermark": "chnaged"}, "no column 'chnaged', which the watermark is. Did you mean 'changed'?"),
        ({"watermark": "changed", "deletes": "close"}, "the source is not whole"),
        ({"watermark": "title"}, "'title' is a text, which may sort otherwise than it grows"),
        ({"watermark": "weight"}, "has come to 'nan', after which nothing comes"),
        ({"overlapInSeconds": 5}, "belongs to a watermark"),
        ({"watermark": "code", "overlapInSeconds": 5}, "'5' seconds cannot be taken from the watermark 'v3'"),
    ],
)
def test_a_watermark_that_cannot_be_is_told(star: Star, told: dict[str, Any], says: str) -> None:
    star.place.cursor = "v3" if told.get("watermark") == "code" else None
    rows = [{**item, "weight": float("nan")} for item in ITEMS]
    with pytest.raises(WrongDefinition) as raised:
        star.dimension(rows, name="item", **told)
    assert says in str(raised.value).replace("NaN", "nan")


def test_a_fact_goes_on_too(star: Star) -> None:
    star.dimension([{"code": "v1", "title": "BCG"}], name="item")
    line = {"site": "a", "item": "v1", "month": date(2024, 1, 1), "quantity": 5, "id": 7}
    output = star.fact([line], watermark="id")
    star.place.cursor = output["cursor"]
    rows = [line, {**line, "month": date(2024, 2, 1), "id": 8}, {**line, "site": "b", "id": 6}]
    again = star.fact(rows, watermark="id")
    assert [again[f"rows{what}"] for what in ("Read", "Inserted", "Unchanged")] == [2, 1, 1]
    assert again["cursor"] == "8"
