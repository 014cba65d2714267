"""Whole columns of texts into dates and periods: every distinct text is read once."""

from typing import Any

import pyarrow as pa

from manara.period.dates import Forms, read_date
from manara.period.notation import Notation, read_period
from manara.table.column import Read, read_column

PERIOD = pa.struct([("start", pa.date32()), ("end", pa.date32()), ("grain", pa.string())])
"""A period as a value of a column."""


def read_dates(texts: "pa.Array[Any] | pa.ChunkedArray[Any]", forms: Forms) -> Read:
    """Return the dates (date32) of a column of texts; raises nothing: what is refused is told in `faults`."""
    return read_column(texts, lambda text: read_date(text, forms), pa.date32())


def read_periods(texts: "pa.Array[Any] | pa.ChunkedArray[Any]", notation: Notation) -> Read:
    """Return the periods (PERIOD) of a column of texts; raises nothing: what is refused is told in `faults`."""

    def one(text: str) -> dict[str, Any]:
        period = read_period(text.strip(), notation)
        return {"start": period.start, "end": period.end, "grain": period.grain.name}

    return read_column(texts, one, PERIOD)
