import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.plugin_given import Json, Place, csv, files, table

from manara.errors import BadRows, Cancelled, ManaraError
from manara.plugin.activity import Output

SKIP: Json = {"enableSkipIncompatibleRow": True}


def _mapped(*mappings: tuple[Json, Json], **more: Any) -> Json:
    pairs = [{"source": source, "sink": sink} for source, sink in mappings]
    return {"translator": {"type": "TabularTranslator", "mappings": pairs, **more}}


def _figures(output: Output) -> tuple[int, int, int]:
    return output["rowsRead"], output["rowsCopied"], output.get("rowsSkipped", 0)


def test_the_output_has_the_fields_of_adf(place: Place) -> None:
    place.write("in.csv", "a,b\n1,2\n3,4\n")
    output = place.copy(csv("in.csv"), files("Parquet", "out.parquet"))
    details = output.pop("executionDetails")[0]
    written = (place.folder / "out.parquet").stat().st_size
    assert output.pop("throughput") > 0
    assert output.pop("lineage")["outputs"][0]["name"] == "out.parquet"
    assert output == {
        "dataRead": 12, "dataWritten": written, "filesRead": 1, "filesWritten": 1, "rowsRead": 2, "rowsCopied": 2,
        "copyDuration": 1, "errors": [], "effectiveIntegrationRuntime": "AutoResolveIntegrationRuntime (local)",
        "usedDataIntegrationUnits": 1, "usedParallelCopies": 1,
        "dataConsistencyVerification": {"VerificationResult": "NotVerified"},
    }  # fmt: skip
    assert (details["source"], details["sink"]) == ({"type": "DelimitedText"}, {"type": "Parquet"})
    assert (details["status"], details["duration"]) == ("Succeeded", 1)
    assert place.reports[-1]["rowsRead"] == 2


@pytest.mark.parametrize(
    ("mapping", "row"),
    [
        pytest.param(_mapped(), {"id": "1", "Qty": "2", "day": "03/01/2024"}, id="by name"),
        pytest.param(_mapped(({"name": "Qty"}, {"name": "n", "type": "Int32"})), {"n": 2}, id="name and type"),
        pytest.param(_mapped(({"name": "qty"}, {"name": "n"})), {"n": "2"}, id="letters in another case"),
        pytest.param(_mapped(({"ordinal": 2}, {"name": "n", "type": "Double"})), {"n": 2.0}, id="ordinal"),
        pytest.param(
            _mapped(
                ({"name": "day"}, {"name": "d", "type": "DateTime"}),
                typeConversionSettings={"dateTimeFormat": "dd/MM/yyyy"},
            ),
            {"d": "2024-01-03 00:00:00"},
            id="date format",
        ),
        pytest.param(
            {"translator": {"columnMappings": "id: key, Qty: n"}}, {"key": "1", "n": "2"}, id="older spelling"
        ),
    ],
)
def test_columns_are_mapped(place: Place, mapping: Json, row: Json) -> None:
    place.write("in.csv", "id,Qty,day\n1,2,03/01/2024\n")
    place.copy(csv("in.csv"), files("Parquet", "out.parquet"), **mapping)
    found = place.rows("out.parquet")[0]
    assert {name: str(value) if name == "d" else value for name, value in found.items()} == row


@pytest.mark.parametrize(
    ("mapping", "says"),
    [
        (_mapped(({"name": "qyt"}, {"name": "n"})), "column 'qyt', which the source does not have. Did you mean 'Qty'"),
        (_mapped(({"ordinal": 9}, {"name": "n"})), "column 9, and the source has 2"),
        (_mapped(({"ordinal": "x"}, {"name": "n"})), r"mappings\[0\].source.ordinal: .* not 'x'"),
        (_mapped(({"name": "id"}, {"name": "n", "type": "Int3"})), r"mappings\[0\].sink.type: There is no type 'Int3'"),
        (_mapped(({}, {"name": "n"})), "needs a name, an ordinal or a path"),
        ({"translator": {"type": "Other"}}, "translator 'Other' is unknown"),
    ],
)
def test_a_mapping_that_cannot_be_followed_is_told(place: Place, mapping: Json, says: str) -> None:
    place.write("in.csv", "id,Qty\n1,2\n")
    with pytest.raises(ManaraError, match=says):
        place.copy(csv("in.csv"), files("Parquet", "out.parquet"), **mapping)
    assert not (place.folder / "out.parquet").exists()


def test_a_hierarchy_is_flattened_by_paths(place: Place) -> None:
    place.write("in.json", json.dumps({"dataValues": [{"de": "a", "v": "1"}], "period": "202401"}))
    mapping = _mapped(
        ({"path": "['de']"}, {"name": "element"}),
        ({"path": "$['period']"}, {"name": "period"}),
        ({"path": "['v']"}, {"name": "value", "type": "Int64"}),
        collectionReference="$['dataValues']",
    )
    place.copy(files("Json", "in.json"), files("Parquet", "out.parquet"), **mapping)
    assert place.rows("out.parquet") == [{"element": "a", "period": "202401", "value": 1}]


MIXED = "id,qty\n1,5\nragged\n2,x\n3,6.5\n4,7\n"
TYPED = _mapped(({"name": "id"}, {"name": "id"}), ({"name": "qty"}, {"name": "qty", "type": "Int32"}))


def test_broken_rows_are_skipped_counted_and_named(place: Place) -> None:
    place.write("in.csv", MIXED)
    output = place.copy(csv("in.csv"), files("Parquet", "out.parquet"), **SKIP, **TYPED)
    assert _figures(output) == (5, 2, 3)
    assert [(row["row"], row["reason"]) for row in output["skippedRows"]] == [
        (2, "it has 1 value, and 2 are expected"),
        (3, "'x' in the column 'qty' is no INTEGER"),
        (4, "'6.5' in the column 'qty' is no INTEGER"),
    ]
    assert place.rows("out.parquet") == [{"id": "1", "qty": 5}, {"id": "4", "qty": 7}]


@pytest.mark.parametrize("sink", [files("Parquet", "out.parquet"), table("out")], ids=["file", "table"])
def test_without_leave_to_skip_the_first_broken_row_ends_the_copy_and_nothing_is_left(place: Place, sink: Json) -> None:
    place.write("in.csv", "id,qty\n" + "1,2\n" * 200_000 + "1,x\n")
    with pytest.raises(BadRows, match="Row 200001 \\(line 200002\\) cannot be read: 'x' in the column 'qty'"):
        place.copy(csv("in.csv"), sink, sink_settings={"tableOption": "autoCreate"}, **TYPED)
    assert [entry.name for entry in place.store.list("") if "out" in entry.name or "unfinished" in entry.name] == []
    assert place.query("select * from information_schema.tables where table_name = 'out'") == []


def test_rows_skipped_by_the_table_are_counted_too(place: Place) -> None:
    place.query("select 1")
    place.write("first.csv", "id,qty\n1,5\n")
    place.copy(csv("first.csv"), table("t"), sink_settings={"tableOption": "autoCreate"}, **TYPED)
    place.write("in.csv", MIXED)
    output = place.copy(csv("in.csv"), table("t"), **SKIP)
    assert _figures(output) == (5, 2, 3)


def test_a_copy_that_was_committed_gives_its_figures_again(place: Place) -> None:
    place.write("in.csv", MIXED)
    settings = {"sink_settings": {"tableOption": "autoCreate"}, **SKIP, **TYPED}
    first = place.copy(csv("in.csv"), table("t"), step="Load", **settings)
    place.write("in.csv", "id,qty\n9,9\n")
    again = place.copy(csv("in.csv"), table("t"), step="Load", **settings)
    assert _figures(again) == _figures(first) == (5, 2, 3)
    assert len(place.query("select * from t")) == 2


def test_a_copy_that_is_cancelled_leaves_nothing(place: Place) -> None:
    place.write("in.csv", "id\n1\n")

    class Stop(list[Any]):
        def append(self, _figures: Any) -> None:
            raise Cancelled("stopped")

    place.reports = Stop()
    with pytest.raises(Cancelled):
        place.copy(csv("in.csv"), files("Parquet", "out.parquet"))
    assert [entry.name for entry in place.folder.iterdir()] == ["in.csv"]


_MEASURE = """
import sys
from pathlib import Path
import pyarrow as pa
from tests.plugin_given import Place, csv, files
place = Place(folder=Path(sys.argv[1]))
output = place.copy(csv("in.csv"), files("Parquet", "out.parquet"))
print(output["rowsCopied"], pa.default_memory_pool().max_memory())
"""


def _copied(folder: Path, rows: int) -> tuple[int, int]:
    (folder / "in.csv").write_text("id,text,more\n" + f"1,{'x' * 120},{'y' * 70}\n" * rows)
    command = [sys.executable, "-c", _MEASURE, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    copied, peak = done.stdout.split()
    return int(copied), int(peak)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """The file has 240 MB; Arrow's peak stays under 200, however long it is."""
    copied, peak = _copied(tmp_path, 1_200_000)
    assert copied == 1_200_000
    assert peak < 200 << 20
