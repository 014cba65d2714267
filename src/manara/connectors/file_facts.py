"""What is told about files without copying them: the fields of GetMetadata, and the interim types of columns."""

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC
from typing import Any

import pyarrow as pa

from manara.connectors.selection import join, location, missing, store_of
from manara.errors import WrongDefinition
from manara.plugin.connection import FileInfo, Store
from manara.plugin.dataset import DatasetGiven

_BUFFER_BYTES = 1 << 20
_UNSTRUCTURED = {"Binary", "Json", "Xml"}


def metadata(given: DatasetGiven, fields: Sequence[str]) -> dict[str, Any]:
    """Return what GetMetadata tells of the file or the folder.

    A field that only the other of the two has is left out. Raises SourceMissing where there is nothing, unless
    `exists` is asked for, and WrongDefinition where the columns of Binary, Json or Xml are asked for (rule 91).
    """
    store = store_of(given)
    path = join(*location(given))
    if given.type in _UNSTRUCTURED and (asked := {"structure", "columnCount"} & set(fields)):
        raise WrongDefinition(
            f"GetMetadata tells no {min(asked)} of {given.type} files.",
            where=f"dataset '{given.name}'",
            advice="Take it out of the fieldList, or look at the first row with a Lookup.",
        )
    info = store.info(path)
    if info is None:
        if "exists" in fields:
            return {"exists": False}
        raise missing(store, path)
    return {field: _FACTS[field](store, info) for field in fields if field in _FACTS and _has(info, field)}


def _has(info: FileInfo, field: str) -> bool:
    if field in {"created", "lastModified"}:
        return info.modified.timestamp() != 0  # a folder that is only the beginning of names was never written
    return field != "childItems" if not info.is_folder else field not in {"size", "contentMD5"}


def _children(store: Store, info: FileInfo) -> list[dict[str, str]]:
    return [{"name": entry.name, "type": _kind(entry)} for entry in store.list(info.path)]


def _kind(info: FileInfo) -> str:
    return "Folder" if info.is_folder else "File"


def _md5(store: Store, info: FileInfo) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with store.open(info.path) as file:
        while piece := file.read(_BUFFER_BYTES):
            digest.update(piece)
    return base64.b64encode(digest.digest()).decode()


def _modified(_store: Store, info: FileInfo) -> str:
    return info.modified.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_FACTS = {
    "exists": lambda _store, _info: True,
    "itemName": lambda _store, info: info.name,
    "itemType": lambda _store, info: _kind(info),
    "size": lambda _store, info: info.size_bytes,
    "created": _modified,
    "lastModified": _modified,
    "childItems": _children,
    "contentMD5": _md5,
}


def interim_type(kind: pa.DataType) -> str:
    """Return ADF's interim type of an Arrow type; see rule 102."""
    for test, name in _INTERIM:
        if test(kind):
            return name
    return "String"


_INTERIM = (
    (pa.types.is_boolean, "Boolean"),
    (pa.types.is_int64, "Int64"),
    (pa.types.is_integer, "Int32"),
    (pa.types.is_float32, "Single"),
    (pa.types.is_float64, "Double"),
    (pa.types.is_decimal, "Decimal"),
    (pa.types.is_timestamp, "DateTime"),
    (pa.types.is_date, "DateTime"),
    (pa.types.is_time, "TimeSpan"),
    (pa.types.is_binary, "Byte[]"),
)
