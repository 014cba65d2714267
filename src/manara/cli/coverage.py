"""How much of a factory runs here: `manara coverage`."""

import json
import sys
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from manara.app import Factory, known
from manara.cli.words import one_line
from manara.resources.coverage import CANNOT, KINDS, RUNS, STAND_IN, VERDICTS, Coverage, Part

TITLES = {"activity": "Activities", "dataset": "Datasets", "linkedService": "Linked services"}
LOOKS = {RUNS: ("✓", "green"), STAND_IN: ("◐", "yellow"), CANNOT: ("✗", "bold red")}
_PIPED_WIDTH = 120


def show_coverage(folder: Path, *, as_json: bool) -> None:
    """Tell which parts of a factory run here, which need a stand-in, and which cannot."""
    opened = Factory.open(folder)
    coverage = Coverage(opened.definitions, known())
    unread = len({fault.file for fault in opened.definitions.faults})
    if as_json:
        sys.stdout.write(json.dumps(_document(coverage, unread), indent=2) + "\n")
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_PIPED_WIDTH)
    for kind in KINDS:
        parts = coverage.parts(kind)
        if parts:
            console.print(_table(TITLES[kind], parts))
            console.print()
    _print_pipelines(console, list(coverage.pipelines.values()))
    _print_ways(console, coverage)
    if unread:
        console.print(f"\n{unread} files cannot be read, and are not counted: manara validate", style="yellow")


def _document(coverage: Coverage, unread: int) -> dict[str, object]:
    activities = [{"pipeline": name, **part.as_json()} for name, parts in coverage.activities.items() for part in parts]
    return {
        "pipelines": [part.as_json() for part in coverage.pipelines.values()],
        "activities": activities,
        "datasets": [part.as_json() for part in coverage.parts("dataset")],
        "linkedServices": [part.as_json() for part in coverage.parts("linkedService")],
        "unreadFiles": unread,
    }


def _table(title: str, parts: list[Part]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column(title, header_style="bold", min_width=28, overflow="fold")
    for verdict in VERDICTS:
        table.add_column(verdict, justify="right", no_wrap=True)
    counts = Counter((part.type, part.verdict) for part in parts)
    kinds = Counter(part.type for part in parts)
    for kind, _ in sorted(kinds.items(), key=lambda each: (-each[1], each[0])):
        table.add_row(Text(one_line(kind, 60)), *_figures([counts[kind, verdict] for verdict in VERDICTS]))
    if len(kinds) > 1:
        sums = [sum(part.verdict == verdict for part in parts) for verdict in VERDICTS]
        table.add_row(Text("all", style="bold"), *_figures(sums, bold=True))
    return table


def _figures(counts: list[int], *, bold: bool = False) -> list[Text]:
    styles = [LOOKS[verdict][1] for verdict in VERDICTS]
    return [
        Text(f"{count:,}" if count else "", style=f"bold {style.removeprefix('bold ')}" if bold else style)
        for count, style in zip(counts, styles, strict=True)
    ]


def _print_pipelines(console: Console, pipelines: list[Part]) -> None:
    if not pipelines:
        console.print("There is no pipeline.")
        return
    counts = Counter(part.verdict for part in pipelines)
    told = ", ".join(f"{counts[verdict]:,} {_plural(verdict, counts[verdict])}" for verdict in VERDICTS)
    console.print(Text.assemble(("Pipelines", "bold"), f"  {told}"))
    for part in sorted(pipelines, key=lambda each: (VERDICTS.index(each.verdict), each.name.lower())):
        mark, style = LOOKS[part.verdict]
        console.print(Text.assemble("  ", (mark, style), f" {one_line(part.name)}"))
        if part.reason:
            console.print(Padding(Text(one_line(part.reason), style="dim"), (0, 0, 0, 6)))


def _plural(verdict: str, count: int) -> str:
    return {RUNS: "run" if count != 1 else "runs", STAND_IN: "need a stand-in" if count != 1 else STAND_IN}.get(
        verdict, verdict
    )


def _print_ways(console: Console, coverage: Coverage) -> None:
    """Print what would make the rest run: each advice once, with how many parts it is for."""
    ways: dict[str, list[str]] = {}
    for kind in reversed(KINDS):
        for part in coverage.parts(kind):
            if part.advice and (kind == "linkedService" or part.reason.startswith("The ")):
                ways.setdefault(part.advice, []).append(part.name if kind == "linkedService" else part.type)
    if ways:
        console.print("\nWhat would make the rest run", style="bold")
    for advice, names in ways.items():
        told = one_line(", ".join(dict.fromkeys(names)), 80)
        console.print(Padding(Text.assemble((f"{told}: ", "bold"), advice), (0, 0, 0, 2)))
