import bz2
import gzip
import zlib
from typing import Any

import pytest
from tests.plugin_given import Json, Place, csv

from manara.errors import BadRows, ManaraError, WrongDefinition
from manara.plugin.dataset import Refused, Tally

Rows = list[Json]

_LONG = f"1,{'x' * 97}\n"


@pytest.mark.parametrize(
    ("content", "properties", "rows"),
    [
        pytest.param("a,b\n1,2\n", {}, [{"a": "1", "b": "2"}], id="plain"),
        pytest.param("a,b\r\n1,2\r\n", {}, [{"a": "1", "b": "2"}], id="line ends of Windows"),
        pytest.param("a,b\n1,2", {}, [{"a": "1", "b": "2"}], id="no last line end"),
        pytest.param("a,b", {}, [], id="a header and nothing else"),
        pytest.param("a,b\n\n\n", {}, [], id="a header and empty lines"),
        pytest.param("a,b\n1,2\n\n3,4\n", {}, [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}], id="an empty line"),
        pytest.param("\ufeffa,b\n1,2\n", {}, [{"a": "1", "b": "2"}], id="byte order mark"),
        pytest.param('a,b\n01,"x\ny"\n', {}, [{"a": "01", "b": "x\ny"}], id="line end in quotes"),
        pytest.param('"a\nb",c\n1,2\n', {}, [{"a\nb": "1", "c": "2"}], id="line end in the header"),
        pytest.param('a,b\n,""\n', {}, [{"a": None, "b": ""}], id="nothing is missing, quotes are an empty text"),
        pytest.param("a,b\nNA,\n", {"nullValue": "NA"}, [{"a": None, "b": ""}], id="nullValue"),
        pytest.param('a\n"x""y"\n', {}, [{"a": 'x"y'}], id="a doubled quote"),
        pytest.param('a\n"x\\"y"\n', {}, [{"a": 'x"y'}], id="an escaped quote"),
        pytest.param('a\nC:\\new\n"C:\\\\"\n', {}, [{"a": "C:\\new"}, {"a": "C:\\\\"}], id="other backslashes stay"),
        pytest.param('a\n"C:\\"\n', {"escapeChar": '"'}, [{"a": "C:\\"}], id="the quote as escape"),
        pytest.param('a|b\n"1|2\n', {"columnDelimiter": "|", "quoteChar": ""}, [{"a": '"1', "b": "2"}], id="no quotes"),
        pytest.param(
            "x;y\n",
            {"columnDelimiter": ";", "firstRowAsHeader": False},
            [{"Prop_0": "x", "Prop_1": "y"}],
            id="no header",
        ),
        pytest.param(b"a\n\xe9t\xe9\n", {"encodingName": "ISO-8859-1"}, [{"a": "été"}], id="Latin 1"),
        pytest.param("a\nété\n".encode("utf-16"), {"encodingName": "UTF-16"}, [{"a": "été"}], id="UTF-16"),
        pytest.param(gzip.compress(b"a\n1\n"), {"compressionCodec": "gzip"}, [{"a": "1"}], id="gzip"),
        pytest.param(bz2.compress(b"a\n1\n"), {"compressionCodec": "bzip2"}, [{"a": "1"}], id="bzip2"),
        pytest.param(zlib.compress(b"a\n1\n"), {"compressionCodec": "deflate"}, [{"a": "1"}], id="deflate"),
    ],
)
def test_a_spelling_is_read(place: Place, content: str | bytes, properties: Json, rows: Rows) -> None:
    place.write("in.csv", content)
    assert place.read(csv("in.csv", **properties)).to_pylist() == rows


@pytest.mark.parametrize(
    ("content", "properties", "code", "says"),
    [
        pytest.param(None, {}, "UserErrorSourceBlobNotExist", "There is no file 'bad.csv'", id="missing"),
        pytest.param("", {}, "UserErrorSourceDataIsInvalid", "The file is empty", id="empty"),
        pytest.param(
            "a,a\n1,2\n", {}, "UserErrorSourceDataIsInvalid", "names a column twice: 'a'", id="duplicate name"
        ),
        pytest.param(
            "a,b\n1,2\n3\n", {}, "UserErrorSourceDataIsInvalid", "Row 2 cannot be read: it has 1", id="ragged"
        ),
        pytest.param(
            'a,b\n1,"x\n2,y\n', {}, "UserErrorSourceDataIsInvalid", "never closed", id="open quote, last column"
        ),
        pytest.param(
            'a,b\n"1,x\n2,y\n', {}, "UserErrorSourceDataIsInvalid", "never closed", id="open quote, first column"
        ),
        pytest.param(
            '"a,b\n1,x\n', {}, "UserErrorSourceDataIsInvalid", "first row cannot be read", id="quote in header"
        ),
        pytest.param(
            b"a\n\xff\xfe\n", {}, "UserErrorSourceDataIsInvalid", "Row 1 cannot be read: it is not", id="bytes"
        ),
        pytest.param(
            b"a\xff\n1\n", {}, "UserErrorSourceDataIsInvalid", "not written in utf-8", id="bytes in the header"
        ),
        pytest.param(
            b"a\n\xff\n",
            {"encodingName": "US-ASCII"},
            "UserErrorSourceDataIsInvalid",
            "not written in ascii",
            id="ASCII",
        ),
        pytest.param(
            gzip.compress(b"a\n1\n" * 99)[:-9],
            {"compressionCodec": "gzip"},
            "UserErrorDecompressionFailed",
            "cut off",
            id="gzip cut off",
        ),
        pytest.param(
            "a\n1\n", {"compressionCodec": "gzip"}, "UserErrorDecompressionFailed", "no whole gzip", id="no gzip"
        ),
        pytest.param("a\n", {"compressionCodec": "rar"}, "BadRequest", "'rar' is not supported", id="unknown codec"),
        pytest.param("a\n", {"columnDelimiter": "||"}, "BadRequest", "one plain character", id="long delimiter"),
        pytest.param("a\n", {"encodingName": "UTF-9"}, "BadRequest", "'UTF-9' is unknown", id="unknown encoding"),
    ],
)
def test_a_broken_file_says_what_is_wrong(
    place: Place, content: str | bytes | None, properties: Json, code: str, says: str
) -> None:
    if content is not None:
        place.write("bad.csv", content)
    with pytest.raises(ManaraError, match=says) as raised:
        place.read(csv("bad.csv", **properties))
    assert raised.value.error_code == code


def _refused(place: Place, path: str) -> tuple[list[Refused], Rows]:
    refused: list[Refused] = []
    rows = place.dataset(csv(path)).read({}, Tally(refuse=refused.append)).read_all().to_pylist()
    return refused, rows


def test_refused_rows_keep_their_numbers_in_the_file(place: Place) -> None:
    place.write("in.csv", b"a,b\n1,2\nragged\n\n3,\xff\n4,5\nx,y,z\n")
    refused, rows = _refused(place, "in.csv")
    assert sorted((row.row, row.text) for row in refused) == [(2, "ragged"), (3, "3,\ufffd"), (5, "x,y,z")]
    assert rows == [{"a": "1", "b": "2"}, {"a": "4", "b": "5"}]


def test_rows_are_numbered_through_all_blocks(place: Place) -> None:
    place.write("in.csv", "a,b\n" + _LONG * 50_000 + "ragged\n" + _LONG * 50_000)
    refused, rows = _refused(place, "in.csv")
    assert [row.row for row in refused] == [50_001]
    assert len(rows) == 100_000


def test_a_quote_that_is_never_closed_is_no_reason_to_take_up_memory(place: Place) -> None:
    place.write("in.csv", 'a,b\n1,"x\n' + _LONG * 200_000)
    with pytest.raises(BadRows, match="a quote is opened and not closed"):
        _refused(place, "in.csv")


@pytest.mark.parametrize("quoted", [True, False])
def test_what_is_written_reads_back(place: Place, quoted: bool) -> None:
    place.write("in.csv", 'a,b\n"x, ""y""\nz",1\n,""\n')
    place.copy(csv("in.csv"), csv("out.csv"), sink_settings={"formatSettings": {"quoteAllText": quoted}})
    assert place.read(csv("out.csv")) == place.read(csv("in.csv"))


@pytest.mark.parametrize("codec", ["gzip", "bzip2"])
def test_a_packed_file_reads_back_and_is_the_same_every_time(place: Place, codec: str) -> None:
    place.write("in.csv", "a,b\n1,2\n")
    packed = [csv(path, compressionCodec=codec) for path in ("one.gz", "two.gz")]
    for reference in packed:
        place.copy(csv("in.csv"), reference)
    assert place.read(packed[0]) == place.read(csv("in.csv"))
    assert (place.folder / "one.gz").read_bytes() == (place.folder / "two.gz").read_bytes()


def test_lines_before_the_header_are_skipped(place: Place) -> None:
    place.write("in.csv", "Stock report\n\n2024\na\n1\n")
    assert place.read(csv("in.csv"), formatSettings={"skipLineCount": 2}).to_pylist() == [{"a": "1"}]


def test_a_file_with_other_columns_is_an_error_that_lists_them(place: Place) -> None:
    place.write("in/1.csv", "a,b\n1,2\n")
    place.write("in/2.csv", "a,c\n1,2\n")
    with pytest.raises(BadRows, match="it has 'c' and it lacks 'b'"):
        place.read(csv("in/"))


def test_columns_in_another_order_are_the_same_columns(place: Place) -> None:
    place.write("in/1.csv", "a,b\n1,2\n")
    place.write("in/2.csv", "b,a\n4,3\n")
    assert place.read(csv("in/")).to_pylist() == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]


def test_unknown_options_of_a_row_are_told_before_anything_is_read(place: Place) -> None:
    settings: dict[str, Any] = {"storeSettings": {"fileListPath": "list.txt"}}
    with pytest.raises(WrongDefinition, match="fileListPath is not supported"):
        place.read(csv("in.csv"), **settings)
