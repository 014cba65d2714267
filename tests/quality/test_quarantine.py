import zipfile
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.quality.conftest import Gate, contract_text, gate_to

from manara.errors import Conflict, Faults, ManaraError, NotFound, WrongDefinition
from manara.plugin.connection import Mark
from manara.quality import quarantine
from manara.quality.contract import read_contract
from manara.quality.odcs import Contract
from manara.quality.workbook import read_workbook, write_workbook

COLUMNS: list[dict[str, Any]] = [
    {"name": "code", "primaryKey": True},
    {"name": "quantity", "logicalType": "integer", "required": True},
    {"name": "day", "logicalType": "date"},
]
TEXT = contract_text(COLUMNS)
ROWS = [
    {"code": "a", "quantity": "1", "day": "2024-01-31"},
    {"code": "b", "quantity": "two", "day": "2024-01-31"},
    {"code": "c", "quantity": "3", "day": "31 Jan"},
]


def contract(text: str = TEXT) -> Contract:
    return read_contract(text, "contract/stock.yaml")


def mark() -> Mark:
    return Mark(run_id=str(uuid4()), step="quarantine", attempt=1)


def row(gate: Gate, number: int) -> quarantine.Refused:
    return next(each for each in quarantine.read_quarantine(gate.warehouse) if each.row == number)


def fix(gate: Gate, number: int, **changes: str) -> quarantine.Refused:
    return quarantine.fix(gate.warehouse, mark(), row(gate, number), changes, author="amina", note="asked the clinic")


def release(gate: Gate, *numbers: int, text: str = TEXT) -> quarantine.Released:
    rows = [row(gate, number) for number in numbers]
    return quarantine.release(gate.warehouse, mark(), rows, lambda _name: contract(text), author="amina")


def loaded(gate: Gate) -> list[tuple[Any, ...]]:
    return gate.ask("select code, quantity, _origin, _row from stock_clean order by code")


@pytest.fixture(params=["duckdb", "postgres"])
def gate(tmp_path: Path, request: pytest.FixtureRequest) -> Gate:
    return gate_to(request.param, tmp_path, request)


@pytest.fixture
def refusing(gate: Gate) -> Gate:
    """A gate that has refused two of three rows."""
    gate.take(TEXT, ROWS)
    return gate


def test_refused_rows_are_told_whole_with_their_reasons(refusing: Gate) -> None:
    two = row(refusing, 2)
    assert (two.origin, two.status, two.payload) == ("a.csv", "open", ROWS[1])
    assert two.reasons == ("quantity 'two' is not a whole number",)
    assert quarantine.find(refusing.warehouse, two.id[:8]) == two


def test_a_corrected_row_is_released_into_its_table_once(refusing: Gate) -> None:
    assert fix(refusing, 2, quantity="2").status == "fixed"
    done = release(refusing, 2)
    assert (done.released, done.refused) == ((row(refusing, 2).id,), {})
    assert loaded(refusing) == [("a", 1, "a.csv", 1), ("b", 2, "a.csv", 2)]
    assert row(refusing, 2).status == "released"
    assert row(refusing, 2).payload == ROWS[1]
    with pytest.raises(Conflict, match="is released"):
        release(refusing, 2)


def test_a_correction_that_is_not_enough_leaves_the_row_where_it_is(refusing: Gate) -> None:
    fix(refusing, 2, quantity="deux")
    done = release(refusing, 2)
    assert done.refused == {row(refusing, 2).id: ("quantity 'deux' is not a whole number",)}
    assert len(loaded(refusing)) == 1
    assert row(refusing, 2).status == "fixed"


def test_a_preview_tells_what_is_left_and_loads_nothing(refusing: Gate) -> None:
    wrong, right = fix(refusing, 2, quantity="deux"), fix(refusing, 3, day="2024-01-31")
    assert quarantine.preview(refusing.warehouse, mark(), wrong, contract()) == (
        "quantity 'deux' is not a whole number",
    )
    assert quarantine.preview(refusing.warehouse, mark(), right, contract()) == ()
    assert len(loaded(refusing)) == 1


def test_a_correction_survives_when_the_file_comes_again(refusing: Gate) -> None:
    fix(refusing, 2, quantity="2")
    release(refusing, 2)
    output = refusing.take(TEXT, ROWS)
    assert (output["rowsCorrected"], output["rowsQuarantined"], output["rowsUnchanged"]) == (1, 1, 2)
    assert loaded(refusing)[1][:2] == ("b", 2)
    assert row(refusing, 2).status == "released"


def test_a_correction_is_left_out_where_the_row_has_changed(refusing: Gate) -> None:
    fix(refusing, 2, quantity="2")
    release(refusing, 2)
    output = refusing.take(TEXT, [ROWS[0], {**ROWS[1], "quantity": "20"}, ROWS[2]])
    assert output["rowsCorrected"] == 0
    assert loaded(refusing)[1][:2] == ("b", 20)


def test_a_rejected_row_stays_out_and_is_not_opened_again(refusing: Gate) -> None:
    quarantine.reject(refusing.warehouse, mark(), row(refusing, 2), author="amina", reason="a test entry")
    refusing.take(TEXT, ROWS)
    assert row(refusing, 2).status == "rejected"
    refusing.take(TEXT, [ROWS[0], {**ROWS[1], "quantity": "drei"}, ROWS[2]])
    assert row(refusing, 2).status == "open"


def test_everything_that_was_done_is_told_in_order(refusing: Gate) -> None:
    fix(refusing, 2, quantity="2")
    release(refusing, 2)
    told = [(each["author"], each["action"], each["note"]) for each in
            quarantine.events(refusing.warehouse, row(refusing, 2))]  # fmt: skip
    assert told == [("amina", "fix", "quantity=2"), ("amina", "release", "")]


def test_a_second_person_approves_where_the_contract_says_so(refusing: Gate) -> None:
    text = TEXT.replace("  quality: []", "  customProperties: [{property: approval, value: secondPerson}]")
    assert quarantine.needs_approval(contract(text))
    corrected = fix(refusing, 2, quantity="2")
    with pytest.raises(Conflict, match="waits for a second person"):
        release(refusing, 2, text=text)
    with pytest.raises(Conflict, match="amina has made the correction"):
        quarantine.approve(refusing.warehouse, mark(), corrected, author="amina")
    quarantine.approve(refusing.warehouse, mark(), corrected, author="omar")
    assert release(refusing, 2, text=text).released
    assert row(refusing, 2).approved_by == "omar"


@pytest.mark.parametrize(
    ("work", "message"),
    [
        (lambda gate: fix(gate, 2, quantiti="2"), "The row has no column 'quantiti'. Did you mean 'quantity'?"),
        (lambda gate: release(gate, 2), "only a corrected row is released"),
        (lambda gate: quarantine.find(gate.warehouse, "zz"), "There is no refused row 'zz'."),
        (lambda gate: quarantine.approve(gate.warehouse, mark(), row(gate, 2), author="x"), "there is no correction"),
    ],
)
def test_what_cannot_be_done_is_told(refusing: Gate, work: Any, message: str) -> None:
    with pytest.raises(ManaraError) as refused:
        work(refusing)
    assert message in str(refused.value)


def test_a_workbook_goes_out_and_comes_back_corrected(refusing: Gate, tmp_path: Path) -> None:
    rows = quarantine.read_quarantine(refusing.warehouse)
    file = tmp_path / "refused.xlsx"
    assert write_workbook(rows, file) == 2
    assert read_workbook(file, rows) == []
    retype(file, "two", "2")
    (correction,) = read_workbook(file, rows)
    assert (correction.row.row, correction.changes) == (2, {"quantity": "2"})
    fix(refusing, 2, quantity="20")
    with pytest.raises(Faults, match="The row has changed since, or is fixed: export it again"):
        read_workbook(file, quarantine.read_quarantine(refusing.warehouse))


def retype(file: Path, old: str, new: str) -> None:
    """Change a cell of a workbook, as a person does."""
    with zipfile.ZipFile(file) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    parts["xl/sharedStrings.xml"] = parts["xl/sharedStrings.xml"].replace(f">{old}<".encode(), f">{new}<".encode())
    with zipfile.ZipFile(file, "w") as book:
        for name, content in parts.items():
            book.writestr(name, content)


def test_a_workbook_of_other_rows_is_refused_whole(refusing: Gate, tmp_path: Path) -> None:
    rows = quarantine.read_quarantine(refusing.warehouse)
    write_workbook(rows, tmp_path / "refused.xlsx")
    with pytest.raises(Faults, match="The row is not known in quarantine"):
        read_workbook(tmp_path / "refused.xlsx", rows[:1])
    (tmp_path / "no.xlsx").write_bytes(b"no workbook")
    with pytest.raises(WrongDefinition, match="The workbook cannot be read"):
        read_workbook(tmp_path / "no.xlsx", rows)


def test_a_warehouse_without_a_gate_has_no_quarantine(gate: Gate) -> None:
    assert quarantine.read_quarantine(gate.warehouse) == []
    with pytest.raises(NotFound):
        quarantine.find(gate.warehouse, "")
