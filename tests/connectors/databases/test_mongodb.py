"""MongoDB's collections, over the wire, against a server of the tests' own (which is not MongoDB)."""
# ruff: noqa: RUF012 # the suite declares them as the class's own

import datetime
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.mongo import mongo

from manara.errors import Conflict, Transient, WrongDefinition
from manara.plugin.connection import CONNECTORS, Connection, LinkedServiceGiven, Mark
from manara.plugin.dataset import DATASETS, Dataset, DatasetGiven, Tally
from manara.testing.suites import DatasetSuite, new_mark

__all__ = ["mongo"]

Address = Callable[[], dict[str, Any]]


def connected(properties: dict[str, Any], root: Path, kind: str = "MongoDbV2") -> Connection:
    given = LinkedServiceGiven(name="Tested", type=kind, properties=properties, root=root)
    return CONNECTORS.find(kind)(given)


def opened(connection: Connection) -> Dataset:
    given = DatasetGiven(
        name="Tested",
        type="MongoDbV2Collection",
        properties={"collection": "place"},
        connection=connection,
        batch_rows=2,
    )
    return DATASETS.find(given.type)(given)


@pytest.fixture
def dataset(mongo: Address, tmp_path: Path) -> Dataset:
    return opened(connected(mongo(), tmp_path))


class TestMongoDbCollection(DatasetSuite):
    type = "MongoDbV2"
    dataset_type = "MongoDbV2Collection"
    dataset_properties = {"collection": "place"}
    source = {"cursorMethods": {"project": {"_id": 0}}}
    rows = pa.table(
        {"name": ["Kabul", "Mazar-i-Sharif, North", "مزار"], "n": [1, None, 1 << 40], "yes": [True, False, None]}
    )

    @pytest.fixture
    def connection(self, mongo: Address, tmp_path: Path) -> Connection:
        return connected(mongo(), tmp_path)


def write(dataset: Dataset, rows: dict[str, Any], mark: Mark | None = None, **sink: Any) -> Tally:
    tally = Tally()
    dataset.write(sink, pa.table(rows).to_reader(), mark or new_mark(), tally)
    return tally


def read(dataset: Dataset, **source: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = dataset.read(source, Tally()).read_all().to_pylist()
    return rows


def test_ids_moments_and_decimals_come_as_texts(dataset: Dataset) -> None:
    at = datetime.datetime(2024, 2, 29, 1, 2, 3, 456789, tzinfo=datetime.UTC)
    rows = {"_id": ["65e0a1b2c3d4e5f601234567"], "at": [at], "cost": [Decimal("1.10")], "photo": [b"\x00\xff"],
            "day": [datetime.date(2024, 2, 29)]}  # fmt: skip
    write(dataset, rows)
    assert read(dataset) == [
        {"_id": "65e0a1b2c3d4e5f601234567", "at": "2024-02-29T01:02:03.456000Z", "cost": "1.10", "photo": "AP8=",
         "day": "2024-02-29T00:00:00Z"}
    ]  # fmt: skip


QUERIES = {
    "all in order": ({"cursorMethods": {"sort": {"n": -1}}}, [4, 3, 2, 1]),
    "a filter as text": ({"filter": '{"n": {"$gt": 2}}', "cursorMethods": {"sort": '{"n": 1}'}}, [3, 4]),
    "a filter by id": ({"filter": {"_id": {"$oid": "65e0a1b2c3d4e5f600000002"}}}, [2]),
    "skip and limit": ({"cursorMethods": {"sort": {"n": 1}, "skip": 1, "limit": 2}}, [2, 3]),
    "small batches": ({"batchSize": 1, "cursorMethods": {"sort": {"n": 1}}}, [1, 2, 3, 4]),
}


@pytest.mark.parametrize(("source", "found"), QUERIES.values(), ids=QUERIES)
def test_a_source_chooses_documents(dataset: Dataset, source: dict[str, Any], found: list[int]) -> None:
    write(dataset, {"_id": [f"65e0a1b2c3d4e5f60000000{n}" for n in range(1, 5)], "n": [1, 2, 3, 4]})
    assert [row["n"] for row in read(dataset, **source)] == found


def test_a_collection_inside_of_documents_gives_rows(dataset: Dataset) -> None:
    visits = pa.array([[{"day": 1}, {"day": 2}]], pa.list_(pa.struct([("day", pa.int64())])))
    write(dataset, {"country": ["AF"], "visits": visits})
    rows = read(dataset, collectionReference="$['visits']", paths=["$['country']", "['day']"])
    assert rows == [{"$['country']": "AF", "['day']": 1}, {"$['country']": "AF", "['day']": 2}]


def test_an_insert_does_not_replace_and_an_upsert_does(dataset: Dataset) -> None:
    write(dataset, {"_id": [1, 2], "n": [1, 1]})
    write(dataset, {"_id": [1, 2], "n": [1, 1]})
    with pytest.raises(Conflict, match="'2' is there already"):
        write(dataset, {"_id": [1, 2], "n": [1, 7]})
    write(dataset, {"_id": [2, 3], "n": [8, 9]}, writeBehavior="upsert")
    assert [row["n"] for row in read(dataset, cursorMethods={"sort": {"_id": 1}})] == [1, 8, 9]


def test_a_retry_after_half_a_write_completes_it(dataset: Dataset) -> None:
    mark = new_mark()
    write(dataset, {"n": [1, 2]}, mark)
    assert write(dataset, {"n": [1, 2, 3]}, mark).rows_copied == 3
    assert sorted(row["n"] for row in read(dataset)) == [1, 2, 3]


WRONG_SOURCES = {
    "a filter that is no JSON": ({"filter": "{n: 1}"}, "The filter is no JSON"),
    "a filter that is a list": ({"filter": "[1]"}, "The filter is no object"),
    "an operator that is none": ({"filter": {"$near": 1}}, "unknown top level operator"),
}


@pytest.mark.parametrize(("source", "message"), WRONG_SOURCES.values(), ids=WRONG_SOURCES)
def test_a_wrong_source_is_told(dataset: Dataset, source: dict[str, Any], message: str) -> None:
    write(dataset, {"n": [1]})
    with pytest.raises(WrongDefinition, match=message):
        read(dataset, **source)


ADDRESSES = {
    "open": ({"server": "h"}, "mongodb://h:27017/"),
    "with a password": (
        {
            "server": "h",
            "port": 1,
            "authenticationType": "Basic",
            "username": "u@x",
            "password": "p/w",
            "authSource": "admin",
        },
        "mongodb://u%40x:p%2Fw@h:1/?authSource=admin",
    ),
    "encrypted": ({"server": "h", "enableSsl": True}, "mongodb://h:27017/?tls=true"),
}


@pytest.mark.parametrize(("properties", "address"), ADDRESSES.values(), ids=ADDRESSES)
def test_the_older_properties_make_an_address(properties: dict[str, Any], address: str, tmp_path: Path) -> None:
    connection: Any = connected({**properties, "databaseName": "d"}, tmp_path, "MongoDb")
    assert connection.address.open() == address
    assert "p%2Fw" not in repr(connection)


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    address = "mongodb://u:secret@127.0.0.1:1/?serverSelectionTimeoutMS=200"
    dataset = opened(connected({"connectionString": address, "database": "d"}, tmp_path))
    with pytest.raises(Transient, match="MongoDB says") as caught:
        dataset.metadata(["exists"])
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("properties", [{}, {"connectionString": "mongodb://h"}], ids=["no address", "no database"])
def test_a_wrong_definition_is_told(properties: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(WrongDefinition, match="needs its"):
        connected(properties, tmp_path)


def test_an_address_that_is_none_is_told(tmp_path: Path) -> None:
    dataset = opened(connected({"connectionString": "http://u:secret@h", "database": "d"}, tmp_path))
    with pytest.raises(WrongDefinition, match="MongoDB says") as caught:
        dataset.metadata(["exists"])
    assert "secret" not in str(caught.value)
