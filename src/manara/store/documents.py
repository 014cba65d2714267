"""The resources of the management API as documents: each under its resource id, with an etag, sealed on the disk."""

import json
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from manara import clock
from manara.errors import Conflict
from manara.store.firings import forget_triggers
from manara.store.journal import Journal
from manara.store.seal import Seal

ANY = "*"
"""The etag that fits every document that is there."""

_ALL = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One resource. `path` is its resource id as it was first written; `type` is in lower case."""

    path: str
    type: str
    parent: str
    body: Mapping[str, Any]
    etag: str
    created: datetime
    changed: datetime

    @property
    def id(self) -> str:
        """The resource id in lower case: two ids that differ in case are one."""
        return self.path.lower()

    @property
    def name(self) -> str:
        """The last part of the resource id."""
        return self.path.rpartition("/")[2]


class Changed(Conflict):
    """The document is not the one that the etag names."""

    code = "PreconditionFailed"
    status = 412


class Documents:
    """The documents of a store. What is written is durable on return, and sealed."""

    def __init__(self, journal: Journal, seal: Seal) -> None:
        self._journal = journal
        self._seal = seal

    def transaction(self) -> AbstractContextManager[None]:
        """Return a transaction around several changes: all of them are made, or none."""
        return self._journal.transaction()

    def get(self, path: str) -> Document | None:
        """Return the document under the resource id, or None."""
        found = self._journal.rows("document", id=path.lower())
        return self._document(found[0]) if found else None

    def inside(self, parent: str, kind: str, after: str = "", most: int = _ALL) -> list[Document]:
        """Return what lies in a parent and is of one type, by id: at most `most`, those whose id is behind `after`."""
        rows = self._journal.rows("documents", parent=parent.lower(), type=kind.lower(), after=after, most=most)
        return [self._document(row) for row in rows]

    def of_type(self, kind: str, after: str = "", most: int = _ALL) -> list[Document]:
        """Return the documents of a type, wherever they are, by id."""
        rows = self._journal.rows("documents_of_type", type=kind.lower(), after=after, most=most)
        return [self._document(row) for row in rows]

    def below(self, path: str) -> list[Document]:
        """Return the document under the resource id and everything inside it, outer before inner."""
        return [self._document(row) for row in self._journal.rows("documents_below", **_within(path))]

    def state_below(self, path: str) -> tuple[int, str]:
        """Return what changes whenever the document, or anything inside it, does: a cheap thing to ask for."""
        count, changed = self._journal.rows("document_state_below", **_within(path))[0]
        return int(count), str(changed)

    def state_of_types(self, kinds: Iterable[str]) -> tuple[tuple[int, str], ...]:
        """Return what changes whenever a document of one of the types does, wherever it is."""
        found = [self._journal.rows("document_state_of_type", type=kind.lower())[0] for kind in kinds]
        return tuple((int(count), str(changed)) for count, changed in found)

    def tags_below(self, path: str) -> tuple[tuple[str, str], ...]:
        """Return (id, etag) of the document and of everything inside it."""
        return tuple((str(id_), str(etag)) for id_, etag in self._journal.rows("document_tags_below", **_within(path)))

    def put(
        self, path: str, kind: str, parent: str, body: Mapping[str, Any], *, if_match: str = "", if_none_match: str = ""
    ) -> Document:
        """Write the document and return it; one that is there is replaced.

        `if_match` is the etag that it must have (`*`: it must be there), `if_none_match` of `*` that it must not be
        there; Changed is raised otherwise, and where another writes it in this very moment.
        """
        old = self.get(path)
        refuse_changed(old, if_match, if_none_match)
        sealed = self._seal.close(json.dumps(body, separators=(",", ":")))
        values = {"id": path.lower(), "path": path, "type": kind.lower(), "parent": parent.lower(), "body": sealed}
        now, etag = clock.now(), clock.new_id()
        before = old.etag if old else ""
        if not self._journal.change("put_document", **values, etag=etag, old_etag=before, now=clock.stamp(now)):
            raise Changed("The resource was changed in this moment by somebody else.", advice="Repeat the change.")
        return Document(
            path=old.path if old else path,
            type=kind.lower(),
            parent=parent.lower(),
            body=body,
            etag=etag,
            created=old.created if old else now,
            changed=now,
        )

    def delete(self, path: str) -> int:
        """Remove the document and everything inside it, with the states of triggers; return how many documents."""
        with self.transaction():
            forget_triggers(self._journal, path)
            return self._journal.change("delete_documents_below", **_within(path))

    def reseal(self) -> int:
        """Seal with the newest key what was sealed with others; return how many texts that were."""
        count = 0
        for query, change, key in (
            ("sealed_documents", "seal_document", "id"),
            ("sealed_snapshots", "seal_snapshot", "hash"),
        ):
            for name, old in self._journal.rows(query):
                if not self._seal.is_current(old):
                    new = self._seal.close(self._seal.open(old))
                    count += self._journal.change(change, **{key: name}, old=old, body=new)
        return count

    def _document(self, row: tuple[Any, ...]) -> Document:
        path, kind, parent, body, etag, created, changed = row
        return Document(
            path=path,
            type=kind,
            parent=parent,
            body=json.loads(self._seal.open(body)),
            etag=etag,
            created=clock.parse(created),
            changed=clock.parse(changed),
        )


def refuse_changed(old: Document | None, if_match: str, if_none_match: str) -> None:
    """Raise Changed where the document is not as the headers If-Match and If-None-Match want it."""
    fits = not if_match or (
        old is not None and ANY in tags(if_match) | ({ANY} if old.etag in tags(if_match) else set())
    )
    is_new = not if_none_match or old is None or not tags(if_none_match) & {ANY, old.etag}
    if not (fits and is_new):
        raise Changed(
            "The resource has changed since it was read." if old else "The resource is not there any more.",
            advice="Read it again, and repeat the change.",
        )


def tags(header: str) -> set[str]:
    """Return the etags of a header, without quotes and the mark of weak ones."""
    return {tag.strip().removeprefix("W/").strip('"') for tag in header.split(",") if tag.strip()}


def _within(path: str) -> dict[str, str]:
    """Return the bounds of what lies inside a resource: ids that go on behind a slash."""
    own = path.lower()
    return {"id": own, "from_id": f"{own}/", "to_id": f"{own}0"}  # 0 comes right behind the slash
