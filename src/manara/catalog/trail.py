"""A way back through the warehouse: rows, the lines of files that they came from, and what stands behind them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from manara.catalog.history import key_of
from manara.catalog.source_line import Record
from manara.plugin.lineage import Asset

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a source file: where the file is, where it is kept as it came, and the record, if it is at hand."""

    file: Asset
    kept: Asset | None
    row: int
    run_id: str
    record: Record | None

    def as_json(self) -> dict[str, Any]:
        """Return the line as JSON."""
        return {
            "namespace": self.file.namespace,
            "file": self.file.name,
            "kept": self.kept.name if self.kept else None,
            "row": self.row,
            "line": self.record.line if self.record else None,
            "text": self.record.text if self.record else None,
            "run": self.run_id,
        }


@dataclass(slots=True, kw_only=True)
class Trail:
    """Rows of a table on the way back: how they were found, the lines they came from, and what stands behind them."""

    asset: Asset
    column: str
    by: str
    rows: list[Row]
    total: int
    lines: list[Line] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    behind: "list[Trail]" = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return the trail as JSON."""
        return {
            "namespace": self.asset.namespace,
            "name": self.asset.name,
            "column": self.column,
            "by": self.by,
            "rows": [json.loads(json.dumps(dict(row), default=str)) for row in self.rows],
            "total": self.total,
            "lines": [line.as_json() for line in self.lines],
            "notes": self.notes,
            "from": [one.as_json() for one in self.behind],
        }

    def all_lines(self) -> Iterator[Line]:
        """Yield the lines of the whole trail, each once."""
        seen: set[tuple[str, int]] = set()
        for line in (*self.lines, *(line for one in self.behind for line in one.all_lines())):
            if (line.file.name, line.row) not in seen:
                seen.add((line.file.name, line.row))
                yield line


def merged(found: Sequence[Trail]) -> list[Trail]:
    """Return trails with one for each table and column: the rows of all."""
    by_place: dict[tuple[tuple[str, str], str], Trail] = {}
    for one in found:
        held = by_place.setdefault((key_of(one.asset), one.column), one)
        if held is not one:
            known = {json.dumps(dict(row), default=str) for row in held.rows}
            fresh = [row for row in one.rows if json.dumps(dict(row), default=str) not in known]
            held.rows += fresh
            held.total = max(held.total, one.total, len(held.rows))
            held.lines += [line for line in one.lines if line not in held.lines]
            held.notes += [note for note in one.notes if note not in held.notes]
            held.behind = merged([*held.behind, *one.behind])
    return list(by_place.values())
