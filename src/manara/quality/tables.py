"""The tables that the gate reads and writes, and where each lies."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from manara.quality.trees import DUCKDB

SOURCE, TYPED, VALUES = "__gate_source", "__gate_typed", "__gate_values"
JUDGED, REFUSED, FINDINGS = "__gate_judged", "__gate_refused", "__gate_findings"
KNOWN = "__gate_known"
"""What the gate makes for a while: rows as they came; their values (kept in TYPED where they cost much, seen as
VALUES); those with faults, and of these the refused ones as quarantine keeps them and each fault by itself; and the
good ones whose key the table has already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Where the gate writes, and the schema in which each table lies that the contract reads (by lower-case name).

    The good table may lie in any schema; what the gate notes lies in the warehouse's own, `house`.
    """

    dialect: str = DUCKDB
    house: str = "main"
    schema: str = "main"
    good: str = ""
    homes: Mapping[str, str] = field(default_factory=dict)

    def named(self, name: str) -> exp.Table:
        """Return a table of the gate itself."""
        return exp.table_(name, db=self.house, quoted=True)

    @property
    def temporary(self) -> str:
        """The schema of temporary tables."""
        return "temp" if self.dialect == DUCKDB else "pg_temp"

    @property
    def good_table(self) -> exp.Table:
        """The table of the good rows."""
        return exp.table_(self.good, db=self.schema, quoted=True)

    def at_home(self, tree: exp.Expr) -> exp.Expr:
        """Return a copy of the tree in which every table of the warehouse is named with its schema."""
        placed = tree.copy()
        local = {cte.alias.lower() for cte in placed.find_all(exp.CTE)}
        for table in list(placed.find_all(exp.Table)):
            home = self.homes.get(table.name.lower())
            if isinstance(table.this, exp.Identifier) and not table.db and home and table.name.lower() not in local:
                if not table.alias:
                    table.set("alias", exp.TableAlias(this=table.this.copy()))
                table.set("db", exp.to_identifier(home, quoted=True))
        return placed
