"""Cosmos DB's API for NoSQL, against a server of the tests' own."""
# the suite declares them as the class's own

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.cosmos import cosmos

from manara.errors import Conflict, SourceMissing, Transient, WrongDefinition
from manara.plugin.connection import CONNECTORS, Connection, LinkedServiceGiven, Mark
from manara.plugin.dataset import DATASETS, Dataset, DatasetGiven, Tally
from manara.testing.suites import new_mark

__all__ = ["cosmos"]

Address = Callable[[str], dict[str, Any]]


def connected(properties: dict[str, Any], root: Path) -> Connection:
    given = LinkedServiceGiven(name="Tested", type="CosmosDb", properties=properties, root=root)
    return CONNECTORS.find("CosmosDb")(given)


def opened(properties: dict[str, Any], root: Path, name: str = "place") -> Dataset:
    given = DatasetGiven(
        name="Tested",
        type="CosmosDbSqlApiCollection",
        properties={"collectionName": name},
        connection=connected(properties, root),
        batch_rows=2,
    )
    return DATASETS.find(given.type)(given)


@pytest.fixture
def dataset(cosmos: Address, tmp_path: Path) -> Dataset:
    return opened(cosmos("/country"), tmp_path)


def write(dataset: Dataset, rows: dict[str, Any], mark: Mark | None = None, **sink: Any) -> Tally:
    tally = Tally()
    dataset.write(sink, pa.table(rows).to_reader(), mark or new_mark(), tally)
    return tally


def read(dataset: Dataset, **source: Any) -> list[dict[str, Any]]:
    return sorted(dataset.read(source, Tally()).read_all().to_pylist(), key=repr)


def test_written_rows_come_back(dataset: Dataset) -> None:
    rows = {"id": ["1", "2"], "country": ["AF", "SO"], "n": [1, None], "rate": [0.5, 2.5], "yes": [True, False],
            "cost": [Decimal("1.25"), Decimal("0.10")]}  # fmt: skip
    assert write(dataset, rows).rows_copied == 2
    assert read(dataset) == [
        {"id": "1", "country": "AF", "n": 1, "rate": 0.5, "yes": True, "cost": 1.25},
        {"id": "2", "country": "SO", "n": None, "rate": 2.5, "yes": False, "cost": 0.1},
    ]


def test_a_query_goes_over_all_partitions_and_pages(dataset: Dataset) -> None:
    write(dataset, {"country": ["AF", "SO", "AF", "YE"], "n": [4, 3, 2, 1]})
    query = "select c.n as number, c.country from c where c.n > 1 order by c.n"
    rows = dataset.read({"query": query, "pageSize": 1}, Tally()).read_all().to_pylist()
    assert rows == [{"number": 2, "country": "AF"}, {"number": 3, "country": "SO"}, {"number": 4, "country": "AF"}]


def test_a_collection_inside_of_documents_gives_rows(dataset: Dataset) -> None:
    visits = pa.array([[{"day": 1}, {"day": 2}]], pa.list_(pa.struct([("day", pa.int64())])))
    write(dataset, {"country": ["AF"], "visits": visits})
    source = {"collectionReference": "$['visits']", "paths": ["$['country']", "['day']"]}
    assert read(dataset, **source) == [{"$['country']": "AF", "['day']": 1}, {"$['country']": "AF", "['day']": 2}]


def test_a_retry_doubles_nothing(dataset: Dataset) -> None:
    mark = new_mark()
    counts = [write(dataset, {"country": ["AF", "AF"], "n": [1, 2]}, mark).rows_copied for _ in range(2)]
    assert counts == [2, 2]
    assert sorted(row["n"] for row in read(dataset)) == [1, 2]


def test_an_insert_does_not_replace_and_an_upsert_does(dataset: Dataset) -> None:
    write(dataset, {"id": ["1"], "country": ["AF"], "n": [1]})
    with pytest.raises(Conflict, match="'1' is there already"):
        write(dataset, {"id": ["1"], "country": ["AF"], "n": [2]})
    write(dataset, {"id": ["1"], "country": ["AF"], "n": [3]}, writeBehavior="upsert")
    assert [row["n"] for row in read(dataset)] == [3]


def test_what_is_missing_is_told(cosmos: Address, tmp_path: Path) -> None:
    dataset = opened(cosmos("/country"), tmp_path, "nothing")
    assert dataset.metadata(["exists"]) == {"exists": False}
    with pytest.raises(SourceMissing, match="no 'nothing'"):
        dataset.read({}, Tally())
    with pytest.raises(SourceMissing, match="no 'nothing'"):
        write(dataset, {"n": [1]})


def test_a_query_that_is_none_is_told(dataset: Dataset) -> None:
    with pytest.raises(WrongDefinition, match="Cosmos DB says"):
        read(dataset, query="selec c")


WRONG = {
    "no endpoint": ({"accountKey": "bm8=", "database": "d"}, "needs its endpoint"),
    "no database": ({"connectionString": "AccountEndpoint=https://a.documents.azure.com;AccountKey=bm8="},
                    "needs its database"),
    "no address": ({"connectionString": "AccountEndpoint=a;AccountKey=bm8=;Database=d"}, "'a' is no address"),
    "half a principal": ({"accountEndpoint": "https://a", "database": "d", "servicePrincipalId": "i"},
                         "service principal needs its tenant"),
}  # fmt: skip


@pytest.mark.parametrize(("properties", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_definition_is_told(properties: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(WrongDefinition, match=message):
        connected(properties, tmp_path)


def test_an_account_that_does_not_answer_is_told(tmp_path: Path) -> None:
    text = "AccountEndpoint=http://127.0.0.1:1;AccountKey=c2VjcmV0;Database=d"
    with pytest.raises(Transient, match="Cosmos DB says") as caught:
        opened({"connectionString": text}, tmp_path).metadata(["exists"])
    assert "c2VjcmV0" not in str(caught.value)
