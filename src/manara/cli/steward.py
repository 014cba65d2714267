"""`manara steward ...`: the values that matched nothing, decisions on them, and the rows that come back."""

import getpass
import json
import sys
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from manara.harmonise.steward import Item
    from manara.plugin.connection import Database, Mark

steward = typer.Typer(no_args_is_help=True, help="Names that matched nothing: look, decide, and let their rows go on.")

Folder = Annotated[Path, typer.Option("--factory", "-f", help="The factory's folder.", metavar="DIR")]
Warehouse = Annotated[str, typer.Option("--warehouse", help="The linked service of the database.", metavar="NAME")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")]
ItemId = Annotated[str, typer.Argument(help="The item's id, or the start of it.", metavar="ITEM")]
Author = Annotated[
    str | None, typer.Option("--as", help="Who decides; who runs the command without it.", metavar="NAME")
]
Note = Annotated[str, typer.Option(help="Why.")]
HERE = Path()


@steward.command(name="list")
def show_list(
    factory: Folder = HERE,
    warehouse: Warehouse = "Warehouse",
    status: Annotated[str, typer.Option(help="open, decided, rejected or all.")] = "open",
    as_json: AsJson = False,
) -> None:
    """List the values that matched nothing, those of the most rows first."""
    from rich.console import Console

    from manara.cli.runs import table_of
    from manara.harmonise.steward import queue, waiting

    database = _database(factory, warehouse)
    items = [item for item in queue(database) if status in ("all", item.status)]
    if as_json:
        _print_json({"value": [asdict(item) for item in items], "rowsWaiting": waiting(database)})
        return
    rows = [
        [item.id[:8], item.list_name, item.parent, item.value, item.rows, _nearest(item), _decision(item)]
        for item in items
    ]
    console = Console(highlight=False)
    console.print(table_of(["item", "list", "in", "value", "rows", "nearest", "decided"], rows))
    console.print(f"{len(items):,} values, {waiting(database):,} rows wait.", style="dim")


@steward.command()
def show(item: ItemId, factory: Folder = HERE, warehouse: Warehouse = "Warehouse", as_json: AsJson = False) -> None:
    """Show one value: why it matched nothing, and what it may be."""
    from rich.console import Console

    from manara.cli.runs import table_of
    from manara.harmonise.steward import find

    found = find(_database(factory, warehouse), item)
    if as_json:
        _print_json(asdict(found))
        return
    console = Console(highlight=False, markup=False)
    console.print(f"{found.value}   ({found.list_name}{', in ' + found.parent if found.parent else ''})", style="bold")
    console.print(found.reason)
    console.print(f"{found.rows:,} rows, first seen {found.first_seen}, last {found.last_seen}", style="dim")
    if found.candidates:
        rows = [[each["code"], each["name"], each["score"]] for each in found.candidates]
        console.print(table_of(["code", "name", "likeness"], rows, title="It may be"))
    if found.code is not None:
        console.print(f"Decided by {found.author} on {found.decided}: {_decision(found)} {found.note or ''}")
    else:
        console.print(f"Decide:  manara steward decide {found.id[:8]} CODE", style="dim")


@steward.command()
def decide(
    item: ItemId,
    code: Annotated[str, typer.Argument(help="The code (or the value) that it stands for.", metavar="CODE")],
    factory: Folder = HERE,
    warehouse: Warehouse = "Warehouse",
    author: Author = None,
    note: Note = "",
) -> None:
    """Decide what a value stands for; the next load and the next replay go by it."""
    from manara.harmonise.steward import check_code, find
    from manara.harmonise.steward import decide as decide_it

    database = _database(factory, warehouse)
    found = find(database, item)
    check_code(factory, found, code)
    decide_it(database, _mark(), found, code, author=author or getpass.getuser(), note=note)
    sys.stdout.write(f"'{found.value}' stands for {code}. Let its rows go on:  manara steward replay\n")


@steward.command()
def reject(
    item: ItemId, factory: Folder = HERE, warehouse: Warehouse = "Warehouse", author: Author = None, note: Note = ""
) -> None:
    """Decide that a value stands for nothing; its rows go on without a code."""
    from manara.harmonise.steward import decide as decide_it
    from manara.harmonise.steward import find

    database = _database(factory, warehouse)
    found = find(database, item)
    decide_it(database, _mark(), found, "", author=author or getpass.getuser(), note=note)
    sys.stdout.write(f"'{found.value}' stands for nothing. Let its rows go on:  manara steward replay\n")


@steward.command()
def undo(item: ItemId, factory: Folder = HERE, warehouse: Warehouse = "Warehouse") -> None:
    """Take a decision back. Rows that went on by it stay until their file is loaded again."""
    from manara.harmonise.steward import find
    from manara.harmonise.steward import undo as undo_it

    database = _database(factory, warehouse)
    found = find(database, item)
    undo_it(database, _mark(), found)
    sys.stdout.write(f"'{found.value}' is open again.\n")


@steward.command()
def replay(factory: Folder = HERE, warehouse: Warehouse = "Warehouse", as_json: AsJson = False) -> None:
    """Read the waiting rows again, and put those that now match into their tables, once."""
    from manara.harmonise.steward import replay as replay_them

    done = replay_them(_database(factory, warehouse), factory, _mark())
    if as_json:
        _print_json(asdict(done))
        return
    where = f" into {', '.join(done.tables)}" if done.tables else ""
    sys.stdout.write(f"{done.written:,} rows went on{where}; {done.waiting:,} still wait.\n")


@steward.command()
def aliases(
    factory: Folder = HERE,
    warehouse: Warehouse = "Warehouse",
    to: Annotated[Path | None, typer.Option(help="Write them as a CSV that a pack can carry.", metavar="FILE")] = None,
    as_json: AsJson = False,
) -> None:
    """List the decisions, or write them into a file for a pack."""
    from manara.cli.runs import show_rows
    from manara.harmonise.steward import decisions, write_aliases

    found = decisions(_database(factory, warehouse))
    if to is not None:
        write_aliases(found, to)
        sys.stdout.write(f"Wrote {len(found):,} decisions into {to}.\n")
    elif as_json:
        _print_json({"value": found})
    else:
        show_rows([
            {"list": row["list_name"], "in": row["parent"], "value": row["value"], "code": row["code"] or "nothing",
             "by": row["author"], "on": str(row["decided"])[:10], "note": row["note"]} for row in found
        ])  # fmt: skip


def _database(factory: Path, warehouse: str) -> "Database":
    from manara.app import Factory

    return Factory.open(factory).database(warehouse)


def _mark() -> "Mark":
    from manara.plugin.connection import Mark

    return Mark(run_id=str(uuid.uuid4()), step="steward", attempt=1)


def _nearest(item: "Item") -> str:
    first = item.candidates[0] if item.candidates else None
    return f"{first['code']} {first['name']} ({first['score']:.0f})" if first else ""


def _decision(item: "Item") -> str:
    return "" if item.code is None else item.code or "nothing"


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")
