"""Runs on the screen: a live tree, plain lines, or JSON."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from manara.cli.screen import LiveScreen, PlainScreen, Screen, SilentScreen
from manara.errors import ManaraError
from manara.runtime.recorder import Listener, Progress
from manara.store.journal import Event
from manara.store.record import PipelineRun


def show_run(start: Callable[[Listener], PipelineRun], folder: Path, *, as_json: bool) -> int:
    """Show a run while it goes on and how it ended, and return the exit code: 0 succeeded, 1 failed."""
    console = Console(highlight=False)
    run = watch(start, folder, screen_for(console, as_json=as_json))
    if as_json:
        sys.stdout.write(json.dumps(run.as_json(), indent=2, default=str, ensure_ascii=False) + "\n")
    else:
        console.print(verdict(run), style="green" if run.status == "Succeeded" else "red", markup=False, soft_wrap=True)
        for name, value in run.output.get("pipelineReturnValue", {}).items():
            console.print(f"{name}: {value}", markup=False)
    return 0 if run.status == "Succeeded" else 1


def watch(start: Callable[[Listener], PipelineRun], folder: Path, screen: Screen) -> PipelineRun:
    """Run with a screen that listens; an error on the way says how to go on with the run."""
    first: list[str] = []

    def listener(event: Event | Progress) -> None:
        if not first:
            first.append(event.run_id)
        screen(event)

    try:
        with screen:
            return start(listener)
    except (ManaraError, KeyboardInterrupt):
        if first:
            sys.stderr.write(
                f"The run {first[0]} has not ended. Go on with it: {program()} resume {first[0]} -f {folder}\n"
            )
        raise


def program() -> str:
    """Return how the command line was called, so that what it prints can be typed: its path unless it is found."""
    found = shutil.which("manara")
    called = Path(sys.argv[0])
    if called.name != "manara" or (found and Path(found).samefile(called)):
        return "manara"
    return os.path.relpath(called)


def screen_for(console: Console, *, as_json: bool) -> Screen:
    """Return the screen that suits the output: a terminal, a pipe or log, or a machine."""
    if as_json:
        return SilentScreen()
    return LiveScreen(console) if console.is_terminal else PlainScreen(console)


def verdict(run: PipelineRun) -> str:
    """Return one line: how the run ended, how long it took, and why it failed."""
    seconds = (run.ended - run.started).total_seconds() if run.ended and run.started else 0
    line = f"{run.status}: {run.pipeline}, run {run.run_id}, {seconds:.1f} s"
    return f"{line}\n{run.message}" if run.message else line


def show_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows as a table; each row as a list of its columns where the screen is too narrow for a table."""
    console = Console(highlight=False)
    columns = list(rows[0]) if rows else []
    cells = [list(row.values()) for row in rows]
    if _wanted_width(columns, cells) <= console.width:
        console.print(table_of(columns, cells))
    else:
        for number, row in enumerate(cells, start=1):
            console.print(f"[dim]row {number:,}[/]")
            console.print(_record(columns, row))
    console.print(f"{len(rows):,} rows", style="dim")


_FOLDED = 24
"""The width at which a text may fold before its table is given up."""


def _wanted_width(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> int:
    widths = [
        max(len(column), *(min(_FOLDED, len(_cell(column, row[index]))) for row in rows), 1)
        for index, column in enumerate(columns)
    ]
    return sum(widths) + 2 * len(widths)


def _record(columns: Sequence[str], row: Sequence[Any]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for column, value in zip(columns, row, strict=True):
        table.add_row(Text(column), Text(_cell(column, value)))
    return table


def table_of(columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str | None = None) -> Table:
    """Return rows as a table to print: numbers to the right, thousands apart, nothing for null.

    A column whose name says `%` holds shares from 0 to 1; keys, ids and years are written as they are.
    """
    table = Table(title=title, title_justify="left", title_style="bold", header_style="dim", box=None, pad_edge=False)
    for index, column in enumerate(columns):
        numbers = all(isinstance(row[index], int | float | Decimal | None) for row in rows)
        table.add_column(column, justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(column, value)) for column, value in zip(columns, row, strict=True)))
    return table


_KEY = ("_key", "_id", "year")
"""How the names of columns end whose numbers name something and count nothing."""


def _cell(column: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value) if column.endswith(_KEY) else f"{value:,}"
    if isinstance(value, float | Decimal):
        return f"{value * 100:.1f}" if "%" in column else f"{value:,.2f}"
    return str(value)
