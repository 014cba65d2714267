"""Runs after the first: nothing new, one more file, a file sent again, a file that cannot be read."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from tests.blueprints.by_hand import rows_of
from tests.blueprints.conftest import SMALL, Tower, make_tower

from manara.blueprints.supply.generate import generate_month
from manara.blueprints.supply.report import compare
from manara.blueprints.supply.shipments import COLUMNS
from manara.harmonise import steward
from manara.plugin.connection import Mark
from manara.quality.contract import read_contract
from manara.quality.quarantine import fix, read_quarantine, release
from manara.testing.suites import new_mark


def test_a_second_run_on_the_same_input_changes_nothing_and_says_so(small: Tower) -> None:
    before, files = small.holdings(), stamps(small.lake)
    told = small.run()
    assert told["changed"] is False
    assert told["message"] == "No new file has arrived: nothing was loaded and nothing has changed."
    assert small.holdings() == before
    assert stamps(small.lake) == files


def stamps(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_a_run_after_a_new_file_loads_only_that(small: Tower) -> None:
    before = small.holdings()
    arrived = generate_month(small.lake, 5, SMALL["months"] + 1, **SMALL)
    told = small.run()
    rows = len(json.loads(arrived.read_text(encoding="utf-8"))["dataValues"])
    assert (told["files"], told["rowsRead"], told["rowsLoaded"]) == (1, rows, rows)
    after = small.holdings()
    new = [row["file_name"] for row in after["load_log"] if row not in before["load_log"]]
    assert new == [arrived.name, arrived.name]
    for table in ("dim_facility", "dim_item", "fact_shipment_line", "quarantine"):
        assert after[table] == before[table]
    assert [row for row in after["fact_stock_month"] if row["month"].month != 4] == before["fact_stock_month"]


def test_a_value_that_is_sent_again_changed_replaces_the_old_one(small: Tower) -> None:
    january = small.lake / "inbox" / "stock" / "dataValueSets_202301.json"
    spoilt = {fault.row.split(" of ")[1] for fault in small.planted.faults if fault.file == january.name}
    values = json.loads(january.read_text(encoding="utf-8"))["dataValues"]
    doses = [row for row in values if row["dataElement"].endswith("_DOSES")]
    row = next(row for row in doses if row["storedBy"].removeprefix("clerk.").upper() not in spoilt)
    row["value"] = "0"
    (january.parent / "late_correction.json").write_text(json.dumps({"dataValues": [row]}), encoding="utf-8")
    before = small.value("select count(*) from fact_stock_month where source = 'dhis2'")
    place, item = row["storedBy"].removeprefix("clerk.").upper(), row["dataElement"].removesuffix("_DOSES")
    assert small.run()["rowsRead"] == 1
    (found,) = small.query(
        "select doses, received is not null as is_whole from fact_stock_month "
        "join dim_facility using (facility_key) join dim_item using (item_key) "
        f"where source = 'dhis2' and month = '2023-01-01' and code = '{place}' and item_code = '{item}'"
    )
    assert found == {"doses": 0, "is_whole": True}
    assert small.value("select count(*) from fact_stock_month where source = 'dhis2'") == before


def test_a_surrogate_key_is_kept_when_a_name_changes(small: Tower) -> None:
    keys = {row["facility_id"]: row["facility_key"] for row in small.query("from dim_facility")}
    listed = small.lake / "inbox" / "facility" / "facilities.csv"
    with listed.open(encoding="utf-8", newline="") as file:
        row = next(csv.DictReader(file))
    write_csv(listed.parent / "renamed.csv", [row | {"name": "A new name"}, row | {"id": "added", "name": "Another"}])
    small.run()
    after = {row["facility_id"]: row for row in small.query("from dim_facility")}
    assert {name: after[name]["facility_key"] for name in keys} == keys
    assert after[row["id"]]["name"] == "A new name"
    assert after["added"]["facility_key"] == max(keys.values()) + 1


def test_a_row_that_people_release_reaches_the_star_at_the_next_run(small: Tower) -> None:
    database = small.factory.database("Warehouse")
    refused = next(row for row in read_quarantine(database) if "value.type" in row.rules)
    fixed = fix(database, mark("fix"), refused, {"value": "7"}, author="amina")
    text = small.factory.definitions.text("contract", "data_value")
    assert release(
        database,
        mark("release"),
        [fixed],
        lambda _name: read_contract(text, "contract/data_value.yaml"),
        author="amina",
    ).released
    measure = str(refused.payload["dataElement"]).rsplit("_", 1)[1].lower()
    unknown = f"select count(*) from fact_stock_month where source = 'dhis2' and {measure} is null"
    broken = "select count(*) from quality_finding where rule = 'stock-identity'"
    before = small.value(unknown), small.value(broken)
    small.run()
    # The month is whole now: it is in the fact, or its stock identity can be checked, and does not hold.
    assert (before[0] - small.value(unknown)) + (small.value(broken) - before[1]) == 1
    assert small.run()["changed"] is False


def mark(step: str) -> Mark:
    return Mark(run_id="by hand", step=step, attempt=1)


def write_csv(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("item/items.pdf", b"%PDF", "none of .csv, .csv.gz, .json, .xlsx"),
        ("stock/cut.json", b'{"dataValues": [{"dataElement": "EPI01_', "cut.json"),
        ("facility/broken.csv", b"id,code,name,active\n1,A,One,true\n2,B,Two,true,five,six\n", "broken.csv"),
        ("facility/cut.csv.gz", b"\x1f\x8b\x08\x00", "cut.csv.gz"),
        ("shipment/list.xlsx", b"no workbook", "list.xlsx"),
        ("item/other.csv", b"a,b\n1,2\n", "id"),
    ],
)
def test_a_file_that_cannot_be_read_fails_the_run_and_leaves_nothing_half_loaded(
    small: Tower, file: str, content: bytes, words: str
) -> None:
    before = small.holdings()
    (small.lake / "inbox" / file).write_bytes(content)
    run = small.factory.run("supply")
    assert run.status == "Failed"
    assert words in run.message
    assert small.holdings() == before


def test_a_name_with_a_quote_in_it_is_a_name(small: Tower) -> None:
    (small.lake / "inbox" / "item" / "nurse's list.csv").write_text(
        "id,code,fullproductname,netcontent,versionnumber\nx,X1,An item,5,1\n", encoding="utf-8"
    )
    assert small.run()["rowsLoaded"] == 1
    assert small.run()["changed"] is False


def test_an_empty_inbox_is_no_error(tmp_path: Path) -> None:
    told = make_tower(tmp_path / "supply").run()
    assert (told["changed"], told["files"]) == (False, 0)


HEAD: dict[str, Any] = {
    "po / so #": "SO-1",
    "asn/dn #": "DN-1",
    "country": "Zambia",
    "vendor": "Baobab Pharma",
    "item description": "Syringe",
    "scheduled delivery date": "2-Jun-23",
    "delivered to client date": "6/2/2023",
    "po sent to vendor date": "N/A - From RDC",
    "line item quantity": "10",
    "line item value": "100",
    "weight (kilograms)": "See DN-1 (ID#:1)",
    "freight cost (usd)": "See DN-1 (ID#:1)",
}
LEAD = {"id": "1", "freight cost (usd)": "10.00", "weight (kilograms)": "9"}
WEIGHED = {"id": "9", "asn/dn #": "DN-9", "freight cost (usd)": "5", "weight (kilograms)": "20"}


def ship(tmp_path: Path, *lines: dict[str, str]) -> dict[int, tuple[Any, str]]:
    """Return freight and its basis by line, of a shipment list of these lines."""
    tower = make_tower(tmp_path / "supply")
    inbox = tower.lake / "inbox" / "shipment"
    inbox.mkdir(parents=True)
    empty = dict.fromkeys(COLUMNS, "")
    write_csv(inbox / "list.csv", [empty | HEAD | line for line in lines])
    tower.run()
    rows = tower.query("select line_id, freight_usd, freight_basis from fact_shipment_line")
    return {row["line_id"]: (row["freight_usd"] and float(row["freight_usd"]), row["freight_basis"]) for row in rows}


def test_a_note_is_shared_to_the_cent(tmp_path: Path) -> None:
    found = ship(tmp_path, LEAD, {"id": "2"}, {"id": "3"}, WEIGHED)
    assert [found[line][0] for line in (1, 2, 3)] == [3.34, 3.33, 3.33]
    assert {found[line][1] for line in (1, 2, 3)} == {"allocated by weight"}
    assert found[9] == (5.0, "stated")


def test_a_note_with_a_line_in_quarantine_is_not_allocated(tmp_path: Path) -> None:
    found = ship(tmp_path, LEAD, {"id": "2"}, {"id": "3", "vendor": ""}, WEIGHED)
    assert found[1] == found[2] == (None, "not allocated: a line of the note is in quarantine")


def test_a_note_whose_lead_is_nowhere_is_not_allocated(tmp_path: Path) -> None:
    found = ship(tmp_path, {"id": "2"}, {"id": "3"}, WEIGHED)
    assert found[2] == found[3] == (None, "not allocated: the line that carries it is not loaded")


def test_a_note_with_an_item_that_was_never_weighed_is_not_allocated(tmp_path: Path) -> None:
    found = ship(tmp_path, LEAD, {"id": "2", "item description": "Unheard of"}, WEIGHED)
    assert found[1] == found[2] == (None, "not allocated: a line of the note has no typical weight")


def test_freight_that_is_invoiced_separately_is_so_for_the_whole_note(tmp_path: Path) -> None:
    found = ship(tmp_path, LEAD | {"freight cost (usd)": "Invoiced Separately"}, {"id": "2"}, WEIGHED)
    assert found[1] == found[2] == (None, "invoiced separately")


def test_a_file_that_is_mended_and_sent_again_leaves_quarantine_and_both_are_kept(small: Tower) -> None:
    spoilt = next(fault for fault in small.planted.faults if fault.rule == "value.type")
    path = small.lake / "inbox" / "stock" / spoilt.file
    document = json.loads(path.read_text(encoding="utf-8"))
    refused = f"select count(*) from quality_finding where origin = '{spoilt.file}' and rule = 'value.type'"
    before = small.value(refused)
    for row in document["dataValues"]:
        row["value"] = row["value"] if row["value"].strip("-").isdigit() or not row["value"].strip() else "0"
    path.write_text(json.dumps(document), encoding="utf-8")
    assert (before > 0, small.run()["files"]) == (True, 1)
    assert small.value(refused) == 0
    assert len(list((small.lake / "raw" / "stock").rglob(spoilt.file))) == 2


def test_a_report_whose_name_two_facilities_bear_is_refused(small: Tower) -> None:
    stock = small.lake / "inbox" / "stock"
    report = dict(rows_of(stock / "dataValueSets_202301.json")[0])
    place = next(row for row in small.query("from facility") if row["code"] == report["storedBy"][6:].upper())
    listed = dict(rows_of(small.lake / "inbox" / "facility" / "facilities.csv")[0])
    twin = listed | {"id": "twin", "code": "TWIN", "name": place["name"].upper()}
    write_csv(small.lake / "inbox" / "facility" / "twin.csv", [twin])
    (stock / "new.json").write_text(json.dumps({"dataValues": [report | {"period": "202212"}]}), encoding="utf-8")
    small.run()
    assert small.query("select rules from quarantine where origin = 'new.json'") == [{"rules": ["site-unambiguous"]}]


def test_a_fault_that_is_not_found_shows_in_the_comparison(small: Tower) -> None:
    small.planted.add("wrong type", "data_value", "value.type", "nowhere.json", "a row that is not there")
    compared = {fault: (planted, found) for fault, planted, found in compare(small.planted, small.query)}
    assert [fault for fault, (planted, found) in compared.items() if planted != found] == ["wrong type"]


def test_a_country_that_nobody_knows_waits_for_a_steward_and_its_lines_do_not(small: Tower) -> None:
    (small.factory.root / "pack" / "countries" / "countries.csv").write_text("iso3,name\nHTI,Haiti\n", encoding="utf-8")
    manifest = small.factory.root / "pack" / "countries" / "pack.yaml"
    lines = manifest.read_text("utf-8").splitlines()
    manifest.write_text("\n".join(line for line in lines if not line.startswith("sha256")), encoding="utf-8")
    generate_month(small.lake, 5, SMALL["months"] + 1, **SMALL)
    before = small.value("select count(*) from fact_shipment_line")
    small.run()
    waiting = {item.value for item in steward.queue(small.factory.database("Warehouse"))}
    assert "Haiti" not in waiting
    assert "Malawi" in waiting
    assert small.value("select count(*) from fact_shipment_line") == before


def test_a_decision_of_a_steward_gives_lines_their_country(small: Tower) -> None:
    database = small.factory.database("Warehouse")
    item = next(item for item in steward.queue(database) if item.value == "Regional Hub West")
    steward.decide(database, new_mark(), item, "GHA", author="amina")
    assert steward.replay(database, small.factory.root, new_mark()).written == 1
    generate_month(small.lake, 5, SMALL["months"] + 1, **SMALL)
    small.run()
    codes = "select country_iso3 from fact_shipment_line where country = 'Regional Hub West'"
    assert [row["country_iso3"] for row in small.query(codes)] == ["GHA"]
