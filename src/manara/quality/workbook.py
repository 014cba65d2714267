"""Refused rows as a workbook for people to correct, and the corrected workbook read back."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fastexcel
import xlsxwriter

from manara.errors import Fault, Faults, WrongDefinition
from manara.quality.quarantine import FIXED, OPEN, Refused

_ID, _SEEN = "__id", "__seen"
_ABOUT = (_ID, _SEEN, "in file", "in row", "why it was refused")
_WIDEST = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What a workbook says of a refused row: the columns that differ, with their new texts."""

    row: Refused
    changes: Mapping[str, str | None]


def write_workbook(rows: Sequence[Refused], file: Path) -> int:
    """Write open and corrected rows, one sheet for each contract, and return how many they are.

    The columns that a reason names are coloured. The ids are hidden and everything but the row's own cells is locked,
    so that the workbook can be read back.
    """
    kept = [row for row in rows if row.status in (OPEN, FIXED)]
    beside = file.with_name(f".{file.name}.new")
    with xlsxwriter.Workbook(str(beside), {"strings_to_numbers": False, "strings_to_formulas": False}) as book:
        looks = _Looks(book)
        for contract in dict.fromkeys(row.contract for row in kept):
            _write_sheet(book, looks, contract, [row for row in kept if row.contract == contract])
        if not kept:
            book.add_worksheet("nothing").write(0, 0, "No row waits in quarantine.")
    beside.replace(file)
    return len(kept)


def read_workbook(file: Path, rows: Sequence[Refused]) -> list[Correction]:
    """Return the corrections of a workbook that write_workbook wrote.

    Raises Faults with everything that cannot be taken: unknown rows, rows that come twice, and rows that have changed
    or were decided since the workbook was written. Nothing is done then.
    """
    known = {row.id: row for row in rows}
    found: dict[str, Correction] = {}
    faults: list[Fault] = []
    for sheet, number, cells in _read(file):
        place = f"row {number}"
        row = known.get(str(cells.get(_ID) or ""))
        if row is None:
            faults.append(Fault(file=file.name, path=f"{sheet} {place}", message="The row is not known in quarantine."))
        elif row.id in found:
            faults.append(Fault(file=file.name, path=f"{sheet} {place}", message="The row comes twice."))
        elif cells.get(_SEEN) != _seen(row):
            told = f"The row has changed since, or is {row.status}: export it again."
            faults.append(Fault(file=file.name, path=f"{sheet} {place}", message=told))
        else:
            found[row.id] = Correction(row=row, changes=_changes(row, cells))
    if faults:
        raise Faults(faults)
    return [each for each in found.values() if each.changes]


class _Looks:
    def __init__(self, book: Any) -> None:
        self.head = book.add_format({"bold": True, "bg_color": "#D9E2EC", "text_wrap": True, "valign": "top"})
        self.about = book.add_format({"font_color": "#555555", "text_wrap": True, "valign": "top"})
        self.cell = book.add_format({"num_format": "@", "locked": False, "valign": "top"})
        self.broken = book.add_format({"num_format": "@", "locked": False, "bg_color": "#FFE3E0", "valign": "top"})


def _write_sheet(book: Any, looks: _Looks, contract: str, rows: Sequence[Refused]) -> None:
    sheet = book.add_worksheet(contract[:31])
    columns = list(dict.fromkeys(name for row in rows for name in row.payload))
    sheet.write_row(0, 0, [*_ABOUT, *columns], looks.head)
    for number, row in enumerate(rows, start=1):
        about = [row.id, _seen(row), row.origin, row.row, "\n".join(row.reasons)]
        sheet.write_row(number, 0, about, looks.about)
        for place, column in enumerate(columns, start=len(_ABOUT)):
            value = _text(row.corrected.get(column))
            look = looks.broken if any(column.lower() in reason.lower() for reason in row.reasons) else looks.cell
            sheet.write_string(number, place, value, look) if value else sheet.write_blank(number, place, None, look)
    sheet.set_column(0, 1, None, None, {"hidden": True})
    sheet.set_column(2, 2, 30)
    sheet.set_column(3, 3, 8)
    sheet.set_column(4, 4, 44)
    for place, column in enumerate(columns, start=len(_ABOUT)):
        longest = max([len(column), *(len(_text(row.payload.get(column))) for row in rows)])
        sheet.set_column(place, place, min(_WIDEST, longest + 3))
    sheet.freeze_panes(1, len(_ABOUT))
    sheet.protect("", {"format_columns": True, "autofilter": True, "sort": True})


def _read(file: Path) -> list[tuple[str, int, dict[str, Any]]]:
    try:
        book = fastexcel.read_excel(str(file))
        sheets = [(name, book.load_sheet(name, dtypes="string").to_arrow().to_pylist()) for name in book.sheet_names]
    except (fastexcel.FastExcelError, OSError) as error:
        raise WrongDefinition(f"The workbook cannot be read: {error}.", where=str(file)) from error
    return [
        (name, number, row)
        for name, rows in sheets
        for number, row in enumerate(rows, start=2)
        if any(value is not None for value in row.values()) and name != "nothing"
    ]


def _changes(row: Refused, cells: Mapping[str, Any]) -> dict[str, str | None]:
    return {
        column: (cells[column] or None)
        for column in row.payload
        if column in cells and _text(cells[column]) != _text(row.corrected.get(column))
    }


def _seen(row: Refused) -> str:
    """Return what tells whether a row is as it was when the workbook was written."""
    return f"{row.hash[:16]} {row.status} {json.dumps(dict(row.fix), sort_keys=True)}"


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
