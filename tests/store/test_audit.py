import sqlite3
import threading
from pathlib import Path

import psycopg
import pytest

from manara.store.audit import append_audit, last_audit, read_audit, verify_audit
from manara.store.journal import Journal


def test_rows_are_read_in_order_and_verified(journal: Journal) -> None:
    assert verify_audit(journal) == (0, None)
    assert [append_audit(journal, {"who": "ann", "n": n}) for n in range(3)] == [1, 2, 3]
    assert [entry.body["n"] for entry in read_audit(journal, after=1)] == [1, 2]
    assert verify_audit(journal) == (3, None)
    assert last_audit(journal) == 3


def test_a_secret_is_never_written_down(journal: Journal) -> None:
    append_audit(journal, {"who": "ann", "body": {"client_secret": "s3cret"}, "on": "https://h/?sig=s3cret"})
    assert "s3cret" not in str(read_audit(journal))


FORGERIES = {
    "changed": "update audit set body = '{}' where seq = 2",
    "moved in time": "update audit set at = '2020-01-01T00:00:00.0000000Z' where seq = 2",
    "taken out": "delete from audit where seq = 2",
}


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_row_is_found(address: Path | str, journal: Journal, forgery: str) -> None:
    for n in range(4):
        append_audit(journal, {"n": n})
    _force(address, forgery)
    assert verify_audit(journal) == (1, 2)


def _force(address: Path | str, statement: str) -> None:
    """Do as a root of the database could: without the triggers that keep the log."""
    if isinstance(address, Path):
        with sqlite3.connect(address) as lite:
            lite.execute("drop trigger audit_is_never_changed")
            lite.execute("drop trigger audit_is_never_removed")
            lite.execute(statement)
        lite.close()
    else:
        with psycopg.connect(address) as connection:
            connection.execute("alter table audit disable trigger all")
            connection.execute(statement)


def test_writers_at_once_make_one_chain(address: Path | str, journal: Journal) -> None:
    begin = threading.Barrier(3)

    def write(who: int) -> None:
        own = Journal(address)
        begin.wait()
        for n in range(20):
            append_audit(own, {"who": who, "n": n})
        own.close()

    writers = [threading.Thread(target=write, args=(who,)) for who in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert verify_audit(journal) == (60, None)
    assert len({(entry.body["who"], entry.body["n"]) for entry in read_audit(journal)}) == 60
