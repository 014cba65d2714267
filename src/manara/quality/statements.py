"""What the gate notes, and what it makes of refused rows: the statements of gate.sql, put in place."""

import importlib.resources
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial

import sqlglot
from sqlglot import exp

from manara.quality.compile import column_definition, create_good
from manara.quality.odcs import Contract
from manara.quality.rules import ROW
from manara.quality.tables import SOURCE, Tables
from manara.quality.trees import DUCKDB, aliased, as_type, literal, quoted, sql

_OWN = (
    "quarantine", "quality_finding", "quarantine_fix", "quarantine_event", "gate_target", "quality_score",
    "quality_check", "quality_metric",
)  # fmt: skip
"""The tables of the gate itself."""
_WITH_NAN = frozenset({"FLOAT", "DOUBLE"})


def creations(contract: Contract, tables: Tables) -> list[tuple[exp.Table, Callable[[], str]]]:
    """Return the tables that the gate needs, each with what gives the statement that makes it where it is missing."""
    own = [(tables.named(name), partial(notes, f"create_{name}", tables)) for name in _OWN]
    return [(tables.good_table, lambda: sql(create_good(contract, tables), tables.dialect)), *own]


def notes(name: str, tables: Tables) -> str:
    """Return the statement called `name` of gate.sql, with the schema put before this gate's own tables."""
    return _placed(name, tables.house, tables.dialect)


@cache
def _placed(name: str, house: str, dialect: str) -> str:
    placed = _statements()[name].format(house=sql(exp.to_identifier(house, quoted=True)))
    return placed if dialect == DUCKDB else sql(sqlglot.parse_one(placed, dialect="duckdb"), dialect)


def refused_rows(contract: str, origin: str, source: Mapping[str, str]) -> str:
    """Return the statement for the view of the refused rows, each whole, with the rules that refused it."""
    told = {"contract": literal(contract), "origin": literal(origin), "payload": _payload(source)}
    return _statements()["refused_rows"].format_map({name: sql(value) for name, value in told.items()})


def judged_rows(columns: Iterable[str], source: Mapping[str, str]) -> str:
    """Return the query for all rows: their values in these columns, whether refused, their faults and payloads."""
    told = ", ".join(sql(exp.column(name, table="typed", quoted=True)) for name in columns)
    return _statements()["judged_rows"].format(columns=told, payload=sql(_payload(source)))


def found_faults() -> str:
    """Return the statement for the view of each fault of each row."""
    return _statements()["found_faults"]


def source_payloads(source: Mapping[str, str], rows: Sequence[int]) -> exp.Expr:
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


def _payload(source: Mapping[str, str]) -> exp.Expr:
    """Return the source row as JSON, whole; a number that JSON has no word for (NaN) goes in as a text."""
    pairs: list[exp.Expr] = []
    for name, kind in source.items():
        value = exp.column(name, table="source", quoted=True)
        pairs += [literal(name), _number(value) if kind in _WITH_NAN else value]
    return exp.Anonymous(this="json_object", expressions=pairs)


def _number(value: exp.Expr) -> exp.Expr:
    as_json = exp.Anonymous(this="to_json", expressions=[value])
    as_text = exp.Anonymous(this="to_json", expressions=[as_type(value.copy(), "VARCHAR")])
    return exp.case().when(exp.Anonymous(this="isfinite", expressions=[value.copy()]), as_json).else_(as_text)


@cache
def _statements() -> dict[str, str]:
    text = importlib.resources.files("manara.quality").joinpath("gate.sql").read_text("utf-8")
    return dict(re.findall(r"^-- name: (\w+)\n(?:--[^\n]*\n)*(.*?);$", text, re.DOTALL | re.MULTILINE))
