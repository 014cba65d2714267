"""Lineage: what an activity says of where its rows came from, as a part of its output.

The catalog reads it from the journal; so no wing needs to know the catalog. An asset is named as the factory names it:
its linked service, and the path or table there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from manara.plugin.activity import Given, Reference

LINEAGE = "lineage"
"""The field of an activity's output that holds its lineage."""

How = Literal["IDENTITY", "TRANSFORMATION", "AGGREGATION"]
"""How a value came to be, in OpenLineage's words: as it was, computed from one row, or from several."""

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
    """What was read, what was written, and for each written asset which of its columns came from where."""

    inputs: tuple[Asset, ...] = ()
    outputs: tuple[Asset, ...] = ()
    columns: Mapping[Asset, Mapping[str, tuple[From, ...]]] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        """Return what goes into the activity's output: `{"lineage": {"inputs": [...], "outputs": [...]}}`.

        Each output carries `columns`: the column's name to a list of `{"namespace", "name", "column", "how"}`.
        """
        outputs = [
            _asset(each)
            | {"columns": {name: [_from(one) for one in found] for name, found in self.columns.get(each, {}).items()}}
            for each in self.outputs
        ]
        return {LINEAGE: {"inputs": [_asset(each) for each in self.inputs], "outputs": outputs}}


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
    )


def asset_of(given: Given, reference: Reference, files: Iterable[str] = ()) -> tuple[Asset, ...]:
    """Return what a dataset reference of the activity means; each of `files` (paths below its folder) by itself."""
    definition = given.describe("dataset", reference)["properties"]
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
