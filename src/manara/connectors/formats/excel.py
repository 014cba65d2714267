"""The dataset type Excel: one sheet of a workbook, as the texts that a person sees."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import fastexcel
import pyarrow as pa
import pyarrow.compute as pc

from manara.connectors.files import FileDataset, broken_file, same_columns
from manara.connectors.selection import Settings, SourceFile
from manara.errors import NotFound, WrongDefinition
from manara.plugin.dataset import DatasetGiven, Tally, dataset
from manara.registry import near

_RANGE = re.compile(r"\$?([A-Z]{1,3})\$?([0-9]+)(?::\$?([A-Z]{1,3})\$?([0-9]+))?", re.IGNORECASE)
_MIDNIGHT = r"^([0-9]{4}-[0-9]{2}-[0-9]{2}) 00:00:00$"


@dataset("Excel", can={"read", "list", "delete"})
def excel(given: DatasetGiven) -> FileDataset:
    """Return the rows of one sheet (`sheetName`, `sheetIndex` from 0, or the first), all columns as text.

    A number has no needless `.0`, a date is ISO text (2024-03-01, with the time of day unless it is midnight), true
    and false are words. Empty rows are left out. `range` is a cell where the table starts (A3) or its corners
    (A3:H50). Columns without a name are called Prop_0, Prop_1, ... by their place. A header of several rows, with
    cells that are merged over several columns, is told by `headerRows`: the names above a column are joined. A cell
    with an error (#DIV/0!) is a missing value.
    """
    return FileDataset(given=given, format=ExcelFormat(properties=given.properties, batch_rows=given.batch_rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sheet:
    """The rows of a sheet, and the number of each in the sheet."""

    rows: pa.Table
    numbers: Any

    def breaks(self) -> tuple[list[int], list[int]]:
        """Return the rows (from 1) that do not stand right below the one before, and their numbers in the sheet."""
        found: list[int] = self.numbers.to_pylist()
        places = [at for at, number in enumerate(found) if not at or number != found[at - 1] + 1]
        return [at + 1 for at in places], [found[at] for at in places]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExcelFormat:
    """Reads a sheet whole: a workbook is a packed tree that cannot be read in pieces.

    `held` keeps the sheet that was read for its columns until its rows are asked for.
    """

    properties: Mapping[str, Any]
    batch_rows: int
    extension: str = ".xlsx"
    held: dict[str, _Sheet] = field(default_factory=dict)

    def schema(self, files: Sequence[SourceFile], _settings: Settings) -> pa.Schema:
        self.held[files[0].path] = sheet = self._read(files[0])
        return sheet.rows.schema

    def batches(
        self, file: SourceFile, schema: pa.Schema, _settings: Settings, tally: Tally
    ) -> Iterator[pa.RecordBatch]:
        sheet = self.held.pop(file.path, None) or self._read(file)
        tally.data_read += file.info.size_bytes
        same_columns(file, schema, sheet.rows.schema.names)
        if sheet.rows.num_rows:
            tally.origins.note_lines(*sheet.breaks())
        yield from sheet.rows.select(schema.names).to_batches(self.batch_rows)

    def write(self, _file: BinaryIO, _rows: pa.RecordBatchReader, _settings: Settings) -> None:
        raise WrongDefinition("Excel can be read but not written.", advice="Write DelimitedText or Parquet.")

    def _read(self, file: SourceFile) -> _Sheet:
        whole = self._grid(file)
        filled = _filled(whole)
        grid = whole.filter(filled) if whole.num_columns else whole.slice(0, 0)
        numbers = pc.add(pc.cast(pc.indices_nonzero(filled), pa.int64()), 1 + self._corners().get("skip_rows", 0))
        if not grid.num_rows:
            raise broken_file(file, f"The sheet '{self._sheet_name()}' is empty.", "Name another sheet.")
        if str(self.properties.get("firstRowAsHeader", False)).lower() == "true":
            rows = self._header_rows()
            grid, numbers = grid.rename_columns(_header(file, grid.slice(0, rows))).slice(rows), numbers.slice(rows)
        else:
            grid = grid.rename_columns([f"Prop_{index}" for index in range(grid.num_columns)])
        columns = [self._seen(column) for column in grid.columns]
        table = pa.table(columns, schema=pa.schema([(name, pa.string()) for name in grid.schema.names]))
        return _Sheet(rows=table, numbers=numbers)

    def _header_rows(self) -> int:
        told = self.properties.get("headerRows") or 1
        if not str(told).isdecimal() or int(told) < 1:
            raise WrongDefinition(f"headerRows is a whole number from 1, not '{told}'.")
        return int(told)

    def _grid(self, file: SourceFile) -> pa.Table:
        """Return all cells as text, the header among them."""
        with file.open() as content:
            data = content.read()
        try:
            book = fastexcel.read_excel(data)
            options = {"header_row": None, "skip_rows": 0, "dtypes": "string"} | self._corners()
            sheet = book.load_sheet(self._sheet(book.sheet_names), **options)
            batch = pa.record_batch(sheet)
        except fastexcel.FastExcelError as error:
            reason = str(error).splitlines()[0]
            raise broken_file(
                file, f"The file is no workbook that can be read: {reason}.", "Save it as .xlsx."
            ) from error
        return pa.Table.from_batches([batch])

    def _sheet(self, names: list[str]) -> str | int:
        index = self.properties.get("sheetIndex")
        name = self.properties.get("sheetName")
        if name is None and index is not None:
            if not 0 <= int(index) < len(names):
                raise NotFound(f"There is no sheet number {index}: sheets count from 0 to {len(names) - 1}.")
            return int(index)
        if name is not None and name not in names:
            raise NotFound(f"There is no sheet '{name}'.", advice=near(str(name), names))
        return str(name) if name is not None else 0

    def _sheet_name(self) -> str:
        return str(self.properties.get("sheetName") or self.properties.get("sheetIndex") or 0)

    def _corners(self) -> dict[str, Any]:
        """Return fastexcel's options for `range`."""
        told = self.properties.get("range")
        if not told:
            return {}
        found = _RANGE.fullmatch(str(told).strip())
        if not found:
            raise WrongDefinition(f"range is a cell or two corners, not '{told}'.", advice="Write A3 or A3:H50.")
        left, top, right, bottom = found.groups()
        options: dict[str, Any] = {"skip_rows": int(top) - 1, "use_columns": f"{left}:{right or ''}".upper()}
        return options | ({"n_rows": int(bottom) - int(top) + 1} if bottom else {})

    def _seen(self, column: "pa.ChunkedArray[Any]") -> Any:
        """Return the cells as a person sees them; `nullValue` and empty cells are missing values."""
        text = pc.replace_substring_regex(column.cast(pa.string()), pattern=_MIDNIGHT, replacement=r"\1")
        empty = pc.is_in(text, pa.array(["", str(self.properties.get("nullValue") or "")]))
        return pc.if_else(empty, pa.scalar(None, pa.string()), text)


def _filled(grid: pa.Table) -> Any:
    """Return in which rows something stands."""
    some: Any = pa.array([], pa.bool_())
    for column in grid.columns:
        there: Any = pc.is_valid(column)
        some = pc.or_(some, there) if len(some) else there
    return some


def _header(file: SourceFile, grid: pa.Table) -> list[str]:
    first = _joined(list(zip(*(column.to_pylist() for column in grid.columns), strict=True)))
    names = [name if name else f"Prop_{index}" for index, name in enumerate(first)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        told = ", ".join(repr(name) for name in twice)
        raise broken_file(file, f"The header names a column twice: {told}.", "Rename one of them in the sheet.")
    return names


def _joined(rows: Sequence[Sequence[str | None]]) -> list[str]:
    """Return the names of columns under a header of several rows.

    A merged cell has its text in its first column only: it holds for those to its right that have a name of their own
    below and none at its height.

    >>> _joined([["id", "National", None, "Year"], [None, "Low", "High", None]])
    ['id', 'National Low', 'National High', 'Year']
    """
    names: list[list[str]] = [[] for _ in rows[0]]
    for height, row in enumerate(rows):
        last: str | None = None
        for place, text in enumerate(row):
            below = any(lower[place] for lower in rows[height + 1 :])
            last = text or (last if below else None)
            if last and last not in names[place]:
                names[place].append(last)
    return [" ".join(parts) for parts in names]
