from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from tests.plugin_given import Json, Place, files

from manara.errors import ManaraError


def _book(path: Path, cells: list[list[Any]], sheet: str = "Lines") -> None:
    with xlsxwriter.Workbook(path, {"default_date_format": "yyyy-mm-dd"}) as book:
        page = book.add_worksheet(sheet)
        for row, values in enumerate(cells):
            for column, value in enumerate(values):
                page.write(row, column, value)


def _sheet(**properties: Any) -> Json:
    return files("Excel", "in.xlsx", **{"firstRowAsHeader": True, **properties})


CELLS: list[list[Any]] = [
    ["id", "weight", "sent", ""],
    [1, 2.5, datetime(2024, 3, 1), True],  # noqa: DTZ001 - a cell has no time zone
    [2.0, "See DN-304 (ID#:10589)", "12/31/2024", "N/A"],
    [],
    [1e15, 0.1, datetime(2024, 3, 1, 13, 5), 7],  # noqa: DTZ001
]


def test_cells_arrive_as_the_text_a_person_sees(place: Place) -> None:
    _book(place.folder / "in.xlsx", CELLS)
    assert [list(row.values()) for row in place.read(_sheet(nullValue="N/A")).to_pylist()] == [
        ["1", "2.5", "2024-03-01", "true"],
        ["2", "See DN-304 (ID#:10589)", "12/31/2024", None],
        ["1000000000000000", "0.1", "2024-03-01 13:05:00", "7"],
    ]


@pytest.mark.parametrize(
    ("properties", "names", "first"),
    [
        pytest.param({}, ["id", "weight", "sent", "Prop_3"], "1", id="header"),
        pytest.param({"firstRowAsHeader": False}, ["Prop_0", "Prop_1", "Prop_2", "Prop_3"], "id", id="no header"),
        pytest.param({"sheetIndex": 0}, ["id", "weight", "sent", "Prop_3"], "1", id="sheet by number"),
        pytest.param({"range": "A1:B2"}, ["id", "weight"], "1", id="two corners"),
        pytest.param(
            {"range": "B3", "firstRowAsHeader": False}, ["Prop_0", "Prop_1", "Prop_2"], CELLS[2][1], id="start"
        ),
    ],
)
def test_a_sheet_and_a_range_are_chosen(place: Place, properties: Json, names: list[str], first: str) -> None:
    _book(place.folder / "in.xlsx", CELLS)
    table = place.read(_sheet(**properties))
    assert (table.schema.names, table.column(0)[0].as_py()) == (names, first)


@pytest.mark.parametrize(
    ("cells", "properties", "code", "says"),
    [
        pytest.param(
            CELLS, {"sheetName": "Line"}, "NotFound", "no sheet 'Line'. Did you mean 'Lines'", id="sheet name"
        ),
        pytest.param(CELLS, {"sheetIndex": 3}, "NotFound", "no sheet number 3", id="sheet number"),
        pytest.param(CELLS, {"range": "rows 1-3"}, "BadRequest", "a cell or two corners", id="range"),
        pytest.param([], {}, "UserErrorSourceDataIsInvalid", "sheet '0' is empty", id="empty sheet"),
        pytest.param([["a", "a"]], {}, "UserErrorSourceDataIsInvalid", "a column twice: 'a'", id="name twice"),
        pytest.param(None, {}, "UserErrorSourceDataIsInvalid", "no workbook that can be read", id="no workbook"),
    ],
)
def test_a_broken_sheet_says_what_is_wrong(
    place: Place, cells: list[list[Any]] | None, properties: Json, code: str, says: str
) -> None:
    if cells is None:
        place.write("in.xlsx", "id,weight\n1,2\n")
    else:
        _book(place.folder / "in.xlsx", cells)
    with pytest.raises(ManaraError, match=says) as raised:
        place.read(_sheet(**properties))
    assert raised.value.error_code == code


def test_a_merged_header_of_several_rows_names_the_columns(place: Place) -> None:
    with xlsxwriter.Workbook(place.folder / "in.xlsx") as book:
        page = book.add_worksheet()
        page.merge_range("A1:A2", "id")
        page.merge_range("B1:C1", "National")
        for cell, value in {"B2": "Low", "C2": "High", "A3": 1, "B3": 2, "C3": 3}.items():
            page.write(cell, value)
    assert place.read(_sheet(headerRows=2)).to_pylist() == [{"id": "1", "National Low": "2", "National High": "3"}]


def test_a_cell_with_an_error_is_a_missing_value(place: Place) -> None:
    with xlsxwriter.Workbook(place.folder / "in.xlsx") as book:
        page = book.add_worksheet()
        page.write_row(0, 0, ["a", "b"])
        page.write(1, 0, 1)
        page.write_formula(1, 1, "=1/0", None, "#DIV/0!")
    assert place.read(_sheet()).to_pylist() == [{"a": "1", "b": None}]


REAL = Path(__file__).parents[3] / "../shared/data/nutrition"


@pytest.mark.skipif(not REAL.is_dir(), reason="the shared data are not here")
def test_the_merged_header_of_the_wasting_estimates_is_read(place: Place) -> None:
    place.write("in.xlsx", (REAL / "jme_severe_wasting_expanded.xlsx").read_bytes())
    rows = place.read(_sheet(sheetName="Trend", range="A7", headerRows=2))
    assert {"ISO", "National Point Estimate", "National Footnote"} <= set(rows.column_names)
    afghan = [row for row in rows.to_pylist() if row["ISO"] == "AFG"]
    assert afghan[0]["National Point Estimate"] == "3.5"


@pytest.mark.parametrize(
    ("properties", "where"),
    [
        ({}, [(2, 5), (4, 9)]),
        ({"range": "B2:C10", "headerRows": 2}, [(1, 5), (3, 9)]),
        ({"range": "B5", "firstRowAsHeader": False}, [(1, 5), (3, 9)]),
    ],
)  # fmt: skip
def test_a_refused_row_is_told_with_its_number_in_the_sheet(
    place: Place, properties: Json, where: list[tuple[int, int]]
) -> None:
    cells: list[list[Any]] = [
        [],
        ["", "n", "t"],
        ["", 1, "a"],
        [],
        ["", "x", "b"],
        ["", 3, "c"],
        [],
        [],
        ["", "y", "d"],
        ["", 5, "e"],
    ]
    _book(place.folder / "in.xlsx", cells)
    sheet = _sheet(**properties)
    names = list(place.read(sheet).schema.names)
    column = next(name for name in names if name.startswith(("n", "Prop_0")))
    mapping = [{"source": {"name": column}, "sink": {"name": "n", "type": "Int32"}}]
    output = place.copy(
        sheet, files("Parquet", "out.parquet"), enableSkipIncompatibleRow=True,
        translator={"type": "TabularTranslator", "mappings": mapping},
    )  # fmt: skip
    assert [(row["row"], row["line"]) for row in output["skippedRows"]] == where
