"""The activities LoadDimension and LoadFact: rows into a star that is declared in `subject/`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlglot import exp

from manara import clock
from manara.errors import NotFound, WrongDefinition
from manara.plugin.activity import Given, Output, activity
from manara.plugin.connection import Database, Transaction
from manara.plugin.dataset import DatabaseTable, Tally
from manara.plugin.lineage import Asset, From, Lineage, asset_of, of_columns, safely, table_asset
from manara.table.lineage import query_lineage
from manara.table.template import fill, name, names, table
from manara.warehouse import dimension as dimensions
from manara.warehouse import fact as facts
from manara.warehouse import tables
from manara.warehouse.staging import Staging
from manara.warehouse.subject import Dimension, Fact, Subject, read_subject
from manara.warehouse.watermark import watermark_of

Properties = Mapping[str, Any]


@activity("LoadDimension")
def load_dimension(given: Given) -> Output:
    """Bring rows into a dimension, and return how many made a member or version, changed one, or changed nothing.

    typeProperties: `subject` and `dimension`; the rows are those of the input, of a `query` on the warehouse, or of a
    script (`scriptPath`); `columns` (attribute to column of the source, where the names differ); `validFrom` (the
    column with the moment from which a row counts; else the load's); `deletes`: `ignore`, or `close` where the source
    is whole. With `watermark` (a column that grows) only rows are taken whose value is at least the greatest of the
    last good run, less `overlapInSeconds`. The warehouse is the activity's linked service, `schema` a schema of it.
    """
    subject = _subject(given)
    dimension = subject.dimension(_text(given, "dimension"))
    valid_from = str(given.properties.get("validFrom") or "")
    deletes = _one_of(given, "deletes", ("ignore", "close"))

    def work(load: "_Load") -> Output:
        staging = load.staging
        wanted = _wanted(dimension, given.properties, valid_from)
        if valid_from:
            staging.stage(wanted)
            _rank(staging, dimension)
        else:
            staging.stage(wanted, {"__from": fill(f"timestamp '{load.at}'"), "__rank": exp.cast("1", "BIGINT")})
        how = dimensions.How(at=load.at, run_id=given.mark.run_id, valid_from=valid_from, deletes=deletes)  # type: ignore[arg-type]
        done = dimensions.load_dimension(staging, dimension, how, load.schema)
        load.log(dimension.table, done)
        load.count_anew([dimension.table])
        return _figures(done)

    output = _Load(given, subject).run(work)
    renamed = given.properties.get("columns") or {}
    sources = {each: [str(renamed.get(each, each))] for each in dimension.columns}
    return output | safely(lambda: _lineage(given, subject, dimension.table, sources))


@activity("LoadFact")
def load_fact(given: Given) -> Output:
    """Bring rows into a fact table, each fact once by its natural key, and return how many were new, changed or not.

    typeProperties: `subject` and `fact`; the rows as in LoadDimension; `deletes`: `ignore`, or `mark` where the source
    is whole, for the values of the columns `within` that it gives. Members of a dimension that are not there are made,
    left unknown or refused, as their role declares.
    """
    subject = _subject(given)
    fact = subject.fact(_text(given, "fact"))
    deletes = _one_of(given, "deletes", ("ignore", "mark"))
    within = tuple(given.properties.get("within") or ())
    _check_within(given, fact, within)

    def work(load: "_Load") -> Output:
        load.staging.stage(facts.staged_columns(fact, subject))
        how = facts.How(at=load.at, run_id=given.mark.run_id, deletes=deletes, within=within)  # type: ignore[arg-type]
        done = facts.load_fact(load.staging, fact, subject, how, load.schema)
        load.log(fact.table, done)
        grown = [role.dimension for role in fact.roles if done.inferred.get(role.name)]
        load.count_anew([fact.table, *(subject.dimension(each).table for each in grown)])
        return _figures(done) | {
            "membersInferred": sum(done.inferred.values()),
            "inferred": done.inferred,
            "unknownKeys": done.unknown,
        }

    sources = {each.name: [each.name] for each in fact.own} | {role.column: list(role.source) for role in fact.roles}
    output = _Load(given, subject).run(work)
    return output | safely(lambda: _lineage(given, subject, fact.table, sources))


class _Load:
    """One load under way: the warehouse, the rows, and the moment."""

    def __init__(self, given: Given, subject: Subject) -> None:
        self._given = given
        self._subject = subject
        self._database = _warehouse(given)
        self.schema = str(given.properties.get("schema") or "")
        self.at: datetime = clock.now().replace(tzinfo=None)
        self.staging: Staging
        self._watermark = watermark_of(given)

    def run(self, work: "Callable[[_Load], Output]") -> Output:
        """Bring the tables up to what is declared, take the rows, and do the work, once."""
        query = _query(self._given)
        rows = None
        if query is None:
            (reference,) = self._given.inputs
            rows = self._given.dataset(reference).read(self._given.properties.get("source") or {}, Tally())

        def once(transaction: Transaction) -> dict[str, Any]:
            where = f"activity '{self._given.name}'"
            self.staging = Staging(transaction, self._database.dialect, where)
            changes = tables.apply(transaction, self._subject, self._database.dialect, self.schema)
            mark = self._watermark
            if rows is None:
                taken = self.staging.take_query(mark.within(query or "") if mark else query or "")
            else:
                taken = self.staging.take_rows(rows)
                taken -= mark.leave_out_old(self.staging) if mark else 0
            self._given.report({"rowsRead": taken})
            reached = {"cursor": mark.reached(self.staging)} if mark else {}
            output = work(self)
            self.staging.drop()
            return output | {"changes": [change.says for change in changes]} | reached

        return self._database.once(self._given.mark, once)

    def log(self, named: str, done: "dimensions.Loaded | facts.Loaded") -> None:
        """Note the load in the table of loads."""
        self.staging.run(
            "insert into {log} (table_name, run_id, step, loaded_at, rows_read, rows_inserted, rows_updated, "
            "rows_deleted) values ($table, $run, $step, cast($at as timestamp), $read, $inserted, $updated, $deleted)",
            {
                "table": named, "run": self._given.mark.run_id, "step": self._given.mark.step, "at": self.at,
                "read": done.read, "inserted": done.inserted, "updated": done.updated, "deleted": done.deleted,
            },
            log=table(tables.LOG_TABLE, self.schema),
        )  # fmt: skip

    def count_anew(self, named: Sequence[str]) -> None:
        """Let PostgreSQL renew its statistics of tables; DuckDB keeps its own by itself."""
        if self._database.dialect != "postgres":
            return
        for each in dict.fromkeys(named):
            self.staging.transaction.execute(f"ANALYZE {table(each, self.schema).sql('postgres')}")


def _wanted(dimension: Dimension, properties: Properties, valid_from: str) -> dict[str, tuple[str, str]]:
    renamed = properties.get("columns") or {}
    found = {each.name: (str(renamed.get(each.name, each.name)), each.sql_type) for each in dimension.attributes}
    return found | ({"__from": (valid_from, "TIMESTAMP")} if valid_from else {})


def _rank(staging: Staging, dimension: Dimension) -> None:
    """Number the versions that the source gives of each member, in order of time."""
    staging.run("drop table if exists {ranked}", ranked=table("__ranked"))
    staging.run(
        "create temporary table {ranked} as select *, "
        "row_number() over (partition by {key} order by {moment}) as __rank from {stage}",
        ranked=table("__ranked"), key=names(dimension.key), moment=name("__from"), stage=table("__stage"),
    )  # fmt: skip
    staging.run("drop table {stage}", stage=table("__stage"))
    staging.transaction.execute(
        fill("alter table {ranked} rename to {stage}", ranked=table("__ranked"), stage=table("__stage")).sql(
            staging.dialect
        )
    )


def _figures(done: "dimensions.Loaded | facts.Loaded") -> Output:
    return {
        "rowsRead": done.read, "rowsInserted": done.inserted, "rowsUpdated": done.updated,
        "rowsUnchanged": done.unchanged, "rowsDeleted": done.deleted,
    }  # fmt: skip


def _subject(given: Given) -> Subject:
    named = _text(given, "subject")
    others = _Others(given)
    return read_subject(given.text("subject", named), f"subject/{named}.yaml", others)


class _Others(Mapping[str, str]):
    """The texts of the other subject areas, read when they are asked for."""

    def __init__(self, given: Given) -> None:
        self._given = given

    def __getitem__(self, named: str) -> str:
        try:
            return self._given.text("subject", named)
        except NotFound as error:
            raise KeyError(named) from error

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0


def _query(given: Given) -> str | None:
    """Return the query that gives the rows; None where the input does. Raises WrongDefinition for both or none."""
    query, path = given.properties.get("query"), given.properties.get("scriptPath")
    if sum((bool(query), bool(path), bool(given.inputs))) != 1:
        raise WrongDefinition(
            "The rows come from one input, a query, or a scriptPath.", where=f"activity '{given.name}'"
        )
    return given.text("script", str(path)) if path else str(query) if query else None


def _warehouse(given: Given) -> Database:
    if given.linked_service is not None:
        connection = given.connect(given.linked_service)
        if isinstance(connection, Database):
            return connection
    if given.outputs:
        sink = given.dataset(given.outputs[0])
        if isinstance(sink, DatabaseTable):
            return sink.database
    raise WrongDefinition(
        "The load names no warehouse.", where=f"activity '{given.name}'",
        advice="Give the activity the linked service of a database.",
    )  # fmt: skip


def _text(given: Given, field: str) -> str:
    value = given.properties.get(field)
    if not isinstance(value, str) or not value:
        raise WrongDefinition(f"typeProperties.{field} is missing.", where=f"activity '{given.name}'")
    return value


def _one_of(given: Given, field: str, known: tuple[str, ...]) -> str:
    value = str(given.properties.get(field) or known[0])
    if value not in known:
        raise WrongDefinition(
            f"typeProperties.{field} is '{value}'.", where=f"activity '{given.name}'",
            advice=f"It is {' or '.join(known)}.",
        )  # fmt: skip
    return value


def _check_within(given: Given, fact: Fact, within: tuple[str, ...]) -> None:
    known = [role.name for role in fact.roles] + [each.name for each in fact.degenerate]
    for part in within:
        if part not in known:
            raise WrongDefinition(
                f"typeProperties.within: '{part}' is neither a role nor a degenerate dimension.",
                where=f"activity '{given.name}'",
            )


def _lineage(given: Given, subject: Subject, named: str, sources: Mapping[str, list[str]]) -> Lineage:
    """Return where the columns of the table came from, by the columns of the rows."""
    schema = str(given.properties.get("schema") or "")
    service = str((given.linked_service or {}).get("referenceName") or subject.subject)
    target = table_asset(service, schema, named)
    query = _query(given)
    if query is None:
        inputs = asset_of(given, given.inputs[0])
        columns = {
            column: tuple(From(asset=inputs[0], column=each) for each in found) for column, found in sources.items()
        }
        return Lineage(inputs=inputs, outputs=(target,), columns={target: columns})
    database = _warehouse(given)
    tables, told, unclear = query_lineage(query, database.dialect, database.columns)
    read = {name.lower(): found for name, found in of_columns(service, told).items()}
    return Lineage(
        inputs=tuple(Asset(namespace=service, name=each) for each in tables),
        outputs=(target,),
        columns={target: {name: _of_query(found, read) for name, found in sources.items()}},
        unclear={target: unclear} if unclear else {},
    )


def _of_query(names: Sequence[str], read: Mapping[str, tuple[From, ...]]) -> tuple[From, ...]:
    """Return the origins of a column made from columns of a query: a key from several is computed from them."""
    found = [one for each in names for one in read.get(each.lower(), ())]
    return tuple(found) if len(names) == 1 else tuple(
        replace(one, how="TRANSFORMATION") if one.how == "IDENTITY" else one for one in found
    )  # fmt: skip
