"""How much of a factory runs here: which of its parts do, which need a stand-in, and which cannot."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from manara.resources.azure import stand_in_for, way_to_run, why_closed
from manara.resources.check import Known, Link, links
from manara.resources.factory import Factory, missing_script
from manara.resources.model import LinkedService
from manara.resources.placed import place_all

RUNS, STAND_IN, CANNOT = "runs", "needs a stand-in", "cannot"
VERDICTS = (RUNS, STAND_IN, CANNOT)
KINDS = ("activity", "dataset", "linkedService")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One linked service, dataset, activity or pipeline, and whether it runs here.

    `reason` says what stands in the way, and `advice` what would make it run; both are empty where it runs.
    """

    kind: str
    name: str
    type: str
    verdict: str
    reason: str = ""
    advice: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the part as JSON."""
        return {name: getattr(self, name) for name in ("kind", "name", "type", "verdict", "reason", "advice")}


class Coverage:
    """The parts of a factory, each with its verdict. Definitions that cannot be read are not among them."""

    def __init__(self, factory: Factory, known: Known) -> None:
        self._factory = factory
        self._known = known
        self._known_links: dict[str, list[Link]] = {}

    @cached_property
    def services(self) -> dict[str, Part]:
        """The linked services by name; one that is replaced on this machine counts as what replaces it."""
        names = [*self._factory.names("linkedService"), *self._factory.stand_ins]
        return {name: self._service(name) for name in sorted(set(names))}

    @cached_property
    def datasets(self) -> dict[str, Part]:
        """The datasets by name."""
        return {name: self._dataset(name) for name in self._factory.names("dataset")}

    @cached_property
    def activities(self) -> dict[str, list[Part]]:
        """The active activities of each pipeline, those inside containers too, each for itself."""
        return {name: list(self._activities(name)) for name in self._factory.names("pipeline")}

    @cached_property
    def pipelines(self) -> dict[str, Part]:
        """The pipelines by name: each as good as the worst of its activities and of the pipelines that it calls."""
        return {name: self._pipeline(name) for name in self._factory.names("pipeline")}

    def parts(self, kind: str) -> list[Part]:
        """Return the parts of a kind (`activity`, `dataset`, `linkedService`)."""
        if kind == "activity":
            return [part for parts in self.activities.values() for part in parts]
        return list((self.datasets if kind == "dataset" else self.services).values())

    def _service(self, name: str) -> Part:
        properties = self._factory.linked_service(name).properties
        stood_in = name in self._factory.stand_ins
        verdict, reason, advice = RUNS, "", ""
        stand_in = stand_in_for(properties.type, name)
        if properties.type not in self._known.connectors:
            verdict = STAND_IN if stand_in and not stood_in else CANNOT
            reason = f"The linked service type '{properties.type}' does not run here."
            advice = way_to_run("connector", properties.type, name, self._known.connectors)
        elif closed := why_closed(properties.type, properties.type_properties):
            verdict, reason = STAND_IN, closed
            advice = (
                f"{stand_in[:1].upper()}{stand_in[1:]}." if stand_in else "Name a stand-in in local/linkedService/."
            )
        kind = _published_type(self._factory, name) if stood_in else properties.type
        return Part(kind="linkedService", name=name, type=kind, verdict=verdict, reason=reason, advice=advice)

    def _dataset(self, name: str) -> Part:
        properties = self._factory.dataset(name).properties
        if properties.type not in self._known.datasets:
            return Part(
                kind="dataset",
                name=name,
                type=properties.type,
                verdict=CANNOT,
                reason=f"The dataset type '{properties.type}' does not run here.",
                advice=way_to_run("dataset", properties.type, name, self._known.datasets),
            )
        service = properties.linked_service_name.reference_name
        verdict, reason, advice = self._used("linkedService", service)
        return Part(kind="dataset", name=name, type=properties.type, verdict=verdict, reason=reason, advice=advice)

    def _used(self, kind: str, name: str) -> tuple[str, str, str]:
        """Return verdict, reason and advice of what is named; one whose name is computed counts as running."""
        found = (self.datasets if kind == "dataset" else self.services).get(name)
        if found is None:
            if name.startswith("@"):
                return RUNS, "", ""
            return CANNOT, f"There is no {kind} '{name}', or it cannot be read.", "See: manara validate"
        return found.verdict, f"{kind} '{name}': {found.reason}" if found.reason else "", found.advice

    def _activities(self, name: str) -> Iterator[Part]:
        definition = self._factory.definitions["pipeline", name]
        activities = self._factory.pipeline(name).properties.activities
        placed = [each for each in place_all(definition.file, activities).all if each.activity.is_active]
        used = _by_activity(self._links(name), [each.path for each in placed])
        for each in placed:
            kind, activity = each.activity.type, each.activity.name
            found = [self._used(link.kind, link.name) for link in used[each.path] if link.kind in KINDS]
            if kind not in self._known.activities:
                advice = way_to_run("activity", kind, activity, self._known.activities)
                found = [(CANNOT, f"The activity type '{kind}' does not run here.", advice)]
            missing = missing_script(self._factory, each.activity)
            if missing and kind in self._known.activities:
                found.append((STAND_IN, *missing))
            verdict, reason, advice = _worst(found)
            yield Part(kind="activity", name=activity, type=kind, verdict=verdict, reason=reason, advice=advice)

    def _pipeline(self, name: str) -> Part:
        found = []
        for reached in self._called(name):
            for part in self.activities.get(reached, []):
                where = f"{part.name}: " if reached == name else f"pipeline '{reached}', {part.name}: "
                found.append((part.verdict, where + part.reason if part.reason else "", part.advice))
            if reached not in self.activities:
                reason = f"There is no pipeline '{reached}', or it cannot be read."
                found.append((CANNOT, reason, "See: manara validate"))
            if any(link.kind == "pipeline" and link.name == name for link in self._links(reached)):
                found.append((CANNOT, "It calls itself, directly or through others.", "Take the call away."))
        verdict, reason, advice = _worst(found)
        return Part(kind="pipeline", name=name, type="Pipeline", verdict=verdict, reason=reason, advice=advice)

    def _called(self, name: str) -> list[str]:
        """Return the pipeline and all that it calls, directly or not."""
        found: dict[str, None] = {}
        ahead = [name]
        while ahead:
            each = ahead.pop()
            if each not in found:
                found[each] = None
                ahead += [link.name for link in self._links(each) if link.kind == "pipeline"]
        return list(found)

    def _links(self, name: str) -> list[Link]:
        if name not in self._known_links:
            definition = self._factory.definitions.get(("pipeline", name))
            self._known_links[name] = links(definition) if definition else []
        return self._known_links[name]


def _worst(found: Iterable[tuple[str, str, str]]) -> tuple[str, str, str]:
    return max(found, key=lambda each: VERDICTS.index(each[0]), default=(RUNS, "", ""))


def _published_type(factory: Factory, name: str) -> str:
    published = factory.definitions.get(("linkedService", name)) or factory.stand_ins[name]
    return published.resource.properties.type if isinstance(published.resource, LinkedService) else ""


def _by_activity(found: Collection[Link], paths: Collection[str]) -> dict[str, list[Link]]:
    """Return the references by the innermost activity that they stand in."""
    held: dict[str, list[Link]] = {path: [] for path in paths}
    for link in found:
        path = link.path
        while path and path not in held:
            path = _outer(path)
        if path:
            held[path].append(link)
    return held


def _outer(path: str) -> str:
    """Return the path without its last part: `a.b[0]` gives `a.b`, which gives `a`."""
    return path[: max(path.rfind("."), path.rfind("["), 0)]
