import gzip
from pathlib import Path

import pytest
from tests.harmonise.conftest import PLACES, write_pack

from manara.errors import Conflict, Faults, ManaraError, NotFound
from manara.harmonise.match import Matcher
from manara.harmonise.pack import pack_names, read_pack
from manara.harmonise.pack_make import add_countries, add_csv, add_sdmx

CODES = "{code: code, name: name, parent: parent, level: level}"
SDMX = """<?xml version="1.0"?>
<m:Structure xmlns:m="urn:m" xmlns:s="urn:s" xmlns:c="urn:c"><s:Codelist id="CL_SEX" agencyID="UNICEF" version="1.0">
<c:Name>Sex</c:Name>
<s:Code id="F"><c:Name xml:lang="en">Female</c:Name><c:Name xml:lang="fr">Femme</c:Name>
<s:Parent><Ref id="_T"/></s:Parent></s:Code>
<s:Code id="_T"><c:Name xml:lang="en">Total</c:Name></s:Code></s:Codelist></m:Structure>"""


def test_a_pack_tells_its_entries_its_version_and_its_checksum(packs: Path) -> None:
    pack = read_pack(packs, "countries")
    assert pack_names(packs) == ["ages", "countries", "places", "rates"]
    assert {entry.code: len(entry.names) for entry in pack.entries} == {"AFG": 2, "CIV": 2, "COD": 1, "COG": 1}
    assert pack.told["version"] == "1"
    assert len(pack.told["sha256"]) == 64
    assert read_pack(packs, "rates").rates is not None


def test_decided_names_travel_with_the_pack(packs: Path) -> None:
    write_pack(packs, "places", PLACES, CODES, aliases="aliases.csv")
    (packs / "pack" / "places" / "aliases.csv").write_text("parent,name,code\n,Wardak,AF04\nAF,Atlantis,\n", "utf-8")
    pack = read_pack(packs, "places")
    matcher = Matcher(pack.entries, aliases=pack.aliases)
    assert matcher.match("wardak", "AF").code == "AF04"
    assert matcher.match("Atlantis", "AF").outcome == "none"


BROKEN = [
    ("code,name\nA,one\n", "{code: kode, name: name}", "There is no column 'kode'. Did you mean 'code'?"),
    ("code,name\n,one\n", "{code: code, name: name}", "line 2: The code is empty."),
    ("code,name,parent\nA,one,B\nA,two,C\n", "{code: code, name: name, parent: parent}",
     "line 3: The code 'A' has another parent than before."),
    ("code,name,parent\nA,one,B\nB,two,A\n", "{code: code, name: name, parent: parent}", "Its parents lead in a ring."),
    ("code,name,level\nA,one,first\n", "{code: code, name: name, level: level}", "'first' is no whole number."),
    ("code,name\nA,one\n", "{code: code}", "columns.name: The column is not named."),
    ("code,name\nA,one\n", "{code: code, name: name, colour: name}", "A pack of codes has no 'colour'."),
]  # fmt: skip


@pytest.mark.parametrize(("content", "columns", "message"), BROKEN)
def test_what_is_wrong_in_a_pack_is_told_with_its_place(
    tmp_path: Path, content: str, columns: str, message: str
) -> None:
    write_pack(tmp_path, "list", content, columns)
    with pytest.raises(Faults) as refused:
        read_pack(tmp_path, "list")
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("AFN,2024-01-32,70\n", "line 2: The day is no date"),
        ("AFN,2024-01-31,seventy\n", "or the rate is no number"),
        ("AFN,2024-01-31,70\nAFN,2024-01-31,71\n", "There are two rates of AFN on 2024-01-31."),
    ],
)
def test_rates_that_are_wrong_are_told(tmp_path: Path, rows: str, message: str) -> None:
    columns = "{currency: currency, day: day, rate: rate}"
    write_pack(tmp_path, "rates", "currency,day,rate\n" + rows, columns, kind="rates")
    with pytest.raises(ManaraError) as refused:
        read_pack(tmp_path, "rates")
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ("version: 1", "Input should be a valid string"),
        ("{", "This is not YAML"),
        ("version: '1'\nfile: ../secret.csv\ncolumns: {code: a, name: b}", "no name of a .csv or .csv.gz file"),
        ("version: '1'\nfile: gone.csv\ncolumns: {code: a, name: b}", "There is no such file."),
        ("version: '1'\nfile: list.csv\nsha256: abc\ncolumns: {code: code, name: name}",
         "The file is not the one that sha256 in pack.yaml was taken of."),
    ],
)  # fmt: skip
def test_a_manifest_that_is_wrong_is_told(tmp_path: Path, manifest: str, message: str) -> None:
    write_pack(tmp_path, "list", "code,name\nA,one\n", "{code: code, name: name}")
    (tmp_path / "pack" / "list" / "pack.yaml").write_text(manifest, "utf-8")
    with pytest.raises(Faults) as refused:
        read_pack(tmp_path, "list")
    assert message in str(refused.value)


@pytest.mark.parametrize("name", ["place", "../places", ""])
def test_a_pack_that_is_not_there_is_told(packs: Path, name: str) -> None:
    with pytest.raises(NotFound, match="There is no pack"):
        read_pack(packs, name)


def test_a_csv_becomes_a_pack_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "list.csv.gz"
    file.write_bytes(gzip.compress(b"P-Code,Name\nAF01,Kabul\n"))
    made = add_csv(tmp_path, "places", file, {"code": ["P-Code"], "name": ["Name"]}, "2024", source="OCHA")
    assert [(entry.code, entry.names) for entry in made.entries] == [("AF01", ("Kabul",))]
    with pytest.raises(Conflict, match="There is a pack 'places' already"):
        add_csv(tmp_path, "places", file, {"code": ["P-Code"], "name": ["Name"]}, "2025")


def test_a_pack_that_cannot_be_read_is_not_added(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("a,b\n1,2\n", "utf-8")
    with pytest.raises(Faults, match="There is no column 'code'"):
        add_csv(tmp_path, "list", file, {"code": ["code"], "name": ["b"]}, "1")
    with pytest.raises(ManaraError, match="is no name of a pack"):
        add_csv(tmp_path, "../list", file, {"code": ["a"], "name": ["b"]}, "1")
    assert list((tmp_path / "pack").iterdir()) == []


def test_a_code_list_of_sdmx_becomes_a_pack(tmp_path: Path) -> None:
    (tmp_path / "sex.xml").write_text(SDMX, "utf-8")
    made = add_sdmx(tmp_path, "sex", tmp_path / "sex.xml")
    assert [(entry.code, entry.names, entry.parent) for entry in made.entries] == [
        ("F", ("Female", "Femme"), "_T"), ("_T", ("Total",), "")
    ]  # fmt: skip
    assert made.manifest.source == "UNICEF:CL_SEX(1.0)"
    (tmp_path / "none.xml").write_text("<a/>", "utf-8")
    with pytest.raises(ManaraError, match="holds 0 code lists"):
        add_sdmx(tmp_path, "none", tmp_path / "none.xml")


MESSY = {
    "Côte d'Ivoire": "CIV", "Ivory Coast": "CIV", "DR Congo": "COD", "Congo, DRC": "COD", "Congo": "COG",
    "République démocratique du Congo": "COD", "Viet Nam": "VNM", "Syrian Arab Republic": "SYR", "Turkey": "TUR",
    "Türkiye": "TUR", "Soudan du Sud": "SSD", "State of Palestine": "PSE", "Lao PDR": "LAO", "Burma": "MMR",
    "Swaziland": "SWZ", "North Korea": "PRK", "Guinea Bissau": "GNB", "Guinea": "GIN", "أفغانستان": "AFG",
    "República Dominicana": "DOM", "Niger": "NER", "Nigeria": "NGA", "East Timor": "TLS", "Cabo Verde": "CPV",
    "Bosnia & Herzegovina": "BIH", "afg": "AFG", "AF": "AFG", "Tanzania, United Republic of": "TZA", "UK": "GBR",
    "Bolivia (Plurinational State of)": "BOL",
}  # fmt: skip


def test_countries_are_known_in_many_languages_and_spellings(tmp_path: Path) -> None:
    matcher = Matcher(add_countries(tmp_path).entries)
    assert {name: matcher.match(name, "").code for name in MESSY} == MESSY
    assert matcher.match("Atlantis", "").outcome == "unmatched"
    assert len(read_pack(tmp_path, "countries").entries) > 240
