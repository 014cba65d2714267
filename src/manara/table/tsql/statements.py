"""Whole statements of T-SQL in the form that other databases have for them."""

from typing import Any

from sqlglot import exp


def unqualified(node: exp.Update) -> exp.Update:
    """Return the update with the plain names of the columns that it sets."""
    for one in node.expressions:
        if isinstance(one, exp.EQ) and isinstance(one.this, exp.Column):
            one.this.set("table", None)
    return node


def plain_key(node: exp.PrimaryKey) -> exp.PrimaryKey:
    """Return a primary key without the order of its columns."""
    node.set("expressions", [one.this if isinstance(one, exp.Ordered) else one for one in node.expressions])
    return node


def say_recursive(tree: exp.Expression) -> None:
    """Say of a WITH that names itself that it does: T-SQL has no word for that."""
    for one in tree.find_all(exp.CTE):
        inside = one.this.find_all(exp.Table)
        if isinstance(one.parent, exp.With) and any(
            not table.db and table.name.lower() == one.alias.lower() for table in inside
        ):
            one.parent.set("recursive", True)


def applied(tree: exp.Expression) -> exp.Expression:
    """Return the tree with CROSS APPLY and OUTER APPLY as the joins that others have for them."""
    for join in tree.find_all(exp.Join):
        lateral = join.this
        if isinstance(lateral, exp.Lateral) and lateral.args.get("cross_apply") is not None:
            is_outer = not lateral.args["cross_apply"]
            join.set("kind", None if is_outer else "CROSS")
            join.set("side", "LEFT" if is_outer else None)
            join.set("on", exp.true() if is_outer else None)
            lateral.set("cross_apply", None)
    return tree


def collated(tree: exp.Expression) -> exp.Expression:
    """Return the tree with small letters compared where a collation has no regard to case; no column keeps its own.

    Those that have no regard to accents either are left as they are.
    """
    for node in list(tree.find_all(exp.Collate)):
        name = node.expression.name.upper()
        place: Any = node.parent
        if "_CI" not in name or "_AI" in name or (isinstance(place, exp.In) and place.args.get("query")):
            continue
        if isinstance(place, exp.Predicate):
            sides: list[Any] = list(place.iter_expressions())
            for side in sides:
                if side is not node:
                    side.replace(exp.Lower(this=side.copy()))
        is_compared = isinstance(place, exp.Predicate | exp.Ordered)
        node.replace(exp.Lower(this=node.this) if is_compared else node.this)
    for column in list(tree.find_all(exp.ColumnDef)):
        kept = [
            one for one in column.args.get("constraints") or () if not isinstance(one.kind, exp.CollateColumnConstraint)
        ]
        column.set("constraints", kept)
    return tree
