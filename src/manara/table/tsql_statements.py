"""Whole statements of T-SQL in the form that other databases have for them."""

from sqlglot import exp

from manara.table.tsql_parts import refuse


def joined(tree: exp.Expression, text: str) -> exp.Expression:  # noqa: C901 # the forms of one clause
    """Return an UPDATE or DELETE whose FROM names the table itself as one that names only the others."""
    if isinstance(tree, exp.Update):
        for one in tree.expressions:
            if isinstance(one, exp.EQ) and isinstance(one.this, exp.Column):
                one.this.set("table", None)
                one.this.set("db", None)
    source = tree.args.get("from_")
    is_delete = isinstance(tree, exp.Delete)
    if is_delete and tree.args.get("tables"):
        target_name, source_table = tree.args["tables"][0].alias_or_name, tree.this
    elif isinstance(tree, exp.Update) and source is not None:
        target_name, source_table = tree.this.alias_or_name, source.this
    else:
        return tree
    joins = list(source_table.args.get("joins") or ()) + list(tree.args.get("joins") or ())
    if source_table.alias_or_name.lower() != target_name.lower():
        if any(join.this.alias_or_name.lower() == target_name.lower() for join in joins):
            refuse(text, "a change of a table that its FROM names second; name it first")
        return tree
    if any(join.side or join.kind not in {"", "INNER"} for join in joins):
        refuse(text, "a change of a table that is joined by another join than INNER")
    target = source_table.copy()
    target.set("joins", None)
    conditions = [join.args["on"].copy() for join in joins if join.args.get("on")]
    where = tree.args.get("where")
    conditions += [where.this.copy()] if where else []
    others = [join.this.copy() for join in joins]
    tree.set("this", target)
    tree.set("joins", None)
    tree.set("where", exp.Where(this=exp.and_(*conditions)) if conditions else None)
    if is_delete:
        tree.set("tables", None)
        tree.set("using", others or None)
        return tree
    tree.set("from_", None)
    if others:
        first, *rest = others
        first.set("joins", [exp.Join(this=one, kind="CROSS") for one in rest] or None)
        tree.set("from_", exp.From(this=first))
    return tree


def unqualified(node: exp.Update) -> exp.Update:
    """Return the update with the plain names of the columns that it sets."""
    for one in node.expressions:
        if isinstance(one, exp.EQ) and isinstance(one.this, exp.Column):
            one.this.set("table", None)
    return node


def plain_constraint(node: exp.Expression) -> exp.Expression:
    """Return a table's constraint without CLUSTERED and the order of its columns."""
    keys = node.find(exp.ClusteredColumnConstraint, exp.NonClusteredColumnConstraint)
    if keys is None or not node.find(exp.PrimaryKeyColumnConstraint, exp.PrimaryKey):
        return node
    names = [one.this if isinstance(one, exp.Ordered) else one for one in keys.this or keys.expressions]
    plain = [exp.to_identifier(name.name, quoted=True) for name in names]
    return exp.PrimaryKey(expressions=plain)


def say_recursive(tree: exp.Expression) -> None:
    """Say of a WITH that names itself that it does: T-SQL has no word for that."""
    for one in tree.find_all(exp.CTE):
        inside = one.this.find_all(exp.Table)
        if isinstance(one.parent, exp.With) and any(
            not table.db and table.name.lower() == one.alias.lower() for table in inside
        ):
            one.parent.set("recursive", True)
