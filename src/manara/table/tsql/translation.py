"""T-SQL statements in the words of the database that stands in for SQL Server, with the same meaning or an error."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlglot import exp
from sqlglot.errors import ErrorLevel, UnsupportedError

from manara.table.tsql.catalog import object_id, with_catalog
from manara.table.tsql.changes import changed
from manara.table.tsql.convert import as_text, from_text, hash_as_text, is_text, style_of, with_styles
from manara.table.tsql.dates import added, begun, between, day_of, in_zone, moment_of, name_of_part, part_of
from manara.table.tsql.differs import refuse_what_differs
from manara.table.tsql.for_json import with_for
from manara.table.tsql.formats import formatted
from manara.table.tsql.functions import function, stuffed
from manara.table.tsql.json_functions import with_json
from manara.table.tsql.names import by_its_table, spelt, temporary_name
from manara.table.tsql.output import plain_returning
from manara.table.tsql.parts import refuse
from manara.table.tsql.pattern import as_regex, has_brackets
from manara.table.tsql.pivot import with_pivots
from manara.table.tsql.sorts import Types, sort_of
from manara.table.tsql.statements import applied, collated, plain_key, say_recursive, unqualified
from manara.table.tsql.texts import read, with_days
from manara.table.tsql.top import with_tops
from manara.table.tsql.whole_numbers import cut, not_by_nothing, rounded, stored, with_bits


class Catalog(Protocol):
    """What has to be known of the tables that are there: a database, or a transaction."""

    def columns(self, table: exp.Table) -> dict[str, str]:
        """Return the table's columns in order, with their types in the database's SQL; nothing where there is none."""


_AS_NUMBERS = {"int": "bigint", "float": "decimal(38, 10)"}
_HASHES = (exp.MD5, exp.MD5Digest, exp.SHA, exp.SHA2)
_NOW = {"GETUTCDATE", "SYSDATETIME", "SYSUTCDATETIME"}


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a batch knows where a statement stands.

    `values` are the variables, `kinds` the types that they were declared with (both by names in small letters),
    `changed` is what @@ROWCOUNT says, and `moment` what GETDATE() says, in UTC.
    """

    values: Mapping[str, Any]
    kinds: Mapping[str, exp.DataType]
    changed: int
    moment: datetime


def translated(tree: exp.Expression, text: str, to: str, catalog: Catalog, state: State) -> str:
    """Return the statement in the words of the dialect `to`; its variables stay as `$name`.

    `catalog` tells the columns of the tables. Raises WrongDefinition for what would not mean the same there.
    """
    return _Translation(text, to, catalog, state).of(tree)


class _Translation:
    def __init__(self, text: str, to: str, catalog: Catalog, state: State) -> None:
        self._text, self._to, self._catalog, self._kinds = text, to, catalog, state.kinds
        self._changed, self._moment, values = state.changed, state.moment, state.values
        self._found: dict[str, dict[str, str]] = {}
        self._values = {name.lower(): value for name, value in values.items()}
        self._types = Types({}, {})

    def of(self, tree: exp.Expression) -> str:
        tree = with_for(tree.copy(), self._text, self._to, self._columns_by_name)
        tree = with_pivots(tree, self._text, self._columns_by_name)
        tree = collated(applied(with_json(tree, self._to)))
        tree = with_styles(tree, self._kinds, self._text)
        refuse_what_differs(tree, self._text, self._to)
        say_recursive(tree)
        tree = with_tops(changed(tree, self._text, self._to), self._text, self._to)
        known = self._known(tree)
        self._types = Types(known, self._values)
        aliases = {
            node.alias.lower(): "date" if self._types.is_day(node.this) else self._types.of(node.this)
            for node in tree.find_all(exp.Alias)
        }
        self._types = Types({**aliases, **known}, self._values)
        if self._to != "sqlite":
            with_days(tree, self._types)
        with_bits(tree, self._types, self._to)
        stored(tree, self._types, self._to, self._columns_by_name)
        tree = self._changed_tree(tree)
        if self._to == "postgres":
            tree = spelt(tree, self._columns)
        tree = with_catalog(tree, self._to)
        for query in tree.find_all(exp.Query):
            query.set("options", None)  # OPTION says how SQL Server is to work, and not what comes out
        try:
            return tree.sql(self._to, unsupported_level=ErrorLevel.RAISE, identify=True)
        except UnsupportedError as error:
            refuse(self._text, f"what has no counterpart ({' '.join(str(error).split())[:120]})")

    def _known(self, tree: exp.Expression) -> dict[str, str]:
        """Return the types of all columns of the tables that the statement names; of two meanings, none."""
        known: dict[str, str] = {}
        for table in tree.find_all(exp.Table):
            for name, kind in self._columns(self._called(table.copy())).items() if table.name else ():
                folded = name.lower()
                known[folded] = kind if known.get(folded, kind) == kind else ""
        return known

    def _changed_tree(self, tree: exp.Expression) -> exp.Expression:
        """Return the tree with every node changed, from the leaves to the root."""
        nodes: list[Any] = list(tree.walk(bfs=True))
        for node in reversed(nodes):
            changed = self._node(node)
            if changed is not node:
                if node is tree:
                    tree = changed
                else:
                    node.replace(changed)
        return tree

    def _columns_by_name(self, table: exp.Table) -> Mapping[str, str]:
        return self._columns(self._called(table.copy()))

    def _columns(self, table: exp.Table) -> dict[str, str]:
        """Return the columns of a table as it is called there."""
        bare = exp.Table(this=table.this.copy(), db=table.args["db"].copy() if table.args.get("db") else None)
        key = bare.sql(self._to)
        if key not in self._found:
            self._found[key] = self._catalog.columns(bare) if isinstance(table.this, exp.Identifier) else {}
        return self._found[key]

    def _called(self, table: exp.Table) -> exp.Table:
        """Return the table by the name that it has there: PostgreSQL tells capitals apart, and SQL Server does not."""
        table = local(table)
        if isinstance(table.this, exp.Identifier) and table.db != "information_schema":
            table.this.set("quoted", True)
            if table.args.get("db"):
                table.args["db"].set("quoted", True)
        names = getattr(self._catalog, "tables", None)
        if self._to == "postgres" and names and isinstance(table.this, exp.Identifier) and not self._columns(table):
            if table.db != table.db.lower() and not names(table.db) and names(table.db.lower()):
                table.set("db", exp.to_identifier(table.db.lower(), quoted=True))
            same = [name for name in names(table.db) if name.lower() == table.name.lower()]
            if len(same) == 1:
                table.set("this", exp.to_identifier(same[0], quoted=True))
        return table

    def _node(self, node: exp.Expression) -> exp.Expression:
        for kind, change in self._changes():
            if isinstance(node, kind):
                return change(node)
        return node

    def _changes(self) -> tuple[tuple[Any, Callable[[Any], exp.Expression]], ...]:
        return (
            (exp.Table, self._called),
            (exp.Column, by_its_table),
            (exp.Parameter, self._variable),
            (exp.Convert, self._converted),
            (exp.Update, unqualified),
            (exp.PrimaryKey, plain_key),
            (exp.Returning, plain_returning),
            (exp.Escape, self._escaped),
            (exp.Like, self._like),
            (exp.CurrentTimestamp, self._now),
            (exp.ObjectId, self._object),
            (exp.Anonymous, self._function),
            (exp.Collate, lambda node: node.this),
            (exp.Add, self._plus),
            (exp.Sub, self._minus),
            (exp.CurrentSchema, lambda node: node.this or exp.Literal.string("dbo")),
            (exp.Div, self._divided),
            (exp.Avg, self._average),
            ((exp.Cast, exp.TryCast), self._cast),
            (exp.Extract, lambda node: part_of(node, self._types, self._to)),
            (exp.Round, self._round),
            (exp.Pow, self._power),
            ((exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE), self._compared),
            (exp.In, self._one_of),
            (exp.AtTimeZone, in_zone),
            ((exp.TimestampTrunc, exp.DateTrunc), lambda node: begun(node, self._types, self._to, self._text)),
            (exp.SHA2, self._hashed),
            ((exp.Concat, exp.ConcatWs), self._texts_together),
            (exp.Substring, self._part_of_text),
            (exp.Stuff, lambda node: stuffed(node, self._to)),
            (exp.DateFromParts, day_of),
            ((exp.TimestampFromParts, exp.TimeFromParts), lambda node: moment_of(node, self._to)),
            (exp.DataType, self._type),
            (exp.DateDiff, lambda node: between(node, self._to, self._text)),
            (exp.Length, lambda node: exp.Length(this=exp.func("rtrim", node.this)) if node.this else node),
            (exp.DateAdd, lambda node: added(node, self._types)),
            (exp.ColumnDef, self._column),
            (exp.Create, self._create),
            (exp.Log, self._log),
        )

    def _variable(self, node: exp.Parameter) -> exp.Expression:
        if isinstance(node.this, exp.Literal):
            return node.this
        if isinstance(node.parent, exp.Parameter):
            if self._changed < 0:
                refuse(self._text, "@@ROWCOUNT of a query whose rows are given away")
            return exp.Literal.number(self._changed)
        name = node.name
        if name.lower() not in self._values:
            refuse(self._text, f"the variable @{name}, which nothing declares")
        value = self._values[name.lower()]
        if isinstance(value, str) and self._to == "duckdb":  # it takes a literal for any type, as SQL Server does
            return exp.Literal.string(value)
        placed = exp.Var(this=f"${name.lower()}")
        kind = self._kinds.get(name.lower())
        if self._to == "postgres" and kind is not None and (value is None or isinstance(value, str)):
            return exp.Cast(this=placed, to=self._type(kind.copy()))  # it wants to know the type of what has none
        return placed

    def _now(self, node: exp.Expression) -> exp.Expression:
        """Return the moment of the statement: a transaction has one of its own, in which time stands still.

        What a table or view is defined with asks for the time anew.
        """
        kind = exp.DataType.build("text" if self._to == "sqlite" else "timestamp", dialect=self._to)
        if not node.find_ancestor(exp.Create, exp.Alter):
            told = self._moment.replace(tzinfo=None).isoformat(" ")
            return exp.Cast(this=exp.Literal.string(told), to=kind)
        if self._to == "sqlite":
            return exp.Anonymous(this="datetime", expressions=[exp.Literal.string("now")])
        aware = exp.AtTimeZone(this=exp.CurrentTimestamp(), zone=exp.Literal.string("UTC"))
        return exp.Cast(this=aware, to=kind)

    def _function(self, node: exp.Anonymous) -> exp.Expression:
        name = node.name.upper()
        if name in _NOW:
            return self._now(node)
        if name == "FORMAT":
            return formatted(node, self._to, self._text, self._types)
        if name == "DATENAME":
            return name_of_part(node, self._types, self._to, self._text)
        known = function(node, self._to, self._text, self._columns_by_name)
        return node if known is node else self._changed_tree(known)

    def _object(self, node: exp.ObjectId) -> exp.Expression:
        """Return 1 for a table that is there, and NULL for one that is not."""
        told, sort = node.this, node.expression
        kind = sort.name.upper() if sort is not None else "U"
        if not isinstance(told, exp.Literal) or kind not in {"U", "V"}:
            refuse(self._text, "OBJECT_ID of something else than a table")
        name = re.sub(r"^tempdb\.\.", "", told.name, flags=re.I)
        others = node.parent.find_all(exp.Column) if isinstance(node.parent, exp.EQ) else ()
        if any(one.name.lower() == "object_id" for one in others):
            return object_id(name)
        return exp.Literal.number(1) if self._columns(self._called(exp.to_table(name, dialect="tsql"))) else exp.null()

    def _plus(self, node: exp.Add) -> exp.Expression:
        left, right = self._types.of(node.this), self._types.of(node.expression)
        if "text" not in {left, right} or {left, right} & {"int", "float"}:
            return self._minus(node)
        return exp.DPipe(this=node.this, expression=node.expression)

    def _minus(self, node: exp.Add | exp.Sub) -> exp.Expression:
        """Return a sum or a difference of a time and a number with the number as days."""
        sorts = (self._types.of(node.this), self._types.of(node.expression))
        if sorts == ("time", "int") and isinstance(node.expression, exp.Literal) and self._to != "sqlite":
            days = exp.Interval(this=exp.Literal.string(node.expression.name), unit=exp.Var(this="DAY"))
            node.set("expression", days)
        elif sorts in {("time", "int"), ("time", "float"), ("int", "time"), ("float", "time")}:
            refuse(self._text, "a number added to a time or taken from it; DATEADD can be translated")
        return node

    def _divided(self, node: exp.Div) -> exp.Expression:
        """Return a division of whole numbers that gives a whole number, as in SQL Server."""
        if self._to != "duckdb":
            return node
        left, right = self._types.of(node.this), self._types.of(node.expression)
        if "float" in {left, right}:
            return not_by_nothing(node)
        if not left == right == "int":
            what = f"the division {node.sql('tsql')}, of which it is not certain whether it is one of whole numbers"
            refuse(self._text, what)
        return _whole(not_by_nothing(node))

    def _converted(self, node: exp.Convert) -> exp.Expression:
        """Return a CONVERT with its style as a cast: one that fails where SQL Server's does."""
        kind, value, style = self._type(node.this.copy()), node.expression, style_of(node)
        is_safe = bool(node.args.get("safe"))
        found: exp.Expression | None = value
        if style is None or not isinstance(kind, exp.DataType):
            found = None
        elif isinstance(value, _HASHES) and is_text(kind):
            found = hash_as_text(value, style)
        elif style >= 0 and is_text(kind):
            found = as_text(value, style, self._types, self._to)
        elif style > 0 and sort_of(kind.sql("tsql")) == "time":
            found = from_text(value, style, self._types, self._to, is_safe=is_safe)
        if found is None:
            told = node.args["style"].sql("tsql") if node.args.get("style") else "that is none"
            refuse(self._text, f"the style {told} of a CONVERT")
        return self._cast((exp.TryCast if is_safe else exp.Cast)(this=found, to=kind))

    def _average(self, node: exp.Avg) -> exp.Expression:
        kind = self._types.of(node.this)
        if kind == "int":
            return _whole(node)
        if not kind:
            refuse(self._text, f"{node.sql('tsql')}, of which it is not certain whether it is one of whole numbers")
        return node

    def _cast(self, given: exp.Cast) -> exp.Expression:
        """Return a cast that cuts a fraction off, and a text at its length: those of the others do not."""
        node = read(given, self._types, self._to, self._text)
        if not isinstance(node, exp.Cast):
            return node
        to = node.to
        if is_text(to):
            self._check_text(node.this, node)
        if to.this not in {exp.DataType.Type.VARCHAR, exp.DataType.Type.NVARCHAR}:
            return cut(node, self._types, self._to)
        if self._to == "postgres":
            return node
        length = to.expressions[0].name if to.expressions else "30"
        if not length.isdecimal() or isinstance(given.parent, exp.Left):
            return node
        plain = exp.Cast(this=node.this, to=exp.DataType.build("text", dialect=self._to))
        return exp.Left(this=plain, expression=exp.Literal.number(length))

    def _check_text(self, value: exp.Expression, within: exp.Expression) -> None:
        """Raise WrongDefinition for what SQL Server writes as nobody else does: moments, and binary numbers.

        Nobody sees what a text looks like of which only a hash is taken.
        """
        if within.find_ancestor(*_HASHES):
            return
        if self._types.of(value) == "time" and not self._types.is_day(value):
            refuse(self._text, "a moment as a text without a style; CONVERT with a style can be translated")
        if self._types.is_double(value):
            refuse(self._text, "a float as a text; a decimal can be translated")

    def _texts_together(self, node: exp.Concat) -> exp.Expression:
        for value in node.expressions:
            self._check_text(value, node)
        return node

    def _hashed(self, node: exp.SHA2) -> exp.Expression:
        """Return a hash of the letters in UTF-8, as DuckDB takes it; PostgreSQL wants bytes."""
        if self._to == "postgres":
            node.set("this", exp.Anonymous(this="convert_to", expressions=[node.this, exp.Literal.string("UTF8")]))
        return node

    def _compared(self, node: Any) -> Any:
        """Return a comparison of a number and a text with the text as a number, as SQL Server reads it."""
        if isinstance(node.parent, exp.Update):  # what it sets
            return node
        sorts = {side: self._types.of(node.args[side]) for side in ("this", "expression")}
        for side, other in (("this", "expression"), ("expression", "this")):
            if sorts[side] == "text" and sorts[other] in _AS_NUMBERS and not isinstance(node.args[side], exp.Literal):
                node.set(side, self._cast(exp.cast(node.args[side].copy(), _AS_NUMBERS[sorts[other]])))
        return node

    def _one_of(self, node: exp.In) -> exp.Expression:
        query = node.args.get("query")
        told = query.unnest().selects if query is not None else []
        kind = _AS_NUMBERS.get(self._types.of(node.this))
        if kind and len(told) == 1 and self._types.of(told[0].unalias()) == "text":
            told[0].replace(self._cast(exp.cast(told[0].unalias().copy(), kind)))
        return node

    def _power(self, node: exp.Pow) -> exp.Expression:
        """Return a power of a whole number as a whole number."""
        power = node.expression
        is_plain = isinstance(power, exp.Literal) and power.name.isdecimal()
        sort = self._types.of(node.this)
        if not sort and not is_plain:
            refuse(self._text, f"{node.sql('tsql')}, of which it is not certain whether it is one of whole numbers")
        return _whole(node) if sort == "int" and not is_plain else node

    def _part_of_text(self, node: exp.Substring) -> exp.Expression:
        if isinstance(node.args.get("start"), exp.Neg):
            refuse(self._text, "SUBSTRING from before the text")
        return node

    def _round(self, node: exp.Round) -> exp.Expression:
        found = rounded(node)
        if found is None:
            refuse(self._text, "a ROUND of which it is not certain whether it cuts")
        return found

    def _type(self, node: exp.DataType) -> exp.Expression:
        name = node.this.name if isinstance(node.this, exp.DataType.Type) else ""
        is_real = "REAL" in node.sql("tsql").upper()
        known = {
            **dict.fromkeys(("DATETIME", "DATETIME2", "SMALLDATETIME", "TIMESTAMP"), "timestamp"),
            **dict.fromkeys(("BIT", "BOOLEAN"), "smallint" if self._to == "postgres" else "boolean"),
            "UTINYINT": "smallint" if self._to == "postgres" else "",
            "FLOAT": "" if is_real else "double precision" if self._to == "postgres" else "double",
            "XML": "text",
            "MONEY": "decimal(19, 4)",
            "SMALLMONEY": "decimal(10, 4)",
        }.get(name, "")
        if node.this == exp.DataType.Type.USERDEFINED and "sysname" in node.sql("tsql").lower():
            known = "varchar(128)"
        if any(part.name.upper() == "MAX" for part in node.expressions):
            known = "text" if "BINARY" not in name else "bytea" if self._to == "postgres" else "blob"
        return exp.DataType.build(known, dialect=self._to) if known else node

    def _column(self, node: exp.ColumnDef) -> exp.Expression:
        """Return the column of a new table; a number that counts by itself needs a sequence in DuckDB."""
        kinds = [constraint.kind for constraint in node.args.get("constraints") or ()]
        counting = next((kind for kind in kinds if isinstance(kind, COUNTING)), None)
        if counting is None or self._to == "postgres":
            return node
        if self._to != "duckdb":
            refuse(self._text, "a column that counts by itself")
        create = node.find_ancestor(exp.Create)
        table = local(create.this.this.copy()) if create else exp.to_table("t")
        name = sequence_of(table.name, node.name)
        default = exp.DefaultColumnConstraint(this=exp.func("nextval", exp.Literal.string(f'"{name}"')))
        others = [one for one in node.args["constraints"] if one.kind is not counting]
        node.set("constraints", [*others, exp.ColumnConstraint(kind=default)])
        return node

    def _create(self, node: exp.Create) -> exp.Expression:
        """Return the statement without what says how SQL Server stores the table."""
        properties = node.args.get("properties")
        kept = [one for one in properties.expressions if isinstance(one, exp.TemporaryProperty)] if properties else []
        node.set("properties", exp.Properties(expressions=kept) if kept else None)
        schema = node.this
        is_named = isinstance(schema, exp.Schema) and isinstance(schema.this, exp.Table)
        if is_named and schema.this.name.startswith("#") and not kept:
            node.set("properties", exp.Properties(expressions=[exp.TemporaryProperty()]))
        if isinstance(schema, exp.Index):
            told = schema.args["params"]
            told.set("columns", [one.this if isinstance(one, exp.Ordered) else one for one in told.args["columns"]])
        return node

    def _like(self, node: exp.Like) -> exp.Expression:
        """Return a pattern with brackets as a regular expression; one with an escape is left to `_escaped`."""
        told = isinstance(node.expression, exp.Literal) and has_brackets(node.expression.name)
        return node if not told or isinstance(node.parent, exp.Escape) else self._matched(node, "")

    def _escaped(self, node: exp.Escape) -> exp.Expression:
        like = node.this
        told = isinstance(like, exp.Like) and isinstance(like.expression, exp.Literal)
        return self._matched(like, node.expression.name) if told and has_brackets(like.expression.name) else node

    def _matched(self, like: exp.Like, escape: str) -> exp.Expression:
        pattern = as_regex(like.expression.name, escape)
        if pattern is None:
            refuse(self._text, f"the pattern '{like.expression.name}', whose bracket is never closed")
        found = exp.RegexpLike(this=like.this, expression=exp.Literal.string(pattern))
        return exp.not_(found) if like.args.get("negate") else found

    def _log(self, node: exp.Log) -> exp.Expression:
        return exp.Ln(this=node.this) if node.this is not None and node.expression is None else node


COUNTING = (exp.GeneratedAsIdentityColumnConstraint, exp.AutoIncrementColumnConstraint)
"""IDENTITY with its first number and step, and without."""


def local(table: exp.Table) -> exp.Table:
    """Return the table without SQL Server's own schema, for which the database's own stands; `#t` keeps its sign."""
    if table.db.lower() == "dbo":
        table.set("db", None)
        table.set("catalog", None)
    if isinstance(table.this, exp.Identifier) and table.this.args.get("temporary"):
        table.set("this", temporary_name(table.this))
        table.set("db", None)
    if table.db.lower() == "information_schema":
        table.set("db", exp.to_identifier("information_schema"))
        table.set("this", exp.to_identifier(table.name.lower()))
    if table.args.get("hints"):
        table.set("hints", None)
    return table


def sequence_of(table: str, column: str) -> str:
    """Return the name of the sequence that numbers a column in DuckDB."""
    return f"manara_{table}_{column}".lower()


def sequences(tree: exp.Expression) -> list[tuple[str, str, str]]:
    """Return the sequences that a CREATE TABLE of T-SQL needs in DuckDB: name, first number, step."""
    found = []
    for column in tree.find_all(exp.ColumnDef) if isinstance(tree, exp.Create) else ():
        for constraint in column.args.get("constraints") or ():
            if isinstance(constraint.kind, COUNTING):
                told = constraint.kind.args
                first, step = (str(told[name].name) if told.get(name) else "1" for name in ("start", "increment"))
                table = local(tree.this.this.copy())
                found.append((sequence_of(table.name, column.name), first, step))
    return found


def _whole(node: exp.Expression) -> exp.Expression:
    return exp.Cast(this=exp.func("trunc", node.copy()), to=exp.DataType.build("bigint"))
