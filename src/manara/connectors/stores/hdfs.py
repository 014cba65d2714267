"""The linked service Hdfs: the files of a Hadoop cluster, reached by WebHDFS (or HttpFS)."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO
from urllib.parse import urljoin, urlsplit

import httpx

from manara.connectors.stores.ranged import FIRST_BYTES, ranged
from manara.connectors.stores.remote import UNFINISHED, RemoteStore, file_info, folder_info, no_file
from manara.connectors.stores.wire import Anonymous, Wire, encoded, is_address, json_of
from manara.errors import ManaraError, WrongDefinition
from manara.plugin.connection import FileInfo, LinkedServiceGiven, connector
from manara.secret import read_secret

_CHUNK_BYTES = 1 << 20
_EPOCH = datetime.fromtimestamp(0, UTC)


@connector("Hdfs", can={"read", "write", "list", "delete"})
def hdfs(given: LinkedServiceGiven) -> RemoteStore:
    """Return the cluster's files. `url` is such as `http://namenode:9870/webhdfs/v1`, the user is `userName`.

    Only Anonymous, Hadoop's simple way, is understood: Kerberos (Windows) is not. Rule source:
    https://learn.microsoft.com/azure/data-factory/connector-hdfs
    """
    where = f"linked service '{given.name}'"
    url = str(given.properties.get("url") or "").strip().rstrip("/")
    if not is_address(url):
        raise WrongDefinition(
            "Hdfs needs the address of WebHDFS.", where=where, advice="Write http://namenode:9870/webhdfs/v1."
        )
    if str(given.properties.get("authenticationType") or "Anonymous").lower() != "anonymous":
        raise WrongDefinition(
            "Kerberos is not supported.", where=where, advice="Write Anonymous, or put HttpFS before the cluster."
        )
    url = url if urlsplit(url).path.strip("/") else f"{url}/webhdfs/v1"
    user = read_secret(given.properties.get("userName") or "", where).open()
    return RemoteStore(remote=Hdfs(url=url, user=user, wire=Wire(where=url, signer=Anonymous())), renames=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hdfs:
    """The files of one cluster.

    Source: https://hadoop.apache.org/docs/stable/hadoop-project-dist/hadoop-hdfs/WebHDFS.html
    """

    url: str
    user: str
    wire: Wire

    @property
    def where(self) -> str:
        return self.url

    def info(self, path: str) -> FileInfo | None:
        response = self._ask("GET", path, {"op": "GETFILESTATUS"})
        return None if response.status_code == 404 else _info(path, json_of(response, "FileStatus"))

    def list(self, folder: str) -> list[FileInfo] | None:
        response = self._ask("GET", folder, {"op": "LISTSTATUS"})
        if response.status_code == 404:
            return None
        entries = json_of(response, "FileStatuses", "FileStatus")
        if any(not entry["pathSuffix"] for entry in entries):  # a file lists itself
            return None
        return [_info(f"{folder}/{entry['pathSuffix']}".strip("/"), entry) for entry in entries]

    def open(self, path: str) -> BinaryIO:
        info = self.info(path)
        if info is None or info.is_folder:
            raise no_file(path, self.where)

        def fetch(start: int, count: int) -> bytes:
            asked = {"op": "OPEN", "offset": str(start), "length": str(count)}
            response = self._sent_on(self._ask("GET", path, asked), "GET")
            if response.status_code == 404:
                raise no_file(path, self.where)
            return response.content

        size = info.size_bytes
        return ranged(fetch, size, fetch(0, min(size, FIRST_BYTES)) if size else b"")

    def upload(self, path: str, content: BinaryIO, size_bytes: int) -> None:
        folder = path.rpartition("/")[0]
        unfinished = f"{folder}/{UNFINISHED}{secrets.token_hex(8)}".lstrip("/")

        def chunks() -> Iterable[bytes]:
            content.seek(0)
            while chunk := content.read(_CHUNK_BYTES):
                yield chunk

        try:
            begun = self._ask("PUT", unfinished, {"op": "CREATE", "overwrite": "true"})
            headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size_bytes)}
            self._sent_on(begun, "PUT", headers=headers, body=chunks if size_bytes else b"")
            target = {"op": "RENAME", "destination": f"/{path}", "renameoptions": "OVERWRITE"}
            self._ask("PUT", unfinished, target)
        except BaseException:
            self._ask("DELETE", unfinished, {"op": "DELETE"})
            raise

    def delete(self, path: str) -> None:
        self._ask("DELETE", path, {"op": "DELETE", "recursive": "true"})

    def _ask(self, method: str, path: str, query: Mapping[str, str]) -> httpx.Response:
        whole = {**query, **({"user.name": self.user} if self.user else {})}
        return self.wire.ask(method, f"{self.url}/{encoded(path)}".rstrip("/"), query=whole)

    def _sent_on(self, response: httpx.Response, method: str, **more: Any) -> httpx.Response:
        """Return the answer of the node that holds the data, to which the name node sends on."""
        if response.status_code not in {301, 302, 303, 307}:
            return response
        if "Location" not in response.headers:
            raise ManaraError("The name node names no data node.", where=self.where)
        return self.wire.ask(method, urljoin(str(response.url), response.headers["Location"]), **more)


def _info(path: str, status: Mapping[str, Any]) -> FileInfo:
    at = _EPOCH + timedelta(milliseconds=int(status.get("modificationTime") or 0))
    return folder_info(path, at) if status["type"] == "DIRECTORY" else file_info(path, int(status["length"]), at)
