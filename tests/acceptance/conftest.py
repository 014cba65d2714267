from collections.abc import Callable
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.acceptance.torture")

from tests.acceptance.torture import Torture  # noqa: E402 # its asserts are to tell what differs

STORES = ("sqlite", "postgres")


@pytest.fixture(params=STORES)
def new_torture(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Torture]:
    """Returns a new factory to torture at each call, its journal on each database in turn."""
    addresses = request.getfixturevalue("postgres") if request.param == "postgres" else str
    made: list[Torture] = []

    def new() -> Torture:
        made.append(Torture(root=tmp_path / f"factory{len(made)}", address=addresses()))
        return made[-1]

    return new
