"""The control tower's numbers worked out a second time, in plain Python over the files, without the pipeline's SQL."""

import csv
import gzip
import io
import json
import re
import unicodedata
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any
from xml.etree import ElementTree

Row = Mapping[str, str]
Key = tuple[Any, ...]
MEASURES = ("OPENING", "RECEIVED", "DISPENSED", "DISCARDED", "CLOSING", "DOSES")
MOVED = ("received", "dispensed", "discarded")
TEXT_FREIGHT = {
    "Freight Included in Commodity Cost": "included in commodity cost",
    "Invoiced Separately": "invoiced separately",
}


# Reading the files


def rows_of(path: Path) -> list[Row]:
    """Return the rows of a .csv, .csv.gz, .json or .xlsx file, all cells as texts without blanks around them."""
    if path.suffix == ".json":
        values = json.loads(path.read_text(encoding="utf-8"))["dataValues"]
        return [{name: str(value).strip() for name, value in row.items()} for row in values]
    if path.suffix == ".xlsx":
        return list(sheet_rows(path))
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [
        {name: cell.strip() for name, cell in row.items()} for row in csv.DictReader(io.StringIO(raw.decode("utf-8")))
    ]


def sheet_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of the first sheet, read from the XML in the package."""
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(path) as package:
        texts = []
        if "xl/sharedStrings.xml" in package.namelist():
            shared = ElementTree.fromstring(package.read("xl/sharedStrings.xml"))  # noqa: S314 # our own file
            texts = ["".join(part.text or "" for part in item.iter(f"{space}t")) for item in shared.iter(f"{space}si")]
        sheet = ElementTree.fromstring(package.read("xl/worksheets/sheet1.xml"))  # noqa: S314
    header: dict[str, str] = {}
    for number, line in enumerate(sheet.iter(f"{space}row")):
        cells = {}
        for cell in line.iter(f"{space}c"):
            column = re.sub(r"\d", "", cell.attrib["r"])
            value = "".join(part.text or "" for part in cell.iter() if part.tag in (f"{space}v", f"{space}t"))
            cells[column] = (texts[int(value)] if cell.attrib.get("t") == "s" else value).strip()
        if number == 0:
            header = cells
        else:
            yield {name: cells.get(column, "") for column, name in header.items()}


# Checking them


@dataclass(slots=True)
class Checked:
    """The rows of one kind of source: those that load by their key, and how often each rule was broken."""

    read: int = 0
    rows: dict[Key, Row] = field(default_factory=dict)
    refused: int = 0
    rules: Counter[str] = field(default_factory=Counter)


def check(files: Iterable[Path], key: Callable[[Row], Key], rules: Mapping[str, Callable[[Row], bool]]) -> Checked:
    """Return the rows that break no rule. In one file, the first of equal keys stands; of two files, the later."""
    found = Checked()
    for path in sorted(files):
        seen: set[Key] = set()
        for row in rows_of(path):
            found.read += 1
            broken = [name for name, holds in rules.items() if not holds(row)]
            if key(row) in seen:
                broken.append("key.duplicate")
            seen.add(key(row))
            found.rules.update(broken)
            if broken:
                found.refused += 1
            else:
                found.rows[key(row)] = row
    return found


def is_whole(text: str) -> bool:
    return re.fullmatch(r"[+-]?\d+", text) is not None


def is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?\d+(\.\d+)?", text) is not None


def day_of(text: str) -> date | None:
    """Return the day of 2024-01-31, 31-Jan-24 or 1/31/2024."""
    for form in ("%Y-%m-%d", "%d-%b-%y", "%m/%d/%Y"):
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007 # a day has no zone
        except ValueError:
            continue
    return None


def site_key(name: str) -> str:
    """Return the name in the form in which two spellings are equal."""
    plain = "".join(c for c in unicodedata.normalize("NFD", name) if not unicodedata.combining(c)).lower()
    plain = re.sub(r"\bhealth +cent(re|er)\b|\bh */ *c\b", " hc ", plain)
    plain = re.sub(r"\bhealth +post\b|\bh */ *p\b", " hp ", plain)
    return " ".join(sorted(re.findall("[a-z0-9]+", plain)))


# The stock


@dataclass(slots=True)
class Month:
    """One item at one facility in one month, from one source. What is not known is None."""

    opening: int | None
    received: int | None
    dispensed: int | None
    discarded: int | None
    closing: int | None
    doses: int | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """The indicators of one month."""

    soh: int | None
    amc: float | None
    mos: float | None
    is_stock_out: bool | None


def by_item_and_place(months: Mapping[Key, Month]) -> dict[Key, dict[date, Month]]:
    series: dict[Key, dict[date, Month]] = defaultdict(dict)
    for (*place, when), month in months.items():
        series[tuple(place)][when] = month
    return series


def back(when: date, months: int) -> date:
    year, month = divmod(when.year * 12 + when.month - 1 - months, 12)
    return date(year, month + 1, 1)


def statuses(months: Mapping[Key, Month]) -> dict[Key, Status]:
    """Return the indicators of every month: mean use of the last three known of six months, cover, stock-out."""
    found = {}
    for place, series in by_item_and_place(months).items():
        for when, month in series.items():
            window = [series[past].dispensed for past in (back(when, n) for n in range(6)) if past in series]
            known = [used for used in window if used is not None][:3]
            amc = sum(known) / len(known) if known else None
            soh = month.closing
            mos = soh / amc if soh is not None and amc else None
            out = None if soh is None or amc is None else soh == 0 and amc > 0
            if (soh is not None and soh != 0) or amc == 0:
                out = False
            found[*place, when] = Status(soh, amc, mos, out)
    return found


def wastage(months: Mapping[Key, Month]) -> dict[str, float]:
    """Return discarded / (dispensed + discarded) by item over the last twelve months."""
    newest = max(key[2] for key in months)
    thrown: Counter[str] = Counter()
    left: Counter[str] = Counter()
    for (_, item, when), month in months.items():
        if when > back(newest, 12) and month.discarded is not None and month.dispensed is not None:
            thrown[item] += month.discarded
            left[item] += month.discarded + month.dispensed
    return {item: thrown[item] / left[item] for item in left if left[item]}


# The forecast


@dataclass(frozen=True, slots=True)
class Guess:
    """What the three ways say of a month from the reports before it."""

    median: float
    amc: float
    last: float


def guess(series: Mapping[date, Month], when: date) -> Guess | None:
    """Return what is said of `when`, looking at no month from `when` on; None without a report in six months."""
    known = {month: row.dispensed for month, row in series.items() if month < when and row.dispensed is not None}
    near = [known[past] for past in (back(when, n) for n in range(1, 7)) if past in known][:3]
    if not near:
        return None
    return Guess(median(known.values()), sum(near) / len(near), near[0])


def forecast_errors(months: Mapping[Key, Month]) -> dict[tuple[str, str, str], float]:
    """Return the mean error by item, part (choice, test) and way; the last quarter of the months is the test."""
    misses: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    judged = [
        (place[1], when, told, month.dispensed)
        for place, series in by_item_and_place(months).items()
        for when, month in series.items()
        if month.dispensed is not None and (told := guess(series, when))
    ]
    split = sorted({when for _, when, _, _ in judged})
    first_tested = split[ceil(len(split) * 0.75) - 1]
    for item, when, told, actual in judged:
        for way in ("median", "amc", "last"):
            misses[item, "choice" if when < first_tested else "test", way].append(abs(getattr(told, way) - actual))
    return {key: sum(found) / len(found) for key, found in misses.items()}


def forecasts(months: Mapping[Key, Month]) -> dict[tuple[str, str], float]:
    """Return by place and item what is expected a month after the newest, by the way with the least error before."""
    errors = forecast_errors(months)
    after = back(max(when for _, _, when in months), -1)
    found = {}
    for (place, item), series in by_item_and_place(months).items():
        told = guess(series, after)
        if told:
            way = min(("median", "amc", "last"), key=lambda one: errors[item, "choice", one])
            found[place, item] = float(getattr(told, way))
    return found


# The shipments


@dataclass(slots=True)
class Cost:
    """What a shipment line cost and weighed: cents and grams, or None with a basis that says why."""

    cents: int | None
    freight_basis: str
    grams: int | None


def cents_of(text: str) -> int:
    """Return a number in hundredths. A workbook writes 9322.46 as 9322.459999999999, so it is rounded."""
    return int((Decimal(text) * 100).to_integral_value(ROUND_HALF_UP))


def named_line(row: Row) -> str | None:
    named = re.fullmatch(r"See .+ \(ID#:(\d+)\)", row["freight cost (usd)"])
    return named[1] if named else None


def costs(lines: Mapping[str, Row], missing: Iterable[Row]) -> dict[str, Cost]:
    """Return the cost of every line, the freight of a shared note allocated by weight. `missing` are refused lines."""
    notes: dict[str, list[str]] = defaultdict(list)
    for number, row in lines.items():
        notes[named_line(row) or number].append(number)
    shared = {lead: sorted(ids, key=int) for lead, ids in notes.items() if len(ids) > 1 or named_line(lines[ids[0]])}
    members = {number for ids in shared.values() for number in ids}
    incomplete = {named_line(row) or row["id"] for row in missing if row["id"] not in lines}
    pack = typical_packs(row for number, row in lines.items() if number not in members)
    found = {number: own_cost(row) for number, row in lines.items() if number not in members}
    for lead, ids in shared.items():
        found |= shared_cost([lines[number] for number in ids], lines.get(lead), pack, lead in incomplete)
    return found


def typical_packs(rows: Iterable[Row]) -> dict[str, float]:
    """Return the median kilograms of a pack by item, over lines with a weight of their own."""
    weights: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if is_number(row["weight (kilograms)"]) and float(row["weight (kilograms)"]) > 0:
            weights[row["item description"]].append(float(row["weight (kilograms)"]) / int(row["line item quantity"]))
    return {item: median(values) for item, values in weights.items()}


def own_cost(row: Row) -> Cost:
    freight, weight = row["freight cost (usd)"], row["weight (kilograms)"]
    grams = cents_of(weight) * 10 if is_number(weight) else None
    if is_number(freight):
        return Cost(cents_of(freight), "stated", grams)
    return Cost(None, TEXT_FREIGHT[freight], grams)


def shared_cost(rows: list[Row], lead: Row | None, pack: Mapping[str, float], is_incomplete: bool) -> dict[str, Cost]:
    ids = [row["id"] for row in rows]
    why = obstacle(rows, lead, pack, is_incomplete)
    freight = lead["freight cost (usd)"] if lead else ""
    if why or not lead:
        basis = TEXT_FREIGHT.get(freight, f"not allocated: {why}")
        return {number: Cost(None, basis, None) for number in ids}
    estimates = [
        max(1, int(int(row["line item quantity"]) * pack[row["item description"]] * 1000 + 0.5)) for row in rows
    ]
    weight = lead["weight (kilograms)"]
    is_weighed = is_number(weight) and float(weight) > 0
    grams = parts(cents_of(weight) * 10, estimates) if is_weighed else estimates
    if not is_number(freight):
        return {number: Cost(None, TEXT_FREIGHT[freight], g) for number, g in zip(ids, grams, strict=True)}
    shares = parts(cents_of(freight), estimates)
    return {n: Cost(c, "allocated by weight", g) for n, c, g in zip(ids, shares, grams, strict=True)}


def obstacle(rows: list[Row], lead: Row | None, pack: Mapping[str, float], is_incomplete: bool) -> str:
    if lead is None:
        return "the line that carries it is not loaded"
    if named_line(lead):
        return "the line that carries it names another line"
    if is_incomplete:
        return "a line of the note is in quarantine"
    return "" if all(row["item description"] in pack for row in rows) else "a line of the note has no typical weight"


def parts(total: int, weights: list[int]) -> list[int]:
    """Return `total` in whole parts by weight; what is left goes to the largest remainders, the earlier one first."""
    whole = [total * weight // sum(weights) for weight in weights]
    order = sorted(range(len(weights)), key=lambda n: (-(total * weights[n] % sum(weights)), n))
    for place in order[: total - sum(whole)]:
        whole[place] += 1
    return whole


def lead_time(row: Row) -> int | None:
    """Return the days from the order, else the quotation, to the delivery; None where that cannot be."""
    delivered = day_of(row["delivered to client date"])
    start = day_of(row["po sent to vendor date"]) or day_of(row["pq first sent to client date"])
    days = (delivered - start).days if delivered and start else None
    return days if days is not None and days >= 0 else None


def is_on_time(row: Row) -> bool:
    delivered, scheduled = day_of(row["delivered to client date"]), day_of(row["scheduled delivery date"])
    assert delivered
    assert scheduled
    return delivered <= scheduled


# All of it


class ByHand:
    """All sources of an inbox, checked and counted."""

    def __init__(self, inbox: Path) -> None:
        self.inbox = inbox
        self.facility = self._listed("facility", {
            "name.required": lambda row: bool(row["name"]),
            "active.type": lambda row: row["active"] in ("true", "false"),
        })  # fmt: skip
        self.item = check(self._files("item"), lambda row: (row["id"], row["versionnumber"]), {
            "code.required": lambda row: bool(row["code"]),
            "name.required": lambda row: bool(row["fullproductname"]),
            "net_content.range": lambda row: int(row["netcontent"]) >= 1,
        })  # fmt: skip
        self.reason = self._listed("reason", {})
        places, items = {key[0] for key in self.facility.rows}, {key[0] for key in self.item.rows}
        self.stock_card = self._listed("stock_card", {
            "facility_id.reference": lambda row: row["facilityId"] in places,
            "item_id.reference": lambda row: row["orderableId"] in items,
        })  # fmt: skip
        cards = {key[0] for key in self.stock_card.rows}
        self.stock_movement = self._listed("stock_movement", {
            "occurred_on.required": lambda row: bool(row["occurredDate"]),
            "quantity.type": lambda row: is_whole(row["quantity"]),
            "quantity.range": lambda row: not is_whole(row["quantity"]) or int(row["quantity"]) >= 0,
            "stock_card_id.reference": lambda row: row["stockCardId"] in cards,
        })  # fmt: skip
        self.stock_on_hand = self._listed("stock_on_hand", {
            "stock_on_hand.required": lambda row: bool(row["stockonhand"]),
            "stock_on_hand.range": lambda row: not row["stockonhand"] or int(row["stockonhand"]) >= 0,
        })  # fmt: skip
        self.data_value = self._data_values()
        self.shipment_line = self._shipment_lines()

    def _files(self, source: str) -> list[Path]:
        return sorted((self.inbox / source).glob("*"))

    def _listed(self, source: str, rules: Mapping[str, Callable[[Row], bool]]) -> Checked:
        return check(self._files(source), lambda row: (row["id"],), rules)

    def _data_values(self) -> Checked:
        sites = Counter(site_key(row["name"]) for row in self.facility.rows.values())
        codes = {row["code"] for row in self.item.rows.values()}

        def key(row: Row) -> Key:
            item, _, measure = row["dataElement"].rpartition("_")
            combos = (row["categoryOptionCombo"], row["attributeOptionCombo"])
            return (site_key(row["orgUnit"]), item, measure, row["period"], *combos)

        return check(self._files("stock"), key, {
            "site_key.reference": lambda row: sites[site_key(row["orgUnit"])] == 1,
            "item_code.reference": lambda row: row["dataElement"].rpartition("_")[0] in codes,
            "value.required": lambda row: bool(row["value"]),
            "value.type": lambda row: not row["value"] or is_whole(row["value"]),
            "value.range": lambda row: not is_whole(row["value"]) or int(row["value"]) >= 0,
        })  # fmt: skip

    def _shipment_lines(self) -> Checked:
        def is_freight(text: str) -> bool:
            return is_number(text) or text in TEXT_FREIGHT or text.startswith("See ")

        return self._listed("shipment", {
            "vendor_name.required": lambda row: bool(row["vendor"]),
            "scheduled_on.required": lambda row: bool(row["scheduled delivery date"]),
            "delivered_on.type": lambda row: day_of(row["delivered to client date"]) is not None,
            "quantity.type": lambda row: is_whole(row["line item quantity"]),
            "quantity.range": lambda row: not is_whole(row["line item quantity"]) or int(row["line item quantity"]) > 0,
            "line_value.range": lambda row: float(row["line item value"]) >= 0,
            "freight_stated.type": lambda row: is_freight(row["freight cost (usd)"]),
        })  # fmt: skip

    def dhis2_months(self) -> tuple[dict[Key, Month], int, set[Key]]:
        """Return the months by (facility code, item code, month), how many are violated, and the late reports."""
        names = {site_key(row["name"]): row["code"] for row in self.facility.rows.values()}
        values: dict[Key, dict[str, int]] = defaultdict(dict)
        written: dict[Key, date] = {}
        for (site, item, measure, period, *_), row in self.data_value.rows.items():
            key = (names[site], item, date(int(period[:4]), int(period[4:]), 1))
            values[key][measure] = int(row["value"])
            written[key] = max(written.get(key, date.min), date.fromisoformat(row["created"][:10]))
        months = {key: Month(*(told.get(measure) for measure in MEASURES)) for key, told in values.items()}
        broken = {key for key, month in months.items() if not holds(month)}
        late = {(key[0], key[2]) for key, day in written.items() if day > back(key[2], -1) + timedelta(days=14)}
        good = {key: month for key, month in months.items() if key not in broken}
        return good, len(broken), late

    def lmis_months(self) -> dict[Key, Month]:
        """Return the months of the stock cards by (facility code, item code, month)."""
        places = {key[0]: row["code"] for key, row in self.facility.rows.items()}
        items = {key[0]: row["code"] for key, row in self.item.rows.items()}
        reasons = {key[0]: row for key, row in self.reason.rows.items()}
        cards = {
            key[0]: (places[row["facilityId"]], items[row["orderableId"]]) for key, row in self.stock_card.rows.items()
        }
        moved: dict[Key, Counter[str]] = defaultdict(Counter)
        for row in self.stock_movement.rows.values():
            when = date.fromisoformat(row["occurredDate"]).replace(day=1)
            moved[*cards[row["stockCardId"]], when][meaning(row, reasons)] += int(row["quantity"])
            moved[*cards[row["stockCardId"]], when]["lines of " + meaning(row, reasons)] += 1
        held: dict[str, dict[date, int]] = defaultdict(dict)
        for row in self.stock_on_hand.rows.values():
            held[row["stockcardid"]][date.fromisoformat(row["occurreddate"])] = int(row["stockonhand"])
        active = set(moved) | {(*cards[card], day.replace(day=1)) for card, days in held.items() for day in days}
        by_place: dict[Key, list[str]] = defaultdict(list)
        for card, held_at in cards.items():
            by_place[held_at].append(card)
        found = {}
        for place, item, when in active:
            on_cards = [held[card] for card in by_place[place, item]]
            flow = moved[place, item, when]
            known = not flow["lines of unknown"]
            received, dispensed, discarded = (flow[name] if known else None for name in MOVED)
            opening, closing = balance(on_cards, when), balance(on_cards, back(when, -1))
            found[place, item, when] = Month(opening, received, dispensed, discarded, closing)
        return found

    def lines(self) -> dict[str, Row]:
        """Return the shipment lines that load, by their id."""
        return {key[0]: row for key, row in self.shipment_line.rows.items()}

    def refused_lines(self) -> list[Row]:
        """Return the shipment lines that do not load."""
        good = {id(row) for row in self.lines().values()}
        rows = [row for path in self._files("shipment") for row in rows_of(path)]
        return [row for row in rows if row["id"] not in self.lines() and id(row) not in good]


def holds(month: Month) -> bool:
    """Tell whether the stock identity holds, or cannot be told."""
    known = (month.opening, month.received, month.dispensed, month.discarded, month.closing)
    if any(part is None for part in known):
        return True
    opening, received, dispensed, discarded, closing = (part or 0 for part in known)
    return opening + received - dispensed - discarded == closing


def meaning(row: Row, reasons: Mapping[str, Row]) -> str:
    """Return what a movement means for the month."""
    reason = reasons.get(row["reasonId"])
    if reason:
        told = {
            ("CREDIT", "received"): "received",
            ("DEBIT", "consumed"): "dispensed",
            ("DEBIT", "wasted"): "discarded",
        }
        return told.get((reason["reasontype"], reason["tag"]), "adjusted")
    if row["reasonId"]:
        return "unknown"
    return "received" if row["sourceId"] else "adjusted" if row["destinationId"] else "count"


def balance(cards: list[dict[date, int]], before: date) -> int | None:
    """Return what the cards hold at the end of the day before `before`; None where none has been written by then."""
    last = [max((day for day in days if day < before), default=None) for days in cards]
    known = [days[day] for days, day in zip(cards, last, strict=True) if day]
    return sum(known) if known else None
