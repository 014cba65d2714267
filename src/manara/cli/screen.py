"""How a run looks: a live tree on a terminal, plain lines elsewhere."""

from collections.abc import Iterator
from datetime import datetime

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from manara import clock
from manara.cli.tree import Node, RunTree
from manara.runtime.recorder import Progress
from manara.store.journal import Event

MARKS = {
    "Succeeded": ("✓", "green"),
    "Failed": ("✗", "bold red"),
    "Skipped": ("○", "dim"),
    "Cancelled": ("■", "yellow"),
    "InProgress": ("▸", "cyan"),
    "Waiting": ("·", "dim"),
}
FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
MOST_ROUNDS = 12


class LiveScreen:
    """Shows the tree of a run in place while it goes on, and leaves the finished tree on the screen."""

    def __init__(self, console: Console) -> None:
        self._tree = RunTree()
        self._console = console
        self._live = Live(console=console, refresh_per_second=8, get_renderable=self._render, transient=True)

    def __enter__(self) -> "LiveScreen":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()
        self._console.print(picture(self._tree.root, clock.now()))

    def __call__(self, event: Event | Progress) -> None:
        self._tree.add(event)

    def _render(self) -> RenderableType:
        return picture(self._tree.root, clock.now(), most_lines=max(4, self._console.height - 2))


class PlainScreen:
    """Prints a line for each activity that moved rows, failed, or stands at the top: for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._tree = RunTree()
        self._console = console

    def __enter__(self) -> "PlainScreen":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __call__(self, event: Event | Progress) -> None:
        node = self._tree.add(event)
        if not isinstance(event, Event) or event.kind != "ended" or node is None:
            return
        names = self._tree.path_to(node)
        moved = node.rows is not None and not node.inside
        if moved or len(names) == 1 or node.status in ("Failed", "Cancelled"):
            details = (_rows(node), _refused(node), _time(node, event.at))
            told = ", ".join(part for part in details if part)
            line = f"{event.at:%H:%M:%S} {node.status:<9} {' > '.join(names)}"
            message = f": {node.message}" if node.message else ""
            self._console.print(f"{line}  ({told}){message}", markup=False, highlight=False, soft_wrap=True)


class SilentScreen:
    """Shows nothing: for `--json`."""

    def __enter__(self) -> "SilentScreen":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __call__(self, event: Event | Progress) -> None:
        """Take no notice."""


Screen = LiveScreen | PlainScreen | SilentScreen


def picture(root: Node, now: datetime, most_lines: int | None = None) -> Table:
    """Return the tree as a table: activity, rows, time.

    What does not fit into `most_lines` is left out from the top, where the oldest lines stand.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False, pad_edge=False)
    table.add_column(overflow="fold", ratio=1)
    for _ in ("rows", "set aside", "time"):
        table.add_column(justify="right", no_wrap=True)
    lines = list(_lines(root, 0, now))
    hidden = max(0, len(lines) - most_lines) if most_lines else 0
    if hidden:
        table.add_row(Text(f"... {hidden + 1} lines above", style="dim"))
        lines = lines[hidden + 1 :]
    for line in lines:
        table.add_row(*line)
    return table


def _lines(node: Node, depth: int, now: datetime) -> Iterator[tuple[Text, ...]]:
    indent = "  " * depth
    mark, style = MARKS.get(node.shown, ("·", "dim"))
    if node.shown == "InProgress":
        mark = FRAMES[int(now.timestamp() * 8) % len(FRAMES)]
    name = Text.assemble(indent, (mark, style), " ", (node.name, "" if depth else "bold"))
    if node.kind:
        name.append(f"  {node.kind}", style="dim")
    if node.rounds is not None:
        ended = sum(child.shown != "InProgress" for child in node.inside.values())
        name.append(f"  {ended}/{len(node.rounds)}", style="dim")
    yield name, Text(_rows(node)), Text(_refused(node), style="yellow"), Text(_time(node, now), style="dim")
    if node.message and not any(child.message for child in node.inside.values()):
        yield (Text(f"{indent}    {node.message}", style="red"),)
    if depth < 2 or node.shown not in ("Succeeded", "Skipped"):
        yield from _inside(node, depth + 1, now)


def _inside(node: Node, depth: int, now: datetime) -> Iterator[tuple[Text, ...]]:
    quiet = [child for child in node.inside.values() if child.is_round and child.shown == "Succeeded"]
    folded = {id(child) for child in quiet} if len(quiet) > MOST_ROUNDS else set()
    for child in node.inside.values():
        if id(child) not in folded:
            yield from _lines(child, depth, now)
    if folded:
        yield (Text(f"{'  ' * depth}✓ {len(folded)} rounds succeeded", style="dim"),)


def _rows(node: Node) -> str:
    return f"{node.rows:,} rows" if node.rows is not None else ""


def _refused(node: Node) -> str:
    return f"{node.refused:,} set aside" if node.refused else ""


def _time(node: Node, now: datetime) -> str:
    seconds = node.seconds(now)
    if seconds is None or node.status == "Skipped":
        return ""
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
