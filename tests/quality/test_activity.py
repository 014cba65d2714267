from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.quality.conftest import contract_text, open_warehouse, table

from manara.errors import Faults, WrongDefinition
from manara.plugin.activity import Given
from manara.plugin.connection import CONNECTORS, Database, LinkedServiceGiven, Mark
from manara.plugin.dataset import DATASETS, Dataset, DatasetGiven
from manara.quality.activity import quality_gate

ROWS = [{"code": "a", "quantity": "1"}, {"code": "b", "quantity": "many"}]
CONTRACT = contract_text([{"name": "code", "primaryKey": True}, {"name": "quantity", "logicalType": "integer"}])
TABLE = {"schema": "dbo", "table": "stock"}


@pytest.fixture
def warehouse(tmp_path: Path) -> Database:
    return open_warehouse(tmp_path)


@pytest.fixture
def step(tmp_path: Path, warehouse: Database) -> Given:
    """Return what a QualityGate is given: a landed Parquet file and a table of the warehouse."""
    pq.write_table(table(ROWS), tmp_path / "stock.parquet")
    landed = {"location": {"type": "FileServerLocation", "fileName": "stock.parquet"}}
    return Given(
        name="Check stock",
        properties={"source": {"type": "ParquetSource"}, "contract": "stock", "origin": "stock.csv"},
        inputs=[{"referenceName": "Landed"}],
        outputs=[{"referenceName": "Stock"}],
        linked_service=None,
        mark=Mark(run_id="run-1", step="Check stock", attempt=1),
        dataset=lambda reference: open_dataset(tmp_path, warehouse, {"Landed": landed, "Stock": TABLE}, reference),
        connect=lambda reference: warehouse,
        text=lambda kind, name: CONTRACT,
        report=lambda figures: None,
    )


def open_dataset(
    root: Path, warehouse: Database, definitions: Mapping[str, Mapping[str, Any]], reference: Mapping[str, Any]
) -> Dataset:
    name = reference["referenceName"]
    service = LinkedServiceGiven(name="files", type="FileServer", properties={"host": "."}, root=root)
    connection = CONNECTORS.find("FileServer")(service) if name == "Landed" else warehouse
    kind = "Parquet" if name == "Landed" else "DuckDBTable"
    given = DatasetGiven(name=name, type=kind, properties=definitions[name], connection=connection)
    return DATASETS.find(kind)(given)


def rows_of(warehouse: Database, query: str) -> list[dict[str, Any]]:
    return warehouse.query(query).read_all().to_pylist()


def test_a_landed_file_goes_through_the_gate(step: Given, warehouse: Database) -> None:
    output = {name: value for name, value in quality_gate(step).items() if name not in ("lineage", "quality")}
    assert output == {
        "rowsRead": 2,
        "rowsLoaded": 1,
        "rowsInserted": 1,
        "rowsUpdated": 0,
        "rowsUnchanged": 0,
        "rowsQuarantined": 1,
        "rowsFlagged": 0,
        "rules": {"quantity.type": 1},
        "rowsCorrected": 0,
        "unmappedColumns": [],
        "contract": "stock",
        "contractVersion": "1.0.0",
    }
    stock = {"code": "a", "quantity": 1, "_origin": "stock.csv", "_row": 1, "_run": "run-1"}
    assert rows_of(warehouse, "from main.stock") == [stock]
    refused = {"origin": "stock.csv", "row_number": 2, "step": "Check stock", "status": "open"}
    assert rows_of(warehouse, "select origin, row_number, step, status from quarantine") == [refused]


def test_a_second_attempt_gives_the_first_one_s_output(step: Given, warehouse: Database) -> None:
    first = quality_gate(step)
    assert quality_gate(replace(step, mark=replace(step.mark, attempt=2))) == first
    assert rows_of(warehouse, "select count(*) as rows from stock") == [{"rows": 1}]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"properties": {}}, "typeProperties.contract is missing"),
        ({"properties": {"contract": "stock", "quarantine": "set aside"}}, "always lie in the table 'quarantine'"),
        ({"inputs": []}, "exactly one dataset under inputs"),
        ({"outputs": [{"referenceName": "Stock"}] * 2}, "exactly one dataset under outputs"),
        ({"outputs": [{"referenceName": "Landed"}]}, "Give a dataset of type DuckDBTable"),
    ],
)
def test_a_wrong_definition_is_told(step: Given, change: dict[str, Any], says: str) -> None:
    with pytest.raises(WrongDefinition, match=says) as raised:
        quality_gate(replace(step, **change))
    assert raised.value.where == "activity 'Check stock'"


def test_a_faulty_contract_is_told_with_its_file(step: Given) -> None:
    with pytest.raises(Faults, match=r"contract/stock\.yaml schema: This is missing\."):
        quality_gate(replace(step, text=lambda kind, name: "{apiVersion: v3.1.0, kind: DataContract}"))
