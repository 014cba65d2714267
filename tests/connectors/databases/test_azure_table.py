"""Azure's tables, against Azurite."""
# the suite declares them as the class's own

import datetime
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.azurite import Azurite, azurite

from manara.connectors.databases import azure_table
from manara.errors import BadRows, NotAllowed, SourceMissing, WrongDefinition
from manara.plugin.connection import CONNECTORS, Connection, LinkedServiceGiven
from manara.plugin.dataset import DATASETS, Dataset, DatasetGiven, Tally
from manara.testing.suites import DatasetSuite, new_mark

__all__ = ["azurite"]

_NUMBER = count(1)


def connected(properties: dict[str, Any], root: Path) -> Connection:
    given = LinkedServiceGiven(name="Tested", type="AzureTableStorage", properties=properties, root=root)
    return CONNECTORS.find("AzureTableStorage")(given)


def opened(connection: Connection) -> Dataset:
    properties = {"tableName": f"place{next(_NUMBER)}"}
    given = DatasetGiven(name="Tested", type="AzureTable", properties=properties, connection=connection)
    return DATASETS.find("AzureTable")(given)


@pytest.fixture
def dataset(azurite: Azurite, tmp_path: Path) -> Dataset:
    return opened(connected({"connectionString": azurite.connection_string}, tmp_path))


class TestAzureTable(DatasetSuite):
    type = "AzureTableStorage"
    dataset_type = "AzureTable"

    @pytest.fixture
    def connection(self, azurite: Azurite, tmp_path: Path) -> Connection:
        return connected({"connectionString": azurite.connection_string}, tmp_path)

    @pytest.fixture
    def dataset(self, connection: Connection) -> Dataset:
        return opened(connection)

    def test_written_rows_come_back(self, dataset: Dataset) -> None:
        self.write(dataset, new_mark())
        rows = dataset.read(self.source, Tally()).read_all().select(["name", "code"])
        assert sorted(rows.to_pylist(), key=repr) == sorted(self.rows.to_pylist(), key=repr)


def write(dataset: Dataset, rows: dict[str, Any], sink: dict[str, Any], mark: Any = None) -> Tally:
    tally = Tally()
    dataset.write(sink, pa.table(rows).to_reader(), mark or new_mark(), tally)
    return tally


def read(dataset: Dataset, names: list[str], **source: Any) -> list[tuple[Any, ...]]:
    rows = dataset.read(source, Tally()).read_all().to_pylist()
    return sorted(tuple(row.get(name) for name in names) for row in rows)


KEYS = {"azureTablePartitionKeyName": "country", "azureTableRowKeyName": "code"}


def test_columns_may_give_the_keys_and_values_keep_their_types(dataset: Dataset) -> None:
    moment = datetime.datetime(2024, 2, 29, 1, 2, 3, tzinfo=datetime.UTC)
    rows = {"country": ["AF", "AF"], "code": ["a'b", "c-d ü%"], "n": [1 << 40, -1], "rate": [0.5, 2.0],
            "yes": [True, False], "at": pa.array([moment, None], pa.timestamp("us", "UTC"))}  # fmt: skip
    write(dataset, rows, KEYS)
    assert read(dataset, ["PartitionKey", "RowKey", "n", "rate", "yes", "at"]) == [
        ("AF", "a'b", 1 << 40, 0.5, True, "2024-02-29T01:02:03.000000Z"),
        ("AF", "c-d ü%", -1, 2.0, False, None),
    ]


def test_merge_keeps_the_other_properties_and_replace_does_not(dataset: Dataset) -> None:
    write(dataset, {"country": ["AF", "AF"], "code": ["1", "2"], "a": [1, 1]}, KEYS)
    write(dataset, {"country": ["AF"], "code": ["1"], "b": [2]}, KEYS)
    write(dataset, {"country": ["AF"], "code": ["2"], "b": [2]}, {**KEYS, "azureTableInsertType": "replace"})
    assert read(dataset, ["RowKey", "a", "b"]) == [("1", 1, 2), ("2", None, 2)]


def test_a_retry_gives_new_keys_to_nothing(dataset: Dataset) -> None:
    mark = new_mark()
    for _ in range(2):
        write(dataset, {"n": [1, 2]}, {"azureTableDefaultPartitionKeyValue": "usual"}, mark)
    assert read(dataset, ["PartitionKey", "n"]) == [("usual", 1), ("usual", 2)]


def test_more_rows_than_a_page_holds_come_whole(dataset: Dataset) -> None:
    write(dataset, {"PartitionKey": ["a"] * 1_200, "RowKey": [str(n) for n in range(1_200)]}, {})
    assert len(read(dataset, ["RowKey"])) == 1_200


def test_a_query_chooses_rows(dataset: Dataset) -> None:
    write(dataset, {"RowKey": ["1", "2", "3"], "n": [1, 2, 3]}, {})
    assert read(dataset, ["RowKey"], azureTableSourceQuery="n gt 1 and RowKey lt '3'") == [("2",)]


def test_a_missing_table_may_be_passed_over(dataset: Dataset) -> None:
    assert read(dataset, ["RowKey"], azureTableSourceIgnoreTableNotFound=True) == []
    with pytest.raises(SourceMissing):
        read(dataset, ["RowKey"])


def test_a_query_that_is_none_is_told(dataset: Dataset) -> None:
    write(dataset, {"RowKey": ["1"]}, {})
    with pytest.raises(WrongDefinition, match="refuses"):
        read(dataset, ["RowKey"], azureTableSourceQuery="n greater 1")


@pytest.mark.parametrize("key", ["a/b", "a\\b", "a#b", "a?b", "a\tb", "x" * 513])
def test_a_key_that_azure_does_not_take_is_told_before_anything_is_sent(dataset: Dataset, key: str) -> None:
    with pytest.raises(BadRows, match="cannot be a key"):
        write(dataset, {"RowKey": [key]}, {})
    assert dataset.metadata(["exists"]) == {"exists": False}


def test_a_wrong_key_is_told(azurite: Azurite, tmp_path: Path) -> None:
    text = azurite.connection_string.replace(azurite.key, "bm8=")
    dataset = opened(connected({"connectionString": text}, tmp_path))
    with pytest.raises(NotAllowed):
        dataset.read({}, Tally())


def test_the_emulator_is_known_by_its_word(tmp_path: Path) -> None:
    tables = connected({"connectionString": "UseDevelopmentStorage=true"}, tmp_path)
    assert isinstance(tables, azure_table.TableEndpoint)
    assert tables.url == "http://127.0.0.1:10002/devstoreaccount1"


def test_a_column_for_a_key_must_be_there(dataset: Dataset) -> None:
    with pytest.raises(WrongDefinition, match="no column 'code'"):
        write(dataset, {"country": ["AF"]}, KEYS)


def test_a_row_that_is_too_large_is_told(dataset: Dataset) -> None:
    with pytest.raises((BadRows, WrongDefinition), match="refuses"):
        write(dataset, {"RowKey": ["1"], "t": ["x" * 70_000]}, {})
