"""What all requests to a server share: its store, its factories, who is known, and what may be done."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from manara import clock
from manara.resources.check import Known
from manara.resources.published import Snapshots, folder_of
from manara.server.arm.routes import Operation
from manara.server.caller import Caller
from manara.settings import Settings
from manara.store.documents import Document, Documents
from manara.store.journal import Journal
from manara.store.seal import Seal


@dataclass(slots=True, kw_only=True)
class Site:
    """One server. `home` is its folder, `folders` where factories lie that are kept as files, by id in lower case.

    `wake` tells the worker and the scheduler beside it that there is something to do.
    """

    home: Path
    address: Path | str
    seal: Seal
    settings: Settings
    known: Callable[[], Known]
    folders: Mapping[str, Path] = field(default_factory=dict)
    wake: Callable[[], None] = lambda: None
    started: datetime = field(default_factory=clock.now)
    snapshots: Snapshots = field(init=False)
    _here: threading.local = field(default_factory=threading.local)
    _idle: deque[Journal] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.snapshots = Snapshots(folder=self.folder, shared=self.home)

    def folder(self, factory: str) -> Path:
        """Return the folder where the factory's relative paths start."""
        return self.folders.get(factory.lower()) or folder_of(self.home, factory)

    @property
    def journal(self) -> Journal:
        """The store, by a connection that is this thread's until it gives it back."""
        found: Journal | None = getattr(self._here, "journal", None)
        if found is None:
            found = self._here.journal = self._take() or Journal(self.address, self.seal)
        return found

    @property
    def documents(self) -> Documents:
        """The documents, by the connection of this thread."""
        return Documents(self.journal, self.seal)

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Give back, at the end of the block, the connection that this thread took in it.

        So there are as many as there are requests at once: the threads that serve them come and go.
        """
        held = getattr(self._here, "journal", None)
        try:
            yield
        finally:
            if held is None:
                self._give_back()

    def close(self) -> None:
        """Close every connection to the store that is not in use: when nobody uses the site any more."""
        self._give_back()
        while self._idle:
            self._idle.pop().close()

    def renew(self) -> None:
        """Let this thread open the store anew: its connection was lost."""
        lost: Journal | None = getattr(self._here, "journal", None)
        self._here.journal = None
        if lost is not None:
            lost.close()

    def _take(self) -> Journal | None:
        try:
            return self._idle.pop()
        except IndexError:  # another thread has taken the last
            return None

    def _give_back(self) -> None:
        journal: Journal | None = getattr(self._here, "journal", None)
        self._here.journal = None
        if journal is not None:
            self._idle.append(journal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to the management API, understood: which operation, on what, by whom.

    `path` is the resource id that it names, in the spelling of the request; `names` what stands in its template.
    """

    site: Site
    operation: Operation
    path: str
    names: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    caller: Caller
    body: Any = None
    base: str = ""

    @property
    def documents(self) -> Documents:
        """The documents of the server."""
        return self.site.documents

    @property
    def factory(self) -> str:
        """The resource id of the factory that the path lies in."""
        return "/".join(self.path.split("/")[:9])

    @property
    def group(self) -> str:
        """The resource id of the resource group that the path lies in."""
        return "/".join(self.path.split("/")[:5])

    def path_of(self, parts: int) -> str:
        """Return the beginning of the path: `parts` of what stands between slashes, the empty first one included."""
        return "/".join(self.path.split("/")[:parts])

    def header(self, name: str) -> str:
        """Return a header's value; empty where it is not there."""
        return self.headers.get(name.lower(), "")

    def may_see(self, documents: Iterable[Document], action: str) -> list[Document]:
        """Return those of the documents that the caller may read."""
        return [each for each in documents if self.caller.may(action, each.path)]
