"""Which files and which messages a trigger of events listens to: pure, over listings and bodies."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

CREATED, DELETED = "Microsoft.Storage.BlobCreated", "Microsoft.Storage.BlobDeleted"
_BLOBS = "/blobs/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A file of a store: its path from the root, its size, and a text that changes when it is written."""

    path: str
    size_bytes: int
    tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What happened to a file: `kind` is CREATED or DELETED, `moment` tells the change from others of the file."""

    kind: str
    blob: Blob

    @property
    def moment(self) -> str:
        """What tells this change from every other one."""
        return f"{self.kind.rpartition('.')[2]} {self.blob.path} {self.blob.tag}"

    def body(self) -> dict[str, Any]:
        """Return what `triggerBody()` gives."""
        folder, _, name = self.blob.path.rpartition("/")
        event = {"eventType": self.kind, "subject": self.blob.path, "data": {"contentLength": self.blob.size_bytes}}
        return {"fileName": name, "folderPath": folder, "event": event}


def changes(properties: Mapping[str, Any], now: Iterable[Blob], before: Mapping[str, str]) -> Iterator[Change]:
    """Yield what a BlobEventsTrigger fires for: files that came or went since `before` (tags by path)."""
    wanted = {str(each) for each in properties.get("events") or (CREATED,)}
    seen = {blob.path: blob for blob in now}
    if CREATED in wanted:
        for blob in seen.values():
            is_empty = not blob.size_bytes and properties.get("ignoreEmptyBlobs") in (True, "true")
            if before.get(blob.path) != blob.tag and not is_empty and is_listened_to(properties, blob.path):
                yield Change(kind=CREATED, blob=blob)
    if DELETED in wanted:
        for path in before.keys() - seen.keys():
            if is_listened_to(properties, path):
                yield Change(kind=DELETED, blob=Blob(path=path, size_bytes=0, tag=before[path]))


def is_listened_to(properties: Mapping[str, Any], path: str) -> bool:
    """Say whether a path (`container/folder/file`) begins and ends as the trigger wants it.

    >>> is_listened_to({"blobPathBeginsWith": "/lake/blobs/in/", "blobPathEndsWith": ".csv"}, "lake/in/a.csv")
    True
    """
    begins = str(properties.get("blobPathBeginsWith") or "").replace(_BLOBS, "/", 1).lstrip("/")
    return path.startswith(begins) and path.endswith(str(properties.get("blobPathEndsWith") or ""))


def place_of(properties: Mapping[str, Any]) -> str:
    """Return the folder that holds everything which a BlobEventsTrigger listens to."""
    begins = str(properties.get("blobPathBeginsWith") or "").replace(_BLOBS, "/", 1).lstrip("/")
    return begins.rpartition("/")[0]


def is_heard(properties: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Say whether a CustomEventsTrigger fires for a message, in the form of CloudEvents or of Event Grid."""
    subject = str(event.get("subject") or "")
    begins, ends = (str(properties.get(f"subject{word}With") or "") for word in ("Begins", "Ends"))
    kind = str(event.get("type") or event.get("eventType") or "")
    wanted = [str(each) for each in properties.get("events") or ()]
    is_kind = not wanted or any(fnmatchcase(kind, each) for each in wanted)
    return is_kind and subject.startswith(begins) and subject.endswith(ends)
