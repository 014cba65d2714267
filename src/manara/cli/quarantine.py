"""`manara quarantine ...`: refused rows, to look at, correct, approve, release or reject."""

import getpass
import json
import sys
import uuid
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from manara.errors import WrongDefinition

if TYPE_CHECKING:
    from manara.app import Factory
    from manara.plugin.connection import Mark
    from manara.quality.odcs import Contract
    from manara.quality.quarantine import Refused

quarantine = typer.Typer(no_args_is_help=True, help="Refused rows: look, correct, approve, release, reject.")

Folder = Annotated[Path, typer.Option("--factory", "-f", help="The factory's folder.", metavar="DIR")]
Warehouse = Annotated[str, typer.Option("--warehouse", help="The linked service of the database.", metavar="NAME")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")]
RowId = Annotated[str, typer.Argument(help="The row's id, or the start of it.", metavar="ROW")]
Author = Annotated[
    str | None, typer.Option("--as", help="Who does it; who runs the command without it.", metavar="NAME")
]
Contract_ = Annotated[str, typer.Option("--contract", help="Only rows of this contract.")]
Origin = Annotated[str, typer.Option(help="Only rows of this file.")]
Rule = Annotated[str, typer.Option(help="Only rows that this rule refused.")]
Status = Annotated[str, typer.Option(help="open, fixed, released, rejected, resolved or all.")]
Rows = Annotated[list[str] | None, typer.Argument(help="Rows; all that are corrected without one.", metavar="[ROW]...")]
HERE = Path()
_SHORT = 8


@quarantine.command(name="list")
def show_list(
    factory: Folder = HERE, warehouse: Warehouse = "Warehouse", contract: Contract_ = "", origin: Origin = "",
    rule: Rule = "", status: Status = "open",
    most: Annotated[int, typer.Option("--most", help="How many rows.")] = 20, as_json: AsJson = False,
) -> None:  # fmt: skip
    """List refused rows, with how many there are by contract and rule."""
    from rich.console import Console

    from manara.cli.runs import table_of

    rows = _chosen(_rows(factory, warehouse), contract, origin, rule, status)
    if as_json:
        _print_json({"value": [asdict(row) for row in rows]})
        return
    console = Console(highlight=False)
    if not rows:
        console.print(f"No row is {status}." if status != "all" else "Nothing was ever refused.")
        return
    counted = Counter((row.contract, name) for row in rows for name in row.rules)
    widest = max(counted.values())
    bars = [
        [of, name, count, "█" * max(1, round(24 * count / widest))] for (of, name), count in counted.most_common(12)
    ]
    console.print(table_of(["contract", "rule", "rows", ""], bars))
    console.print()
    told = [
        [row.id[:_SHORT], row.contract, row.origin, row.row, row.status, "; ".join(row.reasons)] for row in rows[:most]
    ]
    console.print(table_of(["row", "contract", "file", "line", "status", "why"], told))
    console.print(f"{len(rows):,} rows", style="dim")


@quarantine.command()
def show(row: RowId, factory: Folder = HERE, warehouse: Warehouse = "Warehouse", as_json: AsJson = False) -> None:
    """Show a refused row whole: its cells, the reasons, its correction, and who did what."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from manara.quality.quarantine import events, find

    database = _open(factory).database(warehouse)
    found = find(database, row)
    done = events(database, found)
    if as_json:
        _print_json(asdict(found) | {"events": done})
        return
    console = Console(highlight=False, markup=False)
    console.print(Text.assemble((f"{found.origin}, row {found.row}", "bold"), f"   {found.contract}, {found.status}"))
    for reason in found.reasons:
        console.print(f"  {reason}", style="red")
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 2))
    for name, value in found.payload.items():
        broken = any(name.lower() in reason.lower() for reason in found.reasons)
        new = Text(f"→ {found.fix[name]}", style="green") if name in found.fix else Text("")
        cell = Text("" if value is None else str(value), style="red" if broken else "")
        table.add_row(Text(name, style="dim"), cell, new)
    console.print(table)
    for each in done:
        console.print(
            f"  {str(each['noted'])[:19]}  {each['author']}  {each['action']}  {each['note'] or ''}", style="dim"
        )
    console.print(f"Refused by the run {found.run_id} on {found.noted}  ({found.id})", style="dim")


@quarantine.command(name="fix")
def correct(
    row: RowId,
    change: Annotated[list[str], typer.Argument(help="What a column should say.", metavar="COLUMN=VALUE")],
    factory: Folder = HERE, warehouse: Warehouse = "Warehouse", author: Author = None,
    note: Annotated[str, typer.Option(help="Why.")] = "",
) -> None:  # fmt: skip
    """Correct a row; the original stays. Tells at once whether the row is good now."""
    from manara.quality.quarantine import find, fix, preview

    opened = _open(factory)
    database = opened.database(warehouse)
    done = fix(database, _mark(), find(database, row), _changes(change), author=author or getpass.getuser(), note=note)
    left = preview(database, _mark(), done, _contract(opened, done.contract))
    for reason in left:
        sys.stdout.write(f"Still refused: {reason}\n")
    if not left:
        sys.stdout.write(f"The row is good now. Load it:  manara quarantine release {done.id[:_SHORT]}\n")


@quarantine.command()
def approve(row: RowId, factory: Folder = HERE, warehouse: Warehouse = "Warehouse", author: Author = None) -> None:
    """Agree with a correction that somebody else has made."""
    from manara.quality.quarantine import approve as approve_it
    from manara.quality.quarantine import find

    database = _open(factory).database(warehouse)
    found = find(database, row)
    approve_it(database, _mark(), found, author=author or getpass.getuser())
    sys.stdout.write(f"Approved. Load it:  manara quarantine release {found.id[:_SHORT]}\n")


@quarantine.command()
def release(
    row: Rows = None,
    factory: Folder = HERE, warehouse: Warehouse = "Warehouse", author: Author = None,
    replay: Annotated[
        bool, typer.Option("--replay", help="Run then what had refused them again, with the parameters that it had.")
    ] = False,
) -> None:  # fmt: skip
    """Put corrected rows through the gate again, and load those that are good now."""
    from manara.quality.quarantine import FIXED, find, read_quarantine
    from manara.quality.quarantine import release as release_them

    opened = _open(factory)
    database = opened.database(warehouse)
    rows = [find(database, each) for each in row or ()] or [
        each for each in read_quarantine(database) if each.status == FIXED
    ]
    done = release_them(
        database, _mark(), rows, lambda name: _contract(opened, name), author=author or getpass.getuser()
    )
    for each, reasons in done.refused.items():
        sys.stdout.write(f"Still refused: {each[:_SHORT]}  {'; '.join(reasons)}\n")
    sys.stdout.write(f"{len(done.released):,} rows were loaded.\n")
    if replay:
        runs = [each.run_id for each in rows if each.id in done.released]
        raise typer.Exit(max([_replayed(opened, run, factory) for run in _asked_for(opened, runs)], default=0))


def _asked_for(opened: "Factory", runs: list[str]) -> list[str]:
    """Return the runs to do again: those that were asked for, each once, in the order of the rows."""
    return list(dict.fromkeys(opened.asked_for(run) for run in dict.fromkeys(runs)))


def _replayed(opened: "Factory", run_id: str, factory: Path) -> int:
    from manara.cli.runs import show_run

    return show_run(lambda listener: opened.rerun(run_id, {}, listener), factory, as_json=False)


@quarantine.command()
def reject(
    row: RowId,
    reason: Annotated[str, typer.Option(help="Why the row stays out.")],
    factory: Folder = HERE, warehouse: Warehouse = "Warehouse", author: Author = None,
) -> None:  # fmt: skip
    """Leave a row out for ever, and say why. It stays in quarantine."""
    from manara.quality.quarantine import find
    from manara.quality.quarantine import reject as reject_it

    database = _open(factory).database(warehouse)
    found = find(database, row)
    reject_it(database, _mark(), found, author=author or getpass.getuser(), reason=reason)
    sys.stdout.write(f"Row {found.row} of {found.origin} stays out.\n")


@quarantine.command()
def export(
    file: Annotated[Path, typer.Argument(help="The workbook to write (.xlsx).", metavar="FILE")],
    factory: Folder = HERE, warehouse: Warehouse = "Warehouse", contract: Contract_ = "", origin: Origin = "",
    rule: Rule = "",
) -> None:  # fmt: skip
    """Write open rows into a workbook, for people to correct."""
    from manara.quality.workbook import write_workbook

    count = write_workbook(_chosen(_rows(factory, warehouse), contract, origin, rule, "all"), file)
    sys.stdout.write(
        f"Wrote {count:,} rows into {file}. Correct the coloured cells, then:  manara quarantine import {file}\n"
    )


@quarantine.command(name="import")
def bring(
    file: Annotated[Path, typer.Argument(help="The corrected workbook.", metavar="FILE")],
    factory: Folder = HERE, warehouse: Warehouse = "Warehouse", author: Author = None,
) -> None:  # fmt: skip
    """Read a corrected workbook back; all of it or nothing."""
    from manara.quality.quarantine import fix, read_quarantine
    from manara.quality.workbook import read_workbook

    database = _open(factory).database(warehouse)
    corrections = read_workbook(file, read_quarantine(database))
    for each in corrections:
        fix(database, _mark(), each.row, each.changes, author=author or getpass.getuser(), note=file.name)
    sys.stdout.write(f"{len(corrections):,} rows are corrected. Load them:  manara quarantine release\n")


def _chosen(rows: "list[Refused]", contract: str, origin: str, rule: str, status: str) -> "list[Refused]":
    from manara.quality.quarantine import STATUSES

    if status not in ("all", *STATUSES):
        raise WrongDefinition(f"There is no status '{status}'.", advice=f"Known are: {', '.join(STATUSES)} and all.")
    return [
        row
        for row in rows
        if status in ("all", row.status)
        and contract in ("", row.contract)
        and origin in ("", row.origin)
        and (not rule or rule in row.rules)
    ]


def _changes(pairs: list[str]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise WrongDefinition(f"'{pair}' is no change.", advice="Write it as COLUMN=VALUE.")
        found[name] = value or None
    return found


def _rows(factory: Path, warehouse: str) -> "list[Refused]":
    from manara.quality.quarantine import read_quarantine

    return read_quarantine(_open(factory).database(warehouse))


def _contract(opened: "Factory", title: str) -> "Contract":
    """Return the contract with the title, as it is now."""
    from manara.quality.contract import read_contract

    found = [
        read_contract(opened.definitions.text("contract", name), f"contract/{name}")
        for name in opened.definitions.names("contract")
    ]
    for each in found:
        if each.title == title:
            return each
    raise WrongDefinition(f"The factory has no contract '{title}' any more.", where="contract/")


def _open(factory: Path) -> "Factory":
    from manara.app import Factory

    return Factory.open(factory)


def _mark() -> "Mark":
    from manara.plugin.connection import Mark

    return Mark(run_id=str(uuid.uuid4()), step="quarantine", attempt=1)


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")
