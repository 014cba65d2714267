"""Whole statements of T-SQL in the form that other databases have for them."""

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
