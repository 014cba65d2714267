"""Requests to a store that speaks HTTP: signed, sent again where that can help, and their refusals told."""

import atexit
import functools
import re
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, BinaryIO, Protocol, TypeVar
from urllib.parse import quote, urlencode, urlsplit
from xml.etree import ElementTree as ET

import httpx

from manara.connectors.stores.ranged import FIRST_BYTES, ranged
from manara.connectors.stores.remote import NO_TIME, no_file
from manara.errors import ManaraError, NotAllowed, NotFound, Transient, WrongDefinition
from manara.secret import masked

T = TypeVar("T")

_TRIES = 5
_AGAIN = {408, 429, 500, 502, 503, 504}
_LONGEST_WAIT_S = 30.0
_TIMES = httpx.Timeout(60, connect=15)
_AT_ONCE = 8
_NO_CONTAINER = {"ContainerNotFound", "NoSuchBucket", "ShareNotFound", "FilesystemNotFound"}
_NOT_ALLOWED = re.compile(r"Auth|AccessDenied|ExpiredToken|InvalidToken|TokenRefresh|PublicAccess|SignatureDoesNot")


class NoContainer(NotFound):
    """The container, bucket or share itself is missing."""


class Signer(Protocol):
    """Puts into each request what opens the store."""

    def sign(self, request: httpx.Request) -> None:
        """Add the headers to a request that is about to be sent."""

    def renew(self) -> bool:
        """Forget a token that was refused, and say whether another one can be had."""


class Anonymous:
    """Signs nothing: for what is open to everybody, and where the address itself is the key."""

    def sign(self, request: httpx.Request) -> None:
        """Leave the request as it is."""

    def renew(self) -> bool:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """The way to one service. `where` is its address as it may be shown; `key` is the query that opens it (SAS)."""

    where: str
    signer: Signer = field(repr=False)
    key: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    wait: Callable[[float], None] = time.sleep

    def ask(
        self,
        method: str,
        url: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | Callable[[], Iterable[bytes]] = b"",
        allowed: Iterable[int] = (),
    ) -> httpx.Response:
        """Return the answer when it is good, a 404, or of a status in `allowed`; redirections are not followed.

        A `body` that is too large to hold is given by what yields it anew for each try.

        Raises NotAllowed, NotFound where the container is missing, Transient where trying again did not help, and
        WrongDefinition for any other refusal.
        """
        address = _with_query(url, query or {}, self.key)
        problem, pause_s, renewed = "", 0.0, False
        for attempt in range(_TRIES):
            if pause_s:
                self.wait(pause_s)
            try:
                response = self._send(method, address, {**self.headers, **(headers or {})}, body)
            except httpx.TransportError as error:
                problem, pause_s = masked(str(error)) or type(error).__name__, 0.2 * 2**attempt
                continue
            if response.status_code == 401 and not renewed and self.signer.renew():
                renewed, pause_s = True, 0.0
                continue
            if response.status_code not in _AGAIN or response.status_code in allowed:
                return self._checked(response, allowed)
            problem, pause_s = reason_of(response), _pause_s(response, attempt)
        raise Transient(
            f"The store could not be reached {_TRIES} times, at last: {problem}.",
            where=self.where,
            advice="Look at the network and the address, or run it again later.",
        )

    def _send(
        self, method: str, address: str, headers: Mapping[str, str], body: bytes | Callable[[], Iterable[bytes]]
    ) -> httpx.Response:
        try:
            content = body() if callable(body) else body or None
            whole = {"Accept-Encoding": "identity", **headers}
            request = client().build_request(method, address, headers=whole, content=content)
            if not body and method in {"PUT", "POST"}:
                request.headers["Content-Length"] = "0"
            self.signer.sign(request)
            return _as_stored(client().send(request, stream=True))
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError, UnicodeError):
            raise WrongDefinition(
                "The address or the key of the store cannot be sent.", where=self.where, advice="Look at both."
            ) from None

    def _checked(self, response: httpx.Response, allowed: Iterable[int]) -> httpx.Response:
        status, code = response.status_code, code_of(response)
        if code in _NO_CONTAINER and status not in allowed:
            raise NoContainer(
                f"There is no such container, file system, bucket or share ({code}).",
                where=self.where,
                advice="Make it, or mend its name in the dataset.",
            )
        if status < 400 or status == 404 or status in allowed:
            return response
        raise self.refused(response)

    def refused(self, response: httpx.Response) -> ManaraError:
        """Return the error for a refusal."""
        status, reason = response.status_code, reason_of(response)
        if status in {401, 403} or _NOT_ALLOWED.search(code_of(response)):
            return NotAllowed(
                f"The store refuses: {reason}.",
                where=self.where,
                advice="Look at the key, at its rights and at when it ends.",
            )
        if status == 412:
            return Transient("The file was changed while it was read.", where=self.where, advice="Run it again.")
        return WrongDefinition(f"The store refuses: {reason}.", where=self.where)

    def open(self, path: str, url: str) -> BinaryIO:
        """Return the file at the address, read by ranges of the one version that is there now."""
        # Google unpacks what is stored packed for all who do not say that they can do that themselves
        packed = {"Accept-Encoding": "gzip"} if "googleapis" in url else {}
        first = self.ask("GET", url, headers={"Range": f"bytes=0-{FIRST_BYTES - 1}", **packed}, allowed=(416,))
        if first.status_code == 404:
            raise no_file(path, self.where)
        if first.status_code != 206:  # an empty file has no ranges, and a server may not know them
            content = b"" if first.status_code == 416 else first.content
            return ranged(lambda _start, _count: b"", len(content), content)
        tag = first.headers.get("ETag", "")
        same = {"If-Match": tag} if tag and not tag.startswith("W/") else {}

        def fetch(start: int, count: int) -> bytes:
            headers = {"Range": f"bytes={start}-{start + count - 1}", **same, **packed}
            response = self.ask("GET", url, headers=headers)
            if response.status_code == 404:
                raise no_file(path, self.where)
            return response.content if response.status_code == 206 else response.content[start : start + count]

        return ranged(fetch, int(first.headers["Content-Range"].rpartition("/")[2]), first.content)


@functools.cache
def client() -> httpx.Client:
    """Return the process's one client for stores, whose open connections serve all threads."""
    made = httpx.Client(timeout=_TIMES, limits=httpx.Limits(max_connections=64, max_keepalive_connections=32))
    atexit.register(made.close)
    return made


def each(work: Callable[[T], object], things: Iterable[T]) -> None:
    """Do the work for every thing, several at once; raises what the first failing one raised."""
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="store") as pool:
        for _ in pool.map(work, things):
            pass


def is_address(url: str) -> bool:
    """Say whether a text is the address of something that speaks HTTP.

    >>> is_address("https://x.org"), is_address("x.org"), is_address("http://[")
    (True, False, False)
    """
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def xml_of(response: httpx.Response) -> ET.Element:
    """Return a good answer as XML, its names without their namespace, which not all of S3's kin give."""
    try:
        root = ET.fromstring(response.content)  # noqa: S314 # what is read is the answer of the user's own store
    except ET.ParseError as error:
        raise _strange(response, f"is no XML: {error}") from None
    for entry in root.iter():
        entry.tag = entry.tag.rpartition("}")[2]
    return root


def json_of(response: httpx.Response, *names: str) -> Any:
    """Return what stands under the names, one in the other, in a good answer of JSON."""
    try:
        found = response.json()
        for name in names:
            found = found[name]
    except (ValueError, KeyError, TypeError):
        raise _strange(response, "is not the JSON that was asked for") from None
    return found


def _strange(response: httpx.Response, what: str) -> ManaraError:
    return ManaraError(
        f"The answer of the store {what}.",
        where=str(response.url.host),
        advice="Look at the address: something else seems to answer there.",
        code="UserErrorInvalidAnswer",
    )


def encoded(*names: str) -> str:
    """Return names as the path of an address.

    >>> encoded("a b", "50%/ü")
    'a%20b/50%25/%C3%BC'
    """
    return "/".join(quote(name, safe="/-._~") for name in names if name)


def code_of(response: httpx.Response) -> str:
    """Return the service's own word for what is wrong."""
    if response.status_code < 400:
        return ""
    if told := response.headers.get("x-ms-error-code"):
        return str(told)
    found = re.search(r"<Code>([^<]{1,80})</Code>|\"exception\"\s*:\s*\"([^\"]{1,80})", response.text)
    return next(filter(None, found.groups()), "") if found else ""


def reason_of(response: httpx.Response) -> str:
    """Return status, code and the first sentence of what the service says, without secrets."""
    found = re.search(r"(?:<Message>|\"message\"\s*:\s*\")([^<\"\n]{1,300})", response.text)
    words = (str(response.status_code), code_of(response) or response.reason_phrase, masked(found[1]) if found else "")
    return " ".join(filter(None, words)).rstrip(". ")


def moment(response_or_text: httpx.Response | str | None) -> datetime:
    """Return the time that an answer's Last-Modified, or a text such as it, says."""
    found = response_or_text
    text = found.headers.get("Last-Modified") if isinstance(found, httpx.Response) else found
    if not text:
        return NO_TIME
    try:
        at = datetime.fromisoformat(text) if text[:4].isdigit() else parsedate_to_datetime(text)
    except ValueError:
        return NO_TIME
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def _as_stored(response: httpx.Response) -> httpx.Response:
    """Return the answer read to its end, as it was sent: a file that is stored packed is not unpacked."""
    try:
        content = b"".join(response.iter_raw())
    finally:
        response.close()
    drops = {b"content-encoding", b"transfer-encoding"}
    headers = [(name, value) for name, value in response.headers.raw if name.lower() not in drops]
    return httpx.Response(response.status_code, headers=headers, content=content, request=response.request)


def _with_query(url: str, query: Mapping[str, str], key: str) -> str:
    whole = "&".join(filter(None, (urlencode(query, quote_via=quote, safe="-._~"), key)))
    return f"{url}?{whole}" if whole else url


def _pause_s(response: httpx.Response, attempt: int) -> float:
    told = response.headers.get("Retry-After", "")
    return min(float(told), _LONGEST_WAIT_S) if told.isdigit() else 0.2 * 2**attempt
