"""The gate's judgement on Spark: the rows stay where they are, and each executor judges those that it holds.

A contract means the same as in front of a warehouse, for its rules are run by the same DuckDB, in each task. Which rows
share a key is found by Spark; what is measured of all rows is asked in Spark's own SQL, by sqlglot.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

import pyarrow as pa
import sqlglot
from sqlglot import exp

from manara.errors import ManaraError, WrongDefinition
from manara.quality import compile as compiled
from manara.quality import measures
from manara.quality.odcs import Contract
from manara.quality.rules import ROW, Rule, rules_of
from manara.quality.spark_task import Given, Task, judging_task, kinds_of, typing_task
from manara.quality.tables import JUDGED, VALUES, Tables
from manara.quality.values import check_source

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_MAIN = "main"
_COUNTS = """
SELECT count(*) AS n, count_if(__refused) AS refused, count_if(NOT __refused AND __faults IS NOT NULL) AS flagged
FROM __gate_values
"""
_COUNT_RULES = """
SELECT fault.rule AS rule, count(*) AS n FROM (SELECT unnest(faults) AS fault FROM __gate_judged) AS found
GROUP BY 1 ORDER BY 1
"""


@dataclass(kw_only=True)
class Judged:
    """What a contract says of the rows of a DataFrame. Spark keeps them until `release`, or the end of a `with` block.

    `good` has the contract's columns, typed, and `_row`. `refused` has `_row`, `rules`, `reasons` and `payload`, the
    row as it came, as JSON. `flagged` has `_row`, `rules` and `reasons` of the good rows that a warning is about.
    """

    contract: Contract
    good: "DataFrame"
    refused: "DataFrame"
    flagged: "DataFrame"
    _rules: Sequence[Rule]
    _unmapped: Sequence[str]
    _tables: "Mapping[str, DataFrame]"
    _kept: "Sequence[DataFrame]"

    @cached_property
    def output(self) -> dict[str, Any]:
        """The counts, scores and checks as the activity QualityGate gives them; `stopped` tells why not to load.

        Raises WrongDefinition for a query of the contract that Spark cannot run.
        """
        rows = self._kept[-1]
        faults = rows.where("__faults is not null").selectExpr("__refused as refused", "__faults as faults")
        with _Queries(spark=rows.sparkSession) as queries:
            for name, frame in {**self._tables, VALUES: rows, JUDGED: faults}.items():
                queries.add(name, frame)
            counts = queries.query(_COUNTS).read_all().to_pylist()[0]
            rules = queries.query(_COUNT_RULES).read_all().to_pylist()
            checks = measures.measure(queries, self.contract, counts["n"], Tables())
            scores = measures.score(queries, self._rules, checks, counts["n"])
        return {
            "rowsRead": counts["n"], "rowsGood": counts["n"] - counts["refused"], "rowsQuarantined": counts["refused"],
            "rowsFlagged": counts["flagged"], "rules": {row["rule"]: row["n"] for row in rules},
            "stopped": [check.reason for check in checks if check.stops], "quality": measures.told(scores, checks),
            "unmappedColumns": list(self._unmapped), "contract": self.contract.title,
            "contractVersion": self.contract.version,
        }  # fmt: skip

    def release(self) -> None:
        """Let Spark forget the rows."""
        _release(self._kept)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.release()


def judge(
    rows: "DataFrame", contract: Contract, *, tables: "Mapping[str, DataFrame] | None" = None, row: str = ""
) -> Judged:
    """Put the rows against the contract, in Spark.

    `tables` are those that the contract reads, by their names; each task takes a copy of them. `row` is the column with
    the number of each row in its source, all different; without one, the rows get numbers in their order, with gaps
    between the partitions. Raises WrongDefinition where they are not, where a column or table is missing, or where an
    expression cannot be run.
    """
    given = {name.lower(): table for name, table in (tables or {}).items()}
    kept: list[DataFrame] = []
    try:
        read = _read(contract, given)
        numbered = _keep(kept, _numbered(rows, row))
        if row and numbered.select(ROW).distinct().dropna().count() < numbered.count():
            raise WrongDefinition(f"The numbers of the rows in '{row}' are not there or not all different.")
        source = kinds_of(numbered.limit(0).toArrow())
        check_source(contract, source, "the DataFrame")
        for first, names in compiled.same_values(contract).items():
            typing = typing_task(contract, source, read, names)
            typed = _keep(kept, _done(typing, numbered))
            numbered = numbered.join(_doubled(typed, first, names), ROW, "left")
        rules = rules_of(contract)
        judged = _keep(kept, _done(judging_task(contract, source, read, rules), numbered))
    except ManaraError as error:
        _release(kept)
        raise error.at(f"contract '{contract.title}'") from error
    number = f"`{ROW}` as `_row`"
    of_errors = _told("filter(__faults, fault -> fault.severity = 'error')")
    return Judged(
        contract=contract,
        good=judged.where("not __refused").selectExpr(*(_name(each.name) for each in contract.properties), number),
        refused=judged.where("__refused").selectExpr(number, *of_errors, "__payload as payload"),
        flagged=judged.where("not __refused and __faults is not null").selectExpr(number, *_told("__faults")),
        _rules=rules,
        _unmapped=compiled.unmapped(contract, source),
        _tables=given,
        _kept=kept,
    )


def _keep(kept: "list[DataFrame]", frame: "DataFrame") -> "DataFrame":
    kept.append(frame.persist())
    return kept[-1]


def _release(kept: "Sequence[DataFrame]") -> None:
    for frame in kept:
        frame.unpersist()


def _done(task: Task, rows: "DataFrame") -> "DataFrame":
    """Return what comes of the rows when the executors do the task; one that cannot be done is told now."""
    task.try_out(rows.limit(0).toArrow())
    return rows.mapInArrow(task, task.ddl)


def _numbered(rows: "DataFrame", row: str) -> "DataFrame":
    number = f"cast({_name(row)} as bigint)" if row else "monotonically_increasing_id() + 1"
    return rows.selectExpr(f"{number} as `{ROW}`", *(_name(name) for name in rows.columns if name != row))


def _doubled(typed: "DataFrame", first: str, names: Sequence[str]) -> "DataFrame":
    """Return the numbers of the rows whose values others have too, each with that of the first such row."""
    known = typed.where(" and ".join(f"{_name(name)} is not null" for name in names))
    groups = known.groupBy(*names).agg({ROW: "min", "*": "count"}).where("`count(1)` > 1")
    firsts = groups.selectExpr(*(_name(name) for name in names), f"`min({ROW})` as `{first}`")
    return known.join(firsts, list(names)).select(ROW, first)


def _read(contract: Contract, given: "Mapping[str, DataFrame]") -> Given:
    """Return the tables that the contract reads, with the columns that it needs of each."""
    references = [(to.schema_name, to.table) for each in contract.properties for to in each.relationships]
    read = {}
    for schema, name in [*references, *((table.db, table.name) for _, table in compiled.tables_read(contract))]:
        if name.lower() not in given:
            raise WrongDefinition(
                f"The contract reads the table '{name}', which was not given.",
                advice=f"Give its DataFrame: judge(rows, contract, tables={{'{name}': ...}}).",
            )
        wanted = compiled.columns_read(contract, name.lower())
        frame = given[name.lower()]
        columns = [column for column in frame.columns if wanted is None or column.lower() in wanted]
        read[schema or _MAIN, name.lower()] = frame.select(*columns).toArrow()
    return read


def _told(faults: str) -> list[str]:
    return [f"transform({faults}, fault -> fault.{name}) as {name}s" for name in ("rule", "reason")]


def _name(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


@dataclass(kw_only=True)
class _Queries:
    """Answers queries in DuckDB's SQL by Spark, over DataFrames that have names for this while."""

    spark: "SparkSession"
    _views: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, frame: "DataFrame") -> None:
        self._views[name.lower()] = view = f"manara_{uuid4().hex}"
        frame.createOrReplaceTempView(view)

    def query(self, statement: str) -> pa.RecordBatchReader:
        from pyspark.errors import PySparkException  # noqa: PLC0415 # half a gigabyte, for those who have it

        tree = sqlglot.parse_one(statement, dialect="duckdb")
        local = {each.alias.lower() for each in tree.find_all(exp.CTE)}
        for table in list(tree.find_all(exp.Table)):
            view = self._views.get(table.name.lower())
            if view and table.name.lower() not in local:
                alias = table.args.get("alias") or exp.TableAlias(this=table.this.copy())
                table.replace(exp.Table(this=exp.to_identifier(view), alias=alias))
        try:
            rows: pa.Table = self.spark.sql(tree.sql("spark")).toArrow()
        except PySparkException as error:
            raise WrongDefinition(
                f"Spark cannot run the query: {str(error).splitlines()[0]}",
                advice=f"In Spark's SQL: {tree.sql('spark')}",
            ) from error
        return rows.to_reader()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for view in self._views.values():
            self.spark.catalog.dropTempView(view)
