"""The tables that the gate reads and writes, and where each lies."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

SOURCE, TYPED, VALUES = "__gate_source", "__gate_typed", "__gate_values"
JUDGED, KNOWN = "__gate_judged", "__gate_known"
"""What the gate makes for a while: rows as they came; their values (kept in TYPED where they cost much, seen as
VALUES); those with faults; and the good ones whose key the table has already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Where the gate writes, and the schema in which each table lies that the contract reads (by lower-case name)."""

    schema: str
    good: str
    quarantine: str
    finding: str = "quality_finding"
    homes: Mapping[str, str]

    def named(self, name: str) -> exp.Table:
        """Return a table of the schema that the gate writes to."""
        return exp.table_(name, db=self.schema, quoted=True)

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
