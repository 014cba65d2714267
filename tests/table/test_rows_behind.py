from collections.abc import Mapping
from typing import Any

import duckdb
import pytest
from sqlglot import exp

from manara.table.lineage_query import Unclear
from manara.table.rows_behind import behind_query, rows_behind

DATA = """
create table s (id int, k int, v int, kind text);
insert into s values (1, 1, 10, 'a'), (2, 1, 20, 'b'), (3, 2, 30, 'a'), (4, 2, null, 'b');
create table d (k int, name text); insert into d values (1, 'one'), (2, 'two'), (3, 'three');
create table t (name text, total int);
"""
CASES: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "a copy": ("select id, v from s", {"id": 2}, "", "s:2"),
    "a group": ("select k, sum(v) as v from s group by k", {"k": 1}, "", "s:1,2"),
    "one filtered sum": ("select k, sum(v) filter (kind = 'a') as v from s group by k", {"k": 1}, "v", "s:1"),
    "an expression": ("select k * 10 as big, v from s", {"big": 20}, "", "s:3,4"),
    "a join": ("select name, v from s join d using (k)", {"name": "two"}, "v", "s:3,4"),
    "a join with its dimension": ("select name, v from s join d using (k)", {"name": "two"}, "", "s:3,4 d:2"),
    "a left join": ("select d.name, s.v from d left join s on s.k = d.k", {"name": "three"}, "", "d:3"),
    "a branch of a union": (
        "select id, 'x' as f from s union all select k, 'y' from d", {"id": 1, "f": "y"}, "", "d:1"),
    "a CTE": ("with c as (select k, sum(v) as v from s group by k) select name, v from c join d using (k)",
              {"name": "one"}, "v", "s:1,2"),
    "a sub-query": (
        "select q.k from (select k, max(v) as m from s group by k) as q where q.m > 5", {"k": 2}, "", "s:3,4"),
    "a constant that is not the row's": ("select id, 'x' as f from s", {"id": 1, "f": "z"}, "", ""),
    "a self join": ("select l.id, r.v from s as l join s as r on r.k = l.k", {"id": 3}, "v", "s:3,4"),
}  # fmt: skip


@pytest.fixture
def base() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(DATA)
    return connection


def shown(base: duckdb.DuckDBPyConnection, parts: Any) -> str:
    found: dict[str, set[int]] = {}
    for part in parts:
        found.setdefault(part.table, set()).update(row[0] for row in base.execute(part.query).fetchall())
    return " ".join(f"{table}:{','.join(map(str, sorted(ids)))}" for table, ids in found.items() if ids)


def asker(base: duckdb.DuckDBPyConnection) -> Any:
    def columns(table: exp.Table) -> Mapping[str, str]:
        query = "select column_name, data_type from information_schema.columns where table_name = ? order by all"
        return dict(base.execute(query, [table.name]).fetchall())

    return columns


@pytest.mark.parametrize(("query", "row", "wanted", "behind"), CASES.values(), ids=CASES.keys())
def test_the_rows_behind_a_row_are_found(
    base: duckdb.DuckDBPyConnection, query: str, row: dict[str, Any], wanted: str, behind: str
) -> None:
    assert shown(base, behind_query(query, "duckdb", asker(base), row, wanted)) == behind


SCRIPTS = {
    "an insert that leaves out what is there": "insert into t select name, sum(v) from s join d using (k) "
    "where name not in (select name from t) group by name",
    "a temporary view": "create temp view c as select name, v from s join d using (k); "
    "insert into t select name, sum(v) from c group by name",
    "a merge": "merge into t using (select name, sum(v) as v from s join d using (k) group by name) as f "
    "on t.name = f.name when matched then update set total = f.v when not matched then insert values (f.name, f.v)",
    "an update": "update t set total = f.v from (select name, sum(v) as v from s join d using (k) group by name) as f "
    "where f.name = t.name",
}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS.keys())
def test_a_written_row_is_followed_through_its_script(base: duckdb.DuckDBPyConnection, script: str) -> None:
    base.execute("insert into t values ('one', 30)")
    row = {"name": "one"}
    assert shown(base, rows_behind([script], "duckdb", asker(base), table="t", row=row, wanted="total")) == "s:1,2"


def test_what_keeps_one_of_several_rows_says_so(base: duckdb.DuckDBPyConnection) -> None:
    query = "select k, v from s qualify row_number() over (partition by k order by v) = 1"
    (part,) = behind_query(query, "duckdb", asker(base), {"k": 1})
    assert part.loose == ("the query keeps one of several rows (QUALIFY)",)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("selec", "."),
        ("with recursive r as (select 1 as n union all select n + 1 from r) select n from r", "recursive"),
        ("select * from nobody", "star"),
    ],
)
def test_what_cannot_be_followed_is_refused(base: duckdb.DuckDBPyConnection, query: str, message: str) -> None:
    with pytest.raises(Unclear, match=message):
        behind_query(query, "duckdb", asker(base), {"n": 1})


def test_what_where_asks_narrows_and_what_a_window_chose_says_so(base: duckdb.DuckDBPyConnection) -> None:
    plain = "select k, sum(v) as v from s where kind = 'a' group by k"
    assert shown(base, behind_query(plain, "duckdb", asker(base), {"k": 1}, "v")) == "s:1"
    ranked = (
        "select k, sum(v) as v from (select *, row_number() over (partition by k order by id) as place from s) "
        "where place <= 1 group by k"
    )
    (part,) = behind_query(ranked, "duckdb", asker(base), {"k": 1}, "v")
    assert shown(base, [part]) == "s:1,2"
    assert part.loose == ("the query keeps some of them by what a window or a group gives",)


def test_what_an_insert_asked_for_may_have_changed_since(base: duckdb.DuckDBPyConnection) -> None:
    script = "insert into t select kind, v from s where v is null"
    assert shown(base, rows_behind([script], "duckdb", asker(base), table="t", row={"name": "a"})) == "s:1,3"
