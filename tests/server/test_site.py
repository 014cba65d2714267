"""The connections of a site: as many as there are requests at once, whichever threads serve them."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from manara.app import known
from manara.server.site import Site
from manara.settings import Settings
from manara.store.journal import Journal
from manara.store.seal import Seal


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(
        home=tmp_path,
        address=tmp_path / "journal.sqlite",
        seal=Seal(tmp_path / "seal.key"),
        settings=Settings(),
        known=known,
    )
    yield made
    made.close()


def test_threads_that_come_and_go_share_their_connections(site: Site) -> None:
    seen: set[int] = set()

    def ask() -> None:
        with site.connected():
            assert site.documents.get("/none") is None
            seen.add(id(site.journal))

    for _ in range(20):
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
    assert len(seen) == 1


def test_threads_at_once_have_a_connection_each(site: Site) -> None:
    both = threading.Barrier(2)
    seen: list[Journal] = []

    def ask() -> None:
        with site.connected():
            seen.append(site.journal)
            both.wait(10)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen[0] is not seen[1]


def test_a_lost_connection_is_not_given_back(site: Site) -> None:
    seen: list[Journal] = []
    for _ in range(2):
        with site.connected():
            seen.append(site.journal)
            site.renew()
    assert seen[0] is not seen[1]
