"""The same pipelines on real files: SCMS shipments and the OpenLMIS demo. Skipped where the files are not."""

import re
import shutil
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest
from tests.blueprints.by_hand import ByHand, costs, is_number, lead_time
from tests.blueprints.conftest import Tower, make_tower

REAL = Path(__file__).parents[3] / "shared" / "data" / "supply"
FILES = {
    "facility": "olmis_facilities.csv",
    "item": "olmis_orderables.csv.gz",
    "stock_card": "olmis_stock_cards.csv",
    "stock_movement": "olmis_stock_card_line_items.csv.gz",
    "stock_on_hand": "olmis_calculated_stocks_on_hand.csv",
    "shipment": "scms_delivery_history.csv.gz",
}
COUNTS = {
    "facility": (2_734, 2_734, {}),
    "item": (10_234, 10_233, {"name.required": 1}),
    "stock_card": (116, 116, {}),
    "stock_movement": (4_760, 4_760, {"reason-known": 4_531}),
    "stock_on_hand": (2_811, 2_811, {}),
    "shipment_line": (10_324, 10_324, {"delivered-after-order": 14}),
}

pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason="the real files are not at ../shared/data/supply")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Tower:
    """A tower that has run once on the real files. Tests only ask it."""
    tower = make_tower(tmp_path_factory.mktemp("real") / "supply")
    for source, name in FILES.items():
        folder = tower.lake / "inbox" / source
        folder.mkdir(parents=True)
        shutil.copyfile(REAL / name, folder / name)
    tower.run()
    return tower


@pytest.fixture(scope="module")
def by_hand(real: Tower) -> ByHand:
    return ByHand(real.lake / "inbox")


@pytest.mark.parametrize("contract", COUNTS)
def test_rows_read_are_rows_loaded_and_rows_quarantined_with_the_reasons_counted(real: Tower, contract: str) -> None:
    read, loaded, rules = COUNTS[contract]
    (row,) = real.query(f"select rows_read, rows_loaded, rows_quarantined from load_log where contract = '{contract}'")
    assert tuple(row.values()) == (read, loaded, read - loaded)
    assert real.value(f"select count(*) from quarantine where contract = '{contract}'") == read - loaded
    reasons = real.query(
        f"select rule, count(*) as rows from quality_finding where contract = '{contract}' group by rule"
    )
    assert {reason["rule"]: reason["rows"] for reason in reasons} == rules


@pytest.mark.parametrize(("column", "texts"), [("freight", 4_126), ("weight", 3_952)])
def test_cells_that_are_no_numbers_are_kept_as_texts(real: Tower, column: str, texts: int) -> None:
    assert real.value(f"select count(*) from shipment_line where {column}_stated is null") == texts
    assert real.value(f"select count(*) from shipment_line where {column}_text is not null") == 10_324


def test_every_line_has_the_freight_that_a_calculation_by_hand_gives(real: Tower, by_hand: ByHand) -> None:
    told = costs(by_hand.lines(), [])
    rows = real.query("select line_id, freight_usd, freight_basis, weight_kg from fact_shipment_line")
    assert len(rows) == 10_324
    for row in rows:
        cost = told[str(row["line_id"])]
        assert row["freight_basis"] == cost.freight_basis
        assert row["freight_usd"] == (None if cost.cents is None else Decimal(cost.cents) / 100)
        assert row["weight_kg"] == (None if cost.grams is None else Decimal(cost.grams) / 1000)


def test_the_freight_of_every_note_adds_up_or_is_left_out_whole(real: Tower, by_hand: ByHand) -> None:
    stated: dict[str, Decimal] = {}
    members: dict[str, list[str]] = defaultdict(list)
    for number, row in by_hand.lines().items():
        named = re.search(r"ID#:(\d+)", row["freight cost (usd)"])
        members[named[1] if named else number].append(number)
        if is_number(row["freight cost (usd)"]):
            stated[number] = Decimal(row["freight cost (usd)"])
    freight = {str(row["line_id"]): row["freight_usd"] for row in real.query("from fact_shipment_line")}
    for lead, lines in members.items():
        known = [freight[number] for number in lines if freight[number] is not None]
        assert not known or (len(known) == len(lines) and sum(known) == stated[lead])


def test_the_bases_of_freight_are_those_that_the_documentation_tells(real: Tower) -> None:
    rows = real.query("select freight_basis, count(*) as lines from fact_shipment_line group by freight_basis")
    assert {row["freight_basis"]: row["lines"] for row in rows} == {
        "stated": 4_957,
        "allocated by weight": 3_461,
        "included in commodity cost": 1_442,
        "invoiced separately": 344,
        "not allocated: a line of the note has no typical weight": 120,
    }


def test_lead_time_is_that_by_hand(real: Tower, by_hand: ByHand) -> None:
    told = {int(number): lead_time(row) for number, row in by_hand.lines().items()}
    found = {row["line_id"]: row["lead_time_days"] for row in real.query("from shipment_status")}
    assert found == told


def test_without_a_list_of_reasons_the_direction_stays_unknown(real: Tower) -> None:
    (row,) = real.query(
        "select sum(moved_unknown)::bigint as moved, "
        "count(*) filter (moved_unknown > 0 and dispensed is not null) as told from fact_stock_month"
    )
    known = real.value("select sum(quantity)::bigint from stock_movement where reason_id is not null")
    assert row == {"moved": known, "told": 0}


def test_stock_on_hand_is_the_last_snapshot_of_every_card(real: Tower, by_hand: ByHand) -> None:
    found = {
        (row["facility_id"], row["natural_key"], row["month"]): row["closing"]
        for row in real.query(
            "select facility_id, natural_key, month, closing from fact_stock_month "
            "join dim_facility using (facility_key) join dim_item using (item_key)"
        )
    }
    places = {row["code"]: row["id"] for row in by_hand.facility.rows.values()}
    items = {row["code"]: row["id"] for row in by_hand.item.rows.values()}
    told = {
        (places[place], items[item], when): month.closing
        for (place, item, when), month in by_hand.lmis_months().items()
    }
    assert found == told


def test_a_second_run_changes_nothing(real: Tower) -> None:
    before = real.holdings()
    assert real.run()["changed"] is False
    assert real.holdings() == before


def test_every_country_of_the_list_has_its_code(real: Tower) -> None:
    assert real.query("select distinct country from fact_shipment_line where country_iso3 is null") == []
    assert real.value("select count(distinct country_iso3) from fact_shipment_line") == 43
