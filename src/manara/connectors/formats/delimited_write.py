"""Rows as delimited text in any spelling: fast in the plain one, and right in all others."""

import codecs
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.compute
import pyarrow.csv as pacsv

from manara.connectors.formats.csv_bytes import Dialect
from manara.connectors.formats.text import as_text
from manara.errors import BadRows
from manara.table.ahead import side_by_side

# The stubs of Arrow's functions want the kind of each array, and here it is known only when it runs.
pc: Any = pyarrow.compute

_LINE_END = "\r\n"
_FEW = 1000
# Numbers stand without quotes; all other values are written as text.
_WRITTEN = {pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.float32(), pa.float64(), pa.bool_()}


@dataclass(frozen=True, slots=True, kw_only=True)
class DelimitedWriter:
    """Writes rows in a dialect, as its reader reads them.

    A quote inside quotes is doubled, whatever the escape: every reader understands that. Values that look like
    nullValue, and empty texts where that is empty, are quoted, so that they are not read as missing.
    """

    dialect: Dialect
    quotes_all: bool

    def write(self, file: BinaryIO, rows: pa.RecordBatchReader) -> None:
        """Write the header, where the dialect has one, and all rows.

        Raises BadRows for a value that the dialect or its encoding has no way to write.
        """
        if self._is_plain:
            self._write_plainly(file, rows)
            return
        end = self.dialect.row_delimiter or _LINE_END
        encoder = codecs.getincrementalencoder(self.dialect.encoding)()
        if self.dialect.header:
            file.write(self._encoded(encoder, self.header(rows.schema.names) + end))
        for batch in rows:
            if batch.num_rows:
                file.write(self._encoded(encoder, end.join(self.lines(batch)) + end))
        file.write(encoder.encode("", final=True))

    def header(self, names: Sequence[str]) -> str:
        """Return the row of the columns' names, without its end."""
        spelt = self._spelt(pa.array(names, pa.string())).to_pylist()
        return self.dialect.delimiter.join(str(name) for name in spelt) or self.dialect.quote * 2

    def lines(self, batch: pa.RecordBatch) -> list[str]:
        """Return the rows, each without its end."""
        if batch.num_rows > _FEW or any(column.type != pa.string() for column in batch.columns):
            return self._joined([self._spelt(column) for column in batch.columns])
        # A few rows that are refused, many times over: all values at once cost what one column does.
        spelt = self._spelt(pa.concat_arrays(batch.columns))
        return self._joined([spelt.slice(at * batch.num_rows, batch.num_rows) for at in range(batch.num_columns)])

    @property
    def _is_plain(self) -> bool:
        """Whether Arrow's own writer knows the dialect."""
        dialect = self.dialect
        return (
            len(dialect.delimiter.encode()) == 1
            and dialect.quote == '"'
            and not dialect.null_value
            and dialect.row_delimiter in {"", "\n", "\r\n"}
            and dialect.encoding == "utf-8"
        )

    def _write_plainly(self, file: BinaryIO, rows: pa.RecordBatchReader) -> None:
        schema = pa.schema([(column.name, _written_as(column.type)) for column in rows.schema])
        style: Any = "all_valid" if self.quotes_all else "needed"
        spelt: dict[str, Any] = {"eol": self.dialect.row_delimiter or _LINE_END}
        options = pacsv.WriteOptions(
            include_header=self.dialect.header, delimiter=self.dialect.delimiter, quoting_style=style, **spelt
        )
        with pacsv.CSVWriter(file, schema, write_options=options):
            pass  # it has written the header
        options.include_header = False

        def spelt_out(batch: pa.RecordBatch) -> pa.Buffer:
            columns = [column if column.type in _WRITTEN else as_text(column) for column in batch.columns]
            for column in columns:
                self._check(column, pa.scalar(value=True))
            lines = pa.BufferOutputStream()
            pacsv.write_csv(pa.record_batch(columns, schema=schema), cast(Any, lines), options)
            return lines.getvalue()

        for lines in side_by_side(rows, spelt_out):
            file.write(memoryview(lines))

    def _spelt(self, column: "pa.Array[Any]") -> "pa.Array[Any]":
        """Return the column's values as they stand in the file."""
        dialect = self.dialect
        is_text = column.type not in _WRITTEN
        texts = as_text(column) if is_text else column.cast(pa.string())
        special = [dialect.delimiter, dialect.quote, dialect.row_delimiter, "\n", "\r"]
        needed = pc.equal(texts, dialect.null_value)
        for mark in filter(None, special):
            needed = pc.or_(needed, pc.match_substring(texts, mark))
        if not dialect.quote:
            self._refuse_first(texts, needed)
            return texts
        if self.quotes_all and is_text:
            needed = pc.is_valid(texts)
        self._check(texts, needed)
        if not pc.any(needed, min_count=0).as_py():
            return texts
        doubled = pc.replace_substring(texts, dialect.quote, dialect.quote * 2)
        quoted = pc.binary_join_element_wise(dialect.quote, doubled, dialect.quote, "")
        found: pa.Array[Any] = pc.if_else(needed, quoted, texts)
        return found

    def _joined(self, columns: "Sequence[pa.Array[Any]]") -> list[str]:
        delimiter, null = self.dialect.delimiter, self.dialect.null_value
        filled = [pc.fill_null(column, null) for column in columns]
        whole = pc.binary_join_element_wise(*filled, delimiter) if len(filled) > 1 else filled[0]
        # A row of one missing value would be an empty line, which nobody reads.
        empty = self.dialect.quote * 2 or null
        return [line or empty for line in whole.to_pylist()]

    def _check(self, column: "pa.Array[Any]", quoted: Any) -> None:
        r"""Raise BadRows for a text that ends in `\`, or has `\"` in it: in quotes, it would read as another text."""
        dialect = self.dialect
        if not dialect.escape or dialect.escape == dialect.quote or not dialect.quote:
            return
        if not pa.types.is_string(column.type) or dialect.escape.encode() not in bytes(column.buffers()[2] or b""):
            return
        escape, quote = (_pattern(mark) for mark in (dialect.escape, dialect.quote))
        odd = pc.match_substring_regex(column, f"(^|[^{escape}])({escape}{escape})*{escape}({quote}|$)")
        if self.quotes_all:
            needs: Any = pa.scalar(value=True)
        else:
            marks = "|".join(_pattern(mark) for mark in (dialect.delimiter, dialect.quote, "\n", "\r") if mark)
            needs = pc.match_substring_regex(column, marks)
        bad = pc.and_(pc.and_(odd, needs), quoted)
        if pc.any(bad, min_count=0).as_py():
            value = column.filter(pc.fill_null(bad, fill_value=False))[0].as_py()
            raise BadRows(
                f"The text '{value[:60]}' cannot be written: with the escape character '{dialect.escape}' before the "
                "quote, it would be read as another one.",
                advice="Set escapeChar of the sink's dataset to the quote (\"): it is then doubled only.",
                code="UserErrorInvalidDataValue",
            )

    def _refuse_first(self, texts: "pa.Array[Any]", needed: "pa.Array[Any]") -> None:
        """Raise BadRows where a text cannot be told from a mark, as there are no quotes."""
        if pc.any(needed, min_count=0).as_py():
            value = texts.filter(pc.fill_null(needed, fill_value=False))[0].as_py()
            raise BadRows(
                f"The text '{value[:60]}' cannot be written without quotes: a delimiter, a line end or nullValue "
                "would be read instead.",
                advice="Set quoteChar in the sink's dataset.",
                code="UserErrorInvalidDataValue",
            )

    def _encoded(self, encoder: codecs.IncrementalEncoder, text: str) -> bytes:
        try:
            return encoder.encode(text)
        except UnicodeEncodeError as error:
            raise BadRows(
                f"'{text[error.start : error.end][:20]}' cannot be written in {self.dialect.encoding}.",
                advice="Take encodingName UTF-8 in the sink's dataset.",
                code="UserErrorInvalidDataValue",
            ) from error


def _written_as(kind: pa.DataType) -> pa.DataType:
    return kind if kind in _WRITTEN else pa.string()


def _pattern(mark: str) -> str:
    """Return the text for a pattern of RE2, every character of it meant as it stands."""
    return "".join(f"\\x{{{ord(letter):x}}}" for letter in mark)
