"""The invented country that the generator reports on: its facilities, its items, and the many ways to write a name."""

import random
import unicodedata
import uuid
from dataclasses import dataclass
from datetime import date

PLACE_STARTS = ("Bo", "Ka", "Lu", "Mô", "Na", "Ndi", "Ru", "Sa", "Té", "Wa", "Zi", "Ki")
PLACE_ENDS = ("lembe", "ndala", "kanga", "songo", "vuma", "réka", "tiba", "mbwe", "loto", "hari")
KINDS = ("Health Centre", "Health Centre", "Health Centre", "Health Post", "Dispensary", "Hospital")

ITEMS = (
    ("EPI01", "BCG vaccine, 20 doses, vial", 20, 0.18),
    ("EPI02", "Measles-rubella vaccine, 10 doses, vial", 10, 0.12),
    ("EPI03", "Oral polio vaccine, 20 doses, vial", 20, 0.09),
    ("EPI04", "Pentavalent vaccine, 10 doses, vial", 10, 0.05),
    ("NUT01", "Ready-to-use therapeutic food, 150 sachets, carton", 150, 0.01),
    ("MED01", "Amoxicillin 250mg, dispersible tablets, 100 Tabs", 100, 0.02),
    ("MED02", "Oral rehydration salts with zinc, 1 co-pack", 1, 0.03),
    ("MED03", "Artemether-lumefantrine 20/120mg, tablets, 24 Tabs", 24, 0.02),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facility:
    """One place that keeps stock. `name` is the spelling of the facility list."""

    id: str
    code: str
    place: str
    kind: str
    location: str

    @property
    def name(self) -> str:
        return f"{self.place} {self.kind}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One product. `wastage` is the share of what leaves the shelf that is thrown away."""

    id: str
    code: str
    name: str
    net_content: int
    wastage: float


def make_facilities(seed: int, count: int) -> list[Facility]:
    """Return `count` facilities, each with a place name of its own (at most 120)."""
    rng = chance(f"{seed}/facilities")
    places = [start + end for start in PLACE_STARTS for end in PLACE_ENDS]
    rng.shuffle(places)
    return [
        Facility(
            id=make_id(rng),
            code=f"HF{number:03d}",
            place=place,
            kind=rng.choice(KINDS),
            location=f"POINT({rng.uniform(33, 36):.6f} {rng.uniform(-16, -10):.6f})" if rng.random() < 0.7 else "",
        )
        for number, place in enumerate(places[:count], start=1)
    ]


def make_items(seed: int, count: int) -> list[Item]:
    """Return the first `count` items (at most 8)."""
    rng = chance(f"{seed}/items")
    return [
        Item(id=make_id(rng), code=code, name=name, net_content=content, wastage=wastage)
        for code, name, content, wastage in ITEMS[:count]
    ]


def chance(purpose: str) -> random.Random:
    """Return a stream of chance for one purpose; what is drawn for another does not change it."""
    return random.Random(purpose)  # noqa: S311 # the same seed must give the same data


def make_id(rng: random.Random) -> str:
    """Return a UUID drawn from `rng`, so that the same seed gives the same ids."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def write_name(facility: Facility, rng: random.Random) -> str:
    """Return one of the ways in which people write the facility's name: the place is always the same in the end."""
    ways = [
        facility.name,
        facility.name.upper(),
        without_accents(facility.name).lower(),
        facility.name.replace(" ", "  "),
    ]
    for short in {"Health Centre": ("Health Center", "HC", "H/C"), "Health Post": ("HP", "H/P")}.get(facility.kind, ()):
        ways += [f"{facility.place} {short}", f"{short} {without_accents(facility.place)}"]
    return rng.choice(ways)


def without_accents(text: str) -> str:
    """Return the text with its accents dropped.

    >>> without_accents("Môréka")
    'Moreka'
    """
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


def month_after(first: date, months: int) -> date:
    """Return the first day of the month that lies `months` after that of `first`.

    >>> month_after(date(2023, 11, 1), 2)
    datetime.date(2024, 1, 1)
    """
    year, month = divmod(first.year * 12 + first.month - 1 + months, 12)
    return date(year, month + 1, 1)
