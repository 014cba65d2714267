"""The tables of the steward, and the target: what is written in one transaction."""

import base64
import hashlib
import importlib.resources
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import pyarrow as pa
import sqlglot
from sqlglot import exp

from manara import clock
from manara.errors import WrongDefinition
from manara.harmonise.stream import Unmatched
from manara.plugin.connection import Transaction
from manara.table.arrow_types import add_column, column_type, create_table

ORIGIN, ROW, RUN = "_origin", "_row", "_run"
_NOTES = {ORIGIN: "TEXT", ROW: "BIGINT", RUN: "TEXT"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The table that harmonised rows go to, and what the steward knows the work by."""

    schema: str
    table: str
    columns: str
    fields: pa.Schema

    @property
    def task(self) -> str:
        """The name of the work: the same columns into the same table are the same work."""
        return hashlib.sha256("\x1f".join([self.schema, self.table, self.columns]).encode()).hexdigest()[:32]

    @property
    def named(self) -> exp.Table:
        return exp.table_(self.table, db=self.schema or None, quoted=True)


@cache
def statements() -> Mapping[str, str]:
    """Return the statements of steward.sql by their names."""
    text = importlib.resources.files("manara.harmonise").joinpath("steward.sql").read_text("utf-8")
    return dict(re.findall(r"^-- name: (\w+)\n(.*?);$", text, re.DOTALL | re.MULTILINE))


def make_tables(transaction: Transaction) -> None:
    """Make the steward's tables where they are missing."""
    for name in ("create_task", "create_queue", "create_waiting", "create_alias"):
        transaction.execute(statements()[name])


def has_tables(columns: Any) -> bool:
    """Say whether the steward's tables are there; `columns` tells the columns of a table."""
    return bool(columns(exp.table_("steward_alias")))


def make_target(transaction: Transaction, target: Target, schema: pa.Schema, dialect: str) -> None:
    """Make the target, or give it the columns that it lacks. Raises WrongDefinition for a column of another type."""
    wanted = {field.name: column_type(field.type) for field in schema if field.name not in _NOTES}
    wanted |= {name: exp.DataType.build(kind) for name, kind in _NOTES.items()}
    present = {name.lower(): kind for name, kind in transaction.columns(target.named).items()}
    if not present:
        transaction.execute(create_table(target.named, wanted).sql(dialect))
        return
    for name, kind in wanted.items():
        if name.lower() not in present:
            transaction.execute(add_column(target.named, name, kind).sql(dialect))
        elif not _same(kind, present[name.lower()], dialect):
            raise WrongDefinition(
                f"The column '{name}' is {present[name.lower()]} in the table, and {kind.sql(dialect)} here.",
                where=f"table '{target.table}'",
                advice="Give the column another name, or move the table away.",
            )


def _same(wanted: exp.DataType, present: str, dialect: str) -> bool:
    parsed = sqlglot.parse_one(f"cast(x as {present})", dialect=dialect)
    kind = parsed.find(exp.DataType)
    families = (exp.DataType.TEXT_TYPES, exp.DataType.INTEGER_TYPES, exp.DataType.FLOAT_TYPES)
    if kind is None or kind.this == wanted.this:
        return kind is not None
    return any(kind.this in family and wanted.this in family for family in families)


def forget_origin(transaction: Transaction, target: Target, origin: str, dialect: str) -> int:
    """Take away what an earlier load of the same origin put into the target and among the waiting rows."""
    transaction.execute(statements()["forget_waiting"], {"task": target.task, "origin": origin})
    condition = exp.column(ORIGIN, quoted=True).eq(exp.var("$origin"))
    tree = exp.delete(target.named, where=condition)
    return transaction.execute(tree.sql(dialect), {"origin": origin})


def note_task(transaction: Transaction, target: Target) -> None:
    """Note how the table is harmonised."""
    transaction.execute(
        statements()["note_task"],
        {
            "task": target.task, "schema": target.schema, "table": target.table, "columns": target.columns,
            "fields": base64.b64encode(target.fields.serialize().to_pybytes()).decode(), "noted": _now(),
        },
    )  # fmt: skip


def read_fields(text: str) -> pa.Schema:
    """Return the schema that note_task wrote down."""
    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text)))


def item_of(list_name: str, parent: str, plain: str) -> str:
    """Return the id by which the steward knows an unmatched value."""
    return hashlib.sha256("\x1f".join([list_name, parent, plain]).encode()).hexdigest()[:12]


def note_items(transaction: Transaction, unmatched: Iterable[Unmatched], keys: Iterable[tuple[str, str, str]]) -> None:
    """Put the unmatched values into the queue; one that is there already keeps its first day and its status."""
    for found, key in zip(unmatched, keys, strict=True):
        transaction.execute(
            statements()["note_item"],
            {
                "item": item_of(*key), "list": key[0], "parent": key[1], "plain": key[2], "value": found.value,
                "kind": found.kind, "reason": found.finding.reason, "candidates": found.finding.candidates,
                "rows": found.rows, "noted": _now(),
            },
        )  # fmt: skip


def read_aliases(transaction: Any) -> dict[str, dict[tuple[str, str], str]]:
    """Return the decisions by list: (parent, plain name) to the code, nothing where it stands for none."""
    found: dict[str, dict[tuple[str, str], str]] = {}
    for row in transaction.query(statements()["aliases"]).read_all().to_pylist():
        found.setdefault(row["list_name"], {})[row["parent"] or "", row["plain"]] = row["code"] or ""
    return found


def payload_of(row: Mapping[str, Any]) -> str:
    """Return a row as JSON, whole."""
    return json.dumps(row, ensure_ascii=False, default=str)


def rows_from(payloads: Iterable[str], schema: pa.Schema) -> pa.RecordBatch:
    """Return rows that payload_of wrote, with their types."""
    rows = [json.loads(payload) for payload in payloads]
    columns = [_column([row.get(field.name) for row in rows], field.type) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _column(values: list[Any], kind: pa.DataType) -> "pa.Array[Any]":
    if pa.types.is_nested(kind) or pa.types.is_boolean(kind):
        return pa.array(values, kind)
    texts = pa.array([None if value is None else str(value) for value in values], pa.string())
    return texts.cast(kind)


def _now() -> str:
    return clock.now().isoformat(timespec="seconds")
