"""What a Copy says of sources that are broken, and which of their rows survive."""

import bz2
import gzip
import io
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.plugin_given import Json, Place, files
from tests.services import rest
from tests.web_server import Asked, Reply, serving

from manara.errors import ManaraError
from manara.plugin.activity import Reference
from manara.plugin.dataset import Dataset

xlsxwriter = pytest.importorskip("xlsxwriter", reason="xlsxwriter is not installed")

INVALID = "UserErrorSourceDataIsInvalid"
PACKING = "UserErrorDecompressionFailed"
KINDS = {
    ".csv": "DelimitedText",
    ".json": "Json",
    ".xlsx": "Excel",
    ".parquet": "Parquet",
    ".avro": "Avro",
    ".orc": "Orc",
    ".xml": "Xml",
}
Files = Mapping[str, str | bytes]


@dataclass(frozen=True, kw_only=True)
class Broken:
    """A source, and either the error that it must give, or the rows that must survive and those that are refused.

    A source of several files has a mapping of names to contents. `types` are the sink's types by column. `rows` may be
    just their number; `refused` are the numbers of the rows that are left out, and what is said of each.
    """

    content: str | bytes | Files | None
    name: str = "bad.csv"
    dataset: Json = field(default_factory=dict)
    source: Json = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    translator: Json = field(default_factory=dict)
    tolerant: bool = True
    code: str = ""
    says: str = ""
    rows: Sequence[Mapping[str, Any]] | int = ()
    refused: Mapping[int, str] = field(default_factory=dict)


def sheet(*rows: Sequence[Any], merged: str = "") -> bytes:
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True}) as book:
        page = book.add_worksheet("Data")
        for number, row in enumerate(rows):
            page.write_row(number, 0, row)
        if merged:
            page.merge_range(merged, rows[0][0])
    return content.getvalue()


def parquet(**columns: Any) -> bytes:
    content = io.BytesIO()
    pq.write_table(pa.table(columns), content)
    return content.getvalue()


def zipped(members: Mapping[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return content.getvalue()


DATES = "day\n2024-03-01\n01/03/2024\n1 March 2024\n03-01-24\n20240301\n"
GZIP = gzip.compress(b"a\n" + bytes(range(48, 58)) * 9999)
MANY = 100_000

FILES = {
    "no such file": Broken(content=None, code="UserErrorSourceBlobNotExist", says="There is no file 'bad.csv'|in/bad"),
    "an empty file": Broken(content="", code=INVALID, says="not even a header"),
    "line ends and nothing else": Broken(content="\n\r\n\n", code=INVALID, says="not even a header"),
    "a gzip cut off": Broken(content=GZIP[:-40], dataset={"compressionCodec": "gzip"}, code=PACKING, says="cut off"),
    "a gzip that is none": Broken(
        content="a\n1\n", dataset={"compressionCodec": "gzip"}, code=PACKING, says="no whole gzip"
    ),
    "a gzip with rubbish behind it": Broken(
        content=gzip.compress(b"a\n1\n") + b"rubbish", dataset={"compressionCodec": "gzip"}, code=PACKING, says="gzip"
    ),
    "a bzip2 cut off": Broken(
        content=bz2.compress(b"a\n" + b"1\n" * 9999)[:-9],
        dataset={"compressionCodec": "bzip2"},
        code=PACKING,
        says="cut off",
    ),
    "a packed file that is not said to be": Broken(
        content=GZIP, code=INVALID, says="not written in utf-8.*compression"
    ),
    "a codec nobody knows": Broken(
        content="a\n", dataset={"compressionCodec": "rar"}, code="BadRequest", says="'rar' is not supported"
    ),
    "a zip cut off": Broken(
        content=zipped({"a.csv": "a\n1\n"})[:-30],
        dataset={"compressionCodec": "ZipDeflate"},
        code=PACKING,
        says="zip",
    ),
    "a zip with a member that leaves the folder": Broken(
        content=zipped({"../a.csv": "a\n1\n"}),
        dataset={"compressionCodec": "ZipDeflate"},
        code="AuthorizationFailed",
        says="leave",
    ),
}

LETTERS = {
    "another encoding": Broken(
        content="name\nKabul\nMédéa\nHerat\n".encode("latin-1"),
        rows=[{"name": "Kabul"}, {"name": "Herat"}],
        refused={2: "not written in utf-8"},
    ),
    "another encoding, strict": Broken(
        content="name\nMédéa\n".encode("latin-1"), tolerant=False, code=INVALID, says="not written in utf-8"
    ),
    "another encoding in the header": Broken(
        content="préfecture\n1\n".encode("latin-1"), code=INVALID, says="encodingName"
    ),
    "an encoding that is none": Broken(
        content="a\n", dataset={"encodingName": "UTF-9"}, code="BadRequest", says="'UTF-9' is unknown"
    ),
    "UTF-16 cut in a letter": Broken(
        content="a\nb\n".encode("utf-16")[:-1], dataset={"encodingName": "UTF-16"}, code=INVALID, says="utf-16"
    ),
    "UTF-16 that is not said to be": Broken(content="a\nb\n".encode("utf-16"), code=INVALID, says="encodingName"),
    "a zero byte": Broken(content=b"a,b\n1,\x002\n3,4\n", rows=[{"a": "1", "b": "\0002"}, {"a": "3", "b": "4"}]),
}

SHAPES = {
    "a short row": Broken(
        content="a,b\n1,2\n3\n4,5\n", rows=[{"a": "1", "b": "2"}, {"a": "4", "b": "5"}], refused={2: "1 value"}
    ),
    "a short row, strict": Broken(content="a,b\n1,2\n3\n", tolerant=False, code=INVALID, says="Row 2"),
    "a long row": Broken(content="a,b\n1,2\n3,4,5\n", rows=[{"a": "1", "b": "2"}], refused={2: "3 values"}),
    "a quote never closed, first column": Broken(content='a,b\n"1,x\n2,y\n', code=INVALID, says="never closed"),
    "a quote never closed, last column": Broken(content='a,b\n1,"x\n2,y\n', code=INVALID, says="never closed"),
    "a quote never closed, in the header": Broken(content='"a,b\n1,x\n', code=INVALID, says="first row"),
    "a header that names a column twice": Broken(content="a,a\n1,2\n", code=INVALID, says="a column twice: 'a'"),
    "a second file with another column": Broken(
        content={"1.csv": "a,b\n1,2\n", "2.csv": "a,c\n3,4\n"}, code="UserErrorSchemaMismatch", says="'c'.*'b'"
    ),
    "a second file that lacks a column": Broken(
        content={"1.csv": "a,b\n1,2\n", "2.csv": "a\n3\n"}, code="UserErrorSchemaMismatch", says="it lacks 'b'"
    ),
    "a second file that is empty": Broken(content={"1.csv": "a\n1\n", "2.csv": ""}, code=INVALID, says="2.csv.*empty"),
    "a value of 300 kB": Broken(content=f"a\n{'x' * 300_000}\n1\n", rows=2),
    "a hundred thousand columns": Broken(
        content=",".join(f"c{n}" for n in range(MANY)) + "\n" + ",".join("1" * MANY) + "\n", rows=1
    ),
    "a mapped column that is not there": Broken(
        content="code,name\n1,2\n", types={"cod": "String"}, code="UserErrorInvalidColumnMapping", says="'cod'.*'code'"
    ),
    "a delimiter that does not occur": Broken(
        content="a,b\n1,2\n",
        dataset={"columnDelimiter": ";"},
        types={"a": "Int32"},
        code="UserErrorInvalidColumnMapping",
        says="'a'",
    ),
    "an ordinal beyond the columns": Broken(
        content="1,2\n",
        dataset={"firstRowAsHeader": False},
        translator={"mappings": [{"source": {"ordinal": 3}, "sink": {"name": "c"}}]},
        code="",
        says="column 3, and the source has 2",
    ),
    "a type nobody knows": Broken(content="a\n1\n", types={"a": "Integer32"}, code="BadRequest", says="Integer32"),
}

VALUES = {
    "dates in five spellings": Broken(
        content=DATES,
        types={"day": "DateTime"},
        rows=1,
        refused={2: "01/03/2024", 3: "1 March 2024", 4: "03-01-24", 5: "20240301"},
    ),
    "dates in five spellings, one of them told": Broken(
        content=DATES,
        types={"day": "DateTime"},
        translator={"typeConversionSettings": {"dateTimeFormat": "dd/MM/yyyy"}},
        rows=1,
        refused={1: "2024-03-01", 3: "1 March 2024", 4: "03-01-24", 5: "20240301"},
    ),
    "days that do not exist": Broken(
        content="day\n2023-02-29\n2024-02-29\n2024-13-01\n",
        types={"day": "DateTime"},
        rows=1,
        refused={1: "2023-02-29", 3: "2024-13-01"},
    ),
    "thousands with a thin space": Broken(
        content="n\n1\u2009234\n1\u202f234\n1 234\n1234\n",
        types={"n": "Int32"},
        rows=[{"n": 1234}],
        refused={1: "1\u2009234", 2: "1\u202f234", 3: "1 234"},
    ),
    "thousands with a comma": Broken(
        content='n\n"1,234"\n12\n', types={"n": "Int32"}, rows=[{"n": 12}], refused={1: "1,234"}
    ),
    "a whole number with a fraction": Broken(
        content="n\n10.7\n10.0\n", types={"n": "Int32"}, rows=[{"n": 10}], refused={1: "10.7"}
    ),
    "a number too large": Broken(
        content="n\n2147483648\n2147483647\n", types={"n": "Int32"}, rows=[{"n": 2147483647}], refused={1: "2147483648"}
    ),
    "a text where a number should be": Broken(
        content="kg\nSee DN-304\n12.5\nWeight Captured Separately\n",
        types={"kg": "Double"},
        rows=[{"kg": 12.5}],
        refused={1: "See DN-304", 3: "Captured"},
    ),
    "blanks where a number should be": Broken(
        content="n,m\n ,1\n2,2\n", types={"n": "Int32", "m": "Int32"}, rows=[{"n": 2, "m": 2}], refused={1: "'n'"}
    ),
    "a yes that is no boolean": Broken(
        content="b\nyes\ntrue\n0\n", types={"b": "Boolean"}, rows=[{"b": True}, {"b": False}], refused={1: "yes"}
    ),
    "two faults in one row": Broken(
        content="n,m\nx,y\n1,2\n", types={"n": "Int32", "m": "Int32"}, rows=[{"n": 1, "m": 2}], refused={1: "'x'.*'y'"}
    ),
    "a fault behind a value of two lines": Broken(
        content='t,n\n"a\nb",1\nc,x\n',
        types={"t": "String", "n": "Int32"},
        rows=[{"t": "a\nb", "n": 1}],
        refused={2: "'x'"},
    ),
    "a fault in the second file": Broken(
        content={"1.csv": "n\n1\n2\n", "2.csv": "n\nx\n3\n"},
        types={"n": "Int32"},
        rows=[{"n": 1}, {"n": 2}, {"n": 3}],
        refused={1: "2.csv.*'x'"},
    ),
    "no row that is good": Broken(content="n\nx\ny\n", types={"n": "Int32"}, rows=[], refused={1: "x", 2: "y"}),
    "a value that does not fit, strict": Broken(
        content="n\n1\nx\n", types={"n": "Int32"}, tolerant=False, code=INVALID, says="Row 2.*'x'"
    ),
}

DEEP = "[" * 10_000 + "]" * 10_000
ROWS_A = {
    "collectionReference": "$['rows']",
    "mappings": [{"source": {"path": "['a']"}, "sink": {"name": "a"}}],
}
JSON = {
    "a collection that is no array": Broken(
        name="bad.json", content='{"rows": "none"}', translator=ROWS_A, code=INVALID, says="collectionReference"
    ),
    "a collection that is no array in one of the lines": Broken(
        name="bad.json",
        content='{"rows": [{"a": 1}]}\n{"rows": "none"}\n',
        translator=ROWS_A,
        rows=[{"a": 1}],
        refused={2: "no array"},
    ),
    "JSON cut in the middle": Broken(
        name="bad.json", content='[{"a": 1}, {"a": 2}, {"a"', tolerant=False, code=INVALID, says="bad.json"
    ),
    "JSON lines cut in the middle": Broken(
        name="bad.json", content='{"a": 1}\n{"a": 2}\n{"a": ', tolerant=False, code=INVALID, says="bad.json"
    ),
    "JSON that is a page": Broken(name="bad.json", content="<html>Please log in</html>", code=INVALID, says="bad.json"),
    "JSON that is empty": Broken(name="bad.json", content="", code=INVALID, says="empty"),
    "JSON cut in the middle, tolerant": Broken(
        name="bad.json",
        content='[{"a": 1}, {"a": 2}, {"a"',
        rows=[{"a": 1}, {"a": 2}],
        refused={3: "cut off at line 1.*{"},
    ),
    "JSON lines cut in the middle, tolerant": Broken(
        name="bad.json", content='{"a": 1}\n{"a": 2}\n{"a": ', rows=[{"a": 1}, {"a": 2}], refused={3: "line 3"}
    ),
    "JSON lines of which two are broken": Broken(
        name="bad.json",
        content='{"a": 1}\n{"a": nul}\n{"a": 3}\nERROR 500\n{"a": 5}\n',
        rows=[{"a": 1}, {"a": 3}, {"a": 5}],
        refused={2: "line 2.*nul", 4: "line 4.*ERROR"},
    ),
    "JSON lines with a fault and a value that does not fit": Broken(
        name="bad.json",
        content='{"a": 1}\n{"a": nul}\n{"a": "x"}\n{"a": 4}\n',
        types={"a": "Int32"},
        rows=[{"a": 1}, {"a": 4}],
        refused={2: "line 2", 3: "'x'"},
    ),
    "a second JSON file that is a page": Broken(
        content={"1.json": '[{"a": 1}]', "2.json": "<html>"}, name=".json", rows=[{"a": 1}], refused={1: "2.json.*html"}
    ),
    "a second JSON file that is empty": Broken(
        content={"1.json": '[{"a": 1}]', "2.json": ""}, name=".json", code=INVALID, says="2.json.*empty"
    ),
    "JSON of bare values": Broken(
        name="bad.json", content="[1, 2]", code="UserErrorSourceDataHasNoFields", says="object"
    ),
    "JSON in another encoding": Broken(
        name="bad.json", content='[{"a": "Médéa"}]'.encode("latin-1"), code=INVALID, says="(?i)utf-?8"
    ),
    "JSON nested ten thousand deep": Broken(
        name="bad.json", content=f'{{"a": {DEEP}}}', tolerant=False, code=INVALID, says="nested more than 500 deep"
    ),
    "JSON nested ten thousand deep, tolerant": Broken(
        name="bad.json", content=f'[{{"a": 1}}, {{"a": {DEEP}}}]', rows=[{"a": "1"}], refused={2: "nested"}
    ),
    "JSON whose types change": Broken(
        name="bad.json", content='[{"a": 1}, {"a": "x"}]', types={"a": "Int32"}, rows=[{"a": 1}], refused={2: "x"}
    ),
}

BOOKS = {
    "a workbook that is none": Broken(name="bad.xlsx", content="PK no workbook", code=INVALID, says="bad.xlsx"),
    "a workbook cut off": Broken(name="bad.xlsx", content=sheet(["a"], [1])[:2000], code=INVALID, says="bad.xlsx"),
    "a sheet that is not there": Broken(
        name="bad.xlsx", content=sheet(["a"], [1]), dataset={"sheetName": "Date"}, code="", says="'Date'.*Data"
    ),
    "numbers and text in one column": Broken(
        name="bad.xlsx",
        content=sheet(["n"], [1], ["n/a"], [3]),
        dataset={"sheetName": "Data"},
        types={"n": "Int32"},
        rows=[{"n": 1}, {"n": 3}],
        refused={2: "n/a"},
    ),
}

COLUMNAR = {
    "a Parquet file cut off": Broken(
        name="bad.parquet", content=parquet(a=[1, 2])[:-20], code=INVALID, says="no whole Parquet file"
    ),
    "a Parquet file that is none": Broken(name="bad.parquet", content="PAR1", code=INVALID, says="no whole Parquet"),
    "a second Parquet file with other types": Broken(
        name=".parquet",
        content={"1.parquet": parquet(a=[1]), "2.parquet": parquet(a=["x"])},
        code=INVALID,
        says="types",
    ),
    "a Parquet number that is too large": Broken(
        name="bad.parquet",
        content=parquet(a=[1, 2**40]),
        types={"a": "Int32"},
        rows=[{"a": 1}],
        refused={2: str(2**40)},
    ),
    "an Avro file that is none": Broken(name="bad.avro", content="Obj\x01 nothing", code=INVALID, says="bad.avro"),
    "an ORC file that is none": Broken(name="bad.orc", content="ORC nothing", code=INVALID, says="bad.orc"),
    "XML that is never closed": Broken(name="bad.xml", content="<a><b>1</b>", code=INVALID, says="bad.xml"),
    "XML with an entity bomb": Broken(
        name="bad.xml",
        content='<!DOCTYPE a [<!ENTITY x "xxxxxxxx"><!ENTITY y "&x;&x;&x;">]><a><b>&y;</b></a>',
        code=INVALID,
        says="entit",
    ),
    "XML that reads another file": Broken(
        name="bad.xml",
        content='<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a><b>&x;</b></a>',
        code=INVALID,
        says="entit",
    ),
}

BROKEN = FILES | LETTERS | SHAPES | VALUES | JSON | BOOKS | COLUMNAR


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_source_says_what_is_wrong_and_its_good_rows_survive(tmp_path: Path, broken: Broken) -> None:
    place = Place(folder=tmp_path)
    if broken.says:
        with pytest.raises(ManaraError, match=f"(?s){broken.says}") as caught:
            copy(place, broken)
        assert caught.value.error_code.startswith(broken.code)
        assert not list(tmp_path.glob("out*"))
        return
    output = copy(place, broken)
    kept = place.rows("out.parquet")
    assert kept == broken.rows or len(kept) == broken.rows
    assert (output["rowsCopied"], output["rowsRead"]) == (len(kept), len(kept) + len(broken.refused))
    found = {row["row"]: f"{row['file']} {row['reason']} {row['text']}" for row in output["skippedRows"]}
    assert found.keys() == broken.refused.keys()
    assert [number for number, says in broken.refused.items() if not re.search(says, found[number])] == []


def copy(place: Place, broken: Broken) -> Json:
    several = broken.content if isinstance(broken.content, Mapping) else {broken.name: broken.content}
    place.write("in/beside.txt", "")
    for name, content in several.items():
        if content is not None:
            place.write(f"in/{name}", content)
    suffix = Path(broken.name).suffix or broken.name
    path = f"in/{broken.name}" if several.keys() == {broken.name} else "in/"
    header = {"firstRowAsHeader": True} if suffix in {".csv", ".xlsx"} else {}
    mappings = [
        {
            "source": {"path": f"['{name}']"} if suffix == ".json" else {"name": name},
            "sink": {"name": name, "type": kind},
        }
        for name, kind in broken.types.items()
    ]
    told = {"type": "TabularTranslator", **({"mappings": mappings} if mappings else {}), **broken.translator}
    settings = {"storeSettings": {"wildcardFileName": f"*{suffix}"}} if path == "in/" else {}
    return place.copy(
        files(KINDS[suffix], path, **{**header, **broken.dataset}),
        files("Parquet", "out.parquet"),
        source_settings={**settings, **broken.source},
        translator=told,
        enableSkipIncompatibleRow=broken.tolerant,
    )


ONE = Reply(json=[{"a": 1}])
TROUBLED: Mapping[str, tuple[list[Reply | Callable[[Asked], Reply]], str, str]] = {
    "429 with Retry-After": ([Reply(status=429, headers={"Retry-After": "0"}), ONE], "", ""),
    "500 twice": ([Reply(status=500), Reply(status=500), ONE], "", ""),
    "a line that closes in the middle": ([Reply(text=b'[{"a": 1}, ', headers={"Cut": "yes"}), ONE], "", ""),
    "500 for ever": ([Reply(status=500, json={"m": "sorry"})], "RestCallFailedWithServerError", "500.*sorry"),
    "JSON cut in the middle": ([Reply(text='[{"a": 1}, {"a"')], INVALID, "JSON"),
    "a page to sign in": ([Reply(text="<html>Sign in</html>", headers={"Content-Type": "text/html"})], INVALID, "page"),
    "a key that is refused": ([Reply(status=401)], "RestCallFailedWithClientError", "401"),
    "an address that is not there": ([Reply(status=404)], "RestCallFailedWithClientError", "404"),
}


@pytest.mark.parametrize(("replies", "code", "says"), TROUBLED.values(), ids=TROUBLED.keys())
def test_a_service_in_trouble_is_asked_again_or_told(
    tmp_path: Path, replies: list[Reply | Callable[[Asked], Reply]], code: str, says: str
) -> None:
    with serving(*replies) as server:
        place = Service(folder=tmp_path, url=server.url)
        if not code:
            assert place.copied()["rowsCopied"] == len(place.rows("out.parquet")) == 1
            return
        with pytest.raises(ManaraError, match=f"(?s){says}") as caught:
            place.copied()
    assert (caught.value.error_code, list(tmp_path.glob("out*"))) == (code, [])


@dataclass(kw_only=True)
class Service(Place):
    """A folder to copy to, and a web service to copy from."""

    url: str

    def dataset(self, reference: Reference) -> Dataset:
        return rest(self.url) if reference["type"] == "RestResource" else super().dataset(reference)

    def copied(self) -> Json:
        source = {"referenceName": "Service", "type": "RestResource"}
        return self.copy(source, files("Parquet", "out.parquet"), enableSkipIncompatibleRow=True)
