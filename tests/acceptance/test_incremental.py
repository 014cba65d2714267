"""Loads of only what is new, run twice, each process killed before it can note what it did: every row arrives once."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.acceptance.incremental import make, prepare, run_killed_everywhere, start

DAY = datetime(2024, 1, 1)  # noqa: DTZ001 # as a database without zones has it
Row = tuple[int, str, datetime]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make(tmp_path / "factory")


def rows(first: int, last: int) -> list[Row]:
    """Return rows by number, one an hour."""
    return [(number, "SS", DAY + timedelta(hours=number)) for number in range(first, last + 1)]


def order(root: Path, found: list[Row]) -> None:
    with duckdb.connect(root / "data/erp.duckdb") as connection:
        connection.executemany("insert into orders values (?, ?, ?)", found)


def loaded(root: Path) -> list[Row]:
    with duckdb.connect(root / "data/warehouse.duckdb", read_only=True) as connection:
        return connection.execute("select id, country, changed from loaded order by id, country").fetchall()


def test_a_watermark_kept_by_lookup_and_script(root: Path) -> None:
    order(root, rows(1, 5))
    assert start(root, "run", "watermark").returncode == 0
    assert loaded(root) == rows(1, 5)
    order(root, rows(6, 9))
    assert run_killed_everywhere(root, "watermark") > 0
    assert loaded(root) == rows(1, 9)
    with duckdb.connect(root / "data/warehouse.duckdb") as connection:
        marks = dict(connection.execute("select * from watermark").fetchall())
    assert (marks["orders"], marks["others"]) == (rows(9, 9)[0][2], datetime(1900, 1, 1))  # noqa: DTZ001


def test_windows_that_tumble_in_any_order(root: Path) -> None:
    order(root, rows(0, 71))
    for day in (1, 0):
        start_at = DAY + timedelta(days=day)
        window = {"windowStart": start_at.isoformat(), "windowEnd": (start_at + timedelta(days=1)).isoformat()}
        assert run_killed_everywhere(root, "tumbling", **window) > 0
    assert loaded(root) == rows(0, 47)


def put_csv(root: Path, name: str, found: list[Row], modified: datetime) -> None:
    file = prepare(root / "data/lake/in/month" / name)
    lines = [f"{number},{country},{changed.isoformat()}" for number, country, changed in found]
    file.write_text("\n".join(["id,country,changed", *lines]) + "\n")
    at = modified.replace(tzinfo=UTC).timestamp()
    os.utime(file, (at, at))


def test_files_that_were_modified_in_a_window(root: Path) -> None:
    put_csv(root, "a.csv", rows(1, 3), DAY)
    put_csv(root, "b.csv", rows(4, 4), DAY + timedelta(hours=23, minutes=59))
    put_csv(root, "c.csv", rows(5, 9), DAY + timedelta(days=1))
    for day, last in ((0, 4), (1, 9)):
        start_at = DAY + timedelta(days=day)
        window = {
            "windowStart": f"{start_at.isoformat()}Z",
            "windowEnd": f"{(start_at + timedelta(days=1)).isoformat()}Z",
        }
        run_killed_everywhere(root, "files", **window)
        assert [int(number) for number, _, _ in loaded(root)] == list(range(1, last + 1))


def put_feed(root: Path, country: str, count: int) -> list[Row]:
    found = [(number, country, moment) for number, _, moment in rows(1, count)]
    lines = [json.dumps({"id": number, "country": country}) for number, _, _ in found]
    prepare(root / "data/lake" / f"{country}.jsonl").write_text("\n".join(lines))
    return found


def fed(root: Path) -> list[tuple[str, int]]:
    return [(country, number) for number, country, _ in loaded(root)]


def cursors(root: Path) -> dict[str, Any]:
    told = json.loads(start(root, "cursor", "list", "--json").stdout)["value"]
    return {each["about"]["inputs"][0]["parameters"]["file"]: each["cursor"] for each in told}


def test_a_cursor_that_the_runtime_keeps_for_each_country(root: Path) -> None:
    put_feed(root, "SS", 3)
    put_feed(root, "ET", 2)
    assert run_killed_everywhere(root, "cursor") > 0
    assert cursors(root) == {"SS.jsonl": 3, "ET.jsonl": 2}
    put_feed(root, "SS", 7)
    run_killed_everywhere(root, "cursor")
    assert cursors(root) == {"SS.jsonl": 7, "ET.jsonl": 2}
    once = [("SS", number) for number in range(1, 8)] + [("ET", number) for number in range(1, 3)]
    assert sorted(fed(root)) == sorted(once)


def test_a_cursor_that_a_data_manager_sets_back(root: Path) -> None:
    put_feed(root, "SS", 3)
    put_feed(root, "ET", 1)
    start(root, "run", "cursor")
    (name,) = [
        each["id"]
        for each in json.loads(start(root, "cursor", "list", "--json").stdout)["value"]
        if each["cursor"] == 3
    ]
    assert "It was 3." in start(root, "cursor", "set", name[:8], "1").stdout
    start(root, "run", "cursor")
    assert sorted(fed(root)) == [("ET", 1), ("SS", 1), ("SS", 2), ("SS", 2), ("SS", 3), ("SS", 3)]


def test_a_run_that_fails_leaves_the_cursor_where_it_was(root: Path) -> None:
    put_feed(root, "SS", 3)
    assert start(root, "run", "cursor").returncode == 1
    assert cursors(root) == {"SS.jsonl": 3}
    put_feed(root, "ET", 2)
    start(root, "rerun", "last", "--from-failure")
    assert sorted(fed(root)) == [("ET", 1), ("ET", 2), ("SS", 1), ("SS", 2), ("SS", 3)]
