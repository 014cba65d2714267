"""Where an activity goes on at its next run: with each good end, for each thing that it reads, and never backwards."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.factories import Json, act, factory_of, pipeline
from tests.runtime.test_worker import cut

from manara import clock
from manara.app import Factory
from manara.plugin.activity import Given, Output, activity
from manara.resources.model import Activity
from manara.runtime.cursors import Cursors
from manara.store.cursor import list_cursors, set_cursor
from manara.store.journal import Journal

SEEN: list[tuple[str, Any]] = []
"""What each activity was given: its name and its cursor."""


@activity("TestSource", "TestOther")
def source(given: Given) -> Output:
    """Go on one further than the last time; fail where it is told to."""
    SEEN.append((given.name, given.cursor))
    if given.properties.get("fails"):
        raise ValueError("no luck")
    return {"cursor": (given.cursor or 0) + 1, "rows": 1}


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    SEEN.clear()


def load(name: str = "Load", **more: Any) -> Json:
    return act(name, "TestSource", **more)


def data(name: str, **parameters: Any) -> list[Json]:
    return [{"referenceName": name, "type": "DatasetReference", "parameters": parameters}]


def cursors(factory: Factory) -> dict[str, Any]:
    """Return each cursor by what it belongs to."""
    with closing(Journal(factory.root / "data" / "journal.sqlite")) as journal:
        found = list_cursors(journal)
    return {f"{each.place.activity} {json.dumps(each.place.about)}": each.value for each in found}


def expression(text: str) -> Json:
    return {"value": text, "type": "Expression"}


def made(root: Path, **pipelines: Json) -> Factory:
    """Return a factory whose pipelines name datasets that no test opens."""
    for name in ("In", "Out"):
        folder = root / "dataset"
        folder.mkdir(exist_ok=True, parents=True)
        service = {"referenceName": "Lake", "type": "LinkedServiceReference"}
        names = {each: {"type": "String", "defaultValue": ""} for each in ("country", "folder")}
        told = {"type": "Binary", "linkedServiceName": service, "typeProperties": {}, "parameters": names}
        (folder / f"{name}.json").write_text(json.dumps({"name": name, "properties": told}))
    (root / "linkedService").mkdir(exist_ok=True)
    lake = {"type": "FileServer", "typeProperties": {"host": "."}}
    (root / "linkedService" / "Lake.json").write_text(json.dumps({"name": "Lake", "properties": lake}))
    return factory_of(root, **pipelines)


def test_a_run_goes_on_where_the_last_good_one_ended(tmp_path: Path) -> None:
    factory = made(tmp_path, main=pipeline(load()))
    for _ in range(3):
        factory.run("main")
    assert SEEN == [("Load", None), ("Load", 1), ("Load", 2)]


def test_a_step_that_failed_leaves_no_cursor(tmp_path: Path) -> None:
    factory = made(tmp_path, main=pipeline(load(fails="@pipeline().parameters.n"), parameters={"n": {"type": "Bool"}}))
    factory.run("main", {"n": False})
    before = cursors(factory)
    assert factory.run("main", {"n": True}).status == "Failed"
    assert cursors(factory) == before


def test_each_round_of_a_loop_keeps_its_own(tmp_path: Path) -> None:
    each = load(inputs=data("In", country="@item()"), source={"type": "BinarySource"})
    loop = act("Each", "ForEach", items="@pipeline().parameters.all", isSequential=True, activities=[each])
    factory = made(tmp_path, main=pipeline(loop, parameters={"all": {"type": "Array"}}))
    factory.run("main", {"all": ["SS", "ET"]})
    factory.run("main", {"all": ["ET", "SO"]})
    assert [value for _, value in SEEN] == [None, None, 1, None]
    assert sorted(cursors(factory).values()) == [1, 1, 2]


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ({"inputs": data("In")}, {"inputs": data("Out")}, False),
        ({"outputs": data("In", folder="a")}, {"outputs": data("In", folder="b")}, False),
        ({"source": {"type": "X", "query": "a"}}, {"source": {"type": "X", "query": "b"}}, False),
        ({"password": "one"}, {"password": "two"}, True),
        ({"policy": {"retry": 1}}, {"policy": {"retry": 2}}, True),
        (
            {"outputs": data("Out", folder=expression("@concat('a/', utcNow())"))},
            {"outputs": data("Out", folder=expression("@concat('a/', utcNow())"))},
            True,
        ),
        ({"since": "@{pipeline().RunId}"}, {"since": "@{pipeline().RunId}"}, True),
    ],
    ids=["other source", "other sink", "other settings", "other secret", "policy", "folder of the day", "run id"],
)  # fmt: skip
def test_a_cursor_belongs_to_what_is_read_and_written(tmp_path: Path, one: Json, other: Json, shared: bool) -> None:
    made(tmp_path, main=pipeline(load(**one))).run("main")
    made(tmp_path, main=pipeline(load(**other))).run("main")
    assert SEEN[1][1] == (1 if shared else None)


def test_a_folder_of_the_day_for_each_country_keeps_a_cursor_for_each(tmp_path: Path) -> None:
    folder = expression("@concat(item(), utcNow())")
    each = load(outputs=data("Out", folder=folder))
    loop = act("Each", "ForEach", items="@createArray('SS', 'ET')", isSequential=True, activities=[each])
    factory = made(tmp_path, main=pipeline(loop))
    for _ in range(2):
        factory.run("main")
    assert [value for _, value in SEEN] == [None, None, 1, 1]


def test_the_next_round_of_an_until_goes_on_where_the_last_ended(tmp_path: Path) -> None:
    until = act("Again", "Until", expression="@equals(activity('Load').output.cursor, 3)", activities=[load()])
    made(tmp_path, main=pipeline(until)).run("main")
    assert [value for _, value in SEEN] == [None, 1, 2]


def test_a_rerun_goes_on_where_things_stand_now_and_not_where_the_old_run_did(tmp_path: Path) -> None:
    factory = made(tmp_path, main=pipeline(load()))
    first = factory.run("main")
    factory.run("main")
    factory.rerun(first.run_id)
    assert [value for _, value in SEEN] == [None, 1, 2]


def test_a_step_that_is_taken_over_does_not_move_its_cursor_again(tmp_path: Path) -> None:
    last = act("Last", "TestFail", after=["Load"])
    factory = made(tmp_path, main=pipeline(load(), last))
    run = factory.run("main")
    with closing(Journal(tmp_path / "data" / "journal.sqlite")) as journal:
        set_cursor(journal, list_cursors(journal)[0], 40)
    factory.rerun(run.run_id, start="failure")
    assert list(cursors(factory).values()) == [40]


def test_a_run_that_was_killed_while_a_later_one_loaded_does_not_take_the_cursor_back(tmp_path: Path) -> None:
    factory = made(tmp_path, main=pipeline(load()))
    killed = factory.run("main")
    journal = tmp_path / "data" / "journal.sqlite"
    cut(journal, 2)  # its start is written, and its end is not
    with sqlite3.connect(journal) as connection:
        connection.execute("delete from cursor")
    for _ in range(2):
        factory.run("main")
    factory.resume(killed.run_id)
    assert [value for _, value in SEEN] == [None, None, 1, 2]
    assert list(cursors(factory).values()) == [2]


def test_what_a_web_service_calls_a_cursor_is_none(tmp_path: Path) -> None:
    with closing(Journal(tmp_path / "journal.sqlite")) as journal:
        asked: Any = (Activity(name="Ask", type="WebActivity"), None, None)
        found: Any = Cursors(journal=journal, factory="f")
        assert found.keep(*asked, {"cursor": "page 2"}, clock.now()) is None


def test_the_cursor_that_an_activity_was_given_is_told(tmp_path: Path) -> None:
    factory = made(tmp_path, main=pipeline(load()))
    factory.run("main")
    assert factory.run("main").activities["Load"].input["cursor"] == 1
