"""The upkeep of a Delta table: its versions, its small files, and the files that only old versions need."""

from datetime import UTC, datetime

from deltalake import DeltaTable

from manara.errors import WrongDefinition
from manara.plugin.dataset import Version

RUN = "manara.run"
"""What a commit calls the run that made it."""

LEAST_DAYS = 7
"""A reader or writer at work may need files of a version that is no longer the newest: Delta's own least."""


def versions(table: DeltaTable) -> list[Version]:
    """Return the versions of a table, the newest first."""
    found = [_version(commit) for commit in table.history()]
    return sorted(found, key=lambda version: -version.number)


def _version(commit: dict[str, object]) -> Version:
    figures = commit.get("operationMetrics")
    told = figures if isinstance(figures, dict) else {}
    told_of = commit.get("operationParameters")
    mode = str(told_of.get("mode") or "") if isinstance(told_of, dict) else ""

    def figure(*names: str) -> int | None:
        return next((int(told[name]) for name in names if isinstance(told.get(name), int | float | str)), None)

    return Version(
        number=int(str(commit["version"])),
        made=datetime.fromtimestamp(int(str(commit["timestamp"])) / 1000, UTC),
        operation=(mode or str(commit.get("operation") or "")).lower(),
        run_id=str(commit.get(RUN) or ""),
        rows_added=figure("num_added_rows", "num_output_rows"),
        files_added=figure("num_added_files", "num_target_files_added", "numFilesAdded"),
        files_removed=figure("num_removed_files", "num_target_files_removed", "numFilesRemoved"),
    )


def compact(table: DeltaTable) -> tuple[int, int]:
    """Bring small files together, and return how many files went, and how many came."""
    done = table.optimize.compact()
    return int(done["numFilesRemoved"]), int(done["numFilesAdded"])


def vacuum(table: DeltaTable, keep_days: int, *, really: bool) -> list[str]:
    """Remove what no version of the last days needs, and return the files; unless `really`, only return them."""
    if keep_days < LEAST_DAYS:
        raise WrongDefinition(
            f"At least {LEAST_DAYS} days are kept, not {keep_days}.",
            advice="A run that reads or writes the table now may need older files.",
        )
    return sorted(table.vacuum(keep_days * 24, dry_run=not really))
