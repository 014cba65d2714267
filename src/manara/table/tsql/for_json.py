"""FOR JSON of T-SQL, and the FOR XML that puts texts together, in the words of DuckDB and PostgreSQL.

Source: "Format query results as JSON with FOR JSON" and "Use PATH mode with FOR XML" in SQL Server's documentation.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import sqlglot
from sqlglot import exp

from manara.table.tsql.forms import filled
from manara.table.tsql.parts import refuse

_JSON = {
    "duckdb": (
        "case when typeof({v}) like 'TIMESTAMP%' then replace(cast(to_json({v}) as text), ' ', 'T') "
        "else replace(cast(to_json({v}) as text), '/', '\\/') end"
    ),
    "postgres": "replace(cast(to_json({v}) as text), '/', '\\/')",
}
_TOGETHER = (
    "select string_agg({v}, '{between}' order by manara_q.manara_n) as manara_v from (select manara_r.*, "
    "row_number() over () as manara_n from (select 1 as manara_1) as manara_r) as manara_q having count(*) > 0"
)
_COLUMN = "JSON_F52E2B61-18A1-11d1-B105-00805F49916B"
"""What SQL Server calls the column of a FOR JSON."""
_MARKUP = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_VALUE = re.compile(
    r"\btype\s*\)\s*\.\s*value\s*\(\s*N?'(?:\.|text\(\)\[1\]|\./text\(\)\[1\]|\(\./text\(\)\)\[1\])'\s*,"
    r"\s*N?'n?varchar\s*\(\s*\w+\s*\)'\s*\)",
    re.IGNORECASE,
)
_AS_TEXT = "TYPE, ELEMENTS)"
"""What stands for a TYPE whose value is taken at once: the two together mean nothing else in PATH."""

Columns = Callable[[exp.Table], Mapping[str, str]]


def without_value(text: str) -> str:
    """Return a statement in which a FOR XML gives its text, where it asked for the value of its XML.

    >>> without_value("(SELECT ',' + a FROM t FOR XML PATH(''), TYPE).value('.', 'nvarchar(max)')")
    "(SELECT ',' + a FROM t FOR XML PATH(''), TYPE, ELEMENTS)"
    """
    return _VALUE.sub(_AS_TEXT, text)


def with_for(tree: exp.Expression, text: str, to: str, columns: Columns) -> exp.Expression:
    """Return the tree with each FOR JSON and FOR XML as a query of one text; `columns` tells those of a table.

    Raises WrongDefinition for a form that is not known.
    """
    while query := next((each for each in _queries(tree) if each.args.get("for_")), None):
        told = query.args["for_"]
        if to not in _JSON:
            refuse(text, f"FOR {told.args['kind']}")
        query.set("for_", None)
        options = {_word(one.this): one.this.expression for one in told.expressions}
        found = _Told(query, options, text, to, columns)
        made = found.json() if str(told.args["kind"]).upper() == "JSON" else found.xml()
        if query is tree:
            return with_for(made, text, to, columns)
        query.replace(made)
    return tree


def _queries(tree: exp.Expression) -> Iterator[Any]:
    return (node for node in tree.walk() if isinstance(node, exp.Query))


def _word(option: Any) -> str:
    return str((option.this if isinstance(option, exp.XMLKeyValueOption) else option).name).upper()


class _Told:
    """A query without its FOR, and what stood in that."""

    def __init__(self, query: Any, options: Mapping[str, Any], text: str, to: str, columns: Columns) -> None:
        self._query, self._options, self._text, self._to, self._columns = query, options, text, to, columns

    def json(self) -> exp.Expression:
        """Return the query of an array of objects, one for each row."""
        names = self._named()
        values: dict[str, Any] = {}
        for at, (name, is_json) in enumerate(names.items()):
            _put(values, name.split(".") if "PATH" in self._options else [name], (at, is_json), self._refused)
        wrapped = self._together(self._object(values), ",", len(names))
        begin, end = ("", "") if "WITHOUT_ARRAY_WRAPPER" in self._options else ("[", "]")
        if "ROOT" in self._options:
            root = self._options["ROOT"]
            begin, end = f"{{{_key(root.name if root is not None else 'root')}{begin}", f"{end}}}"
        given = wrapped.expressions[0]
        whole = _joined(exp.Literal.string(begin), given.this, exp.Literal.string(end)) if begin else given.this
        wrapped.set("expressions", [exp.alias_(whole, _COLUMN, quoted=True)])
        return wrapped

    def xml(self) -> exp.Expression:
        """Return the query of a text that is put together from the one column of all rows."""
        path = self._options.get("PATH")
        only = self._query.expressions[0] if isinstance(self._query, exp.Select) else None
        name = _name_of(only).lower()
        is_known = len(self._query.expressions) == 1 and (name in {"text()", "data()"} or not name)
        is_known = (
            is_known and path is not None and not path.name and not self._options.keys() - {"PATH", "TYPE", "ELEMENTS"}
        )
        if not is_known:
            self._refused("FOR XML, but for the PATH('') of one column without a name")
        if self._query.args.get("distinct") and not self._query.args.get("order"):
            self._query.set(
                "order", exp.Order(expressions=[exp.Ordered(this=exp.Literal.number(1))])
            )  # as it comes there
        value: Any = exp.cast(_given(0), "text")
        if self._options.keys() < {"TYPE", "ELEMENTS", "PATH"}:
            for sign, told in _MARKUP.items():
                value = exp.func("replace", value, exp.Literal.string(sign), exp.Literal.string(told))
        return self._together(value, " " if name == "data()" else "", 1)

    def _together(self, value: exp.Expression, between: str, count: int) -> exp.Select:
        """Return a query of one text: what `value` gives for each row, in their order; no row where there is none.

        The `count` columns of the query are called by their places, as there may be others of their names.
        """
        form: Any = sqlglot.parse_one(_TOGETHER.format(v="manara_x", between=between), dialect=self._to)
        rows = next(each for each in form.find_all(exp.Subquery) if each.alias == "manara_r")
        made = self._query.copy()
        form.set("with_", made.args.get("with_"))
        form.set("into", made.args.get("into"))
        for part in ("with_", "into"):
            if made.args.get(part):
                made.set(part, None)
        rows.set("this", made)
        rows.args["alias"].set("columns", [_given(at).this for at in range(count)])
        place = next(each for each in form.find_all(exp.Column) if each.name == "manara_x")
        place.replace(value)
        return form  # type: ignore[no-any-return] # a tree

    def _named(self) -> dict[str, bool]:
        """Return the names of the query's columns, and which of them hold JSON; give each its name in the query."""
        if not isinstance(self._query, exp.Select):
            return dict.fromkeys(self._query.named_selects, False)
        if "AUTO" in self._options and len(self._tables()) != 1:
            self._refused("FOR JSON AUTO of several tables; PATH can be translated")
        expressions = [told for one in self._query.expressions for told in self._spread(one)]
        found: dict[str, bool] = {}
        for one in expressions:
            name = _name_of(one)
            if not name or name in found:
                self._refused(
                    "FOR JSON of a column without a name" if not name else f"FOR JSON of two columns '{name}'"
                )
            found[name] = _is_json(one.unalias())
        self._query.set("expressions", [one.copy() for one in expressions])
        return found

    def _spread(self, one: Any) -> list[Any]:
        """Return a column, or all that a star means."""
        if not one.is_star:
            return [one]
        tables = [table for table in self._tables() if not one.args.get("table") or table.alias_or_name == one.table]
        known = [(table, list(self._columns(table)) if isinstance(table, exp.Table) else []) for table in tables]
        if not known or not all(names for _, names in known):
            self._refused("FOR JSON of * from what is no table; its columns can be named")
        return [
            exp.column(exp.to_identifier(name, quoted=True), table=(table.args["alias"] if table.alias else table).this)
            for table, names in known
            for name in names
        ]  # fmt: skip

    def _tables(self) -> list[Any]:
        source = self._query.args.get("from_")
        joins = self._query.args.get("joins") or ()
        return [source.this, *(join.this for join in joins)] if source else []

    def _object(self, values: Mapping[str, Any]) -> exp.Expression:
        """Return the text of an object; what is missing is left out of it, unless it is asked for."""
        pieces: list[exp.Expression] = []
        for key, told in values.items():
            if isinstance(told, dict):
                inner = self._object(told)
                is_there = exp.NEQ(this=inner.copy(), expression=exp.Literal.string("{}"))
                pieces.append(exp.Case(ifs=[exp.If(this=is_there, true=_joined(exp.Literal.string(_key(key)), inner))]))
                continue
            at, is_json = told
            value = _given(at) if is_json else self._value(at)
            if "INCLUDE_NULL_VALUES" in self._options:
                value = exp.Coalesce(this=value, expressions=[exp.Literal.string("null")])
            pieces.append(_joined(exp.Literal.string(_key(key)), value))
        inside = exp.Anonymous(this="concat_ws", expressions=[exp.Literal.string(","), *pieces])
        return _joined(exp.Literal.string("{"), inside, exp.Literal.string("}"))

    def _value(self, at: int) -> exp.Expression:
        return filled(_JSON[self._to], self._to, v=_given(at))

    def _refused(self, what: str) -> None:
        refuse(self._text, what)


def _put(values: dict[str, Any], path: list[str], told: Any, refused: Callable[[str], None]) -> None:
    """Put a column where its name says: `a.b` is the b of the object a."""
    first, *rest = path
    if first in values and (not rest or not isinstance(values[first], dict)):
        refused(f"FOR JSON of '{first}', which is a value and an object")
    if rest:
        _put(values.setdefault(first, {}), rest, told, refused)
    else:
        values[first] = told


def _is_json(value: Any) -> bool:
    """Return whether a value is JSON by itself, and no text to be quoted."""
    told = value.this.args.get("for_") if isinstance(value, exp.Subquery) else None
    options = {_word(one.this) for one in told.expressions} if told else {"WITHOUT_ARRAY_WRAPPER"}
    return "WITHOUT_ARRAY_WRAPPER" not in options or type(value) is exp.JSONExtract


def _key(name: str) -> str:
    return json.dumps(name, ensure_ascii=False).replace("/", "\\/") + ":"


def _name_of(one: Any) -> str:
    return str(one.alias_or_name) if isinstance(one, exp.Alias | exp.Column) else ""


def _given(at: int) -> exp.Column:
    return exp.column(f"manara_c{at}", table="manara_q")


def _joined(first: Any, *others: Any) -> exp.Expression:
    for other in others:
        first = exp.DPipe(this=first, expression=other)
    return first  # type: ignore[no-any-return] # a tree
