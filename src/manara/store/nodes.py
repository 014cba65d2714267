"""The workers that take part, each a node of the integration runtime whose key it gave."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from manara import clock
from manara.store.journal import Journal

ONLINE = timedelta(seconds=30)
"""For how long after its last sign a node counts as online."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One worker process; `runtime` is the id of its integration runtime, empty for the server's own."""

    id: str
    runtime: str
    name: str
    body: Mapping[str, Any]
    seen: datetime

    @property
    def is_online(self) -> bool:
        """Whether it has given a sign of life lately."""
        return clock.now() - self.seen < ONLINE


def note_node(journal: Journal, node: Node) -> None:
    """Note that a worker is there."""
    body = json.dumps(dict(node.body))
    journal.change("note_node", id=node.id, runtime=node.runtime, name=node.name, body=body, now=clock.stamp(node.seen))


def list_nodes(journal: Journal, runtime: str) -> list[Node]:
    """Return the nodes of an integration runtime, by name."""
    return [
        Node(id=id_, runtime=within, name=name, body=json.loads(body), seen=clock.parse(seen))
        for id_, within, name, body, seen in journal.rows("nodes", runtime=runtime)
    ]


def forget_node(journal: Journal, runtime: str, name: str) -> bool:
    """Take a node off the list; it comes back when it works on."""
    return bool(journal.change("forget_node", runtime=runtime, name=name.lower()))
