"""Refused rows as work: look at them, correct them beside the original, approve, release or reject.

A correction is kept with the hash of the row that it was made for, so that the gate can put it over the row when the
same file comes again, and leaves it out where the row has changed.
"""

import contextlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from sqlglot import exp

from manara import clock
from manara.errors import Conflict, NotFound, WrongDefinition
from manara.plugin.connection import ArrowTransaction, Database, Mark, Transaction
from manara.quality.bench import clear, hand_over, on_bench
from manara.quality.gate import hash_of, judge_rows, load_good, notes_of, open_passage
from manara.quality.homes import own_schema
from manara.quality.odcs import Contract
from manara.quality.rules import ROW
from manara.quality.statements import notes
from manara.quality.tables import JUDGED, SOURCE, Tables
from manara.quality.trees import DUCKDB, POSTGRES
from manara.registry import near

OPEN, FIXED, RELEASED, REJECTED, RESOLVED = "open", "fixed", "released", "rejected", "resolved"
STATUSES = (OPEN, FIXED, RELEASED, REJECTED, RESOLVED)
_VIEW = "__gate_rows"
_LIST = """
select held.*, cast(held.payload as varchar) as row, cast(fix.fix as varchar) as fix, fix.author, fix.note,
    fix.approved_by, fix.noted as fixed_on
from quarantine as held left join quarantine_fix as fix on fix.quarantine_id = held.quarantine_id
order by held.contract, held.origin, held.row_number
"""
_LIST_ONLY = "select held.*, cast(held.payload as varchar) as row from quarantine as held order by 2, 4, 5"
_REASONS = f"""
select {ROW} as row, list_transform(list_filter(faults, lambda f: f.severity = 'error'), lambda f: f.reason) as reasons
from {JUDGED} where refused
"""  # noqa: S608 # our own names
Contracts = Callable[[str], Contract]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A refused row: where it stood, whole, with what refused it, and what people have done with it."""

    id: str
    contract: str
    origin: str
    row: int
    status: str
    rules: tuple[str, ...]
    reasons: tuple[str, ...]
    payload: Mapping[str, Any]
    run_id: str
    noted: str
    fix: Mapping[str, str | None]
    author: str | None = None
    note: str | None = None
    approved_by: str | None = None

    @property
    def hash(self) -> str:
        """What the row is known by: a correction holds only for the row that it was made for."""
        return hash_of(json.dumps(self.payload))

    @property
    def corrected(self) -> dict[str, Any]:
        """The row with its correction."""
        return {**self.payload, **self.fix}


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """What a release did: rows that are good now, and those that are not, with their reasons."""

    released: tuple[str, ...]
    refused: Mapping[str, tuple[str, ...]]


def read_quarantine(database: Database) -> list[Refused]:
    """Return all refused rows, by contract, origin and row; nothing where no gate has refused one yet."""
    _check_dialect(database)
    if not database.columns(_table("quarantine")):
        return []
    if not database.columns(_table("quarantine_fix")):
        return [_refused(row | {"fix": None}) for row in _all(database, _LIST_ONLY)]
    return [_refused(row) for row in _all(database, _LIST)]


def find(database: Database, start: str) -> Refused:
    """Return the row with the id, or the only one whose id begins so. Raises NotFound."""
    found = [row for row in read_quarantine(database) if row.id.startswith(start)]
    if len(found) != 1 or not start:
        problem = f"{len(found)} rows begin with" if found else "There is no refused row"
        raise NotFound(f"{problem} '{start}'.", advice="manara quarantine list shows them.")
    return found[0]


def events(database: Database, row: Refused) -> list[dict[str, Any]]:
    """Return who did what with the row, the oldest first."""
    if not database.columns(_table("quarantine_event")):
        return []
    query = "select noted, author, action, note from quarantine_event where quarantine_id = $id order by noted"
    return database.query(query, {"id": row.id}).read_all().to_pylist()


def fix(
    database: Database, mark: Mark, row: Refused, changes: Mapping[str, str | None], *, author: str, note: str = ""
) -> Refused:
    """Keep a correction of some columns beside the row, and return the row with it.

    Raises WrongDefinition for a column that the row has not, and Conflict for a row that is loaded or rejected.
    """
    for column in changes:
        if column not in row.payload:
            raise WrongDefinition(f"The row has no column '{column}'.", advice=near(column, row.payload))
    if row.status not in (OPEN, FIXED):
        raise Conflict(f"The row is {row.status}, and cannot be corrected.")

    def work(transaction: Transaction) -> dict[str, Any]:
        _make(transaction, database.dialect)
        held = _status(transaction, row)
        if held not in (OPEN, FIXED):
            raise Conflict(f"The row has become {held} in between.")
        transaction.execute(_FIX, {
            "id": row.id, "contract": row.contract, "origin": row.origin, "row": row.row, "hash": row.hash,
            "fix": json.dumps({**row.fix, **changes}, ensure_ascii=False), "author": author, "now": _now(),
            "note": note,
        })  # fmt: skip
        _set_status(transaction, row, FIXED)
        _note_event(transaction, row, author, "fix", "; ".join(f"{name}={value}" for name, value in changes.items()))
        return {}

    database.once(mark, work)
    return find(database, row.id)


def reject(database: Database, mark: Mark, row: Refused, *, author: str, reason: str) -> None:
    """Note that the row stays out for ever, and why. The same row of the same file does not open it again."""
    if row.status not in (OPEN, FIXED):
        raise Conflict(f"The row is {row.status}, and cannot be rejected.")

    def work(transaction: Transaction) -> dict[str, Any]:
        _make(transaction, database.dialect)
        _set_status(transaction, row, REJECTED)
        _note_event(transaction, row, author, "reject", reason)
        return {}

    database.once(mark, work)


def approve(database: Database, mark: Mark, row: Refused, *, author: str) -> None:
    """Note that a second person agrees with the correction. Raises Conflict for the one who made it."""
    if row.status != FIXED:
        raise Conflict(f"The row is {row.status}: there is no correction to approve.")
    if author == row.author:
        raise Conflict(f"{author} has made the correction: a second person approves it.")

    def work(transaction: Transaction) -> dict[str, Any]:
        told = {"id": row.id, "author": author}
        transaction.execute("update quarantine_fix set approved_by = $author where quarantine_id = $id", told)
        _note_event(transaction, row, author, "approve", "")
        return {}

    database.once(mark, work)


def release(database: Database, mark: Mark, rows: Sequence[Refused], contracts: Contracts, *, author: str) -> Released:
    """Put corrected rows through the gate once more, and load those that are good now; each arrives once.

    The others stay where they are, with the reasons that are left. Raises Conflict for a row without a correction, and
    for one that a second person has to approve and has not.
    """
    _check_dialect(database)
    for row in rows:
        _check_release(row, contracts(row.contract))

    def work(transaction: Transaction) -> dict[str, Any]:
        _make(transaction, database.dialect)
        released: list[str] = []
        refused: dict[str, list[str]] = {}
        for group in _grouped(rows):
            left = _judged(transaction, database.dialect, contracts(group[0].contract), group, mark)
            for row in group:
                if row.row in left:
                    refused[row.id] = left[row.row]
                    _note_event(transaction, row, author, "release refused", "; ".join(left[row.row]))
                else:
                    released.append(row.id)
                    _release_one(transaction, row, author)
        return {"released": released, "refused": refused}

    done = database.once(mark, work)
    return Released(
        released=tuple(done["released"]), refused={key: tuple(told) for key, told in done["refused"].items()}
    )


def preview(database: Database, mark: Mark, row: Refused, contract: Contract) -> tuple[str, ...]:
    """Return the reasons that are left of a corrected row; nothing where it is good now. Loads nothing."""
    found: dict[int, list[str]] = {}

    def work(transaction: Transaction) -> dict[str, Any]:
        found.update(_judged(transaction, database.dialect, contract, [row], mark))
        raise _Undo

    with contextlib.suppress(_Undo):
        database.once(mark, work)
    return tuple(found.get(row.row, ()))


class _Undo(Exception):
    """Takes a transaction back."""


def needs_approval(contract: Contract) -> bool:
    """Say whether the contract wants a second person: the custom property `approval` of its table is `secondPerson`."""
    return bool(contract.table.custom("approval") == "secondPerson")


def _check_release(row: Refused, contract: Contract) -> None:
    if row.status != FIXED:
        raise Conflict(
            f"The row {row.id[:8]} is {row.status}: only a corrected row is released.",
            advice="manara quarantine fix ...",
        )
    if needs_approval(contract) and not row.approved_by:
        raise Conflict(
            f"The correction of {row.id[:8]} by {row.author} waits for a second person.",
            advice="manara quarantine approve ...",
        )


def _judged(
    transaction: Transaction, dialect: str, contract: Contract, group: Sequence[Refused], mark: Mark
) -> dict[int, list[str]]:
    """Judge corrected rows that one run took from one file, load the good ones, and return the others' reasons."""
    target = _target(transaction, contract)
    told = {**notes_of(contract, group[0].origin, mark), "run": group[0].run_id}  # the run that has read the file
    names = list(dict.fromkeys(name for row in group for name in row.corrected))
    rows = pa.table(
        {ROW: pa.array([row.row for row in group], pa.int64())}
        | {name: pa.array([_text(row.corrected.get(name)) for row in group], pa.string()) for name in names}
    )
    left: dict[int, list[str]] = {}

    def work(bench: ArrowTransaction) -> dict[str, Any]:
        passage = open_passage(transaction, bench, contract, dialect, target, told)
        with bench.register(_VIEW, rows):
            bench.execute(f'CREATE TEMP TABLE "{SOURCE}" AS FROM "{_VIEW}"')
        source = dict.fromkeys(names, "VARCHAR")
        judge_rows(passage, source)
        hand_over(passage, source)
        load_good(passage)
        left.update({row["row"]: row["reasons"] for row in bench.query(_REASONS).read_all().to_pylist()})
        clear(passage)
        return {}

    on_bench(transaction, dialect, mark, work)
    return left


def _target(transaction: Transaction, contract: Contract) -> tuple[str, str]:
    query = "select schema_name, table_name from gate_target where contract = $contract"
    found = transaction.query(query, {"contract": contract.title}).read_all().to_pylist()
    return (found[0]["schema_name"], found[0]["table_name"]) if found else ("", contract.table.name)


def _release_one(transaction: Transaction, row: Refused, author: str) -> None:
    told = {"id": row.id}
    transaction.execute("update quarantine_fix set released = true where quarantine_id = $id", told)
    _set_status(transaction, row, RELEASED)
    _note_event(transaction, row, author, "release", "")


_FIX = """
insert into quarantine_fix values
    ($id, $contract, $origin, $row, $hash, cast($fix as json), $author, cast($now as timestamptz), $note, null, false)
on conflict (quarantine_id) do update set
    payload_hash = excluded.payload_hash, fix = excluded.fix, author = excluded.author, noted = excluded.noted,
    note = excluded.note, approved_by = null, released = false
"""


def _make(transaction: Transaction, dialect: str) -> None:
    """Make the tables of what people decide where a warehouse has none yet."""
    tables = Tables(dialect=dialect, house=own_schema(transaction, dialect))
    for name in ("quarantine_fix", "quarantine_event", "gate_target"):
        if not transaction.columns(tables.named(name)):
            transaction.execute(notes(f"create_{name}", tables))


def _status(transaction: Transaction, row: Refused) -> str:
    found = transaction.query("select status from quarantine where quarantine_id = $id", {"id": row.id})
    return str(found.read_all().to_pylist()[0]["status"])


def _set_status(transaction: Transaction, row: Refused, status: str) -> None:
    told = {"id": row.id, "status": status}
    transaction.execute("update quarantine set status = $status where quarantine_id = $id", told)


def _note_event(transaction: Transaction, row: Refused, author: str, action: str, note: str) -> None:
    transaction.execute(
        "insert into quarantine_event values ($id, cast($now as timestamptz), $author, $action, $note)",
        {"id": row.id, "now": _now(), "author": author, "action": action, "note": note},
    )


def _grouped(rows: Iterable[Refused]) -> Iterable[list[Refused]]:
    found: dict[tuple[str, str, str], list[Refused]] = {}
    for row in rows:
        found.setdefault((row.contract, row.origin, row.run_id), []).append(row)
    return found.values()


def _refused(row: Mapping[str, Any]) -> Refused:
    return Refused(
        id=row["quarantine_id"], contract=row["contract"], origin=row["origin"], row=row["row_number"],
        status=row["status"], rules=tuple(row["rules"] or ()), reasons=tuple(row["reasons"] or ()),
        payload=json.loads(row["row"]), run_id=row["run_id"], noted=str(row["noted"])[:19],
        fix=json.loads(row["fix"]) if row.get("fix") else {}, author=row.get("author"), note=row.get("note"),
        approved_by=row.get("approved_by"),
    )  # fmt: skip


def _all(database: Database, query: str) -> list[dict[str, Any]]:
    return database.query(query).read_all().to_pylist()


def _table(name: str) -> exp.Table:
    return exp.table_(name, quoted=True)


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _now() -> str:
    return clock.now().isoformat()


def _check_dialect(database: Database) -> None:
    if database.dialect not in (DUCKDB, POSTGRES):
        raise WrongDefinition(
            "The quarantine of the gate lies in a warehouse of DuckDB or PostgreSQL.",
            advice="Name one with --warehouse.",
        )
