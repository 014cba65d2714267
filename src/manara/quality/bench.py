"""The bench: the DuckDB where rows are judged. It is the warehouse itself, or stands beside a warehouse elsewhere.

Rules are written in DuckDB's SQL and mean the same in front of every warehouse: so DuckDB judges the rows, beside the
tables that the rules read, and only what comes of it goes to the warehouse, in the one transaction of the step.
"""

import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlglot import exp

from manara.plugin.connection import CONNECTORS, ArrowTransaction, Database, LinkedServiceGiven, Mark, Transaction
from manara.quality import compile as compiled
from manara.quality import statements
from manara.quality.homes import present_tables
from manara.quality.odcs import Contract
from manara.quality.rules import ROW
from manara.quality.tables import FINDINGS, JUDGED, KNOWN, REFUSED, SOURCE, TYPED, VALUES, Tables
from manara.quality.trees import DUCKDB, quoted, sql

_VIEW = "__gate_reference"
_SENT = "__gate_sent"
_NAMED = re.compile(r"\$(\w+)")
_BENCH_VIEWS, _BENCH_TABLES = (FINDINGS, REFUSED, VALUES), (TYPED, JUDGED, SOURCE)
_HANDED = (VALUES, JUDGED, REFUSED, FINDINGS, _SENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Rows on their way through a gate: the warehouse, the bench, by which contract, and what statements are told."""

    warehouse: Transaction
    bench: ArrowTransaction
    contract: Contract
    tables: Tables
    notes: Mapping[str, str]

    def run(self, statement: exp.Expr) -> int:
        """Run a statement on the warehouse with the notes that it names, and return how many rows it changed."""
        named = {each.name for each in statement.find_all(exp.Placeholder, exp.Parameter)}
        return self.warehouse.execute(sql(statement, self.tables.dialect), _picked(self.notes, named))

    def note(self, name: str, /, **more: Any) -> int:
        """Run the statement called `name` of gate.sql on the warehouse."""
        statement = statements.notes(name, self.tables)
        return self.warehouse.execute(statement, _picked({**self.notes, **more}, _NAMED.findall(statement)))

    def read(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of the query called `name` of gate.sql on the warehouse."""
        statement = statements.notes(name, self.tables)
        return self.warehouse.query(statement, _picked(self.notes, _NAMED.findall(statement))).read_all().to_pylist()

    def judge(self, statement: exp.Expr) -> None:
        """Run a statement on the bench."""
        self.bench.execute(sql(statement))

    @property
    def is_apart(self) -> bool:
        """Whether the bench is not the warehouse itself."""
        return self.bench is not self.warehouse


def on_bench(
    transaction: Transaction, dialect: str, mark: Mark, work: Callable[[ArrowTransaction], dict[str, Any]]
) -> dict[str, Any]:
    """Do the work on the bench that belongs to a warehouse: DuckDB's own transaction, or a DuckDB for this while."""
    if dialect == DUCKDB and isinstance(transaction, ArrowTransaction):
        return work(transaction)
    with tempfile.TemporaryDirectory(prefix="manara-gate-", ignore_cleanup_errors=True) as folder:
        given = LinkedServiceGiven(name="bench", type="DuckDB", properties={"path": "bench.duckdb"}, root=Path(folder))
        bench = CONNECTORS.find("DuckDB")(given)
        assert isinstance(bench, Database)  # noqa: S101 # the connector is ours
        return bench.once(mark, work)  # type: ignore[arg-type] # a DuckDB's transaction takes Arrow rows


def bring_references(passage: Passage) -> None:
    """Copy what the contract reads of the warehouse to a bench that stands apart."""
    if not passage.is_apart:
        return
    present = present_tables(passage.warehouse, passage.tables.dialect, passage.tables.homes)
    for table, home in passage.tables.homes.items():
        found = present[home.lower(), table]
        wanted = compiled.columns_read(passage.contract, table)
        names = [name for lower, name in found.columns.items() if wanted is None or lower in wanted]
        there = exp.table_(found.name, db=found.schema, quoted=True)
        query = exp.select(*(quoted(name) for name in names)).from_(there)
        rows = passage.warehouse.query(sql(query, passage.tables.dialect))
        passage.bench.execute(f"CREATE SCHEMA IF NOT EXISTS {sql(exp.to_identifier(home, quoted=True))}")
        with passage.bench.register(_VIEW, rows):
            passage.bench.execute(f'CREATE TABLE {sql(exp.table_(table, db=home, quoted=True))} AS FROM "{_VIEW}"')


def hand_over(passage: Passage, source: Mapping[str, str]) -> None:
    """Let the warehouse have what was found: the good rows, and those with faults.

    A bench apart sends them; they lie in temporary tables there then, under the names that they have here.
    """
    passage.bench.execute(statements.refused_rows(passage.contract.title, passage.notes["origin"], source))
    passage.bench.execute(statements.found_faults())
    if not passage.is_apart:
        return
    _drop_handed(passage)
    _send(passage, VALUES, compiled.good_rows(passage.contract), compiled.value_columns(passage.contract))
    _send(passage, JUDGED, exp.select(ROW, "refused").from_(JUDGED), {ROW: "BIGINT", "refused": "BOOLEAN"})
    told = ("rule", "dimension", "severity")
    faults = exp.select(ROW, *told, statements.storable("reason")).from_(FINDINGS)
    _send(passage, FINDINGS, faults, {ROW: "BIGINT"} | dict.fromkeys((*told, "reason"), "VARCHAR"))
    texts = ("rules", "reasons", "payload")
    refused = exp.select("quarantine_id", ROW, *(statements.storable(name) for name in texts)).from_(REFUSED)
    _send(passage, _SENT, refused, {"quarantine_id": "VARCHAR", ROW: "BIGINT"} | dict.fromkeys(texts, "VARCHAR"))
    passage.warehouse.execute(_LISTS_AGAIN)


_LISTS_AGAIN = f"""
CREATE TEMPORARY TABLE "{REFUSED}" AS
SELECT quarantine_id, {ROW}, payload,
  ARRAY(SELECT json_array_elements_text(CAST(rules AS json))) AS rules,
  ARRAY(SELECT json_array_elements_text(CAST(reasons AS json))) AS reasons
FROM "{_SENT}"
"""  # noqa: S608 # our own names
"""Lists go to PostgreSQL as JSON: its COPY has no other way for them that the driver can write."""


def _send(passage: Passage, name: str, rows: exp.Query, kinds: Mapping[str, str]) -> None:
    """Put rows of the bench into a temporary table of the warehouse."""
    table = exp.table_(name, quoted=True)
    passage.run(statements.temporary_columns(name, kinds))
    passage.warehouse.load(table, passage.bench.query(sql(rows)))
    passage.warehouse.execute(f"ANALYZE {sql(table, passage.tables.dialect)}")


def clear(passage: Passage) -> None:
    """Take away what the gate has made for itself."""
    for kind, names in (("VIEW", _BENCH_VIEWS), ("TABLE", _BENCH_TABLES)):
        for name in names:
            passage.bench.execute(f'DROP {kind} IF EXISTS temp."{name}"')
    if passage.is_apart:
        _drop_handed(passage)
    passage.warehouse.execute(f'DROP TABLE IF EXISTS {passage.tables.temporary}."{KNOWN}"')


def _drop_handed(passage: Passage) -> None:
    for name in _HANDED:
        passage.warehouse.execute(f'DROP TABLE IF EXISTS {passage.tables.temporary}."{name}"')


def _picked(notes: Mapping[str, Any], named: Iterable[str]) -> dict[str, Any]:
    """Return the parameters that a statement names: DuckDB takes no others."""
    return {name: notes[name] for name in named if name in notes}
