"""`manara lineage`: from a number back to file, line and run; and forward to what a file touched."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from manara.errors import NotFound, WrongDefinition

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

    from manara.catalog.graph import Branch, Graph, Place
    from manara.catalog.history import History
    from manara.catalog.trail import Line, Trail
    from manara.plugin.connection import Connection


class ShowFirst(TyperGroup):
    """Commands of which `show` need not be named: what is none of the others is a table or a file."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = ["show", *args]
        return super().parse_args(ctx, args)


lineage = typer.Typer(
    cls=ShowFirst,
    help="From a number back to file, line and run; forward to what a file touched; and to OpenLineage.",
    no_args_is_help=True,
)

Folder = Annotated[Path, typer.Option("--factory", "-f", help="The factory's folder.", metavar="DIR")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")]
HERE = Path()
_HOW = {"IDENTITY": "as it is", "TRANSFORMATION": "computed", "AGGREGATION": "over several rows"}
_MOST_SHOWN = 12
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@lineage.command()
def show(
    name: Annotated[str, typer.Argument(help="A table, TABLE.COLUMN, or a file.", metavar="TABLE[.COLUMN]")],
    factory: Folder = HERE,
    row: Annotated[
        str, typer.Option(help="Follow one row: its key, or COLUMN=VALUE with commas between.", metavar="KEY")
    ] = "",
    forward: Annotated[
        bool, typer.Option("--forward", help="What is made from it, and not what it is made from.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a table, a column, or one row of a table was made from."""
    with opened(factory) as (history, graph, connect):
        if row:
            _show_trail(graph, history, connect, name, row, as_json=as_json)
            return
        place = place_of(graph, name)
        branch = graph.down(place) if forward else graph.up(place)
        is_file = forward and "/" in name and place.asset.name.lower() != name.lower()
        touched = rows_of(name, branch, connect) if is_file else {}
        if as_json:
            _say_json(branch.as_json() | ({"rows": touched} if is_file else {}))
            return
        _print(_tree(branch, forward=forward))
        if touched:
            _print("")
            _print(f"Rows that say they came from {name.rpartition('/')[2]}:")
        for table, count in touched.items():
            _print(f"  {table}  {count:,}")
        if not branch.branches:
            _print(f"Nothing is known that {'was made from' if forward else 'made'} it.")


@lineage.command()
def export(
    to: Annotated[
        str, typer.Option("--to", help="A file for JSON lines, or the address of a server.", metavar="FILE|URL")
    ],
    factory: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Hand on what happened as OpenLineage events: what is new since the last time, each event once."""
    from manara.app import Factory
    from manara.catalog.history import History
    from manara.catalog.openlineage import Teller
    from manara.catalog.send import to_file, to_server
    from manara.cli.journal import open_journal
    from manara.cli.main import say
    from manara.secret import Secret

    opened_factory = Factory.open(factory)
    with open_journal(factory) as journal, counting("Events", quiet=as_json) as tick:
        history = History(journal, opened_factory.definitions)
        teller = Teller(journal, history, opened_factory.definitions.name)
        if to.lower().startswith(("http://", "https://")):
            key = opened_factory.settings.lineage_key
            state = factory / "data" / "lineage"
            count = to_server(to, Secret(key) if key else None, state, teller.events, tick)
        else:
            count = to_file(Path(to), teller.events, tick)
    if as_json:
        _say_json({"events": count, "to": to})
    else:
        say(f"{count:,} new events were handed on to {to}." if count else f"Nothing is new: {to} has all events.")


@contextmanager
def counting(what: str, *, quiet: bool) -> "Iterator[Callable[[int], None]]":
    """Return what shows on the terminal how many there were so far; in a `with` block."""
    from rich.console import Console
    from rich.progress import Progress, TextColumn

    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description} {task.completed:,.0f}"), console=console, transient=True,
        disable=quiet or not console.is_terminal,
    ) as progress:  # fmt: skip
        task = progress.add_task(what, total=None)
        yield lambda count: progress.update(task, completed=count)


@contextmanager
def opened(folder: Path) -> "Iterator[tuple[History, Graph, Callable[[str], Connection]]]":
    """Return what the journal tells of rows, drawn together, and what opens a linked service; in a `with` block."""
    from manara.app import Factory
    from manara.catalog.graph import Graph
    from manara.catalog.history import History
    from manara.cli.journal import open_journal

    factory = Factory.open(folder)
    with open_journal(folder) as journal:
        history = History(journal, factory.definitions)
        yield history, Graph(history), factory.connect


def rows_of(file: str, branch: "Branch", connect: "Callable[[str], Connection]") -> dict[str, int]:
    """Return how many rows of each table in the tree say that they came from the file."""
    from sqlglot import exp

    from manara.errors import ManaraError
    from manara.plugin.connection import Database

    found: dict[str, int] = {}
    for asset in {one.place.asset: None for one in branch.walk() if "/" not in one.place.asset.name}:
        try:
            database = connect(asset.namespace)
            table = exp.to_table(asset.name)
            if not isinstance(database, Database) or "_origin" not in database.columns(table):
                continue
            names = [exp.convert(each) for each in (file, file.rpartition("/")[2])]
            query = exp.select(exp.Count(this=exp.Star()).as_("n")).from_(table)
            query = query.where(exp.column("_origin").isin(*names))
            count = database.query(query.sql(database.dialect)).read_all().to_pylist()[0]["n"]
        except ManaraError:
            continue
        found |= {asset.name: count} if count else {}
    return found


def place_of(graph: "Graph", text: str) -> "Place":
    """Return the asset, or the column of one, that a text names. Raises NotFound and WrongDefinition."""
    from manara.catalog.graph import Place
    from manara.registry import near

    found, column = graph.found(text), ""
    if not found and "." in text:
        head, _, column = text.rpartition(".")
        found = [one for one in graph.found(head) if "/" not in one.name]
    if not found:
        raise NotFound(f"No run has read or written '{text}'.", advice=near(text, graph.near()))
    if len(found) > 1:
        names = ", ".join(f"{one.namespace}/{one.name}" for one in found)
        raise WrongDefinition(f"'{text}' is the name of several: {names}.", advice="Name one of them whole.")
    known = graph.columns(found[0])
    if column and known and column.lower() not in {name.lower() for name in known}:
        raise NotFound(f"'{found[0].name}' has no column '{column}' that is known.", advice=near(column, known))
    return Place(asset=found[0], column=column)


def _show_trail(
    graph: "Graph", history: "History", connect: "Callable[[str], Connection]", name: str, row: str, *, as_json: bool
) -> None:
    from manara.catalog.trace import Tracer

    place = place_of(graph, name)
    tracer = Tracer(history, connect)
    trail = tracer.trace(place.asset, read_key(row, lambda: tracer.only_key(place.asset)), place.column)
    if as_json:
        _say_json(trail.as_json() | {"lines": [line.as_json() for line in trail.all_lines()]})
        return
    _print(_trail_tree(trail))
    lines = list(trail.all_lines())
    _print("")
    _print(f"{len(lines):,} line{'s' if len(lines) != 1 else ''} of source files." if lines else "No line was found.")


def read_key(text: str, only: "Callable[[], str]") -> dict[str, str]:
    """Return the columns and values of a key: `123`, where `only` tells the one column, or `a=1,b=2`.

    Raises WrongDefinition.
    """
    if "=" not in text:
        return {only(): text.strip()}
    key: dict[str, str] = {}
    for part in text.split(","):
        name, sign, value = part.partition("=")
        if not sign or not name.strip():
            raise WrongDefinition(
                f"'{part}' is no COLUMN=VALUE.", advice="Write --row facility_key=3,date_key=20240101"
            )
        key[name.strip()] = value.strip()
    return key


def _tree(branch: "Branch", *, forward: bool) -> "Tree":
    from rich.text import Text
    from rich.tree import Tree

    label = Text(branch.place.title, style="bold" if not branch.by else "")
    if branch.how:
        label.append(f"  {_HOW[branch.how]}", style="cyan")
    if branch.by:
        label.append(f"  {branch.by}", style="dim")
    if branch.note:
        label.append(f"  {branch.note}", style="yellow")
    tree = Tree(label)
    for inner in branch.branches:
        tree.children.append(_tree(inner, forward=forward))
    return tree


def _trail_tree(trail: "Trail") -> "Tree":
    from rich.text import Text
    from rich.tree import Tree

    label = Text(f"{trail.asset.name}.{trail.column}" if trail.column else trail.asset.name, style="bold")
    label.append(f"  {trail.total:,} row{'s' if trail.total != 1 else ''}", style="cyan")
    if trail.by:
        label.append(f"  by {trail.by}", style="dim")
    tree = Tree(label)
    for row in trail.rows[:3]:
        tree.add(Text(_row_text(row, trail.column)))
    if len(trail.rows) > 3:
        tree.add(Text(f"... and {trail.total - 3:,} more", style="dim"))
    for line in trail.lines[:_MOST_SHOWN]:
        tree.add(_line_text(line))
    if len(trail.lines) > _MOST_SHOWN:
        tree.add(Text(f"... and {len(trail.lines) - _MOST_SHOWN:,} more lines", style="dim"))
    for note in trail.notes:
        tree.add(Text(note, style="yellow"))
    for inner in trail.behind:
        tree.children.append(_trail_tree(inner))
    return tree


def _row_text(row: "object", column: str) -> str:
    held = dict(row)  # type: ignore[call-overload]
    shown = {name: value for name, value in held.items() if value is not None and not name.startswith("_")}
    first = {column: shown[column]} if column in shown else {}
    text = ", ".join(f"{name}={value}" for name, value in {**first, **shown}.items())
    return text if len(text) <= 110 else f"{text[:107]}..."


def _line_text(line: "Line") -> "Text":
    from rich.text import Text

    where = f"line {line.record.line}" if line.record and line.record.line else f"row {line.row}"
    text = Text(f"{line.file.name}, {where}", style="green")
    if line.kept:
        text.append(f"  kept as {_ID.sub(lambda found: found[0][:8], line.kept.name)}", style="dim")
    text.append(f"  run {line.run_id[:8]}", style="dim")
    if line.record:
        shown = " ".join(line.record.text.split())
        text.append(f"\n{shown if len(shown) <= 240 else shown[:237] + '...'}", style="default")
    return text


def _print(what: "object") -> None:
    from rich.console import Console

    Console(highlight=False).print(what)


def _say_json(document: "object") -> None:
    import json

    from manara.cli.main import say

    say(json.dumps(document, indent=2, ensure_ascii=False, default=str))
