"""A warehouse of DuckDB and one of PostgreSQL, and a subject area in small."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.plugin_given import Place, files

from manara.plugin.connection import CONNECTORS, Database, LinkedServiceGiven

SUBJECT = """
subject: supply
dimensions:
  - name: facility
    key: [id]
    attributes:
      - {name: id, type: string}
      - {name: name, type: string}
      - {name: district, type: string, history: 2}
  - name: item
    key: [code]
    attributes: [{name: code, type: string}, {name: title, type: string}]
facts:
  - name: stock
    grain: one item at one facility in one month
    key: [facility, item, date]
    asOf: month
    roles:
      - {name: facility, dimension: facility, from: [site]}
      - {name: item, dimension: item, from: [item], late: unknown}
      - {name: date, dimension: date, from: [month]}
    measures: [{name: quantity, type: integer, additivity: semi-additive, over: [date]}]
"""
Rows = list[dict[str, Any]]


@dataclass(kw_only=True)
class Star:
    """A warehouse with a subject area; loads are made from rows."""

    place: Place
    days: int = 0
    subject: str = field(default=SUBJECT)

    def dimension(self, rows: Rows, name: str = "facility", *, step: str = "", **more: Any) -> dict[str, Any]:
        """Load rows into a dimension."""
        return self._load("LoadDimension", rows, {"subject": "supply", "dimension": name, **more}, step)

    def fact(self, rows: Rows, *, step: str = "", **more: Any) -> dict[str, Any]:
        """Load rows into the fact."""
        return self._load("LoadFact", rows, {"subject": "supply", "fact": "stock", **more}, step)

    def _load(self, kind: str, rows: Rows, told: dict[str, Any], step: str) -> dict[str, Any]:
        self.place.texts["supply"] = self.subject
        self.place.folder.mkdir(exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows), self.place.folder / "rows.parquet")
        return self.place.run(kind, told, [files("Parquet", "rows.parquet")], step=step)

    def ask(self, kind: str, **told: Any) -> dict[str, Any]:
        """Load the rows of a query on the warehouse."""
        self.place.texts["supply"] = self.subject
        return self.place.run(kind, {"subject": "supply", **told})

    def query(self, statement: str) -> Rows:
        return self.place.query(statement)

    def versions(self) -> list[tuple[Any, ...]]:
        """Return the versions of the facilities: key, id, name, district, the years of from and to, current."""
        rows = self.query(
            "select facility_key, id, name, district, valid_from, valid_to, is_current from dim_facility "
            "where facility_key > 0 order by id, valid_from"
        )
        return [
            (row["facility_key"], row["id"], row["name"], row["district"], row["valid_from"].year,
             row["valid_to"].year, row["is_current"]) for row in rows
        ]  # fmt: skip


@pytest.fixture(params=["duckdb", "postgres"])
def star(tmp_path: Path, request: pytest.FixtureRequest) -> Star:
    """A star, once in DuckDB and once in PostgreSQL."""
    if request.param == "duckdb":
        return Star(place=Place(folder=tmp_path))
    address: Callable[[], str] = request.getfixturevalue("postgres")
    properties = {"connectionString": address()}
    given = LinkedServiceGiven(name="Warehouse", type="PostgreSql", properties=properties, root=tmp_path)
    database = CONNECTORS.find("PostgreSql")(given)
    assert isinstance(database, Database)
    return Star(place=Place(folder=tmp_path, warehouse=database, service=("PostgreSql", properties)))
