"""The activity WebHook: calls a service, tells it an address, and waits until the service calls back there."""

import json
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from manara.activities.request import EndpointFailed, check_status, parse_json, read_request
from manara.errors import TimedOut, WrongDefinition
from manara.plugin.activity import Given, Output, activity
from manara.resources.timespan import read_timespan
from manara.web import ANSWER_BYTES, TICK_S, send

_TIMEOUT = timedelta(minutes=10)


@activity("WebHook")
def webhook(given: Given) -> Output:
    """POST the body with a `callBackUri` in it, and return what is posted there within `timeout` (rule 93).

    The address is one of this machine. With `reportStatusOnCallBack`, a `StatusCode` from 400 up fails. An `Output`
    in what is posted is the output; without one, all of it is.
    """
    properties = given.properties
    body = _body(properties.get("body"), given.name)
    try:
        timeout = read_timespan(properties.get("timeout"), _TIMEOUT)
    except WrongDefinition as error:
        raise error.at(f"{given.name}: timeout")  # noqa: B904 - the same error, with its place
    request = {"method": "POST", **properties, "httpRequestTimeout": None}
    with listening() as callback:
        call = read_request({**request, "body": {**body, "callBackUri": callback.url}}, given.identity, given.name)
        check_status(send(call, lambda: given.report({})))
        end = time.monotonic() + timeout.total_seconds()
        while not callback.came.wait(TICK_S):
            given.report({})
            if time.monotonic() >= end:
                raise TimedOut(
                    f"The callback was not called within {timeout}.",
                    where=given.name,
                    advice="Raise the timeout, or look at why the service did not call back.",
                )
    return _output(callback.body, reports=str(properties.get("reportStatusOnCallBack", False)).lower() == "true")


def _body(body: Any, where: str) -> dict[str, Any]:
    try:
        value = parse_json(body) if isinstance(body, str) and body.strip() else body or {}
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise WrongDefinition(
            "The body is no JSON object, so no callBackUri can be put into it.",
            where=f"{where}: typeProperties.body",
            advice="Give an object, or leave the body out.",
        )
    return value


def _output(body: Mapping[str, Any], *, reports: bool) -> Output:
    fields = {name.lower(): value for name, value in body.items()}
    status = str(fields.get("statuscode") or "").strip()
    if reports and status.isdigit() and int(status) >= 400:
        error = fields.get("error")
        told = {name.lower(): value for name, value in error.items()} if isinstance(error, dict) else {}
        message = told.get("message") or f"The callback reported the status {status}."
        raise EndpointFailed(str(message), code=str(told.get("errorcode") or status))
    output = fields.get("output")
    return dict(output) if isinstance(output, dict) else dict(body)


class Callback:
    """An address that waits for one JSON object: `came` is set when it is in `body`."""

    def __init__(self, url: str, path: str) -> None:
        self.url = url
        self.path = path
        self.came = threading.Event()
        self.body: dict[str, Any] = {}
        self._lock = threading.Lock()

    def take(self, body: bytes) -> tuple[int, str]:
        """Take what was posted; return the HTTP status and the message for who did."""
        try:
            value = parse_json(body) if body.strip() else {}
        except ValueError:
            return 400, "The body is no JSON."
        if not isinstance(value, dict):
            return 400, "The body is no JSON object."
        with self._lock:
            if self.came.is_set():
                return 409, "The callback has been called already."
            self.body = value
            self.came.set()
        return 200, "Thank you."


@contextmanager
def listening() -> Iterator[Callback]:
    """Return an address of this machine, hard to guess, that is open for the length of the `with` block."""
    path = f"/callback/{secrets.token_urlsafe(24)}"
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answering)
    server.daemon_threads = True
    callback = Callback(f"http://127.0.0.1:{server.server_address[1]}{path}", path)
    server.RequestHandlerClass = type("Answering", (_Answering,), {"callback": callback})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": TICK_S / 2}, daemon=True)
    thread.start()
    try:
        yield callback
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Answering(BaseHTTPRequestHandler):
    callback: Callback
    timeout = 30

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length") or "0"
        if self.path != self.callback.path:
            self._say(404, "There is nothing here.")
        elif not length.isdigit() or int(length) > ANSWER_BYTES:
            self._say(413, "The body must say its length, of at most 4 MB.")
        else:
            self._say(*self.callback.take(self.rfile.read(int(length))))

    def _say(self, status: int, message: str) -> None:
        told = json.dumps({"message": message}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that the base class has
        """Say nothing on the console."""
