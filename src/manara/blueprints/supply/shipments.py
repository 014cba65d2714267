"""An invented shipment list in the shape of a real one, with its texts in number columns and its two ways to date."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from manara.blueprints.supply.world import ITEMS, chance

COLUMNS = (
    "id", "project code", "pq #", "po / so #", "asn/dn #", "country", "managed by", "fulfill via", "vendor inco term",
    "shipment mode", "pq first sent to client date", "po sent to vendor date", "scheduled delivery date",
    "delivered to client date", "delivery recorded date", "product group", "sub classification", "vendor",
    "item description", "molecule/test type", "brand", "dosage", "dosage form", "unit of measure (per pack)",
    "line item quantity", "line item value", "pack price", "unit price", "manufacturing site",
    "first line designation", "weight (kilograms)", "freight cost (usd)", "line item insurance (usd)",
)  # fmt: skip

INCLUDED = "Freight Included in Commodity Cost"
INVOICED = "Invoiced Separately"
UNWEIGHED = "Weight Captured Separately"
NOT_CAPTURED = "Date Not Captured"
BEFORE_QUOTES = "Pre-PQ Process"
FROM_STORE = "N/A - From RDC"

VENDORS = (
    "Ashok Lifesciences Ltd", "Baobab Pharma", "Cordillera Vaccines S.A.", "Delta Nutrition", "Équateur Médical",
    "Fjord Diagnostics", "Ganges Generics Limited", "Harmattan Supplies", "Inlet Biologicals", "Jade River Pharma",
)  # fmt: skip
COUNTRIES = ("Côte d'Ivoire", "Haiti", "Malawi", "Mozambique", "Nigeria", "Vietnam", "Zambia")
_LANDED = {code: (price, weight) for code, price, weight in (
    ("EPI01", 2.1, 0.05), ("EPI02", 7.5, 0.06), ("EPI03", 3.0, 0.04), ("EPI04", 11.0, 0.08),
    ("NUT01", 48.0, 14.9), ("MED01", 1.9, 0.07), ("MED02", 0.6, 0.11), ("MED03", 1.4, 0.05),
)}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """What a line ships. `pack_kg` is 0 for a product that nobody ever weighed by itself."""

    name: str
    pack: int
    price: float
    pack_kg: float


PRODUCTS = (
    *(Product(name=name, pack=pack, price=_LANDED[code][0], pack_kg=_LANDED[code][1]) for code, name, pack, _ in ITEMS),
    Product(name="HIV 1/2, rapid test kit, 100 Tests", pack=100, price=80, pack_kg=0.9),
    Product(name="Malaria antigen, rapid test kit, 25 Tests", pack=25, price=18, pack_kg=0.35),
    Product(name="Zidovudine 10mg/ml, oral solution, Bottle, 240 ml", pack=240, price=3.3, pack_kg=0.36),
    Product(name="Nevirapine 200mg, tablets, 60 Tabs", pack=60, price=3.6, pack_kg=0.07),
    Product(name="Water purification tablets, 100 Tabs", pack=100, price=1.1, pack_kg=0.03),
)
NEVER_WEIGHED = Product(name="Cold box calibration kit", pack=1, price=410, pack_kg=0)

Line = dict[str, object]


def ship(seed: int, lines: int) -> list[Line]:
    """Return at least `lines` shipment lines (whole delivery notes), in order of their ids."""
    rng = chance(f"{seed}/shipments")
    made: list[Line] = []
    while len(made) < lines:
        made += order(rng, first_id=len(made) + 1)
    return made


def order(rng: random.Random, first_id: int) -> Iterator[Line]:
    """Yield the lines of one order: one or two delivery notes to one country."""
    from_store = rng.random() < 0.5
    scheduled = date(2021, 1, 1) + timedelta(days=rng.randrange(1200))
    head: Line = {
        "project code": f"{rng.randrange(100, 130)}-XX-T01",
        "po / so #": f"{'SO' if from_store else 'SCMS'}-{first_id * 7}",
        "country": rng.choice(COUNTRIES),
        "managed by": "PMO - US",
        "fulfill via": "From RDC" if from_store else "Direct Drop",
        "vendor inco term": FROM_STORE if from_store else rng.choice(("EXW", "DDP", "FCA", "CIP")),
        "shipment mode": rng.choice(("Air", "Air", "Truck", "Ocean", "Air Charter", "")),
        "vendor": "SCMS from RDC" if from_store else rng.choice(VENDORS),
        **order_dates(rng, scheduled, from_store),
    }
    for _ in range(rng.choice((1, 1, 1, 2))):
        note = list(delivery_note(rng, head, first_id, scheduled))
        yield from note
        first_id += len(note)


def order_dates(rng: random.Random, scheduled: date, from_store: bool) -> Line:
    """Return when the quotation and the order went out: month first, or a text where nobody knows."""
    sent = scheduled - timedelta(days=rng.randrange(60, 200))
    quoted = sent - timedelta(days=rng.randrange(5, 60))
    asked = rng.random()
    return {
        "pq #": BEFORE_QUOTES if asked < 0.25 else f"FPQ-{rng.randrange(1000, 20000)}",
        "pq first sent to client date": BEFORE_QUOTES
        if asked < 0.25
        else _us(quoted)
        if asked < 0.97
        else NOT_CAPTURED,
        "po sent to vendor date": FROM_STORE if from_store else _us(sent) if rng.random() < 0.93 else NOT_CAPTURED,
    }


def delivery_note(rng: random.Random, head: Line, first_id: int, scheduled: date) -> Iterator[Line]:
    """Yield the lines of one note. Freight and weight stand on one of them; the others name that one."""
    delay = rng.choice((0, 0, 0, 0, 0, 0, -rng.randrange(1, 20), rng.randrange(1, 60)))
    delivered = scheduled + timedelta(days=delay)
    products = rng.sample(PRODUCTS, rng.choice((1, 1, 1, 1, 1, 2, 3, 4)))
    if rng.random() < 0.03:
        products[-1] = NEVER_WEIGHED
    quantities = [rng.randrange(10, 5000) for _ in products]
    number = f"{'DN' if head['fulfill via'] == 'From RDC' else 'ASN'}-{first_id + 300}"
    lead = rng.randrange(len(products))
    freight, weight = note_cost(rng, products, quantities)
    named = f"See {number} (ID#:{first_id + lead})"
    each = freight == INCLUDED
    for place, (product, quantity) in enumerate(zip(products, quantities, strict=True)):
        own = each or place == lead
        yield {
            **head, **goods(rng, product, quantity),
            "id": first_id + place,
            "asn/dn #": number,
            "scheduled delivery date": _british(scheduled),
            "delivered to client date": _british(delivered),
            "delivery recorded date": _british(delivered + timedelta(days=rng.randrange(0, 5))),
            "weight (kilograms)": weight if own else named,
            "freight cost (usd)": freight if own else named,
        }  # fmt: skip


def note_cost(rng: random.Random, products: list[Product], quantities: list[int]) -> tuple[object, object]:
    """Return what the freight and the weight cell of a note say: a number or a text."""
    kilograms = sum(p.pack_kg * n * rng.uniform(0.9, 1.1) for p, n in zip(products, quantities, strict=True))
    unknown = (len(products) == 1 and not products[0].pack_kg) or rng.random() < 0.05
    weight: object = UNWEIGHED if unknown else max(1, round(kilograms))
    kind = rng.random()
    if kind < 0.15:
        return INCLUDED, UNWEIGHED
    if kind < 0.22:
        return INVOICED, UNWEIGHED
    return round(50 + kilograms * rng.uniform(1, 6), 2), weight


def goods(rng: random.Random, product: Product, quantity: int) -> Line:
    """Return the cells that say what is shipped, how much of it, and at what price."""
    price = round(product.price * rng.uniform(0.9, 1.1), 2)
    value = round(price * quantity, 2)
    return {
        "product group": "EPI",
        "sub classification": "General",
        "item description": product.name,
        "molecule/test type": product.name.split(",")[0],
        "brand": "Generic",
        "dosage": "",
        "dosage form": "",
        "unit of measure (per pack)": product.pack,
        "line item quantity": quantity,
        "line item value": value,
        "pack price": price,
        "unit price": round(price / product.pack, 2),
        "manufacturing site": "",
        "first line designation": rng.choice(("TRUE", "FALSE")),
        "line item insurance (usd)": round(value * 0.0015, 2) if rng.random() < 0.95 else "",
    }


def _us(day: date) -> str:
    return f"{day.month}/{day.day}/{day.year}"


def _british(day: date) -> str:
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return f"{day.day}-{months[day.month - 1]}-{day.year % 100:02d}"
