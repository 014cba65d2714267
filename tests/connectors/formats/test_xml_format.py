import gzip
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from tests.plugin_given import Place, files

from manara.errors import BadRows, WrongDefinition
from manara.plugin.dataset import DATASETS, DatasetGiven, Refused, Tally

REAL = Path(__file__).parents[3] / "../shared/data/sdmx"

STOCK = """<?xml version="1.0"?>
<stock xmlns:m="urn:med" country="AF">
  <site>Kabul</site>
  <item code="01"><name>ORS</name><qty>12</qty><m:cold>true</m:cold></item>
  <item code="2"><name lang="en">Zinc</name><qty>1.5</qty><m:cold/></item>
</stock>"""


def _read(place: Place, text: str | bytes, reference: str = "", **settings: Any) -> list[dict[str, Any]]:
    place.write("a.xml", text)
    encoding = settings.pop("encoding", {})
    return list(place.read(files("Xml", "a.xml", **encoding), collectionReference=reference, **settings).to_pylist())


def test_elements_are_rows_with_attributes_values_and_types(place: Place) -> None:
    assert _read(place, STOCK, "$['stock']['item']") == [
        {"@code": "01", "name": "ORS", "qty": 12.0, "m:cold": True},
        {"@code": "2", "name": '{"@lang":"en","_value_":"Zinc"}', "qty": 1.5, "m:cold": None},
    ]


def test_a_document_is_one_row_without_a_collection(place: Place) -> None:
    paths = ["$['stock']['site']", "$['stock']['item'][1]['qty']", "$['stock']['@country']"]
    assert _read(place, STOCK, paths=paths) == [dict(zip(paths, ["Kabul", 1.5, "AF"], strict=True))]


def test_values_of_the_document_stand_on_every_row(place: Place) -> None:
    rows = _read(place, STOCK, "$.stock.item", paths=["$.stock.site", "$.stock['@country']", "['qty']"])
    assert [tuple(row.values()) for row in rows] == [("Kabul", "AF", 12.0), ("Kabul", "AF", 1.5)]


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        pytest.param({}, ["@code", "name", "qty", "m:cold"], id="as in the document"),
        pytest.param({"namespacePrefixes": {"urn:med": "med"}}, ["@code", "name", "qty", "med:cold"], id="own prefix"),
    ],
)
def test_namespaces_name_the_columns(place: Place, settings: dict[str, Any], names: list[str]) -> None:
    place.write("a.xml", STOCK)
    dataset = files("Xml", "a.xml")
    rows = place.read(dataset, collectionReference="$.stock.item", formatSettings=settings)
    assert rows.column_names == names


@pytest.mark.parametrize(
    ("text", "gives"),
    [
        ("12", 12), ("-3", -3), ("007", "007"), ("1.50", 1.5), ("true", True), ("False", False), ("1e5", "1e5"),
        ("12345678901234567890", "12345678901234567890"), ("  padded ", "  padded "), ("&lt;&#233;", "<é"),
        ("<![CDATA[a<b]]>", "a<b"),
    ],
)  # fmt: skip
def test_types_are_found_only_where_nothing_is_lost(place: Place, text: str, gives: object) -> None:
    assert _read(place, f"<r><v>{text}</v></r>", "$.r") == [{"v": gives}]


def test_types_stay_texts_when_told(place: Place) -> None:
    assert _read(place, "<r><v>12</v></r>", "$.r", formatSettings={"detectDataType": False}) == [{"v": "12"}]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "windows-1252"])
def test_the_encoding_that_the_document_declares_is_read(place: Place, encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?><r><v>é</v></r>'
    assert _read(place, text.encode(encoding), "$.r") == [{"v": "é"}]


def test_the_encoding_that_the_dataset_names_is_read(place: Place) -> None:
    rows = _read(place, "<r><v>援助</v></r>".encode("gb18030"), "$.r", encoding={"encodingName": "GB18030"})
    assert rows == [{"v": "援助"}]


BOMB = '<!DOCTYPE r [<!ENTITY a "xxxxxxxxxx"><!ENTITY b "&a;&a;&a;">]><r><v>&b;</v></r>'
OUTSIDE = '<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><r><v>&a;</v></r>'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(BOMB, "declares entities of its own", id="entity bomb"),
        pytest.param(OUTSIDE, "declares entities of its own", id="external entity"),
        pytest.param("<r><v>1</v>", "no whole XML at line 1, column 12: no element found", id="cut off"),
        pytest.param("<r>\n<v>1</w></r>", "line 2, column 7: mismatched tag", id="mismatch"),
        pytest.param("", "no element found", id="empty"),
        pytest.param('{"a": 1}', "line 1, column 1: syntax error|not well-formed", id="no XML"),
        pytest.param("<r>" + "<d>" * 500 + "</d>" * 500 + "</r>", "more than 200 deep", id="deep"),
    ],
)
def test_what_is_broken_or_dangerous_is_told(place: Place, text: str, says: str) -> None:
    with pytest.raises(BadRows, match=says) as raised:
        _read(place, text, "$.r")
    assert "a.xml" in str(raised.value)


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        pytest.param("<r><v><a>1</a></v><v><a>2</a></v><v><a>3", (3, "<v><a>3", "no element found"), id="cut off"),
        pytest.param("<r><v a='1'/><v a='2'/>\n<v a=3/></r>", (3, "<v a=3/></r>", "line 2"), id="a fault"),
    ],
)
def test_the_rows_before_a_fault_are_kept(place: Place, text: str, refused: tuple[int, str, str]) -> None:
    place.write("a.xml", text)
    found: list[Refused] = []
    settings = {"collectionReference": "$.r.v"}
    rows = place.dataset(files("Xml", "a.xml")).read(settings, Tally(refuse=found.append)).read_all()
    assert rows[0].to_pylist() == [1, 2]
    row, rest, reason = refused
    assert [(one.row, one.text) for one in found] == [(row, rest)]
    assert reason in found[0].reason


def test_validation_is_refused_and_not_forgotten(place: Place) -> None:
    with pytest.raises(WrongDefinition, match=r"validationMode 'xsd' is not supported"):
        _read(place, STOCK, formatSettings={"validationMode": "xsd"})


def test_xml_is_not_written(place: Place) -> None:
    place.write("a.csv", "a\n1\n")
    with pytest.raises(WrongDefinition, match=r"can be read but not written"):
        place.copy(files("DelimitedText", "a.csv"), files("Xml", "out.xml"))


def test_memory_does_not_grow_with_the_file(place: Place) -> None:
    peaks = []
    for count in (2_000, 20_000):
        place.write("a.xml", "<r>" + "<i><a>some text</a><b>12</b></i>" * count + "</r>")
        tracemalloc.start()
        properties = {"location": {"fileName": "a.xml"}}
        given = DatasetGiven(name="x", type="Xml", properties=properties, connection=place.store, batch_rows=100)
        reader = DATASETS.find("Xml")(given).read({"collectionReference": "$.r.i"}, Tally())
        assert sum(batch.num_rows for batch in reader) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 2


@pytest.mark.skipif(not REAL.is_dir(), reason="the shared data are not here")
def test_the_code_list_of_unicef_is_read(place: Place) -> None:
    text = (REAL / "unicef_CL_AGE.xml").read_bytes()
    reference = "$['mes:Structure']['mes:Structures']['str:Codelists']['str:Codelist']['str:Code']"
    rows = _read(place, text, reference, paths=["['@id']", "['com:Name']"])
    assert len(rows) == text.count(b"<str:Code ")
    assert all(row["['@id']"] for row in rows)


@pytest.mark.skipif(not REAL.is_dir(), reason="the shared data are not here")
def test_a_packed_structure_of_unicef_is_read(place: Place) -> None:
    packed = (REAL / "unicef_CME_dsd.xml.gz").read_bytes()
    place.write("dsd.xml.gz", packed)
    root = gzip.decompress(packed)[:400].decode(errors="replace")
    prefix = "mes" if "<mes:Structure" in root else "message"
    place_of = files("Xml", "dsd.xml.gz", compressionCodec="gzip")
    rows = place.read(place_of, paths=[f"$['{prefix}:Structure']['{prefix}:Header']['{prefix}:ID']"])
    assert rows.num_rows == 1
    assert rows.column(0)[0].as_py()


PLACES = {
    "rows over lines": ("<r>\n<v><n>1</n></v><v><n>x</n></v>\n\n<v\n a='1'>\n<n>y</n></v></r>", [(2, 2), (3, 4)]),
    "behind text": ("<?xml version='1.0'?>\n<!-- a\nb -->\n<r>a\nb<v><n>x</n></v></r>", [(1, 5)]),
}


@pytest.mark.parametrize(("text", "where"), PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("encoding", ["", "utf-8"])
def test_a_refused_row_is_told_with_its_line(
    place: Place, text: str, where: list[tuple[int, int]], encoding: str
) -> None:
    place.write("in.xml", text)
    mapping = [{"source": {"path": "['n']"}, "sink": {"name": "n", "type": "Int32"}}]
    output = place.copy(
        files("Xml", "in.xml", **({"encodingName": encoding} if encoding else {})), files("Parquet", "out.parquet"),
        enableSkipIncompatibleRow=True,
        translator={"type": "TabularTranslator", "mappings": mapping, "collectionReference": "$.r.v"},
    )  # fmt: skip
    assert sorted((row["row"], row.get("line", 0)) for row in output["skippedRows"]) == where
