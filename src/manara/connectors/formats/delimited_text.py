"""The dataset type DelimitedText: CSV in all its spellings, read as text and without losing a row."""

import codecs
import contextlib
import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import pyarrow as pa

from manara.connectors.files import FileDataset, broken_file, same_columns
from manara.connectors.formats.csv_blocks import BLOCK_BYTES
from manara.connectors.formats.csv_bytes import CsvBytes, Dialect
from manara.connectors.formats.csv_fit import Fitter
from manara.connectors.formats.csv_rows import Reading, unreadable_text
from manara.connectors.formats.delimited_write import DelimitedWriter
from manara.connectors.selection import Settings, SourceFile
from manara.errors import WrongDefinition
from manara.plugin.dataset import DatasetGiven, Tally, dataset
from manara.plugin.origin import Spelling

_CODE_PAGE = re.compile(r"(ibm|windows-?|cp)0*(\d+)")


@dataset("DelimitedText", can={"read", "write", "list", "delete"})
def delimited_text(given: DatasetGiven) -> FileDataset:
    """Return delimited text files, all columns as text.

    Without `firstRowAsHeader` the columns are called Prop_0, Prop_1, ... A header that names a column twice is an
    error. Empty lines are skipped. `nullValue` (nothing, unless told) means a missing value where it stands without
    quotes; in quotes it is a text, so `""` is an empty one. `columnDelimiter` and `rowDelimiter` are any texts, with
    an empty columnDelimiter each line is one value; `quoteChar` and `escapeChar` are any character or none.
    """
    return FileDataset(given=given, format=DelimitedFormat(dialect=dialect(given.properties)))


def dialect(properties: Mapping[str, Any]) -> Dialect:
    """Return the dialect that the dataset's properties tell, with ADF's defaults (rule 103).

    Raises WrongDefinition for one that cannot be read.
    """

    def text(name: str, default: str) -> str:
        value = properties.get(name)
        return default if value is None else str(value)

    found = Dialect(
        delimiter=text("columnDelimiter", ","),
        quote=text("quoteChar", '"'),
        escape=text("escapeChar", "\\"),
        header=_yes(properties.get("firstRowAsHeader")),
        null_value=text("nullValue", ""),
        row_delimiter=text("rowDelimiter", ""),
        encoding=_encoding(text("encodingName", "") or "utf-8"),
    )
    _check(found)
    return found


def _check(found: Dialect) -> None:
    for name, value in (("quoteChar", found.quote), ("escapeChar", found.escape)):
        if len(value) > 1 or value in {"\n", "\r"}:
            raise WrongDefinition(f"{name} is one character or none, not '{value}'.", advice='Most files have ".')
    if found.quote and found.quote in found.delimiter:
        raise WrongDefinition(
            f"quoteChar '{found.quote}' is a part of columnDelimiter '{found.delimiter}'.", advice="Change one of them."
        )


def _encoding(name: str) -> str:
    bare = name.lower().removesuffix(" without bom").strip()
    page = _CODE_PAGE.fullmatch(bare)
    for spelt in (bare, f"cp{page[2]}" if page else bare):
        with contextlib.suppress(LookupError):
            return codecs.lookup(spelt).name
    raise WrongDefinition(f"The encoding '{name}' is unknown.", advice="Most files are UTF-8.")


def _yes(value: object) -> bool:
    return str(value).lower() == "true"


@dataclass(frozen=True, slots=True, kw_only=True)
class DelimitedFormat:
    """Reads with pyarrow's parser, in blocks of 4 MB; with `block_bytes` 0, in one go."""

    dialect: Dialect
    block_bytes: int = BLOCK_BYTES
    extension: str = ".csv"
    converts: bool = True

    def schema(self, files: Sequence[SourceFile], settings: Settings) -> pa.Schema:
        with files[0].open() as file:
            names = self._columns(files[0], self._bytes(files[0], file, settings))
        return pa.schema([(name, pa.string()) for name in names])

    def batches(
        self, file: SourceFile, schema: pa.Schema, settings: Settings, tally: Tally
    ) -> Iterator[pa.RecordBatch]:
        with file.open(tally) as content:
            text = self._bytes(file, content, settings)
            names = self._columns(file, text)
            same_columns(file, schema, names)
            columns = pa.schema([(name, pa.string()) for name in schema.names])
            spell = self.spelling(columns).rows
            fitter = Fitter(
                dialect=self.dialect,
                names=names,
                spell=lambda rows: spell(rows.select(schema.names)),
                conversions=tally.conversions(columns),
                is_first=names == schema.names,
            )
            for batch in Reading(file=file, fitter=fitter, tally=tally).batches(text, self.block_bytes):
                yield batch if names == schema.names else batch.select(schema.names)

    def _bytes(self, file: SourceFile, content: BinaryIO, settings: Settings) -> CsvBytes:
        skipped = (settings.get("formatSettings") or {}).get("skipLineCount") or 0
        try:
            return CsvBytes(content, self.dialect, int(skipped))
        except ValueError as error:
            raise unreadable_text(file, self.dialect, error) from error

    def _columns(self, file: SourceFile, text: CsvBytes) -> list[str]:
        """Return the columns' names, and leave the text at the first row of values."""
        try:
            first = text.take_row()
        except ValueError as error:
            raise unreadable_text(file, self.dialect, error) from error
        except csv.Error as error:
            raise broken_file(file, f"The first row cannot be read: {error}.", "Look for a quote too many.") from error
        if not first:
            raise broken_file(file, "The file is empty: it has not even a header.", "Fetch it again, or leave it out.")
        if not self.dialect.header:
            text.give_back(first)
            return [f"Prop_{index}" for index in range(len(first))]
        twice = sorted(name for name, times in Counter(first).items() if times > 1)
        if twice:
            raise broken_file(
                file,
                f"The header names a column twice: {', '.join(repr(name) for name in twice)}.",
                "Rename one, or read by position: firstRowAsHeader false, and skipLineCount 1 to pass over the header.",
            )
        return first

    def spelling(self, schema: pa.Schema) -> Spelling:
        """Return how rows of these columns are spelt, for those that are refused."""
        writer = DelimitedWriter(dialect=self.dialect, quotes_all=False)
        end = self.dialect.row_delimiter or "\n"
        return Spelling(
            extension=self.extension,
            rows=writer.lines,
            head=writer.header(schema.names) + end if self.dialect.header else "",
            end=end,
            encoding=self.dialect.encoding,
        )

    def write(self, file: BinaryIO, rows: pa.RecordBatchReader, settings: Settings) -> None:
        wanted = settings.get("formatSettings") or {}
        DelimitedWriter(dialect=self.dialect, quotes_all=_yes(wanted.get("quoteAllText"))).write(file, rows)
