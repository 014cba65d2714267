"""What is wrong with a factory: every fault at once, each with its file, its JSON path and what to try."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from manara import expr
from manara.errors import Fault, Faults, ManaraError, NotFound
from manara.expr.expression import expressions
from manara.resources.azure import MADE_BY_AZURE, stand_in_for, unknown_side, way_to_run, why_closed
from manara.resources.check_abilities import Can, check_abilities, missing_library
from manara.resources.check_activities import LONGEST_PATH, check_activities, nearest
from manara.resources.check_azure import check_azure
from manara.resources.factory import Definition, Factory, missing_procedure, missing_script, shown
from manara.resources.model import Dataset, LinkedService, Parameter, Pipeline
from manara.resources.placed import Placed, place_all
from manara.resources.ring import find_ring

WORDS = {"dataset": "dataset", "connector": "linked service", "linkedService": "linked service"}
MOST_FAULTS = 100
"""How many faults, and how many warnings, are told of one file."""

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
    """What runs here: type names, and for each kind of file beside the JSON what checks it (it raises Faults).

    `can` says what the types of datasets and linked services can do; without it, they can do everything.
    """

    activities: Collection[str]
    datasets: Collection[str]
    connectors: Collection[str]
    checked: Collection[str] = ()
    checker: Callable[[str], Callable[[str, str], object]] | None = None
    can: Can | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One reference in a definition: where it stands and what it names."""

    path: str
    kind: str
    name: str
    parameters: Mapping[str, Any]


def check(factory: Factory, known: Known) -> list[Fault]:
    """Return every fault of the factory, warnings too, by file."""
    definitions = [*factory.definitions.values(), *factory.stand_ins.values()]
    faults = _check(factory, known, definitions, list(factory.texts), list(factory.faults))
    for definition in definitions:
        faults += _some(definition.file, [*_warnings(factory, definition, known)])
    return sorted(faults, key=lambda fault: (fault.file, fault.severity, fault.path))


def check_pipeline(factory: Factory, name: str, known: Known) -> list[Fault]:
    """Return the errors that stand in the way of running one pipeline: its own, and those of all it reaches.

    What only one activity would meet, when its turn comes, is left to the run: it may never come, or be stubbed.
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
    return _check(
        factory, known, reached, texts, [fault for fault in factory.faults if fault.file in files], to_run=True
    )


def _check(
    factory: Factory,
    known: Known,
    definitions: Sequence[Definition],
    texts: Sequence[tuple[str, str]],
    faults: list[Fault],
    *,
    to_run: bool = False,
) -> list[Fault]:
    for definition in definitions:
        faults += _some(definition.file, _check_definition(factory, definition, known, to_run=to_run))
    faults += _check_calls(definitions)
    for kind, name in texts:
        if known.checker and kind in known.checked:
            try:
                known.checker(kind)(factory.texts[kind, name], f"{kind}/{name}")
            except Faults as error:
                faults += error.faults
            except ManaraError as error:
                faults.append(Fault(file=f"{kind}/{name}", path="", message=error.message, advice=error.advice))
    return sorted(faults, key=lambda fault: (fault.file, fault.path))


def _some(file: str, faults: Iterator[Fault] | list[Fault]) -> list[Fault]:
    """Return the first faults of a file, and one that says so where there are more."""
    first = list(islice(faults, MOST_FAULTS + 1))
    if len(first) > MOST_FAULTS:
        first[MOST_FAULTS:] = [
            Fault(file=file, path="", message="There are more faults in the file.", severity=first[0].severity)
        ]
    return first


def links(definition: Definition) -> list[Link]:
    """Return every reference in a definition to another file of the factory, but for those of inactive activities."""
    resource = definition.resource
    passed_by: tuple[str, ...] = ()
    if isinstance(resource, Pipeline):
        placed = place_all(definition.file, resource.properties.activities).all
        passed_by = tuple(f"{each.path}." for each in placed if not each.activity.is_active)
    found = _links(definition.data, "")
    return [link for link in found if not (passed_by and link.path.startswith(passed_by))]


def _links(value: Any, path: str, around: Mapping[str, Any] | None = None) -> Iterator[Link]:
    if isinstance(value, dict):
        target, name = value.get("type"), value.get("referenceName")
        kind = REFERENCES.get(target) if isinstance(target, str) else None
        if kind and isinstance(name, str) and not name.startswith("@"):
            # the parameters of a child pipeline stand beside the reference, those of all others inside it
            holder = around if kind == "pipeline" and around is not None else value
            yield Link(path=path, kind=kind, name=name, parameters=holder.get("parameters") or {})
        for key, item in value.items():
            place = f"{path}.{shown(key)}".removeprefix(".")
            if key in TEXT_REFERENCES and isinstance(item, str) and not item.startswith("@"):
                yield Link(path=place, kind=TEXT_REFERENCES[key], name=item, parameters={})
            yield from _links(item, place, value)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, dict | list):
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


def _check_definition(factory: Factory, definition: Definition, known: Known, *, to_run: bool) -> Iterator[Fault]:
    for link in links(definition):
        yield from _check_link(factory, definition, link)
    resource = definition.resource
    if isinstance(resource, Pipeline):
        declared = list(factory.global_parameters)
        yield from check_activities(definition, resource, known.activities, declared, to_run=to_run)
        for placed in place_all(definition.file, resource.properties.activities).all if known.can else ():
            if known.can and placed.activity.is_active:
                yield from check_abilities(factory, definition.file, placed, known.can)
    elif isinstance(resource, Dataset):
        yield from _check_expressions(definition, "dataset", resource.properties.parameters or {})
        yield from _check_type(definition, "dataset", resource.properties.type, known.datasets)
    elif isinstance(resource, LinkedService) and _is_used(factory, definition):
        yield from _check_expressions(definition, "linkedService", resource.properties.parameters or {})
        yield from _check_type(definition, "connector", resource.properties.type, known.connectors)


def _check_expressions(definition: Definition, kind: str, declared: Collection[str]) -> Iterator[Fault]:
    properties = definition.data["properties"]
    folded = {name.lower() for name in declared}
    for key in ("typeProperties", "linkedServiceName"):
        for path, text in expressions(properties.get(key)):
            place = f"properties.{key}.{path}"[:LONGEST_PATH]
            wrong = expr.check(text)
            if wrong:
                yield Fault(file=definition.file, path=place, message=str(wrong[0][1]))
                continue
            for reference in expr.references(text):
                if reference.kind == kind and reference.name and reference.name.lower() not in folded:
                    message = f"The {WORDS[kind]} has no parameter '{shown(reference.name)}'."
                    advice = nearest(reference.name, declared)
                    yield Fault(file=definition.file, path=place, message=message, advice=advice)


def _warnings(factory: Factory, definition: Definition, known: Known) -> Iterator[Fault]:
    yield from check_azure(definition)
    resource = definition.resource
    if known.can and _is_used(factory, definition):
        types = known.datasets if definition.kind == "dataset" else known.connectors
        yield from missing_library(definition, types, known.can)
    if isinstance(resource, Pipeline):
        for placed in place_all(definition.file, resource.properties.activities).all:
            if placed.activity.is_active:
                for path, message, advice in _about_activity(factory, placed, known):
                    yield Fault(file=definition.file, path=path, message=message, advice=advice, severity="warning")
    if isinstance(resource, LinkedService) and _is_used(factory, definition):
        properties = resource.properties
        closed = why_closed(properties.type, properties.type_properties)
        if properties.type in known.connectors and closed:
            stand_in = stand_in_for(properties.type, definition.name)
            told = f".{MADE_BY_AZURE}" if MADE_BY_AZURE in properties.type_properties else ""
            yield Fault(
                file=definition.file,
                path=f"properties.typeProperties{told}",
                message=closed,
                advice=f"{stand_in[0].upper()}{stand_in[1:]}."
                if stand_in
                else "Give a credential in a stand-in in local/linkedService/.",
                severity="warning",
            )


def _about_activity(factory: Factory, placed: Placed, known: Known) -> Iterator[tuple[str, str, str]]:
    """Yield path, message and advice: a notebook without its script, and a side of a copy that nobody knows."""
    activity = placed.activity
    missing = missing_script(factory, activity)
    if missing:
        yield (f"{placed.path}.typeProperties", *missing)
    lost = missing_procedure(factory, activity)
    if lost:
        yield (f"{placed.path}.typeProperties.{lost[0]}", *lost[1:])
    for side in ("source", "sink") if activity.type in ("Copy", "Lookup") else ():
        told = activity.type_properties.get(side)
        kind = told.get("type") if isinstance(told, Mapping) else None
        if isinstance(kind, str) and "@" not in kind:
            advice = unknown_side(side, kind, {*known.datasets, *known.connectors})
            if advice is not None:
                path = f"{placed.path}.typeProperties.{side}.type"
                yield path, f"There is no {side} type '{shown(kind)}'; the type of the dataset decides here.", advice


def _check_calls(definitions: Sequence[Definition]) -> Iterator[Fault]:
    """Yield a fault for each ring of pipelines that call one another."""
    by_name = {each.name: each for each in definitions if isinstance(each.resource, Pipeline)}
    calls = {
        name: {link.name: link for link in links(each) if link.kind == "pipeline"} for name, each in by_name.items()
    }
    ring = find_ring(calls)
    while ring:
        told = " -> ".join([*ring[:10], *(["..."] if len(ring) > 10 else []), ring[0]])
        last = calls[ring[-1]].pop(ring[0])
        message = f"The pipelines call one another in a ring: {told}."
        yield Fault(file=by_name[ring[-1]].file, path=last.path, message=message, advice="Take one call away.")
        ring = find_ring(calls)


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
            message=f"There is no {link.kind} '{shown(link.name)}'.",
            advice=nearest(link.name, factory.names(link.kind)),
        )
    elif not isinstance(link.parameters, Mapping):
        message = f"The parameters for the {link.kind} '{shown(link.name)}' are no object."
        yield Fault(file=definition.file, path=f"{link.path}.parameters", message=message, advice="Write name: value.")
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
            yield f"The {whose} has no parameter '{shown(name)}'.", nearest(name, declared)
    for name, parameter in declared.items():
        if not parameter.has_default and name not in given:
            need = f"The {whose} needs the parameter '{shown(name)}' ({parameter.type})."
            yield need, "Give it, or declare a defaultValue."


def _check_type(definition: Definition, kind: str, name: str, known: Collection[str]) -> Iterator[Fault]:
    if name not in known:
        message = f"The {WORDS[kind]} type '{shown(name)}' does not run here."
        advice = way_to_run(kind, name, definition.name, known)
        yield Fault(file=definition.file, path="properties.type", message=message, advice=advice)
