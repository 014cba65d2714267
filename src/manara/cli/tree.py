"""What a person sees of a run while it goes on: a tree of activities, built from the events of the journal."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from manara.clock import parse
from manara.runtime.recorder import Progress
from manara.store.journal import Event

ROWS = ("rowsLoaded", "rowsCopied", "rowsRead")
"""The figures of an output that say how many rows went through, the most telling first."""
REFUSED = ("rowsQuarantined", "rowsSkipped")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One try of an activity: from when to when, and how it ended (`InProgress` while it has not)."""

    started: datetime
    ended: datetime
    status: str


@dataclass(slots=True, kw_only=True, eq=False)
class Node:
    """A run, an activity, or a round of a loop, with what is inside it by name."""

    name: str
    kind: str = ""
    status: str = "Waiting"
    started: datetime | None = None
    ended: datetime | None = None
    figures: Mapping[str, Any] = field(default_factory=dict)
    message: str = ""
    rounds: list[str] | None = None
    tries: list[Span] = field(default_factory=list)
    inside: "dict[str, Node]" = field(default_factory=dict)
    above: "Node | None" = None

    @property
    def rows(self) -> int | None:
        """How many rows went through: its own, or those of all inside it that tell the most about rows."""
        for key in ROWS:
            found = [int(node.figures[key]) for node in self.walk() if isinstance(node.figures.get(key), int)]
            # A sink may tell its rows only when it has them all.
            if any(found) or (found and self.status != "InProgress"):
                return sum(found)
        return None

    @property
    def is_round(self) -> bool:
        """Whether this is one round of a loop: it has no end of its own in the journal."""
        return self.name.startswith("[")

    @property
    def is_at_work(self) -> bool:
        """Whether this is an activity that goes on now and has said what it has done so far."""
        return self.status == "InProgress" and bool(self.figures) and not self.inside

    @property
    def shown(self) -> str:
        """The status to show; that of a round follows from what is inside it."""
        if not self.is_round:
            return self.status
        inside = {node.status for node in self.inside.values()}
        if inside & {"InProgress", "Waiting"}:
            return "InProgress"
        return next((status for status in ("Failed", "Cancelled") if status in inside), "Succeeded")

    @property
    def refused(self) -> int:
        """How many rows were set aside, here and inside."""
        return sum(int(node.figures.get(key) or 0) for node in self.walk() for key in REFUSED)

    def seconds(self, now: datetime) -> float | None:
        """How long it took, or has taken so far; a round as long as what is inside it."""
        if self.started is not None:
            return ((self.ended or now) - self.started).total_seconds()
        starts = [node.started for node in self.inside.values() if node.started]
        ends = [node.ended or now for node in self.inside.values() if node.started]
        return (max(ends) - min(starts)).total_seconds() if starts else None

    def spans(self, now: datetime) -> list[Span]:
        """Return its tries, the one that goes on too; of a round the time of all inside it."""
        if self.status == "InProgress" and self.started:
            return [*self.tries, Span(started=self.started, ended=now, status=self.status)]
        if self.tries or not self.is_round:
            return self.tries
        inside = [span for node in self.inside.values() for span in node.spans(now)]
        if not inside:
            return []
        first, last = min(span.started for span in inside), max(span.ended for span in inside)
        return [Span(started=first, ended=last, status=self.shown)]

    def walk(self) -> "Iterator[Node]":
        """Yield the node and all inside it."""
        yield self
        for node in self.inside.values():
            yield from node.walk()


class RunTree:
    """The tree of one run and of the runs that it calls."""

    def __init__(self) -> None:
        self.root = Node(name="")
        self._runs: dict[str, Node] = {}

    def add(self, event: Event | Progress) -> Node | None:
        """Take in what happened, and return the node that it changed."""
        if isinstance(event, Progress):
            node = self._node(event.run_id, event.step)
            node.figures = event.figures
            return node
        if event.kind == "runStarted":
            return self._begin(event)
        node = self._node(event.run_id, event.step)
        body = event.body
        match event.kind:
            case "started":
                node.kind, node.status, node.started, node.ended = body["type"], "InProgress", event.at, None
                node.message, node.figures = "", {}
            case "decided" if body["name"] == "items":
                node.rounds = labels_of(body["value"])
            case "ended" | "runEnded":
                _end(node, event)
        return node

    def path_to(self, node: Node) -> list[str]:
        """Return names that lead to the node: the activity at the top, what the rounds are about, and the node."""
        path: list[Node] = []
        each: Node | None = node
        while each and each is not self.root:
            path.insert(0, each)
            each = each.above
        return [each.kind if each.is_round else each.name for each in path if each.is_round or each in (path[0], node)]

    def _begin(self, event: Event) -> Node:
        caller = event.body["caller"]
        if caller and caller["runId"] in self._runs:
            node = self._node(caller["runId"], caller["step"])
        else:
            node = self.root
            node.name, node.kind, node.status, node.started = event.body["pipeline"], "Pipeline", "InProgress", event.at
        self._runs[event.run_id] = node
        return node

    def _node(self, run_id: str, step: str) -> Node:
        node = self._runs.setdefault(run_id, self.root)
        for part in split_path(step):
            above, node = node, _child(node, part)
            if node.is_round and not node.kind and above.rounds:
                node.kind = above.rounds[int(part[1:-1])]
        return node


def _child(above: Node, name: str) -> Node:
    if name not in above.inside:
        above.inside[name] = Node(name=name, above=above)
    return above.inside[name]


def _end(node: Node, event: Event) -> None:
    body = event.body
    if event.kind == "runEnded" and node.kind == "ExecutePipeline":
        return  # the step that called it tells its end
    node.kind = body.get("type") or node.kind
    node.status, node.ended = body["status"], event.at
    if "startedAt" in body:
        node.started = parse(body["startedAt"])
    if node.started and node.status != "Skipped":
        node.tries.append(Span(started=node.started, ended=event.at, status=node.status))
    node.figures = body.get("output") or {}
    node.message = str((body.get("error") or {}).get("message", ""))
    if body.get("willRetry"):
        node.status, node.message = "Waiting", f"tries again, after: {node.message}"


def labels_of(items: Sequence[Any]) -> list[str]:
    """Return a short text for each round of a loop: of objects the first text in them that tells all of them apart.

    >>> labels_of([{"schema": "dbo", "table": "Sale"}, {"schema": "dbo", "table": "Shop"}])
    ['Sale', 'Shop']
    >>> labels_of([{"name": "stock.csv", "type": "File"}]), labels_of([3])
    (['stock.csv'], ['3'])
    """
    objects = [item for item in items if isinstance(item, Mapping)]
    texts = [[item.get(name) for item in objects] for name in (objects[0] if objects else ())]
    told = [[value for value in values if isinstance(value, str)] for values in texts]
    best = next((values for values in told if len(set(values)) == len(objects)), None)
    if best is not None and len(objects) == len(items):
        return [value[:60] for value in best]
    return [_label_of(item) for item in items]


def _label_of(item: Any) -> str:
    if isinstance(item, Mapping):
        item = next((value for value in item.values() if isinstance(value, str)), "")
    return str(item)[:60]


def split_path(step: str) -> list[str]:
    """Return the parts of an activity's path: containers, rounds and the activity itself.

    >>> split_path("Each file[3]/Load")
    ['Each file', '[3]', 'Load']
    """
    parts = []
    for part in step.split("/") if step else []:
        name, bracket, number = part.rpartition("[")
        parts += [name, f"[{number}"] if bracket and part.endswith("]") and number[:-1].isdigit() else [part]
    return parts
