"""The pytest plugin: the fixture `factory`. Every pytest run loads it, so it imports nothing heavy."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from manara.resources.factory import Factory as Definitions
    from manara.testing.factory import Factory

OPTION, SETTING = "--manara-factory", "manara_factory"

pytest.register_assert_rewrite("manara.testing.suites")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare where the factory lies: the option counts from here, the setting from the folder of the ini file."""
    says = "the folder of the factory that the fixture `factory` opens"
    parser.getgroup("manara").addoption(OPTION, metavar="FOLDER", type=Path, help=says)
    parser.addini(SETTING, f"{says} (the folder of this file)", default=".")


@pytest.fixture
def factory(_manara_definitions: "Definitions", tmp_path: Path) -> "Factory":
    """Return the factory under test; what is not stubbed works in `factory.folder`, which is the test's own."""
    from manara.testing.factory import Factory  # noqa: PLC0415 # see above

    return Factory(definitions=_manara_definitions, folder=tmp_path)


@pytest.fixture(scope="session")
def _manara_definitions(pytestconfig: pytest.Config) -> "Definitions":
    from manara.errors import ManaraError  # noqa: PLC0415 # see above
    from manara.resources.factory import read_factory  # noqa: PLC0415

    try:
        return read_factory(pytestconfig.getoption(OPTION) or pytestconfig.rootpath / pytestconfig.getini(SETTING))
    except ManaraError as error:
        pytest.fail(f"{error.message} Name it with {OPTION}, or as {SETTING} in the ini file.", pytrace=False)
