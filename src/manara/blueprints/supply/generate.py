"""Messy sources made from a seed, in the shapes of the real ones, with a known number of faults planted in them."""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from manara.blueprints.supply import shipments as shipping
from manara.blueprints.supply.faults import (
    MISSING,
    RANGE,
    REFERENCE,
    TYPE,
    UNKNOWN,
    Fault,
    Planted,
    Reports,
    Spoil,
    repeat_row,
    spoil_copies,
    spoil_reports,
)
from manara.blueprints.supply.stock import Row, StockMonth, data_values, keep_ledger, reason_rows, stock_series
from manara.blueprints.supply.world import Facility, Item, chance, make_facilities, make_id, make_items, month_after
from manara.registry import missing_library

FIRST_MONTH = date(2023, 1, 1)
SILENT_FACILITIES = 3
SILENT_MONTHS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What is the same for all sources: the seed, who and what there is, and how many months are told."""

    seed: int
    months: int
    facilities: Sequence[Facility]
    items: Sequence[Item]

    def series(self, facilities: Sequence[Facility], months: int) -> list[list[StockMonth]]:
        """Return the months of every item at every one of the facilities."""
        pairs = ((place, item) for place in facilities for item in self.items)
        return [stock_series(self.seed, place, item, FIRST_MONTH, months) for place, item in pairs]

    def ids(self, what: str) -> Callable[[], str]:
        """Return a maker of ids for one purpose, the same with every call of this."""
        rng = chance(f"{self.seed}/{what}")
        return lambda: make_id(rng)


def make_world(seed: int, *, months: int, facilities: int, items: int) -> World:
    """Return the world of a seed."""
    return World(seed=seed, months=months, facilities=make_facilities(seed, facilities), items=make_items(seed, items))


def generate(
    folder: Path,
    seed: int,
    *,
    months: int = 18,
    facilities: int = 60,
    items: int = 8,
    ledgers: int = 12,
    shipments: int = 2000,
) -> Planted:
    """Write all sources under `folder/inbox`, and what was planted in them to `folder/planted.json`.

    The same arguments give the same bytes. `ledgers` is the number of facilities that
    keep an LMIS as well; `shipments` the least number of shipment lines. There must be at least 40 reports
    (facilities x months) to spoil.
    """
    world = make_world(seed, months=months, facilities=facilities, items=items)
    planted = Planted()
    inbox = folder / "inbox"
    write_facilities(inbox, world, planted)
    write_items(inbox, world, planted)
    write_ledger(inbox, world, planted, ledgers)
    write_reports(inbox, world, planted)
    write_shipments(inbox, world, planted, shipments)
    write_planted(folder / "planted.json", planted, seed)
    return planted


def generate_month(
    folder: Path, seed: int, number: int, *, months: int = 18, facilities: int = 60, items: int = 8
) -> Path:
    """Write the stock reports of one more month, without a fault, and return the file.

    `number` counts from 1; with `number = months + 1` the file follows those that `generate` wrote with `months`.
    """
    world = make_world(seed, months=months, facilities=facilities, items=items)
    rows = [series[number - 1] for series in world.series(world.facilities, number)]
    path = folder / "inbox" / "stock" / report_file(f"{rows[0].month:%Y%m}")
    write_json(path, [value for report in reports_of(world, rows).values() for value in report])
    return path


def read_planted(path: Path) -> Planted:
    """Return what `generate` noted in `planted.json`."""
    return Planted([Fault(**fault) for fault in json.loads(path.read_text(encoding="utf-8"))["faults"]])


def write_facilities(inbox: Path, world: World, planted: Planted) -> None:
    """Write the facility list. Faults are in places that nobody reports from."""
    new_id = world.ids("spare facilities")
    file = "facilities.csv"
    spare = Facility(id=new_id(), code="HF900", place="Spare", kind="Health Post", location="")
    rows = [facility_row(place) for place in (*world.facilities, spare)]
    ways = [
        Spoil(fault=MISSING, rule="name.required", cells={"code": "HF901", "name": " "}),
        Spoil(fault=TYPE, rule="active.type", cells={"code": "HF902", "name": "Spare Dispensary", "active": "perhaps"}),
    ]
    spoil_copies(planted, "facility", file, rows, ways, new_id)
    repeat_row(planted, "facility", file, rows, 4)
    write_csv(inbox / "facility" / file, rows)


def write_items(inbox: Path, world: World, planted: Planted) -> None:
    """Write the list of orderables and the list of reasons. Faults are in items that nobody stocks."""
    new_id = world.ids("spare items")
    file = "orderables.csv"
    spare = Item(id=new_id(), code="SPARE", name="Spare item", net_content=1, wastage=0)
    rows = [item_row(item, new_id()) for item in (*world.items, spare)]
    ways = [
        Spoil(fault=MISSING, rule="code.required", cells={"code": ""}),
        Spoil(fault=RANGE, rule="net_content.range", cells={"code": "SPARE2", "netcontent": "0"}),
    ]
    spoil_copies(planted, "item", file, rows, ways, new_id)
    write_csv(inbox / "item" / file, rows)
    write_csv(inbox / "reason" / "reasons.csv", reason_rows(world.seed))


def write_ledger(inbox: Path, world: World, planted: Planted, facilities: int) -> None:
    """Write the LMIS of the first facilities. Faults are in rows more than the true ones."""
    new_id = world.ids("ledger faults")
    series = world.series(world.facilities[:facilities], world.months)
    ledger = keep_ledger(world.seed, series, reason_rows(world.seed))
    spoil_copies(planted, "stock_card", CARDS, ledger.cards, card_ways(new_id), new_id)
    spoil_copies(planted, "stock_movement", MOVEMENTS, ledger.movements, movement_ways(new_id), new_id)
    repeat_row(planted, "stock_movement", MOVEMENTS, ledger.movements, 10)
    spoil_copies(planted, "stock_on_hand", ON_HAND, ledger.on_hand, ON_HAND_WAYS, new_id)
    write_csv(inbox / "stock_card" / CARDS, ledger.cards)
    write_csv(inbox / "stock_movement" / MOVEMENTS, ledger.movements)
    write_csv(inbox / "stock_on_hand" / ON_HAND, ledger.on_hand)


CARDS, MOVEMENTS, ON_HAND = "stock_cards.csv", "stock_card_line_items.csv", "calculated_stocks_on_hand.csv"
ON_HAND_WAYS = [
    Spoil(fault=MISSING, rule="stock_on_hand.required", cells={"stockonhand": ""}),
    Spoil(fault=RANGE, rule="stock_on_hand.range", cells={"stockonhand": "-12"}),
]


def card_ways(new_id: Callable[[], str]) -> list[Spoil]:
    """Return how stock cards are spoilt."""
    return [Spoil(fault=REFERENCE, rule="facility_id.reference", cells={"facilityId": new_id()})]


def movement_ways(new_id: Callable[[], str]) -> list[Spoil]:
    """Return how movements are spoilt. One with an unknown reason still loads: its direction is unknown."""
    return [
        Spoil(fault=MISSING, rule="occurred_on.required", cells={"occurredDate": ""}),
        Spoil(fault=TYPE, rule="quantity.type", cells={"quantity": "a dozen"}),
        Spoil(fault=RANGE, rule="quantity.range", cells={"quantity": "-3"}),
        Spoil(fault=REFERENCE, rule="stock_card_id.reference", cells={"stockCardId": new_id()}),
        Spoil(fault=REFERENCE, rule="reason-known", cells={"reasonId": new_id()}),
    ]


def write_reports(inbox: Path, world: World, planted: Planted) -> None:
    """Write one DHIS2 file for each month."""
    rows = [row for series in world.series(world.facilities, world.months) for row in series]
    reports = reports_of(world, rows)
    spoil_reports(planted, world.seed, reports, report_file)
    for period in sorted({period for _, period in reports}):
        values = [value for (_, when), report in reports.items() if when == period for value in report]
        write_json(inbox / "stock" / report_file(period), values)


def write_shipments(inbox: Path, world: World, planted: Planted, lines: int) -> None:
    """Write the shipment list. Spoilt lines stand alone on their order; repeated ones share a delivery note."""
    rng = chance(f"{world.seed}/shipment faults")
    rows: list[Row] = list(shipping.ship(world.seed, lines))
    on_order = Counter(row["po / so #"] for row in rows)
    alone = [row for row in rows if on_order[row["po / so #"]] == 1]
    ways = [*SHIPMENT_WAYS, *UNKNOWN_COUNTRIES]
    for way, row in zip(ways, rng.sample(alone, len(ways)), strict=True):
        row.update(way.cells)
        planted.add(way.fault, "shipment_line", way.rule, "shipments.xlsx", f"id {row['id']}")
    shared = [place for place, row in enumerate(rows) if str(row["freight cost (usd)"]).startswith("See ")]
    for place in rng.sample(shared, 2):
        repeat_row(planted, "shipment_line", "shipments.xlsx", rows, place)
    write_xlsx(inbox / "shipment" / "shipments.xlsx", shipping.COLUMNS, rows)


SHIPMENT_WAYS = [
    Spoil(fault=MISSING, rule="vendor_name.required", cells={"vendor": ""}),
    Spoil(fault=MISSING, rule="scheduled_on.required", cells={"scheduled delivery date": ""}),
    Spoil(fault=TYPE, rule="quantity.type", cells={"line item quantity": "two pallets"}),
    Spoil(fault=TYPE, rule="delivered_on.type", cells={"delivered to client date": "31-Feb-23"}),
    Spoil(fault=TYPE, rule="freight_stated.type", cells={"freight cost (usd)": "to follow"}),
    Spoil(fault=RANGE, rule="quantity.range", cells={"line item quantity": 0}),
    Spoil(fault=RANGE, rule="line_value.range", cells={"line item value": -100.5}),
]
UNKNOWN_COUNTRIES = [
    Spoil(fault=UNKNOWN, rule="country.unmatched", cells={"country": name})
    for name in ("Regional Hub West", "Atlantis", "To be confirmed")
]
"""Such a line loads; what its country is called waits for a steward."""


def reports_of(world: World, rows: Iterable[StockMonth]) -> Reports:
    """Return the data values of the rows by facility code and period, without the reports that nobody sent."""
    groups: dict[tuple[str, str], list[StockMonth]] = {}
    for row in rows:
        if is_told(world, row.facility, row.month):
            groups.setdefault((row.facility.code, f"{row.month:%Y%m}"), []).append(row)
    return {key: list(data_values(world.seed, group)) for key, group in groups.items()}


def is_told(world: World, facility: Facility, month: date) -> bool:
    """Tell whether a report was sent: a few facilities fall silent at the end, and a few months are skipped."""
    is_quiet = facility in world.facilities[-SILENT_FACILITIES:]
    if is_quiet and month >= month_after(FIRST_MONTH, world.months - SILENT_MONTHS):
        return False
    return chance(f"{world.seed}/skip/{facility.code}/{month}").random() >= 0.02


def report_file(period: str) -> str:
    """Return the name of the file that holds a month's reports."""
    return f"dataValueSets_{period}.json"


def facility_row(place: Facility) -> Row:
    """Return a facility in the shape of the LMIS."""
    return {
        "id": place.id, "active": "true", "code": place.code, "comment": "", "description": "", "enabled": "true",
        "godowndate": "", "golivedate": "", "name": place.name, "openlmisaccessible": "true", "geographiczoneid": "",
        "operatedbyid": "", "typeid": "", "extradata": "", "location": place.location,
    }  # fmt: skip


def item_row(item: Item, dispensable: str) -> Row:
    """Return an item in the shape of the LMIS."""
    return {
        "id": item.id, "code": item.code, "dispensableid": dispensable, "fullproductname": item.name,
        "netcontent": str(item.net_content), "packroundingthreshold": "1", "roundtozero": "false", "description": "",
        "extradata": "", "versionnumber": "1",
    }  # fmt: skip


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Write the rows (at least one) with the columns of the first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_json(path: Path, values: Sequence[Row]) -> None:
    """Write the values as DHIS2 gives them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"dataValues": list(values)}, ensure_ascii=False, indent=0), encoding="utf-8")


def write_xlsx(path: Path, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Write the rows as one sheet, numbers as numbers and all else as text."""
    try:
        import xlsxwriter  # noqa: PLC0415 # an extra, and only this one source needs it
    except ModuleNotFoundError as error:
        raise missing_library(error) from error

    path.parent.mkdir(parents=True, exist_ok=True)
    with xlsxwriter.Workbook(path, {"constant_memory": True}) as book:
        # A workbook says when it was made: without this, every making gives other bytes.
        book.set_properties({"created": datetime(2024, 7, 1, tzinfo=UTC)})
        sheet = book.add_worksheet("Shipments")
        sheet.write_row(0, 0, columns)
        for number, row in enumerate(rows, start=1):
            sheet.write_row(number, 0, [row[column] for column in columns])


def write_planted(path: Path, planted: Planted, seed: int) -> None:
    """Write down what was planted, kind by kind and row by row."""
    note = {"seed": seed, "counts": planted.counts(), "faults": [asdict(fault) for fault in planted.faults]}
    path.write_text(json.dumps(note, ensure_ascii=False, indent=1), encoding="utf-8")
