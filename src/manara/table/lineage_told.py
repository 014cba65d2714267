"""What is told of the tables and columns that SQL reads and writes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

How = Literal["IDENTITY", "TRANSFORMATION", "AGGREGATION"]
"""How a value came to be, in OpenLineage's words: as it was, computed from one row, or from several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadColumn:
    """A column that a column was made from: the table's name is `table` or `schema.table`."""

    table: str
    column: str
    how: How


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A table or view that was written: what was read for it, and where each column comes from.

    A column without sources holds constants. Where `unclear` says why the columns could not be followed, `columns` is
    empty, or holds only those that could.
    """

    table: str
    inputs: tuple[str, ...]
    columns: Mapping[str, tuple[ReadColumn, ...]] = field(default_factory=dict)
    unclear: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What a script writes, by table in the order of the first write, and what it only reads."""

    written: tuple[Written, ...]
    reads: tuple[str, ...]
    unclear: tuple[str, ...] = ()
