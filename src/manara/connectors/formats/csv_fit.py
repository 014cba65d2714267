"""The values of a delimited text in their types, and the rows of it that are left out, each with the reason."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from manara.connectors.formats.byte_marks import marks_of, unmarked
from manara.connectors.formats.csv_blocks import Parsed, Parser
from manara.connectors.formats.csv_bytes import Dialect
from manara.plugin.dataset import Conversion
from manara.table.rows import without_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """The rows that can be given, of `count` whole ones; text and reason of each other one, by their places."""

    rows: pa.RecordBatch
    count: int
    wrong: Mapping[int, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block that was parsed, and what came of its rows."""

    parsed: Parsed
    fitted: Fitted


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitter:
    """What makes of the parser's rows those that a copy is given; several threads may use it at once.

    `conversions` make values of other types of the texts of columns, by their names; `spell` returns the rows of a
    batch of texts as they could stand in the first file. The file `is_first` where its columns stand in that order.
    """

    dialect: Dialect
    names: list[str]
    spell: Callable[[pa.RecordBatch], Sequence[str]]
    conversions: Mapping[str, Conversion] = field(default_factory=dict)
    is_first: bool = True
    parser: Parser = field(init=False)

    def __post_init__(self) -> None:
        """Tell the parser the dialect, and the types that it can read."""
        types = {name: convert.arrow for name, convert in self.conversions.items() if convert.is_known_to_arrow}
        parser = Parser(marks=self.dialect.marks, null_value=self.dialect.null_value, names=self.names, types=types)
        object.__setattr__(self, "parser", parser)

    def block(self, block: memoryview) -> Block | None:
        """Return what comes of a block; None where it does not end where a row ends, or cannot be read."""
        parsed = self.parser.parse(block)
        return Block(parsed=parsed, fitted=self.fit(parsed.rows, parsed.base, parsed)) if parsed else None

    def fit(self, rows: pa.RecordBatch, base: int, block: Parsed | None = None) -> Fitted:
        """Return the rows that are UTF-8, and whose values fit.

        `base` is that of the marks in them; `block` is where they come from, if columns may have types already.
        """
        wrong = self._marked(rows, base) if base else {}
        real = self._real(rows)
        fitted, misfits = self._converted(real)
        bad = sorted(misfits.keys() - wrong.keys())
        if bad:
            texts = self._spelt(real, bad, block)
            wrong |= {at: (text, misfits[at]) for at, text in zip(bad, texts, strict=True)}
        left = without_rows(fitted, sorted(wrong)) if wrong else fitted
        return Fitted(rows=left, count=rows.num_rows, wrong=wrong)

    def _converted(self, rows: pa.RecordBatch) -> tuple[pa.RecordBatch, dict[int, str]]:
        """Return the rows with all columns in their types, and why some of them do not fit, by their places."""
        columns = list(rows.columns)
        misfits: dict[int, str] = {}
        for name, convert in self.conversions.items():
            place = self.names.index(name)
            texts = columns[place]
            if not pa.types.is_string(texts.type):
                continue  # the parser has read it so
            columns[place], wrong = convert(texts)
            for at in wrong or ():
                reason = convert.misfit(texts[at].as_py(), name)
                misfits[at] = f"{misfits[at]}; {reason}" if at in misfits else reason
        return pa.RecordBatch.from_arrays(columns, names=self.names) if self.conversions else rows, misfits

    def _spelt(self, rows: pa.RecordBatch, places: Sequence[int], block: Parsed | None) -> Sequence[str]:
        """Return the rows at these places as they stand in the file, or as they are spelt anew."""
        cut = block.cut(places) if block and self.is_first and not self.parser.marks.pairs else None
        if cut is not None:
            return cut
        if block and any(not pa.types.is_string(column.type) for column in rows.columns):
            return self.spell(self._real(self.parser.texts(block, places)))
        return self.spell(rows.take(pa.array(places, pa.int64())))

    def _marked(self, batch: pa.RecordBatch, base: int) -> dict[int, tuple[str, str]]:
        """Return the texts of the rows of a batch that have a mark, by their places, and the reason: no UTF-8."""
        broken = {
            index
            for column in batch.columns
            for index, found in enumerate(pc.match_substring_regex(column, marks_of(base)).to_pylist())
            if found
        }
        reason = f"it is not written in {self.dialect.encoding}"
        return {
            index: (
                self.dialect.delimiter.join(unmarked(column[index].as_py() or "", base) for column in batch.columns),
                reason,
            )
            for index in sorted(broken)
        }

    def _real(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the values with the real marks in them where stand-ins were read."""
        columns = batch.columns
        for real, mark in reversed(self.parser.marks.pairs):
            columns = [
                pc.replace_substring(column, mark, real) if pa.types.is_string(column.type) else column
                for column in columns
            ]
        return pa.RecordBatch.from_arrays(columns, schema=batch.schema) if self.parser.marks.pairs else batch
