"""A good table in a schema of its own, what a contract reads beside it, and what only PostgreSQL brings along."""

import threading
from collections.abc import Mapping
from typing import Any

import pytest
from tests.quality.conftest import IN_BOTH, Gate, contract_text

from manara.plugin.connection import Mark
from manara.quality import quarantine
from manara.quality.contract import read_contract

KEY: dict[str, Any] = {"name": "code", "primaryKey": True}
COUNT: dict[str, Any] = {"name": "quantity", "logicalType": "integer"}
PLACE = {"name": "place", "relationships": [{"to": "facility.id"}]}
KNOWN = {"id": "known", "type": "custom", "engine": "manara",
         "implementation": "quantity <= (select max(l.most) from limits as l where l.code = target.code)"}  # fmt: skip
ROWS = [
    {"code": "a", "quantity": "1", "place": "1"},
    {"code": "b", "quantity": "2", "place": "9"},
    {"code": "c", "quantity": "7", "place": "2"},
]


@pytest.fixture
def staged(gate: Gate) -> Gate:
    """A gate whose good table lies in the schema `staging`, beside `facility`; `limits` lies in the usual one."""
    gate.do("drop schema if exists staging cascade", "create schema staging",
            "create table staging.facility as select 1 as id union all select 2",
            "create table limits as select 'c' as code, 5 as most")  # fmt: skip
    gate.schema = "staging"
    return gate


@IN_BOTH
def test_the_quarantine_of_every_table_lies_in_the_usual_schema_where_people_find_it(staged: Gate) -> None:
    text = contract_text([KEY, COUNT, PLACE], [KNOWN])
    output = staged.take(text, ROWS)
    assert output["rules"] == {"place.reference": 1, "known": 1}
    assert staged.ask("select code, quantity from staging.stock_clean") == [("a", 1)]
    refused = {row.row: row for row in quarantine.read_quarantine(staged.warehouse)}
    assert refused[2].reasons == ("place '9' is not in facility.id",)
    assert refused[3].reasons == ("breaks 'known': quantity is 7",)
    fixed = quarantine.fix(staged.warehouse, mark(1), refused[2], {"place": "2"}, author="amina")
    quarantine.release(staged.warehouse, mark(2), [fixed], lambda _name: read_contract(text, "c"), author="amina")
    assert staged.ask("select code from staging.stock_clean order by 1") == [("a",), ("b",)]


@pytest.mark.parametrize("gate", ["postgres"], indirect=True)
def test_a_text_that_postgresql_cannot_keep_is_refused_and_kept_whole_in_quarantine(gate: Gate) -> None:
    text = contract_text([KEY, {"name": "note", "logicalTypeOptions": {"maxLength": 5}}])
    output = gate.take(text, [{"code": "a", "note": "fine"}, {"code": "b\0", "note": "odd\0odd"}])
    assert (output["rowsLoaded"], output["rules"]) == (1, {"code.nul": 1, "note.nul": 1, "note.length": 1})
    (row,) = quarantine.read_quarantine(gate.warehouse)
    assert row.payload == {"code": "b\0", "note": "odd\0odd"}
    assert "note 'odd\u2400odd' has a length of 7, must have at most 5" in row.reasons
    spelt = {"code": "c", "note": r'it says \u0000 and "\\n"'}
    gate.take(text, [spelt], origin="b.csv")
    (row,) = [each for each in quarantine.read_quarantine(gate.warehouse) if each.origin == "b.csv"]
    assert (row.payload, spelt["note"] in row.reasons[0]) == (spelt, True)


@pytest.mark.parametrize("gate", ["postgres"], indirect=True)
def test_two_gates_at_once_bring_no_key_twice(gate: Gate) -> None:
    rows = [{"code": str(number), "quantity": "1"} for number in range(3_000)]
    done: list[Mapping[str, Any]] = []

    def take(number: int) -> None:
        one = Gate(warehouse=gate.warehouse, runs=number)
        done.append(one.take(contract_text([KEY, COUNT]), rows, origin=f"{number}.csv"))

    threads = [threading.Thread(target=take, args=[number]) for number in (10, 20, 30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == len(threads)
    assert sum(output["rowsInserted"] for output in done) == len(rows)
    assert gate.ask("select count(*), count(distinct code) from stock_clean") == [(3_000, 3_000)]


def mark(number: int) -> Mark:
    return Mark(run_id=f"by-hand-{number}", step="quarantine", attempt=1)
