"""A small Azure Files for tests, after the description of its REST interface, on a folder. It does not check keys."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape

ACCOUNT = "account"


@contextmanager
def share_serving(folder: Path) -> Iterator[str]:
    """Run the server for the length of the `with` block; gives the account's address."""
    listener = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Share,), {"folder": folder}))
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.server_address[1]}/{ACCOUNT}"
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


class _Share(BaseHTTPRequestHandler):
    folder: Path
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # an answer goes out at once, not its head before its body

    def handle_any(self) -> None:
        parts = urlsplit(self.path)
        asked = dict(parse_qsl(parts.query, keep_blank_values=True))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.command not in {"GET", "HEAD"} and "Authorization" not in self.headers and "sig" not in asked:
            self.refuse(403, "AuthenticationFailed")
            return
        path = self.place(parts.path)
        if asked.get("restype") == "share":
            path.mkdir(exist_ok=True)
            self.send(201)
        elif not (self.folder / path.relative_to(self.folder).parts[0]).is_dir():
            self.refuse(404, "ShareNotFound")
        else:
            what = {"directory": "folder"}.get(asked.get("restype", ""), "file")
            getattr(self, f"{self.command.lower()}_{asked.get('comp') or what}")(path, asked, body)

    do_GET = do_HEAD = do_PUT = do_DELETE = handle_any  # noqa: N815 # the names that the base class asks for

    def place(self, path: str) -> Path:
        return self.folder / unquote(path.removeprefix(f"/{ACCOUNT}/"))

    def head_file(self, path: Path, _asked: dict[str, str], _body: bytes) -> None:
        if not path.is_file():
            return self.refuse(404, "ResourceNotFound")
        return self.send(200, b"", length=path.stat().st_size, at=path)

    def head_folder(self, path: Path, _asked: dict[str, str], _body: bytes) -> None:
        self.send(200, at=path) if path.is_dir() else self.refuse(404, "ResourceNotFound")

    def get_file(self, path: Path, _asked: dict[str, str], _body: bytes) -> None:
        if not path.is_file():
            return self.refuse(404, "ResourceNotFound")
        content = path.read_bytes()
        begin, end = (int(part) for part in self.headers["Range"].removeprefix("bytes=").split("-"))
        if begin >= len(content):
            return self.refuse(416, "InvalidRange")
        piece = content[begin : end + 1]
        told = f"bytes {begin}-{begin + len(piece) - 1}/{len(content)}"
        return self.send(206, piece, at=path, headers={"Content-Range": told})

    def get_list(self, path: Path, asked: dict[str, str], _body: bytes) -> None:
        if not path.is_dir():
            return self.refuse(404, "ResourceNotFound")
        names, begin, count = sorted(path.iterdir()), int(asked.get("marker") or 0), int(asked["maxresults"])
        told = "".join(_entry(entry) for entry in names[begin : begin + count])
        marker = str(begin + count) if begin + count < len(names) else ""
        text = f"<EnumerationResults><Entries>{told}</Entries><NextMarker>{marker}</NextMarker></EnumerationResults>"
        return self.send(200, text.encode())

    def put_folder(self, path: Path, _asked: dict[str, str], _body: bytes) -> None:
        if path.exists():
            return self.refuse(409, "ResourceAlreadyExists")
        if not path.parent.is_dir():
            return self.refuse(404, "ParentNotFound")
        path.mkdir()
        return self.send(201)

    def put_file(self, path: Path, _asked: dict[str, str], _body: bytes) -> None:
        if self.headers["x-ms-type"] != "file" or not path.parent.is_dir():
            return self.refuse(404, "ParentNotFound")
        path.write_bytes(bytes(int(self.headers["x-ms-content-length"])))
        return self.send(201)

    def put_range(self, path: Path, _asked: dict[str, str], body: bytes) -> None:
        begin, end = (int(part) for part in self.headers["Range"].removeprefix("bytes=").split("-"))
        if self.headers["x-ms-write"] != "update" or end - begin + 1 != len(body) or len(body) > 4 << 20:
            return self.refuse(400, "InvalidHeaderValue")
        content = bytearray(path.read_bytes())
        content[begin : end + 1] = body
        path.write_bytes(content)
        return self.send(201)

    def put_rename(self, path: Path, _asked: dict[str, str], _body: bytes) -> None:
        source = self.place(urlsplit(self.headers["x-ms-file-rename-source"]).path)
        if path.exists() and self.headers["x-ms-file-rename-replace-if-exists"] != "true":
            return self.refuse(409, "ResourceAlreadyExists")
        source.replace(path)
        return self.send(200)

    def delete_file(self, path: Path, _asked: dict[str, str], _body: bytes) -> None:
        if not path.is_file():
            return self.refuse(404, "ResourceNotFound")
        path.unlink()
        return self.send(202)

    def delete_folder(self, path: Path, _asked: dict[str, str], _body: bytes) -> None:
        if any(path.iterdir()):
            return self.refuse(409, "DirectoryNotEmpty")
        path.rmdir()
        return self.send(202)

    def refuse(self, status: int, code: str) -> None:
        text = f"<Error><Code>{code}</Code><Message>No.</Message></Error>"
        self.send(status, text.encode(), headers={"x-ms-error-code": code})

    def send(
        self,
        status: int,
        content: bytes = b"",
        *,
        length: int | None = None,
        at: Path | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        whole = dict(headers or {})
        if at is not None:
            modified = datetime.fromtimestamp(at.stat().st_mtime, UTC)
            whole |= {"Last-Modified": format_datetime(modified, usegmt=True), "ETag": f'"{at.stat().st_mtime_ns}"'}
        for name, value in whole.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that the base class has
        """Say nothing."""


def _entry(path: Path) -> str:
    kind = "Directory" if path.is_dir() else "File"
    size = "" if path.is_dir() else f"<Content-Length>{path.stat().st_size}</Content-Length>"
    at = f"<LastWriteTime>{datetime.fromtimestamp(path.stat().st_mtime, UTC):%Y-%m-%dT%H:%M:%S.%f}0Z</LastWriteTime>"
    return f"<{kind}><Name>{escape(path.name)}</Name><Properties>{size}{at}</Properties></{kind}>"
