"""A store whose root is a folder of another one: containers and buckets are not files, so the suite begins in one."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from manara.plugin.connection import CONNECTORS, FileInfo, LinkedServiceGiven, Store


def opened(kind: str, root: Path, **properties: object) -> Store:
    """Return the store that a linked service opens."""
    given = LinkedServiceGiven(name="Tested", type=kind, properties=properties, root=root)
    store = CONNECTORS.find(kind)(given)
    assert isinstance(store, Store)
    return store


@dataclass(frozen=True)
class Below:
    """The files below `folder`."""

    store: Store
    folder: str

    def info(self, path: str) -> FileInfo | None:
        found = self.store.info(self._in(path))
        return self._out(found) if found else None

    def list(self, folder: str) -> list[FileInfo]:
        return [self._out(info) for info in self.store.list(self._in(folder))]

    def open(self, path: str) -> BinaryIO:
        return self.store.open(self._in(path))

    def create(self, path: str) -> AbstractContextManager[BinaryIO]:
        return self.store.create(self._in(path))

    def delete(self, path: str) -> None:
        self.store.delete(self._in(path))

    def local_path(self, path: str) -> Path | None:
        return self.store.local_path(self._in(path))

    def _in(self, path: str) -> str:
        return f"{self.folder}/{path}"

    def _out(self, info: FileInfo) -> FileInfo:
        return replace(info, path=info.path.removeprefix(f"{self.folder}/"))
