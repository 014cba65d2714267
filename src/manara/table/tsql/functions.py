"""Functions of T-SQL that other databases have not, from those that they have.

Sources: the pages of PATINDEX, ISNUMERIC, STR and COL_LENGTH in SQL Server's reference.
"""

import platform
import re
from collections.abc import Callable, Mapping

from sqlglot import exp

from manara.table.tsql.formats import ROUNDED
from manara.table.tsql.forms import filled
from manara.table.tsql.parts import refuse
from manara.table.tsql.pattern import as_regex
from manara.table.tsql.sorts import sort_of

Columns = Callable[[exp.Table], Mapping[str, str]]

_NUMBER = r"^\s*[-+]?[$€£¥]?[-+]?([0-9][0-9,]*(\.[0-9]*)?|\.[0-9]+)([eEdD][-+]?[0-9]+)?\s*$|^\s*[-+.,$€£¥]\s*$"
"""What ISNUMERIC takes for a number."""
_MATCHES = {"duckdb": "regexp_matches({x}, {p})", "postgres": "{x} ~ {p}"}
_BEFORE = {
    "duckdb": "regexp_extract({x}, {p}, 1)",
    "postgres": "(regexp_match({x}, {p}))[1]",
}
"""What stands before the place at which a pattern is found."""
_SIZES = {"bigint": 8, "smallint": 2, "tinyint": 1, "integer": 4, "int": 4, "boolean": 1, "date": 3, "double": 8}


def function(node: exp.Anonymous, to: str, text: str, columns: Columns) -> exp.Expression:
    """Return what a function of T-SQL comes to in the dialect `to`; one that is not known here as it is.

    `columns` tells those of a table, by its name in T-SQL. Raises WrongDefinition for a form that is not known.
    """
    known = _KNOWN.get(node.name.upper())
    return known(node, to, text, columns) if known and to in _MATCHES else node


def stuffed(node: exp.Stuff, to: str) -> exp.Expression:
    """Return STUFF from its parts: NULL where it begins before the text or behind it."""
    if to not in _MATCHES:
        return node
    return filled(
        "case when {s} between 1 and length({t}) "
        "then left({t}, ({s}) - 1) || coalesce({v}, '') || substring({t}, ({s}) + ({l})) end", to,
        t=node.this, s=node.args["start"], l=node.args["length"], v=node.expression,
    )  # fmt: skip


def _place_of_pattern(node: exp.Anonymous, to: str, text: str, _columns: Columns) -> exp.Expression:
    told, value = node.expressions
    pattern = told.name if isinstance(told, exp.Literal) else ""
    inner = as_regex(pattern.removeprefix("%").removesuffix("%")) if pattern.strip("%") else None
    if inner is None:
        refuse(text, f"PATINDEX by {told.sql('tsql')}")
    begin = "" if not pattern.startswith("%") else ".*?"
    end = "" if pattern.endswith("%") else "$"
    regex = f"(?s)^({begin}){inner.removeprefix('(?s)^').removesuffix('$')}{end}"
    form = f"case when {_MATCHES[to]} then length({_BEFORE[to]}) + 1 when {{x}} is not null then 0 end"
    return filled(form, to, x=value, p=exp.Literal.string(regex))


def _is_number(node: exp.Anonymous, to: str, _text: str, _columns: Columns) -> exp.Expression:
    value = exp.cast(node.expressions[0].copy(), "text")
    form = f"case when {_MATCHES[to]} then 1 else 0 end"
    return filled(form, to, x=value, p=exp.Literal.string(_NUMBER))


def _padded_number(node: exp.Anonymous, to: str, text: str, _columns: Columns) -> exp.Expression:
    value, *rest = node.expressions
    if not all(isinstance(one, exp.Literal) and one.name.isdecimal() for one in rest):
        refuse(text, "STR with a length that is not written out")
    length, places = [*(int(one.name) for one in rest), *(10, 0)[len(rest) :]]
    number = f"cast({ROUNDED.format(x='{x}', n=places)} as text)"
    form = f"case when length({number}) > {length} then repeat('*', {length}) else lpad({number}, {length}, ' ') end"
    return filled(form, to, x=value)


def _length_of_column(node: exp.Anonymous, _to: str, text: str, columns: Columns) -> exp.Expression:
    if not all(isinstance(one, exp.Literal) for one in node.expressions):
        refuse(text, "COL_LENGTH of a name that is not written out")
    table, column = (one.name for one in node.expressions)
    kinds = {name.lower(): kind for name, kind in columns(exp.to_table(table, dialect="tsql")).items()}
    kind = kinds.get(column.lower())
    if kind is None:
        return exp.null()
    size = re.search(r"\((\d+)", kind) if sort_of(kind) == "text" else None
    usual = (
        -1 if sort_of(kind) == "text" else next((n for word, n in _SIZES.items() if kind.lower().startswith(word)), 8)
    )
    return exp.Literal.number(size[1]) if size else exp.Literal.number(usual)


def _choose(node: exp.Anonymous, _to: str, _text: str, _columns: Columns) -> exp.Expression:
    index, *rest = node.expressions
    ifs = [
        exp.If(this=exp.EQ(this=index.copy(), expression=exp.Literal.number(n)), true=value.copy())
        for n, value in enumerate(rest, 1)
    ]
    return exp.Case(ifs=ifs)


def _quoted(node: exp.Anonymous, _to: str, text: str, _columns: Columns) -> exp.Expression:
    value, *sign = node.expressions
    told = sign[0].name if sign and isinstance(sign[0], exp.Literal) else "" if sign else "["
    pair = {"[": "[]", "]": "[]", '"': '""', "'": "''", "(": "()", ")": "()", "{": "{}", "}": "{}"}.get(told)
    if pair is None:
        refuse(text, "QUOTENAME by a sign that is not known")
    begin, end = (exp.Literal.string(one) for one in pair)
    twice = exp.Literal.string(pair[1] * 2)
    begun = exp.DPipe(this=begin, expression=exp.Replace(this=value, expression=end, replacement=twice))
    return exp.DPipe(this=begun, expression=end.copy())


def _schema_number(node: exp.Anonymous, _to: str, _text: str, _columns: Columns) -> exp.Expression:
    return node.expressions[0] if node.expressions else exp.Literal.string("dbo")


_KNOWN: dict[str, Callable[[exp.Anonymous, str, str, Columns], exp.Expression]] = {
    "PATINDEX": _place_of_pattern,
    "ISNUMERIC": _is_number,
    "STR": _padded_number,
    "COL_LENGTH": _length_of_column,
    "CHOOSE": _choose,
    "QUOTENAME": _quoted,
    "SCHEMA_ID": _schema_number,
    "DB_NAME": lambda _node, to, _text, _columns: filled("current_database()", to),
    "NCHAR": lambda node, *_: exp.Chr(expressions=node.expressions),
    "VAR": lambda node, *_: exp.Anonymous(this="var_samp", expressions=node.expressions),
    "VARP": lambda node, *_: exp.Anonymous(this="var_pop", expressions=node.expressions),
    "STDEVP": lambda node, *_: exp.Anonymous(this="stddev_pop", expressions=node.expressions),
    "HOST_NAME": lambda *_: exp.Literal.string(platform.node()),
    "APP_NAME": lambda *_: exp.Literal.string("Manara"),
    **dict.fromkeys(("USER_NAME", "SUSER_NAME", "ORIGINAL_LOGIN"), lambda *_: exp.CurrentUser()),
}
