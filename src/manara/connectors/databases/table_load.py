"""The loading of rows into a table inside an open transaction: insert or upsert, with casts that refuse rows.

What a database must bring is in `manara.plugin.connection.Transaction`: `execute`, `query`, `columns` and `load`, and
the name of its dialect. The differences between the dialects stand in `connectors/databases/dialects.py`:

| what differs | where |
|---|---|
| what a column takes, by the type's name that `columns` tells (`nvarchar(20)`, `number(9,2)`) | `kind_of` |
| the type of a column that `tableOption: autoCreate` makes | `made_type` |
| the temporary table in which rows wait to be merged | `stage_table`, `made_stage` |
| an update from rows (an Update with FROM; Oracle's MERGE; sqlglot makes MySQL's JOIN of it) | `update_from` |
| placeholders of parameters | nowhere: what is run here has none |

`load` gets rows whose names are the table's and whose Arrow types are those of `kind_of` (a decimal of any size as a
text). A transaction that is also `Undoable` lets a load refuse rows that the database itself does not take (a null in
a column NOT NULL, a key that is there already) one by one; without it such a row ends the load. One that `ListsTables`
lets errors name near tables.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from sqlglot import exp

from manara.connectors.databases.arrow_load import ArrowLoad
from manara.connectors.databases.dialects import dropped_stage, made_stage, made_table, stage_table, update_from
from manara.connectors.databases.fitting import Fitting
from manara.connectors.databases.load_plan import keys_of, matched, may_be_made
from manara.errors import BadRows, Conflict
from manara.plugin.connection import ArrowTransaction, Transaction, Undoable
from manara.plugin.dataset import Refused, Tally

_NUMBER = "manara_row"
_TOGETHER = 50_000
"""How many rows are tried at once where rows that the database does not take are refused."""

Put = Callable[[pa.RecordBatchReader], int]
"""What puts rows into the table, and returns how many they were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One load. Rows whose values do not fit the table's types are refused one by one, and the others loaded."""

    table: exp.Table
    settings: Mapping[str, Any]
    transaction: Transaction
    tally: Tally
    dialect: str

    def run(self, rows: pa.RecordBatchReader) -> None:
        """Load all rows, and add them to the tally."""
        if isinstance(self.transaction, ArrowTransaction):
            ArrowLoad(
                table=self.table,
                settings=self.settings,
                transaction=self.transaction,
                tally=self.tally,
                dialect=self.dialect,
            ).run(rows)
            return
        columns = self.transaction.columns(self.table) or self._made(rows.schema)
        targets = matched(self.table, rows.schema, columns)
        keys = keys_of(self.settings, targets)
        fitting = Fitting(targets, columns, dialect=self.dialect, table=self.table.name, keys=keys, tally=self.tally)
        if keys:
            self._merge(fitting, rows, list(targets.values()), keys)
        else:
            self._put(fitting.schema, fitting.batches(rows), lambda good: self.transaction.load(self.table, good))

    def _made(self, schema: pa.Schema) -> dict[str, str]:
        """Make the table from the rows' columns when `tableOption` is autoCreate, and return its columns."""
        may_be_made(self.transaction, self.table, self.settings)
        if self.table.db and self.dialect == "postgres":
            folder = exp.Create(kind="SCHEMA", this=exp.Table(db=self.table.args["db"].copy()), exists=True)
            self.transaction.execute(folder.sql(self.dialect))
        self.transaction.execute(made_table(self.table, schema, self.dialect))
        return self.transaction.columns(self.table)

    def _put(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch], put: Put) -> None:
        """Put all rows into the table, by pieces where those are refused that the database does not take."""
        if self.tally.skips and isinstance(self.transaction, Undoable):
            for piece in _pieces(batches):
                self._try(piece, schema, self.transaction, put)
        else:
            self.tally.rows_copied += put(pa.RecordBatchReader.from_batches(schema, batches))

    def _try(self, piece: pa.RecordBatch, schema: pa.Schema, transaction: Undoable, put: Put) -> None:
        """Put a piece, which is taken back and halved when the database refuses a row of it."""
        try:
            with transaction.attempt():
                done = put(pa.RecordBatchReader.from_batches(schema, [piece]))
        except (BadRows, Conflict) as error:
            if piece.num_rows == 1:
                row = {name: value for name, value in piece.to_pylist()[0].items() if name != _NUMBER}
                reason = error.message.rstrip(".")
                self.tally.refuse(Refused(file=self.table.name, row=0, text=str(row), reason=reason))
                return
            half = piece.num_rows // 2
            self._try(piece.slice(0, half), schema, transaction, put)
            self._try(piece.slice(half), schema, transaction, put)
        else:
            self.tally.rows_copied += done

    def _merge(self, fitting: Fitting, rows: pa.RecordBatchReader, targets: list[str], keys: list[str]) -> None:
        """Let the rows wait in a table of their own; update by those whose keys are there, and insert the others."""
        stage = stage_table(self.dialect, self._folder())
        columns = [_column(target) for target in targets]
        number = exp.alias_(exp.cast(exp.Literal.number(0), "bigint"), _NUMBER, quoted=True)
        empty = exp.select(*columns, number).from_(self.table.copy()).where("1 = 0")
        self.transaction.execute(made_stage(stage, empty, self.dialect))
        words = self._merging(stage, targets, keys)

        def put(good: pa.RecordBatchReader) -> int:
            staged = self.transaction.load(stage, good)
            for statement in words:
                self.transaction.execute(statement)
            return staged

        schema = fitting.schema.append(pa.field(_NUMBER, pa.int64()))
        self._put(schema, _numbered(fitting.batches(rows)), put)
        drop = dropped_stage(stage, self.dialect)
        if drop:
            self.transaction.execute(drop)

    def _merging(self, stage: exp.Table, targets: list[str], keys: list[str]) -> list[str]:
        """Return the statements that take the rows of the stage over into the table, and leave the stage empty."""
        columns = [_column(target) for target in targets]
        same: Any = exp.and_(
            *(exp.EQ(this=_column(key, self.table.name), expression=_column(key, "s")) for key in keys)
        )
        last = _last(stage, columns, keys)
        changed = [target for target in targets if target not in keys]
        update = update_from(self.table, changed, last.subquery("s"), same, self.dialect) if changed else ""
        there = exp.select(exp.Literal.number(1)).from_(self.table.copy()).where(same)
        fresh = exp.select(*(_column(target, "s") for target in targets)).from_(last.subquery("s"))
        fresh = fresh.where(exp.not_(exp.Exists(this=there)))
        into = exp.Schema(this=self.table.copy(), expressions=[column.this.copy() for column in columns])
        insert = exp.Insert(this=into, expression=fresh).sql(self.dialect)
        return [one for one in (update, insert, exp.delete(stage.copy()).sql(self.dialect)) if one]

    def _folder(self) -> str:
        """Return the schema in which the stage is to be a real table, nothing where a temporary one will do."""
        told = self.settings.get("upsertSettings") or {}
        wants_real = str(told.get("useTempDB", True)).lower() == "false"
        return str(told.get("interimSchemaName") or "") if wants_real else ""


def _last(stage: exp.Table, columns: list[exp.Column], keys: list[str]) -> exp.Select:
    """Return the rows of the stage; of those with the same keys, the last one."""
    newest = exp.Window(
        this=exp.RowNumber(),
        partition_by=[_column(key) for key in keys],
        order=exp.Order(expressions=[exp.Ordered(this=_column(_NUMBER), desc=True, nulls_first=True)]),
    )
    numbered = exp.select(*columns, exp.alias_(newest, "manara_newest", quoted=True)).from_(stage.copy())
    is_newest = exp.EQ(this=_column("manara_newest"), expression=exp.Literal.number(1))
    return exp.select(*columns).from_(numbered.subquery("n")).where(is_newest)


def _numbered(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield the batches with the numbers of their rows, from 1, in a column of its own."""
    done = 0
    for batch in batches:
        yield batch.append_column(_NUMBER, pa.array(range(done + 1, done + batch.num_rows + 1), pa.int64()))
        done += batch.num_rows


def _pieces(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for start in range(0, batch.num_rows, _TOGETHER):
            yield batch.slice(start, _TOGETHER)


def _column(name: str, table: str = "") -> exp.Column:
    return exp.column(name, table=table or None, quoted=True)
