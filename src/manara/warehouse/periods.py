"""The dimension of periods: months, quarters, weeks, financial years and the like, by their codes in DHIS2."""

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from manara.errors import BadRows, WrongDefinition
from manara.period.grain import GRAINS
from manara.period.notation import read_period, write_period
from manara.period.period import Period, period_at
from manara.warehouse import dates
from manara.warehouse.dates import as_table

TABLE = "dim_period"
COLUMNS = {
    "period_key": "BIGINT", "period": "TEXT", "grain": "TEXT", "first_day": "DATE", "last_day": "DATE",
    "days": "BIGINT", "year": "BIGINT", "quarter": "TEXT", "first_date_key": "BIGINT", "last_date_key": "BIGINT",
}  # fmt: skip
_NUMBERS = {grain: number for number, grain in enumerate(GRAINS, start=1)}
_SHOWN = 5


def key_of(period: Period) -> int:
    """Return the surrogate key of a period, the same in every warehouse: number of its grain, and its first day.

    >>> key_of(read_period("2024Q2", "DHIS2"))
    1020240401
    """
    return _NUMBERS[period.grain.name] * 100_000_000 + dates.key_of(period.start)


def read_codes(codes: Iterable[str], where: str) -> list[Period]:
    """Return the periods of codes in DHIS2's notation. Raises BadRows with those that are none, or spelt otherwise."""
    found, faults = [], []
    for code in codes:
        try:
            period = read_period(code, "DHIS2")
        except WrongDefinition as error:
            faults.append(error.message.rstrip("."))
            continue
        word = write_period(period, "DHIS2")
        if word != code:
            faults.append(f"'{code}' is written {word}")
        found.append(period)
    if faults:
        more = f", and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        raise BadRows(
            f"There are rows without a period: {'; '.join(faults[:_SHOWN])}{more}.",
            where=where,
            advice="Bring them to DHIS2's codes before the load, such as 202401 or 2024Q1 (activity Harmonise).",
        )
    return found


def rows_of(periods: Sequence[Period]) -> pa.Table:
    """Return the rows of the dimension: code, grain, first and last day, length, year, and quarter where one holds it.

    `year` is that of the first day, and for weeks that of the week's fourth day, as in their codes.
    """
    return as_table(COLUMNS, [_row(period) for period in periods])


def _row(period: Period) -> dict[str, Any]:
    quarter = period_at("Quarterly", period.start)
    code = write_period(period, "DHIS2")
    return {
        "period_key": key_of(period), "period": code, "grain": period.grain.name, "first_day": period.start,
        "last_day": period.end, "days": period.days,
        "year": int(code[:4]) if period.grain.unit == "week" else period.start.year,
        "quarter": write_period(quarter, "DHIS2") if period in quarter else None,
        "first_date_key": dates.key_of(period.start), "last_date_key": dates.key_of(period.end),
    }  # fmt: skip
