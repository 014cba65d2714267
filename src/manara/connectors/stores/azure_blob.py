"""The linked services AzureBlobStorage, AzureStorage and AzureBlobFS: the blobs of a storage account as files.

The first part of a path is the container (or file system). ADLS Gen2 is reached by the blob endpoint of its account,
which every account has; with a hierarchical namespace its folders are told from files by their mark.
"""

import base64
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import httpx

from manara.connectors.stores.azure_account import Account, account_in, account_of, is_in_path
from manara.connectors.stores.azure_signing import Bearer, SharedKey
from manara.connectors.stores.remote import MEMORY_BYTES, Lake, RemoteStore, file_info, folder_info, parts
from manara.connectors.stores.wire import NoContainer, each, encoded, moment, xml_of
from manara.errors import NotFound, WrongDefinition
from manara.plugin.connection import FileInfo, LinkedServiceGiven, connector

_MOST_BLOCKS = 50_000


def _emulator() -> str:
    """Return where the library that writes Delta looks for an emulator: nothing but its own variable tells it."""
    return os.environ.get("AZURITE_BLOB_STORAGE_URL", "http://127.0.0.1:10000").rstrip("/")


@connector("AzureBlobStorage", "AzureStorage", "AzureBlobFS", can={"read", "write", "list", "delete"})
def azure_blob(given: LinkedServiceGiven) -> RemoteStore:
    """Return the account's containers as folders, with their blobs.

    Rule source: https://learn.microsoft.com/azure/data-factory/connector-azure-blob-storage
    """
    return RemoteStore(remote=Blobs(account=account_of(given, "blob")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Blobs:
    """The blobs of one account; a list comes in pages of `page` entries.

    Source: https://learn.microsoft.com/rest/api/storageservices/blob-service-rest-api
    """

    account: Account
    page: int = 5000

    @property
    def where(self) -> str:
        return self.account.wire.where

    def info(self, path: str) -> FileInfo | None:
        _, _, name = path.partition("/")
        try:
            head = self.account.wire.ask("HEAD", self._url(path)) if name else None
            if head is not None and head.status_code == 200:
                return _told(path, head)
            page = next(self._pages(path, limit=1))
        except NotFound:
            return None
        is_there = not name or page.find("Blobs/*") is not None
        return folder_info(path) if is_there else None

    def list(self, folder: str) -> list[FileInfo] | None:
        if not folder:
            return [folder_info(name, at) for name, at in self._containers()]
        container, _, name = folder.partition("/")
        found: dict[str, FileInfo] = {}
        is_there = not name
        try:
            for page in self._pages(folder, delimiter="/"):
                for entry in page.iterfind("Blobs/*"):
                    is_there = True
                    info = _entry(container, entry)
                    if info.path != folder and (info.path not in found or found[info.path].is_folder):
                        found[info.path] = info
        except NotFound:
            return None
        if is_there:
            return list(found.values())
        marked = self.info(folder)
        return [] if marked and marked.is_folder else None

    def open(self, path: str) -> BinaryIO:
        return self.account.wire.open(path, self._url(path))

    def upload(self, path: str, content: BinaryIO, size_bytes: int) -> None:
        try:
            self._upload(path, content, size_bytes)
        except NoContainer:
            self._make_container(path.partition("/")[0])
            content.seek(0)
            self._upload(path, content, size_bytes)

    def _upload(self, path: str, content: BinaryIO, size_bytes: int) -> None:
        wire, url = self.account.wire, self._url(path)
        if size_bytes <= MEMORY_BYTES:
            _there(wire.ask("PUT", url, headers={"x-ms-blob-type": "BlockBlob"}, body=content.read()))
            return
        blocks = []
        for number, part in enumerate(parts(content, size_bytes, _MOST_BLOCKS)):
            blocks.append(base64.b64encode(f"{number:08}".encode()).decode())
            _there(wire.ask("PUT", url, query={"comp": "block", "blockid": blocks[-1]}, body=part))
        listed = "".join(f"<Latest>{block}</Latest>" for block in blocks)
        body = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{listed}</BlockList>'.encode()
        _there(wire.ask("PUT", url, query={"comp": "blocklist"}, body=body))

    def lake(self, path: str) -> Lake:
        container, _, name = path.partition("/")
        account, signer = self.account, self.account.wire.signer
        options = {"azure_storage_endpoint": account.url, "allow_http": str(account.url.startswith("http:")).lower()}
        options["azure_storage_account_name"] = account_in(account.url)
        if self._is_known_emulator:
            options["azure_storage_use_emulator"] = "true"  # it lists otherwise than Azure does
        if isinstance(signer, SharedKey):
            options |= {"azure_storage_account_name": signer.account, "azure_storage_account_key": signer.key.open()}
        elif isinstance(signer, Bearer):
            options["azure_storage_token"] = signer.token().open()
        elif account.wire.key:
            options["azure_storage_sas_key"] = account.wire.key
        else:
            options["azure_skip_signature"] = "true"
        return Lake(uri=f"az://{container}/{name}", options=options)

    def make_ready(self, path: str) -> None:
        """Make the container; a blob that must be new is made for one writer only, by the store itself."""
        if is_in_path(self.account.url) and not self._is_known_emulator:
            raise WrongDefinition(
                f"Delta takes the emulator of Azure's storage to be at {_emulator()}, and this one is elsewhere.",
                where=self.where,
                advice="Set the environment variable AZURITE_BLOB_STORAGE_URL to its address, without the account.",
            )
        container = path.partition("/")[0]
        if self.info(container) is None:
            self._make_container(container)

    @property
    def _is_known_emulator(self) -> bool:
        return is_in_path(self.account.url) and self.account.url.rpartition("/")[0] == _emulator()

    def delete(self, path: str) -> None:
        """Remove a blob, or all blobs below; a container itself stays.

        Folders of a hierarchical namespace go after what they hold, the deepest first.
        """
        container, _, name = path.partition("/")
        entries = [entry for page in self._all(path) for entry in page.iterfind("Blobs/Blob")]
        folders = [_name(entry) for entry in entries if _entry(container, entry).is_folder]
        each(self._remove, (f"{container}/{name}" for name in set(map(_name, entries)).difference(folders)))
        for folder in sorted(folders, key=lambda folder: -folder.count("/")):
            self._remove(f"{container}/{folder}")
        if name:
            self._remove(path)

    def _all(self, path: str) -> Iterator[ET.Element]:
        try:
            yield from self._pages(path)
        except NotFound:
            return

    def _remove(self, path: str) -> None:
        try:
            self.account.wire.ask("DELETE", self._url(path), headers={"x-ms-delete-snapshots": "include"})
        except NotFound:
            return

    def _make_container(self, name: str) -> None:
        url = f"{self.account.url}/{encoded(name)}"
        self.account.wire.ask("PUT", url, query={"restype": "container"}, allowed=(409,))

    def _containers(self) -> Iterator[tuple[str, datetime]]:
        marker = ""
        while True:
            query = {"comp": "list"} | ({"marker": marker} if marker else {})
            page = xml_of(self.account.wire.ask("GET", f"{self.account.url}/", query=query))
            for entry in page.iterfind("Containers/Container"):
                yield entry.findtext("Name", ""), moment(entry.findtext("Properties/Last-Modified"))
            marker = page.findtext("NextMarker") or ""
            if not marker:
                return

    def _pages(self, folder: str, *, delimiter: str = "", limit: int = 0) -> Iterator[ET.Element]:
        """Yield the pages of the list of what lies below the folder. Raises NotFound without the container."""
        container, _, name = folder.partition("/")
        query = {"restype": "container", "comp": "list", "include": "metadata", "maxresults": str(limit or self.page)}
        query |= {"prefix": f"{name}/"} if name else {}
        query |= {"delimiter": delimiter} if delimiter else {}
        while True:
            page = xml_of(_there(self.account.wire.ask("GET", f"{self.account.url}/{encoded(container)}", query=query)))
            yield page
            marker = page.findtext("NextMarker")
            if not marker:
                return
            query["marker"] = marker

    def _url(self, path: str) -> str:
        return f"{self.account.url}/{encoded(path)}"


def _entry(container: str, entry: ET.Element) -> FileInfo:
    name = _name(entry)
    path = f"{container}/{name}".rstrip("/")
    at = moment(entry.findtext("Properties/Last-Modified"))
    mark = (entry.findtext("Metadata/hdi_isfolder") or entry.findtext("Metadata/Hdi_isfolder") or "").lower() == "true"
    if entry.tag == "BlobPrefix" or name.endswith("/") or mark:
        return folder_info(path, at)
    return file_info(path, int(entry.findtext("Properties/Content-Length") or 0), at)


def _name(entry: ET.Element) -> str:
    name = entry.find("Name")
    text = (name.text or "") if name is not None else ""
    return unquote(text) if name is not None and name.get("Encoded") == "true" else text


def _told(path: str, head: httpx.Response) -> FileInfo:
    kinds = (head.headers.get("x-ms-meta-hdi_isfolder", ""), head.headers.get("x-ms-resource-type", ""))
    if str(kinds[0]).lower() == "true" or str(kinds[1]) == "directory":
        return folder_info(path, moment(head))
    return file_info(path, int(head.headers["Content-Length"]), moment(head))


def _there(response: httpx.Response) -> httpx.Response:
    if response.status_code == 404:
        raise NotFound(f"There is nothing at '{response.url.path}'.")
    return response
