"""The grains of periods: days, weeks, months and their multiples, by the names that DHIS2 has for them."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

Unit = Literal["day", "week", "month"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grain:
    """How long a period is and where it may start.

    `name` is DHIS2's name of the period type. A period is `length` units long. One of weeks starts at the weekday
    `first` (1 is Monday), one of months at the month `first` or a multiple of `length` after it.
    """

    name: str
    unit: Unit
    length: int = 1
    first: int = 1

    def start_of(self, day: date) -> date:
        """Return the first day of the period in which the day lies."""
        if self.unit == "day":
            return day
        if self.unit == "week":
            start = day - timedelta(days=(day.isoweekday() - self.first) % 7)
            return start if self.length == 1 else _start_of_biweek(start)
        months = day.year * 12 + day.month - self.first
        return month_start(months - months % self.length + self.first - 1)

    def after(self, start: date, number: int) -> date:
        """Return the start of the period that lies `number` periods after the one that starts so."""
        if self.unit == "month":
            return month_start(start.year * 12 + start.month - 1 + number * self.length)
        if self.unit == "week" and self.length == 2:
            return _biweek_after(start, number)
        return start + timedelta(days=number * self.length * (7 if self.unit == "week" else 1))


def month_start(months: int) -> date:
    """Return the first day of the month that lies so many months after January of the year 0."""
    return date(months // 12, months % 12 + 1, 1)


def week_year(start: date) -> int:
    """Return the year to which a week belongs: that of its fourth day, whatever weekday it starts on."""
    return (start + timedelta(days=3)).year


def first_week(year: int, first: int) -> date:
    """Return the start of week 1 of a year whose weeks start at the weekday: the week that holds 4 January."""
    anchor = date(year, 1, 4)
    return anchor - timedelta(days=(anchor.isoweekday() - first) % 7)


def week_number(start: date) -> int:
    """Return the number of a week in its year, from its first day."""
    return (start - first_week(week_year(start), start.isoweekday())).days // 7 + 1


_BIWEEKS = 26


def _start_of_biweek(week: date) -> date:
    """Return the start of the two weeks, counted from week 1; a 53rd week lies in none, and has the last."""
    number = min((week_number(week) - 1) // 2, _BIWEEKS - 1)
    return first_week(week_year(week), 1) + timedelta(weeks=2 * number)


def _biweek_after(start: date, number: int) -> date:
    place = week_year(start) * _BIWEEKS + (week_number(start) - 1) // 2 + number
    return first_week(place // _BIWEEKS, 1) + timedelta(weeks=2 * (place % _BIWEEKS))


DAILY = Grain(name="Daily", unit="day")
WEEKLY = Grain(name="Weekly", unit="week")
WEEKLY_WEDNESDAY = Grain(name="WeeklyWednesday", unit="week", first=3)
WEEKLY_THURSDAY = Grain(name="WeeklyThursday", unit="week", first=4)
WEEKLY_SATURDAY = Grain(name="WeeklySaturday", unit="week", first=6)
WEEKLY_SUNDAY = Grain(name="WeeklySunday", unit="week", first=7)
BI_WEEKLY = Grain(name="BiWeekly", unit="week", length=2)
MONTHLY = Grain(name="Monthly", unit="month")
BI_MONTHLY = Grain(name="BiMonthly", unit="month", length=2)
QUARTERLY = Grain(name="Quarterly", unit="month", length=3)
FOUR_MONTHLY = Grain(name="FourMonthly", unit="month", length=4)
SIX_MONTHLY = Grain(name="SixMonthly", unit="month", length=6)
SIX_MONTHLY_APRIL = Grain(name="SixMonthlyApril", unit="month", length=6, first=4)
SIX_MONTHLY_NOV = Grain(name="SixMonthlyNov", unit="month", length=6, first=11)
YEARLY = Grain(name="Yearly", unit="month", length=12)
FINANCIAL_APRIL = Grain(name="FinancialApril", unit="month", length=12, first=4)
FINANCIAL_JULY = Grain(name="FinancialJuly", unit="month", length=12, first=7)
FINANCIAL_SEP = Grain(name="FinancialSep", unit="month", length=12, first=9)
FINANCIAL_OCT = Grain(name="FinancialOct", unit="month", length=12, first=10)
FINANCIAL_NOV = Grain(name="FinancialNov", unit="month", length=12, first=11)

GRAINS = {
    grain.name: grain
    for grain in (
        DAILY, WEEKLY, WEEKLY_WEDNESDAY, WEEKLY_THURSDAY, WEEKLY_SATURDAY, WEEKLY_SUNDAY, BI_WEEKLY, MONTHLY,
        BI_MONTHLY, QUARTERLY, FOUR_MONTHLY, SIX_MONTHLY, SIX_MONTHLY_APRIL, SIX_MONTHLY_NOV, YEARLY, FINANCIAL_APRIL,
        FINANCIAL_JULY, FINANCIAL_SEP, FINANCIAL_OCT, FINANCIAL_NOV,
    )
}  # fmt: skip
"""Every grain by its name. FourMonthly is SDMX's trimester, which DHIS2 has not.

A new one goes to the end: the keys of periods in warehouses hold the number of the grain in this order.
"""
