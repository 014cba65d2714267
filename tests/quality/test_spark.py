"""On Spark a contract says of every row what it says in front of a warehouse.

Spark is large (650 MB) and needs Java, so that its tests have a target of their own: make test-spark.
"""

import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.quality.conftest import Gate, contract_text, table

from manara.errors import WrongDefinition
from manara.quality.contract import read_contract

pytest.importorskip("pyspark", reason="pyspark is not here: run `make test-spark`")

from pyspark.sql import DataFrame, SparkSession

from manara.quality.spark import Judged, judge

Json = Mapping[str, Any]

PROPERTIES: list[Json] = [
    {"name": "code", "primaryKey": True, "logicalTypeOptions": {"pattern": "^F[0-9]+$", "maxLength": 4}},
    {"name": "day", "primaryKey": True, "logicalType": "date", "logicalTypeOptions": {"minimum": "2020-01-01"}},
    {"name": "serial", "logicalType": "integer", "unique": True, "logicalTypeOptions": {"minimum": 0},
     "quality": [{"id": "few-blanks", "type": "library", "metric": "nullValues", "mustBeLessThan": 1000},
                 {"id": "twice", "type": "library", "metric": "duplicateValues", "unit": "percent",
                  "mustBeLessThan": 101}]},
    {"name": "share", "logicalType": "number", "logicalTypeOptions": {"minimum": 0, "exclusiveMaximum": 1},
     "customProperties": [{"property": "missingValues", "value": ["n/a"]}]},
    {"name": "seen", "logicalType": "timestamp"},
    {"name": "open", "logicalType": "boolean"},
    {"name": "district", "relationships": [{"to": "place.code"}]},
    {"name": "kind", "quality": [{"type": "library", "metric": "invalidValues", "severity": "warning",
                                  "arguments": {"validValues": ["post", "clinic"]}}]},
    {"name": "total", "logicalType": "integer", "transformLogic": "cast(serial as integer) * 2"},
]  # fmt: skip
RULES: list[Json] = [
    {"id": "even", "type": "custom", "engine": "manara", "implementation": "serial % 2 = 0 or share is null",
     "dimension": "consistency"},
    {"id": "late", "type": "custom", "engine": "manara", "implementation": "seen <= day + interval 1 month",
     "dimension": "timeliness", "severity": "warning"},
    {"id": "listed", "type": "custom", "engine": "manara",
     "implementation": "exists (select 1 from place where place.code = target.district and place.is_open)"},
    {"id": "districts", "type": "sql", "mustBeGreaterThan": 0,
     "query": "select count(distinct district) from {object} where serial >= 0"},
    {"id": "places", "type": "sql", "query": "select count(*) from place where code is not null", "mustBe": 2},
]  # fmt: skip
CONTRACT = contract_text(PROPERTIES, RULES)
PLACES = [{"code": "D1", "is_open": True}, {"code": "D2", "is_open": False}, {"code": None, "is_open": None}]
SPELLINGS: dict[str, list[str | None]] = {
    "code": ["F1", "F12", " F1", "F12345", "f1", "", "  ", "\u00a0", None, "F1\n", "F٣"],
    "day": ["2024-01-31", "2019-12-31", "31/01/2024", "2024-02-30", "", None, "2024-01-31T00:00:00"],
    "serial": ["0", "12", "-1", "1.0", "1e3", "1,5", "9" * 30, "", None, "٣"],
    "share": ["0.5", ".5", "1", "-0.0", "nan", "inf", "n/a", "1e-3", "", None, "0,5"],
    "seen": ["2024-01-31 10:00", "2024-01-31T10:00:00+03:00", "2025-06-01", "noon", "", None],
    "open": ["yes", "TRUE", "0", "maybe", "", None],
    "district": ["D1", "D2", "D3", "d1", "", None],
    "kind": ["post", "clinic", "tent", "", None],
}
TYPED = pa.table({
    "code": ["F1", "F2", "F2", "F3"],
    "day": [date(2024, 1, 31), date(2024, 1, 31), date(2024, 1, 31), None],
    "serial": pa.array([2, 4, 4, None], pa.int32()),
    "share": [0.5, float("nan"), float("inf"), 0.25],
    "seen": pa.array([1_706_695_200_000_000, None, -315_619_200_000_000, 5], pa.timestamp("us", "UTC")),
    "open": [True, False, None, True],
    "district": ["D1", "D1", "D1", "D2"],
    "kind": [Decimal("1.50"), Decimal("2.00"), None, Decimal("-3.25")],
    "more": [["a", "b"], None, [], ["c"]],
})  # fmt: skip


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    folder = tmp_path_factory.mktemp("spark")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        session = started(folder)
        yield session
        session.stop()


def started(folder: Path) -> SparkSession:
    told = {
        "spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "2",
        "spark.sql.session.timeZone": "Asia/Kabul",
        "spark.sql.warehouse.dir": str(folder), "spark.local.dir": str(folder),
    }  # fmt: skip
    session = SparkSession.builder.master("local[2]").config(map=told).getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    return session


def many(count: int) -> list[dict[str, str | None]]:
    """Return rows with one odd value each, and as many in which every value may be odd."""
    chance = random.Random(7)  # noqa: S311 # test data
    rows = []
    for number in range(2 * count):
        good = {name: values[0] for name, values in SPELLINGS.items()} | {
            "code": f"F{number}",
            "serial": f"{2 * number}",
        }
        odd = list(SPELLINGS) if number < count else [chance.choice(list(SPELLINGS))]
        rows.append(good | {name: chance.choice([good[name], *SPELLINGS[name]]) for name in odd})
    return rows


def frame(spark: SparkSession, rows: pa.Table) -> DataFrame:
    numbered = rows.append_column("line", pa.array(range(1, rows.num_rows + 1)))
    return spark.createDataFrame(numbered).repartition(3)


def listed(rows: DataFrame) -> dict[int, dict[str, Any]]:
    told = rows.toArrow().to_pylist()
    return {row.pop("_row"): row for row in sorted(told, key=lambda row: row["_row"])}


def in_front_of_a_warehouse(gate: Gate, rows: pa.Table) -> tuple[dict[int, Any], dict[int, Any], dict[str, Any]]:
    """Return the good rows, the refused ones and the output as the gate gives them."""
    gate.do(
        "create table place (code varchar, is_open boolean)",
        "insert into place values ('D1', true), ('D2', false), (null, null)",
    )
    output = gate.take(CONTRACT, rows)
    good = (
        gate.warehouse.query("select * exclude (_origin, _run) from stock_clean order by _row").read_all().to_pylist()
    )
    query = "select row_number as _row, rules, reasons, cast(payload as varchar) as payload from quarantine order by 1"
    refused = gate.warehouse.query(query).read_all().to_pylist()
    return {row.pop("_row"): row for row in good}, {row.pop("_row"): row for row in refused}, output


@pytest.mark.parametrize("rows", [table(many(400)), TYPED], ids=["texts", "typed"])
def test_spark_says_of_each_row_what_the_gate_says(spark: SparkSession, gate: Gate, rows: pa.Table) -> None:
    contract = read_contract(CONTRACT, "contract/stock.yaml")
    places = spark.createDataFrame(PLACES, "code string, is_open boolean")
    good, refused, output = in_front_of_a_warehouse(gate, rows)
    with judge(frame(spark, rows), contract, tables={"place": places}, row="line") as judged:
        assert listed(judged.good) == good
        assert listed(judged.refused) == refused
        told = judged.output
        flagged = listed(judged.flagged)
    counts = ("rowsRead", "rowsQuarantined", "rowsFlagged", "rules", "unmappedColumns", "contract", "contractVersion")
    assert {name: told[name] for name in counts} == {name: output[name] for name in counts}
    assert {check["name"]: check["value"] for check in told["quality"]["checks"]} == {
        check["name"]: check["value"] for check in output["quality"]["checks"]
    }
    assert told["rowsGood"] == output["rowsLoaded"]
    assert len(flagged) == output["rowsFlagged"]
    assert len(refused) > 1
    assert good


def one(spark: SparkSession, *columns: str) -> DataFrame:
    return spark.createDataFrame([tuple("1" for _ in columns)], list(columns))


def stop(judged: Judged) -> Any:
    return judged.output["stopped"]


def test_without_numbers_rows_get_some_and_the_first_of_a_key_is_the_good_one(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("a", str(n)) for n in range(5)] + [("b", "9")], ["code", "n"]).coalesce(1)
    contract = read_contract(contract_text([{"name": "code", "primaryKey": True}, {"name": "n"}]), "c.yaml")
    with judge(rows, contract) as judged:
        assert listed(judged.good) == {1: {"code": "a", "n": "0"}, 6: {"code": "b", "n": "9"}}
        assert [row["reasons"] for row in listed(judged.refused).values()] == [
            ["code 'a' is the same key as row 1"]
        ] * 4


def test_a_measure_out_of_its_bounds_says_stop(spark: SparkSession) -> None:
    few = {"id": "few", "type": "library", "metric": "rowCount", "mustBeGreaterThan": 5}
    contract = read_contract(contract_text([{"name": "code", "primaryKey": True}], [few]), "c.yaml")
    with judge(one(spark, "code"), contract) as judged:
        assert stop(judged) == ["rowCount is 1: mustBeGreaterThan 5"]


@pytest.mark.parametrize(
    ("properties", "quality", "columns", "message"),
    [
        ([{"name": "v", "required": True}], [], ["code"], "has no column 'v'"),
        ([{"name": "v", "relationships": [{"to": "place.code"}]}], [], ["code", "v"],
         "reads the table 'place', which was not given"),
        ([{"name": "v", "transformLogic": "no_such_function(v)"}], [], ["code", "v"], "no_such_function"),
        ([], [{"id": "x", "type": "custom", "engine": "manara", "implementation": "levenstein(code, 'a') > 1"}],
         ["code"], "levenstein"),
    ],
)  # fmt: skip
def test_what_cannot_be_judged_is_told_at_once(
    spark: SparkSession, properties: list[Json], quality: list[Json], columns: Sequence[str], message: str
) -> None:
    contract = read_contract(contract_text([{"name": "code", "primaryKey": True}, *properties], quality), "c.yaml")
    with pytest.raises(WrongDefinition) as caught:
        judge(one(spark, *columns), contract)
    assert message in str(caught.value)
    assert "contract 'stock'" in str(caught.value)


def test_numbers_that_stand_twice_are_told_and_no_row_is_doubled(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("a", 1), ("b", 1)], ["code", "line"])
    contract = read_contract(contract_text([{"name": "code", "primaryKey": True}]), "c.yaml")
    with pytest.raises(WrongDefinition, match="'line' are not there or not all different"):
        judge(rows, contract, row="line")


def test_a_query_that_spark_cannot_run_is_told_with_its_sql(spark: SparkSession) -> None:
    odd = {"id": "odd", "type": "sql", "query": "select damerau_levenshtein('a', max(code)) from {object}", "mustBe": 1}
    contract = read_contract(contract_text([{"name": "code", "primaryKey": True}], [odd]), "c.yaml")
    with (
        judge(one(spark, "code"), contract) as judged,
        pytest.raises(WrongDefinition, match="Spark cannot run") as caught,
    ):
        stop(judged)
    assert "rule 'odd'" in str(caught.value)
