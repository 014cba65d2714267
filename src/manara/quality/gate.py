"""The gate: rows in; good ones into their table, refused ones into quarantine, and what was found beside them."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
from sqlglot import exp

from manara import clock
from manara.errors import Broken, ManaraError, WrongDefinition
from manara.plugin.connection import ArrowTransaction, Mark, Transaction
from manara.quality import anomaly, measures
from manara.quality import compile as compiled
from manara.quality.odcs import Contract
from manara.quality.rules import ROW, rules_of
from manara.quality.tables import SOURCE, Tables
from manara.quality.trees import sql
from manara.quality.values import sources_of, type_values
from manara.registry import near

_VIEW = "__gate_rows"
_MAIN = "main"

Counts = dict[str, Any]


def pass_gate(
    transaction: Transaction,
    contract: Contract,
    rows: pa.RecordBatchReader,
    *,
    target: tuple[str, str],
    quarantine: str,
    origin: str,
    mark: Mark,
    report: Callable[[Mapping[str, Any]], None],
) -> Counts:
    """Check the rows against the contract, load and refuse them, and return the counts of the activity's output.

    `target` is the schema and the name of the good table. All happens in the transaction that is given; rows that an
    earlier run refused from the same origin are replaced. Raises WrongDefinition where the source or the warehouse
    lacks what the contract needs, and Broken when the counts do not add up.
    """
    if not isinstance(transaction, ArrowTransaction):
        raise WrongDefinition("The gate needs tables of DuckDB.", advice="Point the output at a DuckDB linked service.")
    schema, good = target
    homes = homes_of(transaction, contract, schema, good)
    tables = Tables(schema=schema, good=good, quarantine=quarantine, homes=homes)
    notes = notes_of(contract, origin, mark)
    prepare(transaction, contract, tables)
    rows_read = _take(transaction, rows, report)
    source = _source_columns(transaction)
    _check_source(contract, source, origin)
    corrected = apply_fixes(transaction, source, tables, notes)
    judge_rows(transaction, contract, source, tables)
    checks = measures.measure(transaction, contract, rows_read, tables) + _unusual(
        transaction, contract, tables, notes, rows_read
    )
    stops = [check for check in checks if check.stops]
    inserted = 0 if stops else load_good(transaction, contract, tables, notes)
    _note(transaction, source, tables, notes)
    quality = _scored(transaction, contract, tables, notes, checks, rows_read)
    counts = _stopped(transaction, tables, notes, rows_read, stops) if stops else {}
    counts = counts or _counted(transaction, tables, notes, rows_read, inserted)
    drop_temporary(transaction, tables)
    return counts | {
        "rowsCorrected": corrected,
        "quality": quality,
        "unmappedColumns": compiled.unmapped(contract, source),
        "contract": contract.title,
        "contractVersion": contract.version,
    }


def notes_of(contract: Contract, origin: str, mark: Mark) -> dict[str, str]:
    """Return what the statements are told: contract, origin, run, step and moment."""
    return {
        "contract": contract.title,
        "version": contract.version,
        "origin": origin,
        "run": mark.run_id,
        "step": mark.step,
        "noted": clock.now().isoformat(),
    }


def prepare(transaction: ArrowTransaction, contract: Contract, tables: Tables) -> None:
    """Make the tables that are missing, and give the good table the columns that the contract has gained."""
    for statement in _creations(contract, tables):
        transaction.execute(sql(statement))
    present = _columns(transaction)[tables.schema.lower(), tables.good.lower()]
    for name, kind in compiled.good_columns(contract).items():
        there = present.get(name.lower())
        if there is None:
            transaction.execute(sql(compiled.add_good(name, kind, tables)))
        elif there != kind:
            table = f"{tables.schema}.{tables.good}"
            raise WrongDefinition(
                f"The column '{name}' is {there} in the table {table}, the contract needs {kind}.",
                where=f"contract '{contract.title}'",
                advice="Change the contract's logicalType, or move the table away.",
            )


def _creations(contract: Contract, tables: Tables) -> list[exp.Expr]:
    names = (
        "create_quarantine", "create_quality_finding", "create_quarantine_fix", "create_quarantine_event",
        "create_gate_target", "create_quality_score", "create_quality_check",
        "create_quality_metric",
    )  # fmt: skip
    return [compiled.create_good(contract, tables), *(compiled.notes(name, tables) for name in names)]


def _take(
    transaction: ArrowTransaction, rows: pa.RecordBatchReader, report: Callable[[Mapping[str, Any]], None]
) -> int:
    """Stream the rows into the source table, and return how many there were."""
    count = 0

    def counted() -> Iterator[pa.RecordBatch]:
        nonlocal count
        for batch in rows:
            count += batch.num_rows
            report({"rowsRead": count})
            yield batch

    with transaction.register(_VIEW, pa.RecordBatchReader.from_batches(rows.schema, counted())):
        transaction.execute(sql(compiled.number_rows(_VIEW)))
    return count


def _source_columns(transaction: ArrowTransaction) -> dict[str, bool]:
    """Return the columns of the source table without the row number: whether each is a text."""
    empty = exp.select("*").from_(exp.table_(SOURCE, quoted=True)).limit(0)
    fields = transaction.query(sql(empty)).read_all().schema
    return {field.name: _is_text(field.type) for field in fields if field.name != ROW}


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _check_source(contract: Contract, source: Mapping[str, bool], origin: str) -> None:
    present = {name.lower() for name in source}
    for each in contract.properties:
        for name in sources_of(each) if each.is_mandatory else []:
            if name.lower() not in present:
                raise WrongDefinition(
                    f"The source has no column '{name}', which the required property '{each.name}' comes from.",
                    where=f"{origin}, contract '{contract.title}'",
                    advice=near(name, source),
                )


def _unusual(
    transaction: ArrowTransaction, contract: Contract, tables: Tables, notes: Mapping[str, str], rows: int
) -> list[measures.Check]:
    """Hold the numbers of the load against the history of its table, and add them to it."""
    measured = anomaly.measure(transaction, contract, rows)
    if not measured:
        return []
    history: dict[str, list[anomaly.Past]] = {}
    for row in query_rows(transaction, compiled.notes("past_metrics", tables), notes):
        history.setdefault(row["name"], []).append(anomaly.Past(at=row["noted"], value=row["value"]))
    for name, value in measured.items():
        execute(transaction, compiled.notes("note_metric", tables), {**notes, "name": name, "value": value})
    return anomaly.checks(measured, history, clock.now().replace(tzinfo=None), contract)


def _scored(
    transaction: ArrowTransaction,
    contract: Contract,
    tables: Tables,
    notes: Mapping[str, str],
    checks: Sequence[measures.Check],
    rows: int,
) -> dict[str, Any]:
    """Keep what was measured and how good the rows are, and return it for the output."""
    scores = measures.score(transaction, rules_of(contract), checks, rows)
    whole = measures.total(scores)
    table = f"{tables.schema}.{tables.good}"
    for each in [
        *scores,
        *(
            [measures.Score(dimension="all", rows_checked=rows, rows_broken=0, score=whole)]
            if whole is not None
            else []
        ),
    ]:
        told = {"table": table, "dimension": each.dimension, "checked": each.rows_checked, "broken": each.rows_broken,
                "score": each.score}  # fmt: skip
        execute(transaction, compiled.notes("note_score", tables), {**notes, **told})
    for check in checks:
        told = {"table": table, "name": check.name, "dimension": check.dimension, "severity": check.severity,
                "value": check.value, "holds": check.holds, "reason": check.reason}  # fmt: skip
        execute(transaction, compiled.notes("note_check", tables), {**notes, **told})
    return {
        "score": whole,
        "dimensions": {each.dimension: each.score for each in scores},
        "checks": [{"name": check.name, "value": check.value, "holds": check.holds} for check in checks],
    }


def _stopped(
    transaction: ArrowTransaction,
    tables: Tables,
    notes: Mapping[str, str],
    rows_read: int,
    stops: Sequence[measures.Check],
) -> Counts:
    """Return the counts of a load that was stopped: nothing is loaded, and what was refused is in quarantine."""
    quarantined = query_rows(transaction, compiled.notes("count_quarantined", tables), notes)[0]["rows"]
    rules = query_rows(transaction, compiled.notes("count_findings", tables), notes)
    return {
        "rowsRead": rows_read, "rowsLoaded": 0, "rowsInserted": 0, "rowsUpdated": 0, "rowsUnchanged": 0,
        "rowsQuarantined": quarantined, "rowsHeldBack": rows_read - quarantined,
        "rowsFlagged": query_rows(transaction, compiled.notes("count_flagged", tables), notes)[0]["rows"],
        "rules": {row["rule"]: row["rows"] for row in rules},
        "stopped": [check.reason for check in stops],
    }  # fmt: skip


def apply_fixes(
    transaction: ArrowTransaction, source: Mapping[str, bool], tables: Tables, notes: Mapping[str, str]
) -> int:
    """Put released corrections over the rows that are still as they were when they were corrected; return how many."""
    fixes = {row["row_number"]: row for row in query_rows(transaction, compiled.notes("released_fixes", tables), notes)}
    if not fixes:
        return 0
    rows = transaction.query(sql(compiled.source_payloads(source, list(fixes)))).read_all().to_pylist()
    held = [row[ROW] for row in rows if hash_of(row["payload"]) == fixes[row[ROW]]["payload_hash"]]
    for number in held:
        for column, value in json.loads(fixes[number]["fix"]).items():
            named = next((name for name in source if name.lower() == column.lower()), None)
            if named is not None:
                change = exp.Update(
                    this=exp.table_(SOURCE, quoted=True),
                    expressions=[exp.EQ(this=exp.column(named, quoted=True), expression=exp.Placeholder())],
                    where=exp.Where(this=exp.column(ROW, quoted=True).eq(exp.Literal.number(number))),
                )
                transaction.execute(sql(change), [value])
    return len(held)


def hash_of(payload: str) -> str:
    """Return what a refused row is known by: corrections hold only for a row that is the same."""
    return hashlib.sha256(json.dumps(json.loads(payload), sort_keys=True).encode()).hexdigest()


def judge_rows(transaction: ArrowTransaction, contract: Contract, source: Mapping[str, bool], tables: Tables) -> None:
    """Type the rows of the source and judge them; what is broken stands in the judged table then."""
    try:
        kinds = transaction.columns(exp.table_(SOURCE, quoted=True))
        for statement in type_values(contract, source, tables, kinds):
            transaction.execute(sql(statement))
        transaction.execute(sql(compiled.judge(contract, rules_of(contract), tables)))
    except ManaraError as error:
        raise error.at(f"contract '{contract.title}'") from error


def load_good(transaction: ArrowTransaction, contract: Contract, tables: Tables, notes: Mapping[str, str]) -> int:
    """Load the rows that nothing refused, and return how many of them are new."""
    transaction.execute(sql(compiled.compare(contract, tables)))
    renew = compiled.update_good(contract, tables)
    if renew is not None:
        execute(transaction, renew, notes)
    return execute(transaction, compiled.insert_good(contract, tables), notes)


def drop_temporary(transaction: ArrowTransaction, tables: Tables) -> None:
    """Take away what the gate has made for itself."""
    for name in ("drop_values", "drop_typed", "drop_source", "drop_judged", "drop_known"):
        execute(transaction, compiled.notes(name, tables), {})


def _note(transaction: ArrowTransaction, source: Mapping[str, bool], tables: Tables, notes: Mapping[str, str]) -> None:
    told = {**notes, "schema": tables.schema, "table": tables.good}
    execute(transaction, compiled.notes("note_target", tables), told)
    execute(transaction, compiled.notes("resolve_quarantine", tables), notes)
    execute(transaction, compiled.notes("forget_findings", tables), notes)
    execute(transaction, compiled.insert_quarantine(source, tables), notes)
    execute(transaction, compiled.notes("insert_findings", tables), notes)


def _counted(
    transaction: ArrowTransaction, tables: Tables, notes: Mapping[str, str], rows_read: int, inserted: int
) -> Counts:
    changes = {
        row["change"]: row["rows"] for row in query_rows(transaction, compiled.notes("count_changes", tables), notes)
    }
    quarantined = query_rows(transaction, compiled.notes("count_quarantined", tables), notes)[0]["rows"]
    loaded = inserted + sum(changes.values())
    if rows_read != loaded + quarantined:
        raise Broken(
            f"{rows_read} rows were read, but {loaded} loaded and {quarantined} refused.",
            where=f"{tables.schema}.{tables.good}",
            advice="If the table holds the same key twice, remove one of the rows; else report this.",
        )
    return {
        "rowsRead": rows_read,
        "rowsLoaded": loaded,
        "rowsInserted": inserted,
        "rowsUpdated": changes.get("updated", 0),
        "rowsUnchanged": changes.get("unchanged", 0),
        "rowsQuarantined": quarantined,
        "rowsFlagged": query_rows(transaction, compiled.notes("count_flagged", tables), notes)[0]["rows"],
        "rules": {
            row["rule"]: row["rows"] for row in query_rows(transaction, compiled.notes("count_findings", tables), notes)
        },
    }


def execute(transaction: ArrowTransaction, statement: exp.Expr, notes: Mapping[str, Any]) -> int:
    """Run a statement with the parameters that it names, and return how many rows it changed."""
    return transaction.execute(sql(statement), _used(statement, notes))


def query_rows(transaction: ArrowTransaction, statement: exp.Expr, notes: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the rows of a query with the parameters that it names."""
    return transaction.query(sql(statement), _used(statement, notes)).read_all().to_pylist()


def _used(statement: exp.Expr, notes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that the statement names: DuckDB takes no others."""
    named = {each.name for each in statement.find_all(exp.Placeholder, exp.Parameter)}
    return {name: value for name, value in notes.items() if name in named}


def _columns(transaction: ArrowTransaction) -> dict[tuple[str, str], dict[str, str]]:
    """Return every table of the database by schema and name, with its columns and types; all names in lower case."""
    statement = (
        "SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns "
        "WHERE table_catalog = current_database()"
    )
    found: dict[tuple[str, str], dict[str, str]] = {}
    for row in transaction.query(statement).read_all().to_pylist():
        table = found.setdefault((row["table_schema"].lower(), row["table_name"].lower()), {})
        table[row["column_name"].lower()] = row["data_type"]
    return found


def homes_of(transaction: ArrowTransaction, contract: Contract, schema: str, good: str) -> dict[str, str]:
    """Return the schema of each table that the contract reads. Raises WrongDefinition for one that is not there."""
    present = _columns(transaction) | {(schema.lower(), good.lower()): dict.fromkeys(_lower_names(contract), "")}
    homes: dict[str, str] = {}
    for each in contract.properties:
        for to in each.relationships:
            where = f"{each.name}.reference"
            home = _home(present, to.schema_name, to.table, schema, where)
            if to.column.lower() not in present[home.lower(), to.table.lower()]:
                raise WrongDefinition(f"The table '{to.table}' has no column '{to.column}'.", where=where)
            homes[to.table.lower()] = home
    for where, table in compiled.tables_read(contract):
        homes[table.name.lower()] = _home(present, table.db or None, table.name, schema, where)
    return homes


def _lower_names(contract: Contract) -> list[str]:
    return [each.name.lower() for each in contract.properties]


def _home(present: Mapping[tuple[str, str], Any], given: str | None, table: str, schema: str, where: str) -> str:
    for candidate in [given] if given else [schema, _MAIN]:
        if (candidate.lower(), table.lower()) in present:
            return candidate
    raise WrongDefinition(
        f"The table '{table}' does not exist in the warehouse.",
        where=where,
        advice="Load it first: put its activity before this one.",
    )
