"""What the journal tells of assets: which activity of which run read and wrote which table or file."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from manara.catalog.promise import promised
from manara.clock import parse
from manara.errors import ManaraError
from manara.expr import resolve
from manara.plugin.lineage import Asset, Lineage, defined_asset, read_lineage
from manara.resources.factory import Factory, from_snapshot
from manara.store.journal import Journal

_PAGE = 1000
_INDEX = re.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What one activity did once: `seq` orders all of them; `input` is what it was given, `output` what it told."""

    seq: int
    run_id: str
    group_id: str
    pipeline: str
    step: str
    type: str
    status: str
    started: datetime
    ended: datetime
    input: Mapping[str, Any]
    output: Mapping[str, Any]
    lineage: Lineage

    @property
    def activity(self) -> str:
        """The activity as the pipeline names it, whichever round of a loop it was."""
        return _INDEX.sub("", self.step)

    @property
    def succeeded(self) -> bool:
        return self.status == "Succeeded"


def key_of(asset: Asset) -> tuple[str, str]:
    """Return what tells an asset from others: SQL does not tell capitals apart, and no two files differ by them."""
    return asset.namespace.lower(), asset.name.lower()


class History:
    """All works that tell of rows, in order, with the definitions as they were."""

    def __init__(self, journal: Journal, factory: Factory) -> None:
        self._journal = journal
        self._factory = factory
        self._snapshots: dict[str, Factory] = {}
        self.works = list(self._read())
        self._writers: dict[tuple[str, str], list[Work]] = {}
        self._readers: dict[tuple[str, str], list[Work]] = {}
        for work in self.works:
            for asset in dict.fromkeys(work.lineage.outputs):
                self._writers.setdefault(key_of(asset), []).append(work)
            for asset in dict.fromkeys(work.lineage.inputs):
                self._readers.setdefault(key_of(asset), []).append(work)

    def writers(self, asset: Asset) -> list[Work]:
        """Return the works that wrote the asset, or the folder that it lies in; the newest first."""
        return _of(self._writers, asset)

    def readers(self, asset: Asset) -> list[Work]:
        """Return the works that read the asset, or the folder that it lies in; the newest first."""
        return _of(self._readers, asset)

    def assets(self) -> list[Asset]:
        """Return every asset that was read or written, once, in order."""
        found: dict[tuple[str, str], Asset] = {}
        for work in self.works:
            for asset in (*work.lineage.outputs, *work.lineage.inputs):
                found.setdefault(key_of(asset), asset)
        return [found[key] for key in sorted(found)]

    def definitions(self, group_id: str) -> Factory:
        """Return the factory as it was when the run started; as it is now, where that is sealed or lost."""
        if group_id not in self._snapshots:
            try:
                digest = self._journal.command(group_id).snapshot
                self._snapshots[group_id] = from_snapshot(self._factory.root, self._journal.snapshot(digest))
            except ManaraError:
                self._snapshots[group_id] = self._factory
        return self._snapshots[group_id]

    def described(self, group_id: str, reference: Mapping[str, Any]) -> dict[str, Any]:
        """Return the properties of the dataset that a reference names, its parameters filled in. Raises NotFound."""
        properties = self.definitions(group_id).dataset(str(reference.get("referenceName"))).properties
        declared = properties.parameters or {}
        values = {name: one.default_value for name, one in declared.items() if one.has_default}
        told = properties.model_dump(by_alias=True, exclude_unset=True, exclude={"parameters"})
        found: dict[str, Any] = resolve(told, {"dataset": {**values, **(reference.get("parameters") or {})}})
        return found

    def _read(self) -> Iterator[Work]:
        wanted = {"lineage": '%"lineage":%', "gate": '%"type":"QualityGate"%', "lookup": '%"type":"Lookup"%'}
        last = 0
        while page := self._journal.rows("works_after", after=last, most=_PAGE, **wanted):
            last = page[-1][0]
            for row in page:
                yield self._work(row)

    def _work(self, row: Any) -> Work:
        seq, run_id, step, at, body, begun, pipeline, group_id = row
        ended, given = json.loads(body), json.loads(begun)["input"] if begun else {}
        group = group_id or run_id
        return Work(
            seq=seq,
            run_id=run_id,
            group_id=group,
            pipeline=pipeline or "",
            step=step,
            type=ended.get("type", ""),
            status=ended["status"],
            started=parse(ended["startedAt"]),
            ended=parse(at),
            input=given,
            output=ended.get("output") or {},
            lineage=read_lineage(ended.get("output") or {}) or self._referred(group, given),
        )

    def _referred(self, group_id: str, given: Mapping[str, Any]) -> Lineage:
        """Return the assets of an activity that tells no lineage: those that its references mean."""
        dataset = given.get("dataset")
        sides = ([*(given.get("inputs") or ()), *([dataset] if dataset else ())], given.get("outputs") or ())
        inputs, outputs = (tuple(asset for one in side for asset in self._meant(group_id, one)) for side in sides)
        if given.get("contract") and inputs and outputs:
            columns = promised(self.definitions(group_id), str(given["contract"]), inputs[0])
            return Lineage(inputs=inputs, outputs=outputs, columns={outputs[0]: columns})
        return Lineage(inputs=inputs, outputs=outputs)

    def _meant(self, group_id: str, reference: Any) -> tuple[Asset, ...]:
        try:
            return defined_asset(self.described(group_id, reference), reference)
        except (ManaraError, AttributeError):
            return ()


def _of(held: Mapping[tuple[str, str], list[Work]], asset: Asset) -> list[Work]:
    namespace, name = key_of(asset)
    parts = name.split("/")
    names = ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]
    found = {work.seq: work for one in names for work in held.get((namespace, one), ())}
    return [found[seq] for seq in sorted(found, reverse=True)]
