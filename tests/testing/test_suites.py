"""The suites find what is wrong: stores and databases that break their promise."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from tests.plugin_given import Place

from manara.connectors.databases.duckdb import DuckDBDatabase, DuckDBTransaction
from manara.connectors.file_server import FolderStore
from manara.plugin.connection import FileInfo, Mark
from manara.testing.suites import DatabaseSuite, StoreSuite, execute, new_mark


class Direct(FolderStore):
    """Writes under the name itself."""

    @contextlib.contextmanager
    def create(self, path: str) -> Iterator[BinaryIO]:
        local = self.root / path
        local.parent.mkdir(parents=True, exist_ok=True)
        with local.open("wb") as file:
            yield file


class Unordered(FolderStore):
    """Lists backwards."""

    def list(self, folder: str) -> list[FileInfo]:
        return FolderStore.list(self, folder)[::-1]


class Forgetful(DuckDBDatabase):
    """Does a step again whenever it is asked to."""

    def once(self, mark: Mark, work: Callable[[DuckDBTransaction], dict[str, Any]]) -> dict[str, Any]:
        return DuckDBDatabase.once(self, Mark(run_id=mark.run_id, step=f"{mark.step}{id(work)}", attempt=1), work)


@pytest.mark.parametrize("does", ["is_not_there_before_it_is_whole", "leaves_what_was_there"])
def test_a_store_that_shows_half_a_file_does_not_pass(tmp_path: Path, does: str) -> None:
    check = next(getattr(StoreSuite(), name) for name in vars(StoreSuite) if name.endswith(does))
    check(FolderStore(root=tmp_path / "good"))
    with pytest.raises(AssertionError):
        check(Direct(root=tmp_path / "bad"))


def test_a_store_that_lists_out_of_order_does_not_pass(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        StoreSuite().test_a_folder_lists_what_lies_directly_in_it_by_name(Unordered(root=tmp_path))


def test_a_database_that_does_a_step_twice_does_not_pass(tmp_path: Path) -> None:
    database = Place(folder=tmp_path).database
    assert isinstance(database, DuckDBDatabase)
    database.once(new_mark(), execute("create table t (n integer, t varchar)"))
    with pytest.raises(AssertionError):
        DatabaseSuite().test_a_step_is_done_once_and_gives_its_first_result_again(Forgetful(file=database.file), "t")
