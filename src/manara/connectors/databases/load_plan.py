"""What a load into a table is to do: which column goes where, by which keys rows are merged, and whether to make it."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from sqlglot import exp

from manara.errors import NotFound, WrongDefinition
from manara.plugin.connection import Database, ListsTables, Transaction
from manara.registry import near

_OURS = "manara_"


def no_table(database: Database | Transaction, table: exp.Table) -> NotFound:
    """Return the error for a table that is not there, with near names where the database lists its tables."""
    names = database.tables(table.db) if isinstance(database, ListsTables) else []
    advice = near(table.name, [name for name in names if not name.startswith(_OURS)]) if names else ""
    return NotFound(f"There is no table '{table.name}'.", advice=advice)


def may_be_made(transaction: Transaction, table: exp.Table, settings: Mapping[str, Any]) -> None:
    """Raise NotFound unless the sink's `tableOption` says that a missing table is to be made."""
    if settings.get("tableOption") != "autoCreate":
        error = no_table(transaction, table)
        error.advice = f"{error.advice} Or set tableOption to autoCreate in the sink.".strip()
        raise error


def matched(table: exp.Table, schema: pa.Schema, columns: Mapping[str, str]) -> dict[str, str]:
    """Return for each column of the rows the table's: of the same name, or else of the same letters."""
    folded = {name.lower(): name for name in columns}
    targets = {name: name if name in columns else folded.get(name.lower(), "") for name in schema.names}
    lost = [name for name, target in targets.items() if not target]
    if lost:
        raise WrongDefinition(
            f"The table '{table.name}' has no column {quoted(lost)}. The rows have "
            f"{quoted(schema.names)}; the table has {quoted(columns)}.",
            advice="Map the columns in the copy's translator, or add them to the table.",
            code="UserErrorInvalidColumnName",
        )
    twice = [name for name, target in targets.items() if list(targets.values()).count(target) > 1]
    if twice:
        raise WrongDefinition(
            f"The columns {quoted(twice)} of the rows are one column of the table '{table.name}'.",
            advice="Map one of them in the copy's translator.",
            code="UserErrorInvalidColumnName",
        )
    return targets


def keys_of(settings: Mapping[str, Any], targets: Mapping[str, str]) -> list[str]:
    """Return the columns of the table by which an upsert finds a row; none for an insert."""
    if str(settings.get("writeBehavior") or "insert").lower() != "upsert":
        return []
    told = [str(key) for key in (settings.get("upsertSettings") or {}).get("keys") or []]
    folded = {target.lower(): target for target in targets.values()}
    keys = [key if key in targets.values() else folded.get(key.lower(), "") for key in told]
    lost = [name for name, key in zip(told, keys, strict=True) if not key]
    if lost or not keys:
        raise WrongDefinition(
            f"The upsert's keys {quoted(lost)} are no columns of the rows." if lost else "An upsert needs its keys.",
            where="sink.upsertSettings.keys",
            advice=near(lost[0], targets.values()) if lost else 'Write "upsertSettings": {"keys": ["id"]}.',
        )
    return keys


def quoted(names: Any) -> str:
    """Return names as a message shows them."""
    return ", ".join(f"'{name}'" for name in names)
