"""Every asset of a factory with what is known of it: meaning, columns, owner, quality, freshness, and who uses it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from manara.catalog.graph import family
from manara.catalog.history import History, Work, key_of
from manara.catalog.promise import conformed, documents, properties_of
from manara.clock import stamp
from manara.errors import NotFound, WrongDefinition
from manara.plugin.lineage import Asset
from manara.registry import near
from manara.resources.factory import Factory

_WAREHOUSES = ("DuckDB", "PostgreSql", "PostgreSqlV2", "AzurePostgreSql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column: its type and meaning as a contract or a subject area says it."""

    name: str
    type: str = ""
    description: str = ""
    is_key: bool = False
    is_required: bool = False
    classification: str = ""


@dataclass(slots=True, kw_only=True)
class Entry:
    """An asset in the catalog. `score` is the quality of its last load, from 0 to 1, None where none is known."""

    asset: Asset
    kind: str
    description: str = ""
    owner: str = ""
    contract: str = ""
    version: str = ""
    status: str = ""
    columns: list[Column] = field(default_factory=list)
    score: float | None = None
    fresh: datetime | None = None
    written_by: list[str] = field(default_factory=list)
    read_by: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    datasets: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        return f"{self.asset.namespace}/{self.asset.name}"

    def as_json(self) -> dict[str, Any]:
        """Return the entry as JSON."""
        return {
            "namespace": self.asset.namespace,
            "name": self.asset.name,
            "kind": self.kind,
            "description": self.description,
            "owner": self.owner,
            "contract": self.contract,
            "version": self.version,
            "status": self.status,
            "qualityScore": self.score,
            "lastWritten": stamp(self.fresh) if self.fresh else None,
            "columns": [asdict(column) for column in self.columns],
            "writtenBy": self.written_by,
            "readBy": self.read_by,
            "lastRuns": self.runs,
            "datasets": self.datasets,
        }


class Catalog:
    """All assets of a factory: those that runs read and wrote, and those that contracts and subject areas promise."""

    def __init__(self, history: History, factory: Factory) -> None:
        self._entries: dict[tuple[str, str], Entry] = {}
        self._promise(factory)
        self._star(factory)
        for work in history.works:
            self._take(work)

    def entries(self) -> list[Entry]:
        """Return all entries, tables first, by name."""
        return sorted(self._entries.values(), key=lambda one: (one.kind != "table", one.asset.name.lower()))

    def search(self, text: str) -> list[Entry]:
        """Return the entries in which every word of the text stands: in a name, a column, a meaning or an owner."""
        words = text.lower().split()
        return [one for one in self.entries() if all(word in _words(one) for word in words)]

    def find(self, text: str) -> Entry:
        """Return the entry that a text names. Raises NotFound, and WrongDefinition where it names several."""
        low = text.lower().strip("/")
        found = [one for one in self.entries() if low in {one.asset.name.lower(), one.id.lower()}]
        if not found:
            names = [one.asset.name for one in self.entries()]
            raise NotFound(f"The catalog has no '{text}'.", advice=near(text, names))
        if len(found) > 1:
            raise WrongDefinition(f"'{text}' is the name of several: {', '.join(one.id for one in found)}.")
        return found[0]

    def _promise(self, factory: Factory) -> None:
        homes = self._homes(factory)
        for name, contract in documents(factory, "contract").items():
            schema = contract.get("schema")
            table = schema[0] if isinstance(schema, list) and schema and isinstance(schema[0], dict) else {}
            entry = self._entry(Asset(namespace=homes, name=str(table.get("name") or name)), "table")
            entry.description = _meaning(table.get("description")) or _meaning(contract.get("description"))
            entry.contract, entry.version = name, str(contract.get("version") or "")
            entry.status, entry.owner = str(contract.get("status") or ""), _owner(contract)
            entry.columns = [_column(one) for one in properties_of(contract)]

    def _star(self, factory: Factory) -> None:
        home = self._homes(factory)
        for name, subject in documents(factory, "subject").items():
            for kind, prefix in (("dimensions", "dim_"), ("facts", "fact_")):
                for told in subject.get(kind) or ():
                    if isinstance(told, dict) and told.get("name"):
                        one = conformed(factory, told)
                        table = str(one.get("table") or f"{prefix}{one['name']}")
                        entry = self._entry(Asset(namespace=home, name=table), "table")
                        entry.description = str(one.get("description") or one.get("grain") or "")
                        entry.contract, entry.columns = entry.contract or f"subject {name}", list(_declared(one))
                        entry.owner = _owner(subject)

    def _homes(self, factory: Factory) -> str:
        """Return the linked service in which the tables of contracts lie: the warehouse, by its usual name or type."""
        names = factory.names("linkedService")
        usual = next((name for name in names if name.lower() == "warehouse"), "")
        types = {name: factory.linked_service(name).properties.type for name in names}
        return usual or next((name for kind in _WAREHOUSES for name in names if types[name] == kind), "")

    def _entry(self, asset: Asset, kind: str) -> Entry:
        key = key_of(asset)
        if key not in self._entries:
            self._entries[key] = Entry(asset=asset, kind=kind)
        return self._entries[key]

    def _take(self, work: Work) -> None:
        who = f"{work.pipeline}: {work.activity}"
        for asset in work.lineage.inputs:
            entry = self._entry(family(asset), _kind(asset))
            _note(entry.read_by, who)
            _name(entry, work, "inputs")
        for asset in work.lineage.outputs if work.succeeded else ():
            entry = self._entry(family(asset), _kind(asset))
            _note(entry.written_by, who)
            entry.fresh = work.ended
            entry.runs = [work.run_id, *(run for run in entry.runs if run != work.run_id)][:5]
            _name(entry, work, "outputs")
            if not entry.columns:
                entry.columns = [Column(name=name) for name in work.lineage.columns.get(asset, {})]
            score = _score(work.output.get("quality"))
            entry.score = score if score is not None else entry.score


def _name(entry: Entry, work: Work, side: str) -> None:
    for reference in work.input.get(side) or ():
        if isinstance(reference, Mapping) and reference.get("referenceName"):
            _note(entry.datasets, str(reference["referenceName"]))


def _note(held: list[str], text: str) -> None:
    if text not in held:
        held.append(text)


def _kind(asset: Asset) -> str:
    return "files" if "/" in asset.name else "table"


def _meaning(told: Any) -> str:
    """Return a description: a text, or the purpose and usage of a contract."""
    if isinstance(told, Mapping):
        return " ".join(str(told[name]) for name in ("purpose", "usage") if told.get(name))
    return str(told or "")


def _owner(document: Mapping[str, Any]) -> str:
    """Return who answers for a contract: its team's owner and members, else the address for support."""
    team = document.get("team")
    members: Sequence[Any] = (team.get("members") or ()) if isinstance(team, Mapping) else team or ()
    people = [one for one in members if isinstance(one, Mapping)]
    owner = next((one for one in people if str(one.get("role")).lower() in {"owner", "data owner"}), None)
    chosen = owner or (people[0] if people else None)
    if chosen:
        return str(chosen.get("name") or chosen.get("username") or "")
    if isinstance(team, Mapping) and team.get("name"):
        return str(team["name"])
    for one in document.get("support") or ():
        if isinstance(one, Mapping):
            return str(one.get("channel") or one.get("url") or "")
    return ""


def _column(one: Mapping[str, Any]) -> Column:
    return Column(
        name=str(one["name"]),
        type=str(one.get("logicalType") or "string"),
        description=str(one.get("description") or ""),
        is_key=bool(one.get("primaryKey")),
        is_required=bool(one.get("required") or one.get("primaryKey")),
        classification=str(one.get("classification") or ""),
    )


def _declared(table: Mapping[str, Any]) -> Iterator[Column]:
    """Yield the columns of a dimension or a fact."""
    keys = {str(name) for name in table.get("key") or ()}
    for role in table.get("roles") or ():
        told = f"Key of dim_{role.get('dimension')}."
        yield Column(name=f"{role['name']}_key", type="integer", description=told, is_key=role["name"] in keys)
    for part in ("attributes", "degenerate", "measures"):
        for one in table.get(part) or ():
            unit = f" In {one['unit']}." if one.get("unit") else ""
            told = f"{one.get('description') or ''}{unit}".strip()
            kind = str(one.get("type") or "string")
            yield Column(name=str(one["name"]), type=kind, description=told, is_key=one["name"] in keys)


def _score(told: Any) -> float | None:
    """Return the score that a gate's output tells."""
    value = told.get("score") if isinstance(told, Mapping) else told
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _words(entry: Entry) -> str:
    columns = " ".join(f"{one.name} {one.description} {one.classification}" for one in entry.columns)
    return f"{entry.id} {entry.description} {entry.owner} {entry.contract} {columns}".lower()
