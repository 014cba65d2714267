"""Blocks that are parsed side by side give what reading in one go gives."""

import re
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
    assert read(text, block_bytes) == read(text, 0)


@given(body=st.lists(st.sampled_from([b"a", b";", b'"', b"\n", b"\r\n", b"|"]), max_size=40).map(b"".join))
def test_blocks_know_other_dialects(body: bytes) -> None:
    for told in ({"quoteChar": ""}, {"columnDelimiter": ";", "nullValue": "a"}, {"rowDelimiter": "|"}):
        text = b"left;right|" + body if "rowDelimiter" in told else b"left,right\n" + body
        assert read(text, 12, **told) == read(text, 0, **told)


def test_a_row_that_is_no_utf8_is_refused_with_its_number_in_any_block() -> None:
    text = b"left,right\n" + b"1,2\n" * 5 + b"\xff,3\n4\n" + b"5,6\n" * 5
    found = read(text, 12)
    assert not isinstance(found, str)
    assert len(found[0]) == 10
    assert [(row.row, row.text) for row in found[1]] == [(6, "\\xff,3"), (7, "4")]
    assert found == read(text, 0)
