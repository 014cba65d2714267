"""Values that the source converts while it reads go with whatever else a copy does."""

from typing import Any

import pytest
from tests.plugin_given import Place, csv, files

from manara.errors import ManaraError

TEXT = "n,day,t\n1,2024-01-01,a\nx,2024-01-02,b\n3,2024-01-03,c\n"


def _typed(**types: str) -> dict[str, Any]:
    mappings = [
        {"source": {"name": name.rstrip("_")}, "sink": {"name": name, "type": kind}} for name, kind in types.items()
    ]
    return {"type": "TabularTranslator", "mappings": mappings}


@pytest.mark.parametrize(
    ("translator", "added", "rows"),
    [
        pytest.param(_typed(n="Int32", _file="String"), {"name": "_file", "value": "$$FILEPATH"},
                     [(1, "in.csv"), (3, "in.csv")], id="a path"),
        pytest.param(_typed(n="Int32", k="Int64"), {"name": "k", "value": "7"}, [(1, 7), (3, 7)], id="a number"),
        pytest.param(_typed(n="Int32", m="String"), {"name": "m", "value": "$$COLUMN:n"}, [(1, "1"), (3, "3")],
                     id="its text"),
        pytest.param(_typed(n="Int32", n_="Double"), None, [(1, 1.0), (3, 3.0)], id="twice"),
        pytest.param(_typed(n="Int32", N_="String"), None, [(1, "1"), (3, "3")], id="as text too"),
    ],
)  # fmt: skip
def test_a_typed_column_beside_others(place: Place, translator: Any, added: Any, rows: list[Any]) -> None:
    place.write("in.csv", TEXT)
    settings = {"additionalColumns": [added]} if added else {}
    output = place.copy(
        csv("in.csv"), files("Parquet", "out.parquet"), source_settings=settings, translator=translator,
        enableSkipIncompatibleRow=True,
    )  # fmt: skip
    found = place.read(files("Parquet", "out.parquet")).to_pylist()
    assert [tuple(row.values()) for row in found] == rows
    told = output["skippedRows"][0]
    assert (told["row"], told["line"], told["text"]) == (2, 3, "x,2024-01-02,b")
    assert "'x' in the column 'n' is no INTEGER" in told["reason"]


def test_a_column_that_is_nowhere_is_told(place: Place) -> None:
    place.write("in.csv", TEXT)
    with pytest.raises(ManaraError, match="names the column 'k', which the source does not have"):
        place.copy(csv("in.csv"), files("Parquet", "out.parquet"), translator=_typed(n="Int32", k="Int64"))


def test_files_of_one_copy_are_typed_each_by_itself(place: Place) -> None:
    place.write("in/1.csv", "n,day,t\n1,2024-01-01,a\n")
    place.write("in/2.csv", "t,n,day\nb,2.0,2024-01-02\n")
    place.write("in/3.csv", "day,t,n\n2024-01-03 10:00,c,3\n2024-01-04,d,4\n")
    output = place.copy(
        csv("in/"), files("Parquet", "out.parquet"), translator=_typed(n="Int32", day="Date", t="String"),
        sink_settings={"copyBehavior": "MergeFiles"}, enableSkipIncompatibleRow=True,
    )  # fmt: skip
    assert [row["n"] for row in place.read(files("Parquet", "out.parquet")).to_pylist()] == [1, 2, 3, 4]
    assert output["rowsRead"] == output["rowsCopied"] == 4
