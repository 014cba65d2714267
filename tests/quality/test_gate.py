from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlglot import exp
from tests.quality.conftest import IN_BOTH, Gate, contract_text

from manara.errors import Broken, Cancelled, ManaraError, WrongDefinition

KEY: dict[str, Any] = {"name": "code", "primaryKey": True}
COUNT: dict[str, Any] = {"name": "quantity", "logicalType": "integer"}
DAYS = [{"property": "formats", "value": ["%d-%b-%y", "%m/%d/%Y", "%Y-%m-%d"]}]
UNKNOWN = [{"property": "missingValues", "value": ["Date Not Captured", "Pre-PQ Process"]}]


def custom(implementation: str, **more: Any) -> dict[str, Any]:
    return {"id": "rule", "type": "custom", "engine": "manara", "implementation": implementation} | more


def values(*valid: Any) -> list[Any]:
    return [{"type": "library", "metric": "invalidValues", "arguments": {"validValues": list(valid)}}]


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ({}, " kept as it is ", " kept as it is "),
        ({}, " \t\u00a0", None),
        ({}, "", None),
        ({}, None, None),
        ({"customProperties": UNKNOWN}, "Pre-PQ Process", None),
        ({"logicalType": "integer"}, "12", 12),
        ({"logicalType": "integer"}, " 12.0 ", 12),
        ({"logicalType": "integer"}, "-9007199254740993", -9007199254740993),
        ({"logicalType": "number"}, "1234.5", 1234.5),
        ({"logicalType": "number"}, ".5", 0.5),
        ({"logicalType": "boolean"}, "YES", True),
        ({"logicalType": "boolean"}, "0", False),
        ({"logicalType": "date"}, "2024-02-29", "2024-02-29"),
        ({"logicalType": "date"}, "2024-02-29T00:00:00", "2024-02-29"),
        ({"logicalType": "date", "customProperties": DAYS}, "2-Jun-06", "2006-06-02"),
        ({"logicalType": "date", "customProperties": DAYS}, "06/02/2006", "2006-06-02"),
        ({"logicalType": "date", "customProperties": DAYS + UNKNOWN}, "Date Not Captured", None),
        ({"logicalType": "timestamp"}, "2024-01-05T10:00:00+02:00", "2024-01-05 08:00:00"),
        ({"logicalType": "timestamp"}, "2024-01-05T10:00:00.000+0000", "2024-01-05 10:00:00"),
        ({"logicalType": "timestamp"}, "2024-01-05 10:00", "2024-01-05 10:00:00"),
        ({"transformLogic": "upper(trim(v))"}, " ab ", "AB"),
        ({"logicalType": "number", "transformLogic": "try_cast(v as double)"}, "See DN-304", None),
        ({"logicalType": "number", "transformLogic": "replace(v, ',', '')"}, "1,234.5", 1234.5),
        ({"logicalType": "date", "transformLogic": "strptime(v, '%Y%m')"}, "202403", "2024-03-01"),
        ({"transformLogic": "(select max(name) from facility f where f.code = source.v)"}, "F1", "One"),
        ({"transformLogic": "coalesce(shout(v), 'none')"}, "a", "A!"),
    ],
)
def test_a_text_becomes_a_value(gate: Gate, field: dict[str, Any], text: str | None, value: object) -> None:
    gate.do(
        "create table facility as select 'F1' as code, 'One' as name",
        "create macro shout(word) as upper(word) || '!'",
    )
    output = gate.take(contract_text([KEY, {"name": "v"} | field]), [{"code": "a", "v": text}], columns=["code", "v"])
    assert gate.refused() == {}
    shown = "v" if field.get("logicalType") not in ("date", "timestamp") else "v::varchar"
    assert gate.ask(f"select {shown} from stock_clean") == [(value,)]
    assert output["rowsLoaded"] == 1


NUMBER: dict[str, Any] = {"logicalType": "number"}
LATE = "breaks 'Reported in time': day is 2024-03-01"


@pytest.mark.parametrize(
    ("rule", "field", "text", "reason"),
    [
        ("v.required", {"required": True}, "", "v is missing"),
        ("v.required", {"required": True, "logicalType": "integer"}, " ", "v is missing"),
        ("v.type", {"logicalType": "integer"}, "12.5", "v '12.5' is not a whole number"),
        ("v.type", {"logicalType": "integer"}, "1_000", "v '1_000' is not a whole number"),
        ("v.type", {"logicalType": "integer"}, "99999999999999999999", ANY),
        ("v.type", NUMBER, "1,234.5", "v '1,234.5' is not a number"),
        ("v.type", NUMBER, "1\u2009234", "v '1\u2009234' is not a number"),
        ("v.type", NUMBER, "nan", "v 'nan' is not a number"),
        ("v.type", NUMBER, "1e3", "v '1e3' is not a number"),
        ("v.type", {"logicalType": "boolean"}, "maybe", "v 'maybe' is not true or false"),
        ("v.type", {"logicalType": "date"}, "05/06/2024", "v '05/06/2024' is not a date such as 2024-01-31"),
        ("v.type", {"logicalType": "date"}, "2023-02-29", "v '2023-02-29' is not a date such as 2024-01-31"),
        ("v.type", {"logicalType": "date"}, "infinity", ANY),
        (
            "v.type",
            {"logicalType": "date", "customProperties": DAYS},
            "31.12.2024",
            "v '31.12.2024' is not a date such as 31-Jan-24 or 01/31/2024 or 2024-01-31",
        ),
        ("v.type", {"logicalType": "date", "customProperties": DAYS}, "6/2/06", ANY),
        (
            "v.type",
            {"logicalType": "timestamp"},
            "noon",
            "v 'noon' is not a date with time such as 2024-01-31T13:45:00",
        ),
        ("v.type", {"transformLogic": "cast(v as int)"}, "x", "v cannot be computed from the columns of its source"),
        ("v.range", NUMBER | {"logicalTypeOptions": {"minimum": 0}}, "-5", "v is -5, must be at least 0"),
        (
            "v.range",
            NUMBER | {"logicalTypeOptions": {"exclusiveMinimum": 0, "maximum": 9.5}},
            "0",
            "v is 0, must be more than 0 and at most 9.5",
        ),
        ("v.range", NUMBER | {"logicalTypeOptions": {"exclusiveMaximum": -1}}, "-1", "v is -1, must be less than -1"),
        (
            "v.range",
            {"logicalType": "date", "logicalTypeOptions": {"minimum": "2020-01-01"}},
            "2019-12-31",
            "v is 2019-12-31, must be at least 2020-01-01",
        ),
        ("v.pattern", {"logicalTypeOptions": {"pattern": r"^\d{6}$"}}, "2024-1", r"v '2024-1' does not match ^\d{6}$"),
        ("v.length", {"logicalTypeOptions": {"minLength": 3}}, "ab", "v 'ab' has a length of 2, must have at least 3"),
        ("v.length", {"logicalTypeOptions": {"maxLength": 1}}, "ab", "v 'ab' has a length of 2, must have at most 1"),
        ("v.values", {"quality": values("Air", "it's")}, "Boat", "v 'Boat' is not one of Air, it's"),
        ("v.values", {"logicalType": "integer", "quality": values(1, 2)}, "3", "v '3' is not one of 1, 2"),
        ("v.reference", {"relationships": [{"to": "facility.code"}]}, "X9", "v 'X9' is not in facility.code"),
        ("v.reference", {"relationships": [{"to": "main.facility.code"}]}, "X9", "v 'X9' is not in main.facility.code"),
        ("rule", {"quality": [custom("v <> 'x'", name="No x")]}, "x", "breaks 'No x': v is x"),
        (
            "rule",
            {"quality": [custom("v in (select code from facility where code is not null)")]},
            "x",
            "breaks 'rule': v is x",
        ),
        ("rule", {"quality": [custom("cast(v as int) > 0")]}, "x", "breaks 'rule': v is x"),
    ],
)
def test_a_row_is_refused_with_the_rule_and_a_reason(
    gate: Gate, rule: str, field: dict[str, Any], text: str, reason: str
) -> None:
    gate.do("create table facility as select unnest(['F1', null]) as code")
    contract = contract_text([KEY, {"name": "v"} | field])
    output = gate.take(contract, [{"code": "a", "v": text}], columns=["code", "v"])
    assert output["rules"] == {rule: 1}
    assert gate.ask("select rules, reasons from quarantine") == [([rule], [reason])]
    assert (output["rowsQuarantined"], gate.ask("select * from stock_clean")) == (1, [])


@pytest.mark.parametrize(
    "field",
    [
        {"logicalTypeOptions": {"pattern": "x", "minLength": 3}},
        {"logicalType": "integer", "logicalTypeOptions": {"minimum": 5}},
        {"quality": values("a")},
        {"relationships": [{"to": "facility.code"}]},
        {"unique": True},
        {"quality": [custom("v > 'a'")]},
    ],
)
def test_a_missing_value_breaks_no_rule_but_required(gate: Gate, field: dict[str, Any]) -> None:
    gate.do("create table facility as select 'F1' as code")
    rows: list[dict[str, Any]] = [{"code": "a", "v": ""}, {"code": "b", "v": None}]
    assert gate.take(contract_text([KEY, {"name": "v"} | field]), rows)["rowsLoaded"] == 2


@IN_BOTH
def test_the_first_row_of_a_key_stands(gate: Gate) -> None:
    keys = [KEY, {"name": "period", "primaryKey": True}, {"name": "v"}]
    rows = [{"code": c, "period": "202401", "v": v} for c, v in (("a", "1"), ("b", "1"), ("a", "1"), ("a", "2"))]
    output = gate.take(contract_text(keys), rows)
    reason = "code 'a', period '202401' is the same key as row 1"
    assert gate.refused() == {3: [reason], 4: [reason]}
    assert output["rules"] == {"key.duplicate": 2}


def test_a_key_that_is_missing_is_no_duplicate(gate: Gate) -> None:
    output = gate.take(contract_text([KEY]), [{"code": ""}, {"code": ""}])
    assert output["rules"] == {"code.required": 2}


@IN_BOTH
def test_a_unique_value_may_stand_once(gate: Gate) -> None:
    rows = [{"code": "a", "v": "1"}, {"code": "b", "v": "1"}]
    gate.take(contract_text([KEY, {"name": "v", "unique": True}]), rows)
    assert gate.refused() == {2: ["v '1' is the same as in row 1"]}


def test_a_row_with_several_faults_shows_them_all(gate: Gate) -> None:
    contract = contract_text([KEY, COUNT, {"name": "period", "required": True}])
    gate.take(contract, [{"code": "", "quantity": "x", "period": ""}])
    assert gate.ask("select rules from quarantine") == [(["code.required", "quantity.type", "period.required"],)]


def test_a_custom_rule_shows_the_values_it_saw(gate: Gate) -> None:
    columns = [KEY] + [{"name": name, "logicalType": "integer"} for name in ("opening", "used", "closing")]
    rule = custom("opening - used = closing", description="opening less used is closing")
    gate.take(contract_text(columns, [rule]), [{"code": "a", "opening": "5", "used": "2", "closing": "4"}])
    assert gate.refused() == {1: ["breaks 'opening less used is closing': opening is 5, used is 2, closing is 4"]}


def test_the_contract_of_the_how_to_page_says_what_the_page_shows(gate: Gate) -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "check-data-against-a-contract.md").read_text("utf-8")
    gate.do("create table facility as select 'F12' as code")
    names = ["Facility", "period", "opening", "received", "issued", "closing", "reported_on", "Freight"]
    rows = [
        ["F12", "202401", "10", "5", "3", "12", "12-Feb-24", "1,234.5"],
        ["X9", "202401", "-5", "0", "0", "-5", "Date Not Captured", "See DN-304"],
        ["F12", "202402", "10", "5", "3", "20", "02/10/2024", ""],
        ["F12", "202401", "10", "5", "3", "12", "", ""],
    ]
    contract = page.partition("```yaml\n")[2].partition("```")[0]
    output = gate.take(contract, [dict(zip(names, row, strict=True)) for row in rows])
    assert (output["rowsLoaded"], output["rowsFlagged"], output["rules"]["late-report"]) == (1, 1, 1)
    assert gate.ask("select freight, reported_on::varchar from stock_clean") == [(1234.5, "2024-02-12")]
    reasons = [reason for row in gate.refused().values() for reason in row]
    assert len(reasons) == 4
    assert [reason for reason in reasons if reason.replace("row 1", "row 12") not in page] == []


@IN_BOTH
def test_a_warning_loads_the_row_and_notes_it(gate: Gate) -> None:
    rule = custom("day < date '2024-02-01'", severity="warning", dimension="timeliness", name="Reported in time")
    contract = contract_text([KEY, {"name": "day", "logicalType": "date"}], [rule])
    output = gate.take(contract, [{"code": "a", "day": "2024-03-01"}, {"code": "b", "day": "2024-01-01"}])
    assert (output["rowsLoaded"], output["rowsFlagged"], output["rules"]) == (2, 1, {"rule": 1})
    found = gate.ask("select row_number, rule, dimension, severity, reason from quality_finding")
    assert found == [(1, "rule", "timeliness", "warning", LATE)]


@IN_BOTH
def test_a_refused_row_keeps_its_warnings_out_of_quarantine(gate: Gate) -> None:
    contract = contract_text([KEY, COUNT], [custom("code <> 'a'", severity="warning")])
    output = gate.take(contract, [{"code": "a", "quantity": "x"}])
    assert gate.ask("select rules from quarantine") == [(["quantity.type"],)]
    assert (output["rules"], output["rowsFlagged"]) == ({"quantity.type": 1, "rule": 1}, 0)


@IN_BOTH
def test_rows_are_inserted_updated_and_left_alone_by_key(gate: Gate) -> None:
    contract = contract_text([KEY, COUNT])
    gate.take(contract, [{"code": "a", "quantity": "1"}, {"code": "b", "quantity": ""}], origin="one.csv")
    rows = [{"code": c, "quantity": q} for c, q in (("a", "9"), ("b", " "), ("c", "3"))]
    output = gate.take(contract, rows, origin="two.csv")
    assert [output[f"rows{name}"] for name in ("Inserted", "Updated", "Unchanged")] == [1, 1, 1]
    assert gate.ask("select * from stock_clean order by code") == [
        ("a", 9, "two.csv", 1, "run-2"),
        ("b", None, "one.csv", 2, "run-1"),
        ("c", 3, "two.csv", 3, "run-2"),
    ]


@IN_BOTH
def test_the_same_origin_again_changes_nothing(gate: Gate) -> None:
    contract = contract_text([KEY, COUNT])
    rows = [{"code": "a", "quantity": "1"}, {"code": "b", "quantity": "x"}]
    gate.take(contract, rows)
    good, ids = gate.ask("select * from stock_clean"), gate.ask("select quarantine_id from quarantine")
    output = gate.take(contract, rows)
    assert (output["rowsUnchanged"], output["rowsInserted"], output["rowsQuarantined"]) == (1, 0, 1)
    assert gate.ask("select * from stock_clean") == good
    assert gate.ask("select quarantine_id from quarantine") == ids
    assert gate.ask("select rule, run_id from quality_finding") == [("quantity.type", "run-2")]


@IN_BOTH
def test_a_corrected_file_resolves_its_refused_rows_and_no_other(gate: Gate) -> None:
    contract = contract_text([KEY, COUNT])
    gate.take(contract, [{"code": "a", "quantity": "x"}], origin="one.csv")
    gate.take(contract, [{"code": "b", "quantity": "y"}], origin="two.csv")
    gate.take(contract, [{"code": "a", "quantity": "1"}], origin="one.csv")
    assert gate.ask("select origin, status from quarantine order by origin") == [
        ("one.csv", "resolved"), ("two.csv", "open")
    ]  # fmt: skip
    assert gate.ask("select origin from quality_finding") == [("two.csv",)]


def test_a_refused_row_leaves_the_good_one_of_before(gate: Gate) -> None:
    contract = contract_text([KEY, COUNT])
    gate.take(contract, [{"code": "a", "quantity": "1"}])
    gate.take(contract, [{"code": "a", "quantity": "x"}])
    assert gate.ask("select code, quantity from stock_clean") == [("a", 1)]


@IN_BOTH
def test_a_table_of_keys_alone_is_never_updated(gate: Gate) -> None:
    assert gate.take(contract_text([KEY]), [{"code": "a"}])["rowsInserted"] == 1
    assert gate.take(contract_text([KEY]), [{"code": "a"}], origin="b")["rowsUnchanged"] == 1


def test_the_payload_is_the_whole_source_row(gate: Gate) -> None:
    rows = pa.table(
        {
            "code": pa.array([None], pa.string()),
            'a"; drop table x': ['it\'s "so"'],
            "money": pa.array([Decimal("1.50")]),
            "odd": [float("nan")],
            "deep": [{"x": [1, 2]}],
        }
    )
    gate.take(contract_text([KEY]), rows)
    query = "select payload->>'a\"; drop table x', payload->>'odd', payload->>'$.deep.x[1]', payload->>'money'"
    keys = ["code", 'a"; drop table x', "money", "odd", "deep"]
    assert gate.ask(f"{query}, json_keys(payload) from quarantine") == [('it\'s "so"', "nan", "2", "1.5", keys)]


@IN_BOTH
def test_typed_columns_of_a_source_are_read_as_well(gate: Gate) -> None:
    day = pa.array([0], pa.int32()).cast(pa.date32())
    moment = pa.array([0], pa.timestamp("us"))
    rows = pa.table({"code": pa.array([7]), "quantity": [12.0], "tiny": [1e-7], "day": day, "moment": moment})
    columns = [KEY, COUNT, {"name": "tiny", "logicalType": "number"}]
    columns += [{"name": name, "logicalType": "date", "customProperties": DAYS} for name in ("day", "moment")]
    gate.take(contract_text(columns), rows)
    query = "select code, quantity, tiny, day::varchar, moment::varchar from stock_clean"
    assert gate.ask(query) == [("7", 12, 1e-7, "1970-01-01", "1970-01-01")]


@pytest.mark.parametrize("rows", [[], [{"code": ""}, {"code": " "}]], ids=["empty", "all bad"])
def test_a_source_without_a_good_row_passes(gate: Gate, rows: Sequence[Mapping[str, Any]]) -> None:
    output = gate.take(contract_text([KEY]), rows, columns=["code"])
    assert (output["rowsRead"], output["rowsLoaded"], output["rowsQuarantined"]) == (len(rows), 0, len(rows))
    assert gate.ask("select * from stock_clean") == []


def test_columns_that_the_contract_does_not_name_are_told(gate: Gate) -> None:
    contract = contract_text([KEY, {"name": "v", "transformLogic": "a || B"}, {"name": "n", "physicalName": "Name"}])
    output = gate.take(contract, [{"code": "1", "a": "x", "b": "y", "NAME": "n", "other": "?"}])
    assert output["unmappedColumns"] == ["other"]
    assert gate.ask("select v, n from stock_clean") == [("xy", "n")]


def test_an_optional_column_may_be_missing(gate: Gate) -> None:
    contract = contract_text([KEY, COUNT, {"name": "v", "transformLogic": "upper(gone)"}])
    assert gate.take(contract, [{"code": "1"}])["rowsLoaded"] == 1
    assert gate.ask("select quantity, v from stock_clean") == [(None, None)]


@pytest.mark.parametrize(
    ("properties", "says"),
    [
        ([KEY], "no column 'code', which the required property 'code' comes from. Did you mean 'cod'?"),
        ([KEY | {"physicalName": "cod"}, {"name": "v", "required": True}], "no column 'v'"),
        ([KEY | {"transformLogic": "lower(codes)"}], "no column 'codes'"),
        ([KEY | {"physicalName": "cod"}, {"name": "v", "relationships": [{"to": "gone.code"}]}], "Load it first"),
        ([KEY | {"physicalName": "cod", "relationships": [{"to": "stock_clean.x"}]}], "has no column 'x'"),
        ([KEY | {"transformLogic": "(select max(x) from gone)"}], "table 'gone' does not exist"),
        ([KEY | {"transformLogic": "shout(cod)"}], "shout"),
    ],
)
def test_what_the_contract_needs_and_does_not_find_is_told(
    gate: Gate, properties: list[dict[str, Any]], says: str
) -> None:
    with pytest.raises(ManaraError) as raised:
        gate.take(contract_text(properties), [{"cod": "a"}])
    assert says in str(raised.value)
    assert gate.ask("select 1 from information_schema.tables where table_name = 'stock_clean'") == []


@IN_BOTH
def test_names_are_never_taken_for_sql(gate: Gate) -> None:
    name = 'a"; drop table precious; --'
    gate.do("create table precious as select 1 as x")
    rule = custom('"a""; drop table precious; --" <> \'bad\'', name="it's '; drop table precious; --")
    contract = contract_text([KEY, {"name": name, "required": True, "quality": values("good", "bad")}], [rule])
    rows = [{"code": "1", name: "good"}, {"code": "2", name: "'; drop table precious; --"}, {"code": "3", name: "bad"}]
    output = gate.take(contract, rows, origin="'; drop table precious; --")
    assert output["rules"] == {f"{name}.values": 1, "rule": 1}
    assert gate.ask("select x from precious") == [(1,)]


@IN_BOTH
def test_a_contract_that_gains_a_column_keeps_its_table(gate: Gate) -> None:
    gate.take(contract_text([KEY]), [{"code": "a"}])
    output = gate.take(contract_text([KEY, COUNT]), [{"code": "a", "quantity": "1"}])
    assert (output["rowsUpdated"], gate.ask("select code, quantity from stock_clean")) == (1, [("a", 1)])


@IN_BOTH
def test_a_column_that_changes_its_type_is_told(gate: Gate) -> None:
    gate.take(contract_text([KEY, {"name": "quantity"}]), [{"code": "a", "quantity": "1"}])
    with pytest.raises(WrongDefinition, match=r"is \w+ in the table \w+\.stock_clean, the contract needs BIGINT"):
        gate.take(contract_text([KEY, COUNT]), [{"code": "a", "quantity": "1"}])


@IN_BOTH
def test_a_table_with_a_key_twice_is_not_loaded(gate: Gate) -> None:
    gate.take(contract_text([KEY]), [{"code": "a"}])
    gate.do("insert into stock_clean select * from stock_clean")
    with pytest.raises(Broken, match="1 rows were read, but 2 loaded"):
        gate.take(contract_text([KEY]), [{"code": "a"}])


@IN_BOTH
def test_rows_keep_their_numbers_over_many_batches(gate: Gate) -> None:
    numbers = pa.array(range(1, 200_001))
    rows = pa.table({"code": numbers, "quantity": numbers})
    batches = pa.Table.from_batches(rows.to_batches(max_chunksize=1_000))
    gate.take(contract_text([KEY, COUNT | {"logicalTypeOptions": {"minimum": 100_001}}]), batches)
    assert gate.ask("select count(*) from quarantine where row_number = (payload->>'code')::int") == [(100_000,)]
    assert gate.ask("select count(*) from stock_clean where _row = code::int") == [(100_000,)]
    assert gate.reported[-1] == {"rowsRead": 200_000}


@IN_BOTH
def test_a_run_that_is_to_stop_leaves_nothing(gate: Gate) -> None:
    class Stop:
        def append(self, figures: Any) -> None:
            raise Cancelled("Somebody asked the run to stop.")

    gate.reported = Stop()  # type: ignore[assignment]
    with pytest.raises(Cancelled, match="asked the run"):
        gate.take(contract_text([KEY]), [{"code": "a"}])
    assert gate.warehouse.columns(exp.to_table("stock_clean")) == {}


TEXTS = st.one_of(st.none(), st.sampled_from(["", " ", "1", "-1", "1.0", "x", "2024-01-01", "0"]), st.text(max_size=4))
ROWS = st.lists(st.fixed_dictionaries({"code": TEXTS, "quantity": TEXTS, "day": TEXTS}), max_size=12)


@IN_BOTH
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_every_row_is_loaded_or_refused(gate: Gate, rows: list[dict[str, str | None]]) -> None:
    count = COUNT | {"required": True, "logicalTypeOptions": {"minimum": 0}}
    contract = contract_text([KEY, count, {"name": "day", "logicalType": "date"}], [custom("code <> 'x'")])
    output = gate.take(contract, rows, columns=["code", "quantity", "day"], origin="same")
    assert output["rowsRead"] == len(rows) == output["rowsLoaded"] + output["rowsQuarantined"]
    loaded = output["rowsInserted"] + output["rowsUpdated"] + output["rowsUnchanged"]
    assert (loaded, len(gate.refused())) == (output["rowsLoaded"], output["rowsQuarantined"])
