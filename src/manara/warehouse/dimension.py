"""Loads of a dimension: surrogate keys for ever, overwritten and versioned attributes, members that arrive late.

A version of a member counts from `valid_from` until before `valid_to`. A row of the source says what the member is from
a moment on, which may lie between versions that are there already: then the one that counts at that moment is split.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlglot import exp

from manara.table.template import equal, every, fill, name, names, same, table
from manara.warehouse.history import keep
from manara.warehouse.staging import STAGE, Staging
from manara.warehouse.subject import Dimension
from manara.warehouse.tables import BEGINNING, END, TRACED

STEP = "__step"
FROM, RANK = "__from", "__rank"


@dataclass(slots=True)
class Loaded:
    """What a load did: rows of the source that made new members or versions, changed one, or nothing; and deletions."""

    read: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """When the load takes place and for which run, from which column a version counts, and what missing members mean.

    `deletes` is `close` where the source is complete: the current version of a member that is missing ends.
    """

    at: datetime
    run_id: str
    valid_from: str = ""
    deletes: Literal["ignore", "close"] = "ignore"


def load_dimension(staging: Staging, dimension: Dimension, how: How, schema: str = "") -> Loaded:
    """Bring what the stage says into the dimension, and return what changed. The same rows again change nothing.

    Raises BadRows for keys that are null or come twice (with `valid_from`: twice for one moment).
    """
    load = _Load(staging, dimension, how, schema)
    staging.refuse_nulls(dimension.key)
    staging.refuse_doubles([*dimension.key, FROM] if how.valid_from else dimension.key)
    staging.lock(table(dimension.table, schema))  # or two loads could give the same surrogate keys
    loaded = Loaded(read=staging.count("select count(*) from {stage}", stage=table(STAGE)))
    for rank in range(1, load.ranks() + 1):
        load.step(rank, loaded)
    loaded.unchanged = loaded.read - loaded.inserted - loaded.updated
    if how.deletes == "close":
        loaded.deleted = load.close()
    staging.run("drop table if exists {step}", step=table(STEP))
    return loaded


class _Load:
    def __init__(self, staging: Staging, dimension: Dimension, how: How, schema: str) -> None:
        self._staging = staging
        self._dimension = dimension
        self._how = how
        self._here = table(dimension.table, schema)
        self._past = table(f"{dimension.table}_history", schema)
        self._values = {"at": how.at, "run": how.run_id}
        self._versioned = dimension.of_type(2)
        self._overwritten = dimension.of_type(1)

    def ranks(self) -> int:
        """Return how many versions of one member the source gives at most."""
        return self._staging.count("select coalesce(max({rank}), 0) from {stage}", rank=name(RANK), stage=table(STAGE))

    def step(self, rank: int, loaded: Loaded) -> None:
        """Bring in one version of each member."""
        self._find(rank)
        corrected = self._correct()
        split = self._split()
        added = self._insert_split() + self._insert_new()
        touched = self._overwrite()
        loaded.inserted += added
        # A row that made a version and overwrote an attribute counts as inserted; so does one that split a version.
        loaded.updated += corrected + max(0, touched)
        assert split <= added  # noqa: S101 # a version that ends is followed by one

    def _find(self, rank: int) -> None:
        """Make the step: each row with the version that counts at its moment, and the start of the next one."""
        key = self._dimension.key
        self._staging.run("drop table if exists {step}", step=table(STEP))
        self._staging.run(
            "create temporary table {step} as select s.*, v.{surrogate} as __at, v.valid_from as __at_from, "
            "v.valid_to as __at_to, v.is_inferred as __inferred, "
            "exists (select 1 from {here} as k where {same_k}) as __known, "
            "(select min(n.valid_from) from {here} as n where {same_n} and n.valid_from > s.{moment}) as __next, "
            "0 as __done "
            "from {stage} as s left join {here} as v on {same_v} and v.valid_from <= s.{moment} "
            "and s.{moment} < v.valid_to where s.{rank} = $rank",
            {"rank": rank},
            step=table(STEP), surrogate=name(self._dimension.surrogate), here=self._here, stage=table(STAGE),
            same_k=equal(key, "k", "s"), same_n=equal(key, "n", "s"), same_v=equal(key, "v", "s"), moment=name(FROM),
            rank=name(RANK),
        )  # fmt: skip

    def _correct(self) -> int:
        """Overwrite the version itself: one that was inferred, or one that starts at the same moment."""
        differs = exp.not_(same(self._versioned, "d", "s")) if self._versioned else exp.false()
        condition = fill("s.__inferred or (s.__at_from = s.{moment} and {differs})", moment=name(FROM), differs=differs)
        columns = [*self._versioned, *self._overwritten]
        return self._change(condition, _assigned(columns, "s"), "is_inferred = false", columns)

    def _split(self) -> int:
        """End the version that counts at the moment where the row says something else."""
        if not self._versioned:
            return 0
        differs = exp.not_(same(self._versioned, "d", "s"))
        condition = fill(
            "not s.__inferred and s.__at_from < s.{moment} and {differs}", moment=name(FROM), differs=differs
        )
        self._mark(condition)
        ended = exp.EQ(this=name("valid_to"), expression=name(FROM, "s"))
        return self._change(fill("s.__done = 1"), [ended], "is_current = false", [])

    def _mark(self, condition: exp.Expr) -> None:
        """Note which rows split a version, before it is changed."""
        self._staging.run(
            "update {step} as s set __done = 1 from {here} as d where d.{surrogate} = s.__at and {condition}",
            step=table(STEP), here=self._here, surrogate=name(self._dimension.surrogate), condition=condition,
        )  # fmt: skip

    def _insert_split(self) -> int:
        """Put in the version that follows one that was split."""
        return self._insert(fill("s.__done = 1"), name(FROM, "s"), fill("s.__at_to"))

    def _insert_new(self) -> int:
        """Put in a member that is new, or a version where none counts."""
        begins: exp.Expr = name(FROM, "s")
        if not self._how.valid_from:
            begins = fill(f"case when s.__known then s.{{moment}} else timestamp '{BEGINNING}' end", moment=name(FROM))
        return self._insert(fill("s.__at is null"), begins, fill(f"coalesce(s.__next, timestamp '{END}')"))

    def _insert(self, condition: exp.Expr, begins: exp.Expr, ends: exp.Expr) -> int:
        columns = [*self._dimension.columns, *TRACED]
        return self._staging.run(
            "insert into {here} ({surrogate}, {columns}, valid_from, valid_to, is_current, is_deleted, is_inferred, "
            "loaded_at, loaded_run) "
            "select (select greatest(coalesce(max(m.{surrogate}), 0), 0) from {here} as m) "
            "+ row_number() over (order by {key}), {own}, {begins}, {ends}, {ends} = timestamp '9999-12-31', false, "
            "false, cast($at as timestamp), $run from {step} as s where {condition}",
            self._values,
            here=self._here, surrogate=name(self._dimension.surrogate), columns=names(columns),
            key=names(self._dimension.key, "s"), own=names(columns, "s"), begins=begins, ends=ends, step=table(STEP),
            condition=condition,
        )  # fmt: skip

    def _overwrite(self) -> int:
        """Overwrite the attributes of type 1 in all versions, where the row is the newest that is known of the member.

        Returns how many rows of the source changed nothing else.
        """
        if not self._overwritten:
            return 0
        newest = "(s.__at is null and s.__next is null or s.__at_to = timestamp '9999-12-31')"
        differs = exp.not_(same(self._overwritten, "d", "s"))
        alone = self._staging.count(
            "select count(*) from {step} as s where {newest} and s.__at is not null and s.__done = 0 "
            "and not s.__inferred and exists (select 1 from {here} as d where {same} and {differs})",
            step=table(STEP), newest=fill(newest), here=self._here, same=equal(self._dimension.key, "d", "s"),
            differs=differs,
        )  # fmt: skip
        self._change_all(every([fill(newest), differs]), _assigned(self._overwritten, "s"))
        return alone

    def _change(self, condition: exp.Expr, sets: list[exp.Expr], flag: str, columns: list[str]) -> int:
        """Change the version that a row of the step is at, and keep what it was."""
        at = fill(
            "d.{surrogate} = s.__at and {condition}", surrogate=name(self._dimension.surrogate), condition=condition
        )
        traced = _assigned(list(TRACED), "s") if columns else []
        return self._update(at, [*sets, *traced], flag)

    def _change_all(self, condition: exp.Expr, sets: list[exp.Expr]) -> int:
        """Change all versions of the members in the step, and keep what they were."""
        at = every([equal(self._dimension.key, "d", "s"), condition])
        return self._update(at, sets, "")

    def _update(self, condition: exp.Expr, sets: list[exp.Expr], flag: str) -> int:
        keep(self._staging, self._here, self._past, table(STEP), condition, self._how.at)
        also = [fill(flag)] if flag else []
        return self._staging.run(
            "update {here} as d set {sets}, loaded_at = cast($at as timestamp), loaded_run = $run "
            "from {step} as s where {condition}",
            self._values, here=self._here, sets=[*sets, *also], step=table(STEP), condition=condition,
        )  # fmt: skip

    def close(self) -> int:
        """End the current version of every member that the source does not give any more."""
        gone = fill(
            "d.is_current and d.{surrogate} > 0 and not d.is_inferred "
            "and not exists (select 1 from {stage} as s where {same})",
            surrogate=name(self._dimension.surrogate), stage=table(STAGE), same=equal(self._dimension.key, "d", "s"),
        )  # fmt: skip
        keep(self._staging, self._here, self._past, None, gone, self._how.at)
        return self._staging.run(
            "update {here} as d set valid_to = cast($at as timestamp), is_current = false, is_deleted = true, "
            "loaded_at = cast($at as timestamp), loaded_run = $run where {gone}",
            self._values, here=self._here, gone=gone,
        )  # fmt: skip


def _assigned(columns: list[str], source: str) -> list[exp.Expr]:
    return [exp.EQ(this=name(column), expression=name(column, source)) for column in columns]
