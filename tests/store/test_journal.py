"""The journal, on each database in turn."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from manara.errors import Broken, Conflict, NotFound
from manara.store.journal import Event, Journal, Lease, journal_address


def started(journal: Journal, run_id: str, lease: Lease, caller: tuple[str, str] | None = None) -> None:
    """Note the start of a run, called by (run id, step) where that is given."""
    names = {"GroupId": lease.run_id}
    body = {"pipeline": "p", "names": names, "parameters": {}}
    journal.append([Event(run_id=run_id, kind="runStarted", body=body)], lease)
    if caller:
        decided = {"name": "call", "value": {"runId": run_id}}
        journal.append([Event(run_id=caller[0], kind="decided", step=caller[1], body=decided)], lease)


def test_what_was_appended_is_read_back_in_order(journal: Journal) -> None:
    command = journal.write_command("p", {"n": 1}, "{}", {"until": "A"})
    lease = journal.claim(command.run_id, 60)
    events = [Event(run_id=command.run_id, kind="started", step=f"A{n}", body={"é": n}) for n in range(30)]
    journal.append(events[:20], lease)
    journal.append(events[20:], lease)
    assert list(journal.events(command.run_id)) == events
    assert journal.command(command.run_id) == command


@pytest.mark.parametrize("text", ["\ud800", "nul \x00", "%(run_id)s :step", "سلام 🌍", "'; drop table event; --"])
def test_every_text_that_json_can_hold_comes_back(journal: Journal, text: str) -> None:
    command = journal.write_command("p", {"text": text}, "{}")
    event = Event(run_id=command.run_id, kind="ended", step="A", body={"text": text})
    journal.append([event], journal.claim(command.run_id, 60))
    assert (journal.command(command.run_id), list(journal.events(command.run_id))) == (command, [event])


def test_what_is_written_is_all_or_nothing(journal: Journal) -> None:
    command = journal.write_command("p", {}, "{}")
    lease = journal.claim(command.run_id, 60)
    good, bad = (Event(run_id=command.run_id, kind=kind) for kind in ("started", "nonsense"))
    with pytest.raises(Broken):
        journal.append([good, bad], lease)
    assert list(journal.events(command.run_id)) == []


def test_a_process_that_lost_its_lease_can_write_no_more(journal: Journal) -> None:
    command = journal.write_command("p", {}, "{}")
    old = journal.claim(command.run_id, -1)
    journal.claim(command.run_id, 60)
    with pytest.raises(Conflict, match="taken over"):
        journal.append([Event(run_id=command.run_id, kind="runEnded")], old)
    with pytest.raises(Conflict, match="taken over"):
        journal.beat(old)
    assert list(journal.events(command.run_id)) == []


def test_the_lease_of_a_dead_process_is_free_at_once(address: Path | str, journal: Journal) -> None:
    command = journal.write_command("p", {}, "{}")
    code = (
        "import os, sys\nfrom manara.store.journal import Journal\n"
        "Journal(sys.argv[1]).claim(sys.argv[2], 3600)\nos._exit(9)"
    )
    told = subprocess.run([sys.executable, "-c", code, str(address), command.run_id], check=False)
    assert told.returncode == 9
    assert journal.claim(command.run_id, 60).run_id == command.run_id


def test_the_lease_of_a_living_process_is_not_free(journal: Journal) -> None:
    command = journal.write_command("p", {}, "{}")
    journal.claim(command.run_id, 60)
    assert journal.claim_next(60) is None
    with pytest.raises(Conflict, match=f"process {os.getpid()}"):
        journal.claim(command.run_id, 60)


def test_a_beat_keeps_the_lease(journal: Journal) -> None:
    lease = journal.claim(journal.write_command("p", {}, "{}").run_id, -1)
    assert journal.claim_next(-1) is not None
    lease = journal.claim(lease.run_id, -1)
    journal.beat(Lease(journal=journal, run_id=lease.run_id, worker=lease.worker, lease_s=60))
    assert journal.claim_next(60) is None


def test_a_run_is_unfinished_until_it_is_settled_by_who_holds_it(journal: Journal) -> None:
    first, second = (journal.write_command(name, {}, "{}") for name in "ab")
    journal.settle(journal.claim(first.run_id, 60))
    lost = journal.claim(second.run_id, -1)
    journal.claim(second.run_id, 60)
    journal.settle(lost)
    assert [(run_id, pipeline) for run_id, pipeline, _ in journal.unfinished()] == [(second.run_id, "b")]


def test_the_oldest_free_run_is_taken_first_and_each_once(journal: Journal) -> None:
    asked = [journal.write_command("p", {}, "{}").run_id for _ in range(4)]
    taken = [journal.claim_next(60, leave=asked[1:2]) for _ in range(4)]
    assert [lease.run_id if lease else None for lease in taken] == [asked[0], asked[2], asked[3], None]


def test_a_run_of_ones_own_cannot_be_taken_by_another(journal: Journal) -> None:
    command, lease = journal.write_own_command("p", {}, "{}", lease_s=60)
    assert (journal.claim_next(60), lease.run_id) == (None, command.run_id)


def test_a_released_run_is_free(journal: Journal) -> None:
    _, lease = journal.write_own_command("p", {}, "{}", lease_s=60)
    journal.release(lease)
    again = journal.claim_next(60)
    assert again is not None
    assert again.run_id == lease.run_id


def test_a_cancel_is_heard_and_asking_twice_is_asking_once(journal: Journal) -> None:
    first, second = (journal.write_command(name, {}, "{}").run_id for name in "ab")
    for _ in range(2):
        journal.write_cancel(first)
    assert (journal.is_cancelled(first), journal.is_cancelled(second)) == (True, False)


def test_what_has_ended_or_is_part_of_another_run_is_not_cancelled(journal: Journal) -> None:
    command, lease = journal.write_own_command("p", {}, "{}", lease_s=60)
    started(journal, "child", lease, (command.run_id, "Call"))
    with pytest.raises(Conflict, match=f"Cancel the whole: {command.run_id}"):
        journal.write_cancel("child")
    journal.settle(lease)
    with pytest.raises(Conflict, match="has ended already"):
        journal.write_cancel(command.run_id)
    with pytest.raises(NotFound, match="There is no run 'nothing'"):
        journal.write_cancel("nothing")


def test_orphans_are_unfinished_runs_whose_call_is_over_however_deep(journal: Journal) -> None:
    command, lease = journal.write_own_command("p", {}, "{}", lease_s=60)
    top = command.run_id
    for run_id, caller in (("waits", (top, "A")), ("free", (top, "B")), ("over", (top, "C")), ("deep", ("over", "D"))):
        started(journal, run_id, lease, caller)
    for run_id, step in ((top, "B"), (top, "C"), ("over", "D")):
        journal.append([Event(run_id=run_id, kind="ended", step=step)], lease)
    journal.append([Event(run_id="over", kind="runEnded")], lease)
    assert sorted(run_id for run_id, _, _ in journal.orphans(top)) == ["deep", "free"]


def test_the_address_of_a_file_is_relative_to_the_factory() -> None:
    assert journal_address(Path("f"), "data/j.sqlite") == Path("f/data/j.sqlite")
    assert journal_address(Path("f"), "postgresql://h/d") == "postgresql://h/d"
