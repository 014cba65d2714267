"""The type names that Azure Data Factory has, and what would make those run that do not run here."""

import json
import re
from collections.abc import Collection, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from manara.registry import near

_FOLDER = 'write a stand-in {{"type": "FileServer", "typeProperties": {{"host": "a folder"}}}} into {place}'
_DATABASE = 'write a stand-in {{"type": "DuckDB", "typeProperties": {{"path": "a file"}}}} into {place}'
_NO_SQL_TABLES = ("AzureTable", "LakehouseTable", "OdbcTable", "SapHanaTable", "WebTable")
MADE_BY_AZURE = "encryptedCredential"
"""The property that holds a credential which only Azure can read."""

NEEDS_NO_CREDENTIAL = frozenset({"AzureBatch", "AzureDatabricks", "AzureKeyVault", "AzureSynapseArtifacts"})
"""The linked services whose work is done on this machine, without asking theirs."""

_OWN_CREDENTIALS: Mapping[str, tuple[str, ...]] = {
    "AzureBlobFS": ("accountKey", "servicePrincipalId", "sasUri", "sasToken"),
    "AzureBlobStorage": ("connectionString", "accountKey", "servicePrincipalId", "sasUri", "sasToken"),
    "AzureSqlDatabase": ("password", "servicePrincipalId"),
    "AzureSqlDW": ("password", "servicePrincipalId"),
    "AzureSqlMI": ("password", "servicePrincipalId"),
}
"""Without one of these, Azure opens the linked service by the managed identity of the factory."""

_INSTEAD = {
    "DatabricksSparkJar": (
        "A jar cannot be run here: do its work in a Python script, by a DatabricksSparkPython activity, "
        'or set "state": "Inactive" to pass it by.'
    )
}
_WITHOUT = 'Replace it, or set "state": "Inactive" to pass it by.'
_LONGEST = 100
"""The longest type name for which something near is looked for."""

_OLD_FILES = ("AzureBlob", "AmazonS3Object", "AzureBlobFSFile", "AzureDataLakeStoreFile", "FileShare", "HttpFile")


def stand_in_for(service: str, name: str) -> str:
    """Return what to do so that a linked service of a type can be replaced on this machine; empty where nothing can.

    >>> stand_in_for("SapBW", "Sap")
    ''
    """
    place = f"local/linkedService/{name}.json"
    if service in _azure("store"):
        return _FOLDER.format(place=place)
    return _DATABASE.format(place=place) if service in _azure("database") else ""


def why_closed(service: str, properties: Mapping[str, Any]) -> str:
    """Return why a linked service of a known type cannot be opened from here by what it says; empty where it can.

    >>> why_closed("AzureBlobFS", {"url": "https://lake.dfs.core.windows.net"})
    "Azure opens it by the factory's managed identity, which is not here."
    """
    if service in NEEDS_NO_CREDENTIAL:
        return ""
    if MADE_BY_AZURE in properties:
        return "Only Azure can read its credential."
    told = properties.get("connectionString")
    kind = str(properties.get("authenticationType") or "")
    opened = kind == "Anonymous" or any(properties.get(name) for name in _OWN_CREDENTIALS.get(service, ()))
    if service.startswith("AzureSql") and not opened:
        opened = isinstance(told, Mapping) or bool(re.search(r"@|password|pwd", str(told or ""), re.IGNORECASE))
    if "ManagedIdentity" in kind or (service in _OWN_CREDENTIALS and not opened):
        return "Azure opens it by the factory's managed identity, which is not here."
    return ""


def way_to_run(kind: str, type_name: str, name: str, known: Collection[str]) -> str:
    """Return a sentence: what would make an `activity`, `dataset` or `connector` of a type that is not known run."""
    if len(type_name) > _LONGEST:
        return ""
    if kind == "connector":
        return _way_of_service(type_name, name, known)
    if type_name in _INSTEAD:
        return _INSTEAD[type_name]
    if type_name in _azure(kind):
        return _way_of_dataset(type_name) if kind == "dataset" else f"{_WITHOUT} {_own(kind)}"
    close = near(type_name, {*known, *_azure(kind)})
    return close if close.startswith("Did") else near(type_name, known)


def unknown_side(side: str, type_name: str, known: Collection[str]) -> str | None:
    """Return advice where the type of a copy's `source` or `sink` is none that Azure has, or that is ours.

    Ours are called after one of the `known` types of datasets and linked services. None for a good one.

    >>> unknown_side("source", "DelimitedTextSorce", []), unknown_side("sink", "DuckDBSink", ["DuckDBTable"])
    ("Did you mean 'DelimitedTextSource'?", None)
    """
    ending = side.capitalize()
    bare = {re.sub(r"(Table|Resource|Object|Collection)$", "", name) for name in known}
    names = {f"{name}{ending}" for name in (*_azure(side), *known, *bare)}
    if type_name in names:
        return None
    return near(type_name, names) if len(type_name) <= _LONGEST else ""


def _way_of_dataset(type_name: str) -> str:
    if type_name in _OLD_FILES:
        return "Describe the file by a dataset of its format, such as DelimitedText, with a location."
    if type_name.endswith("Table") and type_name not in _NO_SQL_TABLES:
        return "On a DuckDB stand-in, describe the table by a dataset of the type DuckDBTable."
    return _own("dataset")


def _way_of_service(type_name: str, name: str, known: Collection[str]) -> str:
    stand_in = stand_in_for(type_name, name)
    if stand_in:
        return f"{stand_in[0].upper()}{stand_in[1:]}."
    if type_name in _azure("service"):
        return f"Nothing here stands in for it. {_own('connector')}"
    return f"{near(type_name, known)} Or name a stand-in in local/linkedService/."


def _own(kind: str) -> str:
    return f"A package can add the type: entry-point group manara.{kind}."


@cache
def _azure(kind: str) -> frozenset[str]:
    names = json.loads(files("manara.resources").joinpath("azure.json").read_text(encoding="utf-8"))
    return frozenset(names[kind])
