"""The SQL of the gate, as trees in DuckDB's dialect: rules in, statements out."""

from collections.abc import Iterable, Sequence

from sqlglot import exp

from manara.quality.expression import read_expression, tables_of
from manara.quality.odcs import Contract
from manara.quality.query import queries_of
from manara.quality.rules import ALIAS, FIRST_OF_KEY, ROW, SQL_TYPES, Rule, column, first_of_value
from manara.quality.tables import JUDGED, KNOWN, SOURCE, VALUES, Tables
from manara.quality.trees import aliased, as_type, equal, literal, quoted, temporary
from manara.quality.values import sources_of

NOTES = {"_origin": "VARCHAR", "_row": "BIGINT", "_run": "VARCHAR"}
"""Where a row of the good table came from: the columns beside those of the contract."""


def take_rows(view: str) -> exp.Expr:
    """Return the statement that takes the rows of a view, with their numbers, into the source table."""
    return temporary(SOURCE, exp.select(exp.Star()).from_(exp.table_(view, quoted=True)))


def judge(
    contract: Contract,
    rules: Sequence[Rule],
    tables: Tables,
    *,
    keys_differ: bool = False,
    firsts_given: bool = False,
) -> exp.Expr:
    """Return the statement that keeps the rows with a fault: their number, whether refused, and their faults.

    Where it is known that all `keys_differ`, nobody looks for those that stand twice. Where `firsts_given`, the source
    says of each row which is the first with the same key or value, in columns with the names of `same_values`.
    """
    flags = [f"__broken_{index}" for index in range(len(rules))]
    flagged = exp.select(exp.Column(this=exp.Star(), table=exp.to_identifier(ALIAS)))
    for flag, rule in zip(flags, rules, strict=True):
        flagged.select(exp.alias_(tables.at_home(rule.condition), flag, quoted=True), copy=False)
    firsts = _given_firsts(contract) if firsts_given else _with_firsts(contract, keys_differ)
    flagged.from_(firsts.subquery(ALIAS), copy=False)
    errors = [quoted(flag) for flag, rule in zip(flags, rules, strict=True) if rule.severity == "error"]
    refused = exp.func("coalesce", exp.or_(exp.false(), *errors), exp.false())
    faults = exp.Array(
        expressions=[
            exp.case().when(quoted(flag), _fault(rule, tables)) for flag, rule in zip(flags, rules, strict=True)
        ]
    )
    rows = exp.select(quoted(ROW), exp.alias_(refused, "refused"), exp.alias_(_without_nulls(faults), "faults")).from_(
        flagged.subquery(ALIAS)
    )
    return temporary(JUDGED, rows.where(exp.or_(exp.false(), *(quoted(flag) for flag in flags))))


def compare(contract: Contract, tables: Tables) -> exp.Expr:
    """Return the statement that says of each row to load whose key is known whether it is updated or unchanged."""
    known = exp.alias_(tables.good_table, "known", table=True)
    same = [exp.NullSafeEQ(this=column(each.name), expression=_known(each.name)) for each in contract.properties]
    change = exp.case().when(exp.and_(*same), literal("unchanged"))
    rows = (
        exp.select(column(ROW), exp.alias_(change.else_(literal("updated")), "change"))
        .from_(aliased(VALUES, ALIAS))
        .join(known, on=exp.and_(*(equal(key.name, "known", ALIAS) for key in contract.keys)), join_type="inner")
        .where(_is_refused(ALIAS).not_())
    )
    return temporary(KNOWN, rows)


def update_good(contract: Contract, tables: Tables) -> exp.Expr | None:
    """Return the statement that renews the rows whose key is known; None where a row is nothing but its key."""
    others = [each.name for each in contract.properties if not each.primary_key]
    if not others:
        return None
    settings = [_assigned(name, exp.column(name, table="new", quoted=True)) for name in [*others, *NOTES]]
    return exp.Update(
        this=exp.alias_(tables.good_table, "known", table=True),
        expressions=settings,
        from_=exp.From(this=_updated(contract).subquery("new")),
        where=exp.Where(this=exp.and_(*(equal(key.name, "known", "new") for key in contract.keys))),
    )


def insert_good(contract: Contract, tables: Tables) -> exp.Expr:
    """Return the statement that adds the rows whose key is new."""
    names = [*(each.name for each in contract.properties), *NOTES]
    return _insert(tables.good_table, names, _inserted(contract))


def good_columns(contract: Contract) -> dict[str, str]:
    """Return the columns of the good table and their types."""
    return {each.name: SQL_TYPES[each.logical_type] for each in contract.properties} | NOTES


def create_good(contract: Contract, tables: Tables) -> exp.Expr:
    """Return the statement that makes the good table where it is missing."""
    columns = [column_definition(name, kind) for name, kind in good_columns(contract).items()]
    schema = exp.Schema(this=tables.good_table, expressions=columns)
    return exp.Create(this=schema, kind="TABLE", exists=True)


def add_good(name: str, kind: str, tables: Tables) -> exp.Expr:
    """Return the statement that adds a column which the contract has and the table has not."""
    column = column_definition(name, kind)
    column.set("exists", True)  # another load may add it at the same time
    return exp.Alter(this=tables.good_table, kind="TABLE", actions=[column])


def good_rows(contract: Contract) -> exp.Select:
    """Return the values of the rows that nothing refused, with their numbers."""
    names = (exp.column(name, table=ALIAS, quoted=True) for name in value_columns(contract))
    return exp.select(*names).from_(aliased(VALUES, ALIAS)).where(_is_refused(ALIAS).not_())


def value_columns(contract: Contract) -> dict[str, str]:
    """Return the columns of a row's values, its number first, and their types."""
    return {ROW: "BIGINT"} | {each.name: SQL_TYPES[each.logical_type] for each in contract.properties}


def unmapped(contract: Contract, source: Iterable[str]) -> list[str]:
    """Return the source columns that no property takes its value from."""
    used = {name.lower() for each in contract.properties for name in sources_of(each)}
    return [name for name in source if name.lower() not in used]


def tables_read(contract: Contract) -> list[tuple[str, exp.Table]]:
    """Return the warehouse tables that the contract's expressions read, each with who reads it."""
    written = [(f"{each.name}.transformLogic", each.transform_logic) for each in contract.properties]
    rules = [*contract.table.quality, *(rule for each in contract.properties for rule in each.quality)]
    written += [(str(rule.id), rule.implementation) for rule in rules if rule.is_ours]
    trees = [(who, read_expression(text)) for who, text in written if text]
    found = [(who, table) for who, tree in [*trees, *queries_of(contract)] for table in tables_of(tree)]
    return [(who, table) for who, table in found if table.name != VALUES]


def columns_read(contract: Contract, table: str) -> set[str] | None:
    """Return which columns of a table (in lower case) the contract reads; None where it may be any."""
    if any(found.name.lower() == table for _, found in tables_read(contract)):
        return None
    references = [to for each in contract.properties for to in each.relationships]
    return {to.column.lower() for to in references if to.table.lower() == table}


def same_values(contract: Contract) -> dict[str, list[str]]:
    """Return what no two rows may share: the properties, by the column with the first row that has the same values."""
    groups = {FIRST_OF_KEY: [key.name for key in contract.keys]}
    for index, each in enumerate(contract.properties):
        if each.unique and not each.primary_key:
            groups[first_of_value(index)] = [each.name]
    return groups


def _given_firsts(contract: Contract) -> exp.Select:
    """Return the typed rows, with the first rows of their keys and unique values as the source gives them."""
    firsts = (exp.column(first, table="source", quoted=True) for first in same_values(contract))
    rows = exp.select("typed.*", *firsts).from_(aliased(VALUES, "typed"))
    return rows.join(aliased(SOURCE, "source"), on=equal(ROW, "typed", "source"))


def _with_firsts(contract: Contract, keys_differ: bool) -> exp.Select:
    """Return the typed rows, with the first row of the same key or unique value where others have it too."""
    rows = exp.select("typed.*").from_(aliased(VALUES, "typed"))
    for first, names in same_values(contract).items():
        if keys_differ and first == FIRST_OF_KEY:
            rows = rows.select(exp.alias_(as_type(exp.null(), "BIGINT"), first, quoted=True))
            continue
        alias = f"same_{first}"
        same = exp.and_(*(equal(name, "typed", alias) for name in names))
        rows = rows.select(exp.column(first, table=alias, quoted=True))
        rows = rows.join(_repeated(first, names).subquery(alias), on=same, join_type="left")
    return rows


def _repeated(first: str, names: Sequence[str]) -> exp.Select:
    """Return the values that stand in more than one row, and the first of those rows."""
    known = [quoted(name).is_(exp.null()).not_() for name in names]
    many = exp.GT(this=exp.Count(this=exp.Star()), expression=exp.Literal.number(1))
    return (
        exp.select(*(quoted(name) for name in names), exp.alias_(exp.Min(this=quoted(ROW)), first, quoted=True))
        .from_(exp.table_(VALUES, quoted=True))
        .where(*known)
        .group_by(*(quoted(name) for name in names))
        .having(many)
    )


def _fault(rule: Rule, tables: Tables) -> exp.Expr:
    fields = {
        "rule": literal(rule.name),
        "dimension": literal(rule.dimension),
        "severity": literal(rule.severity),
        "reason": tables.at_home(rule.reason),
    }
    entries = [exp.PropertyEQ(this=exp.to_identifier(name), expression=tree) for name, tree in fields.items()]
    return exp.Struct(expressions=entries)


def _without_nulls(array: exp.Expr) -> exp.Expr:
    fault = exp.to_identifier("fault")
    kept = exp.Lambda(this=exp.Column(this=fault.copy()).is_(exp.null()).not_(), expressions=[fault])
    return exp.Anonymous(this="list_filter", expressions=[array, kept])


def _updated(contract: Contract) -> exp.Select:
    """Return the rows that differ from what the table has under their key."""
    known = aliased(KNOWN, "known")
    rows = _noted(contract).join(known, on=equal(ROW, "typed", "known"))
    return rows.where(exp.column("change", table="known").eq(literal("updated")))


def _inserted(contract: Contract) -> exp.Select:
    """Return the rows whose key is new."""
    known = exp.select("1").from_(aliased(KNOWN, "known")).where(equal(ROW, "known", "typed"))
    return _noted(contract).where(_is_refused("typed").not_(), exp.Exists(this=known).not_())


def _is_refused(alias: str) -> exp.Expr:
    refused = exp.select("1").from_(aliased(JUDGED, "judged")).where(equal(ROW, "judged", alias), "judged.refused")
    return exp.Exists(this=refused)


def _noted(contract: Contract) -> exp.Select:
    """Return the typed rows with the notes of where they came from."""
    notes = {
        "_origin": exp.Placeholder(this="origin"),
        "_row": exp.column(ROW, table="typed", quoted=True),
        "_run": exp.Placeholder(this="run"),
    }
    return (
        exp.select(*(exp.column(each.name, table="typed", quoted=True) for each in contract.properties))
        .select(*(exp.alias_(tree, name, quoted=True) for name, tree in notes.items()))
        .from_(aliased(VALUES, "typed"))
    )


def _insert(table: exp.Table, names: Sequence[str], rows: exp.Query) -> exp.Expr:
    into = exp.Schema(this=table, expressions=[exp.to_identifier(name, quoted=True) for name in names])
    return exp.Insert(this=into, expression=rows)


def column_definition(name: str, kind: str) -> exp.Expr:
    """Return a column with its type (DuckDB's word for it) for the statement that makes a table."""
    return exp.ColumnDef(this=exp.to_identifier(name, quoted=True), kind=exp.DataType.build(kind, dialect="duckdb"))


def _assigned(name: str, value: exp.Expr) -> exp.Expr:
    return exp.EQ(this=quoted(name), expression=value)


def _known(name: str) -> exp.Expr:
    return exp.column(name, table="known", quoted=True)
