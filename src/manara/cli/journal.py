"""The journal of a factory, opened to be read: the definitions may be broken, or gone."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from manara.errors import NotFound
from manara.settings import read_settings
from manara.store.journal import Journal, journal_address
from manara.store.record import find_run


@contextmanager
def open_journal(folder: Path) -> Iterator[Journal]:
    """Return the journal of the factory in the folder, in a `with` block. Raises NotFound where none was written."""
    address = journal_address(folder, read_settings(folder).store_journal)
    if isinstance(address, Path) and not address.is_file():
        raise NotFound(
            f"Nothing has run in '{folder}' yet: there is no journal '{address}'.",
            advice="Name a factory's folder with --factory, or run a pipeline: manara run PIPELINE",
        )
    with closing(Journal(address)) as journal:
        yield journal


def whole_id(folder: Path, text: str) -> str:
    """Return the id of the run that `text` names: the start of an id, or `last`. Raises as `find_run` does."""
    with open_journal(folder) as journal:
        return find_run(journal, text)
