"""DHIS2's relative periods (`LAST_12_MONTHS`, `THIS_YEAR`), against a day that is given."""

import re
from datetime import date

from manara.errors import WrongDefinition
from manara.period import grain as grains
from manara.period.grain import Grain
from manara.period.period import Period, period_at
from manara.registry import near

_UNITS: dict[str, Grain] = {
    "DAY": grains.DAILY,
    "WEEK": grains.WEEKLY,
    "BIWEEK": grains.BI_WEEKLY,
    "MONTH": grains.MONTHLY,
    "BIMONTH": grains.BI_MONTHLY,
    "QUARTER": grains.QUARTERLY,
    "SIX_MONTH": grains.SIX_MONTHLY,
    "YEAR": grains.YEARLY,
}
_FINANCIAL = "FINANCIAL_YEAR"
_DAYS = {"TODAY": "THIS_DAY", "YESTERDAY": "LAST_DAY"}
_INSIDE = {
    f"{unit}S": grain for unit, grain in _UNITS.items() if unit in ("WEEK", "MONTH", "BIMONTH", "QUARTER", "SIX_MONTH")
}
_EXAMPLES = ("TODAY", "YESTERDAY", "THIS_MONTH", "LAST_12_MONTHS", "LAST_QUARTER", "THIS_YEAR", "MONTHS_THIS_YEAR",
             "LAST_5_FINANCIAL_YEARS", "WEEKS_THIS_YEAR", "QUARTERS_LAST_YEAR")  # fmt: skip


def relative_periods(text: str, today: date, *, financial: Grain = grains.FINANCIAL_OCT) -> list[Period]:
    """Return the periods that a relative period of DHIS2 means on a day, in order of time.

    `LAST_n_...` are the n before that of today; `THIS_...` is that of today; `MONTHS_THIS_YEAR` are all of the year.
    `financial` is the financial year of the system. Raises WrongDefinition for a text that is none.

    >>> [period.start.month for period in relative_periods("LAST_3_MONTHS", date(2024, 2, 10))]
    [11, 12, 1]
    """
    name = _DAYS.get(text, text)
    units = {**_UNITS, _FINANCIAL: financial}
    match = re.fullmatch(r"(THIS|LAST|LAST_(\d{1,3}))_([A-Z_]+?)(S?)", name)
    if match and match[3] in units and bool(match[4]) == bool(match[2]):
        this = period_at(units[match[3]], today)
        if match[1] == "THIS":
            return [this]
        return [this.shifted(-number) for number in range(int(match[2] or 1), 0, -1)]
    match = re.fullmatch(r"([A-Z_]+)_(THIS|LAST)_YEAR", name)
    if match and match[1] in _INSIDE:
        year = period_at(grains.YEARLY, today).shifted(0 if match[2] == "THIS" else -1)
        return _numbered_in(year, _INSIDE[match[1]])
    raise WrongDefinition(f"'{text}' is no relative period.", advice=near(text, _EXAMPLES))


def _numbered_in(year: Period, grain: Grain) -> list[Period]:
    """Return the periods that count to a year; of weeks those whose fourth day lies in it."""
    if grain.unit != "week":
        return year.parts(grain)
    one = Period(grain, grains.first_week(year.start.year, grain.first))
    found = []
    while grains.week_year(one.start) == year.start.year:
        found.append(one)
        one = one.shifted(1)
    return found
