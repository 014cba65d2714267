"""What the parts of a factory name of each other: nothing may be named that is not there, nor removed while named."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from manara.resources.check import REFERENCES
from manara.resources.published import FACTORIES, SEGMENTS
from manara.server.site import Call
from manara.store.documents import Document

_SEGMENT_OF = {kind: segment for segment, kind in SEGMENTS.items()}
_CHECKED = frozenset({"dataset", "linkedService", "pipeline", "dataflow"})


def missing_reference(call: Call, kind: str, body: Mapping[str, Any]) -> str:
    """Return the first name in a body under which the factory holds nothing; empty where all are there.

    A pipeline may name itself; the integration runtimes that Azure makes have no definition, and are not looked up.
    """
    own = call.path.rpartition("/")[2].lower()
    for target, name in references(body):
        if target == kind and name.lower() == own:
            continue
        if target in _CHECKED and call.documents.get(f"{call.factory}/{_SEGMENT_OF[target]}/{name}") is None:
            return name
    return ""


def used_by(call: Call) -> str:
    """Return the name of a part of the factory that names what the path is; empty where none does."""
    segment, name = call.path.lower().split("/")[9:11]
    kind = SEGMENTS.get(segment)
    others = [each for each in call.documents.below(call.factory) if each.id != call.path.lower()]
    for document in others:
        named = references(document.body) if _may_name(document, name) else ()
        if any(target == kind and found.lower() == name for target, found in named):
            return document.name
    return ""


def references(value: Any) -> Iterator[tuple[str, str]]:
    """Yield (kind, name) of everything that a body names; names that are computed are left out."""
    if isinstance(value, Mapping):
        target, name = value.get("type"), value.get("referenceName")
        kind = REFERENCES.get(target) if isinstance(target, str) else None
        if kind and isinstance(name, str) and not name.startswith("@"):
            yield kind, name
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def _may_name(document: Document, name: str) -> bool:
    return document.type != FACTORIES and name in json.dumps(document.body).lower()
