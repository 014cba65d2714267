"""Names of T-SQL in PostgreSQL, which tells capitals apart where SQL Server does not."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlglot import exp


def spelt(tree: exp.Expression, columns: Callable[[exp.Table], Mapping[str, str]]) -> exp.Expression:
    """Return a statement with every name quoted as the database has it; `columns` tells those of its tables."""
    names: dict[str, str] = {}
    of: dict[str, dict[str, str]] = {}
    for table in tree.find_all(exp.Table):
        own = {name.lower(): name for name in columns(table)} if table.name else {}
        of[table.alias_or_name.lower()] = own
        names = {**own, **names}
    for query in tree.find_all(exp.Subquery):
        if query.alias:
            of[query.alias.lower()] = dict(_names(query, of))
    for node in tree.find_all(exp.Identifier):
        parent = node.parent
        if isinstance(parent, exp.Table):
            node.set("quoted", True)
            continue
        names.setdefault(node.name.lower(), node.name)
        known = _in_scope(parent, of) or names[node.name.lower()]
        if known != node.name and isinstance(parent, exp.Column) and isinstance(parent.parent, exp.Select):
            parent.replace(exp.alias_(parent.copy(), node.name, quoted=True))
            continue
        if not isinstance(parent, exp.Alias):
            node.set("this", known)
        node.set("quoted", True)
    for column in tree.find_all(exp.Column):
        if isinstance(column.this, exp.Identifier):
            known = of.get(column.table.lower(), {}).get(column.name.lower()) or _in_scope(column, of)
            column.this.set("this", known or names.get(column.name.lower(), column.name))
            column.this.set("quoted", True)
    return tree


def _in_scope(node: Any, of: Mapping[str, Mapping[str, str]]) -> str:
    """Return the name that a column without a table has in the tables of its own query; nothing where it is in none."""
    query = node.find_ancestor(exp.Select) if isinstance(node, exp.Column) and not node.table else None
    if query is None or query.args.get("from_") is None:
        return ""
    tables = [query.args["from_"].this, *(join.this for join in query.args.get("joins") or ())]
    found = (_names(table, of).get(node.name.lower()) for table in tables)
    return next((name for name in found if name), "")


def _names(source: Any, of: Mapping[str, Mapping[str, str]]) -> Mapping[str, str]:
    """Return the columns of a table or sub-query in a FROM, by their names in small letters."""
    inner = source.this if isinstance(source, exp.Lateral) else source
    if isinstance(inner, exp.Subquery):
        return {name.lower(): name for name in inner.named_selects}
    return of.get(source.alias_or_name.lower(), {})
