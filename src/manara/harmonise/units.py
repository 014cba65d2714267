"""Units of measure from a declared list, with exact factors. What is not on the list is refused with the reason.

`28 pcs` is 28 pieces, and `Packet` is no amount: no library's guess stands behind it. The lists are `units.csv` (each
unit with its factor and offset to the first unit of its dimension), `no_units.csv` (words that look like units) and
`plausible.csv` (what WHO Anthro takes as the measure of a child under five).
"""

import csv
import importlib.resources
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Any

import pyarrow as pa

from manara.errors import WrongDefinition
from manara.registry import near
from manara.table.column import Read, read_column

Number = int | Decimal | Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit: an amount in it is `amount * factor + offset` in the first unit of its dimension."""

    name: str
    dimension: str
    factor: Fraction
    offset: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """How much of a unit; exact."""

    number: Fraction
    unit: Unit

    def to(self, unit: str) -> Fraction:
        """Return the number of another unit. Raises WrongDefinition where it measures something else."""
        return converted(self.number, self.unit, unit_of(unit))


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """What an item comes in: how many units one pack holds (its net content), and how many doses one unit gives.

    >>> Packing(units_per_pack=10, doses_per_unit=20).convert(3, "pack", "dose")
    Fraction(600, 1)
    """

    units_per_pack: int
    doses_per_unit: int | None = None

    def __post_init__(self) -> None:
        for name, number in (("units_per_pack", self.units_per_pack), ("doses_per_unit", self.doses_per_unit)):
            if number is not None and number < 1:
                raise WrongDefinition(
                    f"{name} is {number}: a pack holds one at least.", advice="Mend the item's content."
                )

    def convert(self, number: Number, source: str, target: str) -> Fraction:
        """Return so many packs, units or doses as packs, units or doses; exact, so parts of a pack are fractions.

        Raises WrongDefinition for another word, and for doses of an item whose doses are not declared.
        """
        return Fraction(number) * self._units(source) / self._units(target)

    def _units(self, kind: str) -> Fraction:
        if kind == "dose":
            if self.doses_per_unit is None:
                raise WrongDefinition(
                    "The doses in a unit of the item are not declared.", advice="Declare doses_per_unit."
                )
            return Fraction(1, self.doses_per_unit)
        known = {"pack": self.units_per_pack, "unit": 1}
        if kind not in known:
            raise WrongDefinition(f"An item is counted by pack, unit or dose, not by '{kind}'.")
        return Fraction(known[kind])


def read_amount(text: str) -> Amount:
    """Return the amount that a text names: a number and a unit, or a unit alone, which is one of it.

    >>> read_amount("1.1 KG").to("g")
    Fraction(1100, 1)

    Raises WrongDefinition for an unknown unit, for a word that is no unit (with the reason), and for a number that
    could be read in two ways (`1,5`).
    """
    shown = " ".join(text.split())
    match = re.fullmatch(r"([+-]?[\d.,'\u202f\u00a0 ]*\d)?\s*(\D.*)?", shown)
    if match is None or not match[2]:
        raise WrongDefinition(f"'{shown}' names no unit.", advice=f"Known are: {', '.join(_listed())}.")
    return Amount(number=_number(match[1], shown), unit=unit_of(match[2]))


def unit_of(name: str) -> Unit:
    """Return the unit with the name, in any case. Raises WrongDefinition with the reason, or with near names."""
    plain = " ".join(name.strip().lower().rstrip(".").split())
    found = _units().get(plain)
    if found is not None:
        return found
    reason = _no_units().get(plain)
    if reason:
        raise WrongDefinition(f"'{name}' is no unit of measure: {reason}.")
    raise WrongDefinition(f"There is no unit '{name}' on the list.", advice=near(plain, _units()))


def converted(number: Number, source: Unit, target: Unit) -> Fraction:
    """Return an amount of a unit in another; exact. Raises WrongDefinition where they measure different things."""
    scale, shift = scale_of(source, target)
    return Fraction(number) * scale + shift


def scale_of(source: Unit, target: Unit) -> tuple[Fraction, Fraction]:
    """Return what an amount is multiplied by, and what is added then, to come from one unit to another."""
    if source.dimension != target.dimension:
        raise WrongDefinition(
            f"'{source.name}' measures {source.dimension} and '{target.name}' {target.dimension}.",
            advice="Take a unit of the same kind, or declare the content of the item.",
        )
    return source.factor / target.factor, (source.offset - target.offset) / target.factor


def read_amounts(texts: "pa.Array[Any] | pa.ChunkedArray[Any]", unit: str) -> Read:
    """Return the amounts (float64) that texts such as `1.1 KG` have in a unit, and why texts are refused."""
    target = unit_of(unit)

    def one(text: str) -> float:
        amount = read_amount(text)
        return float(converted(amount.number, amount.unit, target))

    return read_column(texts, one, pa.float64())


def implausible(measure: str, number: float, unit: str) -> str:
    """Return why a child under five cannot have the measure in its declared unit; nothing where it can.

    >>> implausible("muac", 14.2, "mm")
    'muac is 14.2 mm, and lies between 60 and 350 mm'

    Ranges: WHO Anthro for personal computers, manual (version 3.2.2), limits of data entry. The unit is never guessed.
    """
    ranges = _plausible()
    if measure not in ranges:
        raise WrongDefinition(f"There is no range for '{measure}'.", advice=near(measure, ranges))
    own, least, most = ranges[measure]
    value = converted(Fraction(str(number)), unit_of(unit), own)
    if least <= value <= most:
        return ""
    to = unit_of(unit)
    low, high = (float(converted(bound, own, to)) for bound in (least, most))
    return f"{measure} is {number:g} {unit}, and lies between {low:g} and {high:g} {unit}"


def _number(text: str | None, shown: str) -> Fraction:
    if not text:
        return Fraction(1)
    plain = re.sub(r"[\s'\u202f\u00a0]", "", text)
    if "," in plain or plain.count(".") > 1:
        raise WrongDefinition(
            f"The number in '{shown}' can be read in two ways.",
            advice="Write a decimal point, and nothing between thousands.",
        )
    return Fraction(Decimal(plain))


@cache
def _units() -> Mapping[str, Unit]:
    found: dict[str, Unit] = {}
    for row in _rows("units.csv"):
        unit = Unit(
            name=row["unit"], dimension=row["dimension"], factor=Fraction(row["factor"]), offset=Fraction(row["offset"])
        )
        found |= dict.fromkeys([row["unit"].lower(), *row["names"].split("|")], unit)
    return found


@cache
def _no_units() -> Mapping[str, str]:
    return {name: row["reason"] for row in _rows("no_units.csv") for name in row["names"].split("|")}


@cache
def _plausible() -> Mapping[str, tuple[Unit, Fraction, Fraction]]:
    return {
        row["measure"]: (unit_of(row["unit"]), Fraction(row["least"]), Fraction(row["most"]))
        for row in _rows("plausible.csv")
    }


def _listed() -> list[str]:
    return list(dict.fromkeys(unit.name for unit in _units().values()))


def _rows(file: str) -> Iterable[dict[str, str]]:
    text = importlib.resources.files("manara.harmonise").joinpath(file).read_text("utf-8")
    return csv.DictReader(text.splitlines())
