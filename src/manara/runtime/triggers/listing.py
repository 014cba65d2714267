"""Where a trigger of files looks: the store that its scope names, and everything below a folder of it."""

from collections.abc import Mapping
from typing import Any

from manara.errors import SourceMissing, WrongDefinition
from manara.plugin.connection import Store
from manara.resources.events import Blob
from manara.resources.factory import Factory
from manara.runtime.bind import Binder

MOST_FILES = 200_000
_STORES = frozenset({"AzureBlobStorage", "AzureBlobFS", "AzureStorage", "FileServer", "AmazonS3", "AmazonS3Compatible"})


def store_of(binder: Binder, factory: Factory, properties: Mapping[str, Any]) -> Store:
    """Return the store that the `scope` of a BlobEventsTrigger means.

    It is the linked service that names the scope's storage account; else the only one of a kind that holds files.
    Raises WrongDefinition where that is not one.
    """
    account = str(properties.get("scope") or "").rstrip("/").rpartition("/")[2].lower()
    found = [name for name in factory.names("linkedService") if factory.linked_service(name).properties.type in _STORES]
    named = [name for name in found if account and account in _text(factory, name)]
    chosen = named if len(named) == 1 else found
    if len(chosen) != 1:
        raise WrongDefinition(
            f"It is not clear which store the scope '{account}' means: {len(chosen)} linked services hold files.",
            advice="Name the storage account of the scope in one linked service, in its address or its name.",
        )
    store = binder.connect({"referenceName": chosen[0]})
    if not isinstance(store, Store):
        raise WrongDefinition(f"The linked service '{chosen[0]}' cannot be listed.")
    return store


def listing(store: Store, folder: str) -> list[Blob]:
    """Return every file below a folder; none where there is no such folder. Raises WrongDefinition for too many."""
    found: list[Blob] = []
    ahead = [folder]
    while ahead:
        try:
            inside = store.list(ahead.pop())
        except SourceMissing:
            continue
        ahead += [each.path for each in inside if each.is_folder]
        found += [_blob(each.path, each.size_bytes, each.modified) for each in inside if not each.is_folder]
        if len(found) > MOST_FILES:
            raise WrongDefinition(
                f"More than {MOST_FILES:,} files lie below '{folder}'.", advice="Let blobPathBeginsWith name less."
            )
    return found


def _blob(path: str, size_bytes: int, modified: Any) -> Blob:
    return Blob(path=path, size_bytes=size_bytes or 0, tag=f"{modified} {size_bytes}")


def _text(factory: Factory, name: str) -> str:
    found = factory.definitions.get(("linkedService", name))
    return f"{name} {found.text if found else ''}".lower()
