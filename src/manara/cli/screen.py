"""How a run looks: a live tree on a terminal, plain lines elsewhere."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from rich.console import Console, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from manara import clock
from manara.cli.gantt import MARKS, bar
from manara.cli.tree import Node, RunTree
from manara.cli.words import going, length
from manara.runtime.recorder import Progress
from manara.store.journal import Event

FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
MOST_ROUNDS = 12
PLAIN_EVERY = timedelta(seconds=10)
"""How often plain lines tell of an activity that is at work."""


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
        self._told: dict[tuple[str, str], datetime] = {}

    def __enter__(self) -> "PlainScreen":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __call__(self, event: Event | Progress) -> None:
        node = self._tree.add(event)
        if isinstance(event, Progress):
            self._tell_progress(event, node)
            return
        if event.kind == "started":
            self._told[event.run_id, event.step] = event.at
        if event.kind != "ended" or node is None:
            return
        self._told.pop((event.run_id, event.step), None)
        names = self._tree.path_to(node)
        moved = node.rows is not None and not node.inside
        if moved or len(names) == 1 or node.status in ("Failed", "Cancelled"):
            details = (_rows(node), _refused(node), _time(node, event.at))
            told = ", ".join(part for part in details if part)
            line = f"{event.at:%H:%M:%S} {node.status:<9} {' > '.join(names)}" + (f"  ({told})" if told else "")
            message = f": {node.message}" if node.message else ""
            self._console.print(f"{line}{message}", markup=False, highlight=False, soft_wrap=True)

    def _tell_progress(self, progress: Progress, node: Node | None) -> None:
        now = clock.now()
        last = self._told.get((progress.run_id, progress.step))
        if node is None or last is None or now - last < PLAIN_EVERY:
            return
        self._told[progress.run_id, progress.step] = now
        told = ", ".join(
            part for part in (_rows(node), going(node.figures, node.seconds(now)), _time(node, now)) if part
        )
        line = f"{now:%H:%M:%S} {'at work':<9} {' > '.join(self._tree.path_to(node))}  ({told})"
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class SilentScreen:
    """Shows nothing: for `--json`."""

    def __enter__(self) -> "SilentScreen":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __call__(self, event: Event | Progress) -> None:
        """Take no notice."""


Screen = LiveScreen | PlainScreen | SilentScreen


def picture(
    root: Node, now: datetime, *, most_lines: int | None = None, whole: bool = False, bars: int = 0, told: bool = True
) -> Table:
    """Return the tree as a table: activity, rows, time, and bars of that width where one is given.

    What does not fit into `most_lines` is left out from the top, where the oldest lines stand. `whole` shows also what
    lies deep and went well; `told` puts the message of what failed below it.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False, pad_edge=False)
    table.add_column(overflow="fold", ratio=None if bars else 1)
    for _ in ("rows", "set aside", "time"):
        table.add_column(justify="right", no_wrap=True)
    lines = list(_Lines(root=root, now=now, whole=whole, bars=bars, told=told).of(root, 0))
    hidden = max(0, len(lines) - most_lines) if most_lines else 0
    if hidden:
        table.add_row(Text(f"... {hidden + 1} lines above", style="dim"))
        lines = lines[hidden + 1 :]
    for line in lines:
        table.add_row(*line)
    return table


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lines:
    """Makes the lines of a picture."""

    root: Node
    now: datetime
    whole: bool
    bars: int
    told: bool

    def of(self, node: Node, depth: int) -> Iterator[tuple[RenderableType, ...]]:
        yield self._line(node, "  " * depth, depth)
        if self.told and node.message and not any(inner.message for inner in node.walk() if inner is not node):
            yield (Padding(Text(node.message, style="red"), (0, 0, 0, 2 * depth + 4)),)
        if self.whole or depth < 2 or node.shown not in ("Succeeded", "Skipped"):
            yield from self._inside(node, depth + 1)

    def _line(self, node: Node, indent: str, depth: int) -> tuple[Text, ...]:
        mark, style = MARKS.get(node.shown, ("·", "dim"))
        if node.shown == "InProgress" and not self.bars:
            mark = FRAMES[int(self.now.timestamp() * 8) % len(FRAMES)]
        name = Text.assemble(indent, (mark, style), " ", (node.name, "" if depth else "bold"))
        if node.kind:
            name.append(f"  {node.kind}", style="dim")
        if len(node.tries) > 1:
            name.append(f"  {len(node.tries)} tries", style="yellow")
        if node.is_at_work:
            name.append(_going(node, self.now, is_short=bool(self.bars)), style="cyan")
        if node.rounds is not None:
            ended = sum(child.shown != "InProgress" for child in node.inside.values())
            name.append(f"  {ended}/{len(node.rounds)}", style="dim")
        cells = (Text(_rows(node)), Text(_refused(node), style="yellow"), Text(_time(node, self.now), style="dim"))
        return (name, *cells, bar(node, self.root, self.now, self.bars)) if self.bars else (name, *cells)

    def _inside(self, node: Node, depth: int) -> Iterator[tuple[RenderableType, ...]]:
        folded = {} if self.whole else _folded(node)
        for child in node.inside.values():
            if id(child) not in folded:
                yield from self.of(child, depth)
        counts = Counter(folded.values())
        for status, count in counts.items():
            mark, style = MARKS[status]
            text = f"{count:,} rounds succeeded" if status == "Succeeded" else f"{count:,} more rounds: {status}"
            yield (Text.assemble("  " * depth, (mark, style), f" {text}", style="dim"),)


def _folded(node: Node) -> dict[int, str]:
    """Return the rounds that are only counted (by their identity), each with its status.

    They are the good ones, where they are many, and the bad ones after the first.
    """
    by_status: dict[str, list[Node]] = {}
    for child in node.inside.values():
        if child.is_round and child.shown != "InProgress":
            by_status.setdefault(child.shown, []).append(child)
    folded: dict[int, str] = {}
    for status, rounds in by_status.items():
        if len(rounds) > MOST_ROUNDS:
            left = rounds if status == "Succeeded" else rounds[MOST_ROUNDS:]
            folded |= {id(child): status for child in left}
    return folded


def _going(node: Node, now: datetime, *, is_short: bool) -> str:
    told = going(node.figures, node.seconds(now), is_short=is_short)
    return f"  {told}" if told else ""


def _rows(node: Node) -> str:
    return f"{node.rows:,} rows" if node.rows is not None else ""


def _refused(node: Node) -> str:
    return f"{node.refused:,} set aside" if node.refused else ""


def _time(node: Node, now: datetime) -> str:
    seconds = node.seconds(now)
    if seconds is None or node.status == "Skipped":
        return ""
    return length(seconds)
