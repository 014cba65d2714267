"""Columns and assets drawn together: what each is made from, and what is made from it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from manara.catalog.history import History, Work, key_of
from manara.plugin.lineage import Asset

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_ENDING = re.compile(r"(\.[A-Za-z0-9]{1,8}){1,3}$")
_MOST_DEEP = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An asset, or one of its columns."""

    asset: Asset
    column: str = ""

    @property
    def title(self) -> str:
        return f"{self.asset.name}.{self.column}" if self.column else self.asset.name


@dataclass(slots=True, kw_only=True)
class Branch:
    """A place in a tree: how it takes part in the one above, by which activity, and what lies beyond it."""

    place: Place
    how: str = ""
    by: str = ""
    last: str = ""
    note: str = ""
    branches: "list[Branch]" = field(default_factory=list)

    def walk(self) -> "Iterator[Branch]":
        """Yield the branch and all below it."""
        yield self
        for one in self.branches:
            yield from one.walk()

    def as_json(self) -> dict[str, object]:
        """Return the tree as JSON."""
        return {
            "namespace": self.place.asset.namespace,
            "name": self.place.asset.name,
            "column": self.place.column,
            "how": self.how,
            "by": self.by,
            "last": self.last,
            "note": self.note,
            "from": [one.as_json() for one in self.branches],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A place made from another by an activity."""

    source: Place
    target: Place
    how: str
    work: Work


def family(asset: Asset) -> Asset:
    """Return what files of one folder are together: `raw/stock/*/*.json`; a table is itself.

    >>> family(Asset(namespace="Lake", name="raw/stock/6f0b6d3a-1111-2222-3333-444455556666/a.json")).name
    'raw/stock/*/*.json'
    """
    folder, _, name = asset.name.rpartition("/")
    if not folder:
        return asset
    ending = _ENDING.search(name)
    return Asset(namespace=asset.namespace, name=f"{_ID.sub('*', folder)}/*{ending[0]}" if ending else asset.name)


class Graph:
    """Every edge between assets and between columns, files by their families; the newest work of each activity."""

    def __init__(self, history: History) -> None:
        self._names: dict[tuple[str, str], Asset] = {}
        self._up: dict[tuple[tuple[str, str], str], dict[tuple[str, ...], Edge]] = {}
        self._down: dict[tuple[tuple[str, str], str], dict[tuple[str, ...], Edge]] = {}
        self._unclear: dict[tuple[str, str], str] = {}
        self._copies: set[tuple[str, str]] = set()
        for work in history.works:
            if work.succeeded:
                self._take(work)

    def up(self, place: Place, depth: int = _MOST_DEEP) -> Branch:
        """Return the tree of what the place is made from."""
        return self._tree(place, self._up, depth, set())

    def down(self, place: Place, depth: int = _MOST_DEEP) -> Branch:
        """Return the tree of what is made from the place."""
        return self._tree(place, self._down, depth, set())

    def columns(self, asset: Asset) -> list[str]:
        """Return the columns of the asset that are known to be written."""
        wanted = key_of(asset)
        found = {key[1] for held in (self._up, self._down) for key in held if key[0] == wanted and key[1]}
        edges = [edge.target.column for (key, _), held in self._up.items() if key == wanted for edge in held.values()]
        return list(dict.fromkeys(name for name in edges if name.lower() in found))

    def found(self, text: str) -> list[Asset]:
        """Return the assets that a text names: by their whole name, their last part, or a file in their folder."""
        low = text.lower().strip("/")
        names = {low, family(Asset(namespace="", name=low)).name.lower()}
        exact = [asset for key, asset in self._names.items() if names & {key[1], f"{key[0]}/{key[1]}"}]
        if exact:
            return exact
        return [
            asset
            for key, asset in self._names.items()
            if key[1].rpartition("/")[2] == low or key[1].rpartition(".")[2] == low
        ]

    def near(self) -> list[str]:
        """Return the names of all assets."""
        return [asset.name for asset in self._names.values()]

    def _take(self, work: Work) -> None:
        told = work.lineage
        for output in told.outputs:
            target = self._named(family(output))
            columns = told.columns.get(output, {})
            if why := told.unclear.get(output):
                self._unclear[key_of(target)] = why
            if not columns and work.type == "Copy" and not why:
                self._copies.add(key_of(target))
            for near in dict.fromkeys(self._named(family(one)) for one in told.reads.get(output, told.inputs)):
                if key_of(near) != key_of(target):
                    self._add(Edge(source=Place(asset=near), target=Place(asset=target), how="", work=work))
            for name, sources in columns.items():
                for one in sources:
                    source = Place(asset=self._named(family(one.asset)), column=one.column)
                    self._add(Edge(source=source, target=Place(asset=target, column=name), how=one.how, work=work))

    def _named(self, asset: Asset) -> Asset:
        return self._names.setdefault(key_of(asset), asset)

    def _add(self, edge: Edge) -> None:
        told = (edge.work.pipeline, edge.work.activity)
        up, down = _key(edge.source), _key(edge.target)
        self._up.setdefault(down, {})[*up[0], up[1], *told] = edge
        self._down.setdefault(up, {})[*down[0], down[1], *told] = edge

    def _tree(
        self,
        place: Place,
        edges: Mapping[tuple[tuple[str, str], str], Mapping[tuple[str, ...], Edge]],
        depth: int,
        seen: set[tuple[tuple[str, str], str]],
    ) -> Branch:
        place = Place(asset=self._names.get(key_of(place.asset), place.asset), column=place.column)
        branch = Branch(place=place, note=self._note(place))
        key = _key(place)
        if key in seen or depth <= 0:
            branch.note = "see above" if key in seen else "and more"
            return branch
        seen.add(key)
        for edge in self._edges(place, edges, upward=edges is self._up):
            far = edge.source if edges is self._up else edge.target
            if _key(far) == key or (not far.column and _key(far) in seen):
                continue  # a table is drawn once
            inner = self._tree(far, edges, depth - 1, seen)
            inner.how, inner.by = edge.how, f"{edge.work.type} '{edge.work.activity}' of {edge.work.pipeline}"
            inner.last = edge.work.ended.isoformat(timespec="seconds")
            branch.branches.append(inner)
        return branch

    def _edges(
        self,
        place: Place,
        edges: Mapping[tuple[tuple[str, str], str], Mapping[tuple[str, ...], Edge]],
        *,
        upward: bool,
    ) -> Iterator[Edge]:
        """Yield the edges of a place; a copy of whole files hands each column on as it is."""
        held: Sequence[Edge] = list(edges.get(_key(place), {}).values())
        yield from held
        if held or not place.column:
            return
        for edge in edges.get((key_of(place.asset), ""), {}).values():
            far = edge.source if upward else edge.target
            if key_of(edge.target.asset) in self._copies:
                at_end = Place(asset=far.asset, column=place.column)
                same = Place(asset=place.asset, column=place.column)
                ends = (at_end, same) if upward else (same, at_end)
                yield Edge(source=ends[0], target=ends[1], how="IDENTITY", work=edge.work)

    def _note(self, place: Place) -> str:
        return self._unclear.get(key_of(place.asset), "") if place.column else ""


def _key(place: Place) -> tuple[tuple[str, str], str]:
    return key_of(place.asset), place.column.lower()
