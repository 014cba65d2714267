"""The tables of a star, and what brings a database to them: nothing is ever dropped."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from sqlglot import exp

from manara.errors import WrongDefinition
from manara.plugin.connection import Transaction
from manara.table.arrow_types import add_column, create_table
from manara.table.template import fill, name, names, table
from manara.warehouse import dates, partitions, periods
from manara.warehouse.subject import GIVEN, PERIOD, Dimension, Fact, Subject

UNKNOWN = -1
"""The surrogate key of the member that stands for all that is not known."""

BEGINNING, END = "1900-01-01", "9999-12-31"
"""From when the first version of a member counts, and until when the current one does."""

REPLACED = "replaced_at"
KNOWN = "_known"
"""How the view is called that shows what a table ever said, after the table's name."""

VERSION_COLUMNS = {
    "valid_from": "TIMESTAMP", "valid_to": "TIMESTAMP", "is_current": "BOOLEAN", "is_deleted": "BOOLEAN",
    "is_inferred": "BOOLEAN",
}  # fmt: skip
LOADED = {"loaded_at": "TIMESTAMP", "loaded_run": "TEXT"}
TRACED = {"_origin": "TEXT", "_row": "BIGINT", "_run": "TEXT"}
LOG = {
    "table_name": "TEXT", "run_id": "TEXT", "step": "TEXT", "loaded_at": "TIMESTAMP", "rows_read": "BIGINT",
    "rows_inserted": "BIGINT", "rows_updated": "BIGINT", "rows_deleted": "BIGINT",
}  # fmt: skip
LOG_TABLE = "warehouse_load"
_WIDER = {("BIGINT", "DOUBLE"), ("DATE", "TIMESTAMP")} | {
    (kind, "TEXT") for kind in ("BIGINT", "DOUBLE", "BOOLEAN", "DATE", "TIMESTAMP")
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A table as it should be: its columns with their SQL types.

    For PostgreSQL, also the columns of its indexes, and the one by whose years it is parted.
    """

    table: str
    columns: Mapping[str, str]
    indexes: tuple[tuple[str, ...], ...] = ()
    unknown: Dimension | None = None
    parted_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One statement that a database needs, and what it does in words."""

    says: str
    statement: str


def shapes_of(subject: Subject) -> list[Shape]:
    """Return the tables of a subject area: dates and periods, dimensions, facts, what each was before, and the log."""
    return [*given_shapes(subject), *(each for shape in star_shapes(subject) for each in with_history(shape))]


def given_shapes(subject: Subject) -> list[Shape]:
    """Return the tables that nobody declares: the log, dates, and periods where a fact needs them."""
    found = [
        Shape(table=LOG_TABLE, columns=LOG),
        Shape(table=dates.TABLE, columns=dates.COLUMNS, indexes=(("date_key",),)),
    ]
    if any(role.dimension == PERIOD for fact in subject.facts for role in fact.roles):
        found.append(Shape(table=periods.TABLE, columns=periods.COLUMNS, indexes=(("period_key",), ("period",))))
    return found


def star_shapes(subject: Subject) -> list[Shape]:
    """Return the tables of the dimensions and facts."""
    dimensions = [dimension_shape(dimension) for dimension in subject.dimensions]
    return [*dimensions, *(fact_shape(fact, subject) for fact in subject.facts)]


def dimension_shape(dimension: Dimension) -> Shape:
    """Return the table of a dimension."""
    own = {each.name: each.sql_type for each in dimension.attributes}
    columns = {dimension.surrogate: "BIGINT"} | own | VERSION_COLUMNS | TRACED | LOADED
    return Shape(
        table=dimension.table, columns=columns, indexes=((dimension.surrogate,), dimension.key), unknown=dimension
    )


def fact_shape(fact: Fact, subject: Subject) -> Shape:
    """Return the table of a fact."""
    roles = {role.column: "BIGINT" for role in fact.roles}
    own = {each.name: each.sql_type for each in fact.own}
    columns = {"fact_key": "TEXT"} | roles | own | {"is_deleted": "BOOLEAN"} | TRACED | LOADED
    known = {dimension.name for dimension in subject.dimensions} | GIVEN
    indexes = (("fact_key",), *((role.column,) for role in fact.roles if role.dimension in known))
    return Shape(table=fact.table, columns=columns, indexes=indexes, parted_by=fact.partition_column)


def with_history(shape: Shape) -> list[Shape]:
    """Return the table and the one that keeps what its rows were before."""
    return [shape, Shape(table=f"{shape.table}_history", columns={**shape.columns, REPLACED: "TIMESTAMP"})]


def plan(
    subject: Subject, columns: Callable[[exp.Table], dict[str, str]], dialect: str, schema: str = ""
) -> list[Change]:
    """Return what brings a database to the tables of a subject area; `columns` tells what a table has.

    Raises WrongDefinition for a column whose type cannot be widened to the declared one. A column that is no longer
    declared stays.
    """
    changes: list[Change] = []
    for shape in given_shapes(subject):
        changes += _brought(shape, columns, dialect, schema)
    for shape in star_shapes(subject):
        own = [each for one in with_history(shape) for each in _brought(one, columns, dialect, schema)]
        view = table(f"{shape.table}{KNOWN}", schema)
        is_there = bool(columns(view))
        if own or not is_there:
            old = [_without_known(view, dialect)] if is_there else []
            changes += [*old, *own, _known(shape, view, dialect, schema)]
    return changes


def apply(transaction: Transaction, subject: Subject, dialect: str, schema: str = "") -> list[Change]:
    """Bring the database to the tables of a subject area, and return what was done."""
    changes = plan(subject, transaction.columns, dialect, schema)
    for change in changes:
        transaction.execute(change.statement)
    return changes


def unused(subject: Subject, columns: Callable[[exp.Table], dict[str, str]], schema: str = "") -> list[tuple[str, str]]:
    """Return the columns that the tables have and the subject area does not declare: (table, column)."""
    found = []
    for shape in shapes_of(subject):
        declared = {column.lower() for column in shape.columns}
        found += [
            (shape.table, column) for column in columns(table(shape.table, schema)) if column.lower() not in declared
        ]
    return found


def _brought(
    shape: Shape, columns: Callable[[exp.Table], dict[str, str]], dialect: str, schema: str
) -> Iterator[Change]:
    """Yield what makes a table, or what it lacks."""
    here = table(shape.table, schema)
    present = {column.lower(): kind for column, kind in columns(here).items()}
    yield from _grown(shape, here, present, dialect) if present else _made(shape, here, dialect)


def _without_known(view: exp.Table, dialect: str) -> Change:
    """Return what takes the view away: PostgreSQL changes no column that a view shows."""
    return Change(says=f"take away the view {view.name}", statement=fill("drop view {view}", view=view).sql(dialect))


def _known(shape: Shape, view: exp.Table, dialect: str, schema: str) -> Change:
    """Return what makes the view of all that the table ever said, with from when until when it did."""
    here, past = (table(each.table, schema) for each in with_history(shape))
    own = names(list(shape.columns))
    tree = fill(
        "create view {view} as "
        "select {own}, coalesce(loaded_at, {begins}) as known_from, {ends} as known_to from {here} "
        "union all select {own}, coalesce(loaded_at, {begins}) as known_from, {replaced} as known_to from {past}",
        view=view, own=own, here=here, past=past, replaced=name(REPLACED), begins=fill(f"timestamp '{BEGINNING}'"),
        ends=fill(f"timestamp '{END}'"),
    )  # fmt: skip
    return Change(says=f"show in {view.name} what {shape.table} ever said", statement=tree.sql(dialect))


def _made(shape: Shape, here: exp.Table, dialect: str) -> Iterator[Change]:
    kinds = {column: exp.DataType.build(kind) for column, kind in shape.columns.items()}
    statement = create_table(here, kinds).sql(dialect)
    if shape.parted_by and dialect == "postgres":
        statement += f" PARTITION BY RANGE ({name(shape.parted_by).sql(dialect)})"
        rest = exp.table_(f"{shape.table}{partitions.REST}", db=here.db or None, quoted=True)
        yield Change(says=f"make {shape.table}, parted by year", statement=statement)
        yield Change(says=f"make {rest.name}", statement=partitions.made(rest, here))
    else:
        yield Change(says=f"make {shape.table}", statement=statement)
    if dialect == "postgres":
        for columns in shape.indexes:
            called = exp.to_identifier(f"{shape.table}_{'_'.join(columns)}"[:60], quoted=True)
            index = "create index if not exists {called} on {table} ({columns})"
            tree = fill(index, called=called, table=here, columns=names(columns))
            yield Change(says=f"index {shape.table} by {', '.join(columns)}", statement=tree.sql(dialect))
    if shape.unknown is not None:
        yield Change(
            says=f"put the unknown member into {shape.table}", statement=_unknown(shape.unknown, here).sql(dialect)
        )


def _unknown(dimension: Dimension, here: exp.Table) -> exp.Expr:
    """Return the statement that puts in the member for what is not known: its texts outside the key say so."""
    texts = [each.name for each in dimension.attributes if each.type == "string" and each.name not in dimension.key]
    values: list[exp.Expr] = [exp.Literal.string("Unknown") for _ in texts]
    return fill(
        "insert into {table} ({key}, {columns} valid_from, valid_to, is_current, is_deleted, is_inferred) "
        "values (-1, {values} timestamp '1900-01-01', timestamp '9999-12-31', true, false, false)".replace(
            "{columns} ", "{columns}, " if texts else ""
        ).replace("{values} ", "{values}, " if texts else ""),
        table=here,
        key=name(dimension.surrogate),
        columns=names(texts),
        values=values,
    )


def _grown(shape: Shape, here: exp.Table, present: Mapping[str, str], dialect: str) -> Iterator[Change]:
    for column, kind in shape.columns.items():
        wanted = exp.DataType.build(kind)
        if column.lower() not in present:
            yield Change(
                says=f"give {shape.table} the column {column}", statement=add_column(here, column, wanted).sql(dialect)
            )
            continue
        there = _kind(present[column.lower()], dialect)
        if _is_same(there, wanted):
            continue
        if not _is_wider(there, wanted):
            raise WrongDefinition(
                f"The column '{column}' is {present[column.lower()]}, and {wanted.sql(dialect)} is declared.",
                where=shape.table,
                advice="Declare the type that it has, or give the new one another name.",
            )
        action = exp.AlterColumn(this=exp.to_identifier(column, quoted=True), dtype=wanted)
        tree = exp.Alter(this=here, kind="TABLE", actions=[action])
        yield Change(says=f"widen {shape.table}.{column} to {wanted.sql(dialect)}", statement=tree.sql(dialect))


def _kind(text: str, dialect: str) -> exp.DataType:
    return exp.DataType.build(text, dialect=dialect)


def _is_same(there: exp.DataType, wanted: exp.DataType) -> bool:
    if there.this in exp.DataType.TEXT_TYPES:
        return wanted.this in exp.DataType.TEXT_TYPES
    return there.sql("duckdb") == wanted.sql("duckdb") or (
        there.this in exp.DataType.FLOAT_TYPES and wanted.this in exp.DataType.FLOAT_TYPES
    )


def _is_wider(there: exp.DataType, wanted: exp.DataType) -> bool:
    if there.this == wanted.this == exp.DataType.Type.DECIMAL:
        old, new = ([int(each.name) for each in kind.expressions] for kind in (there, wanted))
        return len(old) == len(new) == 2 and new[1] >= old[1] and new[0] - new[1] >= old[0] - old[1]
    kinds = ("INTEGER" if there.this in exp.DataType.INTEGER_TYPES else there.this.name, wanted.this.name)
    pairs = {(old.replace("BIGINT", "INTEGER"), new) for old, new in _WIDER}
    return kinds in pairs or (
        kinds[0] == "DECIMAL" and wanted.this in exp.DataType.TEXT_TYPES | {exp.DataType.Type.DOUBLE}
    )
