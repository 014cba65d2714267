"""Dhis2: metadata, data values and analytics read, changes only, and data values written back."""

import gzip
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.dhis2_server import MONTHS, PASSWORD, TOKEN, USER, Dhis2, Running, dhis2_server
from tests.services import dataset, rows
from tests.web_server import Reply, serving

from manara.connectors.services import client
from manara.errors import BadRows, ManaraError, NotAllowed, SourceMissing, WrongDefinition
from manara.plugin.connection import Mark
from manara.plugin.dataset import Dataset, Refused, Tally

Json = dict[str, Any]
BASIC = {"username": USER, "password": {"type": "SecureString", "value": PASSWORD}}
MARK = Mark(run_id="run", step="Push", attempt=1)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "FIRST_WAIT_S", 0.001)


@pytest.fixture(scope="module")
def reading() -> Iterator[Running]:
    """Return a server that no test changes."""
    with dhis2_server() as running:
        yield running


@pytest.fixture
def changing() -> Iterator[Running]:
    with dhis2_server(Dhis2(facilities=2)) as running:
        yield running


def dhis2(running: Running, root: Path, kind: str, /, *, linked: Json | None = None, **properties: Any) -> Dataset:
    opened = BASIC if linked is None else linked
    return dataset("Dhis2Resource", "Dhis2", running.url, root=root, linked=opened, kind=kind, **properties)


def values_of(running: Running, root: Path, **more: Any) -> Dataset:
    whole = {"dataSet": running.data.data_set, "orgUnit": running.data.root, "children": True, "period": MONTHS, **more}
    return dhis2(running, root, "dataValueSet", **whole)


def keys(found: list[Json]) -> list[tuple[str, ...]]:
    return sorted((row["dataElement"], row["period"], row["orgUnit"], str(row["value"])) for row in found)


def raw_files(root: Path) -> list[Path]:
    return sorted((root / "data" / "raw").rglob("0*.json.gz"))


def test_all_pages_of_a_list_are_read(reading: Running, tmp_path: Path) -> None:
    units = dhis2(reading, tmp_path, "metadata", resource="organisationUnits", fields="id,name,level", pageSize=4)
    found = rows(units)
    assert sorted(row["name"] for row in found) == sorted(unit["name"] for unit in reading.data.units)
    assert {row["level"] for row in found} == {1, 2, 3}
    assert len(raw_files(tmp_path)) == 4


PAGES: dict[str, tuple[list[Json], int]] = {
    "a pager without a total": ([{"a": [{"id": "1"}, {"id": "2"}]}, {"a": [{"id": "3"}]}], 3),
    "a last page that is full": ([{"a": [{"id": "1"}, {"id": "2"}]}, {"a": []}], 2),
    "counts beside the list": (
        [{"a": [{"id": "1"}, {"id": "2"}], "pageCount": 2}, {"a": [{"id": "3"}], "pageCount": 2}], 3,
    ),
    "no paging at all": ([{"a": [{"id": "1"}, {"id": "2"}, {"id": "3"}]}], 3),
}  # fmt: skip


@pytest.mark.parametrize(("pages", "count"), PAGES.values(), ids=PAGES.keys())
def test_no_page_is_left_out_with(tmp_path: Path, pages: list[Json], count: int) -> None:
    with serving(*(Reply(json=page) for page in pages)) as server:
        source = dhis2(Running(Dhis2(), server.url), tmp_path, "metadata", resource="tracker/a", pageSize=2)
        assert [row["id"] for row in rows(source)] == [str(number) for number in range(1, count + 1)]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"id": "x"}, BadRows),
        ([], BadRows),
        ({"a": [{"id": "1"}], "pager": {"pageCount": 1, "total": 2}}, ManaraError),
    ],
    ids=["one object", "a list alone", "fewer rows than the pager says"],
)
def test_a_list_that_is_not_whole_is_refused(tmp_path: Path, body: Any, error: type[ManaraError]) -> None:
    with serving(Reply(json=body)) as server, pytest.raises(error, match=r"no list of a|only 1 came"):
        rows(dhis2(Running(Dhis2(), server.url), tmp_path, "metadata", resource="a"))


def test_one_line_is_kept_open_for_all_pages(changing: Running, tmp_path: Path) -> None:
    rows(dhis2(changing, tmp_path, "metadata", resource="organisationUnits", pageSize=2))
    assert (len(changing.data.asked), changing.lines) == (5, 1)


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        pytest.param({"filter": "level:eq:1"}, ["Land"], id="equal"),
        pytest.param({"filter": ["level:eq:2", "name:like:1"]}, ["District 1"], id="two"),
        pytest.param({"filter": "level:le:2", "order": "name:desc"},
                     ["Land", "District 2", "District 1", "District 0"], id="ordered"),
        pytest.param({"filter": "name:eq:nobody"}, [], id="nothing"),
    ],
)  # fmt: skip
def test_a_list_is_filtered(reading: Running, tmp_path: Path, properties: Json, expected: list[str]) -> None:
    units = dhis2(reading, tmp_path, "metadata", resource="organisationUnits", fields=["id", "name"], **properties)
    assert [row["name"] for row in rows(units)] == expected


def test_what_is_nested_is_json(reading: Running, tmp_path: Path) -> None:
    asked: Json = {"resource": "organisationUnits", "fields": "name,parent[name],ancestors[id]", "filter": "level:eq:2"}
    source = dhis2(reading, tmp_path, "metadata", **asked)
    first = min(rows(source), key=lambda row: str(row["name"]))
    assert first["parent"] == '{"name":"Land"}'
    assert json.loads(first["ancestors"]) == [{"id": reading.data.root}]


@pytest.mark.parametrize("url", ["", "/", "/api", "/api/42"], ids=["plain", "slash", "api", "version"])
def test_any_form_of_the_address_is_understood(reading: Running, tmp_path: Path, url: str) -> None:
    asked = Running(reading.data, reading.url + url)
    assert len(rows(dhis2(asked, tmp_path, "metadata", resource="dataElements"))) == 5


@pytest.mark.parametrize(
    "linked",
    [BASIC, {"authenticationType": "ApiToken", "token": {"type": "SecureString", "value": TOKEN}}, {"token": TOKEN}],
    ids=["a password", "a token", "only a token"],
)
def test_it_is_opened_by(reading: Running, tmp_path: Path, linked: Json) -> None:
    assert rows(dhis2(reading, tmp_path, "metadata", linked={**linked, "apiVersion": 41}, resource="dataSets"))
    assert reading.data.asked[-1].startswith("GET /api/41/dataSets?")


def test_a_wrong_password_is_told_without_showing_it(reading: Running, tmp_path: Path) -> None:
    linked = {"username": USER, "password": "hush-hush"}
    with pytest.raises(NotAllowed, match="401") as told:
        rows(dhis2(reading, tmp_path, "metadata", linked=linked, resource="dataSets"))
    assert "hush-hush" not in str(told.value)
    assert not any("hush-hush" in path.read_text() for path in tmp_path.rglob("*.json*") if path.suffix == ".jsonl")


def test_a_busy_server_is_asked_again(changing: Running, tmp_path: Path) -> None:
    changing.data.busy = 2
    assert len(rows(dhis2(changing, tmp_path, "metadata", resource="dataElements"))) == 5


CHUNKS = {
    "one request": {},
    "periods": {"chunk": {"periods": 5}},
    "a level": {"chunk": {"level": 2}},
    "the level of the facilities": {"chunk": {"level": 3, "orgUnits": 2, "periods": 12}},
}


@pytest.mark.parametrize("more", CHUNKS.values(), ids=CHUNKS.keys())
def test_data_values_are_read_whole_in(reading: Running, tmp_path: Path, more: Json) -> None:
    assert keys(rows(values_of(reading, tmp_path, **more))) == keys(reading.data.live)


def test_a_chunked_read_does_not_miss_values_of_units_above(changing: Running, tmp_path: Path) -> None:
    data = changing.data
    data.put(data.elements[0], "202401", data.root, "777")
    data.put(data.elements[0], "202401", data.units[1]["id"], "778")
    assert keys(rows(values_of(changing, tmp_path, chunk={"level": 3}))) == keys(data.live)


def test_data_values_have_all_columns_and_texts_stay_texts(reading: Running, tmp_path: Path) -> None:
    table = values_of(reading, tmp_path, period="202401").read({}, Tally()).read_all()
    assert table.schema.names[:6] == [
        "dataElement", "period", "orgUnit", "categoryOptionCombo", "attributeOptionCombo", "value",
    ]  # fmt: skip
    assert table.schema.field("period").type == pa.string()
    assert set(table.column("deleted").to_pylist()) == {False}


def test_a_set_without_values_has_columns_and_no_rows(reading: Running, tmp_path: Path) -> None:
    table = values_of(reading, tmp_path, period="209901").read({}, Tally()).read_all()
    assert (table.num_rows, table.num_columns) == (0, 12)


@pytest.mark.parametrize(
    ("properties", "error"),
    [
        pytest.param({"kind": "x"}, WrongDefinition, id="an unknown kind"),
        pytest.param({"kind": "metadata"}, WrongDefinition, id="no resource"),
        pytest.param({"kind": "metadata", "resource": "../x?"}, WrongDefinition, id="no name of a resource"),
        pytest.param({"kind": "metadata", "resource": "nothing"}, SourceMissing, id="an unknown resource"),
        pytest.param({"kind": "dataValueSet"}, WrongDefinition, id="no data set"),
        pytest.param({"kind": "dataValueSet", "dataSet": "a"}, BadRows, id="no unit, no period"),
        pytest.param({"kind": "dataValueSet", "dataSet": "a", "chunk": {"level": "x"}}, WrongDefinition, id="a level"),
        pytest.param({"kind": "dataValueSet", "dataSet": "a", "chunk": "x"}, WrongDefinition, id="a chunk"),
        pytest.param({"kind": "analytics"}, WrongDefinition, id="no dimension"),
        pytest.param({"kind": "analytics", "dimension": "dx:a", "rowLimit": "x"}, WrongDefinition, id="a limit"),
    ],
)
def test_what_is_wrong_is_told(reading: Running, tmp_path: Path, properties: Json, error: type[ManaraError]) -> None:
    kind = properties["kind"]
    with pytest.raises(error):
        rows(dhis2(reading, tmp_path, kind, **{name: told for name, told in properties.items() if name != "kind"}))


def test_every_answer_is_kept_as_it_came(reading: Running, tmp_path: Path) -> None:
    found = rows(values_of(reading, tmp_path, chunk={"periods": 6}))
    kept = raw_files(tmp_path)
    told = [json.loads(line) for line in (kept[0].parent / "index.jsonl").read_text().splitlines()]
    inside = [row for path in kept for row in json.loads(gzip.decompress(path.read_bytes()))["dataValues"]]
    assert keys(inside) == keys(found)
    assert [one["file"] for one in told] == [path.name for path in kept]
    assert all("/api/dataValueSets?" in one["url"] for one in told)
    assert (kept[0].parent / "complete.json").is_file()


def test_what_came_before_a_failure_is_kept_and_marked_as_incomplete(tmp_path: Path) -> None:
    whole = Reply(json={"dataValues": [{"dataElement": "a", "period": "1", "orgUnit": "b", "value": "1"}]})
    with serving(whole, Reply(status=400, json={"message": "no"})) as server:
        source = dhis2(Running(Dhis2(), server.url), tmp_path, "dataValueSet", dataSet="a", orgUnit="b",
                       period=["1", "2"], chunk={"periods": 1})  # fmt: skip
        with pytest.raises(BadRows):
            rows(source)
    folder = raw_files(tmp_path)[0].parent
    assert sorted(path.name for path in folder.iterdir()) == ["00001.json.gz", "failed-00002.json.gz", "index.jsonl"]


def test_the_raw_store_may_lie_elsewhere(reading: Running, tmp_path: Path) -> None:
    rows(dhis2(reading, tmp_path, "metadata", linked={**BASIC, "rawStore": "kept"}, resource="dataSets"))
    assert len(list((tmp_path / "kept" / "Service" / "data").rglob("00001.json.gz"))) == 1


def read_again(source: Dataset, cursor: Any, **settings: Any) -> tuple[list[Json], Any]:
    tally = Tally(cursor=cursor)
    found = rows(source, tally, incremental=True, **settings)
    return found, tally.cursor


def test_only_changed_and_deleted_values_are_read_again(changing: Running, tmp_path: Path) -> None:
    data = changing.data
    source = values_of(changing, tmp_path)
    before, cursor = read_again(source, None)
    data.pass_time(days=10)
    first, second = data.live[0], data.live[1]
    data.put(first["dataElement"], first["period"], first["orgUnit"], "12345")
    data.put(second["dataElement"], second["period"], second["orgUnit"], None)
    changed, later = read_again(source, cursor, overlap="1.00:00:00")
    assert len(before) == 6 * 5 * 12
    assert {(row["value"], row["deleted"]) for row in changed} == {("12345", False), (second["value"], True)}
    assert cursor == {"until": "2025-03-01T08:00:00.000", "full": "2025-03-01T08:00:00.000"}
    assert later == {"until": "2025-03-11T08:00:00.000", "full": "2025-03-01T08:00:00.000"}


def test_a_value_that_was_saved_late_is_in_the_overlap(changing: Running, tmp_path: Path) -> None:
    data = changing.data
    source = values_of(changing, tmp_path)
    _, cursor = read_again(source, None)
    late = data.live[0]
    late_key = next(key for key, value in data.values.items() if value is late)
    data.pass_time(hours=-2)
    data.values[late_key] = {**late, "value": "late", "lastUpdated": data.stamp()}
    data.pass_time(days=1)
    found, _ = read_again(source, cursor, overlap="03:00:00")
    assert "late" in {row["value"] for row in found}
    unseen, _ = read_again(source, cursor, overlap="00:00:01")
    assert "late" not in {row["value"] for row in unseen}


def test_a_change_without_a_trace_is_found_when_everything_is_read_again(changing: Running, tmp_path: Path) -> None:
    data = changing.data
    source = values_of(changing, tmp_path)
    _, cursor = read_again(source, None)
    key, old = next(iter(data.values.items()))
    data.pass_time(days=20)
    data.values[key] = {**old, "value": "unseen", "lastUpdated": "2010-01-01T00:00:00.000"}
    by_changes, cursor = read_again(source, cursor, fullEvery="30.00:00:00")
    data.pass_time(days=20)
    whole, cursor = read_again(source, cursor, fullEvery="30.00:00:00")
    assert "unseen" not in {row["value"] for row in by_changes}
    assert "unseen" in {row["value"] for row in whole}
    assert cursor["full"] == "2025-04-10T08:00:00.000"


def test_what_metadata_says_of_values_needs_none_of_them(reading: Running, tmp_path: Path) -> None:
    told = values_of(reading, tmp_path).metadata(["exists", "columnCount"])
    assert told == {"exists": True, "columnCount": 12}
    assert raw_files(tmp_path) == []


@pytest.mark.parametrize("cursor", ["2025-02-20", "2025-02-20T00:00:00", {"until": "2025-02-20T00:00:00.000"}])
def test_a_cursor_may_be_set_by_hand(changing: Running, tmp_path: Path, cursor: Any) -> None:
    changing.data.put(changing.data.elements[0], "202501", changing.data.root, "new")
    found, later = read_again(values_of(changing, tmp_path, period=None), cursor)
    assert [row["value"] for row in found] == ["new"]
    assert later == {"until": "2025-03-01T08:00:00.000", "full": "2025-02-20T00:00:00.000"}


def test_a_failed_read_leaves_the_cursor_where_it_was(tmp_path: Path) -> None:
    with serving(Reply(json={"serverDate": "2025-01-01T00:00:00.000"}), Reply(status=400)) as server:
        before = {"until": "2024-12-31T00:00:00.000", "full": "2024-12-01T00:00:00.000"}
        tally = Tally(cursor=before)
        with pytest.raises(BadRows):
            rows(values_of(Running(Dhis2(), server.url), tmp_path), tally, incremental=True)
    assert tally.cursor is before


def test_the_cursor_is_left_when_the_rows_end_and_not_before(changing: Running, tmp_path: Path) -> None:
    tally = Tally()
    batches = values_of(changing, tmp_path).read({"incremental": True}, tally)
    assert tally.cursor is None
    batches.read_all()
    assert tally.cursor == {"until": "2025-03-01T08:00:00.000", "full": "2025-03-01T08:00:00.000"}


def test_changed_and_deleted_objects_are_read_again(changing: Running, tmp_path: Path) -> None:
    data = changing.data
    source = dhis2(changing, tmp_path, "metadata", resource="dataElements", fields="id,name,lastUpdated")
    before, cursor = read_again(source, None)
    data.pass_time(days=5)
    kept, gone, back = data.elements[:3]
    data.rename("dataElements", kept, "New name")
    again = next(found for found in data.lists["dataElements"] if found["id"] == back)
    data.remove("dataElements", gone)
    data.remove("dataElements", back)
    data.lists["dataElements"].append({**again, "lastUpdated": data.stamp()})
    found, _ = read_again(source, cursor)
    assert [row["deleted"] for row in before] == [False] * 5
    assert {(row["id"], row["deleted"]) for row in found} == {(kept, False), (back, False), (gone, True)}


def test_a_user_who_may_not_see_deleted_objects_is_told_what_to_do(changing: Running, tmp_path: Path) -> None:
    changing.data.denies_deleted = True
    source = dhis2(changing, tmp_path, "metadata", resource="dataElements", fields="id")
    with pytest.raises(NotAllowed, match="do without deletes"):
        read_again(source, None)
    found, _ = read_again(source, None, deletes=False)
    assert [row["deleted"] for row in found] == [False] * 5


def test_a_list_that_did_not_change_has_columns_and_no_rows(changing: Running, tmp_path: Path) -> None:
    source = dhis2(changing, tmp_path, "metadata", resource="dataElements", fields="id,name")
    _, cursor = read_again(source, None)
    changing.data.pass_time(days=5)
    table = source.read({"incremental": True}, Tally(cursor=cursor)).read_all()
    assert (table.schema.names, table.num_rows) == (["id", "name", "deleted"], 0)


@pytest.mark.parametrize(
    ("kind", "settings", "cursor"),
    [
        pytest.param("analytics", {}, None, id="analytics"),
        pytest.param("dataValueSet", {"overlap": "a day"}, None, id="an overlap that is none"),
        pytest.param("dataValueSet", {}, {"page": 7}, id="the cursor of something else"),
    ],
)
def test_changes_cannot_be_read_with(reading: Running, tmp_path: Path, kind: str, settings: Json, cursor: Any) -> None:
    source = dhis2(reading, tmp_path, kind, dataSet="a", dimension=["dx:a"])
    with pytest.raises(WrongDefinition):
        read_again(source, cursor, **settings)


def analytics(running: Running, root: Path, **more: Any) -> Dataset:
    data = running.data
    dimension = [f"dx:{';'.join(data.elements)}", f"pe:{';'.join(MONTHS)}", f"ou:LEVEL-3;{data.root}"]
    return dhis2(running, root, "analytics", **{"dimension": dimension, **more})


def test_the_grid_is_read_by_the_names_of_its_headers(reading: Running, tmp_path: Path) -> None:
    found = rows(analytics(reading, tmp_path))
    assert {(row["dx"], row["pe"], row["ou"], row["value"]) for row in found} == {
        (value["dataElement"], value["period"], value["orgUnit"], float(value["value"])) for value in reading.data.live
    }


@pytest.mark.parametrize("limit", [80, 25])
def test_an_answer_beyond_the_limit_is_asked_for_in_parts(changing: Running, tmp_path: Path, limit: int) -> None:
    changing.data.row_limit = limit
    found = rows(analytics(changing, tmp_path))
    assert len(found) == 6 * 5 * 12
    assert len({(row["dx"], row["pe"], row["ou"]) for row in found}) == len(found)


def test_an_answer_that_just_fills_the_limit_is_not_trusted(reading: Running, tmp_path: Path) -> None:
    found = rows(analytics(reading, tmp_path, rowLimit=720))
    assert len(found) == 720
    assert len(raw_files(tmp_path)) == 3


def test_an_answer_that_cannot_be_had_whole_is_refused(changing: Running, tmp_path: Path) -> None:
    changing.data.row_limit = 3
    with pytest.raises(BadRows, match="may be cut"):
        rows(analytics(changing, tmp_path))
    assert len(rows(analytics(changing, tmp_path, ignoreLimit=True))) == 360


def test_a_real_grid_is_read(tmp_path: Path) -> None:
    path = Path(__file__).parents[4] / "shared" / "data" / "dhis2" / "dhis2_analytics_response.json"
    if not path.is_file():
        pytest.skip("The real files of ../shared/data are not here.")
    with serving(Reply(text=path.read_bytes())) as server:
        found = rows(analytics(Running(Dhis2(), server.url), tmp_path))
    told = json.loads(path.read_bytes())
    assert len(found) == told["height"] == 707
    assert list(found[0]) == ["dx", "pe", "ou", "value"]
    assert [row["value"] for row in found] == [float(row[3]) for row in told["rows"]]


def push(running: Running, root: Path, values: list[Json], tally: Tally | None = None, **sink: Any) -> Json:
    batches = pa.Table.from_pylist(values).to_reader(max_chunksize=2)
    return dhis2(running, root, "dataValueSet").write(sink, batches, MARK, tally or Tally())


def new_values(data: Dhis2, count: int) -> list[Json]:
    unit = data.facilities[0]["id"]
    return [
        {"dataElement": data.elements[0], "period": f"2026{month:02}", "orgUnit": unit, "value": month}
        for month in range(1, count + 1)
    ]


def held(data: Dhis2) -> set[tuple[str, str]]:
    return {(value["period"], value["value"]) for value in data.live if value["period"].startswith("2026")}


@pytest.mark.parametrize("in_jobs", [False, True], ids=["at once", "as jobs"])
def test_values_are_written_once_however_often(changing: Running, tmp_path: Path, in_jobs: bool) -> None:
    values, tally = new_values(changing.data, 5), Tally()
    told = push(changing, tmp_path, values, tally, writeBatchSize=2, **({"async": True} if in_jobs else {}))
    again = push(changing, tmp_path, values, writeBatchSize=2)
    assert held(changing.data) == {(f"20260{month}", str(month)) for month in range(1, 6)}
    assert (tally.rows_copied, told["importCount"]["imported"]) == (5, 5)
    assert (again["importCount"]["imported"], again["importCount"]["updated"]) == (0, 5)


def test_a_job_that_loses_its_summary_is_told(changing: Running, tmp_path: Path) -> None:
    changing.data.loses_summaries = True
    with pytest.raises(BadRows, match="ended without a summary: Import"):
        push(changing, tmp_path, new_values(changing.data, 1), None, **{"async": True})


def test_a_dry_run_changes_nothing_and_says_what_it_would_do(changing: Running, tmp_path: Path) -> None:
    tally = Tally()
    told = push(changing, tmp_path, new_values(changing.data, 3), tally, dryRun=True)
    assert held(changing.data) == set()
    assert told == {"importCount": {"imported": 3, "updated": 0, "ignored": 0, "deleted": 0}, "dryRun": True}
    assert tally.rows_copied == 3


def spoilt(data: Dhis2) -> list[Json]:
    values = new_values(data, 6)
    values[1]["orgUnit"] = "nowhere"
    values[4]["dataElement"] = "nothing"
    values[5]["value"] = "many"
    return [{**row, "value": str(row["value"])} for row in values]


@pytest.mark.parametrize("named", [True, False], ids=["by index", "found by halves"])
@pytest.mark.parametrize("sink", [{}, {"skipTrial": True}, {"async": True}], ids=["tried", "untried", "job"])
def test_refused_rows_are_named_with_the_servers_reason(
    changing: Running, tmp_path: Path, sink: Json, named: bool
) -> None:
    changing.data.names_rejected = named
    refused: list[Refused] = []
    tally = Tally(refuse=refused.append)
    push(changing, tmp_path, spoilt(changing.data), tally, writeBatchSize=4, **sink)
    reasons = {row.row: row.reason for row in refused}
    assert sorted(reasons) == [2, 5, 6]
    assert "Organisation unit not found" in reasons[2]
    assert "Data element not found" in reasons[5]
    assert "not a valid integer" in reasons[6]
    assert held(changing.data) == {("202601", "1"), ("202603", "3"), ("202604", "4")}
    assert tally.rows_copied == 3


def test_a_copy_that_is_to_fail_has_written_nothing(changing: Running, tmp_path: Path) -> None:
    with pytest.raises(BadRows, match=r"Data element not found|Organisation unit not found"):
        push(changing, tmp_path, spoilt(changing.data), writeBatchSize=1)
    assert held(changing.data) == set()


def test_a_row_without_a_place_is_refused_before_it_is_sent(changing: Running, tmp_path: Path) -> None:
    refused: list[Refused] = []
    values = [*new_values(changing.data, 1), {"dataElement": "a", "period": None, "orgUnit": "b", "value": 1}]
    push(changing, tmp_path, values, Tally(refuse=refused.append))
    assert [(row.row, row.reason) for row in refused] == [(2, "it has no period")]


def test_values_are_deleted(changing: Running, tmp_path: Path) -> None:
    values = new_values(changing.data, 2)
    push(changing, tmp_path, values)
    push(changing, tmp_path, values[:1], importStrategy="DELETE")
    push(changing, tmp_path, [{**values[1], "deleted": True}])
    assert held(changing.data) == set()


@pytest.mark.parametrize(
    ("sink", "values"),
    [
        ({"importStrategy": "REPLACE"}, [{"dataElement": "a", "period": "b", "orgUnit": "c"}]),
        ({"writeBatchSize": "x"}, [{"dataElement": "a", "period": "b", "orgUnit": "c"}]),
        ({}, [{"dataElement": "a", "orgUnit": "c"}]),
        ({}, [{"dataElement": "a", "period": "b", "orgUnit": "c", "colour": "red"}]),
    ],
    ids=["strategy", "batch size", "a column less", "a column more"],
)
def test_nothing_is_sent_where_the_sink_is_wrong(
    changing: Running, tmp_path: Path, sink: Json, values: list[Json]
) -> None:
    with pytest.raises(WrongDefinition):
        push(changing, tmp_path, values, **sink)
    assert changing.data.asked == []


def test_what_a_parameter_says_cannot_become_another_one(changing: Running, tmp_path: Path) -> None:
    push(changing, tmp_path, new_values(changing.data, 1), dryRun=True, orgUnitIdScheme="uid&dryRun=false")
    assert "orgUnitIdScheme=uid%26dryRun%3Dfalse" in changing.data.asked[0]


def test_what_was_sent_is_kept(changing: Running, tmp_path: Path) -> None:
    push(changing, tmp_path, new_values(changing.data, 1))
    names = sorted(path.name for path in next((tmp_path / "data" / "raw").rglob("complete.json")).parent.iterdir())
    assert names == [
        "answer-00001.json.gz", "answer-00002.json.gz", "complete.json",
        "sent-00001-trial.json.gz", "sent-00002.json.gz",
    ]  # fmt: skip


def test_the_emulator_is_right_says_dhis2_py(reading: Running) -> None:
    judge = pytest.importorskip("dhis2", reason="The foreign client dhis2.py is not installed.")
    api = judge.Api(reading.url, USER, PASSWORD)
    units = api.get_paged("organisationUnits", params={"fields": "id,name"}, page_size=4, merge=True)
    params = {"dataSet": reading.data.data_set, "orgUnit": reading.data.root, "children": "true", "period": "202401"}
    values = api.get("dataValueSets", params=params).json()["dataValues"]
    assert {unit["name"] for unit in units["organisationUnits"]} == {unit["name"] for unit in reading.data.units}
    assert keys(values) == keys([value for value in reading.data.live if value["period"] == "202401"])
    assert api.version_int == 41


def test_the_emulator_is_right_says_openhexa_toolbox(reading: Running, tmp_path: Path) -> None:
    if "openhexa.toolbox.dhis2" not in sys.modules:
        pytest.importorskip("openhexa.toolbox.dhis2", reason="The foreign client openhexa.toolbox is not installed.")
    judge = sys.modules["openhexa.toolbox.dhis2"]
    data = reading.data
    api = judge.DHIS2(url=reading.url, username=USER, password=PASSWORD, cache_dir=None)
    units = api.meta.organisation_units(fields="id,name,level")
    values = api.data_value_sets.get(datasets=[data.data_set], org_units=[data.root], children=True, periods=MONTHS)
    grid = api.analytics.get(
        data_elements=data.elements, periods=MONTHS[:2], org_units=[unit["id"] for unit in data.facilities],
        include_cocs=False,
    )  # fmt: skip
    assert {unit["name"] for unit in units} == {unit["name"] for unit in data.units}
    assert keys(values) == keys(rows(values_of(reading, tmp_path)))
    ours = rows(analytics(reading, tmp_path))
    assert sorted((row["dx"], row["pe"], row["ou"], float(row["value"])) for row in grid) == sorted(
        (row["dx"], row["pe"], row["ou"], row["value"]) for row in ours if row["pe"] in MONTHS[:2]
    )
