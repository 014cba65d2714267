"""What the gate notes, and what it makes of refused rows: the statements of gate.sql, put in place."""

import importlib.resources
import re
from collections.abc import Mapping, Sequence
from functools import cache

import sqlglot
from sqlglot import exp

from manara.quality.compile import column_definition, create_good
from manara.quality.odcs import Contract
from manara.quality.rules import ROW
from manara.quality.tables import SOURCE, Tables
from manara.quality.trees import aliased, as_type, literal, quoted

_OWN = (
    "quarantine", "quality_finding", "quarantine_fix", "quarantine_event", "gate_target", "quality_score",
    "quality_check", "quality_metric",
)  # fmt: skip
"""The tables of the gate itself."""


def creations(contract: Contract, tables: Tables) -> list[tuple[exp.Table, exp.Expr]]:
    """Return the tables that the gate needs, each with the statement that makes it where it is missing."""
    own = [(tables.named(name), notes(f"create_{name}", tables)) for name in _OWN]
    return [(tables.good_table, create_good(contract, tables)), *own]


def notes(name: str, tables: Tables) -> exp.Expr:
    """Return the statement called `name` of gate.sql, with the schema put before this gate's own tables."""
    tree = sqlglot.parse_one(_statements()[name], dialect="duckdb")
    for table in list(tree.find_all(exp.Table)):
        if table.name in _OWN:
            named = tables.named(table.name)
            named.set("alias", table.args.get("alias"))
            table.replace(named)
    return tree


def refused_rows(contract: str, origin: str, source: Mapping[str, bool]) -> exp.Query:
    """Return the refused rows as quarantine keeps them, each whole, with the rules that refused it."""
    values = {"payload": _payload(source), "contract": literal(contract), "origin": literal(origin)}
    tree = sqlglot.parse_one(_statements()["refused_rows"], dialect="duckdb")
    for place in list(tree.find_all(exp.Placeholder, exp.Parameter)):
        place.replace(values[place.name])
    assert isinstance(tree, exp.Query)  # noqa: S101 # our own statement
    return tree


def found_faults() -> exp.Query:
    """Return each fault of each row."""
    tree = sqlglot.parse_one(_statements()["found_faults"], dialect="duckdb")
    assert isinstance(tree, exp.Query)  # noqa: S101 # our own statement
    return tree


def source_payloads(source: Mapping[str, bool], rows: Sequence[int]) -> exp.Expr:
    """Return the query that gives, for some rows of the source, what quarantine would keep of them."""
    wanted = exp.In(this=quoted(ROW), expressions=[exp.Literal.number(row) for row in rows])
    picked = exp.select(quoted(ROW), exp.alias_(as_type(_payload(source), "VARCHAR"), "payload"))
    return picked.from_(aliased(SOURCE, "source")).where(wanted)


def storable(column: str) -> exp.Expr:
    """Return a column of REFUSED or FINDINGS as a text that every warehouse can keep: NUL as its picture, U+2400."""
    return exp.alias_(sqlglot.parse_one(_STORABLE.get(column, _STORABLE_TEXT), dialect="duckdb"), column, quoted=True)


_STORABLE_TEXT = "replace(reason, chr(0), '\u2400')"
_STORABLE = {
    "payload": "CAST(payload AS VARCHAR)",
    "rules": "CAST(to_json(list_transform(rules, each -> replace(each, chr(0), '\u2400'))) AS VARCHAR)",
    "reasons": "CAST(to_json(list_transform(reasons, each -> replace(each, chr(0), '\u2400'))) AS VARCHAR)",
}
"""JSON spells NUL in letters, so that a payload may hold one."""


def temporary_columns(name: str, kinds: Mapping[str, str]) -> exp.Expr:
    """Return the statement that makes an empty temporary table with columns of these types."""
    columns = [column_definition(column, kind) for column, kind in kinds.items()]
    return exp.Create(
        this=exp.Schema(this=exp.table_(name, quoted=True), expressions=columns),
        kind="TABLE",
        properties=exp.Properties(expressions=[exp.TemporaryProperty()]),
    )


def _payload(source: Mapping[str, bool]) -> exp.Expr:
    """Return the source row as JSON, whole; a number that JSON has no word for (NaN) goes in as a text."""
    pairs: list[exp.Expr] = []
    for name in source:
        value = exp.column(name, table="source", quoted=True)
        pairs += [literal(name), value if source[name] else _json(value)]
    return exp.Anonymous(this="json_object", expressions=pairs)


def _json(value: exp.Expr) -> exp.Expr:
    as_json = exp.Anonymous(this="to_json", expressions=[value])
    as_text = exp.Anonymous(this="to_json", expressions=[as_type(value.copy(), "VARCHAR")])
    odd = exp.In(this=as_type(value.copy(), "VARCHAR"), expressions=[literal(word) for word in ("nan", "inf", "-inf")])
    return exp.case().when(odd, as_text).else_(as_json)


@cache
def _statements() -> dict[str, str]:
    text = importlib.resources.files("manara.quality").joinpath("gate.sql").read_text("utf-8")
    return dict(re.findall(r"^-- name: (\w+)\n(.*?);$", text, re.DOTALL | re.MULTILINE))
