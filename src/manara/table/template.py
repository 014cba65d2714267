"""SQL from a template and trees: the template is ours, everything that a user named comes in as a tree of sqlglot."""

from collections.abc import Sequence

import sqlglot
from sqlglot import exp

Tree = exp.Expr | Sequence[exp.Expr]


def fill(template: str, **trees: Tree) -> exp.Expr:
    """Return the statement that the template gives with its places filled; a sequence is put in with commas.

    The template is DuckDB's SQL, and its `$name` stay places for values. Names come in quoted, so that nothing in them
    is read as SQL.

    >>> fill("select {a} from {t} where {a} = $value", a=name("a"), t=table("t")).sql("postgres")
    'SELECT "a" FROM "t" WHERE "a" = $value'
    """
    text = template.format_map({key: _text(tree) for key, tree in trees.items()})
    return sqlglot.parse_one(text, dialect="duckdb").transform(_place)


def _place(node: exp.Expr) -> exp.Expr:
    """Return a place for a value in the spelling that every database here takes."""
    return exp.var(f"${node.name}") if isinstance(node, exp.Placeholder | exp.Parameter) else node


def name(column: str, of: str = "") -> exp.Column:
    """Return a column by its name, of a table or alias where one is given."""
    return exp.column(column, table=of or None, quoted=True)


def table(named: str, schema: str = "") -> exp.Table:
    """Return a table by its name."""
    return exp.table_(named, db=schema or None, quoted=True)


def names(columns: Sequence[str], of: str = "") -> list[exp.Expr]:
    """Return columns by their names."""
    return [name(column, of) for column in columns]


def every(conditions: Sequence[exp.Expr]) -> exp.Expr:
    """Return whether all conditions hold; true where there is none."""
    return exp.and_(*conditions) if conditions else exp.true()


def same(columns: Sequence[str], one: str, other: str) -> exp.Expr:
    """Return whether two rows have equal values in the columns, null equal to null."""
    return every([exp.NullSafeEQ(this=name(column, one), expression=name(column, other)) for column in columns])


def equal(columns: Sequence[str], one: str, other: str) -> exp.Expr:
    """Return whether two rows have equal values in the columns, none of them null."""
    return every([name(column, one).eq(name(column, other)) for column in columns])


def _text(tree: Tree) -> str:
    if isinstance(tree, exp.Connector):
        return f"({tree.sql('duckdb')})"
    if isinstance(tree, exp.Expr):
        return tree.sql("duckdb")
    return ", ".join(each.sql("duckdb") for each in tree)
