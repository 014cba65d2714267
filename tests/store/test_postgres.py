from collections.abc import Callable, Iterator

import psycopg
import pytest

from manara.errors import Transient, WrongDefinition
from manara.store.journal import Event, Journal

Addresses = Callable[[], str]


@pytest.fixture
def address(postgres: Addresses) -> str:
    return postgres()


@pytest.fixture
def other(address: str) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    with psycopg.connect(address, autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("change", ["update event set body = '{}'", "delete from event", "truncate event"])
def test_what_happened_cannot_be_changed(
    journal: Journal, other: "psycopg.Connection[tuple[object, ...]]", change: str
) -> None:
    _, lease = journal.write_own_command("p", {}, "{}", lease_s=60)
    journal.append([Event(run_id=lease.run_id, kind="runStarted")], lease)
    with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        other.execute(change.encode())


def test_a_run_that_another_worker_is_taking_is_passed_over(address: str, journal: Journal) -> None:
    first, second = (journal.write_command(name, {}, "{}").run_id for name in "ab")
    with psycopg.connect(address) as taking:
        taking.execute("select 1 from unfinished where run_id = %s for update", [first])
        lease = journal.claim_next(60)
    assert lease is not None
    assert lease.run_id == second


def test_a_lost_connection_is_told_and_can_be_tried_again(
    journal: Journal, other: "psycopg.Connection[tuple[object, ...]]"
) -> None:
    other.execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'manara'")
    with pytest.raises(Transient, match="The journal cannot be reached"):
        journal.unfinished()


@pytest.mark.parametrize(
    "given", ["postgresql://u:s3cret@127.0.0.1:1/d", "postgresql://u@127.0.0.1:1/d?password=s3cret"]
)
def test_a_server_that_is_not_there_is_told_without_the_password(given: str) -> None:
    with pytest.raises(Transient, match="the setting store") as told:
        Journal(given)
    assert "s3cret" not in str(told.value)


def test_an_address_that_cannot_be_read_is_told_so() -> None:
    with pytest.raises(WrongDefinition, match="address of the journal"):
        Journal("postgresql://h/d?nonsense=s3cret")
