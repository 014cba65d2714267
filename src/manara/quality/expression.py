"""SQL expressions that a contract holds, read as trees and kept from doing more than computing a value."""

import re
from collections.abc import Iterator

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from manara.errors import WrongDefinition

_ADVICE = "Write one DuckDB expression over the columns, with sub-queries in parentheses."
_PLAIN_NAME = re.compile(r"[^\W\d]\w*")
_TABLE_FUNCTIONS = {"unnest", "range", "generate_series"}
_REFUSED_FUNCTIONS = {"getenv", "current_setting", "query", "query_table", "glob", "sniff_csv", "setseed", "nextval"}
_REFUSED_PREFIXES = ("read_", "parquet_", "pragma_", "duckdb_", "write_", "copy_", "sqlite_", "postgres_", "mysql_")
_VALUES = (exp.Condition, exp.Subquery, exp.AtTimeZone, exp.Interval)
_STATEMENTS = (exp.DML, exp.Create, exp.Command, exp.Copy, exp.Attach, exp.Detach, exp.Drop, exp.Set, exp.Into)


def read_expression(text: str) -> exp.Expr:
    """Return the tree of one SQL expression (DuckDB's dialect).

    Raises WrongDefinition for what is no expression (a statement, several of them, a bare SELECT, an alias, a star),
    for an aggregate or a window over the rows of the gate, and for functions and tables that read files or settings.
    """
    tree = _parsed(text)
    if isinstance(tree, exp.Alias | exp.Star | exp.Tuple):
        raise WrongDefinition(f"'{text}' does not give one value.", advice=_ADVICE)
    if not isinstance(tree, _VALUES):
        raise WrongDefinition(f"'{text}' is a statement, not an expression.", advice=_ADVICE)
    for node in tree.walk():
        _refuse_statement(node, text)
        _refuse_function(node, text)
        _refuse_file(node, text)
        _refuse_aggregate(node, text)
    return tree


def columns_of(tree: exp.Expr) -> list[str]:
    """Return the columns that the expression takes from its own row, in order, each once.

    Columns inside sub-queries are left out: whose they are is only known to the database.
    """
    found = (column.name for column in tree.find_all(exp.Column, bfs=False) if not _is_nested(column))
    return list(dict.fromkeys(found))


def tables_of(tree: exp.Expr) -> list[exp.Table]:
    """Return the tables that the expression's sub-queries read; names made by WITH are left out."""
    local = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    named = (table for table in tree.find_all(exp.Table) if isinstance(table.this, exp.Identifier))
    return [table for table in named if table.name.lower() not in local]


def has_query(tree: exp.Expr) -> bool:
    """Return whether the expression holds a sub-query (DuckDB's TRY cannot stand around one)."""
    return tree.find(exp.Query) is not None


def _parsed(text: str) -> exp.Expr:
    try:
        trees = [tree for tree in sqlglot.parse(text, dialect="duckdb") if tree is not None]
    except SqlglotError as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise WrongDefinition(f"'{text}' is not SQL: {_plain(reason)}.", advice=_ADVICE) from error
    if len(trees) != 1:
        count = "nothing" if not trees else f"{len(trees)} statements"
        raise WrongDefinition(f"'{text}' holds {count}, not one expression.", advice=_ADVICE)
    return trees[0]


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def _refuse_statement(node: exp.Expr, text: str) -> None:
    if isinstance(node, _STATEMENTS):
        raise WrongDefinition(f"'{text}' changes something, an expression must not.", advice=_ADVICE)


def _refuse_function(node: exp.Expr, text: str) -> None:
    for name in _function_names(node):
        if name in _REFUSED_FUNCTIONS or name.startswith(_REFUSED_PREFIXES):
            raise WrongDefinition(
                f"'{text}' calls {name}, which reads files or settings.",
                advice="A contract may use the row's columns, tables of the warehouse and macros.",
            )


def _function_names(node: exp.Expr) -> Iterator[str]:
    if isinstance(node, exp.Anonymous):
        yield str(node.name).lower()
    elif isinstance(node, exp.Func):
        yield from (name.lower() for name in type(node).sql_names())


def _refuse_file(node: exp.Expr, text: str) -> None:
    if not isinstance(node, exp.Table):
        return
    if not isinstance(node.this, exp.Identifier):
        names = set(_function_names(node.this))
        if names & _TABLE_FUNCTIONS:
            return
        raise WrongDefinition(
            f"'{text}' reads from the function {', '.join(sorted(names)) or node.this.key}.",
            advice="Only tables of the warehouse can be read in a contract.",
        )
    if not all(_PLAIN_NAME.fullmatch(part.name) for part in node.parts):
        raise WrongDefinition(
            f"'{text}' reads from '{node.name}', which is no plain table name.",
            advice="Only tables of the warehouse can be read in a contract, not files.",
        )


def _refuse_aggregate(node: exp.Expr, text: str) -> None:
    if isinstance(node, exp.AggFunc | exp.Window) and not _is_nested(node):
        raise WrongDefinition(
            f"'{text}' looks at many rows at once, an expression sees one row.",
            advice="Put an aggregate over a warehouse table into a sub-query in parentheses.",
        )


def _is_nested(node: exp.Expr) -> bool:
    return node.find_ancestor(exp.Query) is not None
