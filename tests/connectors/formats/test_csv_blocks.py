"""Blocks that are parsed side by side give what reading in one go gives."""

import csv
import io
import re
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from manara.connectors.file_server import FolderStore
from manara.connectors.formats.delimited_text import DelimitedFormat, dialect
from manara.connectors.selection import source_files
from manara.errors import ManaraError
from manara.plugin.dataset import DatasetGiven, Refused, Tally

PIECES = [
    b"a",
    b"7",
    b" ",
    b",",
    b",",
    b'"',
    b'""',
    b'"x\ny"',
    b"\\",
    b"\n",
    b"\n",
    b"\r\n",
    b"\r",
    "é".encode(),
]


def read(text: bytes, block_bytes: int, **told: Any) -> tuple[list[Any], list[Refused]] | str:
    """Return the rows and those refused, or what the error says."""
    properties = {"location": {"type": "FileServerLocation", "fileName": "x.csv"}, "firstRowAsHeader": True} | told
    with TemporaryDirectory() as folder:
        (Path(folder) / "x.csv").write_bytes(text)
        store = FolderStore(root=Path(folder))
        file = source_files(DatasetGiven(name="x", type="", properties=properties, connection=store), {})[0]
        form = DelimitedFormat(dialect=dialect(properties), block_bytes=block_bytes)
        refused: list[Refused] = []
        try:
            schema = form.schema([file], {})
            batches = list(form.batches(file, schema, {}, Tally(refuse=refused.append)))
        except ManaraError as error:
            return re.sub(r"\d+", "N", str(error))
        assert all(batch.schema == schema for batch in batches)
        return [row for batch in batches for row in batch.to_pylist()], sorted(refused, key=lambda row: row.row)


@given(body=st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join), block_bytes=st.integers(4, 40))
@example(body=b'1,2\n5" pipe,3\n4,5\n6,7\n', block_bytes=9)
@example(body=b'1,"2\n3,4\n5,6\n7",8\n9,1\n', block_bytes=8)
@example(body=b'1,"2\n"\n3,4\n', block_bytes=6)
@example(body=b"1,2\n3\n4,5\n6,7,8\n9,1\n", block_bytes=8)
def test_blocks_of_any_size_give_the_rows_of_one_reading(body: bytes, block_bytes: int) -> None:
    text = b"left,right\n" + body
    assert without_lines(read(text, block_bytes)) == read(text, 0)


def without_lines(found: tuple[list[Any], list[Refused]] | str) -> tuple[list[Any], list[Refused]] | str:
    """Return what was read in blocks as it is told of a text in one go: there no lines are known."""
    return found if isinstance(found, str) else (found[0], [replace(row, line=0) for row in found[1]])


def lines_of(text: bytes) -> list[int]:
    """Return the line on which each row of a text begins, its header first; rows are those that hold something."""
    reader = csv.reader(io.StringIO(text.decode(), newline=""))
    found, before = [], 0
    for row in reader:
        found += [before + 1] if row else []
        before = reader.line_num
    return found


@given(
    above=st.sampled_from([b"", b"\n", b'left,right\n\r\n"a\nb",2\n']),
    body=st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join),
    block_bytes=st.integers(4, 200),
)
@example(above=b"", body=b'1,2\n\n"3\n",4\n5\n"6\n7\n"\n8,9\n\n\n10\n', block_bytes=100)
@example(above=b"", body=b'1,"2\r3"\r4\r\r5,6,7\r', block_bytes=100)
def test_a_refused_row_is_told_with_its_line_or_with_none(above: bytes, body: bytes, block_bytes: int) -> None:
    text = above + b"left,right\n" + body
    found = read(text, block_bytes, escapeChar="")
    for row in () if isinstance(found, str) else found[1]:
        assert row.line in (0, lines_of(text)[row.row])


def test_the_lines_of_an_ordinary_file_are_all_known() -> None:
    text = b'left,right\n1,2\n"3\n4",5\n6\n\n7,8\n9\n"10\n11\n"\n12,13\n14\n'
    for size in (20, 45, 4_000):
        found = read(text, size)
        assert not isinstance(found, str)
        assert [(row.row, row.line) for row in found[1]] == [(3, 5), (5, 8), (6, 9), (8, 13)]


@given(body=st.lists(st.sampled_from([b"a", b";", b'"', b"\n", b"\r\n", b"|"]), max_size=40).map(b"".join))
def test_blocks_know_other_dialects(body: bytes) -> None:
    for told in ({"quoteChar": ""}, {"columnDelimiter": ";", "nullValue": "a"}, {"rowDelimiter": "|"}):
        text = b"left;right|" + body if "rowDelimiter" in told else b"left,right\n" + body
        assert without_lines(read(text, 12, **told)) == read(text, 0, **told)


def test_a_row_that_is_no_utf8_is_refused_with_its_number_in_any_block() -> None:
    text = b"left,right\n" + b"1,2\n" * 5 + b"\xff,3\n4\n" + b"5,6\n" * 5
    found = read(text, 12)
    assert not isinstance(found, str)
    assert len(found[0]) == 10
    assert [(row.row, row.line, row.text) for row in found[1]] == [(6, 7, "\\xff,3"), (7, 8, "4")]
    assert without_lines(found) == read(text, 0)
