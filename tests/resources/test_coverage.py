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
    services = {"Blob": "AzureBlobStorage", "Sap": "SapBW", "Sql": "AzureSqlDatabase", "Ora": "Oracle"}
    for name, kind in services.items():
        write(tmp_path, "linkedService", name, {"type": kind})
    secret = {"host": "x", "encryptedCredential": "e"}
    write(tmp_path, "linkedService", "Share", {"type": "FileServer", "typeProperties": secret})
    write(tmp_path, "local/linkedService", "Sql", {"type": "DuckDB", "typeProperties": {"path": "x.duckdb"}})
    for name, (kind, linked) in {
        "Csv": ("DelimitedText", "Blob"),
        "Shared": ("Json", "Share"),
        "Table": ("AzureSqlTable", "Sql"),
        "OraTable": ("OracleTable", "Ora"),
        "Lost": ("Json", "Nowhere"),
    }.items():
        write(tmp_path, "dataset", name, {"type": kind, "linkedServiceName": service(linked)})
    opened = factory_of(
        tmp_path,
        good=pipeline(look("Table"), act("Off", "DatabricksNotebook", state="Inactive")),
        waits=pipeline(act("If", "IfCondition", expression="@true", ifTrueActivities=[look("Csv")])),
        bad=pipeline(act("Book", "DatabricksNotebook"), look("Csv")),
        calls_bad=pipeline(call("bad")),
        ring=pipeline(call("ring")),
        lost=pipeline(look("Lost")),
    )
    return Coverage(opened.definitions, known())


def test_a_linked_service_runs_waits_for_a_stand_in_or_cannot(coverage: Coverage) -> None:
    found = {name: (part.type, part.verdict) for name, part in coverage.services.items()}
    assert found == {
        "Blob": ("AzureBlobStorage", "needs a stand-in"),
        "Ora": ("Oracle", "needs a stand-in"),
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
    book = "Book: The activity type 'DatabricksNotebook' does not run here."
    assert found == {
        "bad": ("cannot", book),
        "calls_bad": ("cannot", f"pipeline 'bad', {book}"),
        "good": ("runs", ""),
        "lost": ("cannot", "Look: dataset 'Lost': There is no linkedService 'Nowhere', or it cannot be read."),
        "ring": ("cannot", "It calls itself, directly or through others."),
        "waits": (
            "needs a stand-in",
            "Look: dataset 'Csv': linkedService 'Blob': The linked service type 'AzureBlobStorage' does not run here.",
        ),
    }


def test_a_container_is_not_blamed_for_what_is_inside_it(coverage: Coverage) -> None:
    found = [(part.name, part.verdict) for part in coverage.activities["waits"]]
    assert found == [("If", "runs"), ("Look", "needs a stand-in")]
