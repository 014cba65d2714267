from collections.abc import Mapping

import pytest
from sqlglot import exp

from manara.table.lineage import query_lineage, script_lineage

TABLES = {
    "s": ("id", "a", "b", "day"),
    "t": ("id", "x", "y"),
    "mart.f": ("k", "total", "label"),
    "Mixed": ("Id", "Amount"),
}


def columns(table: exp.Table) -> Mapping[str, str]:
    name = f"{table.db}.{table.name}" if table.db not in {"", "dbo", "main", "public"} else table.name
    return dict.fromkeys(next((found for key, found in TABLES.items() if key.lower() == name.lower()), ()), "")


def told(text: str, dialect: str = "duckdb") -> dict[str, str]:
    """Every written column as `table.column` with its sources: `s.a` as it is, `s.a~` computed, `s.a+` over several."""
    signs = {"IDENTITY": "", "TRANSFORMATION": "~", "AGGREGATION": "+"}
    found = {}
    for written in script_lineage(text, dialect, columns).written:
        for column, sources in written.columns.items():
            shown = [f"{one.table}.{one.column}{signs[one.how]}" for one in sources]
            found[f"{written.table}.{column}"] = " ".join(sorted(shown))
    return found


CASES = {
    "insert by place": ("insert into t select id, a, b from s", "t.id=s.id t.x=s.a t.y=s.b"),
    "insert by names": ("insert into t (y, id) select a + b, id from s", "t.y=s.a~ s.b~ t.id=s.id"),
    "insert by name": ("insert into t by name select b as y, id from s", "t.y=s.b t.id=s.id"),
    "insert of values": ("insert into t values (1, 'x', null)", "t.id= t.x= t.y="),
    "a star": ("create table n as select * from s", "n.id=s.id n.a=s.a n.b=s.b n.day=s.day"),
    "a star without some": ("create table n as select * exclude (a, day) from s", "n.id=s.id n.b=s.b"),
    "from first": ("create table n as from t", "n.id=t.id n.x=t.x n.y=t.y"),
    "a cast": ("create table n as select a::int as a from s", "n.a=s.a~"),
    "a sum": ("create table n as select id, sum(a) as a, count(*) as c from s group by id", "n.id=s.id n.a=s.a+ n.c="),
    "a filter": ("create table n as select sum(a) filter (b = 'q') as a from s", "n.a=s.a+ s.b+"),
    "a window": (
        "create table n as select lag(a) over (partition by id order by day) as a from s", "n.a=s.a+ s.day+ s.id+"),
    "a CTE": ("insert into t with c as (select id, a + 1 as p, b from s) select id, p, b from c",
              "t.id=s.id t.x=s.a~ t.y=s.b"),
    "a recursive CTE": (
        "create table n as with recursive r as (select id, a from s union all select r.id, r.a + 1 from r) "
        "select id, a from r", "n.id=s.id n.a=s.a~"),
    "a sub-query": ("create table n as select q.m from (select max(a) as m from s) as q", "n.m=s.a+"),
    "a scalar sub-query": ("create table n as select (select max(x) from t) + a as m from s", "n.m=s.a~ t.x+"),
    "a correlated sub-query": (
        "create table n as select (select x + s.a from t where t.id = s.id) as m from s", "n.m=s.a~ t.x~"),
    "a union": ("create table n as select a from s union all select x from t", "n.a=s.a t.x"),
    "a join with USING": (
        "create table n as select id, a, x from s join t using (id)", "n.id=s.id t.id n.a=s.a n.x=t.x"),
    "a self join": ("create table n as select l.a, r.b from s as l join s as r on l.id = r.id", "n.a=s.a n.b=s.b"),
    "a view that stays": ("create view v as select a + b as c from s; insert into t select c, c, c from v",
                          "v.c=s.a~ s.b~ t.id=v.c t.x=v.c t.y=v.c"),
    "a temporary view": ("create temp view v as select a + b as c from s; create table n as select c from v",
                         "n.c=s.a~ s.b~"),
    "a temporary table": (
        "create temp table w as select sum(a) as c from s; insert into w select x from t; create table n as from w",
        "n.c=s.a+ t.x"),
    "a temporary table that is declared": (
        "create temp table w (c int); insert into w select a from s; create table n as from w", "n.c=s.a"),
    "a table that is made and filled": (
        "create table n (k int primary key, v int, check (v > 0), unique (v)); insert into n select id, a from s",
        "n.k=s.id n.v=s.a"),
    "two writes": ("insert into t select id, a, b from s; insert into t (id, x) select k, total from mart.f",
                   "t.id=mart.f.k s.id t.x=mart.f.total s.a t.y=s.b"),
    "an update": ("update t set x = s.a + t.y from s where s.id = t.id", "t.x=s.a~ t.y~"),
    "a merge": (
        "merge into t using s on t.id = s.id when matched then update set x = s.a "
        "when not matched then insert (id, x, y) values (s.id, s.b, 1)", "t.x=s.a~ s.b~ t.id=s.id t.y="),
    "a merge by place": ("merge into t using s using (id) when not matched then insert values (s.id, s.a, s.b)",
                         "t.id=s.id t.x=s.a t.y=s.b"),
    "an upsert": ("insert into t (id, x) select id, a from s on conflict (id) do update set x = excluded.x",
                  "t.id=s.id t.x=s.a"),
    "an unnested list": ("create table n as select u.v from s, unnest([s.a, s.b]) as u(v)", "n.v=s.a~ s.b~"),
    "a list that is folded": ("create table n as select [v + b for v in [a]] as l from s", "n.l=s.a~ s.b~"),
    "a schema": ("insert into mart.f select id, a, b from main.s", "mart.f.k=s.id mart.f.total=s.a mart.f.label=s.b"),
    "capitals": ("create table n as select ID, amount as Total from mixed", "n.ID=mixed.Id n.Total=mixed.Amount"),
    "a macro": ("create macro twice(v) as v * 2; create table n as select twice(a) as d from s", "n.d=s.a~"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), CASES.values(), ids=CASES.keys())
def test_each_column_is_followed_to_the_columns_it_was_made_from(text: str, wanted: str) -> None:
    assert shown(told(text)) == wanted.split()


def shown(found: Mapping[str, str]) -> list[str]:
    return " ".join(f"{name}={sources}" for name, sources in found.items()).split()


OTHER = {
    "T-SQL: SELECT INTO a temporary table": (
        "tsql", "SELECT id, SUM(a) AS a INTO #w FROM dbo.s GROUP BY id; INSERT INTO dbo.t (id, x) SELECT id, a FROM #w",
        "t.id=s.id t.x=s.a+"),
    "T-SQL: UPDATE of an alias": (
        "tsql", "UPDATE q SET q.x = r.a FROM dbo.t AS q JOIN dbo.s AS r ON r.id = q.id", "t.x=s.a"),
    "T-SQL: MERGE": (
        "tsql", "MERGE dbo.t AS q USING dbo.s AS r ON q.id = r.id WHEN MATCHED THEN UPDATE SET q.x = r.a "
        "WHEN NOT MATCHED BY TARGET THEN INSERT (id, x) VALUES (r.id, r.a);", "t.x=s.a t.id=s.id"),
    "PostgreSQL: quoted names": (
        "postgres", 'insert into "t" ("id", x) select "id", a from public.s', "t.id=s.id t.x=s.a"),
    "PostgreSQL: data-changing CTE before": (
        "postgres", "with c as (select id, a from s) insert into t (id, x) select id, a from c", "t.id=s.id t.x=s.a"),
}  # fmt: skip


@pytest.mark.parametrize(("dialect", "text", "wanted"), OTHER.values(), ids=OTHER.keys())
def test_other_dialects_are_followed_too(dialect: str, text: str, wanted: str) -> None:
    assert shown(told(text, dialect)) == wanted.split()


UNCLEAR = {
    "a star over an unknown table": ("insert into t select * from nobody", "t", "nobody", "star"),
    "an unknown target": ("insert into nobody select a from s", "nobody", "s", "not known which columns"),
    "two unknown tables": ("create table n as select p from u, v", "n", "u v", "not known where these come from: p"),
    "a pivot": ("create table n as from (pivot s on a using sum(b))", "n", "s", "star"),
    "columns in another number": ("insert into t select id, a from s", "t", "s", "numbers of columns differ"),
    "rows of a function": ("create table n as select * from read_csv('f.csv')", "n", "", "star"),
}


@pytest.mark.parametrize(("text", "table", "inputs", "reason"), UNCLEAR.values(), ids=UNCLEAR.keys())
def test_what_cannot_be_followed_says_so(text: str, table: str, inputs: str, reason: str) -> None:
    (written,) = script_lineage(text, "duckdb", columns).written
    assert (written.table, " ".join(written.inputs)) == (table, inputs)
    assert reason in written.unclear
    assert not any(written.columns.values())


def test_what_can_be_followed_beside_it_is_told() -> None:
    (written,) = script_lineage("create table n as select s.a, p from s, u, v", "duckdb", columns).written
    assert [one.column for one in written.columns["a"]] == ["a"]
    assert written.unclear == "It is not known where these come from: p."


def test_broken_sql_is_named_and_the_rest_is_read() -> None:
    found = script_lineage("insert into t select from where; create table n as select a from s", "duckdb", columns)
    assert [one.table for one in found.written] == ["n"]
    assert found.unclear == ("This cannot be read: insert into t select from where",)


def test_statements_that_write_no_rows_are_passed_by() -> None:
    found = script_lineage("delete from t; drop table if exists q; truncate t; select a from s", "duckdb", columns)
    assert (found.written, found.reads, found.unclear) == ((), ("s",), ())


def test_a_query_tells_its_columns() -> None:
    inputs, found, unclear = query_lineage("select a, x + 1 as n from s join t using (id)", "duckdb", columns)
    assert (inputs, unclear) == (("s", "t"), "")
    assert [(name, one.table, one.how) for name, sources in found.items() for one in sources] == [
        ("a", "s", "IDENTITY"),
        ("n", "t", "TRANSFORMATION"),
    ]


@pytest.mark.parametrize("text", ["selec a frm s", "", "select (", "with a as (select 1) "])
def test_a_query_that_is_none_says_so(text: str) -> None:
    assert query_lineage(text, "duckdb", columns)[2]
