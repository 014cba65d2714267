"""What a copy leaves out is written down, and can be mended and read again."""

import csv as csv_files
from collections.abc import Sequence
from typing import Any

import pytest
from tests.plugin_given import Json, Place, csv, files, table

from manara.errors import ManaraError

SKIP: Json = {"enableSkipIncompatibleRow": True}
TYPED: Json = {
    "translator": {
        "type": "TabularTranslator",
        "mappings": [
            {"source": {"name": "id"}, "sink": {"name": "id"}},
            {"source": {"name": "qty"}, "sink": {"name": "qty", "type": "Int32"}},
        ],
    }
}
MIXED = 'id;qty\n"a\nb";5\nragged\n"c\n""d;";x\n2;6.5\n3;7\n'
LOGGED: Json = {
    "enableCopyActivityLog": True,
    "copyActivityLogSettings": {"logLevel": "Info", "enableReliableLogging": True},
    "logLocationSettings": {
        "linkedServiceName": {"referenceName": "Files", "type": "LinkedServiceReference"},
        "path": "logs/copies",
    },
}


def _log(place: Place, path: str) -> list[list[str]]:
    with (place.folder / path).open(newline="") as file:
        return list(csv_files.reader(file))


def test_a_refused_row_is_written_with_file_row_text_and_reason(place: Place) -> None:
    place.write("in.csv", MIXED)
    output = place.copy(csv("in.csv", columnDelimiter=";"), files("Parquet", "out.parquet"), **SKIP, **TYPED)
    header, *lines = _log(place, output["logFilePath"])
    assert header == ["Timestamp", "Level", "OperationName", "OperationItem", "Message"]
    assert sorted(line[1:] for line in lines) == [
        ["Warning", "TabularRowSkip", '"c\n""d;";x', "in.csv, row 3 (line 5): 'x' in the column 'qty' is no INTEGER"],
        ["Warning", "TabularRowSkip", "2;6.5", "in.csv, row 4 (line 7): '6.5' in the column 'qty' is no INTEGER"],
        ["Warning", "TabularRowSkip", "ragged", "in.csv, row 2 (line 4): it has 1 value, and 2 are expected"],
    ]


def test_refused_rows_can_be_mended_and_read_again_by_the_same_dataset(place: Place) -> None:
    place.write("in.csv", MIXED.encode("utf-16"))
    spelt: Json = {"columnDelimiter": ";", "encodingName": "UTF-16"}
    output = place.copy(csv("in.csv", **spelt), files("Parquet", "out.parquet"), **SKIP, **TYPED)
    refused = place.folder / output["refusedRowsPath"]
    text = refused.read_text("utf-16").replace("ragged", "1;1").replace(";x", ";2").replace("6.5", "3")
    place.write("mended.csv", text.encode("utf-16"))
    again = place.copy(csv("mended.csv", **spelt), files("Parquet", "again.parquet"), **SKIP, **TYPED)
    assert again["rowsSkipped"] == 0
    found = [*place.rows("out.parquet"), *place.rows("again.parquet")]
    assert sorted((row["id"], row["qty"]) for row in found) == [
        ("1", 1),
        ("2", 3),
        ("3", 7),
        ("a\nb", 5),
        ('c\n"d;', 2),
    ]


@pytest.mark.parametrize(
    "where",
    [
        pytest.param({"logSettings": LOGGED}, id="logSettings"),
        pytest.param({"logStorageSettings": LOGGED["logLocationSettings"]}, id="logStorageSettings"),
        pytest.param({"redirectIncompatibleRowSettings": LOGGED["logLocationSettings"]}, id="redirect"),
    ],
)
def test_the_log_goes_where_the_copy_says(place: Place, where: Json) -> None:
    place.write("in.csv", "id,qty\n1,x\n")
    output = place.copy(csv("in.csv"), files("Parquet", "out.parquet"), **SKIP, **TYPED, **where)
    assert output["logFilePath"].startswith("logs/copies/copyactivity-logs/Work/run/")
    assert ("redirectRowPath" in output) == ("redirectIncompatibleRowSettings" in where)
    operations = [line[2] for line in _log(place, output["logFilePath"])[1:]]
    assert operations == (["TabularRowSkip", "FileRead"] if "logSettings" in where else ["TabularRowSkip"])
    assert (place.folder / output["refusedRowsPath"]).read_text() == "id,qty\n1,x\n"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"logSettings": {"logLocationSettings": {"path": "x"}}}, "needs a linked service"),
        ({"parallelCopies": "many"}, "parallelCopies is a whole number, not 'many'"),
        ({"lane": "Fast"}, "There is no lane 'Fast'"),
        ({"skipErrorFile": "yes"}, "skipErrorFile is an object"),
    ],
)
def test_settings_that_cannot_be_followed_are_told(place: Place, settings: Json, says: str) -> None:
    place.write("in.csv", "id,qty\n1,x\n")
    with pytest.raises(ManaraError, match=says):
        place.copy(csv("in.csv"), files("Parquet", "out.parquet"), **settings)


def test_nothing_is_written_where_nothing_is_refused(place: Place) -> None:
    place.write("in.csv", "id,qty\n1,x\n")
    place.copy(csv("in.csv"), files("Parquet", "out.parquet"), step="Load", **SKIP, **TYPED)
    place.write("in.csv", "id,qty\n1,2\n")
    output = place.copy(csv("in.csv"), files("Parquet", "out.parquet"), step="Load", **SKIP, **TYPED)
    assert "logFilePath" not in output
    assert list((place.folder / "data/refused/run").iterdir()) == []


def test_a_copy_that_was_committed_still_names_its_log(place: Place) -> None:
    place.write("in.csv", "id,qty\n1,x\n2,2\n")
    loaded: dict[str, Any] = {"step": "Load", "sink_settings": {"tableOption": "autoCreate"}, **SKIP, **TYPED}
    first = place.copy(csv("in.csv"), table("t"), **loaded)
    again = place.copy(csv("in.csv"), table("t"), **loaded)
    assert again["logFilePath"] == first["logFilePath"]
    assert len(_log(place, again["logFilePath"])) == 2


def test_rows_are_numbered_by_file_and_not_through_the_stream(place: Place) -> None:
    place.write("in/a.csv", "id,qty\n1,1\nragged\n2,x\n")
    place.write("in/b.csv", 'id,qty\n"1\n\n",1\n2,y\nragged\n3,z\n')
    output = place.copy(csv("in/"), files("Parquet", "out.parquet"), **SKIP, **TYPED)
    found = sorted((row["file"], row["row"]) for row in output["skippedRows"])
    assert found == [("in/a.csv", 2), ("in/a.csv", 3), ("in/b.csv", 2), ("in/b.csv", 3), ("in/b.csv", 4)]


def test_many_refused_rows_are_all_written(place: Place) -> None:
    place.write("in.csv", "id,qty\n" + "".join(f"{row},{row if row % 3 else 'x'}\n" for row in range(1, 30_001)))
    output = place.copy(csv("in.csv"), files("Parquet", "out.parquet"), **SKIP, **TYPED)
    assert (output["rowsRead"], output["rowsCopied"], output["rowsSkipped"]) == (30_000, 20_000, 10_000)
    rows = [int(line[4].split("row ")[1].split(" ")[0]) for line in _log(place, output["logFilePath"])[1:]]
    assert rows == list(range(3, 30_001, 3))
    assert len((place.folder / output["refusedRowsPath"]).read_text().splitlines()) == 10_001


@pytest.mark.parametrize("skips", [True, False])
def test_consistency_is_verified_where_it_is_asked_for(place: Place, skips: bool) -> None:
    place.write("in.csv", "id,qty\n1,x\n" if skips else "id,qty\n1,1\n")
    output = place.copy(csv("in.csv"), files("Parquet", "o.parquet"), validateDataConsistency=True, **SKIP, **TYPED)
    told = {"VerificationResult": "Verified", "InconsistentData": "Skipped" if skips else "None"}
    assert output["dataConsistencyVerification"] == told


def test_what_the_table_refuses_lies_apart_from_what_can_be_read_again(place: Place) -> None:
    place.write("first.csv", "id,qty\n1,5\n")
    place.copy(csv("first.csv"), table("t"), sink_settings={"tableOption": "autoCreate"}, **TYPED)
    place.write("in.csv", "id,qty\nragged\n2,x\n3,3\n")
    output = place.copy(csv("in.csv"), table("t"), **SKIP)
    assert (output["rowsRead"], output["rowsCopied"], output["rowsSkipped"]) == (3, 1, 2)
    assert (place.folder / output["refusedRowsPath"]).read_text() == "id,qty\nragged\n"
    assert "'x'" in (place.folder / output["refusedBySinkPath"]).read_text()


def test_what_the_table_refuses_is_told_by_its_line_in_the_source(place: Place) -> None:
    place.write("first.csv", "id,qty,day\n1,5,2024-01-31\n")
    types = {"id": "Int32", "qty": "Int32", "day": "DateTime"}
    typed = [{"source": {"name": name}, "sink": {"name": name, "type": kind}} for name, kind in types.items()]
    place.copy(csv("first.csv"), table("t"), sink_settings={"tableOption": "autoCreate"},
               translator={"type": "TabularTranslator", "mappings": typed})  # fmt: skip
    place.write("in.csv", 'id,qty,day\nragged\nx,1,2024-01-01\n2,"x\nx",2024-01-01\n3,4,never\n4,5,2024-01-02\n')
    by_copy = [typed[0], *({"source": {"name": name}, "sink": {"name": name}} for name in ("qty", "day"))]
    output = place.copy(
        csv("in.csv"), table("t"), **SKIP, translator={"type": "TabularTranslator", "mappings": by_copy}
    )
    assert (output["rowsRead"], output["rowsCopied"], output["rowsSkipped"]) == (5, 1, 4)
    lines = {row["row"]: row["line"] for row in output["skippedRows"]}
    assert lines == {1: 2, 2: 3, 3: 4, 4: 6}
    reasons = {row["row"]: row["reason"] for row in output["skippedRows"]}
    assert reasons[4] == "'never' does not fit the column 'day' (table t)"


@pytest.mark.parametrize("bad", [[0], [1_999], [0, 1, 1_999], [700, 701], range(0, 2_000, 3), range(2_000)])
def test_the_others_stay_in_their_order_however_many_rows_are_left_out(place: Place, bad: Sequence[int]) -> None:
    left_out = set(bad)
    place.write("in.csv", "id,qty\n" + "".join(f"{n},{'x' if n in left_out else n}\n" for n in range(2_000)))
    place.copy(csv("in.csv"), files("Parquet", "out.parquet"), **SKIP, **TYPED)
    kept = [n for n in range(2_000) if n not in left_out]
    assert place.read(files("Parquet", "out.parquet")).to_pydict() == {"id": [str(n) for n in kept], "qty": kept}
