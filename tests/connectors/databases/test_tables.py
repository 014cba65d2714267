from typing import Any

import pyarrow as pa
import pytest
from tests.plugin_given import Json, Place, table

from manara.connectors.databases import duckdb_file
from manara.errors import BadRows, ManaraError, NotFound, WrongDefinition
from manara.plugin.connection import Mark
from manara.plugin.dataset import Refused, Tally

UPSERT: Json = {"writeBehavior": "upsert", "upsertSettings": {"keys": ["k"]}}


@pytest.fixture
def stock(place: Place) -> Place:
    _write(place, table("stock"), {"k": [1, 2], "item": ["OPV", "BCG"]}, tableOption="autoCreate")
    return place


def _write(place: Place, reference: Json, rows: dict[str, list[Any]], tally: Tally | None = None, **sink: Any) -> Tally:
    place.steps += 1
    tally = tally or Tally()
    mark = Mark(run_id="run", step=str(place.steps), attempt=1)
    place.dataset(reference).write(sink, pa.table(rows).to_reader(), mark, tally)
    return tally


def _pairs(place: Place) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in place.query("select k, item from stock order by k")]


def test_a_table_is_made_from_the_rows_when_that_is_asked_for(stock: Place) -> None:
    assert _pairs(stock) == [(1, "OPV"), (2, "BCG")]
    with pytest.raises(NotFound, match=r"no table 'stok'. Did you mean 'stock'.* autoCreate"):
        _write(stock, table("stok"), {"k": [1]})


def test_columns_meet_by_name_and_text_becomes_the_tables_type(stock: Place) -> None:
    tally = _write(stock, table("stock"), {"ITEM": ["MR"], "K": ["3"]})
    assert _pairs(stock)[-1] == (3, "MR")
    assert (tally.rows_copied, tally.data_written > 0) == (1, True)


def test_a_column_that_the_table_lacks_is_an_error_with_both_sides(stock: Place) -> None:
    with pytest.raises(
        WrongDefinition, match=r"no column 'unit'\. The rows have 'k', 'unit'; the table has 'k', 'item'"
    ):
        _write(stock, table("stock"), {"k": [3], "unit": ["x"]})


def test_a_value_that_does_not_fit_ends_the_load_and_leaves_nothing(stock: Place) -> None:
    with pytest.raises(BadRows, match=r"Row 2 cannot be read: '4.5' does not fit the column 'k'"):
        _write(stock, table("stock"), {"k": ["3", "4.5"], "item": ["a", "b"]})
    assert len(_pairs(stock)) == 2


def test_or_its_row_is_refused(stock: Place) -> None:
    refused: list[Refused] = []
    rows = {"k": ["3", "4.5", "x"], "item": ["a", "b", "c"]}
    tally = _write(stock, table("stock"), rows, Tally(refuse=refused.append))
    assert [row.row for row in refused] == [2, 3]
    assert (tally.rows_copied, _pairs(stock)[2:]) == (1, [(3, "a")])


def test_an_upsert_changes_and_adds_and_the_last_of_a_key_stands(stock: Place) -> None:
    tally = _write(stock, table("stock"), {"k": [2, 3, 3], "item": ["new", "first", "last"]}, **UPSERT)
    assert _pairs(stock) == [(1, "OPV"), (2, "new"), (3, "last")]
    assert tally.rows_copied == 3


@pytest.mark.parametrize(
    ("keys", "says"), [(["key"], "keys 'key' are no columns of the rows. Known are: k"), ([], "needs its keys")]
)
def test_an_upsert_needs_keys_of_the_rows(stock: Place, keys: list[str], says: str) -> None:
    with pytest.raises(WrongDefinition, match=says):
        _write(stock, table("stock"), {"k": [1]}, writeBehavior="upsert", upsertSettings={"keys": keys})


def test_the_script_before_the_copy_is_part_of_the_transaction(stock: Place) -> None:
    tsql = table("stock", "AzureSqlTable", schema="dbo")
    with pytest.raises(BadRows):
        _write(stock, tsql, {"k": ["x"]}, preCopyScript="TRUNCATE TABLE [dbo].[stock]")
    assert len(_pairs(stock)) == 2
    _write(stock, tsql, {"k": [9]}, preCopyScript="TRUNCATE TABLE [dbo].[stock]")
    assert _pairs(stock) == [(9, None)]


def test_names_are_quoted_never_pasted(place: Place) -> None:
    odd = table('my "table"; drop', schema="raw data")
    _write(place, odd, {'a "b"': [1], "select": [2]}, tableOption="autoCreate")
    assert place.read(odd).to_pylist() == [{'a "b"': 1, "select": 2}]


@pytest.mark.parametrize(
    ("kind", "settings", "rows"),
    [
        pytest.param("DuckDBTable", {}, [{"k": 1, "item": "OPV"}, {"k": 2, "item": "BCG"}], id="whole table"),
        pytest.param("DuckDBTable", {"query": "select max(k) as m from stock"}, [{"m": 2}], id="query"),
        pytest.param(
            "SqlServerTable",
            {"sqlReaderQuery": "SELECT TOP 1 [k] FROM dbo.stock ORDER BY k DESC"},
            [{"k": 2}],
            id="T-SQL",
        ),
    ],
)
def test_a_table_is_read(stock: Place, kind: str, settings: Json, rows: list[Json]) -> None:
    assert stock.read(table("stock", kind), **settings).to_pylist() == rows


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"sqlReaderQuery": "SELECT 1; SELECT 2"}, "holds 2 statements"),
        ({"sqlReaderQuery": "SELECT FROM WHERE ("}, "T-SQL cannot be read"),
        ({"sqlReaderStoredProcedureName": "p"}, "Write local/procedure/p.sql"),
    ],
)
def test_a_query_that_cannot_be_read_is_told(stock: Place, settings: Json, says: str) -> None:
    with pytest.raises(ManaraError, match=says):
        stock.read(table("stock", "AzureSqlTable"), **settings)


def test_facts_of_a_table_are_told(stock: Place) -> None:
    structure = [{"name": "k", "type": "Int64"}, {"name": "item", "type": "String"}]
    facts = stock.dataset(table("stock")).metadata(["exists", "structure", "columnCount"])
    assert facts == {"exists": True, "structure": structure, "columnCount": 2}
    assert stock.dataset(table("nothing")).metadata(["exists"]) == {"exists": False}
    with pytest.raises(NotFound, match=r"no table 'stok'. Did you mean 'stock'"):
        stock.dataset(table("stok")).metadata(["structure"])


def test_a_load_that_was_committed_is_not_done_again(place: Place) -> None:
    mark = Mark(run_id="run", step="Load", attempt=1)
    tallies = [Tally(), Tally()]
    for tally in tallies:
        rows = pa.table({"k": [1, 2]}).to_reader()
        place.dataset(table("once")).write({"tableOption": "autoCreate"}, rows, mark, tally)
        duckdb_file.close_all()
    assert tallies[0].rows_copied == tallies[1].rows_copied == 2
    assert len(place.query("select * from once")) == 2


@pytest.mark.parametrize("name", ["query", "sqlReaderQuery", "oracleReaderQuery", "tableQuery"])
def test_a_query_is_known_by_the_names_of_all_sources(stock: Place, name: str) -> None:
    found = stock.read(table("stock"), **{name: "select 7 as seven"})
    assert found.to_pylist() == [{"seven": 7}]
