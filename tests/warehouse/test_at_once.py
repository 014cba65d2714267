"""Two loads at once: what one is about to write, the other waits for. DuckDB has one writer, and cannot be tried."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from typing import Any

import psycopg
import pytest
from tests.warehouse import test_periods
from tests.warehouse.conftest import Star

FACILITY = {"id": "a", "name": "Kalembe", "district": "D"}
LINE = {"site": "a", "item": "i", "month": date(2024, 1, 1), "quantity": 5}
MEMBER = (
    "(facility_key, id, valid_from, valid_to, is_current, is_deleted) "
    "values (7, 'new', '1900-01-01', '9999-12-31', true, false)"
)


@contextmanager
def written_by_another(star: Star, statement: str) -> Iterator[Callable[[], None]]:
    """Write something as another load does, and keep it open; gives what commits once our load waits for it."""
    if star.place.database.dialect != "postgres":
        pytest.skip("DuckDB has one writer")
    address = star.place.service[1]["connectionString"]
    with psycopg.connect(address) as other, psycopg.connect(address, autocommit=True) as looking:
        other.execute(statement.encode())

        def commit() -> None:
            end = time.monotonic() + 30
            while not _number(looking, b"select count(*) from pg_locks where not granted"):
                assert time.monotonic() < end, "the load did not wait"
                time.sleep(0.01)
            other.commit()

        yield commit


def _number(connection: "psycopg.Connection[Any]", query: bytes) -> int:
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize(
    ("named", "made", "counted"),
    [
        ("dim_facility", MEMBER, "dim_facility where id = 'new'"),
        ("dim_date", "(date_key, day) values (20240201, '2024-02-01')", "dim_date where date_key = 20240201"),
    ],
)
def test_a_member_that_two_loads_lack_is_made_once(star: Star, named: str, made: str, counted: str) -> None:
    star.dimension([FACILITY])
    star.fact([LINE])
    with written_by_another(star, f"insert into {named} {made}") as commit, ThreadPoolExecutor(1) as pool:
        load = pool.submit(star.fact, [{**LINE, "site": "new", "month": date(2024, 2, 1)}])
        commit()
        load.result()
    assert star.query(f"select count(*) as n from {counted}") == [{"n": 1}]
    assert star.query("select count(*) as n from fact_stock") == [{"n": 2}]


def test_a_period_that_two_loads_lack_is_made_once(star: Star) -> None:
    star.subject = test_periods.SUBJECT
    star.fact([test_periods.line("202401")])
    made = "insert into dim_period (period_key, period) values (820240201, '202402')"
    with written_by_another(star, made) as commit, ThreadPoolExecutor(1) as pool:
        load = pool.submit(star.fact, [test_periods.line("202402")])
        commit()
        load.result()
    assert star.query("select count(*) as n from dim_period where period = '202402'") == [{"n": 1}]
    assert star.query("select count(*) as n from fact_stock where period_key = 820240201") == [{"n": 1}]


def test_a_fact_that_two_loads_bring_is_there_once(star: Star) -> None:
    star.dimension([FACILITY])
    star.fact([LINE])
    key = star.query("select fact_key from fact_stock")[0]["fact_key"] if star.place.warehouse else ""
    again = f"delete from fact_stock; insert into fact_stock (fact_key, quantity) values ('{key}', 1)"
    with written_by_another(star, again) as commit, ThreadPoolExecutor(1) as pool:
        load = pool.submit(star.fact, [LINE])
        commit()
        load.result()
    assert star.query("select quantity as n from fact_stock") == [{"n": 5}]
