"""Refused rows on the command line: corrected, released, and what had refused them run again."""

import json
from pathlib import Path

import pytest
from tests.cli.test_main import manara
from tests.factories import act, pipeline, write
from tests.quality.conftest import contract_text

CONTRACT = contract_text([{"name": "code", "primaryKey": True}, {"name": "quantity", "logicalType": "integer"}])
WAREHOUSE = {"linkedServiceName": {"referenceName": "Warehouse", "type": "LinkedServiceReference"}}
FILE = {"referenceName": "Landed", "type": "DatasetReference",
        "parameters": {"file": {"value": "@pipeline().parameters.file", "type": "Expression"}}}  # fmt: skip
TOTAL = "drop table if exists total; create table total as select sum(quantity) as n from stock_clean"


@pytest.fixture(params=["duckdb", "postgres"])
def factory(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A factory in front of a warehouse of DuckDB, and of one of PostgreSQL; see `write_factory`."""
    properties: dict[str, str] = {"path": "w.duckdb"}
    if request.param == "postgres":
        properties = {"connectionString": request.getfixturevalue("postgres")()}
    return write_factory(tmp_path, "DuckDB" if request.param == "duckdb" else "PostgreSql", properties)


def write_factory(tmp_path: Path, kind: str, properties: dict[str, str]) -> Path:
    """A factory whose pipeline `main` calls `load_file` with its own parameter, and adds up what was loaded."""
    write(tmp_path, "linkedService", "Warehouse", {"type": kind, "typeProperties": properties})
    write(tmp_path, "linkedService", "Files", {"type": "FileServer", "typeProperties": {"host": "."}})
    write(tmp_path, "dataset", "Stock", {
        "type": f"{kind}Table", **WAREHOUSE, "typeProperties": {"schema": "main", "table": "stock_clean"},
    })  # fmt: skip
    write(tmp_path, "dataset", "Landed", {
        "type": "DelimitedText", "parameters": {"file": {"type": "string"}},
        "linkedServiceName": {"referenceName": "Files", "type": "LinkedServiceReference"},
        "typeProperties": {
            "location": {"type": "FileServerLocation", "fileName": {"value": "@dataset().file", "type": "Expression"}},
            "firstRowAsHeader": True,
        },
    })  # fmt: skip
    gate = act("Check", "QualityGate", contract="stock", source={"type": "DelimitedTextSource"},
               origin={"value": "@pipeline().parameters.file", "type": "Expression"})  # fmt: skip
    stock = {"referenceName": "Stock", "type": "DatasetReference"}
    write(tmp_path, "pipeline", "load_file", pipeline(
        {**gate, "inputs": [FILE], "outputs": [stock]}, parameters={"file": {"type": "string"}},
    ))  # fmt: skip
    call = act("Load", "ExecutePipeline", pipeline={"referenceName": "load_file", "type": "PipelineReference"},
               waitOnCompletion=True,
               parameters={"file": {"value": "@pipeline().parameters.file", "type": "Expression"}})  # fmt: skip
    add = {**act("Add", "Script", after=["Load"], scripts=[{"type": "NonQuery", "text": TOTAL}]), **WAREHOUSE}
    write(tmp_path, "pipeline", "main", pipeline(call, add, parameters={"file": {"type": "string"}}))
    (tmp_path / "contract").mkdir()
    (tmp_path / "contract" / "stock.yaml").write_text(CONTRACT)
    (tmp_path / "may.csv").write_text("code,quantity\na,1\nb,two\nc,three\n")
    return tmp_path


def total(factory: Path) -> list[dict[str, int]]:
    return list(json.loads(manara("query", "select n::bigint as n from total", "--json", at=factory).stdout))


def test_released_rows_go_on_through_the_pipeline_that_refused_them(factory: Path) -> None:
    ran = manara("run", "main", "-p", "file=may.csv", at=factory)
    assert (ran.returncode, total(factory)) == (0, [{"n": 1}]), ran.stdout + ran.stderr
    refused = json.loads(manara("quarantine", "list", "--json", at=factory).stdout)["value"]
    for row, quantity in zip(refused, (2, 3), strict=True):
        assert "is good now" in manara("quarantine", "fix", row["id"], f"quantity={quantity}", at=factory).stdout
    told = manara("quarantine", "release", "--replay", at=factory)
    assert (told.returncode, "2 rows were loaded." in told.stdout) == (0, True), told.stdout + told.stderr
    assert told.stdout.count("Succeeded: main, run") == 1
    assert total(factory) == [{"n": 6}]
    traced = manara("lineage", "stock_clean.quantity", "--row", "code=b", at=factory).stdout
    assert ("may.csv, line 3" in traced, "b,two" in traced) == (True, True)
    assert "has corrected this row" in traced


def test_rows_of_a_run_that_the_journal_does_not_know_are_loaded_and_the_rest_is_told(factory: Path) -> None:
    manara("run", "main", "-p", "file=may.csv", at=factory)
    (row, _) = json.loads(manara("quarantine", "list", "--json", at=factory).stdout)["value"]
    manara("quarantine", "fix", row["id"], "quantity=2", at=factory)
    for journal in (factory / "data").rglob("*.sqlite*"):
        journal.unlink()
    told = manara("quarantine", "release", row["id"], "--replay", at=factory)
    assert (told.returncode, told.stdout) == (2, "1 rows were loaded.\n")
    assert f"There is no run '{row['run_id']}'." in told.stderr
