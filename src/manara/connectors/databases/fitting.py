"""Rows cast to the types of a table's columns as they stream by; those that do not fit are refused one by one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute
from sqlglot import exp

from manara.connectors.databases.dialects import Kind, kind_of
from manara.plugin.dataset import Refused, Tally
from manara.table.cast import safe_cast

Array = Any  # pa.Array: its stubs want a type for the elements
pc: Any = pyarrow.compute

_NUL = "\x00"
_NO_NUL = {"postgres"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """One column of the table: the name of the rows' column, its own, and what it takes."""

    source: str
    name: str
    kind: Kind
    is_key: bool


class Fitting:
    """The way of rows into a table: `targets` says for each column of the rows which of the table's `columns` it is.

    `schema` is what the rows look like then: the table's names, and Arrow types that the table's types hold whole.
    """

    def __init__(
        self,
        targets: Mapping[str, str],
        columns: Mapping[str, str],
        *,
        dialect: str,
        table: str,
        keys: Sequence[str],
        tally: Tally,
    ) -> None:
        self._targets = [
            _Target(source=source, name=name, kind=kind_of(columns[name], dialect), is_key=name in keys)
            for source, name in targets.items()
        ]
        self._table = table
        self._tally = tally
        self._has_nul = dialect not in _NO_NUL
        self._duck: duckdb.DuckDBPyConnection | None = None
        self.schema = pa.schema([(target.name, target.kind.arrow) for target in self._targets])

    def batches(self, rows: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        """Yield the rows that fit; the others go to the tally with their numbers in the stream, from 1."""
        done = 0
        try:
            for batch in rows:
                self._tally.data_written += batch.nbytes
                yield self._fit(batch, done)
                done += batch.num_rows
        finally:
            if self._duck:
                self._duck.close()

    def _fit(self, batch: pa.RecordBatch, done: int) -> pa.RecordBatch:
        arrays, wrong = [], {}
        for target in self._targets:
            held = _plain(batch.column(target.source))
            array = self._cast(held, target.kind)
            misfits = self._misfits(held, array, target)
            if misfits is not None:
                wrong[target.source] = misfits
            arrays.append(array)
        fitted = pa.RecordBatch.from_arrays(arrays, schema=self.schema)
        return self._without(fitted, batch, wrong, done) if wrong else fitted

    def _without(
        self, fitted: pa.RecordBatch, batch: pa.RecordBatch, wrong: Mapping[str, Array], done: int
    ) -> pa.RecordBatch:
        """Refuse the rows that are wrong somewhere, and return the others."""
        masks = iter(wrong.values())
        bad = next(masks)
        for mask in masks:
            bad = pc.or_(bad, mask)
        for index in pc.indices_nonzero(bad).to_pylist():
            row = batch.slice(index, 1).to_pylist()[0]
            names = [name for name, mask in wrong.items() if mask[index].as_py()]
            self._tally.refuse(
                Refused(
                    file=self._table,
                    row=done + index + 1,
                    text=str(row),
                    reason="; ".join(self._reason(name, row[name]) for name in names),
                )
            )
        return fitted.filter(pc.invert(bad))

    def _reason(self, name: str, value: Any) -> str:
        if value is None:
            return f"the key '{name}' is null"
        kind = next(target.kind for target in self._targets if target.source == name)
        if kind.length is not None and len(str(value)) > kind.length:
            return f"'{value}' has {len(str(value))} characters, and the column '{name}' takes {kind.length}"
        if not self._has_nul and _NUL in str(value):
            return f"the text of the column '{name}' holds a NUL, which the database cannot keep"
        return f"'{value}' does not fit the column '{name}'"

    def _misfits(self, held: Array, array: Array, target: _Target) -> Array | None:
        """Return which values do not fit, or None where all do."""
        masks = []
        if array.null_count > held.null_count:
            masks.append(pc.and_(pc.is_valid(held), pc.is_null(array)))
        if target.is_key and held.null_count:
            masks.append(pc.is_null(held))
        kind = target.kind
        if kind.name == "VARCHAR" and len(array):
            if kind.length is not None and len(array) and _longest(array) > kind.length:
                masks.append(pc.greater(pc.utf8_length(array), kind.length))
            if kind.form:
                masks.append(pc.invert(pc.match_substring_regex(array, f"^({kind.form})$")))
            if not self._has_nul and pa.types.is_string(held.type) and _hold(held, _NUL.encode()):
                masks.append(pc.match_substring(array, _NUL))
        if not masks:
            return None
        bad = pc.fill_null(masks[0], False)
        for mask in masks[1:]:
            bad = pc.or_(bad, pc.fill_null(mask, False))
        return bad if pc.any(bad).as_py() else None

    def _cast(self, held: Array, kind: Kind) -> Array:
        """Return the values as the kind; what does not fit is null."""
        if held.type == kind.arrow:
            return held
        if pa.types.is_null(held.type):
            return pa.array([None] * len(held), kind.arrow)
        if _is_same_in_arrow(held, kind):
            try:
                return held.cast(kind.arrow)
            except pa.ArrowInvalid:
                pass
        return self._slowly(held, kind)

    def _slowly(self, held: Array, kind: Kind) -> Array:
        if self._duck is None:
            self._duck = duckdb.connect(":memory:", config={"threads": 1})
            self._duck.execute("load icu")
            self._duck.execute("set TimeZone = 'UTC'")
        value: exp.Expression = exp.column("v", quoted=True)
        if pa.types.is_nested(held.type) and kind.name == "VARCHAR":
            value = exp.cast(exp.func("to_json", value, dialect="duckdb"), "varchar")
        elif kind.name == "UUID":
            value = exp.cast(safe_cast(value, held.type, "UUID"), "varchar")
        else:
            value = safe_cast(value, held.type, kind.name)
        rows = self._duck.from_arrow(pa.table({"v": held}))
        found = rows.project(value.sql("duckdb")).to_arrow_table().column(0)
        return _plain(found).cast(kind.arrow)


def _is_same_in_arrow(held: Array, kind: Kind) -> bool:
    """Return whether Arrow's own cast gives what ours does, or fails: it is faster by far."""
    source, target = held.type, kind.arrow
    if pa.types.is_string(source):
        return _text_is_same(held, kind)
    return any(of(source) and any(to(target) for to in others) for of, others in _SAME) or (
        pa.types.is_timestamp(source) and pa.types.is_timestamp(target) and bool(source.tz) == bool(target.tz)
    )


def _text_is_same(held: Array, kind: Kind) -> bool:
    target = kind.arrow
    if pa.types.is_integer(target):  # Arrow reads 0x10 as 16
        return not _hold(held, b"xX")
    if pa.types.is_string(target):
        return kind.name != "UUID"
    is_moment = pa.types.is_timestamp(target) and not target.tz
    return is_moment or pa.types.is_floating(target) or pa.types.is_date(target)


_SAME = (
    (pa.types.is_integer, (pa.types.is_integer, pa.types.is_float64)),
    (pa.types.is_float32, (pa.types.is_float64,)),
    (pa.types.is_date, (pa.types.is_date, pa.types.is_timestamp)),
    (pa.types.is_decimal, (pa.types.is_decimal,)),
    (pa.types.is_time, (pa.types.is_time,)),
    (pa.types.is_fixed_size_binary, (pa.types.is_binary,)),
)


def _hold(texts: Array, letters: bytes) -> bool:
    """Return whether one of the letters stands in the texts; quicker by far than a pattern."""
    offsets, data = texts.buffers()[1:3]
    if data is None or offsets is None or not len(texts):
        return False
    ends = memoryview(offsets).cast("i")
    used = bytes(memoryview(data)[ends[texts.offset] : ends[texts.offset + len(texts)]])
    return any(bytes((letter,)) in used for letter in letters)


def _longest(array: Array) -> int:
    return int(pc.max(pc.binary_length(array)).as_py() or 0)


def _plain(array: Any) -> Array:
    """Return one array without a dictionary; large texts and views become plain ones."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks() if array.num_chunks != 1 else array.chunk(0)
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_large_string(array.type) or pa.types.is_string_view(array.type):
        array = array.cast(pa.string())
    if pa.types.is_large_binary(array.type) or pa.types.is_binary_view(array.type):
        array = array.cast(pa.binary())
    return array
