"""The type names that Azure Data Factory has, and what would make those run that do not run here."""

import json
from collections.abc import Collection
from functools import cache
from importlib.resources import files

from manara.registry import near

_FOLDER = 'write a stand-in {{"type": "FileServer", "typeProperties": {{"host": "a folder"}}}} into {place}'
_DATABASE = 'write a stand-in {{"type": "DuckDB", "typeProperties": {{"path": "a file"}}}} into {place}'
_NO_SQL_TABLES = ("AzureTable", "LakehouseTable", "OdbcTable", "SapHanaTable", "WebTable")
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


def way_to_run(kind: str, type_name: str, name: str, known: Collection[str]) -> str:
    """Return a sentence: what would make an `activity`, `dataset` or `connector` of a type that is not known run."""
    if len(type_name) > _LONGEST:
        return ""
    if kind == "connector":
        return _way_of_service(type_name, name, known)
    if type_name in _azure(kind):
        return _way_of_dataset(type_name) if kind == "dataset" else f"{_WITHOUT} {_own(kind)}"
    close = near(type_name, {*known, *_azure(kind)})
    return close if close.startswith("Did") else near(type_name, known)


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
