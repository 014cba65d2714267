"""Short words for the SQL trees that the gate is built of."""

from sqlglot import exp

DUCKDB, POSTGRES = "duckdb", "postgres"


def sql(tree: exp.Expr, dialect: str = DUCKDB) -> str:
    """Return the statement as DuckDB reads it, or the warehouse. Comments of the contract's author stay out."""
    told = tree if dialect == DUCKDB else tree.transform(_place)
    return told.sql(dialect=dialect, comments=False)


def _place(node: exp.Expr) -> exp.Expr:
    """Return a place for a value in the spelling that every database here takes."""
    return exp.var(f"${node.name}") if isinstance(node, exp.Placeholder | exp.Parameter) else node


def quoted(name: str) -> exp.Column:
    """Return a column by its exact name."""
    return exp.column(name, quoted=True)


def literal(value: str) -> exp.Literal:
    """Return a text as a literal."""
    return exp.Literal.string(value)


def as_type(tree: exp.Expr, kind: str) -> exp.Expr:
    """Return a cast that fails where it cannot be done."""
    return exp.cast(tree, kind, dialect="duckdb")


def try_type(tree: exp.Expr, kind: str) -> exp.Expr:
    """Return a cast that gives NULL where it cannot be done."""
    return exp.TryCast(this=tree.copy(), to=exp.DataType.build(kind, dialect="duckdb"))


def equal(name: str, one: str, other: str) -> exp.Expr:
    """Return that two tables have the same value in a column."""
    return exp.column(name, table=one, quoted=True).eq(exp.column(name, table=other, quoted=True))


def aliased(name: str, alias: str) -> exp.Expr:
    """Return a table of the gate under another name."""
    return exp.alias_(exp.table_(name, quoted=True), alias, table=True)


def temporary(name: str, rows: exp.Query) -> exp.Expr:
    """Return the statement that makes a temporary table of rows; there is none of that name yet."""
    table = exp.table_(name, quoted=True)
    properties = exp.Properties(expressions=[exp.TemporaryProperty()])
    return exp.Create(this=table, kind="TABLE", properties=properties, expression=rows)


def view(name: str, rows: exp.Query) -> exp.Expr:
    """Return the statement that makes a temporary view of rows."""
    tree = temporary(name, rows)
    tree.set("kind", "VIEW")
    return tree


def attempt(tree: exp.Expr) -> exp.Expr:
    """Return a tree that gives the value in a box, and NULL instead of the box where computing it is an error."""
    entry = exp.PropertyEQ(this=exp.to_identifier("value"), expression=tree)
    return exp.Try(this=exp.Struct(expressions=[entry]))


def unboxed(box: exp.Expr) -> exp.Expr:
    """Return what is in the box of `attempt`."""
    return exp.Anonymous(this="struct_extract", expressions=[box, exp.Literal.string("value")])
