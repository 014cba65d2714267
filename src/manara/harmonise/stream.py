"""Batches of rows with their harmonised columns: every distinct value is read once, however many rows hold it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from manara.errors import BadRows, WrongDefinition
from manara.harmonise.names import plain
from manara.harmonise.readers import ALIAS, BLANK, NONE, READ, Finding, Reader, Values
from manara.registry import near

_BETWEEN = "\x1f"
_NOTHING = "\x00"
_GOOD = frozenset({BLANK, NONE, ALIAS, READ, "code", "exact", "normalised", "sound", "fuzzy", "outside"})


@dataclass(slots=True)
class Unmatched:
    """A distinct value that was not matched: how often it came, why, and what it might be."""

    list_name: str
    parent: str
    value: str
    kind: str
    finding: Finding
    rows: int = 0


@dataclass(slots=True)
class Counts:
    """What has become of the values so far: by column and outcome, and each value that was not matched."""

    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    unmatched: dict[tuple[str, str, str], Unmatched] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A batch with its new columns, and for each row the keys of the unmatched values that it waits for."""

    batch: pa.RecordBatch
    waits: list[list[tuple[str, str, str]]]


class Harmoniser:
    """Reads the columns of batches one after the other; a column may lean on those that come before it."""

    def __init__(self, readers: Sequence[Reader], schema: pa.Schema, where: str) -> None:
        self._readers = readers
        self._where = where
        self._known: list[dict[Values, Finding]] = [{} for _ in readers]
        self.counts = Counts(outcomes={reader.column.to: Counter() for reader in readers})
        self.schema = self._schema(schema)

    def _schema(self, schema: pa.Schema) -> pa.Schema:
        names = list(schema.names)
        for reader in self._readers:
            for name in reader.takes:
                if name not in names:
                    raise WrongDefinition(
                        f"There is no column '{name}', which '{reader.column.to}' is made from.",
                        where=self._where,
                        advice=near(name, names),
                    )
            for name, kind in reader.gives.items():
                if name.lower() in (known.lower() for known in names):
                    raise WrongDefinition(
                        f"There is a column '{name}' already.", where=self._where, advice="Give 'to' another name."
                    )
                schema = schema.append(pa.field(name, kind))
                names.append(name)
        return schema

    def read(self, batch: pa.RecordBatch) -> Done:
        """Return the batch with its columns. Raises BadRows for a value of a column that is told to fail."""
        waits: list[list[tuple[str, str, str]]] = [[] for _ in range(batch.num_rows)]
        for known, reader in zip(self._known, self._readers, strict=True):
            batch = self._one(batch, reader, known, waits)
        return Done(batch=batch, waits=waits)

    def _one(
        self,
        batch: pa.RecordBatch,
        reader: Reader,
        known: dict[Values, Finding],
        waits: list[list[tuple[str, str, str]]],
    ) -> pa.RecordBatch:
        encoded = _distinct(batch, reader.takes)
        findings = [self._finding(values, reader, known) for values in _split(encoded.dictionary, len(reader.takes))]
        counted = Counter({each["values"]: each["counts"] for each in pc.value_counts(encoded.indices).to_pylist()})
        for index, finding in enumerate(findings):
            self.counts.outcomes[reader.column.to][finding.outcome] += counted[index]
        bad = {index for index, finding in enumerate(findings) if finding.outcome not in _GOOD}
        if bad:
            self._note(encoded, findings, bad, counted, reader, waits)
        for place, (name, kind) in enumerate(reader.gives.items()):
            values = pa.array([finding.values[place] if finding.values else None for finding in findings], kind)
            batch = batch.append_column(pa.field(name, kind), values.take(encoded.indices))
        return batch

    def _finding(self, values: Values, reader: Reader, known: dict[Values, Finding]) -> Finding:
        if values not in known:
            known[values] = reader.read(values)
        return known[values]

    def _note(
        self,
        encoded: Any,
        findings: Sequence[Finding],
        bad: set[int],
        counted: Counter[int],
        reader: Reader,
        waits: list[list[tuple[str, str, str]]],
    ) -> None:
        texts = [values[0] or "" for values in _split(encoded.dictionary, len(reader.takes))]
        column = reader.column
        keys = {}
        for index in bad:
            finding = findings[index]
            if column.on_unmatched == "fail":
                row = encoded.indices.to_pylist().index(index) + 1
                raise BadRows(
                    finding.reason or f"'{texts[index]}' is refused.",
                    where=f"{self._where}, column '{column.source}', row {row} of its batch",
                    advice="Mend the value, or let it wait for a steward (onUnmatched).",
                )
            key = (column.list_name, finding.parent, plain(texts[index]) or texts[index])
            keys[index] = key
            unmatched = self.counts.unmatched.setdefault(
                key,
                Unmatched(
                    list_name=key[0], parent=key[1], value=texts[index].strip(), kind=column.kind, finding=finding
                ),
            )
            unmatched.rows += counted[index]
        if column.on_unmatched == "wait":
            for row, index in enumerate(encoded.indices.to_pylist()):
                if index in keys:
                    waits[row].append(keys[index])


def _distinct(batch: pa.RecordBatch, names: Sequence[str]) -> Any:
    """Return the texts of the columns, joined and dictionary-encoded."""
    filled: list[Any] = []
    for name in names:
        column: Any = batch.column(name).cast(pa.string())
        text: Any = pc.fill_null(column, _NOTHING)
        filled.append(text if len(names) == 1 else pc.replace_substring(text, _BETWEEN, " "))
    joined: Any = filled[0] if len(filled) == 1 else pc.binary_join_element_wise(*filled, _BETWEEN)
    return joined.dictionary_encode()


def _split(joined: Any, parts: int) -> Iterator[Values]:
    for text in joined.to_pylist():
        found = [text] if parts == 1 else text.split(_BETWEEN)
        yield tuple(None if part == _NOTHING else part for part in found)
