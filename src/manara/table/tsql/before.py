"""What an UPDATE or MERGE of T-SQL puts out of its rows: asked for before they change, when both states are known.

Source: OUTPUT and UPDATE in SQL Server's reference. `@v = a` is what the column was, `@v = a = 1` what it becomes.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from manara.table.tsql.assign import assign_from
from manara.table.tsql.changes import in_places, place_of, taken_apart, target_of
from manara.table.tsql.parts import refuse
from manara.table.tsql.sorts import kind_of

if TYPE_CHECKING:
    import pyarrow as pa

    from manara.table.tsql.program import Program

_NEW, _PLACE = "manara_new", "manara_place"
_BY_CHANCE = {"NEWID", "NEWSEQUENTIALID", "RAND"}


def is_asked_before(tree: exp.Expression) -> bool:
    """Return whether what a change puts out can be told before it only."""
    told = tree.args.get("returning")
    if told is None or not isinstance(tree, exp.Update | exp.Merge):
        return False
    return isinstance(tree, exp.Merge) or any(column.table.lower() == "deleted" for column in told.find_all(exp.Column))


def told_before(program: "Program", tree: Any, text: str) -> "pa.Table":
    """Return the rows that a change will put out, and take its OUTPUT from it."""
    told = tree.args["returning"].expressions
    tree.set("returning", None)
    change = _Update(program, tree, text) if isinstance(tree, exp.Update) else _Merge(program, tree, text)
    query = change.query([one for each in told for one in change.spread(each)])
    rows = program.rows_of(query, text)
    return change.settled(rows)


def sets_variables(tree: exp.Expression) -> bool:
    """Return whether an UPDATE gives variables their values too."""
    return isinstance(tree, exp.Update) and any(_variable(one) is not None for one in tree.expressions)


def set_variables(program: "Program", tree: Any, text: str) -> None:
    """Give the variables of an UPDATE what its last row says, and take them from it."""
    if tree.args.get("limit"):
        refuse(text, "an UPDATE with TOP that sets variables; OUTPUT can be translated")
    given: list[exp.Expression] = []
    kept: list[Any] = []
    for one in tree.expressions:
        variable = _variable(one)
        if variable is None:
            kept.append(one)
            continue
        value = one.expression
        if isinstance(value, exp.EQ):  # @v = a = 1
            kept.append(value)
            value = _Inserted(this=value.this.name)
        given.append(exp.EQ(this=variable.copy(), expression=value))
    names = {one.this.name.lower() for one in given}
    if any(node.name.lower() in names for one in [*kept, *given] for node in one.expression.find_all(exp.Parameter)):
        refuse(text, "an UPDATE that goes on with its own variables")
    tree.set("expressions", kept)
    change = _Update(program, tree, text)
    query = change.query(given)
    assign_from(program, query, text)


class _Inserted(exp.Expression):
    """What becomes of a column, by its name."""

    arg_types = {"this": True}  # noqa: RUF012 # as all trees have it


def _variable(one: Any) -> Any:
    return one.this if isinstance(one, exp.EQ) and isinstance(one.this, exp.Parameter) else None


class _Change(ABC):
    """A change whose rows are asked for, and the columns of its target."""

    def __init__(self, program: "Program", tree: Any, text: str) -> None:
        self._program, self._tree, self._text = program, tree, text
        self._place = place_of(program.batch.spoken)

    def _know(self, target: Any) -> None:
        self._target = target
        self._name = (target.args["alias"].this if target.alias else target.this).copy()
        asked = exp.select("*").from_(target.copy()).where("1 = 0")
        asked.set("with_", self._tree.args.get("with_") and self._tree.args["with_"].copy())
        told = self._program.rows_of(asked, self._text).schema
        self._kinds: Mapping[str, Any] = {field.name: field.type for field in told}

    def spread(self, one: Any) -> list[Any]:
        """Return a column that is put out, or all that a star means."""
        if not (isinstance(one, exp.Column) and one.is_star):
            return [one]
        return [exp.column(exp.to_identifier(name, quoted=True), table=one.table) for name in self._kinds]

    def _meant(self, one: Any) -> Any:
        """Return what is put out as an expression over the rows before the change, by the name that it has."""
        if any(node.name.upper() in _BY_CHANCE for node in one.find_all(exp.Anonymous, exp.Rand, exp.Uuid)):
            refuse(self._text, "an OUTPUT of what chance makes")
        value = one.unalias().copy() if isinstance(one, exp.Alias) else one.copy()
        made = value.transform(self._column)
        return exp.alias_(made, one.alias_or_name, quoted=True) if one.alias_or_name else made

    def _column(self, node: Any) -> Any:
        if isinstance(node, _Inserted):
            return self._becomes(node.name)
        table = node.table.lower() if isinstance(node, exp.Column) else ""
        if table == "deleted":
            return self._was(node.name)
        return self._becomes(node.name) if table == "inserted" else node

    def _was(self, name: str) -> exp.Expression:
        return exp.column(exp.to_identifier(name), table=self._name.copy())

    @abstractmethod
    def _becomes(self, name: str) -> exp.Expression:
        """Return what a column will hold."""

    def _typed(self, name: str, value: exp.Expression) -> exp.Expression:
        """Return a value as the column will hold it."""
        kind = next((kind for known, kind in self._kinds.items() if known.lower() == name.lower()), None)
        if kind is None:
            refuse(self._text, f"the column '{name}', which the table has not")
        return exp.cast(value.copy(), kind_of(kind))


class _Update(_Change):
    def __init__(self, program: "Program", tree: exp.Update, text: str) -> None:
        super().__init__(program, tree, text)
        named, tables, joins = taken_apart(tree.copy())
        target = target_of(named, tables, text) if tables else named
        if target is None:  # the FROM has only others
            target, joins = named, [exp.Join(this=tables[0].copy(), kind="CROSS"), *joins]
            tables = [named]
        self._tables, self._joins = tables or [named], joins
        self._know(target)
        self._new = {one.this.name.lower(): one.expression for one in tree.expressions if isinstance(one, exp.EQ)}

    def query(self, told: list[Any]) -> exp.Select:
        """Return the query of what is put out; where it may be in doubt which rows change, with their places."""
        limit, where = self._tree.args.get("limit"), self._tree.args.get("where")
        variables = all(isinstance(one, exp.EQ) for one in told)
        expressions: list[Any] = [
            exp.EQ(this=one.this, expression=one.expression.transform(self._column)) if variables else self._meant(one)
            for one in told
        ]
        if limit and (self._joins or self._tree.args.get("from_")):
            refuse(self._text, "an UPDATE with TOP and a FROM, whose rows are put out as they were")
        is_made = self._target.name.lower() in {each.alias.lower() for each in self._tree.find_all(exp.CTE)}
        if self._joins and is_made and not variables:
            refuse(self._text, "an UPDATE of what a WITH names and of others, whose rows are put out as they were")
        if (limit or self._joins) and not variables:
            place = exp.column(self._place, table=self._name.copy())
            expressions.append(exp.alias_(exp.cast(place, "text"), _PLACE))
        query = exp.select(*expressions).from_(self._tables[0].copy())
        query.set("joins", [join.copy() for join in self._joins])
        query.set("with_", self._tree.args.get("with_") and self._tree.args["with_"].copy())
        query.set("limit", limit and limit.copy())
        return query.where(where.this.copy()) if where else query

    def settled(self, rows: "pa.Table") -> "pa.Table":
        """Return the rows without their places; a TOP takes just those. Raises WrongDefinition where one is double."""
        if _PLACE not in rows.column_names:
            return rows
        at = rows.column_names.index(_PLACE)
        places = rows.column(at).to_pylist()
        if len(set(places)) < len(places):
            refuse(self._text, "an UPDATE whose FROM finds a row more than once, so that it is open what becomes of it")
        if self._tree.args.get("limit"):
            self._tree.set("limit", None)
            self._tree.set("where", exp.Where(this=in_places(self._program.batch.spoken, places)))
        return rows.remove_column(at)

    def _becomes(self, name: str) -> exp.Expression:
        new = self._new.get(name.lower())
        return self._was(name) if new is None else self._typed(name, new)


class _Merge(_Change):
    def __init__(self, program: "Program", tree: exp.Merge, text: str) -> None:
        super().__init__(program, tree, text)
        self._know(tree.this)
        using = tree.args["using"]
        self._source = using.args["alias"].this if using.alias else using.this
        whens = tree.args["whens"].expressions
        self._whens = [(self._condition(one), one.args["then"]) for one in whens]

    def _condition(self, when: Any) -> Any:
        is_there = exp.column(self._place, table=self._name.copy()).is_(exp.null()).not_()
        is_given = exp.column(_NEW, table=self._source.copy()).is_(exp.null()).not_()
        if when.args.get("matched"):
            found = exp.and_(is_there, is_given)
        else:
            found = exp.and_(is_there, exp.not_(is_given)) if when.args.get("source") else exp.not_(is_there)
        extra = when.args.get("condition")
        return exp.and_(found, extra.copy()) if extra is not None else found

    def query(self, told: list[Any]) -> exp.Select:
        """Return the query of what is put out: the target and the source side by side, and what becomes of each row."""
        using = self._tree.args["using"]
        given = exp.select("*", exp.alias_(exp.Literal.number(1), _NEW)).from_(using.copy())
        source = exp.Subquery(this=given, alias=exp.TableAlias(this=self._source.copy()))
        query = exp.select(*(self._meant(one) for one in told)).from_(self._target.copy())
        query.set("joins", [exp.Join(this=source, side="FULL", on=self._tree.args["on"].copy())])
        query.set("with_", self._tree.args.get("with_") and self._tree.args["with_"].copy())
        return query.where(self._case([exp.Literal.number(1)] * len(self._whens)).is_(exp.null()).not_())

    def settled(self, rows: "pa.Table") -> "pa.Table":
        """Return the rows as they are."""
        return rows

    def _column(self, node: Any) -> Any:
        if isinstance(node, exp.Column) and node.name.lower() == "$action":
            return self._case([exp.Literal.string(_action(then)) for _, then in self._whens])
        return super()._column(node)

    def _becomes(self, name: str) -> exp.Expression:
        return self._case([self._value(then, name) for _, then in self._whens])

    def _value(self, then: Any, name: str) -> exp.Expression:
        if isinstance(then, exp.Update):
            new = {one.this.name.lower(): one.expression for one in then.expressions}.get(name.lower())
            return self._was(name) if new is None else self._typed(name, new)
        if not isinstance(then, exp.Insert):
            return exp.null()
        listed = then.this.expressions if then.this else [exp.column(known) for known in self._kinds]
        new = dict(zip((one.name.lower() for one in listed), then.expression.expressions, strict=False)).get(
            name.lower()
        )
        if new is None:
            refuse(self._text, f"an OUTPUT of inserted.{name}, which the INSERT does not give")
        return self._typed(name, new)

    def _case(self, values: list[exp.Expression]) -> exp.Case:
        pairs = zip(self._whens, values, strict=True)
        return exp.Case(ifs=[exp.If(this=condition.copy(), true=value.copy()) for (condition, _), value in pairs])


def _action(then: Any) -> str:
    return "UPDATE" if isinstance(then, exp.Update) else "INSERT" if isinstance(then, exp.Insert) else "DELETE"
