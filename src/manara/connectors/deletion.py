"""Files that are to go: once a copy holds them (deleteFilesAfterCompletion), or because a Delete says so."""

from manara.connectors.selection import (
    Settings,
    SourceFile,
    join,
    location,
    store_of,
    store_settings,
    stored_files,
)
from manara.errors import SourceMissing, WrongDefinition
from manara.plugin.connection import Store
from manara.plugin.dataset import AfterFile, DatasetGiven, Doomed

_CHOOSES = ("wildcardFileName", "wildcardFolderPath", "fileListPath", "prefix", "modifiedDatetimeStart",
            "modifiedDatetimeEnd")  # fmt: skip


def deletes_afterwards(settings: Settings) -> bool:
    """Return whether the source's files are to be deleted once they are copied."""
    return _yes(store_settings(settings).get("deleteFilesAfterCompletion", False))


def refuse_deletion(settings: Settings) -> None:
    """Raise WrongDefinition where rows, and not whole files, are copied and their files are to be deleted.

    Source: the ADF pages of the file stores, where the setting is for binary copies only.
    """
    if deletes_afterwards(settings):
        raise WrongDefinition(
            "deleteFilesAfterCompletion is for copies from Binary to Binary, as in Azure Data Factory.",
            where="source.storeSettings.deleteFilesAfterCompletion",
            advice="Let a Delete activity follow the copy.",
        )


def to_delete(file: SourceFile) -> AfterFile:
    """Return what deletes the file; what is gone already is fine.

    A file that was written again after it was listed stays: what is new in it has not been copied.
    """

    def work() -> None:
        now = file.store.info(file.path)
        if now and (now.size_bytes, now.modified) == (file.info.size_bytes, file.info.modified):
            file.store.delete(file.path)

    return AfterFile(file=file.path, work=work)


def doomed(given: DatasetGiven, settings: Settings) -> list[Doomed]:
    """Return what a Delete of the dataset means; see `Deletable`.

    Folders go only with a recursive Delete of a whole folder below the store's root, container or bucket, and only
    when they are empty by then: a file that arrives meanwhile stays. `recursive` is false unless told.
    """
    store = store_of(given)
    wanted = {"recursive": False, **store_settings(settings)}
    try:
        files = stored_files(given, {**settings, "storeSettings": wanted})
    except SourceMissing:
        listed = wanted.get("fileListPath")
        if listed and store.info(str(listed).strip("/")) is None:
            raise
        files = []
    found = [_file(store, file.info.path) for file in files]
    folder, name = location(given)
    if _yes(wanted["recursive"]) and not name and not any(wanted.get(option) for option in _CHOOSES):
        found += [_folder(store, path) for path in _folders(given, store, folder)]
    return found


def _yes(value: object) -> bool:
    return str(value).lower() == "true"


def _file(store: Store, path: str) -> Doomed:
    def work() -> bool:
        info = store.info(path)
        if info is None or info.is_folder:
            return False
        store.delete(path)
        return True

    return Doomed(name=path, is_folder=False, work=work)


def _folder(store: Store, path: str) -> Doomed:
    def work() -> bool:
        info = store.info(path)
        if info is None or not info.is_folder or store.list(path):
            return False
        store.delete(path)
        return True

    return Doomed(name=path, is_folder=True, work=work)


def _folders(given: DatasetGiven, store: Store, folder: str) -> list[str]:
    """Return the folder and those below it, the deepest first; never the root, a container or a bucket."""
    info = store.info(folder)
    if info is None or not info.is_folder:
        return []
    where = given.properties.get("location") or given.properties
    container = join(str(where.get("fileSystem") or where.get("container") or where.get("bucketName") or ""))
    found = [folder]
    for path in found:
        found += [entry.path for entry in store.list(path) if entry.is_folder]
    return [path for path in reversed(found) if path and path != container]
