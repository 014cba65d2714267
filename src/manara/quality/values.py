"""Texts into values: the columns of a source into those of the contract, with their types."""

from collections.abc import Iterable, Mapping

from sqlglot import exp

from manara.errors import WrongDefinition
from manara.quality.expression import columns_of, has_query, read_expression
from manara.quality.odcs import Contract, Property
from manara.quality.rules import ROW, SQL_TYPES, keeps_text, text_column
from manara.quality.tables import SOURCE, TYPED, VALUES, Tables
from manara.quality.trees import aliased, as_type, attempt, literal, quoted, temporary, try_type, unboxed, view
from manara.registry import near

_BLANKS = " \t\r\n\u00a0"
_WHOLE = r"[+-]?\d+(\.0*)?"
_DECIMAL = r"[+-]?(\d+(\.\d*)?|\.\d+)"
_DECIMAL_OR_POWER = _DECIMAL + r"([eE][+-]?\d+)?"
_ISO_DAY = r"\d{4}-\d{2}-\d{2}([T ]00:00(:00(\.0+)?)?Z?)?"
_ISO_MOMENT = r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?)?"
_ISO_OFFSET = _ISO_MOMENT[:-1] + r"(Z|[+-]\d{2}(:?\d{2})?)"
_FIRST_YEAR = "1000-01-01"
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")


_TEXT = "VARCHAR"
_WHOLE_KINDS = frozenset({"BIGINT", "INTEGER", "SMALLINT", "TINYINT", "UINTEGER", "USMALLINT", "UTINYINT"})
_TAKEN_AS_THEY_ARE: Mapping[str, frozenset[str]] = {
    "integer": _WHOLE_KINDS,
    "number": _WHOLE_KINDS | {"DOUBLE"},
    "boolean": frozenset({"BOOLEAN"}),
    "date": frozenset({"DATE"}),
    "timestamp": frozenset({"TIMESTAMP"}),
}
"""The types of a source from which a value needs no reading: its text would give the same."""


def type_values(contract: Contract, source: Mapping[str, str], tables: Tables) -> list[exp.Expr]:
    """Return the statements that make the typed values of the source's texts, called VALUES.

    `source` are the columns of the source table and their types. A column that is missing there gives NULL; a value
    that has the type already is taken as it is. Where no value needs more than a look, they are a view of the source;
    else they are made once.
    """
    columns = {name.lower(): name for name in source}
    originals = exp.select(quoted(ROW)).from_(aliased(SOURCE, "source"))
    texts = exp.select(quoted(ROW)).from_("originals")
    values = exp.select(quoted(ROW)).from_("texts")
    is_light = True
    for index, each in enumerate(contract.properties):
        name = columns.get(each.source.lower())
        is_text = name is None or source[name] == _TEXT
        is_taken = name is not None and _is_taken(each, source[name])
        originals = originals.select(exp.alias_(_original(each, columns, tables), _original_column(index), quoted=True))
        if name is not None and is_taken:
            raw = exp.column(name, table="source", quoted=True)
            originals = originals.select(exp.alias_(raw, _taken_column(index), quoted=True))
            texts = texts.select(quoted(_taken_column(index)))
        if is_taken and not each.missing_values:
            texts = texts.select(exp.alias_(quoted(_taken_column(index)), text_column(index), quoted=True))
            typed = _finite(each, index)
        elif _is_plain(each):
            texts = texts.select(quoted(_original_column(index)))
            typed = _without_blanks(quoted(_original_column(index)))
            is_light = is_light and is_text
        else:
            texts = texts.select(*_cleaned(each, index, columns))
            computed = each.transform_logic is not None or not is_text
            typed = _taken(each, index) if is_taken else _typed(each, index, computed)
            is_light = False
        values = values.select(exp.alias_(typed, each.name, quoted=True))
        if keeps_text(each):
            values = values.select(quoted(text_column(index)))
    rows = values.with_("originals", as_=originals).with_("texts", as_=texts)
    if is_light:
        return [view(VALUES, rows)]
    return [temporary(TYPED, rows), view(VALUES, exp.select("*").from_(exp.table_(TYPED, quoted=True)))]


def _original_column(index: int) -> str:
    return f"__original_{index}"


def _taken_column(index: int) -> str:
    return f"__taken_{index}"


def _is_taken(each: Property, kind: str) -> bool:
    return each.transform_logic is None and kind in _TAKEN_AS_THEY_ARE.get(each.logical_type, ())


def _is_plain(each: Property) -> bool:
    """Return whether a property is a text that is missing only where it is blank."""
    return each.logical_type == "string" and each.transform_logic is None and not each.missing_values


def _without_blanks(text: exp.Expr) -> exp.Expr:
    """Return the text, and NULL for one of blanks: only a text that may begin with one is looked through."""
    ascii_first = exp.and_(_from(text, "!"), exp.LT(this=text.copy(), expression=literal("\u00a0")))
    trimmed = exp.NEQ(this=_trimmed(text.copy()), expression=literal(""))
    return exp.case().when(exp.or_(ascii_first, _from(text, "\u00a1")), text).when(trimmed, text.copy())


def _from(text: exp.Expr, first: str) -> exp.Expr:
    return exp.GTE(this=text.copy(), expression=literal(first))


def _finite(each: Property, index: int) -> exp.Expr:
    """Return a value that has its type already; NULL where it is no number."""
    value = as_type(quoted(_taken_column(index)), SQL_TYPES[each.logical_type])
    if each.logical_type != "number":
        return value
    return exp.case().when(exp.Anonymous(this="isfinite", expressions=[value.copy()]), value)


def _taken(each: Property, index: int) -> exp.Expr:
    """Return a value that has its type already; NULL where its text counts as missing, or where it is no number."""
    return exp.case().when(quoted(text_column(index)).is_(exp.null()).not_(), _finite(each, index))


def check_source(contract: Contract, source: Iterable[str], origin: str) -> None:
    """Raise WrongDefinition where the source lacks a column that a required property comes from."""
    present = {name.lower() for name in source}
    for each in contract.properties:
        for name in sources_of(each) if each.is_mandatory else []:
            if name.lower() not in present:
                raise WrongDefinition(
                    f"The source has no column '{name}', which the required property '{each.name}' comes from.",
                    where=f"{origin}, contract '{contract.title}'",
                    advice=near(name, source),
                )


def sources_of(each: Property) -> list[str]:
    """Return the source columns that a property needs."""
    return columns_of(read_expression(each.transform_logic)) if each.transform_logic else [each.source]


def _original(each: Property, columns: Mapping[str, str], tables: Tables) -> exp.Expr:
    if any(name.lower() not in columns for name in sources_of(each)):
        return as_type(exp.null(), "VARCHAR")
    if each.transform_logic is None:
        return as_type(exp.column(columns[each.source.lower()], table="source", quoted=True), "VARCHAR")
    tree = tables.at_home(read_expression(each.transform_logic))
    if has_query(tree):
        return as_type(exp.paren(tree.transform(_careful)), "VARCHAR")
    return attempt(as_type(exp.paren(tree), "VARCHAR"))


def _careful(node: exp.Expr) -> exp.Expr:
    """Return a cast that gives NULL instead of an error: TRY cannot stand around a sub-query."""
    if isinstance(node, exp.Cast) and not isinstance(node, exp.TryCast):
        return exp.TryCast(this=node.this, to=node.to)
    return node


def _cleaned(each: Property, index: int, columns: Mapping[str, str]) -> list[exp.Expr]:
    """Return the original as a text, and the text that counts: trimmed, NULL for missing, empty for a failed one."""
    original: exp.Expr = quoted(_original_column(index))
    boxed = _is_boxed(each, columns)
    taken = unboxed(original.copy()) if boxed else original
    text = exp.func("nullif", _trimmed(taken), literal(""))
    if each.missing_values:
        listed = exp.In(this=text, expressions=[literal(value) for value in each.missing_values])
        text = exp.case().when(listed.not_(), text.copy())
    if boxed:
        text = exp.case().when(original.is_(exp.null()), literal("")).else_(text)
    return [
        exp.alias_(taken.copy(), _original_column(index), quoted=True),
        exp.alias_(text, text_column(index), quoted=True),
    ]


def _is_boxed(each: Property, columns: Mapping[str, str]) -> bool:
    if each.transform_logic is None or any(name.lower() not in columns for name in sources_of(each)):
        return False
    return not has_query(read_expression(each.transform_logic))


def _typed(each: Property, index: int, computed: bool) -> exp.Expr:
    text = quoted(text_column(index))
    if each.logical_type == "string":
        return exp.case().when(text.is_(exp.null()).not_(), quoted(_original_column(index)))
    if each.logical_type == "integer":
        return _when_like(text, _WHOLE, try_type(text, "BIGINT"))
    if each.logical_type == "number":
        return _when_like(text, _DECIMAL_OR_POWER if computed else _DECIMAL, try_type(text, "DOUBLE"))
    if each.logical_type == "boolean":
        return _boolean(text)
    return _moment(text, each, computed)


def _boolean(text: exp.Expr) -> exp.Expr:
    lower = exp.func("lower", text)
    yes = exp.In(this=lower, expressions=[literal(word) for word in _TRUE])
    no = exp.In(this=lower.copy(), expressions=[literal(word) for word in _FALSE])
    return exp.case().when(yes, exp.true()).when(no, exp.false())


def _moment(text: exp.Expr, each: Property, computed: bool) -> exp.Expr:
    """Return a date or timestamp: by the formats in their order, by ISO 8601 where there are none or it was typed."""
    kind = SQL_TYPES[each.logical_type]
    iso = _iso_day(text) if each.logical_type == "date" else _iso_moment(text)
    tries = [as_type(_by_format(text, form), kind) for form in each.formats]
    return exp.func("coalesce", *([iso] if computed or not tries else []), *tries)


def _iso_day(text: exp.Expr) -> exp.Expr:
    day = exp.Anonymous(this="left", expressions=[text.copy(), exp.Literal.number(10)])
    return _when_like(text, _ISO_DAY, try_type(day, "DATE"))


def _iso_moment(text: exp.Expr) -> exp.Expr:
    in_utc = exp.AtTimeZone(this=try_type(text, "TIMESTAMPTZ"), zone=literal("UTC"))
    return exp.func(
        "coalesce", _when_like(text, _ISO_MOMENT, try_type(text, "TIMESTAMP")), _when_like(text, _ISO_OFFSET, in_utc)
    )


def _by_format(text: exp.Expr, form: str) -> exp.Expr:
    """Return the moment that the text gives in a form; `%Y` wants four digits (DuckDB takes `06` for the year 6)."""
    moment = exp.Anonymous(this="try_strptime", expressions=[text.copy(), literal(form)])
    if "%Y" not in form:
        return moment
    return exp.case().when(exp.GTE(this=moment, expression=as_type(literal(_FIRST_YEAR), "TIMESTAMP")), moment.copy())


def _when_like(text: exp.Expr, pattern: str, value: exp.Expr) -> exp.Expr:
    matches = exp.Anonymous(this="regexp_full_match", expressions=[text.copy(), literal(pattern)])
    return exp.case().when(matches, value)


def _trimmed(tree: exp.Expr) -> exp.Expr:
    return exp.Trim(this=tree, expression=literal(_BLANKS))
