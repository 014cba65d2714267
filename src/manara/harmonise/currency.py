"""Money from one currency to another by a table of dated rates; the rate of no other day is taken silently."""

import bisect
import csv
import importlib.resources
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cache

from manara.errors import WrongDefinition
from manara.registry import near


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How much of a currency one unit of the base buys from a day on."""

    currency: str
    day: date
    rate: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Redenomination:
    """`factor` of the old currency became one of the new on the day."""

    old: str
    new: str
    factor: int
    day: date


class Rates:
    """Dated rates against one base currency.

    Taken is the last rate that is not after the day and at most `oldest_days` before it. An old currency (BYR) is
    brought to the one that followed it (BYN) by the factor of its redenomination.
    """

    def __init__(self, base: str, rows: Iterable[Rate], *, oldest_days: int = 31) -> None:
        self.base = base
        self.oldest_days = oldest_days
        self._days: dict[str, list[date]] = {}
        self._rates: dict[str, list[Fraction]] = {}
        for row in sorted(rows, key=lambda row: (row.currency, row.day)):
            self._add(row)

    def _add(self, row: Rate) -> None:
        if row.rate <= 0:
            raise WrongDefinition(
                f"The rate of {row.currency} on {row.day} is {row.rate}.", advice="A rate is above 0."
            )
        days = self._days.setdefault(row.currency, [])
        if days and days[-1] == row.day:
            raise WrongDefinition(f"There are two rates of {row.currency} on {row.day}.", advice="Keep one of them.")
        days.append(row.day)
        self._rates.setdefault(row.currency, []).append(Fraction(row.rate))

    def convert(self, amount: int | Decimal | Fraction, currency: str, target: str, day: date) -> Fraction:
        """Return an amount of a currency in another on a day; exact.

        Raises WrongDefinition for a currency without rates, and where there is no rate near enough before the day.
        """
        return Fraction(amount) / self._rate(currency, day) * self._rate(target, day)

    def _rate(self, currency: str, day: date) -> Fraction:
        if currency == self.base:
            return Fraction(1)
        change = redenominations().get(currency)
        if change is not None and (currency not in self._days or self._days[currency][0] > day):
            return self._rate(change.new, day) * change.factor
        if currency not in self._days:
            raise WrongDefinition(
                f"There are no rates of '{currency}'.", advice=near(currency, [*self._days, self.base])
            )
        place = bisect.bisect_right(self._days[currency], day) - 1
        if place < 0:
            first = self._days[currency][0]
            raise WrongDefinition(f"There is no rate of {currency} on {day}: the first is of {first}.")
        age = (day - self._days[currency][place]).days
        if age > self.oldest_days:
            raise WrongDefinition(
                f"The last rate of {currency} before {day} is {age} days old, more than {self.oldest_days}.",
                advice="Load newer rates, or allow older ones.",
            )
        return self._rates[currency][place]


@cache
def redenominations() -> Mapping[str, Redenomination]:
    """Return the currencies that were replaced by ones of another value, by their old codes."""
    text = importlib.resources.files("manara.harmonise").joinpath("redenominations.csv").read_text("utf-8")
    return {
        row["old"]: Redenomination(
            old=row["old"], new=row["new"], factor=int(row["factor"]), day=date.fromisoformat(row["day"])
        )
        for row in csv.DictReader(text.splitlines())
    }
