import bz2
import gzip
import zlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.plugin_given import Json, Place, csv, files

from manara.connectors.formats.csv_bytes import _escaped
from manara.connectors.formats.delimited_text import dialect
from manara.errors import BadRows, ManaraError
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
        pytest.param(
            'a♥b\n1♥"x♥y"\n', {"columnDelimiter": "♥"}, [{"a": "1", "b": "x♥y"}], id="a heart between columns"
        ),
        pytest.param(
            'a||b\n1||"x||y"\n|||\n',
            {"columnDelimiter": "||"},
            [{"a": "1", "b": "x||y"}, {"a": None, "b": "|"}],
            id="two bars",
        ),
        pytest.param("a,b\n«x,»«y»,1\n".replace("»", "«"), {"quoteChar": "«"}, [{"a": "x,«y", "b": "1"}], id="quote"),
        pytest.param("a,b\n'x,y',\"\n", {"quoteChar": "'"}, [{"a": "x,y", "b": '"'}], id="single quotes"),
        pytest.param('a,b\n"x♥"y",1\n', {"escapeChar": "♥"}, [{"a": 'x"y', "b": "1"}], id="a heart as escape"),
        pytest.param("a,b\n\\N,\n", {"nullValue": "\\N"}, [{"a": None, "b": ""}], id="nullValue of Hive"),
        pytest.param(
            'a,b;;1,"x;;\ny";;2,z\r;;',
            {"rowDelimiter": ";;"},
            [{"a": "1", "b": "x;;\ny"}, {"a": "2", "b": "z\r"}],
            id="rows end in semicolons",
        ),
        pytest.param(
            "a,b|\n1,2|\n", {"rowDelimiter": "|\n"}, [{"a": "1", "b": "2"}], id="rows end in bar and line end"
        ),
        pytest.param(
            "x,y\nz\n",
            {"columnDelimiter": "", "firstRowAsHeader": False},
            [{"Prop_0": "x,y"}, {"Prop_0": "z"}],
            id="no delimiter",
        ),
        pytest.param("a\nété\n".encode("utf-16-be"), {"encodingName": "UTF-16BE"}, [{"a": "été"}], id="UTF-16BE"),
        pytest.param("a\nété\n".encode("utf-7"), {"encodingName": "UTF-7"}, [{"a": "été"}], id="UTF-7"),
        pytest.param("a\n漢\n".encode("gb18030"), {"encodingName": "GB18030"}, [{"a": "漢"}], id="GB18030"),
        pytest.param("a\n€\n".encode("cp858"), {"encodingName": "IBM00858"}, [{"a": "€"}], id="IBM00858"),
        pytest.param("a\n€\n".encode("cp1252"), {"encodingName": "WINDOWS-1252"}, [{"a": "€"}], id="Windows 1252"),
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
            "a,b\n1,2\n3\n",
            {},
            "UserErrorSourceDataIsInvalid",
            "Row 2 \\(line 3\\) cannot be read: it has 1",
            id="ragged",
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
            b"a\n\xff\xfe\n",
            {},
            "UserErrorSourceDataIsInvalid",
            "Row 1 \\(line 2\\) cannot be read: it is not",
            id="bytes",
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
        pytest.param("a\n", {"quoteChar": "''"}, "BadRequest", "one character or none", id="long quote"),
        pytest.param("a\n", {"columnDelimiter": '"'}, "BadRequest", "a part of columnDelimiter", id="quote delimits"),
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
    assert sorted((row.row, row.text) for row in refused) == [(2, "ragged"), (3, "3,\\xff"), (5, "x,y,z")]
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


SPELLINGS: dict[str, Json] = {
    "plain": {},
    "heart": {"columnDelimiter": "♥"},
    "bars": {"columnDelimiter": "||"},
    "no escape": {"escapeChar": ""},
    "single quotes": {"quoteChar": "'"},
    "guillemets": {"quoteChar": "«", "escapeChar": "«"},
    "null": {"nullValue": "NULL"},
    "null of Hive": {"nullValue": "\\N"},
    "rows end in semicolons": {"rowDelimiter": ";;"},
    "rows end in a bar and a line end": {"rowDelimiter": "|\r\n"},
    "old Mac": {"rowDelimiter": "\r"},
    "UTF-16": {"encodingName": "UTF-16"},
    "UTF-16BE": {"encodingName": "UTF-16BE"},
    "UTF-7": {"encodingName": "UTF-7"},
    "GB18030": {"encodingName": "GB18030"},
    "no header": {"firstRowAsHeader": False},
}
AWKWARD = ["x", None, "", "NULL", "\\N", 'a "quoted" one', "a,b", "a♥b|||", "two\nlines\r\n", "it's", "«»", ";;", " "]


@pytest.mark.parametrize("quoted", [True, False], ids=["all quoted", "quoted where needed"])
@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_awkward_texts_come_back_in_every_spelling(place: Place, spelling: Json, quoted: bool) -> None:
    table = pa.table({"n": range(len(AWKWARD)), "t": AWKWARD, "u": AWKWARD[::-1]})
    pq.write_table(table, place.folder / "in.parquet")
    target = csv("out.csv", **spelling)
    place.copy(files("Parquet", "in.parquet"), target, sink_settings={"formatSettings": {"quoteAllText": quoted}})
    back = place.read(target)
    assert back.column(1).to_pylist() == AWKWARD
    assert back.column(2).to_pylist() == AWKWARD[::-1]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
def test_marks_of_several_bytes_are_found_across_pieces(size: int) -> None:
    spelt = dialect({"columnDelimiter": "<♥>", "quoteChar": "«", "rowDelimiter": "|\n", "escapeChar": "§"})
    text = "a<♥>«b§«|\n<♥>«<♥>\n|\n".encode()
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    whole = b"".join(spelt.marks.put_in(_escaped(iter(pieces), spelt)))
    assert whole == b"".join(spelt.marks.put_in(_escaped(iter([text]), spelt)))
    assert whole.decode() == 'a\x1f"b""\n\x1f"\x1f\x1d\n'


@pytest.mark.parametrize(
    ("value", "properties", "says"),
    [
        pytest.param("C:\\, D:\\", {}, "cannot be written: with the escape", id="ends in an escape"),
        pytest.param("a,b", {"quoteChar": "", "escapeChar": ""}, "cannot be written without quotes", id="no quotes"),
        pytest.param("漢", {"encodingName": "ISO-8859-1"}, "'漢' cannot be written in iso8859-1", id="not in the set"),
    ],
)
def test_a_text_that_would_read_as_another_is_not_written(
    place: Place, value: str, properties: Json, says: str
) -> None:
    pq.write_table(pa.table({"t": [value]}), place.folder / "in.parquet")
    with pytest.raises(BadRows, match=says):
        place.copy(files("Parquet", "in.parquet"), csv("out.csv", **properties))
    assert not (place.folder / "out.csv").exists()


def test_a_stand_in_inside_the_text_is_told(place: Place) -> None:
    place.write("in.csv", "a||b\n1||\x1f\n")
    with pytest.raises(BadRows, match=r"U\+001F stands in it"):
        place.read(csv("in.csv", columnDelimiter="||"))


def test_many_refused_rows_keep_their_numbers(place: Place) -> None:
    place.write("in.csv", "a,b\n" + "1,2\nragged\n" * 20_000)
    refused, rows = _refused(place, "in.csv")
    assert [row.row for row in refused] == list(range(2, 40_001, 2))
    assert len(rows) == 20_000


@pytest.mark.parametrize("quoted", [True, False])
def test_a_header_may_be_longer_than_a_piece_of_the_file(place: Place, quoted: bool) -> None:
    names = [f"{number}{'x' * 1000}" for number in range(3000)]
    spelt = ",".join(f'"{name}"' if quoted else name for name in names)
    place.write("in.csv", f"{spelt}\n{',' * 2999}\n")
    rows = place.read(csv("in.csv"))
    assert (rows.schema.names, rows.num_rows) == (names, 1)
