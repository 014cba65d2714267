"""What the screen tells of an activity that is at work."""

import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tests.factories import act, factory_of, pipeline

from manara import clock
from manara.cli.cursor import change_cursor, read_value, show_cursors
from manara.cli.screen import PlainScreen, picture
from manara.cli.tree import RunTree
from manara.errors import WrongDefinition
from manara.plugin.activity import Given, Output, activity
from manara.runtime.recorder import Progress
from manara.store.journal import Event

FIGURES = {"rowsRead": 120_000, "rowsCopied": 120_000, "dataRead": 48_000_000, "percent": 40.0, "secondsLeft": 6}
NOW = clock.now()


@activity("TestGoesOn")
def goes_on(given: Given) -> Output:
    """Go on where the last run ended."""
    return {"cursor": given.properties["day"] if given.cursor is None else given.cursor}


def started(step: str) -> list[Event]:
    body: dict[str, Any] = {"pipeline": "main", "names": {}, "parameters": {}, "caller": None}
    begun = {"type": "Copy", "attempt": 1, "input": {}}
    at = NOW - timedelta(seconds=4)
    return [
        Event(run_id="r", kind="runStarted", body=body, at=at),
        Event(run_id="r", kind="started", step=step, body=begun, at=at),
    ]


def drawn(tree: RunTree, **how: Any) -> str:
    console = Console(file=io.StringIO(), width=140, record=True)
    console.print(picture(tree.root, NOW, **how))
    return console.export_text()


@pytest.mark.parametrize(
    ("how", "told"),
    [({}, "48.0 MB, 30,000 rows/s, 40 %, about 6 s left"), ({"bars": 20}, "Copy  40 %, about 6 s left")],
    ids=["live", "with bars"],
)
def test_an_activity_at_work_tells_how_far_it_is(how: dict[str, int], told: str) -> None:
    tree = RunTree()
    happened: list[Event | Progress] = [*started("Load"), Progress(run_id="r", step="Load", figures=FIGURES)]
    for event in happened:
        tree.add(event)
    assert told in drawn(tree, **how)
    assert "120,000 rows" in drawn(tree, **how)


def test_an_activity_that_has_ended_tells_no_rate(tmp_path: Path) -> None:
    tree = RunTree()
    ended = Event(run_id="r", kind="ended", step="Load", body={"status": "Succeeded", "output": FIGURES})
    happened: list[Event | Progress] = [*started("Load"), Progress(run_id="r", step="Load", figures=FIGURES), ended]
    for event in happened:
        tree.add(event)
    assert "left" not in drawn(tree)


def test_a_log_has_a_line_of_an_activity_at_work_every_ten_seconds() -> None:
    written = io.StringIO()
    plain = PlainScreen(Console(file=written, width=200))
    with clock.frozen(NOW) as held:
        for event in started("Load"):
            plain(event)
        for _ in range(25):
            held.passed_s += 1
            plain(Progress(run_id="r", step="Load", figures=FIGURES))
    lines = written.getvalue().splitlines()
    assert len(lines) == 2
    assert "at work   Load  (120,000 rows, 48.0 MB, 12,000 rows/s, 40 %, about 6 s left, 10.0 s)" in lines[0]


def test_a_log_has_nothing_in_brackets_of_an_activity_that_never_began() -> None:
    written = io.StringIO()
    plain = PlainScreen(Console(file=written, width=200))
    for event in started("Load"):
        plain(event)
    plain(Event(run_id="r", kind="ended", step="After", body={"status": "Skipped"}))
    assert written.getvalue().split(maxsplit=1)[1].strip() == "Skipped   After"


@pytest.mark.parametrize(
    ("text", "before", "value"),
    [
        ("2024-01-31", "2023-12-31", "2024-01-31"),
        ("2024", "2023", "2024"),
        ('"x"', "y", "x"),
        ("17", 4, 17),
        ('{"since": "a"}', {"since": "b"}, {"since": "a"}),
        ("2024-01-31", None, "2024-01-31"),
    ],
)
def test_a_cursor_is_typed_in_the_form_that_it_has(text: str, before: Any, value: Any) -> None:
    assert read_value(text, before) == value


@pytest.mark.parametrize(
    ("text", "before"), [("x", 4), ("4", {"since": "b"}), ('{"until": 1}', {"since": 1}), ("true", 1)]
)
def test_a_cursor_of_another_form_is_refused(text: str, before: Any) -> None:
    with pytest.raises(WrongDefinition, match="cursor"):
        read_value(text, before)


def test_cursors_are_listed_and_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    factory = factory_of(tmp_path, main=pipeline(act("Load", "TestGoesOn", day="2024-05-01")))
    factory.run("main")
    show_cursors(tmp_path, pipeline=None, as_json=False)
    assert capsys.readouterr().out.splitlines()[1].split()[1:4] == ["main", "Load", '"2024-05-01"']
    change_cursor(tmp_path, "main/load", "2024-01-01", as_json=False)
    assert 'goes on at "2024-01-01". It was "2024-05-01".' in capsys.readouterr().out
    assert factory.run("main").activities["Load"].input["cursor"] == "2024-01-01"
    change_cursor(tmp_path, "Load", None, as_json=False)
    assert "from the start" in capsys.readouterr().out
    assert "cursor" not in factory.run("main").activities["Load"].input
