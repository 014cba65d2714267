"""What a Copy is told besides its source, sink and mapping."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from manara.errors import ManaraError, NotAllowed, SourceMissing, WrongDefinition
from manara.registry import near

Settings = Mapping[str, Any]

MISSING, FORBIDDEN, INCONSISTENT, INVALID_NAME = "fileMissing", "fileForbidden", "dataInconsistency", "invalidFileName"
INCONSISTENT_DATA, INVALID_FILE_NAME = "UserErrorDataInconsistency", "UserErrorInvalidFileName"
_SKIPPED_UNLESS_TOLD = {MISSING: True, FORBIDDEN: False, INCONSISTENT: False, INVALID_NAME: False}
_LANES = ("", "Arrow", "DuckDB")
_MOST_AT_A_TIME = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPlace:
    """Where a copy's log goes: a linked service and a folder in it. With `all_files`, good files are named too.

    `redirects` says that the older redirectIncompatibleRowSettings named it.
    """

    service: Settings
    folder: str
    all_files: bool
    redirects: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CopySettings:
    """The settings of one Copy. `lane` forces the way the rows go, for tests and for comparison."""

    source: Settings
    sink: Settings
    skips_rows: bool
    skips_files: frozenset[str]
    log: LogPlace | None
    validates: bool
    parallel: int
    lane: str

    def may_leave_out(self, error: ManaraError) -> bool:
        """Return whether a file with this error may be left out of the copy (skipErrorFile)."""
        return _kind(error) in self.skips_files


def copy_settings(properties: Settings) -> CopySettings:
    """Return what the typeProperties of a Copy say; raises WrongDefinition for what cannot be followed."""
    lane = str(properties.get("lane") or "")
    if lane not in _LANES:
        raise WrongDefinition(f"There is no lane '{lane}'.", where="lane", advice=near(lane, _LANES[1:]))
    return CopySettings(
        source=_object(properties, "source"),
        sink=_object(properties, "sink"),
        skips_rows=yes(properties.get("enableSkipIncompatibleRow")),
        skips_files=_skipped_files(properties),
        log=_log(properties),
        validates=yes(properties.get("validateDataConsistency")),
        parallel=_parallel(properties.get("parallelCopies")),
        lane=lane,
    )


def yes(value: object, *, default: bool = False) -> bool:
    """Return what a setting says that is true or false, or a text of these."""
    return default if value is None else str(value).lower() == "true"


def _object(properties: Settings, name: str) -> Settings:
    found = properties.get(name) or {}
    if not isinstance(found, Mapping):
        raise WrongDefinition(f"{name} is an object, not {str(found)[:60]!r}.", where=name)
    return found


def _skipped_files(properties: Settings) -> frozenset[str]:
    told = _object(properties, "skipErrorFile")
    if not told:
        return frozenset()
    return frozenset(
        kind for kind, unless_told in _SKIPPED_UNLESS_TOLD.items() if yes(told.get(kind), default=unless_told)
    )


def _kind(error: ManaraError) -> str:
    if error.error_code in {INCONSISTENT_DATA, INVALID_FILE_NAME}:
        return INCONSISTENT if error.error_code == INCONSISTENT_DATA else INVALID_NAME
    if isinstance(error, SourceMissing):
        return MISSING
    return FORBIDDEN if isinstance(error, NotAllowed) else ""


def _log(properties: Settings) -> LogPlace | None:
    """Return the place of logSettings, or of the older logStorageSettings and redirectIncompatibleRowSettings."""
    told = _object(properties, "logSettings")
    if told and not yes(told.get("enableCopyActivityLog"), default=True):
        return None
    level = _object(told, "copyActivityLogSettings").get("logLevel")
    place = _object(told, "logLocationSettings")
    older = _object(properties, "logStorageSettings")
    if not place and older:
        place, level = older, older.get("logLevel")
    redirects = not place
    place = place or _object(properties, "redirectIncompatibleRowSettings")
    if not place:
        return None
    service = place.get("linkedServiceName")
    if isinstance(service, str):
        service = {"referenceName": service}
    if not isinstance(service, Mapping) or not service.get("referenceName"):
        raise WrongDefinition(
            "The place of the copy's log needs a linked service.",
            where="logSettings.logLocationSettings.linkedServiceName",
            advice="Name one that holds files, or leave out the log's settings: it is then kept in data/refused.",
        )
    return LogPlace(
        service=service,
        folder=str(place.get("path") or ""),
        all_files=str(level).lower() == "info",
        redirects=redirects,
    )


def _parallel(value: object) -> int:
    """Return how many files at most to copy at a time; 0 where that is left to us."""
    try:
        count = int(str(value or 0))
    except ValueError as error:
        raise WrongDefinition(f"parallelCopies is a whole number, not '{value}'.", where="parallelCopies") from error
    if count < 0:
        raise WrongDefinition(f"parallelCopies is a whole number from 1, not {count}.", where="parallelCopies")
    return min(count, _MOST_AT_A_TIME)
