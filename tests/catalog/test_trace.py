import json
from typing import Any

import pytest
from tests.catalog.conftest import Told

from manara.catalog.trail import Trail
from manara.errors import NotFound, WrongDefinition
from manara.plugin.lineage import Asset

MEASURES = ("opening", "received", "dispensed", "discarded", "closing", "doses")


def trail(told: Told, table: str, key: dict[str, Any], column: str = "") -> Trail:
    texts = {name: str(value) for name, value in key.items()}
    return told.tracer.trace(Asset(namespace="Warehouse", name=table), texts, column)


def text_at(told: Told, file: str, line: int) -> str:
    return (told.lake / file).read_text(encoding="utf-8").splitlines()[line - 1]


@pytest.mark.parametrize("measure", MEASURES)
def test_a_reported_number_leads_to_the_one_line_that_the_generator_wrote(told: Told, measure: str) -> None:
    query = f"from fact_stock_month where source = 'dhis2' and {measure} is not null order by fact_key limit 3"
    for row in told.factory.query("Warehouse", query):
        key = {name: row[name] for name in ("facility_key", "item_key", "date_key", "source")}
        (line,) = trail(told, "fact_stock_month", key, measure).all_lines()
        assert line.record is not None
        value = json.loads(line.record.text)
        assert value["value"] == str(row[measure])
        assert value["dataElement"].endswith(f"_{measure.upper()}")
        assert value["period"] == f"{row['month']:%Y%m}"
        assert line.file.name == f"inbox/stock/dataValueSets_{value['period']}.json"
        assert text_at(told, line.file.name, line.record.line).strip() == "{"
        written = json.loads((told.lake / line.file.name).read_text(encoding="utf-8"))["dataValues"]
        assert written[line.row - 1] == value


def test_a_shipped_quantity_leads_to_its_row_of_the_sheet(told: Told) -> None:
    row = told.factory.query("Warehouse", "from fact_shipment_line order by line_id limit 1 offset 7")[0]
    (line,) = trail(told, "fact_shipment_line", {"line_id": row["line_id"]}, "packs").all_lines()
    assert line.record is not None
    cells = json.loads(line.record.text)
    assert (int(float(cells["id"])), int(float(cells["line item quantity"]))) == (row["line_id"], row["packs"])
    assert line.file.name == "inbox/shipment/shipments.xlsx"


def test_freight_that_was_shared_out_names_every_line_of_its_note(told: Told) -> None:
    query = "from fact_shipment_line where freight_basis = 'allocated by weight' order by line_id limit 1"
    row = told.factory.query("Warehouse", query)[0]
    note = f"select id from shipment_line where coalesce(freight_line_id, id) = {row['note_line_id']}"
    wanted = {one["id"] for one in told.factory.query("Warehouse", note)}
    found = trail(told, "fact_shipment_line", {"line_id": row["line_id"]}, "freight_usd").all_lines()
    assert wanted <= {int(float(json.loads(line.record.text)["id"])) for line in found if line.record}


def test_a_stock_balance_leads_to_the_snapshots_of_its_card_and_says_which_may_not_count(told: Told) -> None:
    query = "from fact_stock_month where source = 'lmis' and opening is not null order by fact_key limit 1"
    row = told.factory.query("Warehouse", query)[0]
    key = {name: row[name] for name in ("facility_key", "item_key", "date_key", "source")}
    found = trail(told, "fact_stock_month", key, "opening")
    lines = list(found.all_lines())
    assert {line.file.name for line in lines} == {"inbox/stock_on_hand/calculated_stocks_on_hand.csv"}
    records = [line.record for line in lines if line.record]
    assert all(one.text == text_at(told, lines[0].file.name, one.line) for one in records)
    texts = [one.text for one in records]
    assert any(text.split(",")[1] == str(row["opening"]) for text in texts)
    assert any("ASOF" in note for note in notes(found))


def notes(found: Trail) -> list[str]:
    return [*found.notes, *(note for one in found.behind for note in notes(one))]


def test_a_member_of_a_dimension_leads_to_its_line(told: Told) -> None:
    row = told.factory.query("Warehouse", "from dim_facility where facility_key > 0 order by code limit 1")[0]
    (line,) = trail(told, "dim_facility", {"facility_key": row["facility_key"]}).all_lines()
    assert line.record is not None
    assert line.record.text.startswith(row["facility_id"])
    assert line.record.text == text_at(told, "inbox/facility/facilities.csv", line.record.line)


REFUSED = {
    "no such row": ({"line_id": "-5"}, "", NotFound, "There is no row with line_id=-5"),
    "no such column": ({"line": "5"}, "", WrongDefinition, "has no column 'line'"),
    "no such measure": ({"line_id": "1"}, "weight", WrongDefinition, "has no column 'weight'"),
}


@pytest.mark.parametrize(("key", "column", "error", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_there_is_named(
    told: Told, key: dict[str, str], column: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        trail(told, "fact_shipment_line", key, column)


def test_a_single_key_is_known_from_what_is_declared(told: Told) -> None:
    assert told.tracer.only_key(Asset(namespace="Warehouse", name="fact_shipment_line")) == "line_id"
    with pytest.raises(WrongDefinition, match="no single key") as caught:
        told.tracer.only_key(Asset(namespace="Warehouse", name="fact_stock_month"))
    assert "facility_key=..., item_key=..., date_key=..., source=..." in caught.value.advice
