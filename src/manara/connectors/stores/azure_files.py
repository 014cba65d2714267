"""The linked service AzureFileStorage: the files of a share of a storage account."""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, BinaryIO
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import httpx

from manara.connectors.stores.azure_account import Account, account_of
from manara.connectors.stores.remote import UNFINISHED, RemoteStore, file_info, folder_info
from manara.connectors.stores.wire import encoded, moment, xml_of
from manara.errors import NotFound, WrongDefinition
from manara.plugin.connection import FileInfo, LinkedServiceGiven, connector

_RANGE_BYTES = 4 << 20
_FOLDER = {"restype": "directory"}


@connector("AzureFileStorage", can={"read", "write", "list", "delete"})
def azure_files(given: LinkedServiceGiven) -> RemoteStore:
    """Return the files of the share that `fileShare` names.

    The older form, `host` with `userId` and `password`, is understood too. Rule source:
    https://learn.microsoft.com/azure/data-factory/connector-azure-file-storage
    """
    said = dict(given.properties)
    if host := str(said.pop("host", "") or ""):
        said = _from_older(host, said)
    share = str(said.get("fileShare") or "").strip("/ ")
    if not share:
        raise WrongDefinition(
            "AzureFileStorage needs its share.",
            where=f"linked service '{given.name}'",
            advice="Give typeProperties.fileShare.",
        )
    remote = Share(account=account_of(replace(given, properties=said), "file"), share=share)
    return RemoteStore(remote=remote, renames=True)


def _from_older(host: str, said: Mapping[str, Any]) -> dict[str, Any]:
    r"""Return the newer properties for `\\account.file.core.windows.net\share` and a password that is the key."""
    name, _, share = host.replace("\\", "/").strip("/").partition("/")
    return {"serviceEndpoint": f"https://{name}", "accountKey": said.get("password"), "fileShare": share, **said}


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The files of one share; a list comes in pages of `page` entries.

    Source: https://learn.microsoft.com/rest/api/storageservices/file-service-rest-api
    """

    account: Account
    share: str
    page: int = 5000

    @property
    def where(self) -> str:
        return f"{self.account.wire.where}/{self.share}"

    def info(self, path: str) -> FileInfo | None:
        try:
            head = self._ask("HEAD", path)
            if head.status_code == 200:
                return file_info(path, int(head.headers["Content-Length"]), moment(head))
            head = self._ask("HEAD", path, _FOLDER)
        except NotFound:
            return None
        return folder_info(path, moment(head)) if head.status_code == 200 else None

    def list(self, folder: str) -> list[FileInfo] | None:
        try:
            return [info for page in self._pages(folder) for info in _entries(folder, page)]
        except NotFound:
            return None

    def open(self, path: str) -> BinaryIO:
        return self.account.wire.open(path, self._url(path))

    def upload(self, path: str, content: BinaryIO, size_bytes: int) -> None:
        """Write under another name and rename, because the parts of a file are seen as they come."""
        folder = path.rpartition("/")[0]
        unfinished = f"{folder}/{UNFINISHED}{secrets.token_hex(8)}".lstrip("/")
        self._make_folders(folder)
        try:
            headers = {"x-ms-type": "file", "x-ms-content-length": str(size_bytes)}
            _there(self._ask("PUT", unfinished, headers=headers))
            position = 0
            while part := content.read(_RANGE_BYTES):
                bounds = {"x-ms-write": "update", "Range": f"bytes={position}-{position + len(part) - 1}"}
                _there(self._ask("PUT", unfinished, {"comp": "range"}, headers=bounds, body=part))
                position += len(part)
            key = f"?{self.account.wire.key}" if self.account.wire.key else ""
            source = {"x-ms-file-rename-source": f"{self._url(unfinished)}{key}"}
            more = {"x-ms-file-rename-replace-if-exists": "true"}
            _there(self._ask("PUT", path, {"comp": "rename"}, headers={**source, **more}))
        except BaseException:
            self._ask("DELETE", unfinished)
            raise

    def delete(self, path: str) -> None:
        info = self.info(path)
        if info is None:
            return
        if not info.is_folder:
            self._ask("DELETE", path)
            return
        for entry in self.list(path) or []:
            self.delete(entry.path)
        self._ask("DELETE", path, _FOLDER)

    def _make_folders(self, folder: str) -> None:
        """Make the share and the folders that are not there yet."""
        if folder:
            try:
                made = self._ask("PUT", folder, _FOLDER, allowed=(409,))
            except NotFound:
                made = None
            if made is not None and made.status_code != 404:
                return
            self._make_folders(folder.rpartition("/")[0])
            self._ask("PUT", folder, _FOLDER, allowed=(409,))
        else:
            self._ask("PUT", "", {"restype": "share"}, allowed=(403, 409))

    def _pages(self, folder: str) -> Iterator[ET.Element]:
        query = {**_FOLDER, "comp": "list", "include": "Timestamps", "maxresults": str(self.page)}
        while True:
            response = _there(self._ask("GET", folder, query, headers={"x-ms-file-extended-info": "true"}))
            page = xml_of(response)
            yield page
            marker = page.findtext("NextMarker")
            if not marker:
                return
            query["marker"] = marker

    def _ask(self, method: str, path: str, query: Mapping[str, str] | None = None, **more: Any) -> httpx.Response:
        return self.account.wire.ask(method, self._url(path), query=query, **more)

    def _url(self, path: str) -> str:
        return f"{self.account.url}/{encoded(self.share, path)}"


def _entries(folder: str, page: ET.Element) -> Iterator[FileInfo]:
    for entry in page.iterfind("Entries/*"):
        name = entry.find("Name")
        text = (name.text or "") if name is not None else ""
        if name is not None and name.get("Encoded") == "true":
            text = unquote(text)
        path = f"{folder}/{text}".strip("/")
        at = moment(entry.findtext("Properties/LastWriteTime") or entry.findtext("Properties/Last-Modified"))
        size = int(entry.findtext("Properties/Content-Length") or 0)
        yield folder_info(path, at) if entry.tag == "Directory" else file_info(path, size, at)


def _there(response: httpx.Response) -> httpx.Response:
    if response.status_code == 404:
        raise NotFound(f"There is nothing at '{response.url.path}'.")
    return response
