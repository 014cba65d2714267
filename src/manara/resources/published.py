"""Factories that a server holds: the resource ids of their parts, and the way from a folder to documents and back."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from manara.resources.factory import Factory, made_factory, read_local
from manara.store.documents import Document, Documents
from manara.store.journal import Journal

PROVIDER = "Microsoft.DataFactory"
FACTORIES = "microsoft.datafactory/factories"
GROUPS = "microsoft.resources/resourcegroups"
SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
GROUP = "manara"
"""Where the factory of a folder is published: its subscription and resource group."""

SEGMENTS = {
    "pipelines": "pipeline",
    "datasets": "dataset",
    "linkedservices": "linkedService",
    "dataflows": "dataflow",
    "triggers": "trigger",
    "integrationruntimes": "integrationRuntime",
    "managedvirtualnetworks": "managedVirtualNetwork",
    "credentials": "credential",
}
"""The kinds of definitions by the segment of the resource id that they stand under."""

PUBLICATIONS = "manara/publications"
GLOBAL_PARAMETERS = "globalparameters"


def factory_id(name: str, subscription: str = SUBSCRIPTION, group: str = GROUP) -> str:
    """Return the resource id of a factory."""
    return f"/subscriptions/{subscription}/resourceGroups/{group}/providers/{PROVIDER}/factories/{name}"


def folder_of(home: Path, factory: str) -> Path:
    """Return the folder where relative paths of a factory start that was made over the API.

    >>> folder_of(Path("home"), factory_id("North", "s", "Relief")).as_posix()
    'home/factories/s/relief/north'
    """
    parts = factory.lower().split("/")
    return home / "factories" / parts[2] / parts[4] / parts[8]


def factory_of(documents: list[Document], root: Path, shared: Path) -> Factory:
    """Return the factory that documents hold: its own first, then those inside it.

    `root` is its folder and `shared` one for all factories of the machine: `local/` of both is read.
    """
    own, *parts = documents
    body = {"name": own.name, **own.body}
    properties = dict(own.body.get("properties") or {})
    given = {name: value for part in parts if _segment(part) == GLOBAL_PARAMETERS for name, value in _values(part)}
    properties["globalParameters"] = {**(properties.get("globalParameters") or {}), **given}
    texts = {f"factory/{own.name}.json": _text(body | {"properties": properties})}
    for part in parts:
        kind = SEGMENTS.get(_segment(part))
        if kind and part.parent == own.id:
            texts[f"{kind}/{part.name}.json"] = _text({"name": part.name, **part.body})
    local: dict[str, str] = {}
    more: dict[tuple[str, str], str] = {}
    for folder in (shared, root):
        stand_ins, others = read_local(folder)
        local |= stand_ins
        more |= others
    return made_factory(root, texts, local=local, more=more)


@dataclass
class Snapshots:
    """The definitions of each factory as runs take them, made anew only where something has changed.

    `folder` says where the relative paths of a factory start; `shared` holds stand-ins for all factories.
    """

    folder: Callable[[str], Path]
    shared: Path
    _kept: dict[str, tuple[Any, Factory, str]] = field(default_factory=dict)

    def of(self, factory: str, documents: Documents, journal: Journal) -> tuple[Factory, str]:
        """Return the factory and the digest under which the journal keeps it."""
        root = self.folder(factory)
        tags = (documents.state_below(factory), _state_of(root), _state_of(self.shared))
        kept = self._kept.get(factory.lower())
        if kept is None or kept[0] != tags:
            found = factory_of(documents.below(factory), root, self.shared)
            kept = self._kept[factory.lower()] = (tags, found, journal.keep_snapshot(found.snapshot()))
        return kept[1], kept[2]


def publish(factory: Factory, documents: Documents, path: str) -> dict[str, list[str]]:
    """Make a factory's documents what the folder's files say, in one transaction.

    Returns the resource ids that were `made`, `changed` and `removed`. Resource group and factory are made where they
    are missing.
    """
    wanted = dict(_wanted(factory, path))
    told: dict[str, list[str]] = {"made": [], "changed": [], "removed": []}
    group = path.partition("/providers/")[0]
    with documents.transaction():
        if documents.get(group) is None:
            documents.put(group, GROUPS, group.rpartition("/resourceGroups/")[0], {"location": "local"})
        for each, (kind, parent, body) in wanted.items():
            old = documents.get(each)
            if old is None or dict(old.body) != body:
                documents.put(each, kind, parent, body)
                told["changed" if old else "made"].append(each)
        held = [
            found for found in documents.below(path) if found.parent == path.lower() and _segment(found) in SEGMENTS
        ]
        for gone in held:
            if gone.id not in {each.lower() for each in wanted}:
                documents.delete(gone.path)
                told["removed"].append(gone.path)
        note_publication(documents, path)
    return told


def changed_since(documents: Documents, path: str) -> bool:
    """Say whether a factory was changed over the API since its folder was published; False where it never was."""
    kept = documents.get(_publication(path))
    return kept is not None and kept.body.get("state") != _state(documents, path)


def note_publication(documents: Documents, path: str) -> None:
    """Note that the factory is now what its folder says."""
    documents.put(_publication(path), PUBLICATIONS, "", {"state": _state(documents, path)})


def _publication(path: str) -> str:
    return f"/publications{path}"


def _state(documents: Documents, path: str) -> str:
    return sha256(json.dumps(documents.tags_below(path)).encode()).hexdigest()


def _wanted(factory: Factory, path: str) -> list[tuple[str, tuple[str, str, dict[str, Any]]]]:
    group = path.partition("/providers/")[0]
    own = next((item.data for (kind, _), item in factory.definitions.items() if kind == "factory"), {})
    body = {key: value for key, value in own.items() if key != "name"}
    body = {"location": "local", **body, "properties": body.get("properties") or {}}
    found = [(path, (FACTORIES, group, body))]
    segments = {kind: segment for segment, kind in SEGMENTS.items()}
    for (kind, name), item in factory.definitions.items():
        if kind in segments:
            segment = segments[kind]
            properties = {key: value for key, value in item.data.items() if key != "name"}
            found.append((f"{path}/{segment}/{name}", (f"{FACTORIES}/{segment}", path, properties)))
    return found


def _segment(document: Document) -> str:
    return document.type.rpartition("/")[2]


def _values(document: Document) -> list[tuple[str, Any]]:
    properties = document.body.get("properties")
    return list(properties.items()) if isinstance(properties, Mapping) else []


def _text(body: Mapping[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False)


def _state_of(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Return what changes when a file of the folder's own texts does."""
    found = []
    for part in ("local", "contract", "script"):
        for path in sorted((folder / part).rglob("*")) if (folder / part).is_dir() else ():
            state = path.stat()
            found.append((path.as_posix(), state.st_mtime_ns, state.st_size))
    return tuple(found)
