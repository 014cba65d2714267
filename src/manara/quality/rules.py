"""The rules that a contract makes: for each what a row must not be, and the sentence that says so."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlglot import exp

from manara.quality.expression import columns_of, has_query, read_expression
from manara.quality.odcs import Contract, Dimension, Options, Property, Quality, Relationship, Severity
from manara.quality.trees import attempt, unboxed

ROW = "__row"
"""The column with the number of the row in its source, from 1."""

ALIAS = "target"
"""The name under which rules see the row; a sub-query of a custom rule says `target.column`."""

SQL_TYPES = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
}

_TYPE_WORDS = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "date": "a date",
    "timestamp": "a date with time",
}
_SHOWN_VALUES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that can be wrong with a row.

    `condition` is true for a row that violates the rule; `reason` is the sentence, a text. Both are trees over the
    typed row called `target`: a column of the contract by its name, the text that it came from as `text_column`.
    """

    name: str
    dimension: Dimension
    severity: Severity
    condition: exp.Expr
    reason: exp.Expr


def rules_of(contract: Contract) -> list[Rule]:
    """Return the rules of the contract: those of its columns in order, the key, and the custom ones."""
    rules: list[Rule] = []
    for index, each in enumerate(contract.properties):
        rules += _column_rules(each, index)
    rules.append(_duplicate_key(contract.keys))
    rules += [_custom(rule) for rule in contract.table.quality if rule.is_ours]
    return rules


def storable_rules(contract: Contract) -> list[Rule]:
    """Return the rules of a warehouse that cannot keep the character NUL in a text, such as PostgreSQL."""
    nul = exp.Anonymous(this="chr", expressions=[exp.Literal.number(0)])
    return [
        Rule(
            name=f"{each.name}.nul", dimension="conformity", severity="error",
            condition=exp.Anonymous(this="contains", expressions=[column(each.name), nul.copy()]),
            reason=exp.Literal.string(f"{each.name} holds the character NUL, which the warehouse cannot keep"),
        )
        for each in contract.properties
        if each.logical_type == "string"
    ]  # fmt: skip


def text_column(index: int) -> str:
    """Return the column that holds the text of property number `index`: NULL for missing, empty for not computable.

    Where the source has the value in its type already, it is the value as it came.
    """
    return f"__text_{index}"


def keeps_text(each: Property) -> bool:
    """Return whether the text of a property differs from its value, so that both are needed."""
    return each.logical_type != "string" or each.transform_logic is not None


FIRST_OF_KEY = "__first_of_key"
"""The column with the first row that has the same key as this one; NULL where no other row has."""


def first_of_value(index: int) -> str:
    """Return the column with the first row that has the same value of property number `index`."""
    return f"__first_of_{index}"


def column(name: str) -> exp.Column:
    """Return a column of the row that is checked."""
    return exp.column(name, table=ALIAS, quoted=True)


def sql_literal(value: Any, logical_type: str) -> exp.Expr:
    """Return a value from YAML as a literal of the type."""
    if logical_type in ("date", "timestamp"):
        moment = value.isoformat() if isinstance(value, date | datetime) else str(value)
        return exp.cast(exp.Literal.string(moment), SQL_TYPES[logical_type], dialect="duckdb")
    if isinstance(value, bool):
        return exp.Boolean(this=value)
    if isinstance(value, int | float):
        return exp.Literal.number(repr(value)) if value >= 0 else exp.Neg(this=exp.Literal.number(repr(-value)))
    return exp.Literal.string(str(value))


def _column_rules(each: Property, index: int) -> Iterator[Rule]:
    if each.is_mandatory:
        yield _required(each, index)
    if keeps_text(each):
        yield _type(each, index)
    options = each.logical_type_options
    if _bounds(options):
        yield _range(each, index)
    if options.pattern is not None:
        yield _pattern(each, options.pattern)
    if options.min_length is not None or options.max_length is not None:
        yield _length(each)
    for rule in each.quality:
        if rule.valid_values is not None and not rule.is_measured:
            yield _values(each, index, rule)
    for relationship in each.relationships:
        yield _reference(each, index, relationship)
    if each.unique and not each.primary_key:
        yield _unique(each, index)
    yield from (_custom(rule) for rule in each.quality if rule.is_ours)


def _required(each: Property, index: int) -> Rule:
    return Rule(
        name=f"{each.name}.required",
        dimension="completeness",
        severity="error",
        condition=_text(each, index).is_(exp.null()),
        reason=exp.Literal.string(f"{each.name} is missing"),
    )


def _type(each: Property, index: int) -> Rule:
    text = _text(each, index)
    wrong = _sentence(f"{each.name} '", text, f"' is not {_TYPE_WORDS[each.logical_type]}{_examples(each)}")
    failed = exp.Literal.string(f"{each.name} cannot be computed from the columns of its source")
    return Rule(
        name=f"{each.name}.type",
        dimension="conformity",
        severity="error",
        condition=exp.and_(text.is_(exp.null()).not_(), column(each.name).is_(exp.null())),
        reason=exp.case().when(_as_text(text).eq(exp.Literal.string("")), failed).else_(wrong),
    )


def _examples(each: Property) -> str:
    day = datetime(2024, 1, 31, 13, 45, tzinfo=UTC)
    if each.formats:
        return " such as " + " or ".join(day.strftime(form) for form in each.formats)
    return {"date": " such as 2024-01-31", "timestamp": " such as 2024-01-31T13:45:00"}.get(each.logical_type, "")


def _bounds(options: Options) -> list[tuple[str, type[exp.Binary], Any]]:
    """Return for each bound the words, the comparison that violates it, and the bound."""
    listed: list[tuple[str, type[exp.Binary], Any]] = [
        ("at least", exp.LT, options.minimum),
        ("more than", exp.LTE, options.exclusive_minimum),
        ("at most", exp.GT, options.maximum),
        ("less than", exp.GTE, options.exclusive_maximum),
    ]
    return [each for each in listed if each[2] is not None]


def _range(each: Property, index: int) -> Rule:
    bounds = _bounds(each.logical_type_options)
    tests = [
        comparison(this=column(each.name), expression=sql_literal(bound, each.logical_type))
        for _, comparison, bound in bounds
    ]
    words = " and ".join(f"{word} {bound}" for word, _, bound in bounds)
    return Rule(
        name=f"{each.name}.range",
        dimension="accuracy",
        severity="error",
        condition=exp.or_(*tests),
        reason=_sentence(f"{each.name} is ", _text(each, index), f", must be {words}"),
    )


def _pattern(each: Property, pattern: str) -> Rule:
    matches = exp.Anonymous(this="regexp_matches", expressions=[column(each.name), exp.Literal.string(pattern)])
    return Rule(
        name=f"{each.name}.pattern",
        dimension="conformity",
        severity="error",
        condition=matches.not_(),
        reason=_sentence(f"{each.name} '", column(each.name), f"' does not match {pattern}"),
    )


def _length(each: Property) -> Rule:
    options = each.logical_type_options
    length = exp.Anonymous(this="length", expressions=[column(each.name)])
    tests: list[exp.Expr] = []
    words = []
    if options.min_length is not None:
        tests.append(exp.LT(this=length.copy(), expression=exp.Literal.number(options.min_length)))
        words.append(f"at least {options.min_length}")
    if options.max_length is not None:
        tests.append(exp.GT(this=length.copy(), expression=exp.Literal.number(options.max_length)))
        words.append(f"at most {options.max_length}")
    must = f", must have {' and '.join(words)}"
    return Rule(
        name=f"{each.name}.length",
        dimension="conformity",
        severity="error",
        condition=exp.or_(*tests),
        reason=_sentence(f"{each.name} '", column(each.name), "' has a length of ", length.copy(), must),
    )


def _values(each: Property, index: int, rule: Quality) -> Rule:
    valid = rule.valid_values or []
    literals = [sql_literal(value, each.logical_type) for value in valid]
    shown = ", ".join(str(value) for value in valid[:_SHOWN_VALUES]) + (", ..." if len(valid) > _SHOWN_VALUES else "")
    return Rule(
        name=f"{each.name}.values",
        dimension=rule.dimension or "conformity",
        severity=rule.severity,
        condition=exp.In(this=column(each.name), expressions=literals).not_(),
        reason=_sentence(f"{each.name} '", _text(each, index), f"' is not one of {shown}"),
    )


def _reference(each: Property, index: int, relationship: Relationship) -> Rule:
    there = exp.column(relationship.column, table="reference", quoted=True)
    same = exp.TryCast(this=there, to=exp.DataType.build(SQL_TYPES[each.logical_type], dialect="duckdb")).eq(
        column(each.name)
    )
    table = exp.table_(relationship.table, db=relationship.schema_name, quoted=True)
    found = exp.Exists(this=exp.select("1").from_(exp.alias_(table, "reference", table=True)).where(same))
    return Rule(
        name=f"{each.name}.reference",
        dimension="consistency",
        severity="error",
        condition=exp.and_(column(each.name).is_(exp.null()).not_(), found.not_()),
        reason=_sentence(f"{each.name} '", _text(each, index), f"' is not in {relationship.to}"),
    )


def _unique(each: Property, index: int) -> Rule:
    first = column(first_of_value(index))
    return Rule(
        name=f"{each.name}.unique",
        dimension="uniqueness",
        severity="error",
        condition=exp.LT(this=first, expression=column(ROW)),
        reason=_sentence(f"{each.name} '", _text(each, index), "' is the same as in row ", first.copy()),
    )


def _duplicate_key(keys: Sequence[Property]) -> Rule:
    parts: list[str | exp.Expr] = []
    for key in keys:
        parts += [f"{', ' if parts else ''}{key.name} '", column(key.name), "'"]
    first = column(FIRST_OF_KEY)
    return Rule(
        name="key.duplicate",
        dimension="uniqueness",
        severity="error",
        condition=exp.LT(this=first, expression=column(ROW)),
        reason=_sentence(*parts, " is the same key as row ", first.copy()),
    )


def _custom(rule: Quality) -> Rule:
    tree = read_expression(rule.implementation)
    parts: list[str | exp.Expr] = [f"breaks '{rule.description or rule.name or rule.id}'"]
    for number, name in enumerate(columns_of(tree)):
        missing = exp.func("coalesce", _as_text(column(name)), exp.Literal.string("missing"))
        parts += [f"{', ' if number else ': '}{name} is ", missing]
    return Rule(
        name=str(rule.id),
        dimension=rule.dimension or "consistency",
        severity=rule.severity,
        condition=_violates(tree),
        reason=_sentence(*parts),
    )


def _violates(tree: exp.Expr) -> exp.Expr:
    """Return whether the expression is false, or cannot be computed; where it is NULL the row is kept."""
    holds = exp.cast(exp.paren(tree), "BOOLEAN", dialect="duckdb")
    if has_query(tree):
        return holds.is_(exp.false())
    boxed = attempt(holds)
    return exp.or_(boxed.is_(exp.null()), unboxed(boxed.copy()).is_(exp.false()))


def _text(each: Property, index: int) -> exp.Column:
    return column(text_column(index) if keeps_text(each) else each.name)


def _as_text(tree: exp.Expr) -> exp.Expr:
    return exp.cast(tree, "VARCHAR", dialect="duckdb")


def _sentence(*parts: str | exp.Expr) -> exp.Expr:
    """Return the parts put together to one text; a NULL among them is left out."""
    trees = [exp.Literal.string(part) if isinstance(part, str) else _as_text(part) for part in parts]
    return exp.Anonymous(this="concat", expressions=trees)
