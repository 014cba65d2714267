"""Facts by year: parted in PostgreSQL, and the same in DuckDB."""

from datetime import date

import pytest
from tests.warehouse.conftest import SUBJECT, Star
from tests.warehouse.test_fact import LINE

PARTED = SUBJECT.replace("    asOf: month", "    asOf: month\n    partitionBy: date")
PLACES = """
select date_key, tableoid::regclass::text as place from fact_stock order by date_key
"""


@pytest.mark.parametrize("star", ["postgres"], indirect=True)
def test_each_year_lies_in_a_table_of_its_own_and_no_date_in_the_rest(star: Star) -> None:
    star.subject = PARTED
    months = [date(2023, 12, 1), date(2024, 1, 1), None]
    output = star.fact([{**LINE, "month": month} for month in months])
    assert output["rowsInserted"] == 3
    assert "make fact_stock, parted by year" in output["changes"]
    assert [tuple(row.values()) for row in star.query(PLACES)] == [
        (-1, "fact_stock_rest"), (20231201, "fact_stock_2023"), (20240101, "fact_stock_2024"),
    ]  # fmt: skip
    assert star.fact([{**LINE, "month": date(2025, 1, 1)}])["rowsInserted"] == 1
    plan = star.query("explain select * from fact_stock where date_key between 20240101 and 20241231")
    assert {"fact_stock_2023", "fact_stock_2024"} & set(" ".join(str(row) for row in plan).split()) == {
        "fact_stock_2024"
    }


@pytest.mark.parametrize("star", ["postgres"], indirect=True)
def test_a_table_that_was_whole_before_stays_so(star: Star) -> None:
    star.fact([LINE])
    star.subject = PARTED
    assert star.fact([LINE, {**LINE, "month": date(2025, 1, 1)}])["rowsInserted"] == 1
    assert {row["place"] for row in star.query(PLACES)} == {"fact_stock"}


def test_a_parted_fact_is_loaded_changed_and_read_back_as_any_other(star: Star) -> None:
    star.subject = PARTED
    star.fact([LINE, {**LINE, "month": date(2023, 5, 1)}])
    output = star.fact([{**LINE, "quantity": 9}], deletes="mark")
    assert [output[f"rows{what}"] for what in ("Inserted", "Updated", "Deleted")] == [0, 1, 1]
    said = star.query("select date_key, quantity, is_deleted from fact_stock_known order by date_key, known_from")
    assert [tuple(row.values()) for row in said] == [
        (20230501, 5, False), (20230501, 5, True), (20240101, 5, False), (20240101, 9, False),
    ]  # fmt: skip
