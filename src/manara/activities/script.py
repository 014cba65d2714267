"""The activity Script: SQL statements that run in one transaction, once."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from manara.activities.plain import OUTPUT_BYTES, plain_rows
from manara.activities.watched import Watched
from manara.errors import WrongDefinition
from manara.plugin.activity import Given, Output, activity
from manara.plugin.connection import Database, Store, Transaction, Tunable
from manara.plugin.lineage import safely
from manara.registry import near
from manara.resources.timespan import read_timespan
from manara.table.batch import Batch
from manara.table.dialects import dialect_of
from manara.table.procedure import script_of
from manara.table.statements import statements

__all__ = ["Results", "database_of", "read_value", "script", "statements"]

_MOST_ROWS = 5_000
_KINDS = {"query": True, "nonquery": False}
_DIRECTIONS = {"input", "output", "inputoutput"}
_CASTS: dict[str, Callable[[Any], Any]] = {
    "boolean": lambda value: str(value).lower() == "true",
    "int": int,
    "int16": int,
    "int32": int,
    "int64": int,
    "single": float,
    "double": float,
    "decimal": float,
    "string": str,
    "guid": str,
    "datetime": lambda value: datetime.fromisoformat(str(value)),
    "datetimeoffset": lambda value: datetime.fromisoformat(str(value)),
}


@activity("Script")
def script(given: Given) -> Output:
    """Run `scripts` in order, all in one transaction that is done once.

    A script has its SQL in `text`, or in the file of the factory's folder `script/` that `scriptPath` names. A Query
    adds a result set for each statement that gives rows (the first 5,000), a NonQuery the number of rows it changed.
    `parameters` are bound, never pasted: `@name` (or the database's own `$name`) stands for the value. Those with the
    direction Output or InputOutput come back as `outputParameters`: a T-SQL variable of that name, or the column of
    that name in a result of one row. SQL Server's T-SQL runs on what stands in for it, or is told to be impossible.

    What PRINT says is in `outputLogs`, or with the logSettings' ExternalStore in a file that `outputLogsLocation`
    names. `scriptBlockExecutionTimeout` holds for each statement where the database has time limits (PostgreSQL).
    An output of more than 4 MB is cut, and says so in `outputTruncated`: the logs, then the rows.
    """
    limit_s = read_timespan(given.properties.get("scriptBlockExecutionTimeout"), timedelta()).total_seconds()
    database = database_of(given)
    if isinstance(database, Tunable) and limit_s:
        database = database.tuned(timeout_s=limit_s)
    scripts = given.properties.get("scripts") or []
    if not scripts:
        raise WrongDefinition("A Script needs typeProperties.scripts.", where=given.name)
    parts = [_part(given, index, one) for index, one in enumerate(scripts)]
    written = dialect_of(given.published_type(given.linked_service or {}))
    output = database.once(given.mark, lambda transaction: _run(given, parts, transaction, written, database.dialect))
    return _with_logs(given, output)


def database_of(given: Given) -> Database:
    """Return the opened linked service of an activity. Raises WrongDefinition where it is no database."""
    if not given.linked_service:
        raise WrongDefinition("It needs a linkedServiceName, a database.", where=given.name)
    database = given.connect(given.linked_service)
    if not isinstance(database, Database):
        raise WrongDefinition("It needs a linked service that is a database.", where=given.name)
    return database


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    text: str
    values: Mapping[str, Any]
    outputs: Sequence[str]
    wants_rows: bool


def _part(given: Given, index: int, told: Mapping[str, Any]) -> _Part:
    where = f"{given.name}: scripts[{index}]"
    kind = str(told.get("type") or "Query")
    if kind.lower() not in _KINDS:
        raise WrongDefinition(f"A script is a Query or a NonQuery, not '{kind}'.", where=where)
    text = given.text("script", str(told["scriptPath"])) if told.get("scriptPath") else str(told.get("text") or "")
    try:
        is_empty = not any(True for _ in statements(text, "duckdb"))
    except WrongDefinition as error:
        raise error.at(where)  # noqa: B904 # the same error, with its place
    if is_empty:
        raise WrongDefinition("The script holds no statement.", where=where)
    values, outputs = {}, []
    for one in told.get("parameters") or ():
        name = str(one.get("name", "")).lstrip("@$")
        direction = str(one.get("direction") or "Input").lower()
        at = f"{where}.parameters['{one.get('name')}']"
        if direction not in _DIRECTIONS:
            raise WrongDefinition(f"A direction is Input, Output or InputOutput, not '{direction}'.", where=at)
        values[name] = None if direction == "output" else read_value(one.get("type"), one.get("value"), at)
        if direction != "input":
            outputs.append(name)
    return _Part(text=text, values=values, outputs=outputs, wants_rows=_KINDS[kind.lower()])


def read_value(kind: Any, value: Any, where: str) -> Any:
    """Return a parameter's value as its type says. Raises WrongDefinition."""
    told = str(kind or "String").lower()
    if told not in _CASTS:
        raise WrongDefinition(f"The type '{kind}' is unknown.", where=where, advice=near(told, _CASTS))
    try:
        return None if value is None else _CASTS[told](value)
    except (ValueError, TypeError) as error:
        raise WrongDefinition(f"'{value}' is no {kind}.", where=where) from error


@dataclass(slots=True, kw_only=True)
class Results:
    """What the statements give: result sets, rows changed, values of output parameters, and what was printed."""

    report: Callable[[Mapping[str, Any]], None]
    sets: list[dict[str, Any]] = field(default_factory=list)
    affected: int = 0
    outputs: dict[str, Any] = field(default_factory=dict)
    logs: list[str] = field(default_factory=list)
    is_cut: bool = False

    def take(self, rows: pa.RecordBatchReader, wants_rows: bool) -> None:
        """Keep the first 5,000 rows of a result, or the values of output parameters where it has their names."""
        found = list(plain_rows(rows, _MOST_ROWS + 1))
        rows.close()
        folded = {name.lower(): name for name in self.outputs}
        if self.outputs and len(found) == 1 and found[0].keys() and all(name.lower() in folded for name in found[0]):
            self.outputs.update({folded[name.lower()]: value for name, value in found[0].items()})
        elif wants_rows:
            self.is_cut = self.is_cut or len(found) > _MOST_ROWS
            self.sets.append({"rowCount": len(found[:_MOST_ROWS]), "rows": found[:_MOST_ROWS]})

    def count(self, changed: int) -> None:
        """Add to the number of rows changed."""
        self.affected += changed
        self.report({"recordsAffected": self.affected})

    def output(self) -> Output:
        """Return the activity's output, cut to 4 MB: the logs first, then the rows of the last result sets."""
        output: Output = {
            "resultSetCount": len(self.sets),
            "recordsAffected": self.affected,
            "resultSets": self.sets,
            "outputParameters": self.outputs,
        }
        size = len(json.dumps(output, ensure_ascii=False).encode())
        for result in reversed(self.sets):
            while size > OUTPUT_BYTES and result["rows"]:
                kept = result["rows"][: len(result["rows"]) // 2]
                size -= len(json.dumps(result["rows"][len(kept) :], ensure_ascii=False).encode())
                result["rows"], result["rowCount"], self.is_cut = kept, len(kept), True
        if self.is_cut:
            output["outputTruncated"] = True
        if self.logs:
            output["outputLogs"] = "\n".join(self.logs)
        return output


def _run(given: Given, parts: Sequence[_Part], transaction: Transaction, written: str, spoken: str) -> Output:
    results = Results(report=given.report)
    watched = Watched(transaction)
    for part in parts:
        results.outputs.update({name: part.values[name] for name in part.outputs})
        batch = Batch(
            written=written or spoken,
            spoken=spoken,
            runner=watched,
            rows=lambda rows, part=part: results.take(rows, part.wants_rows),  # type: ignore[misc]
            count=results.count,
            values=dict(part.values),
            procedure=lambda name: script_of(name, given.text),
            logs=results.logs,
        )
        batch.run(part.text)
        if written == "tsql" and spoken != "tsql":
            results.outputs.update({name: _json(batch.values.get(name.lower())) for name in part.outputs})
    namespace = str((given.linked_service or {}).get("referenceName") or "")
    return results.output() | safely(lambda: watched.lineage(namespace, spoken))


def _json(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    schema = pa.schema([("v", pa.array([value]).type)])
    batch = pa.record_batch([pa.array([value])], schema=schema)
    return next(iter(plain_rows(pa.RecordBatchReader.from_batches(schema, [batch]), 1)))["v"]


def _with_logs(given: Given, output: Output) -> Output:
    """Return the output with its logs where the logSettings want them."""
    told = given.properties.get("logSettings") or {}
    logs = output.get("outputLogs")
    if str(told.get("logDestination") or "").lower() != "externalstore" or not logs:
        return output
    place = told.get("logLocationSettings") or {}
    store = given.connect(place.get("linkedServiceName") or {})
    if not isinstance(store, Store):
        raise WrongDefinition(
            "The logLocationSettings need a linked service that holds files.", where=f"{given.name}: logSettings"
        )
    folder = str(place.get("path") or "").strip("/")
    path = "/".join(part for part in (folder, given.mark.run_id, f"{_file_name(given.mark.step)}.txt") if part)
    with store.create(path) as file:
        file.write(f"{logs}\n".encode())
    kept = {name: value for name, value in output.items() if name != "outputLogs"}
    return {**kept, "outputLogsLocation": path}


def _file_name(step: str) -> str:
    with suppress(ValueError):
        return "".join(sign if sign.isalnum() or sign in "-_ " else "_" for sign in step)
    return "script"
