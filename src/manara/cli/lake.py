"""`manara lake ...`: tables that keep their versions, and their upkeep."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from manara.errors import WrongDefinition

if TYPE_CHECKING:
    from manara.plugin.dataset import Versioned

lake = typer.Typer(no_args_is_help=True, help="Tables of the lake (Delta): their versions, and their upkeep.")

Folder = Annotated[Path, typer.Option("--factory", "-f", help="The factory's folder.", metavar="DIR")]
Named = Annotated[str, typer.Argument(help="A dataset of type Delta.", metavar="DATASET")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")]
HERE = Path()
_SHORT = 8


@lake.command()
def versions(
    dataset: Named,
    factory: Folder = HERE,
    most: Annotated[int, typer.Option("--most", help="How many versions.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the versions of a table, the newest first: when, what, by which run, and how much."""
    from rich.console import Console

    from manara.cli.runs import table_of

    found = _opened(factory, dataset).versions()
    if as_json:
        told = [
            {"version": each.number, "made": each.made.isoformat(), "operation": each.operation,
             "runId": each.run_id or None, "rowsAdded": each.rows_added, "filesAdded": each.files_added,
             "filesRemoved": each.files_removed} for each in found[:most]
        ]  # fmt: skip
        _print_json({"value": told, "versions": len(found)})
        return
    rows = [
        [each.number, f"{each.made:%Y-%m-%d %H:%M:%S}", each.operation, each.run_id[:_SHORT], each.rows_added,
         each.files_added, each.files_removed] for each in found[:most]
    ]  # fmt: skip
    console = Console(highlight=False)
    names = ["version", "made (UTC)", "what", "run", "rows", "files", "removed"]
    console.print(table_of(names, rows))
    console.print(f"{len(found):,} version{'s' if len(found) != 1 else ''}", style="dim")


@lake.command()
def compact(dataset: Named, factory: Folder = HERE, as_json: AsJson = False) -> None:
    """Bring the small files of a table together, as a version of its own: it reads faster then."""
    gone, come = _opened(factory, dataset).compact()
    if as_json:
        _print_json({"filesRemoved": gone, "filesAdded": come})
    elif gone:
        sys.stdout.write(f"{gone:,} files became {come:,}. The old ones stay until a vacuum.\n")
    else:
        sys.stdout.write("There is nothing to bring together.\n")


@lake.command()
def vacuum(
    dataset: Named,
    factory: Folder = HERE,
    keep_days: Annotated[
        int, typer.Option("--keep-days", help="Versions of so many days can still be read.", metavar="DAYS")
    ] = 30,
    really: Annotated[bool, typer.Option("--really", help="Remove the files; without it they are only told.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove the files of a table that no version of the last days needs. Older versions cannot be read then."""
    gone = _opened(factory, dataset).vacuum(keep_days, really=really)
    if as_json:
        _print_json({"files": gone, "removed": really})
        return
    for path in gone:
        sys.stdout.write(f"{path}\n")
    if really or not gone:
        sys.stdout.write(f"{len(gone):,} files were removed.\n" if gone else "There is nothing to remove.\n")
    else:
        sys.stdout.write(f"{len(gone):,} files would be removed. Do it:  manara lake vacuum {dataset} --really\n")


def _opened(factory: Path, name: str) -> "Versioned":
    from manara.app import Factory
    from manara.plugin.dataset import Versioned

    found = Factory.open(factory).dataset(name)
    if not isinstance(found, Versioned):
        raise WrongDefinition(f"The dataset '{name}' keeps no versions.", advice="A dataset of type Delta does.")
    return found


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")
