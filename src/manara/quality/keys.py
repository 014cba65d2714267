"""Keys that rise from row to row: then none stands twice, and nobody has to look."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from manara.quality.odcs import Contract, Property

_AS_THEY_ARE: Mapping[str, Callable[[pa.DataType], bool]] = {
    "integer": lambda kind: pa.types.is_integer(kind) and kind != pa.uint64(),
    "string": lambda kind: kind == pa.string(),
    "date": lambda kind: kind == pa.date32(),
    "timestamp": lambda kind: kind == pa.timestamp("us"),
}
"""The types of a source of which two different values stay different in the contract's type."""


class Rising:
    """Whether the keys of all rows seen rise from each row to the next, those of several columns in their order."""

    def __init__(self, contract: Contract, schema: pa.Schema) -> None:
        self._places = [_place(key, schema) for key in contract.keys]
        self._last: list[Any] = []
        self.holds = bool(self._places) and min(self._places) >= 0

    def see(self, batch: pa.RecordBatch) -> None:
        """Look at the next rows."""
        if not self.holds or not batch.num_rows:
            return
        columns = [batch.column(place) for place in self._places]
        if self._last:
            pairs = zip(self._last, columns, strict=True)
            self.holds = _rise([pa.concat_arrays([last, column.slice(0, 1)]) for last, column in pairs])
        self.holds = self.holds and _rise(columns)
        self._last = [column.slice(batch.num_rows - 1) for column in columns]


def _place(key: Property, schema: pa.Schema) -> int:
    """Return the place of the column that the key's values are, -1 where there is none or they are made of it."""
    found = [at for at, name in enumerate(schema.names) if name.lower() == key.source.lower()]
    if len(found) != 1 or key.transform_logic or key.missing_values:
        return -1
    is_taken = _AS_THEY_ARE.get(key.logical_type)
    return found[0] if is_taken and is_taken(schema.field(found[0]).type) else -1


def _rise(columns: Sequence[Any]) -> bool:
    """Return whether each row stands after the one before it, by the first column in which they differ."""
    risen: Any = None
    for column in reversed(columns):
        if column.null_count:
            return False
        before, after = column.slice(0, len(column) - 1), column.slice(1)
        above = pc.greater(after, before)
        risen = above if risen is None else pc.or_(above, pc.and_(pc.equal(after, before), risen))
    return bool(pc.all(risen, min_count=0).as_py())
