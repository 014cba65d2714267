"""The definitions of the blueprint: whole, in step with each other, and with the rules for names."""

from pathlib import Path

import duckdb
import pytest
from tests.blueprints.conftest import make_tower

from manara.app import Factory
from manara.blueprints.make import make_factory
from manara.quality.compile import good_columns
from manara.quality.contract import read_contract

CONTRACTS = (
    "facility",
    "item",
    "reason",
    "stock_card",
    "stock_movement",
    "stock_on_hand",
    "data_value",
    "stock_month",
    "shipment_line",
)


def test_the_factory_has_no_fault(tmp_path: Path) -> None:
    make_factory(tmp_path / "supply", "supply")
    assert Factory.open(tmp_path / "supply").check() == []


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """A warehouse in memory in which prepare.sql has run."""
    factory = make_tower(tmp_path_factory.mktemp("prepared") / "supply").factory.definitions
    warehouse = duckdb.connect()
    warehouse.execute(factory.text("script", "prepare"))
    for name in CONTRACTS:
        contract = read_contract(factory.text("contract", name), name)
        columns = ", ".join(f'"{column}" {kind}' for column, kind in good_columns(contract).items())
        warehouse.execute(f"create table contract_{name} ({columns})")
    return warehouse


@pytest.mark.parametrize("name", CONTRACTS)
def test_prepare_makes_the_columns_of_the_contract(prepared: duckdb.DuckDBPyConnection, name: str) -> None:
    described = "select column_name, data_type from information_schema.columns where table_name = ? order by 1"
    made, wanted = (prepared.execute(described, [table]).fetchall() for table in (name, f"contract_{name}"))
    assert made == wanted


@pytest.mark.parametrize(
    "spelling",
    [
        "Môréka Health Centre",
        "moreka health center",
        "MORÉKA  HEALTH CENTRE",
        "Moreka HC",
        "Moreka H/C",
        "HC Moreka",
        " h / c  moréka ",
        "Health Center Môréka",
    ],
)
def test_spellings_of_one_facility_have_one_key(prepared: duckdb.DuckDBPyConnection, spelling: str) -> None:
    assert prepared.execute("select facility_key(?)", [spelling]).fetchone() == ("hc moreka",)


@pytest.mark.parametrize("other", ["Moreka Health Post", "Moreka Hospital", "Moreka 2 HC", "Morekahc"])
def test_other_facilities_have_other_keys(prepared: duckdb.DuckDBPyConnection, other: str) -> None:
    assert prepared.execute("select facility_key(?)", [other]).fetchone() != ("hc moreka",)
