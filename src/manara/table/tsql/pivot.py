"""PIVOT and UNPIVOT of T-SQL as queries that every database knows."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlglot import exp

from manara.table.tsql.parts import refuse

Columns = Callable[[exp.Table], Mapping[str, str]]


def with_pivots(tree: exp.Expression, text: str, columns: Columns) -> exp.Expression:
    """Return the tree with a query in the place of each PIVOT and UNPIVOT; `columns` tells those of a table.

    Raises WrongDefinition where the columns of what is turned are not known.
    """
    for source in [node for node in tree.walk() if node.args.get("pivots")]:
        pivot, *more = source.args["pivots"]
        if more or len(pivot.args["fields"]) != 1:
            refuse(text, "a PIVOT of a PIVOT")
        names = _columns_of(source, text, columns)
        source.set("pivots", None)
        joins = source.args.get("joins")
        source.set("joins", None)
        made = _unpivoted(source, pivot, names) if pivot.args.get("unpivot") else _pivoted(source, pivot, names, text)
        source.replace(exp.Subquery(this=made, alias=pivot.args.get("alias"), joins=joins))
    return tree


def _pivoted(source: Any, pivot: exp.Pivot, names: list[str], text: str) -> exp.Select:
    [told, *more], field = pivot.expressions, pivot.args["fields"][0]
    summed = told.unalias().this
    if more or not isinstance(summed, exp.Column):
        refuse(text, "a PIVOT of something else than one column")
    used = {summed.name.lower(), field.this.name.lower()}
    others = [exp.column(exp.to_identifier(name, quoted=True)) for name in names if name.lower() not in used]
    query = exp.select(*others).from_(source.copy())
    for one in field.expressions:
        value = one.unalias()
        told_as = exp.Literal.string(value.name)
        is_it = exp.EQ(this=exp.cast(exp.column(field.this.name), "text"), expression=told_as)
        chosen = exp.Case(ifs=[exp.If(this=is_it, true=summed.copy())])
        total = told.unalias().copy()
        total.set("this", chosen)
        query = query.select(exp.alias_(total, one.alias_or_name, quoted=True))
    return query.group_by(*(other.copy() for other in others)) if others else query


def _unpivoted(source: Any, pivot: exp.Pivot, names: list[str]) -> exp.Select:
    field = pivot.args["fields"][0]
    value, name, listed = pivot.expressions[0].name, field.this.name, [one.name for one in field.expressions]
    kept = {one.lower() for one in listed}
    others = [exp.column(exp.to_identifier(other, quoted=True)) for other in names if other.lower() not in kept]
    rows = [exp.Tuple(expressions=[exp.Literal.string(one), exp.column(one)]) for one in listed]
    turned = exp.TableAlias(
        this=exp.to_identifier("manara_turned"),
        columns=[exp.to_identifier(name, quoted=True), exp.to_identifier(value, quoted=True)],
    )
    values = exp.Lateral(this=exp.Subquery(this=exp.Values(expressions=rows)), alias=turned)
    query = exp.select(*others, *(exp.column(each.copy(), table="manara_turned") for each in reversed(turned.columns)))
    query = query.from_(source.copy())
    query.set("joins", [exp.Join(this=values, kind="CROSS")])
    is_there = exp.column(exp.to_identifier(value, quoted=True), table="manara_turned").is_(exp.null()).not_()
    return query.where(is_there)


def _columns_of(source: Any, text: str, columns: Columns) -> list[str]:
    """Return the names of the columns of a table or sub-query."""
    if isinstance(source, exp.Table):
        found = list(columns(source))
    else:
        found = []
        for one in source.this.selects:
            inner = source.this.args.get("from_")
            if not one.is_star:
                found.append(one.alias_or_name)
            elif inner is not None and not source.this.args.get("joins"):
                found += _columns_of(inner.this, text, columns)
    if not found:
        refuse(text, "a PIVOT of what is no table; its columns can be named in a sub-query")
    return found
