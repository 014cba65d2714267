"""What a statement writes: the table, and the query whose rows it takes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from manara.table.lineage_query import Columns, name_of

_SILENT = (
    exp.Delete, exp.Drop, exp.TruncateTable, exp.Set, exp.Transaction, exp.Commit, exp.Rollback, exp.Use, exp.Pragma,
    exp.Analyze, exp.Comment, exp.Describe, exp.Declare, exp.Alter,
)  # fmt: skip
_SILENT_WORDS = {"PRINT", "EXPLAIN", "VACUUM", "CHECKPOINT", "GO", "GRANT", "REVOKE", "LOAD", "INSTALL", "CALL"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """A table, the query that fills it, and the names of the columns in the query's order (None: the query's own).

    `adds` says that what was there stays, `is_passing` that the table is gone after the script, and `defines` that the
    table or view has the query's columns from now on.
    """

    target: exp.Table
    source: exp.Expr
    names: Sequence[str] | None
    adds: bool = False
    is_passing: bool = False
    defines: bool = False


def write_of(tree: exp.Expr, known: Columns) -> Write | str | None:
    """Return what the statement writes; None where it writes no rows, and a sentence where that is not known."""
    read = _KINDS.get(type(tree))
    if read is not None:
        return read(tree, known)
    is_silent = isinstance(tree, exp.Command) and str(tree.this).upper() in _SILENT_WORDS
    if is_silent or isinstance(tree, (exp.Query, *_SILENT)):
        return None
    return f"This is not followed: {' '.join(tree.sql().split())[:80]}"


def _created(tree: exp.Create, known: Columns) -> Write | None:
    if tree.kind not in {"TABLE", "VIEW"}:
        return None
    place = tree.this
    target = place.this if isinstance(place, exp.Schema) else place
    if not isinstance(target, exp.Table):
        return None
    is_passing = _is_temporary(tree, target)
    names = _declared(place)
    source = tree.expression
    if isinstance(source, exp.Subquery):
        source = source.unnest()
    if not isinstance(source, exp.Query):
        if is_passing:
            known.make(target, dict.fromkeys(names, ()), (), "", adds=bool(tree.args.get("exists")))
        elif not known.of(target):
            known.define(target, names)
        return None
    return Write(target=target, source=source, names=names or None, is_passing=is_passing, defines=True)


def _declared(place: exp.Expr) -> list[str]:
    """Return the columns that a CREATE names, in order, without keys and checks."""
    found = place.expressions if isinstance(place, exp.Schema) else []
    return [each.name for each in found if isinstance(each, exp.ColumnDef | exp.Identifier | exp.Column)]


def _is_temporary(tree: exp.Create, target: exp.Table) -> bool:
    told = tree.args.get("properties")
    is_told = told is not None and any(isinstance(one, exp.TemporaryProperty) for one in told.expressions)
    return is_told or name_of(target).startswith("#") or bool(target.this.args.get("temporary"))


def _inserted(tree: exp.Insert, known: Columns) -> Write | str:
    place = tree.this
    target = place.this if isinstance(place, exp.Schema) else place
    if not isinstance(target, exp.Table):
        return f"This is not followed: {tree.sql()[:80]}"
    source = tree.expression
    if isinstance(source, exp.Subquery):
        source = source.unnest()
    if isinstance(source, exp.Tuple | exp.Values) or source is None:
        return _of_values(target, source, place, known)
    if not isinstance(source, exp.Query):
        return f"This is not followed: {tree.sql()[:80]}"
    if held := tree.args.get("with_"):
        source = source.copy()
        source.set("with_", held.copy())
    names: Sequence[str] | None = None
    if isinstance(place, exp.Schema):
        names = [each.name for each in place.expressions]
    elif not tree.args.get("by_name"):
        names = known.of(target)
    return Write(target=target, source=source, names=names, adds=True, is_passing=known.is_passing(target))


def _of_values(target: exp.Table, source: exp.Expr | None, place: exp.Expr, known: Columns) -> Write | str:
    """Return the write of a list of values: the first row says what each column holds."""
    names = [each.name for each in place.expressions] if isinstance(place, exp.Schema) else known.of(target)
    first = source.expressions[0] if isinstance(source, exp.Values) and source.expressions else source
    values = first.expressions if isinstance(first, exp.Tuple) else [exp.null() for _ in names]
    rows = [exp.alias_(value.copy(), f"c{place}", quoted=True) for place, value in enumerate(values)]
    query = exp.select(*rows) if rows else exp.select(exp.null().as_("c0"))
    return Write(target=target, source=query, names=names, adds=True, is_passing=known.is_passing(target))


def _updated(tree: exp.Update, known: Columns) -> Write | str:
    if not isinstance(tree.this, exp.Table):
        return f"This is not followed: {tree.sql()[:80]}"
    target, reads = tree.this, tree.args.get("from_")
    inside = list(reads.find_all(exp.Table)) if reads else []
    meant = next((each for each in inside if each.alias_or_name.lower() == target.alias_or_name.lower()), None)
    real = meant if meant is not None and not target.db else target
    source = exp.select(*_assigned(tree.expressions))
    if meant is None:
        source = source.from_(target.copy())
        source = source.join(reads.this.copy(), join_type="cross") if reads else source
    elif reads:
        source.set("from_", reads.copy())
    for join in tree.args.get("joins") or ():
        source.append("joins", join.copy())
    if where := tree.args.get("where"):
        source.set("where", where.copy())
    if held := tree.args.get("with_"):
        source.set("with_", held.copy())
    names = [_assignee(each) for each in tree.expressions]
    return Write(target=real, source=source, names=names, adds=True, is_passing=known.is_passing(real))


def _assigned(found: Sequence[exp.Expr]) -> list[exp.Expr]:
    return [exp.alias_(each.expression.copy(), f"c{place}", quoted=True) for place, each in enumerate(found)]


def _assignee(one: exp.Expr) -> str:
    return one.this.name if isinstance(one, exp.EQ) else ""


def _merged(tree: exp.Merge, known: Columns) -> Write | str:
    """Return the write of a MERGE: for each column of the target, all the values that a branch gives it."""
    target, using = tree.this, tree.args["using"]
    values: dict[str, list[exp.Expr]] = {}
    for when in tree.args["whens"].expressions:
        for name, value in _branch(when.args.get("then"), target, using, known):
            if not name:
                return f"It is not known which columns are merged into {name_of(target)}."
            values.setdefault(name, []).append(value)
    if not values:
        return Write(target=target, source=exp.select("*").from_(using.copy()), names=[], adds=True)
    # A CASE of all the values stands for the column: its value is one of them. One value alone keeps its own way.
    chosen = [
        exp.alias_(each[0].copy() if len(set(each)) == 1 else _any_of(each), f"c{place}", quoted=True)
        for place, each in enumerate(values.values())
    ]
    source = exp.select(*chosen).from_(target.copy()).join(using.copy(), join_type="cross")
    if held := tree.args.get("with_"):
        source.set("with_", held.copy())
    return Write(target=target, source=source, names=list(values), adds=True, is_passing=known.is_passing(target))


def _any_of(values: Sequence[exp.Expr]) -> exp.Expr:
    chosen = exp.Case()
    for value in values:
        chosen = chosen.when(exp.true(), value.copy())
    return chosen


def _branch(
    then: exp.Expr | None, target: exp.Table, using: exp.Expr, known: Columns
) -> Iterator[tuple[str, exp.Expr]]:
    """Yield (column, value) of one WHEN; a name is empty where it is not known."""
    if isinstance(then, exp.Update):
        if then.expressions:
            yield from ((_assignee(each), each.expression) for each in then.expressions)
        else:
            yield from _by_name(using, known)
    elif isinstance(then, exp.Insert):
        named = then.this.expressions if isinstance(then.this, exp.Tuple | exp.Schema) else None
        values = then.expression.expressions if isinstance(then.expression, exp.Tuple) else None
        if values is None:
            yield from _by_name(using, known)
            return
        names = [each.name for each in named] if named else known.of(target)
        pairs = zip(names, values, strict=True) if len(names) == len(values) else [("", exp.null())]
        yield from pairs


def _by_name(using: exp.Expr, known: Columns) -> Iterator[tuple[str, exp.Expr]]:
    names = known.of(using) if isinstance(using, exp.Table) else getattr(using, "named_selects", None) or []
    if not names or "*" in names:
        yield "", exp.null()
        return
    yield from ((name, exp.column(name, table=using.alias_or_name, quoted=True)) for name in names)


def _selected_into(tree: exp.Select, _known: Columns) -> Write | None:
    target = tree.args["into"].this if tree.args.get("into") else None
    if not isinstance(target, exp.Table):
        return None
    source = tree.copy()
    source.set("into", None)
    is_passing = name_of(target).startswith("#") or bool(target.this.args.get("temporary"))
    return Write(target=target, source=source, names=None, is_passing=is_passing, defines=True)


_KINDS: Mapping[type[exp.Expr], Callable[[Any, Columns], Write | str | None]] = {
    exp.Create: _created,
    exp.Insert: _inserted,
    exp.Update: _updated,
    exp.Merge: _merged,
    exp.Select: _selected_into,
}
