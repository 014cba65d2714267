from datetime import date
from typing import Any

import pytest
from tests.warehouse.conftest import Star

from manara.errors import BadRows

SUBJECT = """
subject: supply
facts:
  - name: stock
    grain: one report in one period
    key: [period, source]
    roles: [{name: period, dimension: period, from: [pe]}, {name: plan, dimension: period, from: [plan]}]
    degenerate: [{name: source, type: string}]
    measures: [{name: quantity, type: integer}]
"""


def line(period: str | None, plan: str | None = None, quantity: int = 1) -> dict[str, Any]:
    return {"pe": period, "plan": plan, "source": "dhis2", "quantity": quantity}


@pytest.mark.parametrize(
    ("code", "grain", "first", "last", "year", "quarter"),
    [
        ("20240131", "Daily", date(2024, 1, 31), date(2024, 1, 31), 2024, "2024Q1"),
        ("202402", "Monthly", date(2024, 2, 1), date(2024, 2, 29), 2024, "2024Q1"),
        ("2024W1", "Weekly", date(2024, 1, 1), date(2024, 1, 7), 2024, "2024Q1"),
        ("2025W1", "Weekly", date(2024, 12, 30), date(2025, 1, 5), 2025, None),
        ("2024Q2", "Quarterly", date(2024, 4, 1), date(2024, 6, 30), 2024, "2024Q2"),
        ("2024S2", "SixMonthly", date(2024, 7, 1), date(2024, 12, 31), 2024, None),
        ("2024", "Yearly", date(2024, 1, 1), date(2024, 12, 31), 2024, None),
        ("2024April", "FinancialApril", date(2024, 4, 1), date(2025, 3, 31), 2024, None),
    ],
)
def test_a_period_has_its_grain_and_days(
    star: Star, code: str, grain: str, first: date, last: date, year: int, quarter: str | None
) -> None:
    star.subject = SUBJECT
    star.fact([line(code)])
    (row,) = star.query(
        "select p.grain, p.first_day, p.last_day, p.year, p.quarter from fact_stock as f "
        f"join dim_period as p on p.period_key = f.period_key where p.period = '{code}'"
    )
    assert tuple(row.values()) == (grain, first, last, year, quarter)


def test_a_period_has_one_key_in_all_roles_and_loads_and_none_is_minus_one(star: Star) -> None:
    star.subject = SUBJECT
    star.fact([line("202401", "2024"), line("202402", "202401")])
    output = star.fact([line("202401", "2024"), line("202403", None), line(None)])
    assert (output["rowsInserted"], output["rowsUnchanged"], output["unknownKeys"]) == (2, 1, {"period": 1, "plan": 2})
    keys = star.query("select period_key, plan_key from fact_stock order by period_key")
    january, february, march, year = 820240101, 820240201, 820240301, 1520240101
    assert [tuple(row.values()) for row in keys] == [
        (-1, -1), (january, year), (february, january), (march, -1),
    ]  # fmt: skip
    assert [row["n"] for row in star.query("select count(*) as n from dim_period")] == [5]


@pytest.mark.parametrize(
    ("code", "says"),
    [("2024-13", "'2024-13' is no period of DHIS2"), ("January", "'January' is no period"), ("", "'' is no period")],
)
def test_what_is_no_period_refuses_the_load_and_nothing_is_written(star: Star, code: str, says: str) -> None:
    star.subject = SUBJECT
    star.fact([line("202401")])
    with pytest.raises(BadRows, match=says):
        star.fact([line("202402"), line(code)])
    assert [row["n"] for row in star.query("select count(*) as n from fact_stock")] == [1]
    assert [row["n"] for row in star.query("select count(*) as n from dim_period")] == [2]
