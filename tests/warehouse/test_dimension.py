from datetime import datetime
from typing import Any

import pytest
from tests.warehouse.conftest import Rows, Star

from manara.errors import BadRows, ManaraError

ONE = {"id": "a", "name": "Bo", "district": "North"}
THIS_YEAR = datetime.now().year  # noqa: DTZ005


def since(year: int, **changed: Any) -> dict[str, Any]:
    """Return the facility as it is from the first day of a year on."""
    return {**ONE, "since": datetime(year, 1, 1), **changed}  # noqa: DTZ001


def counts(output: dict[str, Any]) -> tuple[int, ...]:
    return tuple(output[name] for name in ("rowsRead", "rowsInserted", "rowsUpdated", "rowsUnchanged", "rowsDeleted"))


def test_a_member_gets_a_key_for_ever_and_an_equal_load_writes_nothing(star: Star) -> None:
    assert counts(star.dimension([ONE, {**ONE, "id": "b"}])) == (2, 2, 0, 0, 0)
    before = star.query("select * from dim_facility order by facility_key")
    assert counts(star.dimension([{**ONE, "id": "b"}, ONE])) == (2, 0, 0, 2, 0)
    assert star.query("select * from dim_facility order by facility_key") == before
    assert [row["facility_key"] for row in before] == [-1, 1, 2]
    assert (before[0]["name"], before[0]["id"]) == ("Unknown", None)


def test_an_attribute_of_type_1_is_overwritten_in_all_versions(star: Star) -> None:
    star.dimension([since(2020), since(2022, district="South")], validFrom="since")
    assert counts(star.dimension([since(2022, district="South", name="Bo town")], validFrom="since"))[:3] == (1, 0, 1)
    assert {version[2] for version in star.versions()} == {"Bo town"}


CASES: list[tuple[str, list[Rows], list[tuple[Any, ...]]]] = [
    ("a change makes a version", [[since(2020)], [since(2022, district="South")]],
     [(1, "a", "Bo", "North", 2020, 2022, False), (2, "a", "Bo", "South", 2022, 9999, True)]),
    ("two changes in one load", [[since(2020), since(2021, district="South"), since(2023, district="East")]],
     [(1, "a", "Bo", "North", 2020, 2021, False), (2, "a", "Bo", "South", 2021, 2023, False),
      (3, "a", "Bo", "East", 2023, 9999, True)]),
    ("a change that comes late splits", [[since(2020)], [since(2024, district="East")],
                                         [since(2022, district="South")]],
     [(1, "a", "Bo", "North", 2020, 2022, False), (3, "a", "Bo", "South", 2022, 2024, False),
      (2, "a", "Bo", "East", 2024, 9999, True)]),
    ("a change back makes a version", [[since(2020)], [since(2021, district="South")], [since(2022)]],
     [(1, "a", "Bo", "North", 2020, 2021, False), (2, "a", "Bo", "South", 2021, 2022, False),
      (3, "a", "Bo", "North", 2022, 9999, True)]),
    ("a correction of the same moment", [[since(2020)], [since(2020, district="South")]],
     [(1, "a", "Bo", "South", 2020, 9999, True)]),
    ("what was before the first version", [[since(2022)], [since(2020, district="South")]],
     [(2, "a", "Bo", "South", 2020, 2022, False), (1, "a", "Bo", "North", 2022, 9999, True)]),
    ("nothing new", [[since(2020)], [since(2021)], [since(2023)]], [(1, "a", "Bo", "North", 2020, 9999, True)]),
    ("null is not empty", [[since(2020, district=None)], [since(2021, district="")]],
     [(1, "a", "Bo", None, 2020, 2021, False), (2, "a", "Bo", "", 2021, 9999, True)]),
]  # fmt: skip


@pytest.mark.parametrize(("_case", "loads", "versions"), CASES, ids=[case[0] for case in CASES])
def test_versions_follow_what_is_said_of_each_moment(
    star: Star, _case: str, loads: list[Rows], versions: list[tuple[Any, ...]]
) -> None:
    for rows in loads:
        star.dimension(rows, validFrom="since")
    assert star.versions() == versions
    star.dimension(loads[-1], validFrom="since")
    assert star.versions() == versions


def test_without_a_moment_a_version_counts_from_the_load_and_the_first_from_the_beginning(star: Star) -> None:
    star.dimension([ONE])
    star.dimension([{**ONE, "district": "South"}])
    assert [version[3:] for version in star.versions()] == [
        ("North", 1900, THIS_YEAR, False), ("South", THIS_YEAR, 9999, True)
    ]  # fmt: skip


def test_a_member_that_a_whole_source_lacks_is_closed_and_may_come_back(star: Star) -> None:
    star.dimension([ONE, {**ONE, "id": "b"}])
    assert counts(star.dimension([ONE], deletes="close"))[4] == 1
    assert star.query("select is_deleted, is_current from dim_facility where id = 'b'") == [
        {"is_deleted": True, "is_current": False}
    ]
    assert counts(star.dimension([ONE], deletes="close"))[4] == 0
    assert counts(star.dimension([ONE, {**ONE, "id": "b"}], deletes="close"))[1] == 1
    rows = star.query("select * from dim_facility where id = 'b' order by valid_from")
    assert [row["is_current"] for row in rows] == [False, True]


def test_a_step_that_is_tried_again_loads_once(star: Star) -> None:
    first = star.dimension([ONE], step="same")
    assert star.dimension([ONE], step="same") == first
    assert star.query("select count(*) as n from warehouse_load") == [{"n": 1}]


def test_rows_come_from_a_query_with_their_notes(star: Star) -> None:
    star.place.texts["supply"] = star.subject
    select = "select 'a' as id, 'Bo' as name, 'North' as quarter, 'list.csv' as _origin, 7 as _row, 'r1' as _run"
    told = {"subject": "supply", "dimension": "facility", "query": select, "columns": {"district": "quarter"}}
    star.place.run("LoadDimension", told)
    (row,) = star.query("select district, _origin, _row, _run from dim_facility where id = 'a'")
    assert tuple(row.values()) == ("North", "list.csv", 7, "r1")


@pytest.mark.parametrize(
    ("rows", "more", "message"),
    [
        ([ONE, ONE], {}, "The source gives a key more than once: a (2 times)"),
        ([{**ONE, "id": None}], {}, "1 rows have no id."),
        (
            [since(2020), since(2020, name="x")],
            {"validFrom": "since"},
            "The source gives a key more than once: a, 2020",
        ),
    ],
)
def test_keys_that_are_not_keys_are_refused_and_nothing_is_loaded(
    star: Star, rows: Rows, more: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadRows) as refused:
        star.dimension(rows, **more)
    assert message in str(refused.value)
    with pytest.raises(ManaraError):
        star.query("select * from dim_facility")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"validFrom": "from_day"}, "The source has no column 'from_day'."),
        ({"columns": {"name": "nom"}}, "The source has no column 'nom'. Known are: district, id, name."),
        ({"deletes": "drop"}, "It is ignore or close."),
        ({"name": "place"}, "The subject area has no dimension 'place'."),
        ({"query": "select 1"}, "The rows come from one input, a query, or a scriptPath."),
    ],
)
def test_a_load_that_cannot_be_is_refused(star: Star, more: dict[str, Any], message: str) -> None:
    with pytest.raises(ManaraError) as refused:
        star.dimension([ONE], **more)
    assert message in str(refused.value)
