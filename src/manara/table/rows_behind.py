"""Which rows of other tables stand behind a row that SQL made: conditions are pushed down through its queries.

What is found are all rows that took part, and where SQL leaves it open (a window, the nearest of an ASOF join) some
that only could have; those are told as that, and never left out.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import Scope

from manara.table.lineage_query import Columns, Unclear, columns_in, name_of, outputs, qualified
from manara.table.lineage_writes import Write, write_of

_ROW = "__row"
_FILTER = "filter"
_MOST_NODES = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """Rows of one table that took part: the query that gives them, and why some of them may not have.

    `conditions` says how many conditions narrow the query down; without any, the table cannot be followed row by row.
    """

    table: str
    query: str
    conditions: int
    loose: tuple[str, ...] = ()


def rows_behind(
    texts: Sequence[str],
    dialect: str,
    columns: Callable[[exp.Table], Mapping[str, str]],
    *,
    table: str,
    row: Mapping[str, Any],
    wanted: str = "",
) -> list[Behind]:
    """Return what stands behind a row of the table that the scripts write; `row` holds its columns by name.

    With `wanted`, only what that column is made from. Raises Unclear where the scripts cannot be followed.
    """
    known = Columns(columns)
    views: dict[str, exp.Expr] = {}
    found: dict[tuple[str, str], Behind] = {}
    for tree in (one for text in texts for one in _trees(text, dialect)):
        write = write_of(tree, known)
        if not isinstance(write, Write):
            continue
        if name_of(write.target).lower() == table.lower():
            for each in _of_write(write, known, views, dialect, row, wanted):
                if each.table.lower() != table.lower():
                    found.setdefault((each.table, each.query), each)
        if write.is_passing and write.defines:
            views[name_of(write.target).lower()] = _expanded(write.source, views)
            known.define(write.target, list(write.names or getattr(write.source, "named_selects", [])))
    return list(found.values())


def behind_query(
    text: str, dialect: str, columns: Callable[[exp.Table], Mapping[str, str]], row: Mapping[str, Any], wanted: str = ""
) -> list[Behind]:
    """Return what stands behind a row that a query gave. Raises Unclear."""
    try:
        tree = sqlglot.parse_one(text, dialect=dialect)
    except (SqlglotError, RecursionError) as error:
        raise Unclear(f"The query cannot be read: {str(error)[:100]}") from error
    write = Write(target=exp.to_table(_ROW), source=tree, names=None)
    return _of_write(write, Columns(columns), {}, dialect, row, wanted)


def _trees(text: str, dialect: str) -> Iterator[exp.Expr]:
    try:
        yield from (tree for tree in sqlglot.parse(text, dialect=dialect) if tree)
    except (SqlglotError, RecursionError) as error:
        raise Unclear(f"The script cannot be read: {str(error)[:100]}") from error


def _of_write(
    write: Write, known: Columns, views: Mapping[str, exp.Expr], dialect: str, row: Mapping[str, Any], wanted: str
) -> list[Behind]:
    tree = _expanded(write.source, views)
    if sum(1 for _ in tree.walk()) > _MOST_NODES:
        raise Unclear("The query is too large to be followed row by row.")
    real = {name_of(one).lower(): one for one in tree.find_all(exp.Table) if isinstance(one.this, exp.Identifier)}
    scope = qualified(tree, dialect, known, unique=True)
    names = [name.lower() for name in write.names] if write.names else [name.lower() for name in outputs(scope)]
    inner = dict(zip(names, outputs(scope), strict=False))
    told = {name: value for name, value in row.items() if value is not None and _is_plain(value)}
    conditions: list[exp.Expr] = [
        exp.EQ(this=exp.column(inner[name.lower()], table=_ROW), expression=exp.convert(value))
        for name, value in told.items()
        if name.lower() in inner
    ]
    down = _Down(dialect=dialect, real=real, target=name_of(write.target).lower(), row=told, filters=not write.adds)
    down.scope(scope, conditions, {inner[wanted.lower()]} if wanted.lower() in inner else None)
    return list(down.found())


def _is_plain(value: Any) -> bool:
    """Say whether a value can stand in a condition and be equal to itself: no fraction of two."""
    return not isinstance(value, float | list | dict | bytes)


def _expanded(tree: exp.Expr, views: Mapping[str, exp.Expr]) -> exp.Expr:
    """Return the tree with its CTEs, and the script's own views, written where they are named."""
    tree = tree.copy()
    local: dict[str, exp.Expr] = {}
    held = tree.args.get("with_")
    if held is not None:
        if held.args.get("recursive"):
            raise Unclear("A recursive query is not followed row by row.")
        for cte in held.expressions:
            local[cte.alias.lower()] = _replaced(_expanded(cte.this, views), local)
        tree.set("with_", None)
    for inner in [one for one in tree.find_all(exp.Query) if one is not tree and one.args.get("with_")]:
        inner.replace(_expanded(inner, views))
    return _replaced(tree, {**views, **local})


def _replaced(tree: exp.Expr, known: Mapping[str, exp.Expr]) -> exp.Expr:
    for table in list(tree.find_all(exp.Table)):
        query = known.get(name_of(table).lower()) if isinstance(table.this, exp.Identifier) else None
        if query is None:
            continue
        alias = exp.TableAlias(this=exp.to_identifier(table.alias or table.name))
        named = exp.Subquery(this=query.copy(), alias=alias, joins=table.args.get("joins"))
        if table is tree:
            return named
        table.replace(named)
    return tree


@dataclass(slots=True)
class _Down:
    """Conditions on their way down to the tables."""

    dialect: str
    real: Mapping[str, exp.Table]
    target: str
    row: Mapping[str, Any]
    filters: bool
    leaves: list[tuple[exp.Table, list[exp.Expr], list[str]]] = field(default_factory=list)

    def scope(
        self, scope: Scope, conditions: Sequence[exp.Expr], wanted: set[str] | None, loose: Sequence[str] = ()
    ) -> None:
        """Push conditions on the scope's columns (of the table `__row`) to what the scope reads."""
        tree = scope.expression
        if isinstance(tree, exp.SetOperation):
            names = outputs(scope)
            for branch in scope.set_operation_scopes:
                places = dict(zip(names, outputs(branch), strict=False))
                moved = [_renamed(one, places) for one in conditions]
                self.scope(branch, moved, {places[name] for name in wanted} if wanted is not None else None, loose)
            return
        if isinstance(tree, exp.Subquery):
            for inner in (*scope.subquery_scopes, *scope.derived_table_scopes)[:1]:
                self.scope(inner, conditions, wanted, loose)
            return
        if not isinstance(tree, exp.Select):
            raise Unclear("Something that is no query is not followed row by row.")
        _Select(self, scope, tree).push(conditions, wanted, [*loose, *_left_open(tree)])

    def found(self) -> Iterator[Behind]:
        """Yield the rows of each table that was reached."""
        for table, conditions, loose in self.leaves:
            query = exp.select(exp.Column(this=exp.Star(), table=exp.to_identifier(table.alias))).from_(table.copy())
            query = query.where(*conditions) if conditions else query
            yield Behind(
                table=name_of(self.real[table.name.lower()]),
                query=self.sql(query),
                conditions=sum(not one.meta.get(_FILTER) for one in conditions),
                loose=tuple(dict.fromkeys(loose)),
            )

    def sql(self, query: exp.Expr) -> str:
        """Return SQL in which the tables have their own names again."""
        shown = query.copy()
        for table in list(shown.find_all(exp.Table)):
            held = self.real.get(table.name.lower())
            if held is not None:
                for part in ("this", "db", "catalog"):
                    table.set(part, held.args[part].copy() if held.args.get(part) else None)
        return shown.sql(dialect=self.dialect)


def _left_open(tree: exp.Select) -> Iterator[str]:
    """Yield what a query does that leaves open which of the rows took part."""
    if tree.args.get("qualify"):
        yield "the query keeps one of several rows (QUALIFY)"
    if tree.args.get("limit"):
        yield "the query keeps only some rows (LIMIT)"
    if any(str(join.args.get("method") or "").upper() == "ASOF" for join in tree.args.get("joins") or ()):
        yield "the query takes the nearest of these rows (ASOF)"


class _Select:
    """One SELECT: its sources by alias, what joins them, and the conditions that reach each."""

    def __init__(self, down: _Down, scope: Scope, tree: exp.Select) -> None:
        self._down, self._scope, self._tree = down, scope, tree
        self._sources = {name: source for name, (_, source) in scope.selected_sources.items()}
        self._own: dict[str, list[exp.Expr]] = {name: [] for name in self._sources}
        self._joins: list[tuple[set[str], exp.Expr]] = []
        self._spanned: set[str] = set()
        self._lost: list[str] = []
        self._chosen: list[str] = []
        self._where: dict[str, list[exp.Expr]] = {name: [] for name in self._sources}
        self._optional = set(_optional(tree))

    def push(self, conditions: Sequence[exp.Expr], wanted: set[str] | None, loose: Sequence[str]) -> None:
        values = {one.alias_or_name: one.unalias() for one in self._tree.selects}
        self._is_target()
        self._read_joins()
        for condition in conditions:
            if not self._take(condition, values):
                return
        self._same()
        asked = self._wanted(values, wanted)
        for name, columns in asked.items():
            parts = [*self._own[name], *self._reach(name), *self._where[name]]
            told = [
                *loose,
                *self._chosen,
                *((f"nothing narrows it by {', '.join(self._lost)}",) if self._lost and not parts else ()),
            ]
            source = self._sources[name]
            if isinstance(source, exp.Table):
                if isinstance(source.this, exp.Identifier):
                    self._down.leaves.append((source, parts, told))
            elif isinstance(source, Scope) and not isinstance(source.expression, exp.UDTF):
                self._down.scope(source, [_as_row(one, name) for one in parts], columns, told)

    def _is_target(self) -> None:
        """Let a source that is the written table itself be the row that is asked about."""
        for name, source in self._sources.items():
            if isinstance(source, exp.Table) and source.name.lower() == self._down.target:
                for column, value in self._down.row.items():
                    place = exp.column(column.lower(), table=name)
                    self._own[name].append(exp.EQ(this=place, expression=exp.convert(value)))

    def _take(self, condition: exp.Expr, values: Mapping[str, exp.Expr]) -> bool:
        """Sort a condition to the source it is about; return False where it can hold for no row of this query."""
        placed, lost = _placed(condition, values)
        if placed is None or any(isinstance(one, exp.Placeholder | exp.Parameter) for one in placed.walk()):
            self._lost.append(lost or "a parameter")
            if condition.meta.get(_FILTER):
                self._chosen.append("the query keeps some of them by what a window or a group gives")
            return True
        for each in self._either(placed):
            aliases = self._aliases(each)
            if len(aliases) == 1:
                self._own[aliases.pop()].append(each)
            elif not aliases and _is_false(each):
                return False
            elif aliases and not aliases & self._optional:
                self._joins.append((aliases, each))
                self._spanned |= aliases
        return True

    def _either(self, condition: exp.Expr) -> list[exp.Expr]:
        """Return the condition; one on the column of a USING, which is in both tables, as one for each of them."""
        first = condition.this if isinstance(condition, exp.EQ) else None
        if isinstance(first, exp.Coalesce):
            parts = [first.this, *first.expressions]
            joined = [{join.this, join.expression} for _, join in self._joins if isinstance(join, exp.EQ)]
            if all({parts[0], other} in joined for other in parts[1:]):
                return [exp.EQ(this=one.copy(), expression=condition.expression.copy()) for one in parts]
        return [condition]

    def _aliases(self, tree: exp.Expr) -> set[str]:
        """Return which of the sources a value or condition is about."""
        return {column.table for column in tree.find_all(exp.Column) if column.table in self._sources}

    def _read_joins(self) -> None:
        """Take what ON and WHERE say, except what looks into other queries: that may have changed since."""
        said = [join.args.get("on") for join in self._tree.args.get("joins") or ()]
        where = self._tree.args.get("where")
        for part in (*said, where.this if where else None):
            for one in part.flatten() if isinstance(part, exp.And) else [part]:
                if one is None or one.find(exp.Query, exp.Placeholder, exp.Parameter):
                    continue
                aliases = self._aliases(one)
                if len(aliases) > 1:
                    self._joins.append((aliases, one.copy()))
                elif len(aliases) == 1 and part is not None and where is not None and part is where.this:
                    self._filter(aliases.pop(), one)

    def _filter(self, alias: str, condition: exp.Expr) -> None:
        """Keep what WHERE asks of one source; not of an INSERT, which may ask for what has changed since."""
        if self._down.filters:
            kept = condition.copy()
            kept.meta[_FILTER] = True
            self._where[alias].append(kept)

    def _same(self) -> None:
        """Carry what is equal to a constant over to what is joined to be equal to it."""
        for _ in range(len(self._joins) + 1):
            known = {one.this: one.expression for held in self._own.values() for one in held if isinstance(one, exp.EQ)}
            added = False
            for aliases, join in self._joins:
                if not isinstance(join, exp.EQ) or len(aliases) != 2:
                    continue
                for this, other in ((join.this, join.expression), (join.expression, join.this)):
                    names = self._aliases(other)
                    if this in known and other not in known and len(names) == 1:
                        self._own[names.pop()].append(exp.EQ(this=other.copy(), expression=known[this].copy()))
                        added = True
            if not added:
                return

    def _reach(self, name: str) -> list[exp.Expr]:
        """Return the condition that the other sources put on one: those that are narrowed, and what leads to them."""
        near = {each for each, held in self._own.items() if held} | self._spanned
        ways = [self._way(each, name) for each in sorted(near - {name})]
        around = {each for way in ways for each in way} - {name}
        joins = [join for aliases, join in self._joins if aliases <= around | {name} and len(aliases) > 1]
        if not around:
            return []
        inner = exp.select(exp.Literal.number(1))
        for place, each in enumerate(sorted(around)):
            source = self._as_source(each)
            inner = inner.join(source, join_type="cross") if place else inner.from_(source)
        own = [one for each in sorted(around) for one in self._own[each]]
        found = exp.Exists(this=inner.where(*(one.copy() for one in (*joins, *own))))
        if not self._spanned and all(one.meta.get(_FILTER) for one in own):
            found.meta[_FILTER] = True  # nothing in it is about the row that is asked for
        return [found]

    def _way(self, start: str, end: str) -> list[str]:
        """Return the sources on the shortest way from one to another along the joins; nothing where there is none."""
        came: dict[str, str] = {start: ""}
        ahead = [start]
        while ahead and end not in came:
            here = ahead.pop(0)
            for aliases, _ in self._joins:
                for near in sorted(aliases - came.keys()) if here in aliases else ():
                    came[near] = here
                    ahead.append(near)
        way = [end] if end in came else []
        while way and came[way[-1]]:
            way.append(came[way[-1]])
        return way

    def _as_source(self, name: str) -> exp.Expr:
        source = self._sources[name]
        if isinstance(source, exp.Table):
            return source.copy()
        alias = exp.TableAlias(this=exp.to_identifier(name))
        return exp.Subquery(this=source.expression.copy(), alias=alias)

    def _wanted(self, values: Mapping[str, exp.Expr], wanted: set[str] | None) -> dict[str, set[str] | None]:
        """Return which sources are followed, and which of their columns (None: all)."""
        if wanted is None:
            return dict.fromkeys(self._sources)
        found: dict[str, set[str] | None] = {}
        for name in wanted:
            value = values.get(name)
            for column in columns_in(value) if value is not None else ():
                if column.table in self._sources:
                    held = found.setdefault(column.table, set())
                    if held is not None:
                        held.add(column.name)
        self._filters([values[name] for name in wanted if name in values])
        return found

    def _filters(self, values: Sequence[exp.Expr]) -> None:
        """Narrow a source to the rows that a filtered sum takes, where it is all that is asked for."""
        if len(values) != 1 or len(held := list(values[0].find_all(exp.Filter))) != 1:
            return
        if len(list(values[0].find_all(exp.AggFunc))) != 1:
            return
        condition = held[0].expression.this
        aliases = self._aliases(condition)
        if len(aliases) == 1 and not condition.find(exp.Query, exp.Placeholder, exp.Parameter):
            self._own[aliases.pop()].append(condition.copy())


def _optional(tree: exp.Select) -> Iterator[str]:
    """Yield the sources that may have no row beside those of the others: what an outer join brings."""
    before = [tree.args["from_"].alias_or_name] if tree.args.get("from_") else []
    for join in tree.args.get("joins") or ():
        side = str(join.args.get("side") or "").upper()
        yield from [join.alias_or_name] if side in {"LEFT", "FULL"} else ()
        yield from before if side in {"RIGHT", "FULL"} else ()
        before.append(join.alias_or_name)


def _renamed(condition: exp.Expr, places: Mapping[str, str]) -> exp.Expr:
    """Return a condition on columns of `__row` under the names that a part of a union has for them."""
    moved = condition.copy()
    for column in moved.find_all(exp.Column):
        if column.table == _ROW and column.name in places:
            column.set("this", exp.to_identifier(places[column.name]))
    return moved


def _as_row(condition: exp.Expr, alias: str) -> exp.Expr:
    """Return a condition on the columns of a source as one on the columns of its query."""
    moved = condition.copy()
    for column in moved.find_all(exp.Column):
        if column.table == alias:
            column.set("table", exp.to_identifier(_ROW))
    return moved


def _placed(condition: exp.Expr, values: Mapping[str, exp.Expr]) -> tuple[exp.Expr | None, str]:
    """Return the condition over the sources' columns; None, and the column's name, where that cannot be said."""
    whole = exp.Paren(this=condition.copy())
    for column in [one for one in whole.find_all(exp.Column) if one.table == _ROW]:
        value = values.get(column.name)
        if value is None or value.find(exp.AggFunc, exp.Window, exp.Query):
            return None, column.name
        plain = value.copy()
        column.replace(plain if isinstance(plain, exp.Column | exp.Literal | exp.Func) else exp.Paren(this=plain))
    return whole.this, ""


def _is_false(condition: exp.Expr) -> bool:
    """Say whether two constants that should be equal are not."""
    if not isinstance(condition, exp.EQ):
        return False
    one, other = condition.this.unnest(), condition.expression.unnest()
    if isinstance(one, exp.Null):
        return True
    both = isinstance(one, exp.Literal) and isinstance(other, exp.Literal)
    return both and (one.is_string, one.name) != (other.is_string, other.name)
