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
from manara.quality.bench import Passage, bring_references, clear, hand_over, on_bench
from manara.quality.homes import homes_of, own_schema, present_tables
from manara.quality.keys import Rising
from manara.quality.odcs import Contract
from manara.quality.rules import ROW, Rule, rules_of, storable_rules
from manara.quality.statements import creations, source_payloads
from manara.quality.tables import SOURCE, Tables
from manara.quality.trees import DUCKDB, POSTGRES, sql
from manara.quality.values import check_source, type_values
from manara.table.rows import DUCKDB_BYTES, DUCKDB_ROWS, in_pieces, with_numbers

_VIEW = "__gate_rows"
_MAKING_LOCK = 6_271_620_266
"""The number of the lock under which a gate makes its tables in PostgreSQL; any number, always the same."""

Counts = dict[str, Any]


def pass_gate(
    transaction: Transaction,
    contract: Contract,
    rows: pa.RecordBatchReader,
    *,
    dialect: str,
    target: tuple[str, str],
    origin: str,
    mark: Mark,
    report: Callable[[Mapping[str, Any]], None],
) -> Counts:
    """Check the rows against the contract, load and refuse them, and return the counts of the activity's output.

    `target` is the schema (empty for the warehouse's own) and the name of the good table. All happens in the
    transaction that is given, of DuckDB or PostgreSQL; rows that an earlier run refused from the same origin are
    replaced. Raises WrongDefinition where the source or the warehouse lacks what the contract needs, and Broken when
    the counts do not add up.
    """

    def work(bench: ArrowTransaction) -> Counts:
        passage = open_passage(transaction, bench, contract, dialect, target, notes_of(contract, origin, mark))
        return _passed(passage, rows, report)

    return on_bench(transaction, dialect, mark, work)


def open_passage(
    transaction: Transaction,
    bench: ArrowTransaction,
    contract: Contract,
    dialect: str,
    target: tuple[str, str],
    notes: Mapping[str, str],
) -> Passage:
    """Make ready what rows need on their way: the tables of the warehouse, and what the contract reads of it."""
    house = own_schema(transaction, dialect)
    schema, good = target[0] or house, target[1]
    homes = homes_of(transaction, dialect, contract, schema, good, house)
    tables = Tables(dialect=dialect, house=house, schema=schema, good=good, homes=homes)
    passage = Passage(warehouse=transaction, bench=bench, contract=contract, tables=tables, notes=notes)
    _prepare(passage)
    bring_references(passage)
    return passage


def _passed(passage: Passage, rows: pa.RecordBatchReader, report: Callable[[Mapping[str, Any]], None]) -> Counts:
    contract = passage.contract
    rows_read, keys_differ = _take(passage, rows, report)
    source = _source_columns(passage.bench)
    check_source(contract, source, passage.notes["origin"])
    corrected = _apply_fixes(passage, source)
    rules = judge_rows(passage, source, keys_differ=keys_differ and not corrected)
    checks = measures.measure(passage.bench, contract, rows_read, passage.tables) + _unusual(passage, rows_read)
    stops = [check for check in checks if check.stops]
    hand_over(passage, source)
    inserted = 0 if stops else load_good(passage)
    _note(passage)
    quality = _scored(passage, rules, checks, rows_read)
    counts = _stopped(passage, rows_read, stops) if stops else _counted(passage, rows_read, inserted)
    clear(passage)
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


def _prepare(passage: Passage) -> None:
    """Make the tables that are missing, and give the good table the columns that the contract has gained."""
    tables = passage.tables
    wanted = creations(passage.contract, tables)
    present = present_tables(passage.warehouse, tables.dialect, [table.name for table, _ in wanted])
    missing = [made for table, made in wanted if (table.db.lower(), table.name.lower()) not in present]
    if missing and tables.dialect == POSTGRES:  # who makes them at the same time waits here
        passage.warehouse.execute(f"SELECT pg_advisory_xact_lock({_MAKING_LOCK})")
    for made in missing:
        passage.warehouse.execute(made())
    columns = {name.lower(): kind for name, kind in passage.warehouse.columns(tables.good_table).items()}
    for name, kind in compiled.good_columns(passage.contract).items():
        there = columns.get(name.lower())
        if there is None:
            passage.run(compiled.add_good(name, kind, tables))
        elif not _is_kind(there, kind, tables.dialect):
            raise WrongDefinition(
                f"The column '{name}' is {there} in the table {_good_name(tables)}, the contract needs {kind}.",
                where=f"contract '{passage.contract.title}'",
                advice="Change the contract's logicalType, or move the table away.",
            )


def _is_kind(there: str, kind: str, dialect: str) -> bool:
    """Return whether a column of the warehouse has a type of ours."""
    wanted = exp.DataType.build(kind, dialect="duckdb").sql(dialect)
    return exp.DataType.build(there, dialect=dialect).sql(dialect) in {wanted, _TEXTS.get(wanted)}


_TEXTS = {"VARCHAR": "TEXT", "TEXT": "VARCHAR"}


def _good_name(tables: Tables) -> str:
    return f"{tables.schema}.{tables.good}"


def _take(
    passage: Passage, rows: pa.RecordBatchReader, report: Callable[[Mapping[str, Any]], None]
) -> tuple[int, bool]:
    """Stream the rows into the source table, numbered from 1; return how many there were, and if all keys differ."""
    count, rising = 0, Rising(passage.contract, rows.schema)

    def seen() -> Iterator[pa.RecordBatch]:
        nonlocal count
        for batch in in_pieces(rows, DUCKDB_ROWS, DUCKDB_BYTES):
            count += batch.num_rows
            rising.see(batch)
            report({"rowsRead": count})
            yield batch

    schema = pa.schema([pa.field(ROW, pa.int64()), *rows.schema])
    with passage.bench.register(_VIEW, pa.RecordBatchReader.from_batches(schema, with_numbers(seen(), ROW))):
        passage.bench.execute(sql(compiled.take_rows(_VIEW)))
    return count, rising.holds


def _source_columns(bench: ArrowTransaction) -> dict[str, str]:
    """Return the columns of the source table without the row number, and their types."""
    kinds = bench.columns(exp.table_(SOURCE, quoted=True))
    return {name: kind for name, kind in kinds.items() if name != ROW}


def _unusual(passage: Passage, rows: int) -> list[measures.Check]:
    """Hold the numbers of the load against the history of its table, and add them to it."""
    measured = anomaly.measure(passage.bench, passage.contract, rows)
    if not measured:
        return []
    history: dict[str, list[anomaly.Past]] = {}
    for row in passage.read("past_metrics"):
        history.setdefault(row["name"], []).append(anomaly.Past(at=row["noted"], value=row["value"]))
    for name, value in measured.items():
        passage.note("note_metric", name=name, value=value)
    return anomaly.checks(measured, history, clock.now().replace(tzinfo=None), passage.contract)


def _scored(passage: Passage, rules: Sequence[Rule], checks: Sequence[measures.Check], rows: int) -> dict[str, Any]:
    """Keep what was measured and how good the rows are, and return it for the output."""
    scores = measures.score(passage.bench, rules, checks, rows)
    whole = measures.total(scores)
    table = _good_name(passage.tables)
    overall = [] if whole is None else [measures.Score(dimension="all", rows_checked=rows, rows_broken=0, score=whole)]
    for each in [*scores, *overall]:
        passage.note(
            "note_score", table=table, dimension=each.dimension, checked=each.rows_checked, broken=each.rows_broken,
            score=each.score,
        )  # fmt: skip
    for check in checks:
        passage.note(
            "note_check", table=table, name=check.name, dimension=check.dimension, severity=check.severity,
            value=check.value, holds=check.holds, reason=check.reason,
        )  # fmt: skip
    return measures.told(scores, checks)


def _stopped(passage: Passage, rows_read: int, stops: Sequence[measures.Check]) -> Counts:
    """Return the counts of a load that was stopped: nothing is loaded, and what was refused is in quarantine."""
    quarantined = passage.read("count_quarantined")[0]["rows"]
    return {
        "rowsRead": rows_read, "rowsLoaded": 0, "rowsInserted": 0, "rowsUpdated": 0, "rowsUnchanged": 0,
        "rowsQuarantined": quarantined, "rowsHeldBack": rows_read - quarantined,
        "rowsFlagged": passage.read("count_flagged")[0]["rows"],
        "rules": {row["rule"]: row["rows"] for row in passage.read("count_findings")},
        "stopped": [check.reason for check in stops],
    }  # fmt: skip


def _apply_fixes(passage: Passage, source: Mapping[str, str]) -> int:
    """Put released corrections over the rows that are still as they were when they were corrected; return how many."""
    fixes = {row["row_number"]: row for row in passage.read("released_fixes")}
    if not fixes:
        return 0
    rows = passage.bench.query(sql(source_payloads(source, list(fixes)))).read_all().to_pylist()
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
                passage.bench.execute(sql(change), [value])
    return len(held)


def hash_of(payload: str) -> str:
    """Return what a refused row is known by: corrections hold only for a row that is the same."""
    return hashlib.sha256(json.dumps(json.loads(payload), sort_keys=True).encode()).hexdigest()


def judge_rows(passage: Passage, source: Mapping[str, str], *, keys_differ: bool = False) -> list[Rule]:
    """Type the rows of the source and judge them by the rules that are returned; what is broken is in JUDGED then.

    Where it is known that all `keys_differ`, those that stand twice are not looked for.
    """
    contract, tables = passage.contract, passage.tables
    rules = rules_of(contract)
    kept = storable_rules(contract) if tables.dialect == POSTGRES else []
    try:
        for statement in type_values(contract, source, tables):
            passage.judge(statement)
        passage.judge(compiled.judge(contract, rules + kept, tables, keys_differ=keys_differ))
    except ManaraError as error:
        raise error.at(f"contract '{contract.title}'") from error
    return rules


def load_good(passage: Passage) -> int:
    """Load the rows that nothing refused, and return how many of them are new."""
    contract, tables = passage.contract, passage.tables
    if tables.dialect == POSTGRES:  # or two loads could bring the same key
        passage.warehouse.execute(f"LOCK TABLE {sql(tables.good_table, POSTGRES)} IN EXCLUSIVE MODE")
    passage.run(compiled.compare(contract, tables))
    renew = compiled.update_good(contract, tables)
    if renew is not None:
        passage.run(renew)
    return passage.run(compiled.insert_good(contract, tables))


def _note(passage: Passage) -> None:
    passage.note("note_target", schema=passage.tables.schema, table=passage.tables.good)
    if passage.tables.dialect == DUCKDB and not passage.read("count_held")[0]["rows"]:
        passage.note("insert_quarantine")  # nobody else writes here now, and not having to look costs half as much
    else:
        passage.note("resolve_quarantine")
        passage.note("renew_quarantine")
    passage.note("forget_findings")
    passage.note("insert_findings")


def _counted(passage: Passage, rows_read: int, inserted: int) -> Counts:
    changes = {row["change"]: row["rows"] for row in passage.read("count_changes")}
    quarantined = passage.read("count_quarantined")[0]["rows"]
    loaded = inserted + sum(changes.values())
    if rows_read != loaded + quarantined:
        raise Broken(
            f"{rows_read} rows were read, but {loaded} loaded and {quarantined} refused.",
            where=_good_name(passage.tables),
            advice="If the table holds the same key twice, remove one of the rows; else report this.",
        )
    return {
        "rowsRead": rows_read,
        "rowsLoaded": loaded,
        "rowsInserted": inserted,
        "rowsUpdated": changes.get("updated", 0),
        "rowsUnchanged": changes.get("unchanged", 0),
        "rowsQuarantined": quarantined,
        "rowsFlagged": passage.read("count_flagged")[0]["rows"],
        "rules": {row["rule"]: row["rows"] for row in passage.read("count_findings")},
    }
