"""Of what sort the value of a T-SQL expression is, where it can be told: `int`, `float`, `text` or `time`."""

from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
from sqlglot import exp

_INTS = ("int", "bigint", "smallint", "tinyint", "integer", "hugeint", "utinyint", "ubigint", "uinteger", "serial")
_FLOATS = ("float", "double", "real", "decimal", "numeric", "money", "number")
_TEXTS = ("char", "varchar", "text", "nvarchar", "nchar", "string", "uniqueidentifier", "bpchar")
_TIMES = ("date", "time", "timestamp", "datetime", "smalldatetime")
_TEXT_FUNCTIONS = (
    exp.Upper,
    exp.Lower,
    exp.Concat,
    exp.Substring,
    exp.Trim,
    exp.Replace,
    exp.Left,
    exp.Right,
    exp.DPipe,
    exp.Repeat,
    exp.TimeToStr,
    exp.NumberToStr,
    exp.GroupConcat,
)
_INT_FUNCTIONS = (exp.Count, exp.Length, exp.DateDiff, exp.Year, exp.Month, exp.Day, exp.Extract, exp.StrPosition)
_TIME_FUNCTIONS = (exp.CurrentTimestamp, exp.CurrentDate, exp.DateAdd, exp.LastDay, exp.DateFromParts)
_SAME = (exp.Max, exp.Min, exp.Sum, exp.Abs, exp.Neg, exp.Paren, exp.Alias, exp.Round, exp.Ceil, exp.Floor, exp.Window)


class Types:
    """What is known: the SQL types (or sorts) of columns by their names in small letters, and the variables' values."""

    def __init__(self, columns: Mapping[str, str], values: Mapping[str, Any]) -> None:
        self._columns, self._values = columns, values

    def of(self, node: Any) -> str:  # noqa: PLR0911 # a table of kinds
        """Return the sort of the expression's value, nothing where it is not certain."""
        if isinstance(node, exp.Literal):
            return "text" if node.is_string else "int" if node.name.isdigit() else "float"
        if isinstance(node, exp.Column):
            return sort_of(self._columns.get(node.name.lower(), ""))
        if isinstance(node, exp.Parameter):
            return self._of_value(self._values.get(node.name.lower()))
        if isinstance(node, exp.Var) and node.name.startswith("$"):
            return self._of_value(self._values.get(node.name[1:].lower()))
        if isinstance(node, exp.Cast):
            return sort_of(node.to.sql("tsql"))
        if isinstance(node, exp.Add | exp.Sub | exp.Mul | exp.Div | exp.Mod):
            return self._of_pair(node)
        if isinstance(node, exp.Avg):
            return self.of(node.this)
        return self._of_function(node)

    def kind(self, column: exp.Column) -> str:
        """Return the type of a column, in the words of the database; nothing where it is not certain."""
        return self._columns.get(column.name.lower(), "")

    def is_day(self, node: Any) -> bool:
        """Return whether a time is certainly a day without hours."""
        if isinstance(node, exp.Cast):
            return bool(node.to.this == exp.DataType.Type.DATE)
        if isinstance(node, exp.Column):
            return self._columns.get(node.name.lower(), "").lower() == "date"
        if isinstance(node, exp.Var | exp.Parameter):
            value = self._values.get(node.name.lstrip("$").lower())
            return isinstance(value, date) and not isinstance(value, datetime)
        return isinstance(node, exp.DateFromParts | exp.LastDay | exp.CurrentDate)

    def is_double(self, node: Any) -> bool:
        """Return whether a number is certainly a binary one, which SQL Server writes with six digits."""
        if isinstance(node, exp.Literal):
            return not node.is_string and "e" in node.name.lower()
        kind = node.to.sql("tsql") if isinstance(node, exp.Cast) else ""
        kind = self._columns.get(node.name.lower(), "") if isinstance(node, exp.Column) else kind
        return kind.lower().startswith(("float", "double", "real"))

    def _of_function(self, node: Any) -> str:  # noqa: PLR0911 # a table of kinds
        for kinds, sort in ((_TEXT_FUNCTIONS, "text"), (_INT_FUNCTIONS, "int"), (_TIME_FUNCTIONS, "time")):
            if isinstance(node, kinds):
                return sort
        if isinstance(node, _SAME):
            return self.of(node.this)
        if isinstance(node, exp.Coalesce):
            return self._one([node.this, *node.expressions])
        if isinstance(node, exp.Case):
            return self._one([*(branch.args["true"] for branch in node.args["ifs"]), node.args.get("default")])
        if isinstance(node, exp.If):
            return self._one([node.args["true"], node.args.get("false")])
        if isinstance(node, exp.Nullif):
            return self.of(node.this)
        if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Select) and len(node.this.expressions) == 1:
            return self.of(node.this.expressions[0])
        return ""

    def _of_pair(self, node: Any) -> str:
        sorts = {self.of(node.this), self.of(node.expression)}
        if len(sorts) == 1:
            return sorts.pop()
        if "" not in sorts and sorts <= {"int", "float"}:
            return "float"
        return "text" if isinstance(node, exp.Add) and "text" in sorts and not sorts & {"int", "float"} else ""

    def _one(self, nodes: list[Any]) -> str:
        sorts = {self.of(node) for node in nodes if node is not None and not _is_no_value(node)}
        return sorts.pop() if len(sorts) == 1 else "float" if sorts == {"int", "float"} else ""

    def _of_value(self, value: Any) -> str:
        if isinstance(value, bool | int):
            return "int"
        if isinstance(value, float | Decimal):
            return "float"
        return "text" if isinstance(value, str) else "time" if isinstance(value, date | time) else ""


def _is_no_value(node: Any) -> bool:
    return isinstance(node, exp.Null) or (isinstance(node, exp.Anonymous) and node.name.lower() == "error")


def sort_of(kind: str) -> str:
    """Return the sort of a type by its name in SQL.

    >>> sort_of("DECIMAL(9,2)"), sort_of("character varying(20)"), sort_of("int")
    ('float', 'text', 'int')
    """
    word = kind.lower().split("(")[0].strip()
    if word in {"int", "float", "text", "time"}:
        return word
    for words, sort in ((_INTS, "int"), (_FLOATS, "float"), (_TEXTS, "text"), (_TIMES, "time")):
        if word.startswith(words):
            return sort
    return ""


def kind_of(kind: pa.DataType) -> exp.DataType:
    """Return the type in T-SQL of a column of Arrow's."""
    told = "nvarchar(max)"
    for is_kind, name in (
        (pa.types.is_boolean, "bit"), (pa.types.is_integer, "bigint"), (pa.types.is_floating, "float"),
        (pa.types.is_date, "date"), (pa.types.is_timestamp, "datetime2"), (pa.types.is_time, "time"),
    ):  # fmt: skip
        told = name if is_kind(kind) else told
    if pa.types.is_decimal(kind):
        told = f"decimal({kind.precision}, {kind.scale})"
    return exp.DataType.build(told, dialect="tsql")
