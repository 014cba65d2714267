"""Days and moments as the texts that JSON has for them."""

from typing import Any

import pyarrow as pa
import pyarrow.compute

# The stubs of Arrow's functions want the kind of each array, and here it is known only when it runs.
pc: Any = pyarrow.compute

_TAIL = r"(\.[0-9]*[1-9])0+(Z?)$"
_NO_FRACTION = r"\.0+(Z?)$"


def iso_text(moments: "pa.Array[Any]") -> "pa.Array[Any]":
    """Return a column of timestamps as ISO texts, without the zeros at the end of a fraction; `Z` where it has a zone.

    >>> import datetime
    >>> iso_text(pa.array([datetime.datetime(2024, 1, 2, 10, 30), datetime.datetime(2024, 1, 2, 0, 0, 0, 120000)]))[1]
    <pyarrow.StringScalar: '2024-01-02T00:00:00.12'>
    """
    kind: Any = moments.type
    text = pc.strftime(moments.cast(pa.timestamp("us", kind.tz)), format=f"%Y-%m-%dT%H:%M:%S{'Z' if kind.tz else ''}")
    short = pc.replace_substring_regex(text, _TAIL, r"\1\2")
    result: pa.Array[Any] = pc.replace_substring_regex(short, _NO_FRACTION, r"\1")
    return result
