"""What the tables were before: every row that a load changes is kept, with the moment until which it counted."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlglot import exp

from manara.errors import NotFound
from manara.plugin.connection import Database
from manara.registry import near
from manara.table.template import fill, names, table
from manara.warehouse.staging import Staging
from manara.warehouse.tables import LOG_TABLE, REPLACED


def keep(
    staging: Staging, here: exp.Table, past: exp.Table, step: exp.Table | None, condition: exp.Expr, at: datetime
) -> int:
    """Copy the rows (`d`) that the condition means into the table of the past. `step` is what it calls `s`."""
    columns = list(staging.transaction.columns(here))
    template = _KEPT_BY_STEP if step is not None else _KEPT
    return staging.run(
        template,
        {"at": at},
        past=past, columns=names(columns), replaced=names([REPLACED]), own=names(columns, "d"), here=here,
        step=step or here, condition=condition,
    )  # fmt: skip


_KEPT = """
insert into {past} ({columns}, {replaced})
select {own}, cast($at as timestamp) from {here} as d where {condition}
"""
_KEPT_BY_STEP = """
insert into {past} ({columns}, {replaced})
select distinct {own}, cast($at as timestamp) from {here} as d cross join {step} as s where {condition}
"""


def as_of(named: str, columns: Callable[[exp.Table], dict[str, str]], schema: str = "") -> exp.Expr:
    """Return the query that gives a table as it was at the moment `$moment`: what was loaded by then, and not replaced.

    Raises NotFound for a table that keeps no past.
    """
    here, past = table(named, schema), table(f"{named}_history", schema)
    own = list(columns(here))
    if not own or not columns(past):
        raise NotFound(f"There is no table '{named}' that keeps its past.", advice="manara warehouse show lists them.")
    return fill(
        "select {own} from {here} where loaded_at is null or loaded_at <= cast($moment as timestamp) "
        "union all select {own} from {past} where (loaded_at is null or loaded_at <= cast($moment as timestamp)) "
        "and {replaced} > cast($moment as timestamp)",
        own=names(own), here=here, past=past, replaced=names([REPLACED]),
    )  # fmt: skip


def read_as_of(database: Database, named: str, moment: datetime, schema: str = "") -> Any:
    """Return the rows of a table as they were at a moment (UTC), as Arrow batches."""
    statement = as_of(named, database.columns, schema).sql(database.dialect)
    return database.query(statement, {"moment": moment.replace(tzinfo=None)})


def moment_of(database: Database, run_id: str, schema: str = "") -> datetime:
    """Return when a run had last loaded a table. Raises NotFound where it loaded none."""
    log = table(LOG_TABLE, schema)
    statement = fill("select run_id, max(loaded_at) as loaded_at from {log} group by run_id order by 2", log=log).sql(
        database.dialect
    )
    runs = {row["run_id"]: row["loaded_at"] for row in database.query(statement).read_all().to_pylist()}
    found = [run for run in runs if run.startswith(run_id)]
    if len(found) != 1 or not run_id:
        raise NotFound(f"No load is known of a run '{run_id}'.", advice=near(run_id, runs))
    moment: datetime = runs[found[0]]
    return moment
