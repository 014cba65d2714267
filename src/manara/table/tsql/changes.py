"""UPDATE and DELETE of T-SQL as other databases write them: with a FROM of their own table, TOP, or on a WITH."""

from collections.abc import Sequence
from typing import Any

from sqlglot import exp

from manara.table.tsql.parts import refuse

_ROW = {"postgres": "ctid"}
_PLACE, _NEW = "manara_row", "manara_new"


def changed(tree: exp.Expression, text: str, to: str) -> exp.Expression:
    """Return an UPDATE or DELETE that names its own table once, and the others beside it.

    Where that cannot be said plainly (an outer join, TOP, a change of what a WITH names), the rows to change are found
    by a query of its own. Raises WrongDefinition where it is not clear which table is changed.
    """
    if not isinstance(tree, exp.Update | exp.Delete):
        return tree
    named, tables, joins = taken_apart(tree)
    target = target_of(named, tables, text) if tables else named
    limit = tree.args.get("limit")
    if target is None:  # the FROM has only others
        if isinstance(tree, exp.Delete) or limit:
            refuse(text, f"a change of '{named.name}', which its FROM does not name")
        tables[0].set("joins", joins or None)
        tree.set("from_", exp.From(this=tables[0]))
        return tree
    made = {each.alias.lower(): each for each in tree.find_all(exp.CTE)}
    has_outer = any(
        join.side or join.kind not in {"", "INNER", "CROSS"} or isinstance(join.this, exp.Lateral) for join in joins
    )
    query = made.get(target.name.lower()) if not target.db else None
    if query is not None or has_outer or limit:
        tree.set("limit", None)
        return _by_rows(tree, target, tables or [target], joins, query, limit, text, to)
    return _plainly(tree, target, tables, joins)


def place_of(to: str) -> str:
    """Return what a database calls the place of a row."""
    return _ROW.get(to, "rowid")


def taken_apart(tree: exp.Update | exp.Delete) -> tuple[Any, list[Any], list[Any]]:
    """Return the table that a change names, those of its FROM, and how they are joined, and take them out of it."""
    if isinstance(tree, exp.Update):
        for one in tree.expressions:
            if isinstance(one, exp.EQ) and isinstance(one.this, exp.Column):
                one.this.set("table", None)
                one.this.set("db", None)
        named, source = tree.this, tree.args["from_"].this if tree.args.get("from_") else None
        tree.set("from_", None)
    else:
        listed = tree.args.get("tables")
        named, source = (listed[0], tree.this or None) if listed else (tree.this, None)
        tree.set("tables", None)
        tree.set("this", named)
    joins = [*(source.args.get("joins") or () if source else ()), *(tree.args.get("joins") or ())]
    tree.set("joins", None)
    if source is None:
        return named, [], joins
    source.set("joins", None)
    return named, [source, *(join.this for join in joins)], joins


def target_of(named: Any, tables: Sequence[Any], text: str) -> Any:
    """Return which of the tables of a FROM is changed: the one of that alias, or else of that name; None for none."""
    found = [table for table in tables if table.alias_or_name.lower() == named.name.lower()]
    found = found or [table for table in tables if table.name.lower() == named.name.lower()]
    if len(found) > 1:
        refuse(text, f"a change of '{named.name}', which its FROM names twice")
    return found[0] if found else None


def _plainly(tree: exp.Expression, target: Any, tables: Sequence[Any], joins: Sequence[Any]) -> exp.Expression:
    conditions = [join.args["on"].copy() for join in joins if join.args.get("on")]
    where = tree.args.get("where")
    conditions += [where.this.copy()] if where else []
    others = [table.copy() for table in tables if table is not target]
    tree.set("this", target.copy())
    tree.set("where", exp.Where(this=exp.and_(*conditions)) if conditions else None)
    if isinstance(tree, exp.Delete):
        tree.set("using", others or None)
    elif others:
        first, *rest = others
        first.set("joins", [exp.Join(this=one, kind="CROSS") for one in rest] or None)
        tree.set("from_", exp.From(this=first))
    return tree


def _by_rows(
    tree: exp.Expression,
    target: Any,
    tables: Sequence[Any],
    joins: Sequence[Any],
    query: exp.CTE | None,
    limit: exp.Expression | None,
    text: str,
    to: str,
) -> exp.Expression:
    """Return a change of the rows that a query finds, by their places."""
    row = place_of(to)
    table = _base(query, row, text) if query is not None else target.copy()
    named = target.args["alias"].this if target.alias else target.this  # an identifier: it may be a temporary table
    place = exp.column(row if query is None else _PLACE, table=named.copy() if joins else None)
    rows = exp.select(exp.alias_(place, _PLACE)).from_(tables[0].copy())
    rows.set("joins", [join.copy() for join in joins])
    rows.set("limit", limit)
    where = tree.args.get("where")
    if where:
        rows = rows.where(where.this.copy())
    tree.set("this", table)
    changed_row = exp.column(row)
    if isinstance(tree, exp.Delete):
        tree.set("where", exp.Where(this=exp.In(this=changed_row, query=rows.subquery())))
        return tree
    for at, one in enumerate(tree.expressions):
        rows = rows.select(exp.alias_(one.expression.copy(), f"manara_{at}"))
        one.set("expression", exp.column(f"manara_{at}", table=_NEW))
        if query is not None:
            one.set("this", exp.column(_column_of(query, one.this.name, text)))
    tree.set("from_", exp.From(this=rows.subquery(_NEW)))
    tree.set("where", exp.Where(this=changed_row.eq(exp.column(_PLACE, table=_NEW))))
    return tree


def _base(query: exp.CTE, row: str, text: str) -> exp.Expression:
    """Return the one table that a WITH is made of, and let the WITH give the places of its rows too."""
    inner: Any = query.this
    source: Any = inner.args["from_"].this if isinstance(inner, exp.Select) and inner.args.get("from_") else None
    is_plain = isinstance(source, exp.Table) and not (inner.args.get("joins") or inner.args.get("group"))
    if not is_plain or query.args["alias"].columns or inner.args.get("distinct"):
        refuse(text, f"a change of '{query.alias}', which is not the rows of one table")
    inner.select(exp.alias_(exp.column(row), _PLACE), copy=False)
    table: exp.Expression = source.copy()
    table.set("alias", None)
    return table


def _column_of(query: exp.CTE, name: str, text: str) -> str:
    """Return the column of the table that a WITH gives by a name."""
    for one in query.this.expressions:
        if one.alias_or_name.lower() == name.lower() and isinstance(one.unalias(), exp.Column):
            return str(one.unalias().name)
    if any(isinstance(one, exp.Star) for one in query.this.expressions):
        return name
    return refuse(text, f"a change of '{name}', which is no column of a table")


def by_source(tree: exp.Merge) -> list[exp.Expression]:
    """Return a MERGE for PostgreSQL: what it does with rows that its source has not stands before it.

    Its versions before 17 know no NOT MATCHED BY SOURCE.
    """
    target, using, on = tree.this, tree.args["using"], tree.args["on"]
    whens = tree.args["whens"].expressions
    own = [when for when in whens if when.args.get("source") and not when.args.get("matched")]
    found: list[exp.Expression] = []
    earlier: list[exp.Expression] = []  # of several, the first takes a row
    for when in own:
        source = exp.select(exp.Literal.number(1)).from_(using.copy()).where(on.copy())
        conditions = [exp.not_(exp.Exists(this=source)), *(exp.not_(one.copy()) for one in earlier)]
        if when.args.get("condition"):
            conditions.append(when.args["condition"].copy())
            earlier.append(exp.Coalesce(this=when.args["condition"].copy(), expressions=[exp.false()]))
        then = when.args["then"]
        step: exp.Expression = exp.Update(expressions=[one.copy() for one in then.expressions])
        step = step if isinstance(then, exp.Update) else exp.Delete()
        step.set("this", target.copy())
        step.set("where", exp.Where(this=exp.and_(*conditions)))
        step.set("with_", tree.args.get("with_") and tree.args["with_"].copy())
        found.append(step)
    rest = [when for when in whens if when not in own]
    tree.set("whens", exp.Whens(expressions=rest))
    return [*found, tree] if rest else found


def in_places(to: str, places: list[Any]) -> exp.Expression:
    """Return the condition that a row is one of those at some places."""
    if not places:
        return exp.false()
    if to != "postgres":
        return exp.In(this=exp.column(place_of(to)), expressions=[exp.Literal.number(place) for place in places])
    kind = exp.DataType.build("tid", udt=True)
    told: list[Any] = [exp.Cast(this=exp.Literal.string(place), to=kind.copy()) for place in places]
    return exp.In(this=exp.column(place_of(to)), expressions=told)
