"""`manara backup`, `manara backups` and `manara restore`: a factory's folder as it was, and back again."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from manara.store.repository import Backup, Progress

Repo = Annotated[Path, typer.Argument(help="The folder of the backups.", metavar="REPOSITORY")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")]
HERE = Path()
_FAILED = 1


def backup(
    repository: Repo,
    factory: Annotated[
        Path, typer.Option("--factory", "-f", help="The factory's folder, or the home of a server.", metavar="DIR")
    ] = HERE,
    with_key: Annotated[
        bool, typer.Option("--with-key", help="Take the key along that opens what a server has sealed.")
    ] = False,
    database: Annotated[
        list[str] | None,
        typer.Option("--database", help="A PostgreSQL database too: a linked service, or journal.", metavar="NAME"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Back up a factory: definitions, journal, warehouse and lake. Unchanged content is kept once."""
    from manara.app.backup import back_up
    from manara.store.repository import Repository

    databases, others = _databases(factory, database or [])
    with _progress("Backing up", as_json=as_json) as tell:
        made = back_up(factory, Repository(repository), tell, with_key=with_key, databases=databases, others=others)
    if as_json:
        _print_json(_told(made))
        return
    sys.stdout.write(f"Backup {made.id}: {len(made.files):,} files, {_size(made.size_bytes)}.\n")
    for each in made.left_out:
        sys.stdout.write(f"  left out  {each}\n")


def backups(
    repository: Repo,
    check: Annotated[bool, typer.Option("--check", help="Read everything, and compare all checksums.")] = False,
    keep: Annotated[
        int | None,
        typer.Option("--keep", help="Forget what is older than the newest N that are whole.", metavar="N", min=1),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the backups of a repository, check them, or forget old ones. Ends with 1 where one is damaged."""
    from rich.console import Console

    from manara.app.backup import check as check_all
    from manara.cli.runs import table_of
    from manara.store.repository import Repository

    held = Repository(repository)
    if keep is not None:
        with _progress("Reading", as_json=as_json) as tell:
            gone, pieces = held.prune(keep, tell)
        sys.stderr.write(f"Forgot {gone} backups and {pieces:,} pieces.\n")
    found = held.backups()
    damages: list[Any] = []
    if check:
        with _progress("Checking", as_json=as_json) as tell:
            damages = check_all(held, found, tell)
    if as_json:
        wrong = [{"backup": each.id, "path": damage.path, "reason": damage.reason} for each, damage in damages]
        _print_json({"value": [_told(each) for each in found], "damages": wrong})
    else:
        rows = [
            [each.id, each.of, f"{each.made:%Y-%m-%d %H:%M}", len(each.files), _size(each.size_bytes)] for each in found
        ]
        console = Console(highlight=False)
        console.print(table_of(["backup", "of", "made (UTC)", "files", "size"], rows))
        for each, damage in damages:
            console.print(f"{each.id}: {damage.path}: {damage.reason}", style="red", markup=False)
        if check and not damages:
            console.print("Every backup is whole.", style="green")
    if damages:
        raise typer.Exit(_FAILED)


def restore(
    folder: Annotated[Path, typer.Argument(help="The new folder.", metavar="DIR")],
    source: Annotated[Path, typer.Option("--from", help="The folder of the backups.", metavar="REPOSITORY")],
    at: Annotated[str, typer.Option("--at", help="A backup's id, or a moment (UTC): the newest up to then.")] = "",
    damaged: Annotated[bool, typer.Option("--damaged", help="Restore what can be had of a damaged backup.")] = False,
    as_json: AsJson = False,
) -> None:
    """Restore a backup into a new folder; every checksum is compared before the folder takes its name."""
    from manara.app.backup import FOLDER
    from manara.app.backup import restore as restore_it
    from manara.store.repository import Repository

    held = Repository(source)
    chosen = held.find(at)
    with _progress("Restoring", as_json=as_json) as tell:
        lost = restore_it(held, chosen, folder, tell, damaged=damaged)
    if as_json:
        _print_json(_told(chosen) | {"lost": [{"path": each.path, "reason": each.reason} for each in lost]})
    else:
        sys.stdout.write(f"Restored {chosen.id} ({chosen.made:%Y-%m-%d %H:%M} UTC) into {folder}: ")
        sys.stdout.write(f"{len(chosen.files) - len(lost):,} files, {_size(chosen.size_bytes)}.\n")
        for each in lost:
            sys.stdout.write(f"  lost  {each.path}: {each.reason}\n")
        for file in chosen.files:
            if file.path.startswith(f"{FOLDER}/") and file.path.endswith(".dump"):
                name = Path(file.path).stem
                sys.stdout.write(f"Load the database too:  manara restore-database {name} -f {folder}\n")
    if lost:
        raise typer.Exit(_FAILED)


def restore_database(
    name: Annotated[str, typer.Argument(help="The linked service, or journal.", metavar="NAME")],
    factory: Annotated[
        Path, typer.Option("--factory", "-f", help="The folder that was restored.", metavar="DIR")
    ] = HERE,
    as_json: AsJson = False,
) -> None:
    """Load a PostgreSQL database that a restore has brought along; the database has to be empty."""
    from manara.app import Factory
    from manara.app.backup import path_of
    from manara.app.dump import address_of, load_dump

    count = load_dump(address_of(Factory.open(factory), name), factory / path_of(name), name)
    if as_json:
        _print_json({"database": name, "tables": count})
    else:
        sys.stdout.write(f"Loaded '{name}': {count:,} tables and views.\n")


def _databases(folder: Path, wanted: list[str]) -> tuple[dict[str, str], list[str]]:
    """Return the addresses of the databases that are to go along, and the names of the others that are known."""
    from manara.app import Factory
    from manara.app.backup import JOURNAL, in_postgres
    from manara.errors import ManaraError

    try:
        opened = Factory.open(folder)
    except ManaraError:
        if wanted:
            raise
        return {}, []  # the home of a server
    others = [each for each in in_postgres(opened) if each not in wanted]
    if not wanted:
        return {}, others
    from manara.app.dump import address_of

    names = sorted(set(wanted), key=lambda name: (name != JOURNAL, name))  # what the journal says was done comes first
    return {name: address_of(opened, name) for name in names}, others


@contextmanager
def _progress(what: str, *, as_json: bool) -> "Iterator[Progress]":
    """Give what is told how far the work is; a bar on a terminal, nothing elsewhere."""
    if as_json or not sys.stderr.isatty():
        yield lambda _path, _done, _whole: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
               TimeRemainingColumn(), TextColumn("{task.fields[path]}"))  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, path="", total=None)
        yield lambda path, done, whole: bar.update(task, completed=done, total=whole, path=path[-40:])


def _told(made: "Backup") -> dict[str, Any]:
    return {
        "id": made.id, "of": made.of, "made": made.made.isoformat(), "files": len(made.files),
        "sizeBytes": made.size_bytes, "leftOut": list(made.left_out),
    }  # fmt: skip


def _size(count: int) -> str:
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")
