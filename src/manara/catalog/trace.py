"""From a row of the warehouse back to the lines of the files that it was made from."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from sqlglot import exp

from manara.catalog.correction import corrections_of
from manara.catalog.history import History, Work, key_of
from manara.catalog.source_line import Record, parquet_row, record_of
from manara.catalog.star_rows import keys_of, source_key
from manara.catalog.trail import Line, Row, Trail, merged
from manara.errors import ManaraError, NotFound, WrongDefinition
from manara.plugin.connection import Connection, Database, Store
from manara.plugin.lineage import Asset
from manara.resources.model import LinkedService
from manara.table.dialects import dialect_of
from manara.table.lineage_query import Unclear
from manara.table.rows_behind import Behind, behind_query, rows_behind

ORIGIN, ROW, RUN = "_origin", "_row", "_run"
_MOST_ROWS = 12
_MOST_DEEP = 12
_QUERIES = ("sqlReaderQuery", "query", "oracleReaderQuery")
_LOADED = ("LoadFact", "LoadDimension")


class Tracer:
    """Follows rows; `connect` opens a linked service of the factory by its name."""

    def __init__(self, history: History, connect: Callable[[str], Connection]) -> None:
        self._history = history
        self._connect = connect
        self._opened: dict[str, Connection] = {}
        self._seen: set[tuple[tuple[str, str], str]] = set()

    def trace(self, table: Asset, key: Mapping[str, str], column: str = "") -> Trail:
        """Return the trail of the rows with the key. Raises NotFound where there is no such row."""
        database = self._database(table)
        names = database.columns(_table(table))
        lost = [name for name in (*key, *([column] if column else ())) if name.lower() not in _folded(names)]
        if lost:
            raise WrongDefinition(
                f"{table.name} has no column '{lost[0]}'.", advice=f"Its columns are: {', '.join(names)}."
            )
        query = exp.select("*").from_(_table(table))
        for name, value in key.items():
            real = _folded(names)[name.lower()]
            text = exp.cast(exp.column(real, quoted=True), "varchar")
            query = query.where(text.eq(value))
        rows, total = self._fetched(database, query.sql(database.dialect))
        if not rows:
            told = ", ".join(f"{name}={value}" for name, value in key.items())
            raise NotFound(f"There is no row with {told} in {table.name}.")
        return self._trail(table, rows, total, column, "", 0)

    def only_key(self, table: Asset) -> str:
        """Return the column that alone tells rows apart, as far as the definitions say. Raises WrongDefinition."""
        names = self._database(table).columns(_table(table))
        declared = keys_of(self._history.definitions(""), table)
        keys = [name for name in names if name.lower() in declared]
        if len(keys) == 1:
            return keys[0]
        first = [name for name in names if name.lower().endswith(("_id", "_key")) or name.lower() == "id"]
        told = ", ".join(f"{name}=..." for name in (keys or first)) or "COLUMN=VALUE"
        raise WrongDefinition(
            f"{table.name} has no single key that is known.", advice=f"Name the columns: --row {told}"
        )

    def _trail(self, asset: Asset, rows: Sequence[Row], total: int, column: str, by: str, depth: int) -> Trail:
        trail = Trail(asset=asset, column=column, by=by, rows=list(rows), total=total)
        if total > len(rows):
            trail.notes.append(f"{total:,} rows took part; the first {len(rows)} are followed.")
        if depth >= _MOST_DEEP:
            trail.notes.append("The trail is not followed further: it is too long.")
            return trail
        writers = self._writers(asset)
        gates = [work for work in writers if work.type not in (*_LOADED, "Script", "SqlServerStoredProcedure")]
        is_made = len(gates) < len(writers)
        for row in rows:
            mark = (key_of(asset), json.dumps(dict(row), default=str, sort_keys=True) + column)
            if mark in self._seen:
                continue
            self._seen.add(mark)
            found = self._behind_made(asset, row, column, writers, depth, trail) if is_made else []
            if not found and row.get(ORIGIN) and row.get(ROW):
                self._to_origin(row, column, trail, depth)
            elif not found:
                self._by_columns(asset, row, column, writers, depth, trail)
        trail.behind = merged(trail.behind)
        if not writers:
            trail.notes.append("No run is known that wrote this table.")
        return trail

    def _writers(self, asset: Asset) -> list[Work]:
        """Return the newest work of each activity that wrote the asset."""
        found: dict[tuple[str, str], Work] = {}
        for work in self._history.writers(asset):
            if work.succeeded:
                found.setdefault((work.pipeline, work.activity), work)
        return list(found.values())

    def _behind_made(
        self, asset: Asset, row: Row, column: str, writers: Sequence[Work], depth: int, trail: Trail
    ) -> list[Trail]:
        """Follow a row that SQL made; return what stands behind it."""
        found: list[Trail] = []
        for work in writers:
            try:
                parts = self._parts(asset, row, column, work)
            except Unclear as error:
                trail.notes.append(str(error))
                continue
            for part in parts:
                found += self._reached(asset, part, column, work, depth, trail)
        trail.behind += found
        return found

    def _parts(self, asset: Asset, row: Row, column: str, work: Work) -> list[Behind]:
        database = self._database(asset)
        factory = self._history.definitions(work.group_id)
        if work.type in _LOADED:
            text = _text_of(work.input, factory.text)
            values, wanted = source_key(
                factory, row, column, work, lambda query: self._fetched(database, query.sql(database.dialect))[0]
            )
            return behind_query(text, database.dialect, database.columns, values, wanted) if text and values else []
        if work.type != "Script":
            return []
        service = factory.definitions.get(("linkedService", asset.namespace))
        resource = cast("LinkedService", service.resource) if service else None
        written = dialect_of(resource.properties.type) if resource else ""
        if written and written != database.dialect:
            raise Unclear(f"The script is written in another SQL ({written}) than the database here speaks.")
        texts = [_text_of(one, factory.text) for one in work.input.get("scripts") or ()]
        kept = {name: value for name, value in row.items() if name not in (ORIGIN, ROW, RUN)}
        return rows_behind(texts, database.dialect, database.columns, table=asset.name, row=kept, wanted=column)

    def _reached(
        self, asset: Asset, part: Behind, column: str, work: Work, depth: int, trail: Trail, made: Asset | None = None
    ) -> list[Trail]:
        """Return the rows that stand behind one; `made` is what the work wrote, where that is no table."""
        table = Asset(namespace=asset.namespace, name=part.table)
        if not part.conditions:
            trail.notes.append(f"{part.table} cannot be followed row by row: nothing ties its rows to this one.")
            return []
        try:
            rows, total = self._fetched(self._database(asset), part.query)
        except ManaraError as error:
            trail.notes.append(f"{part.table} cannot be followed row by row: {error.message.splitlines()[0][:160]}")
            return []
        if not rows:
            return []
        wanted = self._source_column(made or asset, table, column, work)
        inner = self._trail(table, rows, total, wanted, f"{work.type} '{work.activity}'", depth + 1)
        inner.notes += [f"Some of these rows may not have counted: {why}." for why in part.loose]
        return [inner]

    def _source_column(self, asset: Asset, table: Asset, column: str, work: Work) -> str:
        """Return the one column of a table that a column was made from; nothing where there are several."""
        told = {key_of(one): columns for one, columns in work.lineage.columns.items()}.get(key_of(asset), {})
        found = next((sources for name, sources in told.items() if name.lower() == column.lower()), ())
        names = {one.column for one in found if key_of(one.asset) == key_of(table)}
        return names.pop() if len(names) == 1 else ""

    def _by_columns(
        self, asset: Asset, row: Row, column: str, writers: Sequence[Work], depth: int, trail: Trail
    ) -> None:
        """Follow a row by the columns that were handed on as they are."""
        for work in writers:
            told = {key_of(one): columns for one, columns in work.lineage.columns.items()}.get(key_of(asset), {})
            for source in work.lineage.inputs:
                pairs = {
                    one.column: row[name]
                    for name, found in told.items()
                    for one in found
                    if one.asset == source and one.how == "IDENTITY" and row.get(name) is not None
                }
                if not pairs or "/" in source.name or source.namespace != asset.namespace:
                    continue
                query = exp.select("*").from_(_table(source))
                for name, value in pairs.items():
                    query = query.where(exp.column(name, quoted=True).eq(exp.convert(value)))
                part = Behind(table=source.name, query=query.sql(self._database(asset).dialect), conditions=len(pairs))
                trail.behind += self._reached(asset, part, column, work, depth, trail)
        if not trail.behind and not trail.lines and writers:
            trail.notes.append("The trail cannot be followed row by row from here; see the columns without --row.")

    def _to_origin(self, row: Row, column: str, trail: Trail, depth: int) -> None:
        """Follow a row that a gate loaded to the file, and the line, that it came from."""
        name, number, run_id = str(row[ORIGIN]), int(row[ROW]), str(row.get(RUN) or "")
        trail.notes += corrections_of(self._database(trail.asset), trail.asset.name, name, number)
        gate = self._gate(name, run_id)
        if gate is None:
            file = Asset(namespace="", name=name)
            trail.lines.append(Line(file=file, kept=None, row=number, run_id=run_id, record=None))
            trail.notes.append(f"The run {run_id} that read '{name}' is not in the journal.")
            return
        file, kept, record, work = gate.lineage.inputs[0], None, None, gate
        while (before := self._copy_to(file, work)) is not None:
            if query := next((str(before.input.get("source", {}).get(each) or "") for each in _QUERIES), ""):
                taken = self._source_column(gate.lineage.outputs[0], file, column, gate) if column else ""
                self._through_query(file, number, query, before, taken, trail, depth)
                return
            if before.output.get("rowsSkipped"):
                trail.notes.append(f"'{before.activity}' left rows out: lines behind them may be told too low.")
            file, work = before.lineage.inputs[0], before
            told = self._reading_of(work)
            if record is None and (found := self._record(file, number, told)):
                kept, record = file, found
        if record is None and work is gate:
            record = self._record(file, number, self._reading_of(gate))
        shown = kept if kept is not None and kept != file else None
        trail.lines.append(Line(file=file, kept=shown, row=number, run_id=run_id, record=record))

    def _through_query(
        self, file: Asset, number: int, query: str, copy: Work, column: str, trail: Trail, depth: int
    ) -> None:
        """Follow a row of a file that a copy made by a query on a database."""
        store = self._opening(file.namespace)
        values = parquet_row(store, file.name, number) if isinstance(store, Store) else None
        source = copy.lineage.inputs[0]
        by = f"Copy '{copy.activity}'"
        if values is None:
            trail.notes.append(f"Row {number} of '{file.name}', which {by} made, is not at hand.")
            return
        database = self._database(source)
        try:
            parts = behind_query(query, database.dialect, database.columns, values, column)
        except Unclear as error:
            trail.notes.append(str(error))
            return
        for part in parts:
            trail.behind += self._reached(source, part, column, copy, depth, trail, file)

    def _gate(self, origin: str, run_id: str) -> Work | None:
        """Return the work of a run that loaded rows of the file."""
        found = [work for work in self._history.works if work.run_id == run_id and work.succeeded]
        loads = [work for work in found if work.lineage.inputs and work.type not in ("Copy", "Lookup", "Script")]
        base = origin.rpartition("/")[2].lower()
        return next(
            (work for work in loads if base in work.lineage.inputs[0].name.lower()), loads[0] if loads else None
        )

    def _copy_to(self, file: Asset, work: Work) -> Work | None:
        """Return the newest copy that wrote a file before it was read."""
        found = [one for one in self._history.writers(file) if one.seq < work.seq and one.succeeded]
        return next((one for one in found if one.type == "Copy" and one.lineage.inputs), None)

    def _reading_of(self, work: Work) -> Mapping[str, Any]:
        """Return how the input of a work is read: its dataset's typeProperties, and the array of a JSON file."""
        reference = next(iter(work.input.get("inputs") or ()), None)
        translator = work.input.get("translator")
        told: dict[str, Any] = {}
        if reference:
            try:
                told = dict(self._history.described(work.group_id, reference).get("typeProperties") or {})
            except ManaraError:
                told = {}
        if isinstance(translator, Mapping) and translator.get("collectionReference"):
            told["collectionReference"] = translator["collectionReference"]
        return told

    def _record(self, file: Asset, number: int, told: Mapping[str, Any]) -> Record | None:
        store = self._opening(file.namespace)
        if not isinstance(store, Store):
            return None
        return record_of(store, file.name, number, told, str(told.get("collectionReference") or ""))

    def _opening(self, namespace: str) -> Connection | None:
        if namespace not in self._opened:
            try:
                self._opened[namespace] = self._connect(namespace)
            except ManaraError:
                return None
        return self._opened[namespace]

    def _database(self, asset: Asset) -> Database:
        found = self._opening(asset.namespace)
        if not isinstance(found, Database):
            raise WrongDefinition(f"{asset.name} is no table of a database, but of '{asset.namespace}'.")
        return found

    def _fetched(self, database: Database, query: str) -> tuple[list[Row], int]:
        """Return the first rows of a query, each once, and how many there are."""
        rows: dict[str, Row] = {}
        total = 0
        for batch in database.query(query):
            total += batch.num_rows
            if len(rows) < _MOST_ROWS:
                for row in batch.slice(0, _MOST_ROWS * 4).to_pylist():
                    if len(rows) < _MOST_ROWS:
                        rows.setdefault(json.dumps(row, default=str), row)
        return list(rows.values()), max(total, len(rows)) if total > _MOST_ROWS else len(rows)


def _table(asset: Asset) -> exp.Table:
    schema, _, name = asset.name.rpartition(".")
    return exp.table_(name, db=schema or None, quoted=True)


def _folded(names: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): name for name in names}


def _text_of(told: Mapping[str, Any], text: Callable[[str, str], str]) -> str:
    """Return the SQL that an activity ran: its own, or that of a file of the factory."""
    path = told.get("scriptPath")
    return text("script", str(path)) if path else str(told.get("text") or told.get("query") or "")
