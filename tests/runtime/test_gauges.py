"""What an activity at work has done so far is in the journal, one row for each, while it is at work."""

import threading
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.factories import act, factory_of, pipeline

from manara.plugin.activity import Given, Output, activity
from manara.runtime.gauges import Gauges
from manara.store.journal import Journal
from manara.store.record import find_run, read_run

SAID: dict[str, Any] = {}


@activity("TestLong")
def long(given: Given) -> Output:
    """Report again and again, until another process could read it in the journal."""
    end = threading.Event()
    with closing(Journal(given.root / "data" / "journal.sqlite")) as journal:
        for rows in range(1, 100_000):
            given.report({"rowsRead": rows})
            told = read_run(journal, find_run(journal, "last"))
            if told.activities["Load"].output:
                SAID.update(
                    told.as_json()["activityRuns"][0], rows=len(list(journal.rows("progress", run_id=told.run_id)))
                )
                break
            end.wait(0.01)
    return {"rowsRead": 0}


def test_a_running_activity_shows_its_figures_and_leaves_none_behind(tmp_path: Path) -> None:
    run = factory_of(tmp_path, main=pipeline(act("Load", "TestLong"))).run("main")
    assert (SAID["status"], SAID["rows"]) == ("InProgress", 1)
    assert SAID["output"]["rowsRead"] > 0
    assert run.activities["Load"].output == {"rowsRead": 0}
    with closing(Journal(tmp_path / "data" / "journal.sqlite")) as journal:
        assert list(journal.rows("progress", run_id=run.run_id)) == []


class Written:
    """Stands for a journal, and holds what is written."""

    def __init__(self) -> None:
        self.notes: list[tuple[dict[Any, Any], set[Any]]] = []

    def note_progress(self, news: dict[Any, Any], over: set[Any], _lease: object) -> None:
        self.notes.append((dict(news), set(over)))


def test_only_the_last_figures_of_what_is_still_at_work_are_written() -> None:
    gauges, journal = Gauges(), Written()
    lease: Any = None
    for rows in range(3):
        gauges.note("r", "A", {"rowsRead": rows})
        gauges.note("r", "Soon over", {"rowsRead": rows})
    gauges.end("r", "Soon over")
    for _ in range(2):
        gauges.write(journal, lease)  # type: ignore[arg-type]
    gauges.end("r", "A")
    gauges.write(journal, lease)  # type: ignore[arg-type]
    assert journal.notes == [({("r", "A"): {"rowsRead": 2}}, set()), ({}, {("r", "A")})]
