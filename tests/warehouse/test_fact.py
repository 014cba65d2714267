from datetime import date, datetime
from typing import Any

import pytest
from tests.warehouse.conftest import Rows, Star
from tests.warehouse.test_dimension import since

from manara.errors import BadRows
from manara.warehouse.history import moment_of, read_as_of

LINE = {
    "site": "a",
    "item": "v1",
    "month": date(2024, 1, 1),
    "quantity": 5,
    "_origin": "jan.csv",
    "_row": 3,
    "_run": "r",
}


@pytest.fixture
def loaded(star: Star) -> Star:
    """A star with two versions of a facility, and an item."""
    star.dimension([since(2020), since(2024, district="South")], validFrom="since")
    star.dimension([{"code": "v1", "title": "BCG"}], name="item")
    return star


def facts(star: Star) -> list[tuple[Any, ...]]:
    rows = star.query(
        "select facility_key, item_key, date_key, quantity, is_deleted from fact_stock order by date_key, facility_key"
    )
    return [tuple(row.values()) for row in rows]


def test_a_fact_takes_the_version_that_counted_at_its_moment(loaded: Star) -> None:
    output = loaded.fact([LINE, {**LINE, "month": date(2023, 12, 1)}])
    assert (output["rowsRead"], output["rowsInserted"]) == (2, 2)
    assert facts(loaded) == [(1, 1, 20231201, 5, False), (2, 1, 20240101, 5, False)]
    assert loaded.query("select _origin, _row, _run from fact_stock where date_key = 20240101") == [
        {"_origin": "jan.csv", "_row": 3, "_run": "r"}
    ]


def test_a_fact_comes_once_however_often_it_is_loaded(loaded: Star) -> None:
    loaded.fact([LINE])
    output = loaded.fact([LINE])
    assert (output["rowsInserted"], output["rowsUpdated"], output["rowsUnchanged"]) == (0, 0, 1)
    output = loaded.fact([{**LINE, "quantity": 9}])
    assert (output["rowsInserted"], output["rowsUpdated"], output["rowsUnchanged"]) == (0, 1, 0)
    assert facts(loaded) == [(2, 1, 20240101, 9, False)]


def test_a_member_that_comes_late_is_inferred_and_completed_in_place(loaded: Star) -> None:
    output = loaded.fact([{**LINE, "site": "new"}, {**LINE, "item": "nobody knows"}])
    assert (output["membersInferred"], output["unknownKeys"]) == (1, {"item": 1})
    assert [fact[:2] for fact in facts(loaded)] == [(2, -1), (3, 1)]
    loaded.dimension([since(2023, id="new", name="Kalembe")], validFrom="since")
    (row,) = loaded.query("select facility_key, name, is_inferred from dim_facility where id = 'new'")
    assert tuple(row.values()) == (3, "Kalembe", False)


def test_the_days_of_the_months_are_there(loaded: Star) -> None:
    loaded.fact([LINE, {**LINE, "month": date(2024, 3, 5)}, {**LINE, "month": None}])
    (row,) = loaded.query("select count(*) as n, min(day) as first, max(day) as last from dim_date where date_key > 0")
    assert tuple(row.values()) == (91, date(2024, 1, 1), date(2024, 3, 31))
    assert facts(loaded)[0][2] == -1
    (row,) = loaded.query("select quarter, iso_week, weekday from dim_date where date_key = 20240229")
    assert tuple(row.values()) == (1, 9, 4)


def test_facts_that_a_whole_source_lacks_are_marked_within_what_it_gives(loaded: Star) -> None:
    loaded.fact([LINE, {**LINE, "site": "b"}, {**LINE, "site": "b", "month": date(2024, 2, 1)}])
    output = loaded.fact([LINE], deletes="mark", within=["date"])
    assert output["rowsDeleted"] == 1
    assert [fact[4] for fact in facts(loaded)] == [False, True, False]
    assert loaded.fact([{**LINE, "site": "b"}])["rowsUpdated"] == 1


def test_a_table_is_read_as_it_was_after_each_load(loaded: Star) -> None:
    outputs: list[list[int]] = []
    loads: list[Rows] = [[LINE], [{**LINE, "quantity": 6}, {**LINE, "site": "b"}], [{**LINE, "quantity": 7}]]
    moments: list[datetime] = []
    for number, rows in enumerate(loads):
        loaded.place.run_id = f"run{number}"
        loaded.fact(rows)
        moments.append(moment_of(loaded.place.database, f"run{number}"))
        outputs.append([fact[3] for fact in facts(loaded)])
    for moment, quantities in zip(moments, outputs, strict=True):
        rows = read_as_of(loaded.place.database, "fact_stock", moment).read_all().to_pylist()
        assert sorted(row["quantity"] for row in rows) == sorted(quantities)
    names = read_as_of(loaded.place.database, "dim_facility", moments[0]).read_all().to_pylist()
    assert {row["id"] for row in names} == {None, "a"}


def test_an_inferred_member_is_refused_where_the_role_says_so(loaded: Star) -> None:
    loaded.subject = loaded.subject.replace("from: [site]}", "from: [site], late: refuse}")
    with pytest.raises(BadRows, match="There are members that 'facility' has not: nowhere"):
        loaded.fact([LINE, {**LINE, "site": "nowhere"}])
    assert loaded.fact([LINE])["rowsInserted"] == 1


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([LINE, LINE], "The source gives a key more than once: a, v1, 2024-01-01 (2 times)"),
        ([LINE, {**LINE, "month": date(1066, 1, 1)}], "The dates of the load reach from 1066-01-01 to 2024-01-01."),
    ],
)
def test_facts_that_cannot_be_are_refused_and_nothing_is_loaded(loaded: Star, rows: Rows, message: str) -> None:
    with pytest.raises(BadRows) as refused:
        loaded.fact(rows)
    assert message in str(refused.value)
    assert loaded.query("select count(*) as n from warehouse_load where table_name = 'fact_stock'") == [{"n": 0}]


def test_the_planner_knows_how_large_a_table_is_after_its_load(loaded: Star) -> None:
    if loaded.place.database.dialect != "postgres":
        pytest.skip("DuckDB keeps its statistics itself")
    loaded.fact([LINE, {**LINE, "site": "b"}])
    rows = loaded.query(
        "select relname, reltuples from pg_class where relname in ('fact_stock', 'dim_facility') "
        "and relnamespace = to_regnamespace(current_schema())"  # other tests have tables of these names
    )
    counts = {row["relname"]: row["reltuples"] for row in rows}
    members = loaded.query("select count(*) as n from dim_facility")[0]["n"]
    assert counts == {"fact_stock": 2, "dim_facility": members}


def test_a_view_shows_what_a_table_ever_said_and_when(loaded: Star) -> None:
    moments = []
    for quantity in (5, 9):
        loaded.fact([{**LINE, "quantity": quantity}])
        moments += [row["at"] for row in loaded.query("select max(loaded_at) as at from fact_stock")]
    for moment, quantity in zip(moments, (5, 9), strict=True):
        asked = f"select quantity from fact_stock_known where known_from <= '{moment}' and '{moment}' < known_to"
        assert loaded.query(asked) == [{"quantity": quantity}]
    first = "select count(*) as n from dim_facility_known where timestamp '2000-01-01' between known_from and known_to"
    assert loaded.query(first) == [{"n": 1}]


def test_a_column_that_is_widened_or_new_is_in_the_view_too(loaded: Star) -> None:
    loaded.fact([LINE])
    loaded.subject = loaded.subject.replace("name: quantity, type: integer", "name: quantity, type: number")
    loaded.subject = loaded.subject.replace("measures: [", "measures: [{name: doses, type: integer}, ", 1)
    output = loaded.fact([{**LINE, "quantity": 2.5, "doses": 20}])
    assert "take away the view fact_stock_known" in output["changes"]
    said = loaded.query("select quantity, doses from fact_stock_known order by known_from")
    assert said == [{"quantity": 5.0, "doses": None}, {"quantity": 2.5, "doses": 20}]
    assert loaded.fact([{**LINE, "quantity": 2.5, "doses": 20}])["changes"] == []
