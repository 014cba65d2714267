from pathlib import Path

import pytest
from tests.plugin_given import Place
from tests.postgres import postgres  # noqa: F401 # a fixture


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(folder=tmp_path)
