"""What is wrong with a factory: every fault at once, each with its file, its JSON path and what to try."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from manara import expr
from manara.errors import Fault, Faults, NotFound
from manara.registry import near
from manara.resources.factory import Definition, Factory, shape_faults
from manara.resources.model import Activity, Dataset, LinkedService, Parameter, Pipeline, walk

REFERENCES = {
    "DatasetReference": "dataset",
    "LinkedServiceReference": "linkedService",
    "PipelineReference": "pipeline",
    "DataFlowReference": "dataflow",
}
"""What the `type` of a reference points at. Integration runtimes are not looked up: Azure's own have no file."""

TEXT_REFERENCES = {"contract": "contract", "scriptPath": "script"}
"""Properties of activities that name a file beside the JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What runs here: type names, and for each kind of file beside the JSON what checks it (it raises Faults)."""

    activities: Collection[str]
    datasets: Collection[str]
    connectors: Collection[str]
    checked: Collection[str] = ()
    checker: Callable[[str], Callable[[str, str], object]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One reference in a definition: where it stands and what it names."""

    path: str
    kind: str
    name: str
    parameters: Mapping[str, Any]


def check(factory: Factory, known: Known) -> list[Fault]:
    """Return every fault of the factory, by file."""
    definitions = [*factory.definitions.values(), *factory.stand_ins.values()]
    return _check(factory, known, definitions, list(factory.texts), list(factory.faults))


def check_pipeline(factory: Factory, name: str, known: Known) -> list[Fault]:
    """Return the faults that stand in the way of running one pipeline: its own, and those of all it reaches.

    Raises NotFound where there is no such pipeline and no broken file of that name.
    """
    broken = [fault for fault in factory.faults if fault.file == f"pipeline/{name}.json"]
    if broken:
        return broken
    factory.pipeline(name)
    reached = _reach(factory, ("pipeline", name))
    named = {(link.kind, link.name) for definition in reached for link in links(definition)}
    texts = [key for key in factory.texts if key in named or (key[0], Path(key[1]).stem) in named]
    files = {f"{kind}/{name}.json" for kind, name in named} | {f"local/{kind}/{name}.json" for kind, name in named}
    return _check(factory, known, reached, texts, [fault for fault in factory.faults if fault.file in files])


def _check(
    factory: Factory,
    known: Known,
    definitions: Sequence[Definition],
    texts: Sequence[tuple[str, str]],
    faults: list[Fault],
) -> list[Fault]:
    for definition in definitions:
        faults += _check_definition(factory, definition, known)
    for kind, name in texts:
        if known.checker and kind in known.checked:
            try:
                known.checker(kind)(factory.texts[kind, name], f"{kind}/{name}")
            except Faults as error:
                faults += error.faults
    return sorted(faults, key=lambda fault: (fault.file, fault.path))


def links(definition: Definition) -> list[Link]:
    """Return every reference in a definition to another file of the factory."""
    return list(_links(definition.data, ""))


def _links(value: Any, path: str, around: Mapping[str, Any] | None = None) -> Iterator[Link]:
    if isinstance(value, dict):
        kind = REFERENCES.get(str(value.get("type")))
        name = value.get("referenceName")
        if kind and isinstance(name, str) and not name.startswith("@"):
            # the parameters of a child pipeline stand beside the reference, those of all others inside it
            holder = around if kind == "pipeline" and around is not None else value
            yield Link(path=path, kind=kind, name=name, parameters=holder.get("parameters") or {})
        for key, item in value.items():
            place = f"{path}.{key}".removeprefix(".")
            if key in TEXT_REFERENCES and isinstance(item, str) and not item.startswith("@"):
                yield Link(path=place, kind=TEXT_REFERENCES[key], name=item, parameters={})
            yield from _links(item, place, value)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _links(item, f"{path}[{index}]", around)


def _reach(factory: Factory, start: tuple[str, str]) -> list[Definition]:
    seen: dict[tuple[str, str], Definition] = {}
    ahead = [start]
    while ahead:
        key = ahead.pop()
        definition = factory.stand_ins.get(key[1]) if key[0] == "linkedService" else None
        definition = definition or factory.definitions.get(key)
        if definition is None or key in seen:
            continue
        seen[key] = definition
        ahead += [(link.kind, link.name) for link in links(definition)]
    return list(seen.values())


def _check_definition(factory: Factory, definition: Definition, known: Known) -> Iterator[Fault]:
    for link in links(definition):
        yield from _check_link(factory, definition, link)
    for path, error in expr.check(definition.data.get("properties") or {}):
        yield Fault(file=definition.file, path=f"properties.{path}", message=str(error))
    resource = definition.resource
    if isinstance(resource, Pipeline):
        yield from _check_pipeline(definition, resource, known.activities)
    elif isinstance(resource, Dataset):
        yield from _check_type(definition, "dataset", resource.properties.type, known.datasets)
    elif isinstance(resource, LinkedService) and _is_used(factory, definition):
        yield from _check_type(definition, "connector", resource.properties.type, known.connectors)


def _is_used(factory: Factory, definition: Definition) -> bool:
    """A published linked service that is replaced on this machine need not be of a type known here."""
    return definition.name not in factory.stand_ins or definition is factory.stand_ins[definition.name]


def _check_link(factory: Factory, definition: Definition, link: Link) -> Iterator[Fault]:
    if link.kind in TEXT_REFERENCES.values():
        try:
            factory.text(link.kind, link.name)
        except NotFound as error:
            yield Fault(file=definition.file, path=link.path, message=error.message, advice=error.advice)
        return
    target = factory.definitions.get((link.kind, link.name))
    stand_in = factory.stand_ins.get(link.name) if link.kind == "linkedService" else None
    if target is None and stand_in is None:
        if _is_broken(factory, link):
            return  # its own fault is said already
        yield Fault(
            file=definition.file,
            path=link.path,
            message=f"There is no {link.kind} '{link.name}'.",
            advice=near(link.name, factory.names(link.kind)),
        )
    elif target is not None:
        declared = getattr(target.resource.properties, "parameters", None) or {}  # type: ignore[attr-defined] # of any kind
        for message, advice in parameter_faults(declared, link.parameters, f"{link.kind} '{link.name}'"):
            yield Fault(file=definition.file, path=link.path, message=message, advice=advice)


def _is_broken(factory: Factory, link: Link) -> bool:
    return any(fault.file == f"{link.kind}/{link.name}.json" for fault in factory.faults)


def parameter_faults(
    declared: Mapping[str, Parameter], given: Mapping[str, Any], whose: str
) -> Iterator[tuple[str, str]]:
    """Yield (message, advice) for each parameter that is given but not declared, or needed and not given."""
    for name in given:
        if name not in declared:
            yield f"The {whose} has no parameter '{name}'.", near(name, declared)
    for name, parameter in declared.items():
        if not parameter.has_default and name not in given:
            yield f"The {whose} needs the parameter '{name}' ({parameter.type}).", "Give it, or declare a defaultValue."


def _check_type(definition: Definition, kind: str, name: str, known: Collection[str]) -> Iterator[Fault]:
    if name not in known:
        yield Fault(
            file=definition.file,
            path="properties.type",
            message=f"The {kind} type '{name}' does not run here.",
            advice=near(name, known) + (" Or name a stand-in in local/linkedService/." if kind == "connector" else ""),
        )


def _check_pipeline(definition: Definition, pipeline: Pipeline, known: Collection[str]) -> Iterator[Fault]:
    try:
        found = list(walk(pipeline.properties.activities))
    except ValidationError as error:
        yield from shape_faults(definition.file, "properties.activities.typeProperties", error)
        return
    seen: set[str] = set()
    for path, activity in found:
        if activity.type not in known and activity.is_active:
            message = f"The activity type '{activity.type}' does not run here."
            yield Fault(file=definition.file, path=f"{path}.type", message=message, advice=near(activity.type, known))
        if activity.name in seen:
            message = f"Two activities are called '{activity.name}'."
            yield Fault(file=definition.file, path=f"{path}.name", message=message, advice="Rename one of them.")
        seen.add(activity.name)
        yield from _check_names(definition, pipeline, path, activity)
    yield from _check_order(definition, found)


def _check_names(definition: Definition, pipeline: Pipeline, path: str, activity: Activity) -> Iterator[Fault]:
    declared = {
        "parameter": pipeline.properties.parameters or {},
        "variable": pipeline.properties.variables or {},
    }
    own = {key: value for key, value in activity.type_properties.items() if key not in (*Activity.CONTAINED, "cases")}
    for reference in expr.references(own):
        names = declared.get(reference.kind)
        if names is not None and reference.name and reference.name.lower() not in {name.lower() for name in names}:
            yield Fault(
                file=definition.file,
                path=f"{path}.typeProperties",
                message=f"The pipeline has no {reference.kind} '{reference.name}'.",
                advice=near(reference.name, names),
            )


def _check_order(definition: Definition, found: list[tuple[str, Activity]]) -> Iterator[Fault]:
    groups: dict[str, dict[str, tuple[str, Activity]]] = {}
    for path, activity in found:
        groups.setdefault(path.rsplit("[", 1)[0], {})[activity.name] = (path, activity)
    for group in groups.values():
        after = {}
        for name, (path, activity) in group.items():
            after[name] = [item.activity for item in activity.depends_on or []]
            for index, other in enumerate(after[name]):
                if other not in group:
                    message = f"'{name}' waits for '{other}', which does not stand beside it."
                    place = f"{path}.dependsOn[{index}]"
                    yield Fault(file=definition.file, path=place, message=message, advice=near(other, group))
        ring = find_ring(after)
        if ring:
            path = group[ring[0]][0]
            message = f"The activities wait for one another in a ring: {' -> '.join([*ring, ring[0]])}."
            yield Fault(file=definition.file, path=f"{path}.dependsOn", message=message, advice="Take one link away.")


def find_ring(after: Mapping[str, Collection[str]]) -> list[str]:
    """Return the names of a ring in a graph of name -> names it waits for; empty where there is none.

    >>> find_ring({"a": ["b"], "b": ["c"], "c": ["b"]})
    ['b', 'c']
    """
    done: set[str] = set()
    for start in after:
        trail: list[str] = []
        ahead = [(start, iter(after[start]))] if start not in done else []
        while ahead:
            name, others = ahead[-1]
            if not trail or trail[-1] != name:
                trail.append(name)
            for other in others:
                if other in trail:
                    return trail[trail.index(other) :]
                if other in after and other not in done:
                    ahead.append((other, iter(after[other])))
                    break
            else:
                done.add(name)
                trail.pop()
                ahead.pop()
    return []
