"""What a deployment would change, without changing it, in the form of Azure's what-if."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from manara.resources.template.functions import same
from manara.resources.template.template import Wanted
from manara.secret import hidden

_FACTORIES = "microsoft.datafactory/factories"
_OWN = ("properties",)
_TRACKED = ("location", "tags", "identity", "properties")
"""What counts of a factory, which stands in a resource group by itself; of its parts, only `_OWN` does."""

Bodies = Mapping[str, Mapping[str, Any]]


def what_if(existing: Bodies, wanted: Sequence[Wanted], mode: str = "Incremental") -> list[dict[str, Any]]:
    """Return the changes: `Create`, `Modify`, `NoChange`, `Delete` and `Ignore`, with secrets starred out.

    `existing` are the bodies of what the resource group holds, by resource id. Complete mode deletes the factories
    that the template neither makes nor makes anything in; parts of factories stay, as in Azure.
    """
    held = {path.lower(): (path, body) for path, body in existing.items()}
    changes = [_change(each, held.get(each.id.lower())) for each in wanted]
    made = {each.id.lower() for each in wanted}
    gone = {path.lower() for path in to_delete(existing, wanted, mode)}
    for lowered, (path, body) in held.items():
        if lowered not in made:
            kind = "Delete" if any(f"{lowered}/".startswith(f"{each}/") for each in gone) else "Ignore"
            changes.append({"resourceId": path, "changeType": kind, "before": _shown(path, body)})
    return sorted(changes, key=lambda change: str(change["resourceId"]).lower())


def to_delete(existing: Bodies, wanted: Sequence[Wanted], mode: str) -> list[str]:
    """Return the ids of what a deployment in this mode removes, with everything inside."""
    if mode.lower() != "complete":
        return []
    made = [f"{each.id.lower()}/" for each in wanted]
    return [
        path
        for path in existing
        if type_of(path) == _FACTORIES and not any(each.startswith(f"{path.lower()}/") for each in made)
    ]


def type_of(path: str) -> str:
    """Return the type of a resource by its id, in lower case.

    >>> type_of("/subscriptions/s/resourceGroups/g/providers/Microsoft.DataFactory/factories/f/pipelines/p")
    'microsoft.datafactory/factories/pipelines'
    """
    provider, *parts = path.lower().rpartition("/providers/")[2].split("/")
    return "/".join([provider, *parts[::2]])


def _change(wanted: Wanted, held: tuple[str, Mapping[str, Any]] | None) -> dict[str, Any]:
    after = {"apiVersion": wanted.api_version, **_shown(wanted.id, wanted.body, wanted.type)}
    if held is None:
        return {"resourceId": wanted.id, "changeType": "Create", "after": after}
    path, body = held
    keys = _TRACKED if wanted.type.lower() == _FACTORIES else _OWN
    delta = [
        change for key in keys if key in wanted.body for change in differences(body.get(key), wanted.body[key], key)
    ]
    change = {"resourceId": path, "before": _shown(path, body, wanted.type), "after": after}
    return change | ({"changeType": "Modify", "delta": delta} if delta else {"changeType": "NoChange", "delta": []})


def _shown(path: str, body: Mapping[str, Any], kind: str = "") -> dict[str, Any]:
    told = {key: hidden(part) for key, part in body.items() if key in _TRACKED}
    return {"id": path, "name": path.rpartition("/")[2], "type": kind or type_of(path), **told}


def differences(before: Any, after: Any, path: str) -> Iterator[dict[str, Any]]:
    """Yield what differs between two values as Azure tells it; arrays have their elements as children.

    >>> list(differences({"a": 1, "b": [1]}, {"a": 2, "b": [1]}, "properties"))
    [{'path': 'properties.a', 'propertyChangeType': 'Modify', 'before': 1, 'after': 2}]
    """
    if same(before, after):
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping) and not _is_secret(before):
        for key in sorted(before.keys() | after.keys()):
            yield from differences(before.get(key), after.get(key), f"{path}.{key}" if path else key)
    elif isinstance(before, list) and isinstance(after, list):
        children = [
            change
            for index in range(max(len(before), len(after)))
            for change in _element(before[index : index + 1], after[index : index + 1], str(index))
        ]
        yield {"path": path, "propertyChangeType": "Array", "children": children}
    else:
        yield _told(before, after, path)


def _element(before: list[Any], after: list[Any], path: str) -> Iterator[dict[str, Any]]:
    if not (before and after):
        yield _told(before[0] if before else None, after[0] if after else None, path)
        return
    if isinstance(before[0], Mapping) and isinstance(after[0], Mapping) and not _is_secret(before[0]):
        children = list(differences(before[0], after[0], ""))
        if children:
            yield {"path": path, "propertyChangeType": "Modify", "children": children}
        return
    yield from differences(before[0], after[0], path)


def _told(before: Any, after: Any, path: str) -> dict[str, Any]:
    name = path.rpartition(".")[2]
    told: dict[str, Any] = {
        "path": path,
        "propertyChangeType": "Create" if before is None else "Delete" if after is None else "Modify",
    }
    if before is not None:
        told["before"] = hidden({name: before})[name]
    if after is not None:
        told["after"] = hidden({name: after})[name]
    return told


def _is_secret(value: Mapping[str, Any]) -> bool:
    return str(value.get("type", "")).lower() == "securestring"
