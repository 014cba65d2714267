"""Loading into a database whose statements read Arrow rows (DuckDB): one statement casts, merges and inserts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from sqlglot import exp

from manara.connectors.databases.load_plan import keys_of, matched, may_be_made
from manara.plugin.connection import ArrowTransaction
from manara.plugin.dataset import Refused, Tally
from manara.table.cast import does_not_fit, safe_cast
from manara.table.rows import DUCKDB_BYTES, DUCKDB_ROWS, in_pieces, with_numbers

_SOURCE, _STAGE, _NUMBER = "manara_source", "manara_stage", "manara_row"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrowLoad:
    """One load by DuckDB itself. Rows whose values do not fit the table's types are refused one by one."""

    table: exp.Table
    settings: Mapping[str, Any]
    transaction: ArrowTransaction
    tally: Tally
    dialect: str

    def run(self, rows: pa.RecordBatchReader) -> None:
        """Load all rows, and add them to the tally."""
        rows = self._weighed(rows)
        columns = self.transaction.columns(self.table) or self.made(rows.schema)
        targets = matched(self.table, rows.schema, columns)
        keys = keys_of(self.settings, targets)
        casts = {
            target: safe_cast(_column(name), rows.schema.field(name).type, columns[target])
            for name, target in targets.items()
            if not fits(rows.schema.field(name).type, columns[target])
        }
        if keys or casts:
            self._by_stage(rows, targets, casts, keys)
        else:
            self._insert(rows, targets)

    def _weighed(self, rows: pa.RecordBatchReader) -> pa.RecordBatchReader:
        def batches() -> Iterator[pa.RecordBatch]:
            for batch in in_pieces(rows, DUCKDB_ROWS, DUCKDB_BYTES):
                self.tally.data_written += batch.nbytes
                yield batch

        return pa.RecordBatchReader.from_batches(rows.schema, batches())

    def made(self, schema: pa.Schema) -> dict[str, str]:
        """Make the table from the rows' columns when `tableOption` is autoCreate, and return its columns."""
        may_be_made(self.transaction, self.table, self.settings)
        if self.table.db:
            self._execute(exp.Create(kind="SCHEMA", this=exp.Table(db=self.table.args["db"]), exists=True))
        with self.transaction.register(_SOURCE, schema.empty_table()):
            self._execute(exp.Create(kind="TABLE", this=self.table.copy(), expression=exp.select("*").from_(_SOURCE)))
        return self.transaction.columns(self.table)

    def _insert(self, rows: pa.RecordBatchReader, targets: Mapping[str, str]) -> None:
        taken = exp.select(*(_column(name) for name in targets)).from_(_SOURCE)
        with self.transaction.register(_SOURCE, rows), self.transaction.passing_through():
            self.tally.rows_copied += self._execute(self.into(targets, taken))

    def _by_stage(
        self,
        rows: pa.RecordBatchReader,
        targets: Mapping[str, str],
        casts: Mapping[str, exp.Expression],
        keys: list[str],
    ) -> None:
        stage = exp.Create(
            kind="TABLE",
            this=exp.to_table(_STAGE),
            expression=exp.select("*").from_(_SOURCE),
            properties=exp.Properties(expressions=[exp.TemporaryProperty()]),
        )
        schema = pa.schema([pa.field(_NUMBER, pa.int64()), *rows.schema])
        numbered = pa.RecordBatchReader.from_batches(schema, with_numbers(rows, _NUMBER))
        with self.transaction.register(_SOURCE, numbered):
            staged = self._execute(stage)
        misfits = {
            name: does_not_fit(_column(name), casts[target]) for name, target in targets.items() if target in casts
        }
        for name, target in targets.items():
            if target in keys:
                nothing = exp.Is(this=_column(name), expression=exp.null())
                misfits[name] = exp.or_(misfits[name], nothing) if name in misfits else nothing
        refused = self._refuse(misfits)
        good = exp.select(
            *(exp.alias_(casts.get(target, _column(name)), target, quoted=True) for name, target in targets.items())
        )
        good = good.from_(_STAGE)
        if misfits:
            good = good.where(exp.not_(exp.or_(*misfits.values())))
        self._execute(self._merge(targets, good, keys) if keys else self.into(targets, good))
        self.transaction.execute(f"drop table {_STAGE}")
        self.tally.rows_copied += staged - refused

    def _refuse(self, misfits: Mapping[str, exp.Expression]) -> int:
        """Hand the rows with a value that does not fit to the tally, and return how many they are."""
        if not misfits:
            return 0
        wrong = exp.select(
            "*", *(exp.alias_(misfit, f"{_NUMBER}_{index}") for index, misfit in enumerate(misfits.values()))
        )
        wrong = wrong.from_(_STAGE).where(exp.or_(*misfits.values())).order_by(_NUMBER)
        count = 0
        for batch in self.transaction.query(wrong.sql(self.dialect)):
            for row in batch.to_pylist():
                number = row.pop(_NUMBER)
                flags = [bool(row.pop(f"{_NUMBER}_{index}")) for index in range(len(misfits))]
                names = [name for name, flag in zip(misfits, flags, strict=True) if flag]
                told = "; ".join(_reason(name, row[name]) for name in names)
                self.tally.refuse(Refused(file=self.table.name, row=number, text=str(row), reason=told))
                count += 1
        return count

    def into(self, targets: Mapping[str, str], rows: exp.Select) -> exp.Insert:
        """Return the statement that inserts rows, whose columns stand in the order of `targets`."""
        columns = [exp.to_identifier(target, quoted=True) for target in targets.values()]
        return exp.Insert(this=exp.Schema(this=self.table.copy(), expressions=columns), expression=rows)

    def _merge(self, targets: Mapping[str, str], good: exp.Select, keys: list[str]) -> exp.Merge:
        """Return the upsert; of rows with the same key, the last stands."""
        others = [target for target in targets.values() if target not in keys]
        newest = exp.Window(
            this=exp.RowNumber(),
            partition_by=[_column(key) for key in keys],
            order=exp.Order(expressions=[exp.Ordered(this=_column(_NUMBER), desc=True)]),
        )
        numbered = good.select(_column(_NUMBER)).subquery("r")
        last = exp.select("*").from_(numbered).qualify(exp.EQ(this=newest, expression=exp.Literal.number(1)))
        same = exp.and_(*(exp.NullSafeEQ(this=_column(key, "t"), expression=_column(key, "s")) for key in keys))
        changed = [exp.EQ(this=_column(name), expression=_column(name, "s")) for name in others]
        update = exp.When(matched=True, then=exp.Update(expressions=changed)) if others else None
        insert = exp.When(
            matched=False,
            then=exp.Insert(
                this=exp.Tuple(expressions=[_column(name) for name in targets.values()]),
                expression=exp.Tuple(expressions=[_column(name, "s") for name in targets.values()]),
            ),
        )
        return exp.Merge(
            this=exp.alias_(self.table.copy(), "t", table=True),
            using=last.subquery("s"),
            on=same,
            whens=exp.Whens(expressions=[when for when in (update, insert) if when]),
        )

    def _execute(self, tree: exp.Expression) -> int:
        return self.transaction.execute(tree.sql(self.dialect))


def _reason(name: str, value: Any) -> str:
    return f"the key '{name}' is null" if value is None else f"'{value}' does not fit the column '{name}'"


def _column(name: str, table: str = "") -> exp.Column:
    return exp.column(name, table=table or None, quoted=True)


def fits(source: pa.DataType, target: str) -> bool:
    """Return whether every value of the Arrow type is one of the SQL type."""
    kind = target.removesuffix(" WITH TIME ZONE").split("(")[0]
    return any(test(source) and kind in kinds for test, kinds in _FITTING)


_FITTING = (
    (pa.types.is_string, ("VARCHAR",)),
    (pa.types.is_large_string, ("VARCHAR",)),
    (pa.types.is_boolean, ("BOOLEAN",)),
    (pa.types.is_int8, ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "DOUBLE")),
    (pa.types.is_int16, ("SMALLINT", "INTEGER", "BIGINT", "DOUBLE")),
    (pa.types.is_int32, ("INTEGER", "BIGINT", "DOUBLE")),
    (pa.types.is_int64, ("BIGINT",)),
    (pa.types.is_float32, ("FLOAT", "DOUBLE")),
    (pa.types.is_float64, ("DOUBLE",)),
    (pa.types.is_date, ("DATE",)),
    (pa.types.is_timestamp, ("TIMESTAMP", "TIMESTAMP_NS")),
    (pa.types.is_time, ("TIME",)),
    (pa.types.is_binary, ("BLOB",)),
)
