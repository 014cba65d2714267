"""Whole pipelines from a factory's files: a service's pages into a table, and the changes of a DHIS2 run after run."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.dhis2_server import PASSWORD, USER, Dhis2, dhis2_server
from tests.factories import act, factory_of, pipeline, write
from tests.plugin_given import Place
from tests.web_server import Asked, Reply, serving

from manara.app import Factory

Json = dict[str, Any]


def link(root: Path, name: str, kind: str, **properties: Any) -> None:
    write(root, "linkedService", name, {"type": kind, "typeProperties": properties})


def data(root: Path, name: str, kind: str, service: str, /, **properties: Any) -> None:
    reference = {"referenceName": service, "type": "LinkedServiceReference"}
    write(root, "dataset", name, {"type": kind, "linkedServiceName": reference, "typeProperties": properties})


def copy(source: str, sink: str, source_settings: Json, sink_settings: Json, **more: Any) -> Json:
    def named(name: str) -> list[Json]:
        return [{"referenceName": name, "type": "DatasetReference"}]

    return act("Copy", "Copy", inputs=named(source), outputs=named(sink), source=source_settings, sink=sink_settings,
               **more)  # fmt: skip


def query(root: Path, statement: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in Place(folder=root).query(statement)]


def done(factory: Factory) -> Json:
    run = factory.run("Main")
    assert run.status == "Succeeded", run.activities["Copy"].error
    return dict(run.activities["Copy"].output)


def people(asked: Asked) -> Reply:
    page = int(asked.path.partition("page=")[2] or 1)
    found = [{"id": number, "name": {"first": f"n{number}"}} for number in range(page * 2 - 1, min(page * 2 + 1, 6))]
    more = {"next": f"/people?page={page + 1}"} if page < 3 else {}
    return Reply(json={"country": "KE", "data": found, **more})


@pytest.fixture
def mapping() -> Json:
    names = {"$['country']": "country", "['id']": "id", "['name']['first']": "name"}
    pairs = [{"source": {"path": path}, "sink": {"name": name}} for path, name in names.items()]
    return {"type": "TabularTranslator", "mappings": pairs, "collectionReference": "$['data']"}


@pytest.mark.parametrize("sink", ["table", "file"])
def test_all_pages_of_a_service_arrive_in_a(tmp_path: Path, mapping: Json, sink: str) -> None:
    link(tmp_path, "Warehouse", "DuckDB", path="warehouse.duckdb")
    link(tmp_path, "Folder", "FileServer", host="out")
    data(tmp_path, "table", "DuckDBTable", "Warehouse", table="people")
    data(tmp_path, "file", "Json", "Folder", location={"type": "FileServerLocation", "fileName": "people.json"})
    data(tmp_path, "People", "RestResource", "Service", relativeUrl="people")
    source = {"type": "RestSource", "paginationRules": {"AbsoluteUrl": "$.next"}}
    target = {"type": "DuckDBSink", "tableOption": "autoCreate"} if sink == "table" else {"type": "JsonSink"}
    with serving(people) as server:
        link(tmp_path, "Service", "RestService", url=server.url, authenticationType="Anonymous")
        factory = factory_of(tmp_path, Main=pipeline(copy("People", sink, source, target, translator=mapping)))
        output = done(factory)
    assert (output["rowsRead"], output["rowsCopied"], output["filesRead"]) == (5, 5, 3)
    expected = [("KE", number, f"n{number}") for number in range(1, 6)]
    if sink == "table":
        assert query(tmp_path, "select country, id, name from people order by id") == expected
    else:
        lines = (tmp_path / "out" / "people.json").read_text().splitlines()
        assert [tuple(json.loads(line).values()) for line in lines] == expected


def test_changes_and_deletes_of_a_dhis2_arrive_run_after_run(tmp_path: Path) -> None:
    link(tmp_path, "Warehouse", "DuckDB", path="warehouse.duckdb")
    keys = ["dataElement", "period", "orgUnit", "categoryOptionCombo", "attributeOptionCombo"]
    data(tmp_path, "table", "DuckDBTable", "Warehouse", table="data_value")
    source = {"type": "Dhis2Source", "incremental": True}
    target = {"type": "DuckDBSink", "tableOption": "autoCreate", "writeBehavior": "upsert",
              "upsertSettings": {"keys": keys}}  # fmt: skip
    with dhis2_server(Dhis2(facilities=1)) as running:
        server = running.data
        secret = {"type": "SecureString", "value": PASSWORD}
        link(tmp_path, "Dhis2", "Dhis2", url=running.url, username=USER, password=secret)
        data(tmp_path, "Values", "Dhis2Resource", "Dhis2", kind="dataValueSet", dataSet=server.data_set,
             orgUnit=server.root, children=True)  # fmt: skip
        factory = factory_of(tmp_path, Main=pipeline(copy("Values", "table", source, target)))
        first = done(factory)
        server.pass_time(days=7)
        changed, gone = server.live[0], server.live[1]
        server.put(changed["dataElement"], changed["period"], changed["orgUnit"], "12345")
        server.put(gone["dataElement"], gone["period"], gone["orgUnit"], None)
        server.pass_time(days=2)
        second = done(factory)
        server.pass_time(days=7)
        third = done(factory)
        live = {(row["dataElement"], row["period"], row["orgUnit"], row["value"]) for row in server.live}
    assert (first["rowsCopied"], second["rowsCopied"], third["rowsCopied"]) == (3 * 5 * 12, 2, 0)
    found = query(tmp_path, "select dataElement, period, orgUnit, value from data_value where not deleted")
    assert set(found) == live
    assert query(tmp_path, "select count(*) from data_value") == [(3 * 5 * 12,)]
    raw = tmp_path / "data" / "raw" / "Dhis2" / "Values"
    assert len(list(raw.glob("*/complete.json"))) == 3


@pytest.mark.parametrize("skips", [False, True], ids=["strict", "tolerant"])
def test_a_file_is_written_to_a_dhis2_and_its_bad_row_is_named(tmp_path: Path, skips: bool) -> None:
    link(tmp_path, "Folder", "FileServer", host="in")
    data(tmp_path, "file", "DelimitedText", "Folder", firstRowAsHeader=True,
         location={"type": "FileServerLocation", "fileName": "v.csv"})  # fmt: skip
    with dhis2_server(Dhis2(facilities=1)) as running:
        server = running.data
        secret = {"type": "SecureString", "value": PASSWORD}
        link(tmp_path, "Dhis2", "Dhis2", url=running.url, username=USER, password=secret)
        data(tmp_path, "Values", "Dhis2Resource", "Dhis2", kind="dataValueSet")
        lines = [f"{server.elements[0]},2026{month:02},{server.root},{month}" for month in (1, 2)]
        lines.insert(1, f"{server.elements[0]},202612,nowhere,5")
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "v.csv").write_text("\n".join(["dataElement,period,orgUnit,value", *lines]))
        step = copy("file", "Values", {"type": "DelimitedTextSource"}, {"type": "Dhis2Sink", "writeBatchSize": 1},
                    enableSkipIncompatibleRow=skips)  # fmt: skip
        run = factory_of(tmp_path, Main=pipeline(step)).run("Main")
        written = {(value["period"], value["value"]) for value in server.live if value["period"] > "2026"}
    ended = run.activities["Copy"]
    if skips:
        output = ended.output
        assert (output["rowsRead"], output["rowsCopied"], output["rowsSkipped"]) == (3, 2, 1)
        assert output["importCount"] == {"imported": 2, "updated": 0, "ignored": 0, "deleted": 0}
        assert written == {("202601", "1"), ("202602", "2")}
    else:
        assert (run.status, written) == ("Failed", set())
        assert "Organisation unit not found" in str(ended.error)
