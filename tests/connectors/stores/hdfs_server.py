"""A small WebHDFS for tests, after Hadoop's description: a name node that sends on to a data node, on a folder."""

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

PREFIX = "/webhdfs/v1"


@contextmanager
def hdfs_serving(folder: Path) -> Iterator[str]:
    """Run the server for the length of the `with` block; gives its address."""
    listener = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Node,), {"folder": folder}))
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.server_address[1]}{PREFIX}"
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


class _Node(BaseHTTPRequestHandler):
    folder: Path
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # an answer goes out at once, not its head before its body

    def handle_any(self) -> None:
        parts = urlsplit(self.path)
        asked = dict(parse_qsl(parts.query))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.name = unquote(parts.path.removeprefix(PREFIX)).strip("/")
        if asked.get("user.name") != "hive":
            self.answer(
                403, {"RemoteException": {"exception": "AccessControlException", "message": "Permission denied"}}
            )
        elif asked["op"] in {"OPEN", "CREATE"} and "node" not in asked:
            self.send_on(asked)
        else:
            getattr(self, asked["op"].lower())(self.folder / self.name, asked, body)

    do_GET = do_PUT = do_DELETE = handle_any  # noqa: N815 # the names that the base class asks for

    def send_on(self, asked: dict[str, str]) -> None:
        if asked["op"] == "OPEN" and not (self.folder / self.name).is_file():
            return self.missing()
        self.send_response(307)
        self.send_header("Location", f"http://{self.headers['Host']}{quote(urlsplit(self.path).path, safe='/%')}?"
                         f"{urlsplit(self.path).query}&node=1")  # fmt: skip
        self.send_header("Content-Length", "0")
        return self.end_headers()

    def getfilestatus(self, path: Path, _asked: dict[str, str], _body: bytes) -> None:
        self.answer(200, {"FileStatus": _status(path, "")}) if path.exists() else self.missing()

    def liststatus(self, path: Path, _asked: dict[str, str], _body: bytes) -> None:
        if not path.exists():
            return self.missing()
        entries = [_status(entry, entry.name) for entry in path.iterdir()] if path.is_dir() else [_status(path, "")]
        return self.answer(200, {"FileStatuses": {"FileStatus": entries}})

    def open(self, path: Path, asked: dict[str, str], _body: bytes) -> None:
        begin = int(asked.get("offset", 0))
        self.send_bytes(200, path.read_bytes()[begin : begin + int(asked["length"])])

    def create(self, path: Path, _asked: dict[str, str], body: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        self.send_bytes(201, b"")

    def rename(self, path: Path, asked: dict[str, str], _body: bytes) -> None:
        assert asked["renameoptions"] == "OVERWRITE"
        path.replace(self.folder / asked["destination"].strip("/"))
        self.send_bytes(200, b"")

    def delete(self, path: Path, _asked: dict[str, str], _body: bytes) -> None:
        was_there = path.exists()
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        self.answer(200, {"boolean": was_there})

    def missing(self) -> None:
        self.answer(404, {"RemoteException": {"exception": "FileNotFoundException", "message": "File does not exist"}})

    def answer(self, status: int, told: Any) -> None:
        self.send_bytes(status, json.dumps(told).encode())

    def send_bytes(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that the base class has
        """Say nothing."""


def _status(path: Path, suffix: str) -> dict[str, Any]:
    facts = path.stat()
    kind = "DIRECTORY" if path.is_dir() else "FILE"
    size = 0 if path.is_dir() else facts.st_size
    return {"pathSuffix": suffix, "type": kind, "length": size, "modificationTime": int(facts.st_mtime * 1000)}
