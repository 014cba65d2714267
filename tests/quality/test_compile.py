from typing import Any

import sqlglot
from tests.quality.conftest import contract_text

from manara.quality.compile import compare, judge, unmapped
from manara.quality.contract import read_contract
from manara.quality.rules import rules_of
from manara.quality.tables import Tables
from manara.quality.trees import sql
from manara.quality.values import type_values

TABLES = Tables(good="stock", homes={"facility": "main"})
ODD = 'a"; drop table x'


def test_a_statement_stays_one_statement_whatever_a_column_is_called() -> None:
    contract = read_contract(contract_text([{"name": ODD, "primaryKey": True}]), "c")
    for tree in (*type_values(contract, {ODD: "VARCHAR"}, TABLES), judge(contract, rules_of(contract), TABLES)):
        assert len(sqlglot.parse(sql(tree), dialect="duckdb")) == 1
    assert '"a""; drop table x"' in sql(type_values(contract, {ODD: "VARCHAR"}, TABLES)[0])


def test_a_comment_of_the_author_stays_out() -> None:
    column = {"name": "v", "primaryKey": True, "transformLogic": "upper(v) -- */ drop table x"}
    contract = read_contract(contract_text([column]), "c")
    assert "drop" not in sql(type_values(contract, {"v": "VARCHAR"}, TABLES)[0]).lower()


def test_a_table_that_is_read_is_named_with_its_schema() -> None:
    column = {"name": "v", "primaryKey": True, "transformLogic": "(select max(facility.name) from facility)"}
    contract = read_contract(contract_text([column]), "c")
    assert 'FROM "main".facility AS facility' in sql(type_values(contract, {"v": "VARCHAR"}, TABLES)[0])


def test_rows_are_compared_over_all_columns_of_the_contract() -> None:
    contract = read_contract(contract_text([{"name": "a", "primaryKey": True}, {"name": "b"}]), "c")
    assert sql(compare(contract, TABLES)).count("IS NOT DISTINCT FROM") == 2


def test_a_column_is_mapped_when_a_value_or_an_expression_takes_it() -> None:
    renamed: dict[str, Any] = {"name": "a", "primaryKey": True, "physicalName": "A1"}
    columns = [renamed, {"name": "b", "transformLogic": "x || Y"}]
    contract = read_contract(contract_text(columns), "c")
    assert unmapped(contract, ["a1", "X", "y", "a", "b"]) == ["a", "b"]
