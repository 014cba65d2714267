from collections.abc import Iterator
from pathlib import Path

import pytest

from manara.store.journal import Journal

STORES = ("sqlite", "postgres")


@pytest.fixture(params=STORES)
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """The address of a new journal, on each database in turn."""
    if request.param == "sqlite":
        return tmp_path / "journal.sqlite"
    return str(request.getfixturevalue("postgres")())


@pytest.fixture
def journal(address: Path | str) -> Iterator[Journal]:
    opened = Journal(address)
    yield opened
    opened.close()
