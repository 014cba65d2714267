"""The steward's work: the queue of unmatched values, decisions, and the rows that come back by them."""

import base64
import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from manara import clock
from manara.errors import Conflict, NotFound, WrongDefinition
from manara.harmonise import tables
from manara.harmonise.load import noted, with_notes
from manara.harmonise.pack import Pack, read_pack
from manara.harmonise.readers import packs_of, reader_of
from manara.harmonise.settings import read_columns
from manara.harmonise.stream import Harmoniser
from manara.harmonise.tables import Target, statements
from manara.plugin.connection import Database, Mark, Transaction

OPEN, DECIDED, REJECTED = "open", "decided", "rejected"
_AT_A_TIME = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One unmatched value: what it was matched against and inside which parent, how often it came, and what it may be.

    `candidates` are codes with names and scores (0 to 100), the nearest first. `code` is what was decided: None while
    it is open, nothing where it stands for none.
    """

    id: str
    list_name: str
    parent: str
    value: str
    plain: str
    kind: str
    reason: str
    rows: int
    candidates: tuple[dict[str, Any], ...]
    first_seen: str
    last_seen: str
    status: str
    code: str | None = None
    author: str | None = None
    decided: str | None = None
    note: str | None = None


def queue(database: Database) -> list[Item]:
    """Return every value that was not matched, the most frequent first; nothing where nothing was harmonised yet."""
    if not tables.has_tables(database.columns):
        return []
    return [_item(row) for row in database.query(statements()["queue"]).read_all().to_pylist()]


def waiting(database: Database) -> int:
    """Return how many rows wait."""
    if not tables.has_tables(database.columns):
        return 0
    return int(database.query(statements()["waiting_count"]).read_all().to_pylist()[0]["n"])


def find(database: Database, start: str) -> Item:
    """Return the item with the id, or the only one whose id begins so. Raises NotFound."""
    found = [item for item in queue(database) if item.id.startswith(start)]
    if len(found) != 1 or not start:
        problem = f"{len(found)} items begin with" if found else "There is no item"
        raise NotFound(f"{problem} '{start}'.", advice="manara steward list shows them.")
    return found[0]


def decide(database: Database, mark: Mark, item: Item, code: str, *, author: str, note: str = "") -> None:
    """Note that the value stands for the code; nothing as code notes that it stands for none.

    Raises Conflict where somebody has decided it otherwise in between, or where it is decided already.
    """

    def work(transaction: Transaction) -> dict[str, Any]:
        known = tables.read_aliases(transaction).get(item.list_name, {}).get((item.parent, item.plain))
        if known is not None:
            raise Conflict(
                f"'{item.value}' has been decided already: {known or 'it stands for nothing'}.",
                advice="Take the decision back first: manara steward undo.",
            )
        transaction.execute(
            statements()["note_alias"],
            {
                "list": item.list_name, "parent": item.parent, "plain": item.plain, "value": item.value, "code": code,
                "author": author, "noted": clock.now().isoformat(timespec="seconds"), "note": note,
            },
        )  # fmt: skip
        transaction.execute(statements()["set_status"], {"item": item.id, "status": DECIDED if code else REJECTED})
        return {}

    database.once(mark, work)


def undo(database: Database, mark: Mark, item: Item) -> None:
    """Take a decision back. Rows that have gone on by it stay; a new load of their file reads them anew."""
    if item.code is None:
        raise Conflict(f"'{item.value}' has not been decided.")

    def work(transaction: Transaction) -> dict[str, Any]:
        key = {"list": item.list_name, "parent": item.parent, "plain": item.plain}
        transaction.execute(statements()["forget_alias"], key)
        transaction.execute(statements()["set_status"], {"item": item.id, "status": OPEN})
        return {}

    database.once(mark, work)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What a replay did: rows that went into their tables, and rows that still wait."""

    written: int
    waiting: int
    tables: tuple[str, ...]


def replay(database: Database, root: Path, mark: Mark) -> Replayed:
    """Read the waiting rows again with the decisions as they are, and put those that now match into their tables.

    All happens in one transaction with the mark, so that each row arrives once. `root` is the factory's folder, for the
    packs. Raises WrongDefinition where a pack or the table is not as it was.
    """
    if not tables.has_tables(database.columns):
        return Replayed(written=0, waiting=0, tables=())

    def work(transaction: Transaction) -> dict[str, Any]:
        written: dict[str, int] = {}
        for task in transaction.query(statements()["tasks"]).read_all().to_pylist():
            count = _replay_task(transaction, database.dialect, root, task)
            if count:
                written[task["target_table"]] = written.get(task["target_table"], 0) + count
        left = transaction.query(statements()["waiting_count"]).read_all().to_pylist()[0]["n"]
        return {"written": sum(written.values()), "waiting": int(left), "tables": sorted(written)}

    done = database.once(mark, work)
    return Replayed(written=done["written"], waiting=done["waiting"], tables=tuple(done["tables"]))


def _replay_task(transaction: Transaction, dialect: str, root: Path, task: dict[str, Any]) -> int:
    rows = transaction.query(statements()["waiting_of_task"], {"task": task["task"]}).read_all()
    if not rows.num_rows:
        return 0
    columns = read_columns(json.loads(task["columns"]), f"steward_task '{task['task'][:8]}'")
    packs: dict[str, Pack] = {name: read_pack(root, name) for name in packs_of(columns)}
    aliases = tables.read_aliases(transaction)
    fields = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(task["source_schema"])))
    target = Target(
        schema=task["target_schema"] or "", table=task["target_table"], columns=task["columns"], fields=fields
    )
    readers = [reader_of(column, packs, aliases.get(column.list_name, {})) for column in columns]
    harmoniser = Harmoniser(readers, fields, f"table '{target.table}'")
    tables.make_target(transaction, target, harmoniser.schema, dialect)
    schema = with_notes(harmoniser.schema)
    freed: list[tuple[str, int]] = []
    batches = [batch.select(schema.names) for batch in _freed(rows.to_pylist(), harmoniser, fields, freed)]
    if freed:
        transaction.load(target.named, pa.RecordBatchReader.from_batches(schema, batches))
        for origin, row in freed:
            transaction.execute(statements()["leave_waiting"], {"task": task["task"], "origin": origin, "row": row})
    return len(freed)


def _freed(
    rows: Sequence[dict[str, Any]], harmoniser: Harmoniser, fields: pa.Schema, freed: list[tuple[str, int]]
) -> Iterator[pa.RecordBatch]:
    """Yield the rows that wait for nothing any more, with the notes that they came with."""
    for start in range(0, len(rows), _AT_A_TIME):
        part = rows[start : start + _AT_A_TIME]
        done = harmoniser.read(tables.rows_from((row["payload"] for row in part), fields))
        places = [place for place, keys in enumerate(done.waits) if not keys]
        freed += [(part[place]["origin"], part[place]["row_number"]) for place in places]
        origins, numbers, runs = (
            [part[place][name] for place in places] for name in ("origin", "row_number", "run_id")
        )
        yield noted(done.batch.take(pa.array(places, pa.int64())), origins, numbers, runs)


def check_code(root: Path, item: Item, code: str) -> None:
    """Raise WrongDefinition where a list of codes does not have the code, or has it at another place."""
    if item.kind not in ("country", "place", "code"):
        return
    name = item.list_name.split("/")[0]
    entries = {entry.code: entry for entry in read_pack(root, name).entries}
    if code not in entries:
        raise WrongDefinition(f"The pack '{name}' has no code '{code}'.", advice="manara pack show finds codes.")


def _item(row: dict[str, Any]) -> Item:
    return Item(
        id=row["item"], list_name=row["list_name"], parent=row["parent"] or "", value=row["value"], plain=row["plain"],
        kind=row["kind"], reason=row["reason"] or "", rows=row["rows_seen"],
        candidates=tuple(json.loads(row["candidates"] or "[]")), first_seen=row["first_seen"],
        last_seen=row["last_seen"], status=row["status"], code=row["code"], author=row["author"],
        decided=row["decided"], note=row["note"],
    )  # fmt: skip


def decisions(database: Database) -> list[dict[str, Any]]:
    """Return what was decided, the oldest first: list, parent, value, code (nothing for none), author, date, note."""
    if not tables.has_tables(database.columns):
        return []
    return database.query(statements()["aliases"]).read_all().to_pylist()


def write_aliases(found: Sequence[dict[str, Any]], file: Path) -> None:
    """Write decisions as the `aliases` file of a pack: parent, name, code, author, decided, note."""
    beside = file.with_name(f".{file.name}.new")
    with beside.open("w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("parent", "name", "code", "author", "decided", "note"))
        for row in found:
            told = (row["parent"], row["value"], row["code"], row["author"], row["decided"], row["note"])
            writer.writerow([cell or "" for cell in told])
    beside.replace(file)
