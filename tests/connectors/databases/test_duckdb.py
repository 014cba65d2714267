import gc
import json
import subprocess
import sys
import threading
from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pytest
from tests.plugin_given import Place

from manara.connectors.databases import duckdb_file
from manara.errors import BadRows, Conflict, ManaraError, NotFound, Transient, WrongDefinition
from manara.plugin.connection import ArrowTransaction, Mark, Transaction

_HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


def _mark(step: str = "Load", attempt: int = 1) -> Mark:
    return Mark(run_id="run", step=step, attempt=attempt)


def _run(place: Place, *statements: str, step: str = "Load") -> None:
    def work(transaction: Transaction) -> dict[str, int]:
        return {"rows": sum(transaction.execute(statement) for statement in statements)}

    place.database.once(_mark(step), work)


def test_a_step_is_done_once_and_its_result_is_kept(place: Place) -> None:
    def work(transaction: Transaction) -> dict[str, int]:
        transaction.execute("create table t (a int)")
        return {"rows": transaction.execute("insert into t values (1), (2)")}

    results = [place.database.once(_mark(attempt=attempt), work) for attempt in (1, 2)]
    assert results == [{"rows": 2}, {"rows": 2}]
    assert place.query("select count(*) as n from t") == [{"n": 2}]
    marks = place.query("select step, attempt, output from manara_mark")
    assert [(mark["step"], mark["attempt"], json.loads(mark["output"])) for mark in marks] == [("Load", 1, {"rows": 2})]


def test_work_that_fails_leaves_nothing_and_may_be_done_again(place: Place) -> None:
    def fails(transaction: Transaction) -> dict[str, int]:
        transaction.execute("create table t (a int)")
        raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        place.database.once(_mark(), fails)
    _run(place, "create table t (a int)")
    assert place.query("select * from t") == []


def test_the_error_of_a_stream_is_not_disguised(place: Place) -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"a": [1]})
        raise BadRows("row 2 is broken")

    def work(transaction: Transaction) -> dict[str, int]:
        assert isinstance(transaction, ArrowTransaction)
        rows = pa.RecordBatchReader.from_batches(pa.schema([("a", pa.int64())]), batches())
        with transaction.register("rows", rows):
            transaction.execute("create table t as select * from rows")
        return {}

    with pytest.raises(BadRows, match="row 2 is broken"):
        place.database.once(_mark(), work)
    assert place.query("select table_name from information_schema.tables where table_name = 't'") == []


def test_a_short_result_may_be_read_after_the_next_statement(place: Place) -> None:
    def work(transaction: Transaction) -> dict[str, int]:
        rows = transaction.query("select $n as n", {"n": 7})
        transaction.execute("create table t (a int)")
        return {"n": rows.read_all()["n"][0].as_py()}

    assert place.database.once(_mark(), work) == {"n": 7}


@pytest.mark.parametrize(
    ("statement", "kind", "says"),
    [
        pytest.param("select * from fact", NotFound, r'(?s)Table with name fact .* ?Did you mean "facts"', id="table"),
        pytest.param("selec 1", WrongDefinition, '(?s)near "selec".*LINE 1: selec 1', id="syntax"),
        pytest.param("select aa from facts", WrongDefinition, '(?s)column "aa" not found', id="column"),
        pytest.param("create table facts (a int)", Conflict, "already exists", id="exists"),
        pytest.param("insert into facts values (1, 'y')", Conflict, "(?i)duplicate key", id="duplicate"),
        pytest.param("insert into facts values (2, null)", BadRows, "NOT NULL constraint", id="null"),
        pytest.param("insert into facts select 'x', 'y'", BadRows, "(?s)Could not convert string 'x'", id="cast"),
    ],
)
def test_what_duckdb_says_is_told(place: Place, statement: str, kind: type[ManaraError], says: str) -> None:
    _run(place, "create table facts (a int primary key, b varchar not null)", "insert into facts values (1, 'x')")
    with pytest.raises(kind, match=says):
        _run(place, statement, step="Other")
    with pytest.raises(kind, match=says if "LINE" not in says else "selec"):
        place.query(statement)


def test_a_long_statement_is_not_told_whole(place: Place) -> None:
    with pytest.raises(ManaraError) as raised:
        place.query(f"select {', '.join(str(n) for n in range(9999))} from nowhere")
    assert len(str(raised.value)) < 600


def test_a_file_that_is_no_database_is_told(place: Place) -> None:
    place.write("warehouse.duckdb", "hello" * 999)
    with pytest.raises(WrongDefinition, match="not a valid DuckDB"):
        place.query("select 1")


def test_steps_in_threads_do_not_conflict(place: Place) -> None:
    _run(place, "create table t (k int primary key, n int)", "insert into t values (1, 0)")
    steps = [f"Each[{index}]" for index in range(8)]
    threads = [
        threading.Thread(target=_run, args=(place, "update t set n = n + 1"), kwargs={"step": step}) for step in steps
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert place.query("select n from t") == [{"n": 8}]


def test_times_are_in_utc(place: Place) -> None:
    assert place.query("select current_setting('TimeZone') as zone") == [{"zone": "UTC"}]


def test_another_process_is_waited_for_and_named(place: Place) -> None:
    _run(place, "create table t (a int)")
    duckdb_file.close_all()
    path = str(place.folder / "warehouse.duckdb")
    with subprocess.Popen([sys.executable, "-c", _HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdin
        other.stdout.readline()
        with pytest.raises(Transient, match=rf"holds the database: .*PID {other.pid}"):
            place.query("select 1")
        other.stdin.close()
        other.wait()
    assert place.query("select * from t") == []


def test_the_file_is_free_when_nobody_uses_it(place: Place) -> None:
    file = duckdb_file.shared(place.folder / "free.duckdb", lock_timeout_s=1, config={})
    file.linger_s = 0
    with file.cursor() as cursor:
        cursor.execute("select 1")
        duckdb_file.close_all()
        assert file.is_open
    file.linger_s = 60
    duckdb_file.close_all()
    assert not file.is_open


@pytest.mark.parametrize("batches", [0, 1])
def test_rows_that_nobody_reads_on_give_the_file_back(place: Place, batches: int) -> None:
    rows = place.database.query("select * from range(1000000)")
    for _ in range(batches):
        rows.read_next_batch()
    del rows
    gc.collect()
    file = duckdb_file.shared(place.folder / "warehouse.duckdb", lock_timeout_s=1, config={})
    duckdb_file.close_all()
    assert not file.is_open


def test_large_loads_spill_within_the_memory_that_is_allowed(place: Place) -> None:
    file = duckdb_file.shared(place.folder / "small.duckdb", lock_timeout_s=1, config={"memory_limit": "60MB"})
    with file.cursor() as cursor:
        cursor.execute("create table t as select range as n, md5(range::varchar) as t from range(1000000) order by t")
        assert cursor.execute("select count(*) from t").fetchone() == (1_000_000,)


def test_rows_that_pass_through_take_little_memory_while_nobody_else_is_there(place: Place) -> None:
    told = {"memory_limit": "1.0 GiB"}
    file = duckdb_file.shared(place.folder / "lean.duckdb", lock_timeout_s=1, config=told, may_be_lean=True)

    def limit(cursor: duckdb.DuckDBPyConnection) -> str:
        return str((cursor.execute("select current_setting('memory_limit')").fetchone() or [""])[0])

    with file.cursor() as cursor:
        assert limit(cursor) == "1.0 GiB"
        with file.passing_through(128):
            assert limit(cursor) == "128.0 MiB"
            with file.cursor() as other:
                assert limit(cursor) == "1.0 GiB"
                with file.passing_through(96):
                    assert limit(other) == "96.0 MiB"
            assert limit(cursor) == "128.0 MiB"
        assert limit(cursor) == "1.0 GiB"


@pytest.mark.parametrize(
    ("query", "is_streamed"),
    [
        ("select * from t where n > 1", True), ("select n + 1 as m from t", True),
        ("select * from t order by n", False),
        ("select n, count(*) from t group by n", False), ("select * from t join t as u using (n)", False),
        ("select *, lag(n) over (order by n desc) from t", False), ("select distinct n from t", False),
    ],
)  # fmt: skip
def test_a_plan_tells_whether_rows_wait_for_others(place: Place, query: str, is_streamed: bool) -> None:
    _run(place, "create table t as select range as n from range(10)")
    with duckdb_file.shared(place.folder / "warehouse.duckdb", lock_timeout_s=1, config={}).cursor() as cursor:
        assert duckdb_file.is_streamed(cursor.sql(query).explain()) == is_streamed
