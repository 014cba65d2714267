"""A factory's folder with packs in small, and the things to harmonise."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.plugin_given import Place

from manara.plugin.connection import CONNECTORS, Database, LinkedServiceGiven

PLACES = """code,name,parent,level
AF,Afghanistan,,0
AF01,Kabul,AF,1
AF04,Maidan Wardak,AF,1
AF30,Hilmand,AF,1
AF0101,Paghman,AF01,2
AF0102,Deh Sabz,AF01,2
AF3001,Lashkargah,AF30,2
SD,Sudan,,0
SD01,Khartoum,SD,1
SD0101,Kabul,SD01,2
"""
COUNTRIES = """iso3,name
AFG,Afghanistan
AFG,أفغانستان
CIV,Côte d'Ivoire
CIV,Ivory Coast
COD,"Congo, the Democratic Republic of the"
COG,Congo
"""
RATES = "currency,day,rate\nAFN,2024-01-01,70\nAFN,2024-02-01,75\n"
AGES = "code,name\nM0T59,0 to 59 months\nM6T23,6 to 23 months\nY0T4,0 to 4 years\n"


def write_pack(root: Path, name: str, content: str, columns: str, **more: str) -> None:
    folder = root / "pack" / name
    folder.mkdir(parents=True, exist_ok=True)
    lines = {"version": '"1"', "file": f"{name}.csv", "columns": columns, **more}
    (folder / "pack.yaml").write_text("".join(f"{key}: {value}\n" for key, value in lines.items()), encoding="utf-8")
    (folder / f"{name}.csv").write_text(content, encoding="utf-8")


@pytest.fixture
def packs(tmp_path: Path) -> Path:
    """A folder with four packs."""
    write_pack(tmp_path, "places", PLACES, "{code: code, name: name, parent: parent, level: level}")
    write_pack(tmp_path, "countries", COUNTRIES, "{code: iso3, name: [name]}")
    write_pack(tmp_path, "rates", RATES, "{currency: currency, day: day, rate: rate}", kind="rates", base="USD")
    write_pack(tmp_path, "ages", AGES, "{code: code, name: name}")
    return tmp_path


@pytest.fixture(params=["duckdb", "postgres"])
def place(packs: Path, request: pytest.FixtureRequest) -> Place:
    """A place to run activities in, once with a warehouse of DuckDB and once with one of PostgreSQL."""
    if request.param == "duckdb":
        return Place(folder=packs)
    address: Callable[[], str] = request.getfixturevalue("postgres")
    properties = {"connectionString": address()}
    given = LinkedServiceGiven(name="Warehouse", type="PostgreSql", properties=properties, root=packs)
    database = CONNECTORS.find("PostgreSql")(given)
    assert isinstance(database, Database)
    return Place(folder=packs, warehouse=database, service=("PostgreSql", properties))
