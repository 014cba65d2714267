"""Lineage: what an activity says of where its rows came from, as a part of its output.

The catalog reads it from the journal; so no wing needs to know the catalog. An asset is named as the factory names it:
its linked service, and the path or table there.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from manara.plugin.activity import Given, Reference
from manara.table.lineage_told import How, ReadColumn, Script

LINEAGE = "lineage"
"""The field of an activity's output that holds its lineage."""

__all__ = [
    "Asset",
    "From",
    "How",
    "Lineage",
    "asset_of",
    "declared",
    "defined_asset",
    "of_columns",
    "of_script",
    "read_lineage",
    "safely",
    "table_asset",
]

MOST_TOLD = 1000
"""How many assets or files of a kind an output names: the journal stays small, whatever is copied."""

_PATH = ("container", "fileSystem", "bucketName", "folderPath", "fileName", "relativeUrl")
_TABLE = ("tableName", "collectionName", "collection", "path")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A table, a file or a folder: `namespace` is the linked service, `name` is `schema.table` or a path with `/`."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class From:
    """One column that a column was made from, and how."""

    asset: Asset
    column: str
    how: How = "IDENTITY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """What was read, what was written, and for each written asset which of its columns came from where.

    `reads` says of a written asset which of the inputs were read for it; all of them, where it says nothing.
    `unclear` says of written assets why columns could not be followed. Where many files of one folder were read, the
    folder is the input, and `files` are their paths below it; the first thousand are told, and how many more there are.
    """

    inputs: tuple[Asset, ...] = ()
    outputs: tuple[Asset, ...] = ()
    columns: Mapping[Asset, Mapping[str, tuple[From, ...]]] = field(default_factory=dict)
    reads: Mapping[Asset, tuple[Asset, ...]] = field(default_factory=dict)
    unclear: Mapping[Asset, str] = field(default_factory=dict)
    deleted: tuple[Asset, ...] = ()
    files: tuple[str, ...] = ()

    def told(self) -> dict[str, Any]:
        """Return what goes into the activity's output: `{"lineage": {"inputs": [...], "outputs": [...]}}`.

        Each output carries `columns`: the column's name to a list of `{"namespace", "name", "column", "how"}`.
        """
        told: dict[str, Any] = {
            "inputs": [_asset(each) for each in self.inputs[:MOST_TOLD]],
            "outputs": [self._output(each) for each in self.outputs[:MOST_TOLD]],
        }
        for name, found in (("inputs", self.inputs), ("outputs", self.outputs)):
            if len(found) > MOST_TOLD:
                told[f"{name}LeftOut"] = len(found) - MOST_TOLD
        if self.deleted:
            told["deleted"] = [_asset(each) for each in self.deleted[:MOST_TOLD]]
            told["deletedLeftOut"] = max(0, len(self.deleted) - MOST_TOLD)
        if self.files:
            told["files"] = list(self.files[:MOST_TOLD])
            told["filesLeftOut"] = max(0, len(self.files) - MOST_TOLD)
        return {LINEAGE: told}

    def _output(self, asset: Asset) -> dict[str, Any]:
        found = self.columns.get(asset, {})
        columns = {name: [_from(one) for one in sources] for name, sources in found.items()}
        reads = {"inputs": [_asset(one) for one in self.reads[asset]]} if asset in self.reads else {}
        return (
            _asset(asset)
            | {"columns": columns}
            | reads
            | ({"unclear": why} if (why := self.unclear.get(asset)) else {})
        )


def read_lineage(output: Mapping[str, Any]) -> Lineage | None:
    """Return the lineage that an activity's output holds; None where it holds none."""
    held = output.get(LINEAGE)
    if not isinstance(held, Mapping):
        return None
    outputs = list(held.get("outputs") or ())
    return Lineage(
        inputs=tuple(_read_asset(each) for each in held.get("inputs") or ()),
        outputs=tuple(_read_asset(each) for each in outputs),
        columns={
            _read_asset(each): {
                name: tuple(From(asset=_read_asset(one), column=one["column"], how=one["how"]) for one in found)
                for name, found in (each.get("columns") or {}).items()
            }
            for each in outputs
        },
        reads={
            _read_asset(each): tuple(_read_asset(one) for one in each["inputs"]) for each in outputs if "inputs" in each
        },
        unclear={_read_asset(each): str(each["unclear"]) for each in outputs if each.get("unclear")},
        deleted=tuple(_read_asset(each) for each in held.get("deleted") or ()),
        files=tuple(str(each) for each in held.get("files") or ()),
    )


def safely(tell: Callable[[], Lineage]) -> dict[str, Any]:
    """Return what `tell` finds, for an output; where it fails, that the lineage is not known, and why.

    Lineage is told beside the work when that is done: no fault in it may end what succeeded.
    """
    try:
        return tell().told()
    except Exception as error:  # noqa: BLE001 # see above
        return {LINEAGE: {"inputs": [], "outputs": [], "unclear": f"{type(error).__name__}: {str(error)[:200]}"}}


def declared(given: Given) -> dict[str, Any]:
    """Return, for an output, what an activity that runs foreign code declares as its `inputs` and `outputs`.

    Nothing where it declares none.
    """

    def told() -> Lineage:
        inputs, outputs = (
            tuple(asset for one in found for asset in asset_of(given, one)) for found in (given.inputs, given.outputs)
        )
        return Lineage(inputs=inputs, outputs=outputs)

    return safely(told) if given.inputs or given.outputs else {}


def of_script(namespace: str, script: Script) -> Lineage:
    """Return what SQL does in a database as lineage; `namespace` is its linked service."""

    def asset(name: str) -> Asset:
        return Asset(namespace=namespace, name=name)

    inputs = dict.fromkeys([*script.reads, *(name for one in script.written for name in one.inputs)])
    return Lineage(
        inputs=tuple(asset(name) for name in inputs),
        outputs=tuple(asset(one.table) for one in script.written),
        columns={asset(one.table): of_columns(namespace, one.columns) for one in script.written},
        reads={asset(one.table): tuple(asset(name) for name in one.inputs) for one in script.written},
        unclear={asset(one.table): one.unclear for one in script.written if one.unclear},
    )


def of_columns(namespace: str, columns: Mapping[str, tuple[ReadColumn, ...]]) -> dict[str, tuple[From, ...]]:
    """Return the origins of columns that SQL of a database tells, as lineage."""
    return {
        name: tuple(
            From(asset=Asset(namespace=namespace, name=each.table), column=each.column, how=each.how) for each in found
        )
        for name, found in columns.items()
    }


def asset_of(given: Given, reference: Reference, files: Iterable[str] = ()) -> tuple[Asset, ...]:
    """Return what a dataset reference of the activity means; each of `files` (paths below its folder) by itself."""
    return defined_asset(given.describe("dataset", reference)["properties"], reference, files)


def defined_asset(definition: Mapping[str, Any], reference: Reference, files: Iterable[str] = ()) -> tuple[Asset, ...]:
    """Return what the `properties` of a dataset mean, its parameters filled in; `files` as for `asset_of`."""
    namespace = str((definition.get("linkedServiceName") or {}).get("referenceName") or "")
    properties = definition.get("typeProperties") or {}
    table = _table(properties)
    if table:
        return (Asset(namespace=namespace, name=table),)
    place = {**properties, **(properties.get("location") or {})}
    parts = [str(place[name]).strip("/") for name in _PATH if isinstance(place.get(name), str) and place[name]]
    named = list(files)
    if named:
        folder = parts[:-1] if place.get("fileName") else parts
        return tuple(Asset(namespace=namespace, name="/".join([*folder, each])) for each in named)
    return (Asset(namespace=namespace, name="/".join(parts) or str(reference.get("referenceName") or "")),)


def table_asset(namespace: str, schema: str, table: str) -> Asset:
    """Return the asset of a table: `table` alone in the usual schema (`main`, `dbo`, `public` or none)."""
    usual = schema.lower() in ("", "main", "dbo", "public")
    return Asset(namespace=namespace, name=table if usual else f"{schema}.{table}")


def _table(properties: Mapping[str, Any]) -> str:
    if isinstance(properties.get("table"), str) and properties["table"]:
        schema = properties.get("schema")
        return table_asset("", schema if isinstance(schema, str) else "", properties["table"]).name
    named = next((str(properties[name]) for name in _TABLE if isinstance(properties.get(name), str)), "")
    schema, _, table = named.rpartition(".")
    return table_asset("", schema, table).name


def _asset(asset: Asset) -> dict[str, Any]:
    return {"namespace": asset.namespace, "name": asset.name}


def _from(one: From) -> dict[str, Any]:
    return _asset(one.asset) | {"column": one.column, "how": one.how}


def _read_asset(held: Mapping[str, Any]) -> Asset:
    return Asset(namespace=str(held["namespace"]), name=str(held["name"]))
