import json
from pathlib import Path
from typing import Any

import pytest

from manara.app import known
from manara.resources.check import check
from manara.resources.factory import read_factory
from manara.testing.factory import Factory

SERVICE = {"referenceName": "Sql", "type": "LinkedServiceReference"}


def _factory(root: Path, activity: dict[str, Any]) -> None:
    files: dict[str, Any] = {
        "linkedService/Sql": {"type": "AzureSqlDatabase", "typeProperties": {"connectionString": "x"}},
        "local/linkedService/Sql": {"type": "DuckDB", "typeProperties": {"path": "w.duckdb"}},
        "dataset/T": {"type": "AzureSqlTable", "linkedServiceName": SERVICE, "typeProperties": {"table": "t"}},
        "pipeline/P": {"activities": [{"name": "A", **activity}]},
    }
    for path, properties in files.items():
        file = root / f"{path}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"name": file.stem, "properties": properties}))


CALL = {"type": "SqlServerStoredProcedure", "linkedServiceName": SERVICE,
        "typeProperties": {"storedProcedureName": "[dbo].[Load]"}}  # fmt: skip
LOOKUP = {
    "type": "Lookup",
    "typeProperties": {
        "source": {"type": "AzureSqlSource", "sqlReaderStoredProcedureName": "dbo.Load"},
        "dataset": {"referenceName": "T", "type": "DatasetReference"},
    },
}


SINK = {
    "type": "Copy",
    "typeProperties": {
        "source": {"type": "AzureSqlSource"},
        "sink": {"type": "AzureSqlSink", "sqlWriterStoredProcedureName": "[dbo].[Load]"},
    },
    "inputs": [{"referenceName": "T", "type": "DatasetReference"}],
    "outputs": [{"referenceName": "T", "type": "DatasetReference"}],
}


@pytest.mark.parametrize("activity", [CALL, LOOKUP, SINK], ids=["activity", "lookup", "sink"])
def test_a_procedure_without_its_script_is_told_before_the_run(tmp_path: Path, activity: dict[str, Any]) -> None:
    _factory(tmp_path, activity)
    told = [str(fault) for fault in check(read_factory(tmp_path), known())]
    assert any("Write local/procedure/dbo.Load.sql: SQL Server" in fault for fault in told), told
    (tmp_path / "local/procedure").mkdir()
    (tmp_path / "local/procedure/dbo.Load.sql").write_text("select 1")
    assert not any("procedure" in str(fault) for fault in check(read_factory(tmp_path), known()))


def test_a_pipeline_for_azure_sql_runs_on_what_stands_in(tmp_path: Path) -> None:
    text = "IF OBJECT_ID('dbo.T') IS NULL CREATE TABLE dbo.T (Id int) INSERT INTO [dbo].[T] VALUES (1), (2)"
    script = {
        "type": "Script",
        "linkedServiceName": SERVICE,
        "typeProperties": {"scripts": [{"type": "NonQuery", "text": text}]},
    }
    _factory(tmp_path, script)
    (tmp_path / "local/procedure").mkdir()
    (tmp_path / "local/procedure/dbo.Load.sql").write_text("select max(id) as most from t")
    pipeline = json.loads((tmp_path / "pipeline/P.json").read_text())
    after = [{"activity": "A", "dependencyConditions": ["Succeeded"]}]
    pipeline["properties"]["activities"].append({"name": "B", **LOOKUP, "dependsOn": after})
    (tmp_path / "pipeline/P.json").write_text(json.dumps(pipeline))
    run = Factory.open(tmp_path, tmp_path).run("P", real=["A", "B"])
    assert (run.status, run["A"].output["recordsAffected"]) == ("Succeeded", 2), run.message
    assert run["B"].output["firstRow"] == {"most": 2}


POOL = {"referenceName": "Dedicated", "type": "SqlPoolReference"}
POOL_CALL = {"type": "SqlPoolStoredProcedure", "sqlPool": POOL, "typeProperties": CALL["typeProperties"]}


def test_a_procedure_of_a_pool_runs_on_the_linked_service_of_its_name(tmp_path: Path) -> None:
    _factory(tmp_path, POOL_CALL)
    pool = {"name": "Dedicated", "properties": {"type": "DuckDB", "typeProperties": {"path": "w.duckdb"}}}
    (tmp_path / "local/linkedService/Dedicated.json").write_text(json.dumps(pool))
    told = [str(fault) for fault in check(read_factory(tmp_path), known())]
    assert any("Write local/procedure/dbo.Load.sql: SQL Server" in fault for fault in told), told
    (tmp_path / "local/procedure").mkdir()
    (tmp_path / "local/procedure/dbo.Load.sql").write_text("create table loaded as select 1 as n")
    run = Factory.open(tmp_path, tmp_path).run("P", real=["A"])
    assert run.status == "Succeeded", run.message
    assert read_factory(tmp_path).pipeline("P").properties.activities[0].service is not None


def test_a_pool_that_nothing_stands_for_is_told(tmp_path: Path) -> None:
    _factory(tmp_path, POOL_CALL)
    run = Factory.open(tmp_path, tmp_path).run("P", real=["A"])
    assert run.status == "Failed"
    assert "Dedicated" in run.message
