"""TOP of T-SQL with PERCENT or WITH TIES, as DuckDB and PostgreSQL say it. A part of a hundred is rounded up."""

from typing import Any

from sqlglot import exp

from manara.table.tsql.parts import refuse

_ALL = 100
_BY = "manara_by_"


def with_tops(tree: Any, text: str, to: str) -> Any:
    """Return the tree with every TOP as a number of rows. Raises WrongDefinition where ties cannot be told to `to`."""
    queries = [node for node in tree.walk() if isinstance(node, exp.Query) and _options(node)]
    for query in reversed(queries):  # the inner ones first
        options, limit = _options(query), query.args["limit"]
        if options["percent"]:
            limit = _of_a_hundred(query, limit.expression)
        limit = limit and exp.Limit(expression=limit.expression)
        query.set("limit", limit)
        if options["with_ties"] and limit:
            made = _with_ties(query, limit.expression, text, to)
            if query is tree:
                tree = made
            elif made is not query:
                query.replace(made)
    return tree


def _options(query: Any) -> dict[str, bool]:
    limit = query.args.get("limit")
    found = limit.args.get("limit_options") if isinstance(limit, exp.Limit) else None
    told = {name: bool(found and found.args.get(name)) for name in ("percent", "with_ties")}
    return told if any(told.values()) else {}


def _of_a_hundred(query: Any, percent: Any) -> exp.Limit | None:
    """Return the number of rows that are so many of a hundred; None for all of them."""
    if isinstance(percent.unnest(), exp.Literal) and float(percent.unnest().name) >= _ALL:
        return None
    counted = query.copy()
    for part in ("limit", "order", "into"):
        counted.set(part, None)
    share = exp.Div(
        this=exp.Mul(this=exp.Count(this=exp.Star()), expression=exp.paren(percent.copy())),
        expression=exp.Literal.number("100.0"),
    )
    rows = exp.select(exp.cast(exp.Ceil(this=share), "bigint")).from_(exp.Subquery(this=counted, alias=_named("c")))
    return exp.Limit(expression=exp.Subquery(this=rows))


def _with_ties(query: Any, count: exp.Expression, text: str, to: str) -> Any:
    """Return a query that also gives the rows that come level with its last one."""
    order = query.args.get("order")
    if to == "postgres":
        told = count.copy() if isinstance(count, exp.Literal | exp.Subquery) else exp.paren(count.copy())
        options = exp.LimitOptions(rows=True, with_ties=True)
        query.set("limit", exp.Fetch(direction="FIRST", count=told, limit_options=options))
        return query
    if to != "duckdb" or not order or not isinstance(query, exp.Select) or query.args.get("distinct"):
        refuse(text, "TOP ... WITH TIES of such a query")
    names = [f"{_BY}{at}" for at in range(len(order.expressions))]
    keys = [exp.alias_(_meant(one.this, query), name) for one, name in zip(order.expressions, names, strict=True)]
    inner = query.copy()
    for part in ("limit", "order", "into", "with_"):
        inner.set(part, None)
    inner.select(*keys, copy=False)
    ordered = [one.copy() for one in order.expressions]
    for one, name in zip(ordered, names, strict=True):
        one.set("this", exp.column(name))
    by = exp.Order(expressions=ordered)
    rank = exp.Window(this=exp.Anonymous(this="rank"), order=by.copy())
    rest = exp.Star(except_=[exp.to_identifier(name) for name in names])
    made = exp.select(rest).from_(exp.Subquery(this=inner, alias=_named("t")))
    made.set("qualify", exp.Qualify(this=exp.LTE(this=rank, expression=count.copy())))
    made.set("order", by)
    for part in ("into", "with_"):
        made.set(part, query.args.get(part) and query.args[part].copy())
    return made


def _meant(key: exp.Expression, query: exp.Select) -> exp.Expression:
    """Return what a query is ordered by: a number or a name may stand for one of its columns."""
    if isinstance(key, exp.Literal) and key.name.isdecimal() and 0 < int(key.name) <= len(query.expressions):
        return query.expressions[int(key.name) - 1].unalias().copy()  # type: ignore[no-any-return] # a tree
    for one in query.expressions:
        if isinstance(one, exp.Alias) and isinstance(key, exp.Column) and not key.table and one.alias == key.name:
            return one.this.copy()  # type: ignore[no-any-return] # a tree
    return key.copy()


def _named(name: str) -> exp.TableAlias:
    return exp.TableAlias(this=exp.to_identifier(f"manara_{name}"))
