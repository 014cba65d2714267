"""The names of the files that a copy writes: one for each file of the source, or several of so many rows each."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from manara.errors import WrongDefinition
from manara.registry import near

PRESERVE, FLATTEN, MERGE = "PreserveHierarchy", "FlattenHierarchy", "MergeFiles"
_BEHAVIOURS = (PRESERVE, FLATTEN, MERGE)
_PACKED = (".gz", ".bz2", ".zst", ".deflate", ".snappy", ".lz4", ".zip", ".tgz", ".tar.gz", ".tar")
_TEXTS = (".csv", ".tsv", ".txt", ".psv", ".dat", ".tab")
_OBJECTS = (".json", ".jsonl", ".ndjson")
_DATA = (*_TEXTS, *_OBJECTS, ".parquet", ".avro", ".orc", ".xlsx", ".xls", ".xlsm", ".xml")
_FAMILIES = (_TEXTS, _OBJECTS)


def behaviour(settings: Mapping[str, Any]) -> str:
    """Return the sink's copyBehavior; PreserveHierarchy unless told (rule 104)."""
    told = (settings.get("storeSettings") or {}).get("copyBehavior") or settings.get("copyBehavior") or PRESERVE
    if told not in _BEHAVIOURS:
        raise WrongDefinition(f"copyBehavior cannot be '{told}'.", advice=near(str(told), _BEHAVIOURS))
    return str(told)


def most_rows(settings: Mapping[str, Any]) -> int:
    """Return how many rows at most go into one file (maxRowsPerFile); 0 for all."""
    told = (settings.get("formatSettings") or {}).get("maxRowsPerFile") or 0
    try:
        most = int(str(told))
    except ValueError as error:
        raise WrongDefinition(f"maxRowsPerFile is a whole number, not '{told}'.") from error
    if most < 0:
        raise WrongDefinition(f"maxRowsPerFile is a whole number from 1, not {most}.")
    return most


def own_name(name: str, extension: str, packed: str) -> str:
    """Return the path of the file that a source's file becomes, with the sink's ending where its kind is another.

    >>> own_name("2024/a.csv.gz", ".parquet", "")
    '2024/a.parquet'
    >>> own_name("a.txt", ".csv", ".gz")
    'a.txt.gz'
    >>> own_name("a.2024", ".csv", "")
    'a.2024.csv'
    """
    folder, slash, file = name.rpartition("/")
    for ending in _PACKED:
        if file.lower().endswith(ending) and len(file) > len(ending):
            file = file[: -len(ending)]
    ending = next((one for one in _DATA if file.lower().endswith(one) and len(file) > len(one)), "")
    family = next((family for family in _FAMILIES if extension.lower() in family), (extension.lower(),))
    if ending not in family:
        file = file[: len(file) - len(ending)] + extension
    return f"{folder}{slash}{file}{packed}"


def flat(names: Sequence[str]) -> list[str]:
    """Return the names without their folders; those that would be the same get a mark made of their path.

    >>> flat(["a/x.csv", "y.csv"])
    ['x.csv', 'y.csv']
    """
    last = [name.rpartition("/")[2] for name in names]
    counts = Counter(last)
    return [own if counts[own] == 1 else marked(name) for own, name in zip(last, names, strict=True)]


def marked(name: str) -> str:
    """Return the name without its folders, with a mark made of its path: the same whatever lies beside it."""
    own = name.rpartition("/")[2]
    stem, point, ending = own.partition(".")
    return f"{stem}_{hashlib.sha256(name.encode()).hexdigest()[:10]}{point}{ending}"
