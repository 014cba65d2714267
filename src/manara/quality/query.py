"""Rules of type sql: a query of the contract's author that gives one number of the whole load."""

import math
import re
from collections.abc import Sequence
from typing import Protocol

import pyarrow as pa
from sqlglot import exp

from manara.errors import ManaraError, WrongDefinition
from manara.quality.expression import read_expression
from manara.quality.odcs import Contract, Property, Quality
from manara.quality.tables import VALUES, Tables
from manara.quality.trees import quoted, sql

_PLACE = re.compile(r"\$?\{([A-Za-z]\w*)\}")
_OBJECT, _PROPERTY = ("object", "table"), ("property", "column")
_ADVICE = "Write one query that gives one number, such as SELECT count(*) FROM {object} WHERE {property} < 0."


class Answers(Protocol):
    """What answers queries about the judged rows, in DuckDB's SQL: the bench, or Spark."""

    def query(self, statement: str) -> pa.RecordBatchReader:
        """Return the rows of a query."""


def read_query(rule: Quality, each: Property | None) -> exp.Expr:
    """Return the query of a rule as an expression: `{object}` are the rows of the load, `{property}` is the column.

    Both may be written as `${object}`, and as `{table}` and `{column}` (ODCS 3.0 and 3.1 differ). Raises
    WrongDefinition for what is no query, does more than to read the warehouse, or has a place that is not known.
    """
    text = rule.query
    if not isinstance(text, str) or not text.strip(" ;\n\t"):
        raise WrongDefinition("The rule has no query.", advice=_ADVICE)

    def put(place: re.Match[str]) -> str:
        if place[1] in _OBJECT:
            return sql(exp.table_(VALUES, quoted=True))
        if place[1] in _PROPERTY and each is not None:
            return sql(quoted(each.name))
        known = [*_OBJECT, *(_PROPERTY if each is not None else ())]
        raise WrongDefinition(f"The place '{place[0]}' is not known here.", advice=f"Known are: {', '.join(known)}.")

    tree = read_expression(f"({_PLACE.sub(put, text).strip().rstrip(';')}\n)")
    if not isinstance(tree, exp.Subquery):
        raise WrongDefinition(f"'{text.strip()}' is no query.", advice=_ADVICE)
    return tree


def queries_of(contract: Contract) -> Sequence[tuple[str, exp.Expr]]:
    """Return the queries of the contract, each with the id of its rule."""
    found: list[tuple[Quality, Property | None]] = [(rule, None) for rule in contract.table.quality]
    found += [(rule, each) for each in contract.properties for rule in each.quality]
    return [(str(rule.id), read_query(rule, each)) for rule, each in found if rule.type == "sql"]


def number_of(transaction: Answers, rule: Quality, each: Property | None, tables: Tables) -> float | None:
    """Return the number that the rule's query gives; None where it gives none (NULL, NaN, infinity).

    Raises WrongDefinition where it gives what is no number, or cannot be run.
    """
    query = exp.select(exp.alias_(tables.at_home(read_query(rule, each)), "n"))
    try:
        value = transaction.query(sql(query)).read_all().to_pylist()[0]["n"]
    except ManaraError as error:
        raise error.at(f"rule '{rule.id}'") from error
    try:
        number = math.nan if value is None else float(value)
    except (TypeError, ValueError) as error:
        told = f"The query gives '{value}', which is no number."
        raise WrongDefinition(told, where=f"rule '{rule.id}'", advice=_ADVICE) from error
    return number if math.isfinite(number) else None
