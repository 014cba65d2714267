"""A column of texts read value by value: every distinct text once, with the reason for each that is refused."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from manara.errors import ManaraError


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What became of a column: `values` (null for a blank or refused text) and `faults` (why a text is refused)."""

    values: "pa.Array[Any]"
    faults: "pa.Array[Any]"


def read_column(texts: "pa.Array[Any] | pa.ChunkedArray[Any]", read: Callable[[str], Any], kind: pa.DataType) -> Read:
    """Return what `read` makes of each text of a column; a ManaraError that it raises becomes the text's fault."""
    column = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    encoded = column.cast(pa.string()).dictionary_encode()
    values: list[Any] = []
    faults: list[str | None] = []
    for text in encoded.dictionary.to_pylist():
        value, fault = _tried(text, read)
        values.append(value)
        faults.append(fault)
    return Read(
        values=pa.array(values, kind).take(encoded.indices), faults=pa.array(faults, pa.string()).take(encoded.indices)
    )


def _tried(text: str | None, read: Callable[[str], Any]) -> tuple[Any, str | None]:
    if text is None or not text.strip():
        return None, None
    try:
        return read(text), None
    except ManaraError as error:
        return None, str(error)
