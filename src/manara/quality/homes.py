"""The tables of a warehouse: which there are, and where those lie that a contract reads."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from manara.errors import WrongDefinition
from manara.plugin.connection import Transaction
from manara.quality import compile as compiled
from manara.quality.odcs import Contract
from manara.quality.trees import DUCKDB, POSTGRES

_MAIN = "main"
_COLUMNS = {
    DUCKDB: """
SELECT schema_name AS table_schema, table_name, column_name FROM duckdb_columns()
WHERE database_name = current_database() AND lower(table_name) IN ({names})
ORDER BY table_schema, table_name, column_index
""",
    POSTGRES: """
SELECT table_schema, table_name, column_name FROM information_schema.columns
WHERE table_catalog = current_database() AND lower(table_name) IN ({names})
ORDER BY table_schema, table_name, ordinal_position
""",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A table of the warehouse: its schema and name, and its columns by their names in lower case."""

    schema: str
    name: str
    columns: dict[str, str] = field(default_factory=dict)


Present = Mapping[tuple[str, str], Found]
"""The tables of a warehouse, by schema and name in lower case."""


def own_schema(transaction: Transaction, dialect: str) -> str:
    """Return the schema in which tables lie that are named without one. Raises WrongDefinition where there is none."""
    if dialect == DUCKDB:
        return _MAIN
    found = transaction.query("SELECT current_schema()").read_all().to_pylist()[0]["current_schema"]
    if found is None:
        raise WrongDefinition(
            "The warehouse has no schema to put tables in.", advice="Make the one that its linked service names."
        )
    return str(found)


def present_tables(transaction: Transaction, dialect: str, names: Iterable[str]) -> dict[tuple[str, str], Found]:
    """Return the tables of the warehouse that have one of these names, in any schema."""
    wanted = ", ".join(exp.Literal.string(name.lower()).sql(DUCKDB) for name in names)
    found: dict[tuple[str, str], Found] = {}
    if not wanted:
        return found
    for row in transaction.query(_COLUMNS[dialect].format(names=wanted)).read_all().to_pylist():
        key = row["table_schema"].lower(), row["table_name"].lower()
        table = found.setdefault(key, Found(schema=row["table_schema"], name=row["table_name"]))
        table.columns[row["column_name"].lower()] = row["column_name"]
    return found


def homes_of(
    transaction: Transaction, dialect: str, contract: Contract, schema: str, good: str, house: str
) -> dict[str, str]:
    """Return the schema of each table that the contract reads, by the table's name in lower case.

    A table without a schema is looked for beside the good table, and in the warehouse's own schema, `house`. The good
    table itself is there even where it is not made yet. Raises WrongDefinition for a table that is not there.
    """
    own = Found(schema=schema, name=good, columns={each.name.lower(): each.name for each in contract.properties})
    references = [to.table for each in contract.properties for to in each.relationships]
    names = {*references, *(table.name for _, table in compiled.tables_read(contract))}
    present = {**present_tables(transaction, dialect, sorted(names)), (schema.lower(), good.lower()): own}
    homes: dict[str, str] = {}
    for each in contract.properties:
        for to in each.relationships:
            where = f"{each.name}.reference"
            home = _home(present, to.schema_name, to.table, (schema, house), where)
            if to.column.lower() not in present[home.lower(), to.table.lower()].columns:
                raise WrongDefinition(f"The table '{to.table}' has no column '{to.column}'.", where=where)
            homes[to.table.lower()] = home
    for where, table in compiled.tables_read(contract):
        homes[table.name.lower()] = _home(present, table.db or None, table.name, (schema, house), where)
    return homes


def _home(present: Present, given: str | None, table: str, usual: tuple[str, str], where: str) -> str:
    for candidate in [given] if given else usual:
        if (candidate.lower(), table.lower()) in present:
            return candidate
    raise WrongDefinition(
        f"The table '{table}' does not exist in the warehouse.",
        where=where,
        advice="Load it first: put its activity before this one.",
    )
