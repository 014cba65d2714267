from datetime import timedelta
from typing import Any

import pytest
from tests.quality.conftest import IN_BOTH, Gate, contract_text

from manara import clock
from manara.errors import ManaraError

KEY = {"name": "code", "primaryKey": True}
ROWS = [{"code": str(n), "quantity": "1" if n % 4 else "x", "kind": "a" if n % 2 else "z"} for n in range(1, 9)]


def metric(name: str, **told: Any) -> dict[str, Any]:
    return {"type": "library", "metric": name, **told}


def column(name: str, *quality: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "quality": list(quality), **more}


CASES = [
    ([column("kind", metric("nullValues", mustBe=0))], [], "kind.nullValues", 0, True),
    ([column("quantity", metric("missingValues", mustBeLessThan=20, unit="percent"), logicalType="integer")], [],
     "quantity.missingValues", 25, False),
    ([column("kind", metric("duplicateValues", mustBeBetween=[6, 6]))], [], "kind.duplicateValues", 6, True),
    ([column("kind", metric("invalidValues", arguments={"validValues": ["a"]}, mustBeLessOrEqualTo=50,
                            unit="percent"))], [], "kind.invalidValues", 50, True),
    ([], [metric("rowCount", mustBeGreaterThan=8)], "rowCount", 8, False),
    ([], [metric("rowCount", mustNotBe=8)], "rowCount", 8, False),
    ([], [metric("rowCount", mustNotBeBetween=[1, 7])], "rowCount", 8, True),
]  # fmt: skip


@pytest.mark.parametrize(
    ("columns", "quality", "name", "value", "holds"), CASES, ids=[f"{case[2]} {at}" for at, case in enumerate(CASES)]
)
def test_a_number_of_the_load_is_held_against_its_bounds(
    gate: Gate, columns: list[Any], quality: list[Any], name: str, value: float, holds: bool
) -> None:
    text = contract_text([KEY, *columns], [rule | {"severity": "warning"} for rule in quality])
    output = gate.take(text.replace("severity: error", "severity: warning"), ROWS)
    assert {"name": name, "value": value, "holds": holds} in output["quality"]["checks"]
    (kept,) = gate.ask(f"select value, holds from quality_check where name = '{name}'")
    assert kept == (value, holds)


@IN_BOTH
def test_a_check_that_fails_stops_the_load_and_keeps_what_was_refused(gate: Gate) -> None:
    quantity = column("quantity", logicalType="integer", required=True)
    text = contract_text([KEY, quantity], [metric("rowCount", mustBeGreaterThan=100)])
    output = gate.take(text, ROWS)
    assert output["stopped"] == ["rowCount is 8: mustBeGreaterThan 100"]
    assert (output["rowsLoaded"], output["rowsQuarantined"], output["rowsHeldBack"]) == (0, 2, 6)
    assert gate.ask("select count(*) from stock_clean") == [(0,)]
    assert gate.refused().keys() == {4, 8}


@pytest.mark.parametrize(("share", "stops"), [(0.25, False), (0.2, True)])
def test_too_large_a_share_of_refused_rows_stops_the_load(gate: Gate, share: float, stops: bool) -> None:
    text = contract_text([KEY, column("quantity", logicalType="integer")])
    told = f"  customProperties: [{{property: maximumRefusedShare, value: {share}}}]\n  properties:"
    output = gate.take(text.replace("  properties:", told, 1), ROWS)
    assert ("stopped" in output) is stops


@IN_BOTH
@pytest.mark.parametrize(("days", "holds"), [(2, True), (5, False)])
def test_the_newest_value_must_be_as_young_as_the_service_level_says(gate: Gate, days: int, holds: bool) -> None:
    level = {"property": "latency", "value": 3, "unit": "d", "element": "stock_clean.day"}
    text = contract_text([KEY, column("day", logicalType="date")], slaProperties=[level])
    day = (clock.now() - timedelta(days=days)).date().isoformat()
    output = gate.take(text, [{"code": "a", "day": "2020-01-01"}, {"code": "b", "day": day}])
    assert [check["holds"] for check in output["quality"]["checks"]] == [holds]
    assert output["rowsLoaded"] == 2


@IN_BOTH
def test_each_dimension_has_its_score_and_the_whole_is_their_mean(gate: Gate) -> None:
    text = contract_text(
        [KEY, column("quantity", logicalType="integer", required=True), column("kind", metric("nullValues", mustBe=0))]
    )
    quality = gate.take(text, ROWS)["quality"]
    assert quality["dimensions"] == {"completeness": 1.0, "uniqueness": 1.0, "validity": 0.75}
    assert quality["score"] == pytest.approx(2.75 / 3)
    gate.take(text, ROWS[:3], origin="b.csv")
    kept = gate.ask("select origin, score from quality_score where dimension = 'all' order by noted")
    assert kept == [("a.csv", pytest.approx(2.75 / 3)), ("b.csv", 1.0)]


def test_an_empty_load_has_nothing_wrong(gate: Gate) -> None:
    output = gate.take(contract_text([KEY]), [], columns=["code"])
    assert output["quality"]["score"] == 1.0


def query(text: str, **told: Any) -> dict[str, Any]:
    return {"type": "sql", "id": "asked", "query": text, **told}


NUMBER = column("quantity", logicalType="integer")


@IN_BOTH
@pytest.mark.parametrize(
    ("columns", "quality", "value", "holds"),
    [
        ([NUMBER], [query("SELECT sum(quantity) FROM {object}", mustBe=6)], 6, True),
        ([NUMBER], [query("SELECT sum(quantity) FROM ${table};", mustBeGreaterThan=6)], 6, False),
        ([NUMBER | {"quality": [query("select avg({property}) from {object}", mustBe=1)]}], [], 1, True),
        ([NUMBER | {"quality": [query("select max(${column}) > 5 from ${object}", mustBe=0)]}], [], 0, True),
        ([NUMBER], [query("select count(*) from stock_clean", mustBe=0)], 0, True),
        ([NUMBER], [query("select count(*) from {object} n join facility f on f.code = n.code", mustBe=1)], 1, True),
        ([NUMBER], [query("select null", mustBe=1)], None, False),
        ([NUMBER], [query("select 'nan'::double", mustNotBe=1)], None, False),
        ([NUMBER], [query("with x as (select 1 as a) select a from x -- ) ;", mustBe=1)], 1, True),
        ([NUMBER], [query("select count(*) from {object} where regexp_matches(code, '^.{1}$')", mustBe=8)], 8, True),
    ],
)  # fmt: skip
def test_a_query_of_the_load_gives_a_number_that_is_held_against_its_bounds(
    gate: Gate, columns: list[Any], quality: list[Any], value: float | None, holds: bool
) -> None:
    gate.do("create table facility as select '3' as code")
    text = contract_text([KEY, *columns], quality)
    output = gate.take(text, ROWS)
    assert {"name": "asked", "value": value, "holds": holds} in output["quality"]["checks"]
    assert ("stopped" in output) is not holds


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("select 'many'", "gives 'many', which is no number"),
        ("select nothing from {object}", "nothing"),
        ("select code from {object}", "More than one row"),
        ("select count(*) from gone", "table 'gone' does not exist"),
    ],
)
def test_a_query_that_gives_no_number_is_told(gate: Gate, text: str, says: str) -> None:
    with pytest.raises(ManaraError) as raised:
        gate.take(contract_text([KEY], [query(text, mustBe=0)]), ROWS)
    assert says in str(raised.value)
    assert "asked" in str(raised.value)
