"""Periods of time as DHIS2, SDMX and ISO 8601 name them, and strict dates in declared forms and calendars."""

from manara.period.grain import GRAINS, Grain
from manara.period.notation import convert, read_period, write_period
from manara.period.period import Period, period_at
from manara.period.relative import relative_periods

__all__ = ["GRAINS", "Grain", "Period", "convert", "period_at", "read_period", "relative_periods", "write_period"]
