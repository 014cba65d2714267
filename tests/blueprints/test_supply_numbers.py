"""The demo's numbers against those worked out by hand from the files."""

import statistics
from collections import Counter
from decimal import Decimal

import pytest
from tests.blueprints.by_hand import (
    ByHand,
    Status,
    back,
    costs,
    forecast_errors,
    forecasts,
    is_on_time,
    lead_time,
    statuses,
    wastage,
)
from tests.blueprints.conftest import SMALL, Tower

from manara.blueprints.supply.generate import generate_month
from manara.blueprints.supply.report import compare, report

STOCK = """
select place.code, goods.item_code, month, {columns}
from {table} as fact
join dim_facility as place using (facility_key)
join dim_item as goods using (item_key)
where source = '{source}'
"""
SOURCES = ("facility", "item", "reason", "stock_card", "stock_movement", "stock_on_hand", "data_value", "shipment_line")


@pytest.mark.parametrize("source", SOURCES)
def test_every_row_that_was_read_is_loaded_or_refused_and_as_many_as_by_hand(
    tower: Tower, by_hand: ByHand, source: str
) -> None:
    (told,) = tower.query(
        "select sum(rows_read)::bigint as read, sum(rows_loaded)::bigint as loaded, "
        f"sum(rows_quarantined)::bigint as refused from load_log where contract = '{source}'"
    )
    checked = getattr(by_hand, source)
    assert told["read"] == told["loaded"] + told["refused"] == checked.read
    assert (
        told["refused"]
        == checked.refused
        == tower.value(f"select count(*) from quarantine where contract = '{source}'")
    )
    assert len(checked.rows) == tower.value(f"select count(*) from {source}")


@pytest.mark.parametrize("source", SOURCES)
def test_the_reasons_are_those_found_by_hand(tower: Tower, by_hand: ByHand, source: str) -> None:
    rows = tower.query(
        "select rule, count(*) as rows from quality_finding "
        f"where contract = '{source}' and severity = 'error' group by rule"
    )
    assert {row["rule"]: row["rows"] for row in rows} == dict(getattr(by_hand, source).rules)


def test_what_was_planted_is_found(tower: Tower) -> None:
    compared = compare(tower.planted, tower.query)
    assert [found for _, _, found in compared] == [planted for _, planted, _ in compared]
    assert all(planted > 0 for _, planted, _ in compared)


def test_each_planted_fault_is_found_in_its_file_by_its_rule(tower: Tower) -> None:
    apart = {"late-report", "country.unmatched"}  # one for many rows; no rule of a contract
    planted = Counter(
        (fault.contract, fault.rule, fault.file) for fault in tower.planted.faults if fault.rule not in apart
    )
    rows = tower.query("select contract, rule, origin, count(*) as rows from quality_finding group by all")
    found = {(row["contract"], row["rule"], row["origin"]): row["rows"] for row in rows if row["rule"] != "late-report"}
    assert found == planted


def test_the_months_of_dhis2_are_those_of_the_files(tower: Tower, by_hand: ByHand) -> None:
    months, broken, late = by_hand.dhis2_months()
    columns = "opening, received, dispensed, discarded, closing, doses"
    rows = tower.query(STOCK.format(columns=columns, table="fact_stock_month", source="dhis2"))
    found = {tuple(row.values())[:3]: tuple(row.values())[3:] for row in rows}
    told = {
        key: (month.opening, month.received, month.dispensed, month.discarded, month.closing, month.doses)
        for key, month in months.items()
    }
    assert found == told
    assert tower.value("select count(*) from quarantine where contract = 'stock_month'") == broken
    assert len(late) == tower.planted.counts()["late report"]


def test_the_months_of_the_lmis_are_those_of_its_cards(tower: Tower, by_hand: ByHand) -> None:
    rows = tower.query(
        STOCK.format(
            columns="opening, received, dispensed, discarded, closing", table="fact_stock_month", source="lmis"
        )
    )
    found = {tuple(row.values())[:3]: tuple(row.values())[3:] for row in rows}
    told = {
        key: (month.opening, month.received, month.dispensed, month.discarded, month.closing)
        for key, month in by_hand.lmis_months().items()
    }
    assert found == told


@pytest.mark.parametrize("source", ["dhis2", "lmis"])
def test_stock_consumption_cover_and_stock_outs_are_those_by_hand(tower: Tower, by_hand: ByHand, source: str) -> None:
    months = by_hand.dhis2_months()[0] if source == "dhis2" else by_hand.lmis_months()
    rows = tower.query(STOCK.format(columns="soh, amc, mos, is_stock_out", table="stock_status", source=source))
    found = {tuple(row.values())[:3]: Status(*tuple(row.values())[3:]) for row in rows}
    assert found.keys() == months.keys()
    for key, status in statuses(months).items():
        assert found[key].soh == status.soh
        assert found[key].amc == pytest.approx(status.amc)
        assert found[key].mos == pytest.approx(status.mos)
        assert found[key].is_stock_out == status.is_stock_out


def test_the_demo_has_stock_outs_and_too_much_of_something(tower: Tower) -> None:
    (row,) = tower.query(
        "select bool_or(is_stock_out) as out, bool_or(mos > 6) as much, bool_or(mos < 1) as low from stock_now"
    )
    assert row == {"out": True, "much": True, "low": True}


@pytest.mark.parametrize("source", ["dhis2", "lmis"])
def test_wastage_is_that_by_hand(tower: Tower, by_hand: ByHand, source: str) -> None:
    months = by_hand.dhis2_months()[0] if source == "dhis2" else by_hand.lmis_months()
    rows = tower.query(
        f"select item_code, wastage from wastage_item join dim_item using (item_key) where source = '{source}'"
    )
    assert {row["item_code"]: row["wastage"] for row in rows} == pytest.approx(wastage(months))


@pytest.mark.parametrize("source", ["dhis2", "lmis"])
def test_the_errors_of_the_forecasts_are_those_by_hand(tower: Tower, by_hand: ByHand, source: str) -> None:
    months = by_hand.dhis2_months()[0] if source == "dhis2" else by_hand.lmis_months()
    rows = tower.query(
        "select item_code, part, method, mae from forecast_error join dim_item using (item_key) "
        f"where source = '{source}'"
    )
    found = {tuple(row.values())[:3]: row["mae"] for row in rows}
    assert found == pytest.approx(forecast_errors(months))


@pytest.mark.parametrize("source", ["dhis2", "lmis"])
def test_the_way_with_the_least_error_before_the_test_is_used(tower: Tower, by_hand: ByHand, source: str) -> None:
    months = by_hand.dhis2_months()[0] if source == "dhis2" else by_hand.lmis_months()
    rows = tower.query(STOCK.format(columns="expected", table="fact_forecast", source=source))
    assert {(row["code"], row["item_code"]): row["expected"] for row in rows} == pytest.approx(forecasts(months))
    assert Counter(row["month"] for row in rows).keys() == {back(max(key[2] for key in months), -n) for n in (1, 2, 3)}


def test_a_month_more_makes_a_forecast_more_and_keeps_the_last(small: Tower) -> None:
    before = small.query("from fact_forecast where source = 'dhis2' order by all")
    generate_month(small.lake, 5, 4, **SMALL)
    small.run()
    after = small.query("from fact_forecast where source = 'dhis2' order by all")
    assert before == [row for row in after if row["made_after"] == before[0]["made_after"]]
    assert len({row["made_after"] for row in after}) == 2


def test_silent_facilities_are_those_that_stopped_reporting(tower: Tower, by_hand: ByHand) -> None:
    last: dict[str, object] = {}
    for place, _, month in sorted(by_hand.dhis2_months()[0], key=lambda key: key[2]):
        last[place] = month
    months = sorted({month for _, _, month in by_hand.dhis2_months()[0]})
    silent = {place for place, month in last.items() if month not in months[-2:]}
    rows = tower.query(
        "select code from facility_silence join dim_facility using (facility_key) where is_silent and source = 'dhis2'"
    )
    assert {row["code"] for row in rows} == silent
    assert silent


def test_freight_and_weight_of_every_line_are_those_by_hand(tower: Tower, by_hand: ByHand) -> None:
    rows = tower.query("select line_id, freight_usd, freight_basis, weight_kg from fact_shipment_line")
    told = costs(by_hand.lines(), by_hand.refused_lines())
    assert {str(row["line_id"]) for row in rows} == told.keys()
    for row in rows:
        cost = told[str(row["line_id"])]
        assert row["freight_basis"] == cost.freight_basis
        assert row["freight_usd"] == (None if cost.cents is None else Decimal(cost.cents) / 100)
        assert row["weight_kg"] == (None if cost.grams is None else Decimal(cost.grams) / 1000)


def test_the_freight_of_a_note_adds_up_to_what_it_states(tower: Tower) -> None:
    rows = tower.query(
        "select sum(freight_usd) as shared, sum(freight_stated_usd) as stated from fact_shipment_line "
        "where freight_basis = 'allocated by weight' group by note_line_id"
    )
    assert rows
    assert all(row["shared"] == row["stated"] for row in rows)


def test_a_freight_that_cannot_be_allocated_stays_visible(tower: Tower) -> None:
    rows = tower.query(
        "select sum(freight_stated_usd) as stated, count(freight_usd) as known from fact_shipment_line "
        "where freight_basis like 'not allocated%' group by note_line_id"
    )
    assert rows
    assert all(row["stated"] > 0 and row["known"] == 0 for row in rows)


def test_the_totals_of_the_shipments_are_those_by_hand(tower: Tower, by_hand: ByHand) -> None:
    (total,) = tower.query("from shipment_total")
    lines = by_hand.lines()
    orders: dict[str, bool] = {}
    for row in lines.values():
        orders[row["po / so #"]] = orders.get(row["po / so #"], True) and is_on_time(row)
    known = {n: cost.cents for n, cost in costs(lines, by_hand.refused_lines()).items() if cost.cents is not None}
    value = sum(Decimal(lines[n]["line item value"]) for n in known)
    assert total["lines"] == len(lines)
    assert total["orders"] == len(orders)
    assert total["otif"] == pytest.approx(sum(orders.values()) / len(orders))
    assert total["lines_on_time"] == pytest.approx(sum(map(is_on_time, lines.values())) / len(lines))
    days = [d for d in map(lead_time, lines.values()) if d is not None]
    assert total["lead_time_days"] == statistics.median(days)
    assert total["freight_usd"] == Decimal(sum(known.values())) / 100
    assert total["freight_share"] == pytest.approx(float(Decimal(sum(known.values())) / 100 / value))


def test_the_report_says_the_same_as_the_log(tower: Tower) -> None:
    sections = report(tower.query)
    loads = {row[0]: row[2:5] for row in sections[0].rows}
    assert all(read == loaded + refused for read, loaded, refused in loads.values())
    assert all(len(row) == len(section.columns) for section in sections for row in section.rows)
    assert len(sections) == 11


def test_countries_have_their_codes_and_those_that_nobody_knows_wait(tower: Tower) -> None:
    unknown = ["Atlantis", "Regional Hub West", "To be confirmed"]
    rows = tower.query("select distinct country, country_iso3 as code from fact_shipment_line order by country")
    assert {row["country"]: row["code"] for row in rows} == {
        "Côte d'Ivoire": "CIV", "Haiti": "HTI", "Malawi": "MWI", "Mozambique": "MOZ", "Nigeria": "NGA",
        "Vietnam": "VNM", "Zambia": "ZMB",
    } | dict.fromkeys(unknown)  # fmt: skip
    waiting = tower.query("select value from steward_queue where status = 'open' order by value")
    assert [row["value"] for row in waiting] == unknown
