"""A request as it came over the wire, read within bounds of size and time, and its body as JSON."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import anyio

from manara.resources.factory import is_shallow
from manara.server.answer import Problem

MOST_BYTES = 20 * 2**20
READ_S = 30
"""How long a client may take to send its body."""

MOST_QUERY = 8192
_HOST = re.compile(r"[A-Za-z0-9.\-\[\]:]{1,255}")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. `path` is percent-encoded as it came; names of headers and of the query are in lower case."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    address: str = ""
    scheme: str = "http"

    @property
    def base(self) -> str:
        """The address of this server as the client knows it, for links in answers."""
        host = self.headers.get("host", "")
        return f"{self.scheme}://{host if _HOST.fullmatch(host) else 'localhost'}"

    def header(self, name: str) -> str:
        """Return a header's value; empty where it is not there."""
        return self.headers.get(name.lower(), "")

    def form(self) -> dict[str, str]:
        """Return the body as the fields of a form; the first of several of one name counts."""
        try:
            pairs = parse_qsl(self.body.decode(), keep_blank_values=True, max_num_fields=100)
        except (UnicodeDecodeError, ValueError):
            return {}
        return dict(reversed(pairs))

    def json(self) -> Any:
        """Return the body as JSON; None where it is empty. Raises Problem where it is something else."""
        if not self.body.strip():
            return None
        kind = self.header("content-type").partition(";")[0].strip().lower()
        if kind != "application/json" and not kind.endswith("+json"):
            told = f"The content media type '{kind[:80]}' is not supported. Only 'application/json' is supported."
            raise Problem(415, "UnsupportedMediaType", told)
        return read_json(self.body)


def read_json(raw: bytes) -> Any:
    """Return JSON in UTF-8. Raises Problem with the place of the first fault, and for what nobody could walk."""
    try:
        text = raw.decode("utf-8-sig")
        value = json.loads(text, parse_constant=_refuse)
        if "\\ud" in text.lower():
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise _unreadable(f"{error.msg}, line {error.lineno}, column {error.colno}") from error
    except UnicodeDecodeError as error:
        raise _unreadable(f"byte {error.start} is no UTF-8") from error
    except UnicodeEncodeError as error:
        raise _unreadable("it holds half a surrogate pair") from error
    except ValueError as error:
        raise _unreadable(str(error)) from error
    except RecursionError as error:
        raise _unreadable("it is nested too deeply") from error
    if not is_shallow(value):
        raise _unreadable("it is nested too deeply")
    return value


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no number in JSON")


def _unreadable(why: str) -> Problem:
    return Problem(400, "InvalidRequestContent", f"The request content was invalid and could not be read: {why}.")


async def read_request(scope: Scope, receive: Receive) -> Request:
    """Return the request with its whole body. Raises Problem for one that is too large or comes too slowly."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    query = scope["query_string"].decode("latin-1")
    if len(query) > MOST_QUERY:
        raise Problem(414, "UriTooLong", f"The query has more than {MOST_QUERY:,} characters.")
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) > MOST_BYTES:
        raise _too_large()
    try:
        with anyio.fail_after(READ_S):
            body = await _read_body(receive)
    except TimeoutError as error:
        raise Problem(408, "RequestTimeout", f"The body did not come within {READ_S} seconds.") from error
    raw = scope.get("raw_path") or scope["path"].encode()
    return Request(
        method=scope["method"].upper(),
        path=raw.partition(b"?")[0].decode("latin-1"),
        query={name.lower(): value for name, value in reversed(parse_qsl(query, keep_blank_values=True))},
        headers=headers,
        body=body,
        address=(scope.get("client") or ("",))[0],
        scheme=scope.get("scheme", "http"),
    )


async def _read_body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Problem(400, "ClientClosedRequest", "The client has gone.")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MOST_BYTES:
            raise _too_large()
        if not message.get("more_body"):
            return b"".join(parts)


def _too_large() -> Problem:
    told = f"The request content size exceeds the maximum size of {MOST_BYTES:,} bytes."
    return Problem(413, "RequestContentTooLarge", told, headers={"Connection": "close"})
