import sqlite3
from pathlib import Path

import pytest

from manara.errors import ManaraError
from manara.store.journal import Event, Journal


@pytest.mark.parametrize("change", ["update event set body = '{}'", "delete from event"])
def test_what_happened_cannot_be_changed(tmp_path: Path, change: str) -> None:
    path = tmp_path / "journal.sqlite"
    journal = Journal(path)
    _, lease = journal.write_own_command("p", {}, "{}", lease_s=60)
    journal.append([Event(run_id=lease.run_id, kind="runStarted")], lease)
    journal.close()
    with sqlite3.connect(path) as other, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        other.execute(change)


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
