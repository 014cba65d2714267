from pathlib import Path

import pytest
from tests.plugin_given import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(folder=tmp_path)
