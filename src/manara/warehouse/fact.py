"""Loads of a fact: keys of the dimensions looked up as of the fact's moment, and each fact once, by its natural key."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from sqlglot import exp

from manara.errors import BadRows
from manara.table.template import every, fill, name, names, same, table
from manara.warehouse import dates, partitions, periods
from manara.warehouse.history import keep
from manara.warehouse.staging import STAGE, Staging
from manara.warehouse.subject import DATE, GIVEN, PERIOD, Dimension, Fact, Role, Subject
from manara.warehouse.tables import BEGINNING, END, TRACED, UNKNOWN

KEYED = "__keyed"
AS_OF = "__as_of"


@dataclass(slots=True)
class Loaded:
    """What a load did with its rows, and which members it did not find."""

    read: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    inferred: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """When the load takes place and for which run.

    With `deletes` = `mark`, facts that the source does not give any more are marked as deleted; `within` are degenerate
    columns and roles: only facts whose values in them come in the source are looked at.
    """

    at: datetime
    run_id: str
    deletes: Literal["ignore", "mark"] = "ignore"
    within: tuple[str, ...] = ()


def staged_columns(fact: Fact, subject: Subject) -> dict[str, tuple[str, str]]:
    """Return the columns of the stage: its own, and those of each role's natural key, with source and type."""
    found = {each.name: (each.name, each.sql_type) for each in fact.own}
    for role in fact.roles:
        kinds = _key_types(role, subject)
        found |= {natural(role, place): (source, kinds[place]) for place, source in enumerate(role.source)}
    if fact.as_of:
        found[AS_OF] = (fact.as_of, "TIMESTAMP")
    return found


def natural(role: Role, place: int) -> str:
    """Return the name that the stage has for a part of a role's natural key."""
    return f"{role.name}: {role.source[place]}"


def load_fact(staging: Staging, fact: Fact, subject: Subject, how: How, schema: str = "") -> Loaded:
    """Bring what the stage says into the fact table, and return what changed. The same rows again change nothing.

    Raises BadRows where a fact comes twice, and for members that are not there where a role refuses them.
    """
    load = _Load(staging, fact, subject, how, schema)
    load.lock()
    key = load.natural_key()
    staging.refuse_doubles(key)
    loaded = Loaded(read=staging.count("select count(*) from {stage}", stage=table(STAGE)))
    load.fill_dates()
    load.fill_periods()
    for role in fact.roles:
        load.make_members(role, loaded)
    load.look_up(key)
    load.count_unknown(loaded)
    load.make_partitions()
    loaded.updated = load.update()
    loaded.inserted = load.insert()
    loaded.unchanged = loaded.read - loaded.updated - loaded.inserted
    if how.deletes == "mark":
        loaded.deleted = load.mark_deleted()
    staging.run("drop table if exists {keyed}", keyed=table(KEYED))
    return loaded


class _Load:
    def __init__(self, staging: Staging, fact: Fact, subject: Subject, how: How, schema: str) -> None:
        self._staging = staging
        self._fact = fact
        self._subject = subject
        self._how = how
        self._schema = schema
        self._here = table(fact.table, schema)
        self._past = table(f"{fact.table}_history", schema)
        self._values = {"at": how.at, "run": how.run_id}
        self._columns = [role.column for role in fact.roles] + [each.name for each in fact.own]

    def lock(self) -> None:
        """Let no other load write the fact, or the dimensions that may get members by this one, at the same time."""
        roles = [role for role in self._fact.roles if role.dimension in GIVEN or role.late == "infer"]
        written = {dates.TABLE, self._fact.table} | {f"dim_{role.dimension}" for role in roles}
        for each in sorted(written):  # in one order for all, or two loads could wait for each other
            self._staging.lock(table(each, self._schema))

    def natural_key(self) -> list[str]:
        """Return the columns of the stage that tell one fact from another."""
        roles = {role.name: [natural(role, place) for place in range(len(role.source))] for role in self._fact.roles}
        return [column for part in self._fact.key for column in roles.get(part, [part])]

    def fill_dates(self) -> None:
        """Put the days of the months that the load needs into dim_date."""
        days: list[date] = []
        for role in self._fact.roles:
            if role.dimension == DATE:
                row = self._staging.ask(
                    "select min({day}) as first, max({day}) as last from {stage}",
                    day=name(natural(role, 0)), stage=table(STAGE),
                )[0]  # fmt: skip
                days += [row["first"], row["last"]] if row["first"] else []
        present = table(dates.TABLE, self._schema)
        if not self._staging.count("select count(*) from {dates} where date_key = -1", dates=present):
            self._staging.run("insert into {dates} (date_key) values (-1)", dates=present)
        if days:
            known = self._staging.ask("select day from {dates} where day is not null", dates=present)
            rows = dates.rows_of(min(days), max(days), {row["day"] for row in known})
            self._staging.transaction.load(present, rows.to_reader())

    def fill_periods(self) -> None:
        """Put the periods that the load needs into dim_period; a text that is no period refuses the load."""
        roles = [role for role in self._fact.roles if role.dimension == PERIOD]
        if not roles:
            return
        present = table(periods.TABLE, self._schema)
        if not self._staging.count("select count(*) from {periods} where period_key = -1", periods=present):
            self._staging.run("insert into {periods} (period_key) values (-1)", periods=present)
        missing: set[str] = set()
        for role in roles:
            found = self._staging.ask(
                "select distinct {code} as code from {stage} as s where {code} is not null "
                "and not exists (select 1 from {periods} as d where d.period = {code})",
                code=name(natural(role, 0), "s"), stage=table(STAGE), periods=present,
            )  # fmt: skip
            missing |= {row["code"] for row in found}
        rows = periods.rows_of(periods.read_codes(sorted(missing), self._staging.where))
        self._staging.transaction.load(present, rows.to_reader())

    def make_members(self, role: Role, loaded: Loaded) -> None:
        """Make the members of a role that are not there, as the role says."""
        if role.dimension in GIVEN or role.late == "unknown":
            return
        dimension = self._subject.dimension(role.dimension)
        here = table(dimension.table, self._schema)
        parts = [natural(role, place) for place in range(len(role.source))]
        missing = fill(
            "select distinct {parts} from {stage} as s "
            "where {told} and not exists (select 1 from {here} as d where {same})",
            parts=names(parts, "s"), stage=table(STAGE), here=here,
            told=every([name(part, "s").is_(exp.null()).not_() for part in parts]),
            same=_matches(dimension, parts),
        )  # fmt: skip
        if role.late == "refuse":
            self._refuse(role, missing)
            return
        loaded.inferred[role.name] = self._staging.run(
            "insert into {here} ({surrogate}, {key}, valid_from, valid_to, is_current, is_deleted, is_inferred, "
            "loaded_at, loaded_run) select (select greatest(coalesce(max(m.{surrogate}), 0), 0) from {here} as m) "
            "+ row_number() over (order by {parts}), {parts}, {begins}, {ends}, "
            "true, false, true, cast($at as timestamp), $run from ({missing}) as missing",
            self._values, begins=fill(f"timestamp '{BEGINNING}'"), ends=fill(f"timestamp '{END}'"),
            here=here, surrogate=name(dimension.surrogate), key=names(dimension.key), parts=names(parts),
            missing=missing,
        )  # fmt: skip

    def _refuse(self, role: Role, missing: exp.Expr) -> None:
        found = self._staging.ask("select * from ({missing}) as missing limit 5", missing=missing)
        if found:
            told = "; ".join(", ".join(str(value) for value in row.values()) for row in found)
            raise BadRows(
                f"There are members that '{role.dimension}' has not: {told}.", where=self._staging.where,
                advice=f"Load the dimension first, or let the role '{role.name}' infer them.",
            )  # fmt: skip

    def look_up(self, key: list[str]) -> None:
        """Make the keyed rows: the fact's key, the surrogate keys of its roles, and its own columns."""
        picked: list[exp.Expr] = [exp.alias_(_hash(key), "fact_key", quoted=True)]
        joins = []
        for role in self._fact.roles:
            if role.dimension == DATE:
                picked.append(_known(dates.key_in_sql(name(natural(role, 0), "s")), role))
                continue
            alias = f"d_{role.name}"
            if role.dimension == PERIOD:
                surrogate, join = "period_key", self._join_period(role, alias)
            else:
                dimension = self._subject.dimension(role.dimension)
                surrogate, join = dimension.surrogate, self._join(role, dimension, alias)
            picked.append(_known(name(surrogate, alias), role))
            joins.append(join)
        picked += names([*(each.name for each in self._fact.own), *TRACED], "s")
        self._staging.run("drop table if exists {keyed}", keyed=table(KEYED))
        self._staging.run(
            "create temporary table {keyed} as select {picked} from {stage} as s {joins}",
            keyed=table(KEYED), picked=picked, stage=table(STAGE), joins=exp.var(" ".join(joins)),
        )  # fmt: skip

    def _join_period(self, role: Role, alias: str) -> str:
        matched = name("period", alias).eq(name(natural(role, 0), "s")).sql("duckdb")
        return f"left join {table(periods.TABLE, self._schema).sql('duckdb')} as {alias} on {matched}"

    def _join(self, role: Role, dimension: Dimension, alias: str) -> str:
        parts = [natural(role, place) for place in range(len(role.source))]
        matched = every(
            [name(part, alias).eq(name(told, "s")) for part, told in zip(dimension.key, parts, strict=True)]
        )
        moment = name(AS_OF, "s").sql("duckdb") if self._fact.as_of else f"timestamp '{END}' - interval 1 day"
        between = f"{alias}.valid_from <= {moment} and {moment} < {alias}.valid_to"
        here = table(dimension.table, self._schema).sql("duckdb")
        return f"left join {here} as {alias} on {matched.sql('duckdb')} and {between}"

    def count_unknown(self, loaded: Loaded) -> None:
        """Count the rows whose member is not known, by role."""
        for role in self._fact.roles:
            count = self._staging.count(
                "select count(*) from {keyed} where {key} = {unknown}",
                keyed=table(KEYED),
                key=name(role.column),
                unknown=exp.Literal.number(UNKNOWN),
            )
            if count:
                loaded.unknown[role.name] = count

    def make_partitions(self) -> None:
        """Make the years that the rows need, where the table is parted by them."""
        column = self._fact.partition_column
        if column and self._staging.dialect == "postgres":
            partitions.make_years(self._staging, self._fact.table, column, table(KEYED), self._schema)

    def update(self) -> int:
        """Change the facts that are there and say something else, and keep what they were."""
        changed = fill(
            "d.fact_key = s.fact_key and (d.is_deleted or not {same})", same=exp.paren(same(self._columns, "d", "s"))
        )
        keep(self._staging, self._here, self._past, table(KEYED), changed, self._how.at)
        sets: list[exp.Expr] = [
            exp.EQ(this=name(column), expression=name(column, "s")) for column in [*self._columns, *TRACED]
        ]
        return self._staging.run(
            "update {here} as d set {sets}, is_deleted = false, loaded_at = cast($at as timestamp), loaded_run = $run "
            "from {keyed} as s where {changed}",
            self._values, here=self._here, sets=sets, keyed=table(KEYED), changed=changed,
        )  # fmt: skip

    def insert(self) -> int:
        """Put in the facts that are not there."""
        columns = ["fact_key", *self._columns, *TRACED]
        return self._staging.run(
            "insert into {here} ({columns}, is_deleted, loaded_at, loaded_run) "
            "select {own}, false, cast($at as timestamp), $run from {keyed} as s "
            "where not exists (select 1 from {here} as d where d.fact_key = s.fact_key)",
            self._values, here=self._here, columns=names(columns), own=names(columns, "s"), keyed=table(KEYED),
        )  # fmt: skip

    def mark_deleted(self) -> int:
        """Mark the facts that the source does not give any more."""
        columns = [next((r.column for r in self._fact.roles if r.name == part), part) for part in self._how.within]
        inside = (
            fill("exists (select 1 from {keyed} as w where {same})", keyed=table(KEYED), same=same(columns, "w", "d"))
            if columns
            else exp.true()
        )
        gone = fill(
            "not d.is_deleted and {inside} and not exists (select 1 from {keyed} as s where s.fact_key = d.fact_key)",
            inside=inside, keyed=table(KEYED),
        )  # fmt: skip
        keep(self._staging, self._here, self._past, None, gone, self._how.at)
        return self._staging.run(
            "update {here} as d set is_deleted = true, loaded_at = cast($at as timestamp), loaded_run = $run "
            "where {gone}",
            self._values, here=self._here, gone=gone,
        )  # fmt: skip


def _key_types(role: Role, subject: Subject) -> list[str]:
    if role.dimension == DATE:
        return ["DATE"]
    if role.dimension == PERIOD:
        return ["TEXT"]
    dimension = subject.dimension(role.dimension)
    kinds = {each.name: each.sql_type for each in dimension.attributes}
    return [kinds[part] for part in dimension.key]


def _matches(dimension: Dimension, parts: list[str]) -> exp.Expr:
    return every([name(part, "d").eq(name(told, "s")) for part, told in zip(dimension.key, parts, strict=True)])


def _hash(columns: list[str]) -> exp.Expr:
    """Return a text that is the same for the same natural key, and different for another."""
    told = [fill("coalesce(cast({column} as text), '~null~')", column=name(column, "s")) for column in columns]
    return fill("md5(concat_ws('|', {told}))", told=told)


def _known(key: exp.Expr, role: Role) -> exp.Expr:
    """Return the surrogate key as the column of the role, that of the unknown member where there is none."""
    known = fill("coalesce({key}, {unknown})", key=key, unknown=exp.Literal.number(UNKNOWN))
    return exp.alias_(known, role.column, quoted=True)
