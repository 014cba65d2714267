import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.factories import Json, act, pipeline, write

from manara.app import Factory, known
from manara.errors import Broken, Fault, Faults
from manara.plugin.connection import ABILITIES, CONNECTORS
from manara.plugin.dataset import DATASETS
from manara.registry import Registry
from manara.resources.check import check
from manara.resources.factory import read_factory

SERVICES = {
    "Lake": ("FileServer", {"host": "lake"}),
    "Page": ("HttpServer", {"url": "https://example.org", "authenticationType": "Anonymous"}),
    "Base": ("DuckDB", {"path": "w.duckdb"}),
    "Notes": ("MongoDbV2", {"connectionString": "mongodb://localhost", "database": "d"}),
    "Feed": ("OData", {"url": "https://example.org", "authenticationType": "Anonymous"}),
    "Vault": ("AzureKeyVault", {"baseUrl": "https://v.vault.azure.net"}),
}
DATASETS_OF = {
    "Csv": ("DelimitedText", "Lake"),
    "Sheet": ("Excel", "Lake"),
    "Far": ("DelimitedText", "Page"),
    "Table": ("DuckDBTable", "Base"),
    "Note": ("MongoDbV2Collection", "Notes"),
    "Set": ("ODataResource", "Feed"),
}


def named(name: str, kind: str = "DatasetReference") -> Json:
    return {"referenceName": name, "type": kind}


def copy(source: str, sink: str, from_: Json | None = None, to: Json | None = None) -> Json:
    return {**act("A", "Copy", source=from_ or {}, sink=to or {}), "inputs": [named(source)], "outputs": [named(sink)]}


def on(service: str, kind: str, **more: Any) -> Json:
    return {**act("A", kind, **more), "linkedServiceName": named(service, "LinkedServiceReference")}


def made(root: Path, activity: Json) -> Path:
    for name, (kind, properties) in SERVICES.items():
        write(root, "linkedService", name, {"type": kind, "typeProperties": properties})
    for name, (kind, service) in DATASETS_OF.items():
        told: Json = {"type": kind, "linkedServiceName": named(service, "LinkedServiceReference"), "typeProperties": {}}
        write(root, "dataset", name, told)
    write(root, "pipeline", "p", pipeline(activity))
    return root


def errors_of(root: Path) -> list[str]:
    found = check(read_factory(root), known())
    return [str(fault).removeprefix("pipeline/p.json properties.") for fault in found if fault.severity == "error"]


CANNOT = {
    "a sheet is not written": (
        copy("Csv", "Sheet"),
        "activities[0].outputs[0]: The dataset 'Sheet' is of the type Excel",
    ),
    "a web server is not written": (
        copy("Csv", "Far"),
        "activities[0].outputs[0]: The linked service 'Page' is of the type HttpServer, which can only be read.",
    ),
    "a file knows no upsert": (
        copy("Table", "Csv", to={"writeBehavior": "Upsert"}),
        "DelimitedText, which knows no upsert",
    ),
    "a file has no procedure": (copy("Table", "Csv", to={"sqlWriterStoredProcedureName": "p"}), "no stored procedures"),
    "what is read from the web stays there": (
        copy("Far", "Csv", {"storeSettings": {"deleteFilesAfterCompletion": True}}),
        "activities[0].inputs[0]: The linked service 'Page' is of the type HttpServer, which cannot be deleted.",
    ),
    "a table is not deleted": (
        act("A", "Delete", dataset=named("Table")),
        "activities[0].typeProperties.dataset: The dataset 'Table' is of the type DuckDBTable, which cannot be del",
    ),
    "a table has no children": (
        act("A", "GetMetadata", dataset=named("Table"), fieldList=["childItems"]),
        "DuckDBTable, which has no childItems. Ask for other fields",
    ),
    "a web server has no children": (
        act("A", "Validation", dataset=named("Far"), childItems=True),
        "HttpServer, which has no childItems",
    ),
    "documents run no SQL": (
        on("Notes", "Script", scripts=[]),
        "activities[0].linkedServiceName: The linked service 'Notes'",
    ),
    "documents have no procedures": (
        on("Notes", "SqlServerStoredProcedure", storedProcedureName="p"),
        "MongoDbV2, which has no stored procedures",
    ),
}


@pytest.mark.parametrize(("activity", "says"), CANNOT.values(), ids=CANNOT)
def test_what_a_type_cannot_do_is_told_before_anything_runs(tmp_path: Path, activity: Json, says: str) -> None:
    (told,) = errors_of(made(tmp_path, activity))
    assert says in told
    with pytest.raises(Faults, match="the type"):
        Factory.open(tmp_path).run("p")
    assert not (tmp_path / "data").exists()


CAN = {
    "csv to a table, upserted": copy("Csv", "Table", to={"writeBehavior": "upsert"}),
    "a sheet is read and deleted": copy("Sheet", "Csv", {"storeSettings": {"deleteFilesAfterCompletion": True}}),
    "from the web": copy("Far", "Csv", {"storeSettings": {"deleteFilesAfterCompletion": "@equals(1, 2)"}}),
    "to documents": copy("Set", "Note", to={"writeBehavior": "upsert"}),
    "a file's children": act("A", "GetMetadata", dataset=named("Csv"), fieldList=["childItems"]),
    "whether a page is there": act("A", "GetMetadata", dataset=named("Far"), fieldList=["exists"]),
    "statements": on("Base", "Script", scripts=[{"type": "Query", "text": "select 1"}]),
    "a copy that is switched off": {**copy("Csv", "Sheet"), "state": "Inactive"},
}


@pytest.mark.parametrize("activity", CAN.values(), ids=CAN)
def test_what_a_type_can_do_is_no_fault(tmp_path: Path, activity: Json) -> None:
    assert errors_of(made(tmp_path, activity)) == []


def test_what_stands_in_decides_what_can_be_done(tmp_path: Path) -> None:
    root = made(tmp_path, copy("Csv", "Far"))
    write(root, "local/linkedService", "Page", {"type": "FileServer", "typeProperties": {"host": "page"}})
    assert errors_of(root) == []


def test_a_missing_library_is_a_warning_with_the_line_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.import_module

    def absent(module: str) -> ModuleType:
        if module.endswith("mongodb"):
            raise ModuleNotFoundError("No module named 'pymongo'", name="pymongo")
        return real(module)

    monkeypatch.setattr(importlib, "import_module", absent)
    for registry, name in ((CONNECTORS, "MongoDbV2"), (DATASETS, "MongoDbV2Collection")):
        monkeypatch.delitem(registry._plugins, name, raising=False)
    monkeypatch.setattr(CONNECTORS, "_loaded", CONNECTORS._loaded - {"manara.connectors.databases.mongodb"})
    monkeypatch.setattr(DATASETS, "_loaded", DATASETS._loaded - {"manara.connectors.databases.mongodb"})
    root = made(tmp_path, copy("Csv", "Note", to={"writeBehavior": "upsert"}))
    told: list[Fault] = [one for one in check(read_factory(root), known()) if "pymongo" in one.message]
    assert [(one.file, one.path, one.severity) for one in told] == [
        ("dataset/Note.json", "properties.type", "warning"),
        ("linkedService/Notes.json", "properties.type", "warning"),
    ]
    assert "pip install 'manara[mongodb]'" in told[0].advice


def test_a_plug_in_that_says_nothing_can_do_everything() -> None:
    registry: Registry[int] = Registry("test", ABILITIES)
    registry.register("Any")(1)
    registry.register("Some", can={"read"})(2)
    assert registry.can("Any") == set(ABILITIES)
    assert registry.can("Some") == {"read"}
    with pytest.raises(Broken, match="raed"):
        registry.register("Other", can={"raed"})
