from pathlib import Path
from typing import Any

import pytest
from tests.plugin_given import Json, Place, csv, files, table

from manara.plugin.lineage import MOST_TOLD, Lineage, read_lineage


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(folder=tmp_path)


def shown(output: Json) -> dict[str, Any]:
    """Each output with its columns: `a` as it is, `a~` computed, `a+` over several rows."""
    signs = {"IDENTITY": "", "TRANSFORMATION": "~", "AGGREGATION": "+"}
    found = read_lineage(output)
    assert found is not None
    assert "unclear" not in output["lineage"]
    return {
        asset.name: {
            name: " ".join(f"{one.asset.name}:{one.column}{signs[one.how]}" for one in sources)
            for name, sources in found.columns.get(asset, {}).items()
        }
        for asset in found.outputs
    }


def mapped(*pairs: tuple[Json, Json]) -> Json:
    return {"type": "TabularTranslator", "mappings": [{"source": source, "sink": sink} for source, sink in pairs]}


@pytest.mark.parametrize("lane", ["Arrow", ""])
def test_a_copy_tells_its_file_and_columns_on_either_lane(place: Place, lane: str) -> None:
    place.write("in/a.csv", "id,n\n1,2\n")
    place.copy(csv("in/a.csv"), files("Parquet", "p/a.parquet"))
    wanted = mapped(({"name": "n"}, {"name": "number"}), ({"name": "id"}, {"name": "id"}))
    more = {"lane": lane} if lane else {}
    output = place.copy(files("Parquet", "p/a.parquet"), files("Parquet", "q/b.parquet"), translator=wanted, **more)
    assert shown(output) == {"q/b.parquet": {"number": "p/a.parquet:n", "id": "p/a.parquet:id"}}


def test_a_converted_column_says_so_and_an_added_one_has_no_source(place: Place) -> None:
    place.write("a.csv", "id,n\n1,2\n")
    added = [{"name": "file", "value": "$$FILEPATH"}, {"name": "again", "value": "$$COLUMN:id"}]
    wanted = mapped(*(({"name": name}, {"name": name}) for name in ("file", "again")), ({"name": "n"}, INT))
    output = place.copy(
        csv("a.csv"), table("t"), source_settings={"additionalColumns": added}, translator=wanted, sink_settings=MADE
    )
    assert shown(output) == {"t": {"file": "", "again": "a.csv:id", "n": "a.csv:n~"}}


INT = {"name": "n", "type": "Int32"}
MADE = {"tableOption": "autoCreate"}


def test_the_paths_of_a_hierarchy_are_the_columns(place: Place) -> None:
    place.write("a.json", '{"rows": [{"id": 1, "who": {"name": "x"}}]}')
    wanted = mapped(({"path": "['id']"}, {"name": "id"}), ({"path": "['who']['name']"}, {"name": "who"}))
    wanted["collectionReference"] = "$['rows']"
    output = place.copy(files("Json", "a.json"), files("Parquet", "a.parquet"), translator=wanted)
    assert shown(output) == {"a.parquet": {"id": "a.json:id", "who": "a.json:['who']['name']"}}


def test_a_query_is_looked_through(place: Place) -> None:
    place.run(
        "Script", {"scripts": [{"type": "NonQuery", "text": "create table s (a int, b int); create table u (a int)"}]}
    )
    query = {"sqlReaderQuery": "select a, sum(b) as b from s join u using (a) group by a"}
    output = place.copy(table("s"), files("Parquet", "a.parquet"), source_settings=query)
    assert shown(output) == {"a.parquet": {"a": "s:a u:a", "b": "s:b+"}}


@pytest.mark.parametrize(("count", "inputs"), [(1, ["in/0.csv"]), (3, ["in"])])
def test_a_folder_is_told_with_its_files(place: Place, count: int, inputs: list[str]) -> None:
    for number in range(count):
        place.write(f"in/{number}.csv", "id\n1\n")
    output = place.copy(
        csv("in/"), table("t"), source_settings={"storeSettings": {"wildcardFileName": "*.csv"}}, sink_settings=MADE
    )
    found = read_lineage(output)
    assert found is not None
    assert [one.name for one in found.inputs] == inputs
    assert len(found.files) == (count if count > 1 else 0)


def test_files_copied_one_by_one_are_told_as_folders_without_columns(place: Place) -> None:
    for number in range(3):
        place.write(f"in/{number}.bin", "x")
    output = place.copy(
        files("Binary", "in/"), files("Binary", "out/"), source_settings={"storeSettings": {"recursive": True}}
    )
    assert output["lineage"] == {
        "inputs": [{"namespace": "Files", "name": "in"}],
        "outputs": [{"namespace": "Files", "name": "out", "columns": {}}],
    }


def test_what_is_told_has_an_end(place: Place) -> None:
    told = Lineage(files=tuple(f"{number}.csv" for number in range(MOST_TOLD + 7))).told()["lineage"]
    assert (len(told["files"]), told["filesLeftOut"]) == (MOST_TOLD, 7)


def test_a_script_tells_what_it_wrote_and_a_procedure_what_answered_it(place: Place) -> None:
    text = "create table s (a int, b int); create temp table w as select a, sum(b) as b from s group by a"
    place.texts["local/procedure/dbo.Fill.sql"] = "create table n as select a, b from w2"
    first = place.run(
        "Script",
        {"scripts": [{"text": text, "type": "NonQuery"}, {"text": "create table w2 as from w", "type": "NonQuery"}]},
    )
    assert shown(first) == {"w2": {"a": "s:a", "b": "s:b+"}}
    second = place.run("SqlServerStoredProcedure", {"storedProcedureName": "dbo.Fill"})
    assert shown(second) == {"n": {"a": "w2:a", "b": "w2:b"}}


def test_translated_statements_are_followed_as_they_ran(place: Place) -> None:
    place.run("Script", {"scripts": [{"type": "NonQuery", "text": "create table s (a int); create table t (a int)"}]})
    place.published = "AzureSqlDatabase"
    text = "IF 1 = 0 INSERT INTO dbo.t SELECT a FROM dbo.nobody; "
    text += "SELECT a + 1 AS a INTO #w FROM dbo.s; INSERT INTO dbo.t SELECT a FROM #w"
    assert shown(place.run("Script", {"scripts": [{"type": "NonQuery", "text": text}]})) == {"t": {"a": "s:a~"}}


def test_a_delete_tells_what_is_gone(place: Place) -> None:
    place.write("in/a.csv", "x")
    output = place.run("Delete", {"dataset": files("Binary", "in/a.csv")})
    assert output["lineage"]["deleted"] == [{"namespace": "Files", "name": "in/a.csv"}]
