"""Supply control towers in temporary folders: with the demo's data, and with little."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.blueprints.by_hand import ByHand

from manara.app import Factory
from manara.blueprints.make import make_factory
from manara.blueprints.supply.faults import Planted
from manara.blueprints.supply.generate import generate
from manara.connectors.databases import duckdb_file
from manara.store.record import PipelineRun

DEMO_SEED = 1
TABLES = ("dim_facility", "dim_item", "dim_vendor", "dim_date", "fact_stock_month", "fact_shipment_line")


@dataclass(slots=True, kw_only=True)
class Tower:
    """A control tower that can be run and asked."""

    factory: Factory
    planted: Planted
    runs: list[PipelineRun]

    @property
    def lake(self) -> Path:
        return self.factory.root / "data" / "lake"

    def query(self, statement: str) -> list[dict[str, Any]]:
        return self.factory.query("Warehouse", statement)

    def value(self, statement: str) -> Any:
        """Return the one value that a query gives."""
        (row,) = self.query(statement)
        (value,) = row.values()
        return value

    def run(self) -> dict[str, Any]:
        """Run the pipeline, which must succeed, and return what it tells."""
        self.runs.append(self.factory.run("supply"))
        assert self.runs[-1].status == "Succeeded", self.runs[-1].message
        told: dict[str, Any] = self.runs[-1].output["pipelineReturnValue"]
        return told

    def holdings(self) -> dict[str, list[dict[str, Any]]]:
        """Return all rows of the star, of the log and of quarantine."""
        return {table: self.query(f"from {table} order by all") for table in (*TABLES, "load_log", "quarantine")}


def make_tower(folder: Path) -> Tower:
    """Return a tower with an empty inbox."""
    make_factory(folder, "supply")
    return Tower(factory=Factory.open(folder), planted=Planted(), runs=[])


@pytest.fixture(scope="session")
def tower(tmp_path_factory: pytest.TempPathFactory) -> Tower:
    """A tower that has run once on the demo's data. Tests only ask it."""
    made = make_tower(tmp_path_factory.mktemp("tower") / "supply")
    made.planted = generate(made.lake, DEMO_SEED)
    made.run()
    return made


@pytest.fixture(scope="session")
def by_hand(tower: Tower) -> ByHand:
    """The same numbers, worked out from the files."""
    return ByHand(tower.lake / "inbox")


SMALL = {"facilities": 14, "items": 2, "months": 3}


@pytest.fixture(scope="session")
def little(tmp_path_factory: pytest.TempPathFactory) -> Tower:
    """A tower that has run once on little data, closed, to be copied."""
    made = make_tower(tmp_path_factory.mktemp("little") / "supply")
    made.planted = generate(made.lake, 5, **SMALL, ledgers=2, shipments=120)
    made.run()
    duckdb_file.close_all()
    return made


@pytest.fixture
def small(little: Tower, tmp_path: Path) -> Tower:
    """A tower of one's own that has run once on little data."""
    root = tmp_path / "supply"
    shutil.copytree(little.factory.root, root)
    return Tower(factory=Factory.open(root), planted=Planted(list(little.planted.faults)), runs=[])
