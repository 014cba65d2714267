"""When each activity was at work: a bar of blocks for each, on the time of the whole run."""

from datetime import datetime

from rich.text import Text

from manara.cli.tree import Node, Span

MARKS = {
    "Succeeded": ("✓", "green"),
    "Failed": ("✗", "bold red"),
    "Skipped": ("○", "dim"),
    "Cancelled": ("■", "yellow"),
    "InProgress": ("▸", "cyan"),
    "Waiting": ("·", "dim"),
}
"""How each status looks: a sign and a style."""

_WORK = {(False, False): " ", (True, False): "▌", (False, True): "▐", (True, True): "█"}
_AROUND = {(False, False): " ", (True, False): "╸", (False, True): "╺", (True, True): "━"}


def bar(node: Node, root: Node, now: datetime, width: int) -> Text:
    """Return the tries of the node on a line of `width` cells, which stands for the time of the root.

    What does work itself is drawn in blocks, what only holds others in a thin line. A cell has two halves; the
    shortest try takes one.
    """
    if root.started is None or width < 1:
        return Text()
    end = root.ended or now
    spans = node.spans(now)
    if spans and all(span.ended < root.started for span in spans):
        return Text("taken over", style="dim")
    whole = (end - root.started).total_seconds() or 1e-6
    halves: list[Span | None] = [None] * (2 * width)
    for span in spans:
        first = int(2 * width * (span.started - root.started).total_seconds() / whole)
        last = -int(-2 * width * (span.ended - root.started).total_seconds() // whole)
        first = min(max(first, 0), 2 * width - 1)
        for half in range(first, min(max(last, first + 1), 2 * width)):
            halves[half] = span
    return _drawn(halves, _AROUND if node.inside else _WORK)


def _drawn(halves: list[Span | None], cells: dict[tuple[bool, bool], str]) -> Text:
    drawn = Text(no_wrap=True)
    for left, right in zip(halves[::2], halves[1::2], strict=True):
        span = right or left
        style = MARKS.get(span.status, ("", ""))[1] if span else ""
        drawn.append(cells[left is not None, right is not None], style=style)
    return drawn
