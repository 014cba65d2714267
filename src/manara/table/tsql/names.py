"""Names of T-SQL in PostgreSQL, which tells capitals apart where SQL Server does not."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlglot import exp


def spelt(tree: exp.Expression, columns: Callable[[exp.Table], Mapping[str, str]]) -> exp.Expression:
    """Return a statement with every name quoted as the database has it; `columns` tells those of its tables."""
    made = {each.alias.lower(): _made(each) for each in tree.find_all(exp.CTE)}
    sources = _sources(tree, made)
    names: dict[str, str] = {}
    of: dict[str, Mapping[str, str]] = {}
    for table in tree.find_all(exp.Table):
        is_made = not table.db and table.name.lower() in made
        own = {name.lower(): name for name in columns(table)} if table.name and not is_made else {}
        of[table.alias_or_name.lower()] = made[table.name.lower()] if is_made else own
        names = {**own, **names}
    for query in tree.find_all(exp.Subquery, exp.Lateral):
        if query.alias:
            of[query.alias.lower()] = dict(_names(query, of))
    for node in tree.find_all(exp.Identifier):
        if _names_source(node, made):
            node.set("this", sources.get(node.name.lower(), node.name))
        elif not isinstance(node.parent, exp.Table) and not _is_given(node):
            _spell(node, names, of)
        node.set("quoted", True)
    for column in tree.find_all(exp.Column):
        if isinstance(column.this, exp.Identifier):
            known = of.get(column.table.lower(), {}).get(column.name.lower()) or _in_scope(column, of)
            column.this.set("this", known or names.get(column.name.lower(), column.name))
            column.this.set("quoted", True)
            if column.table:
                spelling = sources.get(column.table.lower(), column.table)
                column.set("table", exp.to_identifier(spelling, quoted=True))
    return tree


def by_its_table(node: exp.Column) -> exp.Column:
    """Return a column by the name of its table alone: a schema may be called otherwise there; `#t` keeps its sign."""
    table = node.args.get("table")
    if isinstance(table, exp.Identifier) and table.args.get("temporary"):
        node.set("table", temporary_name(table))
    if node.args.get("db"):
        return exp.Column(this=node.this, table=node.args["table"])
    return node


def temporary_name(name: exp.Identifier) -> exp.Identifier:
    """Return the name that a temporary table has on a stand-in."""
    return exp.to_identifier(f"#{name.name.lower()}", quoted=True)


def _spell(node: exp.Identifier, names: dict[str, str], of: Mapping[str, Mapping[str, str]]) -> None:
    """Give an identifier the spelling of the database; a result keeps that of the statement."""
    parent = node.parent
    names.setdefault(node.name.lower(), node.name)
    known = _in_scope(parent, of) or names[node.name.lower()]
    if known != node.name and isinstance(parent, exp.Column) and isinstance(parent.parent, exp.Select | exp.Returning):
        parent.replace(exp.alias_(parent.copy(), node.name, quoted=True))
    elif not isinstance(parent, exp.Alias):
        node.set("this", known)


def _sources(tree: exp.Expression, made: Mapping[str, Any]) -> dict[str, str]:
    """Return how tables, and what else has rows, are spelt in the statement, by their names in small letters."""
    found = {each.alias.lower(): each.alias for each in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if not table.alias and table.name and table.name.lower() not in made:
            found[table.name.lower()] = table.name
    for alias in tree.find_all(exp.TableAlias):
        if alias.name:
            found.setdefault(alias.name.lower(), alias.name)
    return found


def _names_source(node: exp.Identifier, made: Mapping[str, Any]) -> bool:
    """Return whether an identifier is the name that a table or query has in this statement."""
    parent = node.parent
    if isinstance(parent, exp.Table):
        return node.arg_key == "this" and not parent.db and node.name.lower() in made
    return (isinstance(parent, exp.TableAlias) and node.arg_key == "this") or (
        isinstance(parent, exp.Column) and node.arg_key == "table"
    )


def _is_given(node: exp.Identifier) -> bool:
    """Return whether an identifier is a column that a WITH names itself."""
    return isinstance(node.parent, exp.TableAlias) and isinstance(node.parent.parent, exp.CTE)


def _made(query: exp.CTE) -> dict[str, str]:
    """Return the columns that a WITH gives its name to, by their names in small letters; nothing for a star."""
    listed = query.args["alias"].columns
    found = [column.name for column in listed] or query.this.named_selects
    return {} if "*" in found else {name.lower(): name for name in found}


def _in_scope(node: Any, of: Mapping[str, Mapping[str, str]]) -> str:
    """Return the name that a column without a table has in the tables of its own query; nothing where it is in none.

    A UNION is ordered by the names of its first query.
    """
    is_bare = isinstance(node, exp.Column) and not node.table
    query = node.find_ancestor(exp.Select, exp.SetOperation) if is_bare else None
    if isinstance(query, exp.SetOperation):
        return next((name for name in query.named_selects if name.lower() == node.name.lower()), "")
    if query is None or query.args.get("from_") is None:
        return ""
    tables = [query.args["from_"].this, *(join.this for join in query.args.get("joins") or ())]
    found = (_names(table, of).get(node.name.lower()) for table in tables)
    return next((name for name in found if name), "")


def _names(source: Any, of: Mapping[str, Mapping[str, str]]) -> Mapping[str, str]:
    """Return the columns of a table or sub-query in a FROM, by their names in small letters."""
    inner = source.this if isinstance(source, exp.Lateral) else source
    if source.alias_column_names:
        return {name.lower(): name for name in source.alias_column_names}
    if isinstance(inner, exp.Subquery):
        return {name.lower(): name for name in inner.named_selects}
    return of.get(source.alias_or_name.lower(), {})
