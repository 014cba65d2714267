"""The activity Delete: files, and folders with all they hold, are removed from a store."""

import csv
import hashlib
import io
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from manara.errors import ManaraError, WrongDefinition
from manara.plugin.activity import Given, Output, activity
from manara.plugin.connection import Store
from manara.plugin.dataset import Deletable, Doomed
from manara.plugin.lineage import Asset, Lineage, asset_of, safely

_HEADER = ("Name", "Category", "Status", "Error")
_MOST_AT_A_TIME = 64
_REPORT_EACH = 256

Row = tuple[str, str, str, str]


@activity("Delete")
def delete(given: Given) -> Output:
    """Delete the files that `dataset` and `storeSettings` mean, and return ADF's figures (rule 96).

    What is gone already is fine, so that a Delete can be tried again. With `recursive` (false unless told), a whole
    folder goes with those in it, if they are empty once their files are gone; a store's root never does. With
    `enableLogging`, a CSV in the log's store names what was to be deleted before the first file goes, and then what
    became of each. Where some cannot be deleted, the others are, and the first error is raised.
    """
    started = time.monotonic()
    reference = given.properties.get("dataset")
    if not isinstance(reference, Mapping) or not reference.get("referenceName"):
        raise WrongDefinition("A Delete needs typeProperties.dataset.", where=given.name)
    dataset = given.dataset(reference)
    if not isinstance(dataset, Deletable):
        raise WrongDefinition(
            f"The dataset '{reference['referenceName']}' holds no files that could be deleted.", where=given.name
        )
    wanted = _store_settings(given.properties)
    doomed = dataset.doomed({"storeSettings": wanted})
    log = _Log.of(given)
    log.write([(one.name, _category(one), "Planned", "") for one in doomed])
    rows, first = _done(given, doomed, _at_a_time(wanted))
    log.write(rows)
    if first:
        raise first
    return {
        "datasetName": reference["referenceName"],
        "filesDeleted": sum(row[1:3] == ("File", "Deleted") for row in rows),
        "foldersDeleted": sum(row[1:3] == ("Folder", "Deleted") for row in rows),
        "recursive": _yes(wanted.get("recursive")),
        "isWildcardUsed": any(wanted.get(name) for name in ("wildcardFileName", "wildcardFolderPath")),
        "maxConcurrentConnections": _at_a_time(wanted),
        "executionDuration": round(time.monotonic() - started),
        **log.told(),
        **safely(lambda: _lineage(given, reference, rows)),
    }


def _lineage(given: Given, reference: Mapping[str, Any], rows: Sequence[Row]) -> Lineage:
    namespace = asset_of(given, reference)[0].namespace
    return Lineage(deleted=tuple(Asset(namespace=namespace, name=row[0]) for row in rows if row[2] == "Deleted"))


def _yes(value: object) -> bool:
    return str(value).lower() == "true"


def _category(one: Doomed) -> str:
    return "Folder" if one.is_folder else "File"


def _store_settings(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings; `recursive` and `maxConcurrentConnections` stood beside them in older definitions."""
    told = properties.get("storeSettings") or {}
    if not isinstance(told, Mapping):
        raise WrongDefinition("storeSettings is an object.", where="typeProperties.storeSettings")
    older = {name: properties[name] for name in ("recursive", "maxConcurrentConnections") if name in properties}
    return {**older, **told}


def _at_a_time(wanted: Mapping[str, Any]) -> int:
    told = wanted.get("maxConcurrentConnections") or 1
    try:
        return max(1, min(int(str(told)), _MOST_AT_A_TIME))
    except ValueError as error:
        raise WrongDefinition(f"maxConcurrentConnections is a whole number, not '{told}'.") from error


def _done(given: Given, doomed: Sequence[Doomed], at_a_time: int) -> tuple[list[Row], ManaraError | None]:
    """Delete the files, then the folders; return what became of each, and the first error."""
    rows: list[Row] = []
    first: ManaraError | None = None
    files = [one for one in doomed if not one.is_folder]
    folders = [one for one in doomed if one.is_folder]
    with ThreadPoolExecutor(at_a_time, thread_name_prefix="delete") as pool:
        for batch in [files[start : start + _REPORT_EACH] for start in range(0, len(files), _REPORT_EACH)]:
            given.report({"filesDeleted": sum(row[2] == "Deleted" for row in rows)})
            for row, error in pool.map(_one, batch):
                rows.append(row)
                first = first or error
    for row, error in map(_one, folders):
        rows.append(row)
        first = first or error
    return rows, first


def _one(doomed: Doomed) -> tuple[Row, ManaraError | None]:
    try:
        status = "Deleted" if doomed.work() else "NotEmpty" if doomed.is_folder else "NotFound"
    except ManaraError as error:
        return (doomed.name, _category(doomed), "Failed", str(error)), error
    return (doomed.name, _category(doomed), status, ""), None


class _Log:
    """The list of what was deleted, in the store that the activity names; nowhere without one."""

    def __init__(self, store: Store | None, path: str) -> None:
        self._store, self._path = store, path

    @classmethod
    def of(cls, given: Given) -> "_Log":
        properties = given.properties
        settings = properties.get("logSettings") or {}
        place = properties.get("logStorageSettings") or settings.get("logLocationSettings") or {}
        if not _yes(properties.get("enableLogging", bool(settings))):
            return cls(None, "")
        service = place.get("linkedServiceName")
        if isinstance(service, str):
            service = {"referenceName": service}
        store = given.connect(service) if service else None
        if not isinstance(store, Store):
            raise WrongDefinition(
                "enableLogging needs a linked service that holds files.",
                where=f"{given.name}: typeProperties.logStorageSettings.linkedServiceName",
                advice="Name one, or set enableLogging to false.",
            )
        digest = hashlib.sha256(f"{given.mark.run_id}\n{given.mark.step}".encode()).hexdigest()[:20]
        name = f"deleted_{digest}_{given.mark.attempt}.csv"
        return cls(store, "/".join(filter(None, (str(place.get("path") or "").strip("/"), name))))

    def write(self, rows: Sequence[Row]) -> None:
        """Write the list anew."""
        if not self._store:
            return
        text = io.StringIO()
        csv.writer(text).writerows([_HEADER, *rows])
        with self._store.create(self._path) as file:
            file.write(text.getvalue().encode())

    def told(self) -> dict[str, str]:
        return {"logPath": self._path} if self._store else {}
