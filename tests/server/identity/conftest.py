from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from manara.server.identity import keys as keys_module
from manara.server.identity.keys import Keys, write_private
from manara.store.documents import Documents
from manara.store.journal import Journal
from manara.store.seal import Seal


@cache
def a_key(number: int) -> str:
    """A key for tests, made once for all of them: making one takes a while."""
    return keys_module.new_key()


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    write_private(tmp_path / "token.key", a_key(0))
    return Keys(tmp_path / "token.key")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "journal.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def documents(journal: Journal, tmp_path: Path) -> Documents:
    return Documents(journal, Seal(tmp_path / "seal.key"))
