import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from manara.errors import Conflict, ManaraError, WrongDefinition
from manara.store.journal import Event, Journal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "journal.sqlite")
    yield opened
    opened.close()


def test_what_was_appended_is_read_back_in_order(journal: Journal) -> None:
    command = journal.write_command("p", {"n": 1}, "{}")
    lease = journal.claim(command.run_id, 60)
    events = [Event(run_id=command.run_id, kind="started", step=f"A{n}", body={"é": n}) for n in range(3)]
    journal.append(events, lease)
    assert list(journal.events(command.run_id)) == events
    assert journal.command(command.run_id) == command


@pytest.mark.parametrize("change", ["update event set body = '{}'", "delete from event"])
def test_what_happened_cannot_be_changed(journal: Journal, change: str) -> None:
    command = journal.write_command("p", {}, "{}")
    journal.append([Event(run_id=command.run_id, kind="runStarted")], journal.claim(command.run_id, 60))
    with sqlite3.connect(journal.path) as other, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        other.execute(change)


def test_a_process_that_lost_its_lease_can_write_no_more(journal: Journal) -> None:
    command = journal.write_command("p", {}, "{}")
    old = journal.claim(command.run_id, -1)
    journal.claim(command.run_id, 60)
    with pytest.raises(Conflict, match="taken over"):
        journal.append([Event(run_id=command.run_id, kind="runEnded")], old)
    assert list(journal.events(command.run_id)) == []


def test_the_lease_of_a_dead_process_is_free_at_once(journal: Journal) -> None:
    command = journal.write_command("p", {}, "{}")
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom manara.store.journal import Journal\n"
        "Journal(Path(sys.argv[1])).claim(sys.argv[2], 3600)\nos._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, str(journal.path), command.run_id], check=False)
    assert journal.claim(command.run_id, 60).run_id == command.run_id


def test_the_lease_of_a_living_process_is_not_free(journal: Journal) -> None:
    command = journal.write_command("p", {}, "{}")
    journal.claim(command.run_id, 60)
    with pytest.raises(Conflict, match=f"process {os.getpid()}"):
        journal.claim(command.run_id, 60)


def test_a_run_without_an_end_is_unfinished(journal: Journal) -> None:
    first, second = (journal.write_command(name, {}, "{}") for name in "ab")
    journal.append([Event(run_id=first.run_id, kind="runEnded")], journal.claim(first.run_id, 60))
    assert [run_id for run_id, _, _ in journal.unfinished()] == [second.run_id]


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        (lambda path: path.write_bytes(b"no database at all" * 100), "no journal, or it is damaged"),
        (lambda path: path.mkdir(), "cannot be written"),
    ],
)
def test_a_file_that_is_no_journal_is_told_so(tmp_path: Path, prepare: object, says: str) -> None:
    path = tmp_path / "journal.sqlite"
    prepare(path)  # type: ignore[operator] # a function of the table
    with pytest.raises(ManaraError, match=says):
        Journal(path)


def test_a_journal_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("pragma user_version = 99")
    with pytest.raises(WrongDefinition, match="version 99"):
        Journal(path)
