"""What every plug-in of a kind must do, as tests: a connector's test file names its type and has them all.

class TestLake(StoreSuite):
    type = "FileServer"
    properties = {"host": "lake"}
"""
# ruff: noqa: S101, S608 # tests say what they expect by assert, and the names of the tables are their own

import uuid
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pytest
import sqlglot
from sqlglot import exp

from manara import clock
from manara.errors import ManaraError, NotAllowed, NotFound, SourceMissing
from manara.plugin.connection import CONNECTORS, Connection, Database, LinkedServiceGiven, Mark, Store, Transaction
from manara.plugin.dataset import DATASETS, Dataset, DatasetGiven, Tally

Json = Mapping[str, Any]

ANY_BYTES = bytes(range(256))
NAMES = ("plain.csv", "with space.csv", "ناجح.csv", "50%25 #1&2+3.csv", "no-ending", ".hidden")


class ConnectorSuite:
    """Opens a linked service of the `type`, with these resolved typeProperties, in a folder of its own."""

    type: ClassVar[str]
    properties: ClassVar[Json] = {}

    @pytest.fixture
    def connection(self, tmp_path: Path) -> Connection:
        """Return the open connection; a type that needs more than properties overrides this."""
        given = LinkedServiceGiven(name="Tested", type=self.type, properties=self.properties, root=tmp_path)
        return CONNECTORS.find(self.type)(given)


class StoreSuite(ConnectorSuite):
    """Whether a linked service is a store of files as `manara.plugin.connection.Store` says. It begins empty."""

    @pytest.fixture
    def store(self, connection: Connection) -> Store:
        assert isinstance(connection, Store)
        return connection

    @pytest.mark.parametrize("size", [0, 1, 9 << 20])
    def test_a_file_comes_back_as_it_was_written(self, store: Store, size: int) -> None:
        content = (ANY_BYTES * (size // 256 + 1))[:size]
        fill(store, "in/a.bin", content)
        assert read(store, "in/a.bin") == content

    @pytest.mark.parametrize("name", NAMES)
    def test_any_name_can_be_written_listed_read_and_deleted(self, store: Store, name: str) -> None:
        fill(store, f"in/{name}", b"1")
        assert [info.path for info in store.list("in")] == [f"in/{name}"]
        assert read(store, f"in/{name}") == b"1"
        store.delete(f"in/{name}")
        assert store.info(f"in/{name}") is None

    def test_a_file_can_be_read_in_parts(self, store: Store) -> None:
        fill(store, "a.bin", ANY_BYTES)
        with store.open("a.bin") as file:
            assert [file.read(100), file.read(100), file.read(100)] == [ANY_BYTES[:100], ANY_BYTES[100:200],
                                                                        ANY_BYTES[200:]]  # fmt: skip

    def test_a_file_is_not_there_before_it_is_whole(self, store: Store) -> None:
        fill(store, "in/first.csv", b"1")
        with store.create("in/a.csv") as file:
            file.write(b"half")
            assert store.info("in/a.csv") is None
            assert [info.name for info in store.list("in")] == ["first.csv"]
        assert read(store, "in/a.csv") == b"half"

    def test_a_write_that_fails_leaves_what_was_there(self, store: Store) -> None:
        fill(store, "a.csv", b"old")
        with pytest.raises(ZeroDivisionError):
            break_off(store, "a.csv")
        assert [(info.name, read(store, info.path)) for info in store.list("")] == [("a.csv", b"old")]

    def test_a_second_write_replaces_the_first(self, store: Store) -> None:
        fill(store, "a.csv", b"a long first text")
        fill(store, "a.csv", b"short")
        assert read(store, "a.csv") == b"short"

    def test_a_file_tells_its_size_and_when_it_was_written(self, store: Store) -> None:
        fill(store, "in/a.csv", b"12345")
        info = store.info("in/a.csv")
        assert info is not None
        assert (info.path, info.name, info.is_folder, info.size_bytes) == ("in/a.csv", "a.csv", False, 5)
        assert abs(clock.now() - info.modified) < timedelta(minutes=15)

    def test_a_folder_is_told_from_a_file(self, store: Store) -> None:
        fill(store, "in/deep/a.csv", b"12345")
        info = store.info("in/deep")
        assert info is not None
        assert (info.path, info.is_folder, info.size_bytes) == ("in/deep", True, 0)

    def test_a_folder_lists_what_lies_directly_in_it_by_name(self, store: Store) -> None:
        for path in ("in/b.csv", "in/a.csv", "in/deep/c.csv", "in/deep/deeper/d.csv", "inner/e.csv"):
            fill(store, path, b"1")
        assert [(info.path, info.is_folder) for info in store.list("in")] == [
            ("in/a.csv", False),
            ("in/b.csv", False),
            ("in/deep", True),
        ]
        assert [info.path for info in store.list("")] == ["in", "inner"]

    def test_what_is_missing_is_told(self, store: Store) -> None:
        fill(store, "in/a.csv", b"1")
        assert store.info("in/b.csv") is None
        with pytest.raises(SourceMissing):
            store.open("in/b.csv")
        with pytest.raises(SourceMissing):
            store.list("out")

    def test_deleting_takes_a_folder_with_all_it_holds_and_nothing_else(self, store: Store) -> None:
        for path in ("in/a.csv", "in/deep/b.csv", "inner/c.csv"):
            fill(store, path, b"1")
        store.delete("in")
        store.delete("in")
        assert store.info("in/deep/b.csv") is None
        assert read(store, "inner/c.csv") == b"1"

    @pytest.mark.parametrize("path", ["../a.csv", "in/../../a.csv", ".."])
    @pytest.mark.parametrize("does", ["info", "list", "open", "create", "delete"])
    def test_no_path_leaves_the_root(self, store: Store, does: str, path: str) -> None:
        fill(store, "in/a.csv", b"1")
        with pytest.raises(NotAllowed):
            fill(store, path, b"1") if does == "create" else getattr(store, does)(path)

    def test_a_path_on_the_disk_holds_the_file(self, store: Store) -> None:
        fill(store, "in/a.csv", b"1")
        local = store.local_path("in/a.csv")
        assert local is None or local.read_bytes() == b"1"


class DatabaseSuite(ConnectorSuite):
    """Whether a linked service is a database as `manara.plugin.connection.Database` says.

    `names` are those that it tells of the columns that were made as `n` and `t` without quotes.
    """

    names: ClassVar[tuple[str, str]] = ("n", "t")

    @pytest.fixture
    def database(self, connection: Connection) -> Database:
        assert isinstance(connection, Database)
        return connection

    @pytest.fixture
    def table(self, database: Database) -> Iterator[str]:
        """Return the name of an empty table with a number `n` and a text `t`, which is dropped afterwards."""
        name = f"manara_suite_{uuid.uuid4().hex[:12]}"
        database.once(new_mark(), execute(f"create table {name} (n integer not null, t varchar(20))"))
        yield name
        database.once(new_mark(), execute(f"drop table {name}"))

    def test_its_dialect_is_known(self, database: Database) -> None:
        assert sqlglot.Dialect.get(database.dialect) is not None

    def test_rows_come_back_as_arrow(self, database: Database, table: str) -> None:
        database.once(new_mark(), execute(f"insert into {table} values (1, 'a'), (2, null)"))
        rows = database.query(f"select n, t from {table} order by n")
        assert isinstance(rows, pa.RecordBatchReader)
        assert rows.read_all().to_pydict() == dict(zip(self.names, ([1, 2], ["a", None]), strict=True))

    def test_no_rows_still_have_columns(self, database: Database, table: str) -> None:
        assert database.query(f"select n, t from {table}").read_all().column_names == [*self.names]

    def test_a_step_is_done_once_and_gives_its_first_result_again(self, database: Database, table: str) -> None:
        mark = new_mark()
        results = []
        for attempt in (1, 2, 3):

            def work(transaction: Transaction, attempt: int = attempt) -> dict[str, Any]:
                return {"rows": transaction.execute(f"insert into {table} values ({attempt}, 'a')"), "more": [{"a": 1}]}

            results.append(database.once(Mark(run_id=mark.run_id, step=mark.step, attempt=attempt), work))
        assert results == [{"rows": 1, "more": [{"a": 1}]}] * 3
        assert numbers(database, table) == [1]

    def test_another_step_and_another_run_are_done(self, database: Database, table: str) -> None:
        mark = new_mark()
        database.once(mark, execute(f"insert into {table} values (1, 'a')"))
        database.once(
            Mark(run_id=mark.run_id, step="Other", attempt=1), execute(f"insert into {table} values (2, 'a')")
        )
        database.once(new_mark(), execute(f"insert into {table} values (3, 'a')"))
        assert numbers(database, table) == [1, 2, 3]

    def test_work_that_fails_leaves_nothing_and_can_be_done_again(self, database: Database, table: str) -> None:
        def fails(transaction: Transaction) -> dict[str, Any]:
            transaction.execute(f"insert into {table} values (1, 'a')")
            raise ZeroDivisionError

        mark = new_mark()
        with pytest.raises(ZeroDivisionError):
            database.once(mark, fails)
        assert numbers(database, table) == []
        database.once(mark, execute(f"insert into {table} values (2, 'a')"))
        assert numbers(database, table) == [2]

    def test_a_statement_that_fails_takes_those_before_it_back(self, database: Database, table: str) -> None:
        insert = f"insert into {table} values (1, 'a')"
        with pytest.raises(ManaraError):
            database.once(new_mark(), execute(insert, f"insert into {table} values (null, 'a')"))
        assert numbers(database, table) == []

    def test_the_work_sees_what_it_wrote_and_others_do_not(self, database: Database, table: str) -> None:
        def work(transaction: Transaction) -> dict[str, Any]:
            transaction.execute(f"insert into {table} values (1, 'a')")
            own = transaction.query(f"select n from {table}").read_all().num_rows
            return {"own": own, "others": len(numbers(database, table))}

        assert database.once(new_mark(), work) == {"own": 1, "others": 0}

    def test_changed_rows_are_counted(self, database: Database, table: str) -> None:
        def work(transaction: Transaction) -> dict[str, Any]:
            inserted = transaction.execute(f"insert into {table} values (1, 'a'), (2, 'b'), (3, 'c')")
            updated = transaction.execute(f"update {table} set t = 'd' where n > 1")
            return {"inserted": inserted, "updated": updated, "deleted": transaction.execute(f"delete from {table}")}

        assert database.once(new_mark(), work) == {"inserted": 3, "updated": 2, "deleted": 3}

    def test_arrow_rows_are_loaded(self, database: Database, table: str) -> None:
        rows = pa.table({"n": pa.array([1, 2], pa.int32()), "t": ["a", None]})

        def work(transaction: Transaction) -> dict[str, Any]:
            incoming = pa.RecordBatchReader.from_batches(rows.schema, rows.to_batches())
            return {"rows": transaction.load(exp.to_table(table), incoming)}

        assert database.once(new_mark(), work) == {"rows": 2}
        assert numbers(database, table) == [1, 2]

    def test_it_tells_the_columns_of_a_table(self, database: Database, table: str) -> None:
        assert [name.lower() for name in database.columns(exp.to_table(table))] == ["n", "t"]
        assert database.columns(exp.to_table("manara_suite_no_such_table")) == {}

    def test_what_the_database_refuses_is_an_error_of_ours(self, database: Database) -> None:
        with pytest.raises(ManaraError):
            database.query("selec 1").read_all()
        with pytest.raises(NotFound):
            database.query("select * from manara_suite_no_such_table").read_all()


class DatasetSuite(ConnectorSuite):
    """Whether a dataset type writes and reads rows as `manara.plugin.dataset.Dataset` says.

    `type` and `properties` are the linked service's, those of the dataset stand in `dataset_type` and
    `dataset_properties`; `source` and `sink` are the settings of a copy. `rows` must come back as they are.
    """

    dataset_type: ClassVar[str]
    dataset_properties: ClassVar[Json]
    source: ClassVar[Json] = {}
    sink: ClassVar[Json] = {}
    rows: ClassVar[pa.Table] = pa.table({"name": ["Kabul", "Mazar-i-Sharif, North", "مزار"], "code": ["01", "2", ""]})

    @pytest.fixture
    def dataset(self, connection: Connection) -> Dataset:
        """Return the dataset; nothing lies there yet."""
        given = DatasetGiven(
            name="Tested",
            type=self.dataset_type,
            properties=self.dataset_properties,
            connection=connection,
            batch_rows=2,
        )
        return DATASETS.find(self.dataset_type)(given)

    def write(self, dataset: Dataset, mark: Mark, rows: pa.Table | None = None) -> Tally:
        """Write the rows as a copy does and return its tally."""
        table = self.rows if rows is None else rows
        tally = Tally()
        reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=2))
        dataset.write(self.sink, reader, mark, tally)
        return tally

    def test_written_rows_come_back(self, dataset: Dataset) -> None:
        self.write(dataset, new_mark())
        rows = dataset.read(self.source, Tally())
        assert isinstance(rows, pa.RecordBatchReader)
        assert sorted(rows.read_all().to_pylist(), key=repr) == sorted(self.rows.to_pylist(), key=repr)

    def test_a_step_writes_once(self, dataset: Dataset) -> None:
        mark = new_mark()
        counts = [self.write(dataset, mark).rows_copied for _ in range(2)]
        assert counts == [self.rows.num_rows] * 2
        assert dataset.read(self.source, Tally()).read_all().num_rows == self.rows.num_rows

    def test_rows_that_end_in_an_error_are_not_written(self, dataset: Dataset) -> None:
        def batches() -> Iterator[pa.RecordBatch]:
            yield from self.rows.to_batches(max_chunksize=2)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            dataset.write(
                self.sink, pa.RecordBatchReader.from_batches(self.rows.schema, batches()), new_mark(), Tally()
            )
        assert dataset.metadata(["exists"]) == {"exists": False}

    def test_it_says_whether_it_is_there(self, dataset: Dataset) -> None:
        assert dataset.metadata(["exists"]) == {"exists": False}
        self.write(dataset, new_mark())
        assert dataset.metadata(["exists"]) == {"exists": True}

    def test_reading_what_is_not_there_is_told(self, dataset: Dataset) -> None:
        with pytest.raises(NotFound):
            dataset.read(self.source, Tally()).read_all()


def fill(store: Store, path: str, content: bytes) -> None:
    """Write a file."""
    with store.create(path) as file:
        file.write(content)


def break_off(store: Store, path: str) -> None:
    """Begin to write a file, and fail."""
    with store.create(path) as file:
        file.write(b"half")
        raise ZeroDivisionError


def read(store: Store, path: str) -> bytes:
    """Return what is in a file."""
    with store.open(path) as file:
        return file.read()


def new_mark() -> Mark:
    """Return the mark of a step of a new run."""
    return Mark(run_id=str(uuid.uuid4()), step="Load", attempt=1)


def execute(*statements: str) -> Any:
    """Return work for `Database.once` that runs the statements."""

    def work(transaction: Transaction) -> dict[str, Any]:
        return {"rows": sum(transaction.execute(statement) for statement in statements)}

    return work


def numbers(database: Database, table: str) -> list[int]:
    """Return the numbers in the suite's table as everybody sees them."""
    told: list[Any] = database.query(f"select n from {table} order by n").read_all().column(0).to_pylist()
    return told
