"""Values that Arrow's parser reads in their types are those that our own conversions make of the texts."""

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from manara.activities.mapping import conversions, translation
from manara.connectors.file_server import FolderStore
from manara.connectors.files import FileDataset
from manara.connectors.formats.delimited_text import DelimitedFormat, dialect
from manara.plugin.dataset import Conversion, DatasetGiven, Refused, Tally

Found = Mapping[str, Conversion]

KINDS = (
    "Int32", "Int64", "UInt64", "Byte", "SByte", "Double", "Single", "Boolean", "Decimal", "Date", "DateTime",
    "DateTimeOffset", "TimeSpan", "Guid",
)  # fmt: skip
TEXTS = (
    "1", "-1", "+1", " 7 ", "\t7", "7\t", "\x0b7", "007", "1.0", "1.", ".5", "1e3", "1E-3", "1e400", "1e39", "0x1F",
    "-0X1", "x", "", "-", "--1", "inf", "-Infinity", "nan", "NaN", "nan(1)", "1_0", "1\u2009000", "255", "256",
    "2147483648", "-2147483649", "9223372036854775808", "18446744073709551615", "123456789012345678901",
    "0.1234567890123456789", "99999999999999999999.5", "true", "TRUE", "True", "tRUE", " true", "false", "0", "T",
    "yes", "2024-02-29", "2023-02-29", "2024-2-9", " 2024-02-29", "2024-02-29 ", "20240229", "29/02/2024",
    "0000-01-01", "9999-12-31", "2024-02-29 12", "2024-02-29T12", "2024-02-29 12:30", "2024-02-29T12:30:15",
    "2024-02-29 12:30:15.1", "2024-02-29 12:30:15.1234567", "2024-02-29 12:30:15Z", "2024-02-29T12:30:15+02:00",
    "2024-02-29T12:30:15+0200", "2024-02-29T12:30:15+02", "2024-02-29 12Z", "2024-02-29 12:30Z",
    "2024-02-29 24:00:00", "2024-02-29 23:59:60", "2024-02-29 12:30:15.", "1500-01-01 10:00:00",
    "-001-01-01 10:00:00", "7d444840-9dc0-11d1-b245-5ffdce74fad2", "NULL", "null", "12:30:15", "é",
)  # fmt: skip


def slowly(found: Found) -> Found:
    """Have the conversions done by our own rules only."""
    for convert in found.values():
        convert.is_known_to_arrow = False
    return found


def as_they_are(found: Found) -> Found:
    return found


def read(
    text: str, kinds: dict[str, str], way: Callable[[Found], Found], size: int = 1 << 20
) -> tuple[list[list[Any]], list[Refused]]:
    """Return the rows of a text whose columns are to have types, and the refused ones."""
    mappings = [{"source": {"name": name}, "sink": {"name": name, "type": kind}} for name, kind in kinds.items()]
    told = translation({"type": "TabularTranslator", "mappings": mappings})
    properties = {"location": {"type": "FileServerLocation", "fileName": "x.csv"}, "firstRowAsHeader": True}
    refused: list[Refused] = []
    with TemporaryDirectory() as folder:
        (Path(folder) / "x.csv").write_bytes(text.encode())
        given = DatasetGiven(name="x", type="", properties=properties, connection=FolderStore(root=Path(folder)))
        dataset = FileDataset(given=given, format=DelimitedFormat(dialect=dialect(properties), block_bytes=size))
        tally = Tally(refuse=refused.append, conversions=lambda schema: way(conversions(told, schema)))
        rows = dataset.read({}, tally).read_all()
    assert [str(one.type) for one in rows.schema if one.name in kinds] == [
        str(convert.arrow) for convert in conversions(told, pa.schema([(name, pa.string()) for name in kinds])).values()
    ]
    return [[repr(value) for value in row.values()] for row in _countable(rows).to_pylist()], refused


def _countable(rows: pa.Table) -> pa.Table:
    """Return the rows with their moments as numbers: Python has no year 0."""
    numbers = {"date32[day]": pa.int32(), "timestamp[us]": pa.int64(), "timestamp[us, tz=UTC]": pa.int64()}
    columns = [column.cast(numbers.get(str(column.type), column.type)) for column in rows.columns]
    return pa.table(columns, names=rows.schema.names)


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_is_read_as_our_rules_read_it(kind: str) -> None:
    for text in TEXTS:
        for beside in ([], ["1"], ["2024-01-01 10:00:00", "3"]):
            told = "id,v\n" + "".join(f"{at},{value}\n" for at, value in enumerate([*beside, text]))
            assert read(told, {"v": kind}, as_they_are) == read(told, {"v": kind}, slowly), text


PIECES = (
    "1", "7", " 2", "x", "0x1F", "-5", "1.5", "nan", "2024-01-01", "2024-01-01 10", "true", '"3"', '""', '"4\n"',
    '"\n', "", "é",
)  # fmt: skip


@given(
    rows=st.lists(st.lists(st.sampled_from(PIECES), min_size=2, max_size=5), max_size=20),
    end=st.sampled_from(["\n", "\r\n", "\n\n", "\r"]),
    size=st.integers(8, 80),
)
@example(rows=[["1", "a", "2024-01-01", "1"]] * 3 + [["x", '"a\nb"', "2024-01-01", "y"]], end="\n", size=40)
@example(rows=[["x", "a", "2024-01-01", "1"], ["1", "2"], ["3", '"b\n\nc"', "z", "1"]], end="\n", size=200)
def test_rows_of_any_block_are_refused_with_the_same_words(rows: list[list[str]], end: str, size: int) -> None:
    text = "n,text,day,last\n" + "".join(",".join(row) + end for row in rows)
    kinds = {"n": "Int32", "day": "Date", "last": "Double"}
    try:
        found = read(text, kinds, slowly, size)
    except Exception as error:  # noqa: BLE001 # whatever it is, it is the same
        with pytest.raises(type(error)):
            read(text, kinds, as_they_are, size)
        return
    assert read(text, kinds, as_they_are, size) == found


def test_a_refused_row_keeps_its_spelling_and_its_line() -> None:
    text = 'n,text,x\n1,"a\nb",1.50\ntwo,"c\nd",1.50\n3,e,1.0\n4,"f, g",ten\n'
    found, refused = read(text, {"n": "Int64", "x": "Double"}, as_they_are)
    assert [row[0] for row in found] == ["1", "3"]
    assert [(row.row, row.line, row.text, row.reason) for row in refused] == [
        (2, 4, 'two,"c\nd",1.50', "'two' in the column 'n' is no BIGINT"),
        (4, 7, '4,"f, g",ten', "'ten' in the column 'x' is no DOUBLE"),
    ]
