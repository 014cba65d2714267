"""The order in which resources can be made: what is waited for comes first, else as the template has them."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from manara.resources.factory import shown
from manara.resources.ring import find_ring
from manara.resources.template.evaluate import Findings


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A resource among others. `depends` is what its dependsOn says; `aliases` are its loop and its symbolic name.

    `space` is the template that it stands in: dependsOn reaches no further. A nested deployment `is_group`: what lies
    in it is `within` its key, and it is done when all of that is.
    """

    key: str
    id: str
    name: str
    path: str
    scope: str
    depends: tuple[str, ...] = ()
    aliases: frozenset[str] = frozenset()
    is_wanted: bool = True
    is_group: bool = False
    space: str = ""
    within: str = ""


def in_order(items: Sequence[Item], findings: Findings) -> list[tuple[str, tuple[str, ...]]]:
    """Return the keys of the resources to make, in order, each with the ids that it awaits.

    Notes what is named and not there, what is there twice, and rings.
    """
    _note_twins(items, findings)
    after = {item.key: set(_awaited(item, items_by_name, findings)) for item, items_by_name in _with_names(items)}
    _add_places(items, after)
    ring = find_ring({key: sorted(others) for key, others in after.items()})
    by_key = {item.key: item for item in items}
    if ring:
        names = [shown(by_key[key].name) for key in ring]
        told = f"Circular dependency detected: {' -> '.join([*names, names[0]][:10])}."
        findings.add(f"{by_key[ring[0]].path}.dependsOn", told)
        return []
    order = _sorted([item.key for item in items], after)
    return [
        (key, tuple(by_key[other].id for other in order if other in after[key] and not by_key[other].is_group))
        for key in order
        if by_key[key].is_wanted and not by_key[key].is_group
    ]


Names = dict[str, list[Item]]


def _with_names(items: Sequence[Item]) -> list[tuple[Item, Names]]:
    """Return each item with the others of its template, by everything that dependsOn may call them."""
    spaces: dict[str, Names] = {}
    for item in items:
        whole = item.id.lower()
        for name in {whole, whole.partition("/providers/")[2], item.name.lower(), *map(str.lower, item.aliases)}:
            spaces.setdefault(item.space, {}).setdefault(name, []).append(item)
    return [(item, spaces[item.space]) for item in items]


def _awaited(item: Item, known: Names, findings: Findings) -> list[str]:
    found = []
    for index, name in enumerate(item.depends):
        others = known.get(name.strip("/").lower()) or known.get(name.lower())
        if others is None:
            told = f"The resource '{shown(name)}' is not defined in the template."
            findings.add(f"{item.path}.dependsOn[{index}]", told)
        found += [other.key for other in others or () if other.is_wanted and other.key != item.key]
        if others and [other.key for other in others] == [item.key]:
            findings.add(f"{item.path}.dependsOn[{index}]", f"The resource '{shown(item.name)}' waits for itself.")
    return found if item.is_wanted else []


def _add_places(items: Sequence[Item], after: dict[str, set[str]]) -> None:
    """Let inner resources wait for their outer ones, and what lies in a deployment for what the deployment awaits."""
    by_id = {item.id.lower(): item for item in items if item.is_wanted and not item.is_group}
    for item in items:
        parts = item.id.lower().split("/")
        outer = by_id.get("/".join(parts[:-2]))
        if outer and item.is_wanted and not item.is_group:
            after[item.key].add(outer.key)
    groups = {item.key: item for item in items if item.is_group}
    for item in items:  # outer deployments come before inner ones in the list
        if item.within in groups:
            after[item.key] |= after[item.within] - {item.key}
    for item in reversed(items):
        if item.within in groups:
            after[item.within].add(item.key)


def _sorted(keys: Sequence[str], after: dict[str, set[str]]) -> list[str]:
    place = {key: index for index, key in enumerate(keys)}
    left = {key: len(after[key]) for key in keys}
    before: dict[str, list[str]] = {key: [] for key in keys}
    for key, others in after.items():
        for other in others:
            before[other].append(key)
    ready = [place[key] for key in keys if not left[key]]
    heapq.heapify(ready)
    order = []
    while ready:
        key = keys[heapq.heappop(ready)]
        order.append(key)
        for other in before[key]:
            left[other] -= 1
            if not left[other]:
                heapq.heappush(ready, place[other])
    return order


def _note_twins(items: Sequence[Item], findings: Findings) -> None:
    seen: dict[str, Item] = {}
    for item in items:
        if item.is_wanted:
            first = seen.setdefault(item.id.lower(), item)
            if first is not item:
                told = f"The resource '{shown(item.name)}' is defined twice: {first.path} makes it, too."
                findings.add(f"{item.path}.name", told)
