from pathlib import Path
from typing import Any

import pytest
from tests.factories import Json, act, factory_of, pipeline, write

from manara.app import known
from manara.resources.coverage import Coverage


def service(name: str) -> Json:
    return {"referenceName": name, "type": "LinkedServiceReference"}


def data(name: str) -> Json:
    return {"referenceName": name, "type": "DatasetReference"}


def call(name: str) -> Json:
    return act("Call", "ExecutePipeline", pipeline={"referenceName": name, "type": "PipelineReference"})


def look(name: str, **more: Any) -> Json:
    return act("Look", "Lookup", source={}, dataset=data(name), **more)


@pytest.fixture
def coverage(tmp_path: Path) -> Coverage:
    services = {"Blob": "AzureBlobStorage", "Sap": "SapBW", "Sql": "AzureSqlDatabase", "Ora": "Sybase"}
    for name, kind in services.items():
        write(tmp_path, "linkedService", name, {"type": kind})
    secret = {"host": "x", "encryptedCredential": "e"}
    write(tmp_path, "linkedService", "Share", {"type": "FileServer", "typeProperties": secret})
    write(tmp_path, "local/linkedService", "Sql", {"type": "DuckDB", "typeProperties": {"path": "x.duckdb"}})
    for name, (kind, linked) in {
        "Csv": ("DelimitedText", "Blob"),
        "Shared": ("Json", "Share"),
        "Table": ("AzureSqlTable", "Sql"),
        "OraTable": ("SybaseTable", "Ora"),
        "Lost": ("Json", "Nowhere"),
    }.items():
        write(tmp_path, "dataset", name, {"type": kind, "linkedServiceName": service(linked)})
    opened = factory_of(
        tmp_path,
        good=pipeline(look("Table"), act("Off", "DatabricksNotebook", state="Inactive")),
        waits=pipeline(act("If", "IfCondition", expression="@true", ifTrueActivities=[look("Csv")])),
        bad=pipeline(act("Book", "ExecuteSSISPackage"), look("Csv")),
        calls_bad=pipeline(call("bad")),
        ring=pipeline(call("ring")),
        lost=pipeline(look("Lost")),
    )
    return Coverage(opened.definitions, known())


def test_a_linked_service_runs_waits_for_a_stand_in_or_cannot(coverage: Coverage) -> None:
    found = {name: (part.type, part.verdict) for name, part in coverage.services.items()}
    assert found == {
        "Blob": ("AzureBlobStorage", "needs a stand-in"),
        "Ora": ("Sybase", "needs a stand-in"),
        "Sap": ("SapBW", "cannot"),
        "Share": ("FileServer", "needs a stand-in"),
        "Sql": ("AzureSqlDatabase", "runs"),
    }
    assert "local/linkedService/Blob.json" in coverage.services["Blob"].advice


def test_a_dataset_is_as_good_as_its_type_and_its_linked_service(coverage: Coverage) -> None:
    found = {name: part.verdict for name, part in coverage.datasets.items()}
    assert found == {
        "Csv": "needs a stand-in",
        "Lost": "cannot",
        "OraTable": "cannot",
        "Shared": "needs a stand-in",
        "Table": "runs",
    }


def test_a_pipeline_is_as_good_as_the_worst_it_does_or_calls(coverage: Coverage) -> None:
    found = {name: (part.verdict, part.reason) for name, part in coverage.pipelines.items()}
    book = "Book: The activity type 'ExecuteSSISPackage' does not run here."
    assert found == {
        "bad": ("cannot", book),
        "calls_bad": ("cannot", f"pipeline 'bad', {book}"),
        "good": ("runs", ""),
        "lost": ("cannot", "Look: dataset 'Lost': There is no linkedService 'Nowhere', or it cannot be read."),
        "ring": ("cannot", "It calls itself, directly or through others."),
        "waits": (
            "needs a stand-in",
            "Look: dataset 'Csv': linkedService 'Blob': "
            "Azure opens it by the factory's managed identity, which is not here.",
        ),
    }


def test_a_container_is_not_blamed_for_what_is_inside_it(coverage: Coverage) -> None:
    found = [(part.name, part.verdict) for part in coverage.activities["waits"]]
    assert found == [("If", "runs"), ("Look", "needs a stand-in")]


def test_a_notebook_waits_for_its_script(tmp_path: Path) -> None:
    books = {
        "waits": act("Book", "DatabricksNotebook", notebookPath="/a/b"),
        "of a person": act("Book", "DatabricksNotebook", notebookPath="/Users/bob@example.org/b"),
        "runs": act("Book", "DatabricksNotebook", notebookPath="/a/c"),
        "computed": act("Book", "DatabricksNotebook", notebookPath="@concat('/a/', 'd')"),
        "jar": act("Book", "DatabricksSparkJar", mainClassName="x"),
    }
    (tmp_path / "local/notebook/a").mkdir(parents=True)
    (tmp_path / "local/notebook/a/c.ipynb").write_text("{}")
    opened = factory_of(tmp_path, **{name: pipeline(book) for name, book in books.items()})
    found = {name: part for name, (part,) in Coverage(opened.definitions, known()).activities.items()}
    assert {name: part.verdict for name, part in found.items()} == {
        "waits": "needs a stand-in",
        "of a person": "needs a stand-in",
        "runs": "runs",
        "computed": "runs",
        "jar": "cannot",
    }
    assert "Write local/notebook/a/b.py" in found["waits"].advice
    assert "DatabricksSparkPython" in found["jar"].advice


KEY = {"type": "AzureKeyVaultSecret"}


@pytest.mark.parametrize(
    ("kind", "properties", "runs"),
    [
        ("AzureBlobFS", {"url": "https://x"}, False),
        ("AzureBlobFS", {"url": "https://x", "accountKey": KEY}, True),
        ("AzureBlobStorage", {"connectionString": KEY}, True),
        ("AzureBlobStorage", {"serviceEndpoint": "https://x"}, False),
        ("AzureBlobStorage", {"containerUri": "https://x", "authenticationType": "Anonymous"}, True),
        ("AzureSqlDatabase", {"connectionString": "Data Source=x;User ID=u;Password=p"}, True),
        ("AzureSqlDatabase", {"connectionString": "Data Source=x;User ID=u", "password": KEY}, True),
        ("AzureSqlDatabase", {"connectionString": "Data Source=x;Initial Catalog=y"}, False),
        ("AzureSqlDatabase", {"connectionString": KEY}, True),
        ("AzureSqlDatabase", {"connectionString": "Password=p", "encryptedCredential": "e"}, False),
        ("AzureSqlDatabase", {"authenticationType": "UserAssignedManagedIdentity", "server": "x"}, False),
        ("AzureDatabricks", {"domain": "https://x", "encryptedCredential": "e"}, True),
        ("AzureKeyVault", {"baseUrl": "https://x", "encryptedCredential": "e"}, True),
        ("FileServer", {"host": "lake"}, True),
    ],
)
def test_a_linked_service_that_only_azure_can_open_waits_for_a_stand_in(
    tmp_path: Path, kind: str, properties: Json, runs: bool
) -> None:
    write(tmp_path, "linkedService", "S", {"type": kind, "typeProperties": properties})
    part = Coverage(factory_of(tmp_path).definitions, known()).services["S"]
    assert (part.verdict == "runs", "local/linkedService/S.json" in part.advice) == (runs, not runs)
