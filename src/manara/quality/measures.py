"""What is measured over all rows of a load: counts against bounds, freshness against service levels, and scores."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlglot import exp

from manara import clock
from manara.quality.odcs import Contract, Dimension, Property, Quality, Severity
from manara.quality.query import Answers, number_of
from manara.quality.rules import SQL_TYPES, Rule, sql_literal
from manara.quality.tables import JUDGED, VALUES, Tables
from manara.quality.trees import quoted, sql, try_type

SIX: Mapping[Dimension, str] = {
    "completeness": "completeness", "coverage": "completeness", "accuracy": "correctness", "consistency": "consistency",
    "timeliness": "timeliness", "uniqueness": "uniqueness", "conformity": "validity",
}  # fmt: skip
"""The six dimensions in which quality is scored, by ODCS's words."""

BOUNDS: Mapping[str, Callable[[float, Any], bool]] = {
    "mustBe": lambda value, bound: value == bound,
    "mustNotBe": lambda value, bound: value != bound,
    "mustBeGreaterThan": lambda value, bound: value > bound,
    "mustBeGreaterOrEqualTo": lambda value, bound: value >= bound,
    "mustBeLessThan": lambda value, bound: value < bound,
    "mustBeLessOrEqualTo": lambda value, bound: value <= bound,
    "mustBeBetween": lambda value, bound: bound[0] <= value <= bound[1],
    "mustNotBeBetween": lambda value, bound: not bound[0] <= value <= bound[1],
}
"""What a measured number can be bound by."""

_DIMENSION: Mapping[str, Dimension] = {
    "rowCount": "completeness", "nullValues": "completeness", "missingValues": "completeness",
    "duplicateValues": "uniqueness", "invalidValues": "conformity",
}  # fmt: skip
REFUSED_SHARE = "maximumRefusedShare"
"""The custom property of a table: which share of its rows may be refused before the load stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was measured: its value, whether it is as it must be, and the sentence that says so."""

    name: str
    dimension: Dimension
    severity: Severity
    value: float | None
    holds: bool
    reason: str

    @property
    def stops(self) -> bool:
        """Whether it ends the load."""
        return not self.holds and self.severity == "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How good the rows of a load are in one of the six dimensions: `rows_broken` of `rows_checked`, and checks."""

    dimension: str
    rows_checked: int
    rows_broken: int
    score: float


def measure(transaction: Answers, contract: Contract, rows: int, tables: Tables) -> list[Check]:
    """Return all that the contract wants measured of the judged rows; `rows` is how many they are."""
    checks = [
        _check(transaction, rule, each, rows, tables)
        for each in contract.properties
        for rule in each.quality
        if rule.is_measured
    ]
    checks += [_check(transaction, rule, None, rows, tables) for rule in contract.table.quality if rule.is_measured]
    checks += _fresh(transaction, contract)
    return checks + _refused(transaction, contract, rows)


def score(transaction: Answers, rules: Sequence[Rule], checks: Sequence[Check], rows: int) -> list[Score]:
    """Return the score of each of the six dimensions that has a rule, from 0 to 1.

    It is the mean of the share of rows that break no rule of the dimension, and of the dimension's checks, which are 1
    or 0 each. An empty load has nothing wrong.
    """
    broken = _broken(transaction)
    found = []
    for dimension in dict.fromkeys(SIX.values()):
        parts = [1.0 if check.holds else 0.0 for check in checks if SIX[check.dimension] == dimension]
        has_rules = any(SIX[rule.dimension] == dimension for rule in rules)
        count = broken.get(dimension, 0)
        if has_rules:
            parts.append(1 - count / rows if rows else 1.0)
        if parts:
            mean = sum(parts) / len(parts)
            found.append(Score(dimension=dimension, rows_checked=rows, rows_broken=count, score=round(mean, 6)))
    return found


def total(scores: Sequence[Score]) -> float | None:
    """Return the mean of the dimensions' scores; None where there is none."""
    return round(sum(each.score for each in scores) / len(scores), 6) if scores else None


def told(scores: Sequence[Score], checks: Sequence[Check]) -> dict[str, Any]:
    """Return scores and checks as an output has them."""
    return {
        "score": total(scores),
        "dimensions": {each.dimension: each.score for each in scores},
        "checks": [{"name": check.name, "value": check.value, "holds": check.holds} for check in checks],
    }


def _check(transaction: Answers, rule: Quality, each: Property | None, rows: int, tables: Tables) -> Check:
    if rule.type == "sql":
        return _asked(transaction, rule, each, tables)
    metric = str(rule.metric)
    count = rows if metric == "rowCount" else _count(transaction, metric, rule, each)
    in_percent = (rule.model_extra or {}).get("unit") == "percent"
    value = (100 * count / rows if rows else 0.0) if in_percent else float(count)
    broken = [f"{key} {bound}" for key, bound in rule.bounds.items() if not BOUNDS[key](value, bound)]
    name = rule.id or (f"{each.name}.{metric}" if each else metric)
    of = f" of {each.name}" if each else ""
    unit = " %" if in_percent else ""
    return Check(
        name=name, dimension=rule.dimension or _DIMENSION[metric], severity=rule.severity, value=value,
        holds=not broken, reason=f"{metric}{of} is {value:g}{unit}" + (f": {', '.join(broken)}" if broken else ""),
    )  # fmt: skip


def _asked(transaction: Answers, rule: Quality, each: Property | None, tables: Tables) -> Check:
    """Return whether the number that the rule's query gives is as it must be; no number is not."""
    value = number_of(transaction, rule, each, tables)
    broken = [f"{key} {bound}" for key, bound in rule.bounds.items() if value is None or not BOUNDS[key](value, bound)]
    told = f"{rule.description or rule.name or rule.id} is {'missing' if value is None else f'{value:g}'}"
    return Check(
        name=str(rule.id), dimension=rule.dimension or "consistency", severity=rule.severity, value=value,
        holds=not broken, reason=told + (f": {', '.join(broken)}" if broken else ""),
    )  # fmt: skip


def _count(transaction: Answers, metric: str, rule: Quality, each: Property | None) -> int:
    if each is None:
        return 0
    column = quoted(each.name)
    if metric == "duplicateValues":
        told: exp.Expr = exp.Count(this=column) - exp.Count(this=exp.Distinct(expressions=[column.copy()]))
    else:
        condition: exp.Expr = column.is_(exp.null())
        if metric == "invalidValues":
            literals = [sql_literal(value, each.logical_type) for value in rule.valid_values or ()]
            condition = exp.In(this=column, expressions=literals).not_()
        told = exp.Anonymous(this="count_if", expressions=[condition])
    query = exp.select(exp.alias_(told, "n")).from_(exp.table_(VALUES, quoted=True))
    return int(transaction.query(sql(query)).read_all().to_pylist()[0]["n"])


def _fresh(transaction: Answers, contract: Contract) -> list[Check]:
    """Return whether the newest value of each column with a latency is young enough."""
    columns = {each.name.lower(): each for each in contract.properties}
    checks = []
    for level in contract.sla_properties:
        each = columns.get(level.column.lower())
        if level.named.lower() not in ("latency", "freshness") or level.seconds is None or each is None:
            continue
        newest = exp.Max(this=try_type(quoted(each.name), SQL_TYPES["timestamp"]))
        query = exp.select(exp.alias_(newest, "newest")).from_(exp.table_(VALUES, quoted=True))
        found: datetime | None = transaction.query(sql(query)).read_all().to_pylist()[0]["newest"]
        if found is None:
            continue
        age = clock.now().replace(tzinfo=None) - found
        holds = age <= timedelta(seconds=level.seconds)
        told = f"the newest {each.name} is of {found:%Y-%m-%d %H:%M}, {age.days} days old"
        checks.append(
            Check(
                name=f"{each.name}.latency", dimension="timeliness", severity=level.severity,
                value=round(age.total_seconds() / 86_400, 3), holds=holds,
                reason=told + ("" if holds else f", and may be {level.value} {level.unit}"),
            )
        )  # fmt: skip
    return checks


def _refused(transaction: Answers, contract: Contract, rows: int) -> list[Check]:
    """Return whether no more rows are refused than the contract allows."""
    most = contract.table.custom(REFUSED_SHARE)
    if most is None or not rows:
        return []
    query = exp.select("count(*) as n").from_(exp.table_(JUDGED, quoted=True)).where("refused")
    count = int(transaction.query(sql(query)).read_all().to_pylist()[0]["n"])
    holds = count / rows <= float(most)
    told = f"{count:,} of {rows:,} rows are refused, {count / rows:.1%}"
    return [
        Check(
            name="refused-share", dimension="conformity", severity="error", value=round(count / rows, 6), holds=holds,
            reason=told + ("" if holds else f", and at most {float(most):.1%} may be"),
        )
    ]  # fmt: skip


def _broken(transaction: Answers) -> dict[str, int]:
    """Return how many rows break a rule of each of the six dimensions."""
    query = (
        "SELECT dimension, count(*) AS n FROM "  # noqa: S608
        f'(SELECT unnest(list_distinct(list_transform(faults, lambda f: f.dimension))) AS dimension FROM "{JUDGED}") '
        "GROUP BY 1"
    )
    found: dict[str, int] = {}
    for row in transaction.query(query).read_all().to_pylist():
        dimension = SIX[row["dimension"]]
        found[dimension] = max(found.get(dimension, 0), int(row["n"]))
    return found
