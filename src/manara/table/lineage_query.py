"""Where the columns of one query come from."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify_columns import qualify_columns
from sqlglot.optimizer.qualify_tables import qualify_tables
from sqlglot.optimizer.scope import Scope, build_scope, traverse_scope
from sqlglot.schema import MappingSchema

_USUAL = {"", "main", "dbo", "public"}
IDENTITY, TRANSFORMATION, AGGREGATION = 0, 1, 2

Found = dict[tuple[str, str], int]
"""Columns by (table, column), and how each takes part: as it is, computed from one row, or from several."""


class Unclear(Exception):
    """The columns of a query cannot be followed; the message says why."""


def name_of(table: exp.Table) -> str:
    """Return the name of a table, without a schema that is the usual one.

    >>> name_of(exp.to_table("dbo.Sales")), name_of(exp.to_table("mart.Sales"))
    ('Sales', 'mart.Sales')
    """
    name = ("#" if table.this.args.get("temporary") else "") + table.name
    return name if table.db.lower() in _USUAL | {"temp", "tempdb"} else f"{table.db}.{name}"


@dataclass(slots=True)
class _Made:
    """A table that lives as long as the script: the origins of its columns."""

    columns: dict[str, Found]
    inputs: tuple[str, ...]
    unclear: str


class Columns:
    """The columns of tables: of those that are there, and of those that the script itself makes."""

    def __init__(self, ask: Callable[[exp.Table], Mapping[str, str]]) -> None:
        self._ask = ask
        self._asked: dict[str, list[str]] = {}
        self._names: dict[str, str] = {}
        self.made: dict[str, _Made] = {}

    def of(self, table: exp.Expr) -> list[str]:
        """Return the names of the table's columns in order; nothing where they are not known."""
        if not isinstance(table, exp.Table):
            return []
        key = name_of(table).lower()
        if key in self.made:
            return list(self.made[key].columns)
        if key not in self._asked:
            bare = exp.Table(this=table.this.copy(), db=table.args.get("db"), catalog=table.args.get("catalog"))
            self._asked[key] = list(self._ask(bare))
            self._names[key] = name_of(table)
        return self._asked[key]

    def is_passing(self, table: exp.Table) -> bool:
        """Say whether the table is one that the script made for itself."""
        return name_of(table).lower() in self.made

    def define(self, table: exp.Table, names: Sequence[str]) -> None:
        """Note the columns of a table or view that stays."""
        if names:
            self._asked[name_of(table).lower()] = list(names)
            self._names[name_of(table).lower()] = name_of(table)

    def make(
        self, table: exp.Table, columns: Mapping[str, Sequence[Any]], inputs: Sequence[str], unclear: str, *, adds: bool
    ) -> None:
        """Note what a table of the script holds, beside what it held where it `adds`."""
        found: dict[str, Found] = {}
        for name, sources in columns.items():
            rank = {"IDENTITY": IDENTITY, "TRANSFORMATION": TRANSFORMATION, "AGGREGATION": AGGREGATION}
            found[name] = {(each.table.lower(), each.column.lower()): rank[each.how] for each in sources}
            for each in sources:
                self._names.setdefault(each.table.lower(), each.table)
        held = self.made.get(name_of(table).lower())
        if held and adds:
            for name, earlier in held.columns.items():
                mine = next((each for each in found if each.lower() == name.lower()), name)
                found[mine] = joined(earlier, found.get(mine, {}))
            inputs, unclear = (*held.inputs, *inputs), held.unclear or unclear
            found = {name: found[name] for name in (*held.columns, *(set(found) - set(held.columns)))}
        self.made[name_of(table).lower()] = _Made(found, tuple(dict.fromkeys(inputs)), unclear)

    def spelling(self, table: str, column: str) -> tuple[str, str]:
        """Return a table and column as they are spelt where they lie."""
        names = self._asked.get(table, ())
        return self._names.get(table, table), next((name for name in names if name.lower() == column), column)

    def through(self, tree: exp.Expr) -> tuple[str, ...]:
        """Return the tables that a tree reads, those of the script itself looked through."""
        local = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
        named: dict[str, None] = {}
        for table in tree.find_all(exp.Table):
            if not isinstance(table.this, exp.Identifier) or (not table.db and table.name.lower() in local):
                continue
            held = self.made.get(name_of(table).lower())
            named.update(dict.fromkeys(held.inputs if held else (name_of(table),)))
        return tuple(named)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A query whose columns all say which table they are of; `names` are its columns as they were written."""

    scope: Scope
    known: Columns
    tables: tuple[str, ...]
    names: tuple[str, ...] = field(default=())


def query_of(tree: exp.Expr, dialect: str, known: Columns) -> Query:
    """Return the query with each column's table found. Raises Unclear."""
    tables = known.through(tree)
    names = tuple(getattr(tree, "named_selects", ()))
    scope = qualified(tree, dialect, known)
    return Query(scope=scope, known=known, tables=tables, names=() if "*" in names else names)


def qualified(tree: exp.Expr, dialect: str, known: Columns, *, unique: bool = False) -> Scope:
    """Return the query in which each column says of which table it is; with `unique`, no alias comes twice.

    Raises Unclear.
    """
    flat, schema = _flat(tree.copy(), known)
    try:
        held = MappingSchema(schema, dialect=dialect, normalize=False)
        named = qualify_columns(qualify_tables(flat, dialect=dialect), held, allow_partial_qualification=True)
        scope = build_scope(_uniquely(named) if unique else named)
    except (SqlglotError, RecursionError) as error:
        raise Unclear(f"The query cannot be followed: {str(error).splitlines()[0][:100]}") from error
    if scope is None:
        raise Unclear("This is no query.")
    return scope


def _uniquely(tree: exp.Expr) -> exp.Expr:
    """Return the tree with other aliases, so that none comes twice: its parts can be put into each other."""
    edits: list[tuple[Any, str]] = []
    count = 0
    for scope in traverse_scope(tree):
        names: dict[str, str] = {}
        for name, (named, _) in scope.selected_sources.items():
            count += 1
            names[name] = f"t{count}"
            edits.append((named, names[name]))
        edits += [(column, names[column.table]) for column in scope.columns if column.table in names]
    for node, name in edits:
        if isinstance(node, exp.Column):
            node.set("table", exp.to_identifier(name))
            continue
        holder: Any = node if isinstance(node, exp.Table | exp.Subquery | exp.UDTF) else node.parent
        alias = holder.args.get("alias") if holder is not None else None
        if isinstance(alias, exp.TableAlias):
            alias.set("this", exp.to_identifier(name))
    return tree


def _flat(tree: exp.Expr, known: Columns) -> tuple[exp.Expr, dict[str, object]]:
    """Return the tree with the schema drawn into each table's name, as sqlglot wants all names equally deep.

    All names are in small letters: SQL tells capitals apart in quotes only, and here nowhere.
    """
    local = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    schema: dict[str, object] = {}
    for table in list(tree.find_all(exp.Table)):
        if not isinstance(table.this, exp.Identifier) or (not table.db and table.name.lower() in local):
            continue
        names, key = known.of(table), name_of(table).lower()
        if names:
            schema[key] = {name.lower(): "varchar" for name in names}
        if not table.alias:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name)))
        table.set("this", exp.to_identifier(key, quoted=True))
        table.set("db", None)
        table.set("catalog", None)
    for column in tree.find_all(exp.Column):
        column.set("db", None)
        column.set("catalog", None)
    for name in tree.find_all(exp.Identifier):
        name.set("this", name.name.lower())
    return tree, schema


def origins(query: Query) -> tuple[dict[str, Found], list[str]]:
    """Return where each column of the query comes from, by its name in order, and the names of those not followed.

    Raises Unclear where even the names are not known.
    """
    walk = _Walk(query.known)
    names = outputs(query.scope)
    found: dict[str, Found] = {}
    lost: list[str] = []
    for place, name in enumerate(names):
        try:
            found[name if name not in found else f"{name}_{place}"] = walk.output(query.scope, place)
        except Unclear:
            found[name] = {}
            lost.append(name)
    return found, lost


def outputs(scope: Scope) -> list[str]:
    """Return the names of a scope's columns. Raises Unclear where a star stands for columns that are not known."""
    tree = scope.expression
    if not isinstance(tree, exp.Query):
        raise Unclear("Rows of something that is no query are not followed.")
    names = [str(name) for name in tree.named_selects]
    if "*" in names or any(isinstance(one, exp.Star) or one.is_star for one in tree.selects):
        raise Unclear("A star stands for columns that are not known.")
    return names


class _Walk:
    """The way from the columns of a query down to those of tables."""

    def __init__(self, known: Columns) -> None:
        self._known = known
        self._seen: dict[tuple[int, int], Found | Unclear] = {}

    def output(self, scope: Scope, place: int) -> Found:
        """Return the origins of the column at a place of the scope."""
        key = (id(scope.expression), place)
        if key not in self._seen:
            self._seen[key] = {}  # a recursive CTE comes back here, and adds nothing to itself
            try:
                self._seen[key] = self._output(scope, place)
            except Unclear as error:
                self._seen[key] = error
        found = self._seen[key]
        if isinstance(found, Unclear):
            raise found
        return found

    def _output(self, scope: Scope, place: int) -> Found:
        tree = scope.expression
        if isinstance(tree, exp.SetOperation):
            found: Found = {}
            for branch in scope.set_operation_scopes:
                if len(outputs(branch)) <= place:
                    raise Unclear("The parts of a union differ in their columns.")
                found = joined(found, self.output(branch, place))
            return found
        if isinstance(tree, exp.Subquery):
            inner = next(iter(scope.subquery_scopes or scope.derived_table_scopes), None)
            if inner is None:
                raise Unclear("A query is empty.")
            return self.output(inner, place)
        if not isinstance(tree, exp.Select) or any(isinstance(one, exp.Pivot) for one in _pivots(tree)):
            raise Unclear("A pivot, or something else that is not followed.")
        return self.expression(scope, tree.selects[place].unalias())

    def expression(self, scope: Scope, tree: exp.Expr) -> Found:
        """Return the origins of a value."""
        found: Found = {}
        for column in columns_in(tree):
            found = joined(found, raised(self.column(scope, column), _how(column, tree)))
        for inner in _queries_in(tree):
            part = next((each for each in scope.subquery_scopes if each.expression is inner), None)
            if part is None:
                raise Unclear("A query inside an expression is not followed.")
            for place in range(len(outputs(part))):
                found = joined(found, raised(self.output(part, place), TRANSFORMATION))
        return found

    def column(self, scope: Scope, column: exp.Column) -> Found:
        """Return the origins of a column of one of the scope's sources, or of those around it."""
        source = source_of(scope, column.table)
        if source is None:
            if not column.table and isinstance(column.this, exp.Identifier) and _is_lambda(column):
                return {}
            raise Unclear(f"It is not known which table has the column '{column.name}'.")
        if isinstance(source, exp.Table):
            return self._of_table(source, column.name.lower())
        if isinstance(source.expression, exp.UDTF):
            return self._of_values(source, scope)
        names = [name.lower() for name in outputs(source)]
        if column.name.lower() not in names:
            raise Unclear(f"There is no column '{column.name}'.")
        return self.output(source, names.index(column.name.lower()))

    def _of_table(self, table: exp.Table, name: str) -> Found:
        if table.args.get("pivots") or not isinstance(table.this, exp.Identifier):
            raise Unclear("A pivot or a function stands in the place of a table.")
        held = self._known.made.get(table.name.lower())
        if held is None:
            return {(table.name.lower(), name): IDENTITY}
        found = next((each for column, each in held.columns.items() if column.lower() == name), None)
        if found is None or held.unclear:
            raise Unclear(held.unclear or f"There is no column '{name}'.")
        return found

    def _of_values(self, source: Scope, outer: Scope) -> Found:
        """Return the origins of rows that are made from values: unnested lists, VALUES."""
        found: Found = {}
        for column in columns_in(source.expression):
            found = joined(found, raised(self.column(outer, column), TRANSFORMATION))
        return found


def source_of(scope: Scope, name: str) -> Any:
    """Return the table or the scope that a name means: of the scope itself, or of one around it."""
    here: Scope | None = scope
    while here is not None:
        if name and name in here.sources:
            return here.sources[name]
        here = here.parent
    return None


def columns_in(tree: exp.Expr) -> Iterator[exp.Column]:
    """Yield the columns of a value, not those of queries inside it."""
    for node in tree.walk(prune=lambda one: isinstance(one, exp.Query)):
        if isinstance(node, exp.Column):
            yield node


def _queries_in(tree: exp.Expr) -> Iterator[exp.Expr]:
    """Yield the queries that stand inside a value."""
    for node in tree.walk(prune=lambda one: isinstance(one, exp.Query)):
        if isinstance(node, exp.Subquery):
            yield node.unnest()
        elif isinstance(node, exp.Query):
            yield node


def _how(column: exp.Column, value: exp.Expr) -> int:
    """Return how a column takes part in a value: as it is, in one row, or over several."""
    if column is value or _is_one_of_equals(value):
        return IDENTITY
    node: exp.Expr | None = column
    while node is not None:
        if isinstance(node, exp.AggFunc | exp.Window | exp.Filter):
            return AGGREGATION
        node = node.parent if node is not value else None
    return TRANSFORMATION


def _is_one_of_equals(value: exp.Expr) -> bool:
    """Say whether a value is the first of several columns of one name, as a join with USING makes it."""
    parts = [value.this, *value.expressions] if isinstance(value, exp.Coalesce) else []
    return bool(parts) and all(isinstance(one, exp.Column) for one in parts) and len({one.name for one in parts}) == 1


def _is_lambda(column: exp.Column) -> bool:
    around = column.find_ancestor(exp.Lambda)
    return around is not None and column.name in {each.name for each in around.expressions}


def _pivots(tree: exp.Select) -> Iterator[exp.Expr]:
    for part in (tree.args.get("from_"), *(tree.args.get("joins") or ())):
        if part is not None and isinstance(part.this, exp.Expression):
            yield from part.this.args.get("pivots") or ()


def raised(found: Found, how: int) -> Found:
    """Return the origins as they take part in a value of that kind."""
    return {key: max(held, how) for key, held in found.items()}


def joined(one: Found, other: Found) -> Found:
    """Return the origins of both; the farther way of a column that is in both."""
    return {key: max(one.get(key, 0), other.get(key, 0)) for key in (*one, *(key for key in other if key not in one))}
