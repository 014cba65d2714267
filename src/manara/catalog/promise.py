"""Data contracts and subject areas as the catalog reads them: as data, for what they say of tables and columns."""

from collections.abc import Mapping
from typing import Any

import sqlglot
import yaml
from sqlglot import exp
from sqlglot.errors import SqlglotError

from manara.errors import NotFound
from manara.plugin.lineage import Asset, From
from manara.resources.factory import Factory


def documents(factory: Factory, kind: str) -> dict[str, dict[str, Any]]:
    """Return the YAML files of a kind by name; one that cannot be read is left out (`manara validate` tells of it)."""
    found = {}
    for name in factory.names(kind):
        try:
            document = yaml.safe_load(factory.text(kind, name))
        except (yaml.YAMLError, NotFound):
            continue
        if isinstance(document, dict):
            found[name.rsplit(".", 1)[0]] = document
    return found


def conformed(factory: Factory, dimension: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a dimension as the subject area declares it that it conforms to; as it is, where that is not known."""
    if not dimension.get("conformed"):
        return dimension
    try:
        other = yaml.safe_load(factory.text("subject", str(dimension["conformed"])))
    except (yaml.YAMLError, NotFound):
        return dimension
    declared = other.get("dimensions") if isinstance(other, dict) else None
    found = (one for one in declared or () if isinstance(one, dict) and one.get("name") == dimension.get("name"))
    return next(found, dimension)


def properties_of(contract: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the columns that a contract promises of its table."""
    schema = contract.get("schema")
    first = schema[0] if isinstance(schema, list) and schema and isinstance(schema[0], dict) else {}
    return [one for one in first.get("properties") or () if isinstance(one, dict) and one.get("name")]


def promised(factory: Factory, name: str, source: Asset) -> dict[str, tuple[From, ...]]:
    """Return where a gate takes each column of its table from, as the contract says."""
    contract = documents(factory, "contract").get(name, {})
    return {str(one["name"]): _taken(one, source) for one in properties_of(contract)}


def _taken(column: Mapping[str, Any], source: Asset) -> tuple[From, ...]:
    logic = column.get("transformLogic")
    if isinstance(logic, str):
        try:
            names = dict.fromkeys(one.name for one in sqlglot.parse_one(logic, dialect="duckdb").find_all(exp.Column))
        except SqlglotError:
            return ()
        return tuple(From(asset=source, column=name, how="TRANSFORMATION") for name in names)
    name = str(column.get("physicalName") or column["name"])
    is_text = column.get("logicalType", "string") == "string"
    return (From(asset=source, column=name, how="IDENTITY" if is_text else "TRANSFORMATION"),)
