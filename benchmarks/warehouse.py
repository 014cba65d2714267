"""Loads of a star beside hand-written SQL over the same rows, in DuckDB.

    python benchmarks/warehouse.py [members] [facts]

A million members of which five in a hundred change a versioned attribute (type 2), and two million facts that look
their members up as of their month; then the same facts once more, of which none is new. The hand-written statements
keep versions and look keys up as LoadDimension and LoadFact do; these besides number late members, keep what a row was
before, refuse keys that come twice, and note every load. Times are of one process; the ratios are of the best rounds.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

import duckdb
import pyarrow as pa

import manara.connectors.databases.duckdb  # noqa: F401 # registers the connector
from manara.plugin.activity import Given
from manara.plugin.connection import CONNECTORS, Database, LinkedServiceGiven, Mark
from manara.plugin.dataset import Dataset
from manara.warehouse.activity import load_dimension, load_fact

ROUNDS = 2
SUBJECT = """
subject: bench
dimensions:
  - name: member
    key: [id]
    attributes:
      - {name: id, type: string}
      - {name: title, type: string}
      - {name: district, type: string, history: 2}
facts:
  - name: stock
    grain: one member in one month
    key: [member, date]
    asOf: month
    roles:
      - {name: member, dimension: member, from: [id]}
      - {name: date, dimension: date, from: [month]}
    measures: [{name: quantity, type: integer}]
"""
MEMBERS = """
select 'm' || n as id, 'Member ' || n as title,
    'D' || (n % 50 + case when {late} and n % 20 = 0 then 50 else 0 end) as district,
    timestamp '{since}' as since
from range({rows}) as t(n)
"""
FACTS = """
select 'm' || (n % {members}) as id, date '2024-01-01' + to_months((n // {members})::int)::interval as month,
    n % 500 as quantity
from range({rows}) as t(n)
"""
HAND_MAKE = """
create table dim_member (member_key bigint, id varchar, title varchar, district varchar, valid_from timestamp,
    valid_to timestamp, is_current boolean);
create table fact_stock (fact_key varchar, member_key bigint, date_key bigint, quantity bigint);
"""
HAND_MEMBERS = """
create or replace temp table changed as
    select s.*, d.member_key from source as s left join dim_member as d on d.id = s.id and d.is_current
    where d.id is null or d.district is distinct from s.district;
update dim_member as d set valid_to = c.since, is_current = false from changed as c
    where d.member_key = c.member_key;
insert into dim_member
    select (select coalesce(max(member_key), 0) from dim_member) + row_number() over (), id, title, district,
        case when member_key is null then timestamp '1900-01-01' else since end, timestamp '9999-12-31', true
    from changed;
update dim_member as d set title = s.title from source as s where d.id = s.id and d.title is distinct from s.title;
"""
HAND_FACTS = """
create or replace temp table keyed as
    select md5(concat_ws('|', s.id, s.month)) as fact_key, d.member_key,
        strftime(s.month, '%Y%m%d')::bigint as date_key, s.quantity
    from source as s left join dim_member as d on d.id = s.id and d.valid_from <= s.month and s.month < d.valid_to;
update fact_stock as f set member_key = k.member_key, quantity = k.quantity from keyed as k
    where f.fact_key = k.fact_key
        and (f.member_key, f.quantity) is distinct from (k.member_key, k.quantity);
insert into fact_stock select * from keyed as k where not exists (select 1 from fact_stock as f
    where f.fact_key = k.fact_key);
"""
TOTALS = """
select d.district, count(distinct d.member_key) as versions, count(f.fact_key) as facts, sum(f.quantity) as quantity
from dim_member as d left join fact_stock as f using (member_key) where d.member_key > 0 group by all order by all
"""
"""What both must come to."""

Found = tuple[list[float], list[tuple[Any, ...]]]
STEPS = ("a new dimension", "5 % of it changed", "new facts", "the same facts again")


def main() -> None:
    members = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    facts = int(sys.argv[2]) if len(sys.argv) > 2 else 2 * members
    with duckdb.connect() as made:
        first, second = (
            made.sql(MEMBERS.format(rows=members, late=late, since=since)).to_arrow_table()
            for late, since in ((False, "2023-01-01"), (True, "2024-01-15"))
        )
        rows = made.sql(FACTS.format(rows=facts, members=members)).to_arrow_table()
    loads = [("member", first), ("member", second), ("stock", rows), ("stock", rows)]
    hand = [by_hand(loads) for _ in range(ROUNDS)]
    ours = [by_manara(loads) for _ in range(ROUNDS)]
    assert all(totals == hand[0][1] for _, totals in ours), "the loads do not come to the same"
    print(f"{members:,} members, {facts:,} facts")
    for place, step in enumerate(STEPS):
        theirs, own = (min(times[place] for times, _ in each) for each in (hand, ours))
        print(f"{step}: by hand {theirs:.2f} s, Manara {own:.2f} s, {own / theirs:.2f} times")
    print(f"peak memory of both: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def by_hand(loads: list[tuple[str, pa.Table]]) -> Found:
    """Return the seconds of each load, and the totals, by statements that somebody would write for it."""
    with tempfile.TemporaryDirectory() as folder, duckdb.connect(str(Path(folder) / "hand.duckdb")) as connection:
        connection.execute(HAND_MAKE)

        def load(target: str, rows: pa.Table) -> None:
            connection.register("source", rows)
            connection.execute("begin")
            connection.execute(HAND_MEMBERS if target == "member" else HAND_FACTS)
            connection.execute("commit")

        times = [timed(partial(load, *each)) for each in loads]
        return times, connection.execute(TOTALS).fetchall()


def by_manara(loads: list[tuple[str, pa.Table]]) -> Found:
    """Return the seconds of each load by its activity, and the totals."""
    with tempfile.TemporaryDirectory() as folder:
        properties = {"path": "warehouse.duckdb"}
        given = LinkedServiceGiven(name="w", type="DuckDB", properties=properties, root=Path(folder))
        database = CONNECTORS.find("DuckDB")(given)
        assert isinstance(database, Database)
        times = []
        for number, (target, rows) in enumerate(loads):
            kind = {"subject": "bench"} | (
                {"dimension": target, "validFrom": "since"} if target == "member" else {"fact": target}
            )
            work = load_dimension if target == "member" else load_fact
            activity = _given(kind, rows, database, Path(folder), str(number))
            times.append(timed(partial(work, activity)))
        totals = database.query(TOTALS).read_all()
        return times, list(zip(*(totals[name].to_pylist() for name in totals.column_names), strict=True))


class _Rows:
    """As much of a dataset as a load asks for, with the rows in memory."""

    def __init__(self, rows: pa.Table) -> None:
        self._rows = rows

    def read(self, _settings: Mapping[str, Any], _tally: Any) -> pa.RecordBatchReader:
        return self._rows.to_reader()


def _given(properties: dict[str, Any], rows: pa.Table, database: Database, root: Path, step: str) -> Given:
    return Given(
        name="Load", properties=properties, inputs=[{"referenceName": "rows"}], outputs=[],
        linked_service={"referenceName": "w"}, mark=Mark(run_id="r", step=step, attempt=1),
        dataset=lambda _reference: cast(Dataset, _Rows(rows)),
        connect=lambda _reference: database, text=lambda _kind, _name: SUBJECT, report=lambda _told: None, root=root,
        cursor=None, describe=lambda _kind, _reference: {}, published_type=lambda _reference: "",
    )  # fmt: skip


def timed(work: Callable[[], Any]) -> float:
    """Return the seconds that the work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
