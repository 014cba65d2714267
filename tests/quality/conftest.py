"""A warehouse in a temporary folder, and a gate in front of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

import manara.connectors.databases.duckdb
import manara.connectors.databases.postgres  # noqa: F401 - both register their connectors
from manara.plugin.connection import CONNECTORS, Database, LinkedServiceGiven, Mark
from manara.quality.contract import read_contract
from manara.quality.gate import pass_gate

Row = Mapping[str, Any]


def contract_text(properties: Sequence[Row], quality: Sequence[Row] = (), **fields: Any) -> str:
    """Return the YAML of a contract `stock` for the table `stock_clean`."""
    table = {"name": "stock_clean", "logicalType": "object", "properties": list(properties), "quality": list(quality)}
    document = {"apiVersion": "v3.1.0", "kind": "DataContract", "id": "c-1", "name": "stock", "version": "1.0.0"}
    return yaml.safe_dump(document | {"status": "active", "schema": [table]} | fields, sort_keys=False)


@dataclass(kw_only=True)
class Gate:
    """A gate in front of a warehouse: `rows` in, the output of the activity back."""

    warehouse: Database
    runs: int = 0
    schema: str = ""
    reported: list[Any] = field(default_factory=list)

    def take(
        self, contract: str, rows: "Sequence[Row] | pa.Table", *, origin: str = "a.csv", columns: Sequence[str] = ()
    ) -> dict[str, Any]:
        self.runs += 1
        return self.warehouse.once(
            Mark(run_id=f"run-{self.runs}", step="Check", attempt=1),
            lambda transaction: pass_gate(
                transaction,
                read_contract(contract, "contract/stock.yaml"),
                (rows if isinstance(rows, pa.Table) else table(rows, columns)).to_reader(),
                target=(self.schema, "stock_clean"),
                dialect=self.warehouse.dialect,
                origin=origin,
                mark=Mark(run_id=f"run-{self.runs}", step="Check", attempt=1),
                report=self.reported.append,
            ),
        )

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in self.warehouse.query(query).read_all().to_pylist()]

    def do(self, *statements: str) -> None:
        self.runs += 1

        def work(transaction: Any) -> dict[str, Any]:
            for statement in statements:
                transaction.execute(statement)
            return {}

        self.warehouse.once(Mark(run_id=f"run-{self.runs}", step="Do", attempt=1), work)

    def refused(self) -> dict[int, list[str]]:
        """Return the reasons of the refused rows by row number."""
        return dict(self.ask("select row_number, reasons from quarantine where status = 'open' order by 1"))


def table(rows: Sequence[Row], columns: Sequence[str] = ()) -> pa.Table:
    """Return rows as texts, as a DelimitedText source gives them."""
    names = list(columns) or list(dict.fromkeys(name for row in rows for name in row))
    values = {name: [None if row.get(name) is None else str(row[name]) for row in rows] for name in names}
    return pa.table({name: pa.array(column, pa.string()) for name, column in values.items()})


IN_BOTH = pytest.mark.parametrize("gate", ["duckdb", "postgres"], indirect=True)
"""Lets a test run in front of a warehouse of DuckDB, and of one of PostgreSQL."""


@pytest.fixture
def gate(tmp_path: Path, request: pytest.FixtureRequest) -> Gate:
    return gate_to(getattr(request, "param", "duckdb"), tmp_path, request)


def gate_to(dialect: str, folder: Path, request: pytest.FixtureRequest) -> Gate:
    """Return a gate in front of a new warehouse."""
    if dialect == "duckdb":
        return Gate(warehouse=open_warehouse(folder))
    return Gate(warehouse=open_postgres(folder, request.getfixturevalue("postgres")()))


def open_postgres(folder: Path, address: str) -> Database:
    given = LinkedServiceGiven(name="w", type="PostgreSql", properties={"connectionString": address}, root=folder)
    opened = CONNECTORS.find("PostgreSql")(given)
    assert isinstance(opened, Database)
    return opened


def open_warehouse(folder: Path) -> Database:
    given = LinkedServiceGiven(name="w", type="DuckDB", properties={"path": "w.duckdb"}, root=folder)
    opened = CONNECTORS.find("DuckDB")(given)
    assert isinstance(opened, Database)
    return opened
