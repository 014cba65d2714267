"""Cursors and the figures of what is at work, on each database in turn."""

from datetime import timedelta

import pytest

from manara import clock
from manara.errors import Conflict, NotFound, WrongDefinition
from manara.store.cursor import Cursor, find_cursor, list_cursors, set_cursor
from manara.store.journal import Event, Journal, Lease
from manara.store.keeps import Keeps, Place
from manara.store.record import read_run

START = clock.now()


def leased(journal: Journal) -> Lease:
    return journal.claim(journal.write_command("p", {}, "{}").run_id, 60)


def place(activity: str = "Load", country: str = "SS") -> Place:
    return Place(factory="f", pipeline="p", activity=activity, about={"inputs": [{"parameters": {"c": country}}]})


def keep(journal: Journal, value: object, *, began_s: float = 0, at: Place | None = None) -> None:
    """Let a step end well that began so many seconds after the start."""
    lease = leased(journal)
    keeps = Keeps(place=at or place(), value=value, began=START + timedelta(seconds=began_s))
    journal.append([Event(run_id=lease.run_id, kind="ended", step="Load", keeps=keeps)], lease)


def only(journal: Journal) -> Cursor:
    (found,) = list_cursors(journal)
    return found


@pytest.mark.parametrize("value", ["2024-01-31", 7, {"since": "x", "page": [1, None]}, "nul \x00 سلام"])
def test_a_cursor_comes_back_as_it_was_kept(journal: Journal, value: object) -> None:
    keep(journal, value)
    assert journal.cursor(place().key) == value
    assert only(journal).place.about == place().about


def test_a_cursor_gives_way_only_to_that_of_a_step_that_began_later(journal: Journal) -> None:
    for value, began_s in (("first", 1), ("newest", 3), ("slow", 2)):
        keep(journal, value, began_s=began_s)
    assert journal.cursor(place().key) == "newest"


def test_what_a_person_sets_outlasts_a_run_that_was_at_work_meanwhile(journal: Journal) -> None:
    keep(journal, "old")
    assert set_cursor(journal, only(journal), "by hand").value == "by hand"
    keep(journal, "of a run that began before")
    assert (only(journal).value, only(journal).run_id) == ("by hand", "")
    keep(journal, "new", began_s=3600)
    assert journal.cursor(place().key) == "new"


def test_a_reset_is_not_undone_by_a_run_that_was_at_work_meanwhile(journal: Journal) -> None:
    keep(journal, "old")
    set_cursor(journal, only(journal), None)
    keep(journal, "of a run that began before")
    assert journal.cursor(place().key) is None


def test_a_process_that_lost_its_lease_keeps_no_cursor(journal: Journal) -> None:
    old = journal.claim(journal.write_command("p", {}, "{}").run_id, -1)
    journal.claim(old.run_id, 60)
    keeps = Keeps(place=place(), value=1, began=START)
    with pytest.raises(Conflict, match="taken over"):
        journal.append([Event(run_id=old.run_id, kind="ended", keeps=keeps)], old)
    assert list_cursors(journal) == []


def test_an_event_that_cannot_be_written_keeps_no_cursor(journal: Journal) -> None:
    lease = leased(journal)
    good = Event(run_id=lease.run_id, kind="ended", keeps=Keeps(place=place(), value=1, began=START))
    with pytest.raises(Exception, match="journal"):
        journal.append([good, Event(run_id=lease.run_id, kind="nonsense")], lease)
    assert (list_cursors(journal), list(journal.events(lease.run_id))) == ([], [])


def test_a_cursor_is_found_by_activity_by_pipeline_and_by_the_start_of_its_id(journal: Journal) -> None:
    keep(journal, 1)
    keep(journal, 2, at=place("Other"))
    key = place().key
    assert {find_cursor(journal, name).key for name in ("load", "P/Load", key[:8], key)} == {key}
    with pytest.raises(NotFound, match="cursor list"):
        find_cursor(journal, "nothing")


def test_a_name_of_several_cursors_is_answered_with_their_ids(journal: Journal) -> None:
    for country in ("SS", "ET"):
        keep(journal, country, at=place(country=country))
    with pytest.raises(WrongDefinition, match=place(country="ET").key[:8]):
        find_cursor(journal, "Load")


def test_figures_are_written_over_and_gone_when_the_run_is_over(journal: Journal) -> None:
    lease = leased(journal)
    body = {"pipeline": "p", "parameters": {}, "names": {}}
    started = {"type": "Copy", "attempt": 1, "input": {}}
    journal.append([Event(run_id=lease.run_id, kind="runStarted", body=body)], lease)
    journal.append([Event(run_id=lease.run_id, kind="started", step=step, body=started) for step in "AB"], lease)
    for rows in (1, 2):
        journal.note_progress({(lease.run_id, step): {"rowsRead": rows} for step in "AB"}, [], lease)
    assert read_run(journal, lease.run_id).activities["A"].output == {"rowsRead": 2}
    journal.note_progress({}, [(lease.run_id, "A")], lease)
    assert [step for step, _, _ in journal.rows("progress", run_id=lease.run_id)] == ["B"]
    journal.settle(lease)
    assert list(journal.rows("progress", run_id=lease.run_id)) == []


def test_a_process_that_lost_its_lease_writes_no_figures(journal: Journal) -> None:
    old = journal.claim(journal.write_command("p", {}, "{}").run_id, -1)
    journal.claim(old.run_id, 60)
    journal.note_progress({(old.run_id, "A"): {"rowsRead": 1}}, [], old)
    assert list(journal.rows("progress", run_id=old.run_id)) == []
