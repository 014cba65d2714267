"""A small web server on this machine, in a thread, and activities given as the runtime gives them."""

import json
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from manara.plugin.activity import ACTIVITIES, Given
from manara.plugin.connection import NO_IDENTITY, Connection, Mark
from manara.secret import Secret
from tests.certificates import pem_of

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request that came in."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What goes back: JSON, unless `text` is given. With the header `Cut` the line is closed before the end."""

    status: int = 200
    json: Any = None
    text: str | bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    ends_after: int | None = None


class Server:
    """Answers by `replies`, one after another and the last one again and again; keeps what was `asked`."""

    def __init__(self, *replies: Reply | Callable[[Asked], Reply], url: str = "") -> None:
        self.replies = list(replies) or [Reply(json={})]
        self.asked: list[Asked] = []
        self.url = url

    def answer(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return reply(asked) if callable(reply) else reply


@contextmanager
def serving(*replies: Reply | Callable[[Asked], Reply], secure: bool = False) -> Iterator[Server]:
    """Run a server for the length of the `with` block; a secure one has a certificate, and asks for the client's."""
    server = Server(*replies)
    methods = {f"do_{method}": _Handler.handle_any for method in METHODS}
    listener = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"answering": server, **methods}))
    if secure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(pem_of("server"))
            file.flush()
            context.load_cert_chain(file.name)
        context.load_verify_locations(cadata=pem_of("client").split("-----BEGIN PRIVATE KEY")[0])
        context.verify_mode = ssl.CERT_OPTIONAL
        listener.socket = context.wrap_socket(listener.socket, server_side=True)
    server.url = f"{'https' if secure else 'http'}://127.0.0.1:{listener.server_address[1]}"
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    answering: Server

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        certificate = self.connection.getpeercert() if isinstance(self.connection, ssl.SSLSocket) else None
        who = {"Client-Certificate": "yes"} if certificate else {}
        headers = {name.title(): value for name, value in self.headers.items()}
        reply = self.answering.answer(Asked(method=self.command, path=self.path, headers={**headers, **who}, body=body))
        text = json.dumps(reply.json) if reply.text is None else reply.text
        content = text if isinstance(text, bytes) else text.encode()
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        missing = 1 if "Cut" in reply.headers else 0
        self.send_header("Content-Length", str(len(content) + missing))
        self.end_headers()
        self.wfile.write(content[: reply.ends_after])
        self.close_connection = reply.ends_after is not None
        self.close_connection = self.close_connection or bool(missing)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that the base class has
        """Say nothing."""


def nothing_to_open(_reference: Mapping[str, Any]) -> Any:
    raise NotImplementedError


def call(
    kind: str,
    *,
    report: Callable[[Mapping[str, Any]], None] = lambda _figures: None,
    identity: Callable[[str], Secret] = NO_IDENTITY,
    connection: Connection | None = None,
    **properties: Any,
) -> dict[str, Any]:
    """Run one activity that calls a web service."""
    given = Given(
        name="Call",
        properties=properties,
        inputs=[],
        outputs=[],
        linked_service={"referenceName": "App"} if connection else None,
        mark=Mark(run_id="run", step="Call", attempt=1),
        dataset=nothing_to_open,
        connect=lambda _reference: connection if connection is not None else nothing_to_open({}),
        text=lambda _kind, _name: "",
        report=report,
        identity=identity,
    )
    return ACTIVITIES.find(kind)(given)
