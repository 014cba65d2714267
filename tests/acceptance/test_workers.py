"""Two worker processes on one journal: they share the load, and no step is done by both."""

import os
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import closing

from tests.acceptance.torture import Torture, read_notes, wait_for
from tests.factories import act, pipeline

from manara.app import Factory
from manara.store.record import read_run

New = Callable[[], Torture]
RUNS = 12


def test_two_workers_share_the_load_and_no_step_is_done_twice(new_torture: New) -> None:
    each = act("Each", "ForEach", items="@range(0, 3)", activities=[act("In", "Noted", workers=2)])
    torture = new_torture().make(main=pipeline(each, act("Last", "Noted", after=["Each"])))
    opened = Factory.open(torture.root)
    runs = [opened.submit("main") for _ in range(RUNS)]
    workers = [torture.start() for _ in range(2)]
    for worker in workers:
        told = worker.communicate(timeout=120)[1]
        assert worker.returncode == 0, told
    notes = read_notes(torture.notes)
    assert {note.pid for note in notes} == {str(worker.pid) for worker in workers}
    assert set(Counter((note.run_id, note.step) for note in notes).values()) == {1}
    assert {note.run_id for note in notes} == set(runs)
    assert all(len({note.pid for note in notes if note.run_id == run_id}) == 1 for run_id in runs)
    with closing(torture.journal()) as journal:
        assert {read_run(journal, run_id).status for run_id in runs} == {"Succeeded"}


def test_what_a_killed_worker_had_begun_is_done_again_and_what_it_had_ended_is_not(new_torture: New) -> None:
    torture = new_torture()
    gate = torture.root / "gate"
    torture.make(main=pipeline(act("First", "Noted"), act("Then", "Noted", after=["First"], gate=str(gate))))
    run_id = torture.ask()
    first = torture.start()
    wait_for(lambda: "Then" in [note.step for note in read_notes(torture.notes)])
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    gate.touch()
    torture.finish()
    done = Counter(note.step for note in read_notes(torture.notes))
    assert (done["First"], done["Then"]) == (1, 2)
    with closing(torture.journal()) as journal:
        assert read_run(journal, run_id).status == "Succeeded"


def test_a_worker_that_is_told_to_stop_lets_its_activity_end_and_another_goes_on(new_torture: New) -> None:
    torture = new_torture()
    gate = torture.root / "gate"
    torture.make(main=pipeline(act("First", "Noted", gate=str(gate)), act("Then", "Noted", after=["First"])))
    run_id = torture.ask()
    worker = torture.start()
    wait_for(lambda: bool(read_notes(torture.notes)))
    worker.terminate()
    gate.touch()
    told = worker.communicate(timeout=60)[1]
    assert worker.returncode == 0, told
    torture.finish()
    assert Counter(note.step for note in read_notes(torture.notes)) == {"First": 1, "Then": 1}
    with closing(torture.journal()) as journal:
        assert read_run(journal, run_id).status == "Succeeded"
