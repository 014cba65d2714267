"""What truly happened to the stock of every facility, told in two ways: months in DHIS2, cards in an LMIS."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from manara.blueprints.supply.world import Facility, Item, chance, make_id, month_after, write_name

MEASURES = ("OPENING", "RECEIVED", "DISPENSED", "DISCARDED", "CLOSING", "DOSES")
DEFAULT_COMBINATION = "HllvX50cXC0"
COUNT = "count"
REASONS = (
    ("Received from the district store", "CREDIT", "TRANSFER", "received"),
    ("Dispensed to patients", "DEBIT", "TRANSFER", "consumed"),
    ("Expired", "DEBIT", "ADJUSTMENT", "wasted"),
    ("Broken or frozen", "DEBIT", "ADJUSTMENT", "wasted"),
    ("Found at the count", "CREDIT", "ADJUSTMENT", "adjustment"),
    ("Lost at the count", "DEBIT", "ADJUSTMENT", "adjustment"),
)

Row = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class StockMonth:
    """One item at one facility in one month, in units: opening + received - dispensed - discarded = closing."""

    facility: Facility
    item: Item
    month: date
    opening: int
    received: int
    dispensed: int
    discarded: int
    doses: int

    @property
    def closing(self) -> int:
        return self.opening + self.received - self.dispensed - self.discarded

    def measure(self, name: str) -> int:
        """Return the number that DHIS2 holds under the measure `name` (one of MEASURES)."""
        return int(getattr(self, name.lower()))


def stock_series(seed: int, facility: Facility, item: Item, first: date, months: int) -> list[StockMonth]:
    """Return the months of one item at one facility; a longer series begins with the shorter one."""
    rng = chance(f"{seed}/stock/{facility.code}/{item.code}")
    demand = 0 if rng.random() < 0.03 else rng.choice((12, 25, 40, 80, 160)) * rng.uniform(0.7, 1.3)
    supply = rng.choice((0.25, 0.6, 0.85, 0.85, 0.95))
    stock = round(demand * rng.uniform(0.5, 4)) + 5
    series = []
    for number in range(months):
        received = round(demand * rng.uniform(2, 4)) if stock < 2 * demand and rng.random() < supply else 0
        discarded = min(stock + received, round(demand * item.wastage * rng.uniform(0, 2)))
        dispensed = min(stock + received - discarded, round(demand * rng.uniform(0.6, 1.4)))
        doses = round(dispensed * rng.uniform(0.75, 1))
        series.append(
            StockMonth(
                facility=facility, item=item, month=month_after(first, number), opening=stock,
                received=received, dispensed=dispensed, discarded=discarded, doses=doses,
            )
        )  # fmt: skip
        stock = series[-1].closing
    return series


def data_values(seed: int, rows: list[StockMonth]) -> Iterator[Row]:
    """Yield the DHIS2 data values of one facility and month: six for each row, the name as the clerk wrote it."""
    facility, month = rows[0].facility, rows[0].month
    rng = chance(f"{seed}/report/{facility.code}/{month}")
    name = write_name(facility, rng)
    due = datetime.combine(month_after(month, 1), time(8), UTC)
    stamp = stamped(due + timedelta(days=rng.randrange(1, 10), minutes=rng.randrange(480)))
    for row in rows:
        for measure in MEASURES:
            yield {
                "dataElement": f"{row.item.code}_{measure}",
                "period": f"{month:%Y%m}",
                "orgUnit": name,
                "categoryOptionCombo": DEFAULT_COMBINATION,
                "attributeOptionCombo": DEFAULT_COMBINATION,
                "value": str(row.measure(measure)),
                "storedBy": f"clerk.{facility.code.lower()}",
                "created": stamp,
                "lastUpdated": stamp,
                "followup": False,
            }


def stamped(moment: datetime) -> str:
    """Return the moment as DHIS2 prints it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def reason_rows(seed: int) -> list[Row]:
    """Return the LMIS reasons: why stock came or went, and whether it adds (CREDIT) or takes away (DEBIT)."""
    rng = chance(f"{seed}/reasons")
    return [
        {
            "id": make_id(rng), "name": name, "description": "", "reasontype": direction, "reasoncategory": category,
            "isfreetextallowed": "false", "tag": tag,
        }
        for name, direction, category, tag in REASONS
    ]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The rows of the LMIS: cards, the movements on them, and the stock on hand after each day with a movement."""

    cards: list[Row]
    movements: list[Row]
    on_hand: list[Row]


def keep_ledger(seed: int, series: list[list[StockMonth]], reasons: list[Row]) -> Ledger:
    """Return the LMIS rows that tell the same story as the monthly series, one card for each series."""
    rng = chance(f"{seed}/ledger")
    reason_of = {str(row["tag"]): str(row["id"]) for row in reversed(reasons)}
    ledger = Ledger(cards=[], movements=[], on_hand=[])
    for months in series:
        card = card_row(rng, months[0])
        ledger.cards.append(card)
        balance = 0
        for day, tag, quantity in card_lines(months, rng):
            balance = quantity if tag == COUNT else balance + quantity if tag == "received" else balance - quantity
            ledger.movements.append(movement_row(rng, str(card["id"]), day, reason_of.get(tag, ""), quantity))
            ledger.on_hand.append(on_hand_row(rng, str(card["id"]), day, balance))
    return ledger


def card_lines(months: list[StockMonth], rng: random.Random) -> Iterator[tuple[date, str, int]]:
    """Yield (day, tag, quantity) for a card, in order of time; the first line is a count."""
    yield months[0].month, COUNT, months[0].opening
    for row in months:
        if row.received:
            yield row.month + timedelta(days=2), "received", row.received
        first = rng.randint(0, row.dispensed)
        for day, part in ((9, first), (19, row.dispensed - first)):
            if part:
                yield row.month + timedelta(days=day), "consumed", part
        if row.discarded:
            yield row.month + timedelta(days=26), "wasted", row.discarded


def card_row(rng: random.Random, first: StockMonth) -> Row:
    """Return a stock card in the shape of the LMIS."""
    return {
        "id": make_id(rng), "facilityId": first.facility.id, "lotId": "", "orderableId": first.item.id,
        "programId": make_id(rng), "originEventId": make_id(rng),
    }  # fmt: skip


def movement_row(rng: random.Random, card: str, day: date, reason: str, quantity: int) -> Row:
    """Return one line of a stock card in the shape of the LMIS."""
    processed = datetime.combine(day, time(rng.randrange(8, 17), rng.randrange(60), rng.randrange(60)))
    return {
        "id": make_id(rng), "destinationFreeText": "", "documentNumber": "", "occurredDate": str(day),
        "processedDate": str(processed), "reasonFreeText": "", "signature": "", "sourceFreeText": "",
        "userId": "", "destinationId": "", "originEventId": make_id(rng), "reasonId": reason,
        "quantity": str(quantity), "sourceId": "", "stockCardId": card,
    }  # fmt: skip


def on_hand_row(rng: random.Random, card: str, day: date, balance: int) -> Row:
    """Return the stock on a card at the end of a day in the shape of the LMIS."""
    return {
        "id": make_id(rng), "stockonhand": str(balance), "occurreddate": str(day), "processeddate": str(day),
        "stockcardid": card,
    }  # fmt: skip
