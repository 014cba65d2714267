"""The older dataset types (AzureBlob, FileShare, ...), whose `format` says what is in the files, in today's spelling.

Source: the ADF pages of supported file formats (legacy), and of the legacy models of each file store.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from manara.connectors.wildcards import is_wild
from manara.errors import WrongDefinition
from manara.plugin.connection import Mark
from manara.plugin.dataset import (
    DATASETS,
    ByParts,
    Dataset,
    DatasetGiven,
    Deletable,
    Doomed,
    InParts,
    Part,
    Tally,
    dataset,
)
from manara.registry import near

Settings = Mapping[str, Any]

_TYPES = {
    "textformat": "DelimitedText",
    "jsonformat": "Json",
    "avroformat": "Avro",
    "orcformat": "Orc",
    "parquetformat": "Parquet",
}
_ON_STORE = (
    "recursive", "copyBehavior", "maxConcurrentConnections", "wildcardFileName", "wildcardFolderPath", "fileListPath",
    "modifiedDatetimeStart", "modifiedDatetimeEnd",
)  # fmt: skip
_NULL_BY_HABIT = "\\N"


@dataset("HttpFile", can={"read"})
@dataset(
    "AzureBlob", "AzureBlobFSFile", "AzureDataLakeStoreFile", "FileShare", "AmazonS3Object",
    can={"read", "write", "list", "delete"},
)  # fmt: skip
def legacy(given: DatasetGiven) -> "LegacyFiles | LegacyRows":
    """Return the files as the dataset type of their `format` does, Binary where there is none.

    The sources and sinks that go with it (BlobSource, FileSystemSink, ...) may have `recursive`, `copyBehavior` and
    `skipHeaderLineCount` beside them instead of in storeSettings and formatSettings.
    """
    told = given.properties.get("format") or {}
    if not isinstance(told, Mapping):
        raise WrongDefinition("format is an object.", where=f"dataset '{given.name}'")
    spelt = str(told.get("type") or "")
    kind = _TYPES.get(spelt.lower(), "") if spelt else "Binary"
    if not kind:
        known = ("TextFormat", "JsonFormat", "AvroFormat", "OrcFormat", "ParquetFormat")
        raise WrongDefinition(
            f"There is no format '{spelt}'.", where=f"dataset '{given.name}'", advice=near(spelt, known)
        )
    properties, narrowed = newer(given.properties, kind)
    inner = DATASETS.find(kind)(replace(given, type=kind, properties=properties))
    kept = LegacyRows if isinstance(inner, InParts) else LegacyFiles
    return kept(inner=inner, narrowed=narrowed, told=told)


def newer(properties: Settings, kind: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the properties of a dataset in today's spelling, and what has become the source's store settings."""
    told = properties.get("format") or {}
    folder, name = str(properties.get("folderPath") or ""), _name(properties)
    narrowed: dict[str, Any] = {
        option: properties[option]
        for option in ("modifiedDatetimeStart", "modifiedDatetimeEnd", "prefix")
        if properties.get(option)
    }
    if is_wild(name):
        narrowed["wildcardFileName"] = name
        name = ""
    if is_wild(folder):
        narrowed["wildcardFolderPath"] = folder
        folder = ""
    place = {"bucketName": properties.get("bucketName"), "folderPath": folder, "fileName": name}
    found: dict[str, Any] = {"location": {key: value for key, value in place.items() if value}}
    if properties.get("compression"):
        found["compression"] = properties["compression"]
    # Definitions of that age spell nullValue with a capital letter, too.
    found |= {key[:1].lower() + key[1:]: value for key, value in told.items() if key != "type"}
    if kind == "DelimitedText":
        # Quotes and escapes are none unless told, and a missing value is \N.
        found = {"quoteChar": "", "escapeChar": "", "nullValue": _NULL_BY_HABIT, **found}
    return found, narrowed


def _name(properties: Settings) -> str:
    """Return the file name: that of HttpFile is its address, that of AmazonS3Object its key."""
    for option in ("fileName", "relativeUrl", "key", "fileFilter"):
        if properties.get(option):
            return str(properties[option])
    return ""


def newer_settings(settings: Settings, narrowed: Settings, told: Settings) -> dict[str, Any]:
    """Return the settings of a source or sink in today's spelling."""
    store = {option: settings[option] for option in _ON_STORE if option in settings}
    rows: dict[str, Any] = {}
    skipped = settings.get("skipHeaderLineCount") or told.get("skipLineCount")
    if skipped:
        rows["skipLineCount"] = skipped
    if told.get("filePattern"):
        rows["filePattern"] = told["filePattern"]
    found: dict[str, Any] = {
        **settings,
        "storeSettings": {**narrowed, **store, **(settings.get("storeSettings") or {})},
        "formatSettings": {**rows, **(settings.get("formatSettings") or {})},
    }
    if told.get("jsonNodeReference") and not settings.get("collectionReference"):
        found["collectionReference"] = told["jsonNodeReference"]
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyFiles:
    """A dataset in today's spelling that is told everything in the older one."""

    inner: Dataset
    narrowed: Settings
    told: Settings

    def read(self, settings: Settings, tally: Tally) -> pa.RecordBatchReader:
        named = self.told.get("jsonPathDefinition")
        if not isinstance(named, Mapping) or settings.get("paths"):
            return self.inner.read(self._newer(settings), tally)
        paths = [str(path).strip() for path in named.values()]
        rows = self.inner.read({**self._newer(settings), "paths": paths}, tally)
        schema = pa.schema([pa.field(name, rows.schema.field(path).type)
                            for name, path in zip(named, paths, strict=True)])  # fmt: skip
        return pa.RecordBatchReader.from_batches(
            schema, (pa.record_batch(batch.select(paths).columns, schema=schema) for batch in rows)
        )

    def write(self, settings: Settings, rows: pa.RecordBatchReader, mark: Mark, tally: Tally) -> dict[str, Any]:
        return self.inner.write(self._newer(settings), rows, mark, tally)

    def metadata(self, fields: Sequence[str]) -> dict[str, Any]:
        return self.inner.metadata(fields)

    def _newer(self, settings: Settings) -> dict[str, Any]:
        return newer_settings(settings, self.narrowed, self.told)

    def doomed(self, settings: Settings) -> list[Doomed]:
        return self.inner.doomed(self._newer(settings)) if isinstance(self.inner, Deletable) else []


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyRows(LegacyFiles):
    """Such a dataset of rows, whose files can be copied one by one."""

    def parts(self, settings: Settings) -> list[Part]:
        found = self.inner.parts(self._newer(settings)) if isinstance(self.inner, InParts) else []
        return [replace(part, dataset=replace(self, inner=part.dataset)) for part in found]

    def targets(self, settings: Settings, names: Sequence[str]) -> list[Dataset] | None:
        found = self.inner.targets(self._newer(settings), names) if isinstance(self.inner, ByParts) else None
        return None if found is None else [replace(self, inner=one) for one in found]
