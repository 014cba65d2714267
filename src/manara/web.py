"""The one HTTP client: small answers to hold, and answers of any size that go into a file."""

import contextlib
import functools
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import BinaryIO, Self
from urllib.parse import urlsplit

import httpx

from manara.errors import BadRows, ManaraError, Transient, WrongDefinition
from manara.secret import Secret, masked

ANSWER_BYTES = 4 << 20
TICK_S = 0.1
USER_AGENT = "Manara"
_HOPS = 20
HARMLESS = {"accept", "accept-encoding", "content-length", "content-type", "host", "transfer-encoding", "user-agent"}
"""What another host may see of a request that is sent on to it."""


class Unreached(Transient):
    """No line was open, so that the request was never sent: it may be sent again, whatever it asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked. `timeout` is for all of it; `certificate` is a PEM text with the client's certificate and key."""

    method: str
    url: str
    timeout: timedelta
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    certificate: Secret | None = None
    certificate_password: Secret | None = None
    checks_server: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back: `url` is the address that answered at last, `text` is in the charset that it names."""

    url: str
    status: int
    reason: str
    headers: Mapping[str, str]
    text: str

    def header(self, name: str) -> str:
        """Return a header, whatever its case; empty where there is none."""
        return next((value for known, value in self.headers.items() if known.lower() == name.lower()), "")


def send(request: Request, tick: Callable[[], None] = lambda: None) -> Answer:
    """Return the answer, whatever its status; redirections are followed.

    `tick` is called several times a second; what it raises ends the waiting at once. Raises Transient where no answer
    came in time, WrongDefinition for a request that cannot be sent, BadRows for an answer beyond 4 MB.
    """
    exchange = _Exchange(lambda: _exchange(request))
    thread = _thread(exchange, request)
    end = time.monotonic() + request.timeout.total_seconds()
    while thread.is_alive():
        tick()
        thread.join(TICK_S)
        if time.monotonic() > end and thread.is_alive():
            raise _too_late(request)
    return exchange.outcome()


class Session:
    """Requests that share their open lines, in a `with` block. An answer goes into a file, however large it is."""

    def __init__(self, *, checks_server: bool = True) -> None:
        self._client = httpx.Client(verify=_plain_trust(checks_server), follow_redirects=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._client.close()

    def fetch(self, request: Request, into: BinaryIO | None, tick: Callable[[], None] = lambda: None) -> Answer:
        """Return the answer; its body goes `into` the file where the status is below 300, and else into `text`.

        The request's `timeout` is for the answer to begin, and for each silence while it comes. Redirections are
        followed; another host is told no headers that could be secrets. `tick` is called several times a second; what
        it raises ends the waiting at once. Raises Transient (Unreached where the request was never sent) for an answer
        that did not come, or not whole; WrongDefinition for a request that cannot be sent.
        """
        began, stopped = threading.Event(), threading.Event()
        exchange = _Exchange(lambda: self._streamed(request, into, began, stopped))
        thread = _thread(exchange, request)
        end = time.monotonic() + request.timeout.total_seconds()
        try:
            while thread.is_alive():
                tick()
                thread.join(TICK_S)
                if time.monotonic() > end and not began.is_set() and thread.is_alive():
                    raise _too_late(request)
        finally:
            stopped.set()
        return exchange.outcome()

    def _streamed(
        self, request: Request, into: BinaryIO | None, began: threading.Event, stopped: threading.Event
    ) -> Answer:
        with _translated(request):
            built = self._client.build_request(
                request.method,
                request.url,
                headers=_encoded(request),
                content=request.body or None,
                timeout=request.timeout.total_seconds(),
            )
            response = self._followed(built, request)
            with contextlib.closing(response):
                began.set()
                keeps = into is not None and response.status_code < 300
                body = bytearray()
                for chunk in response.iter_bytes():
                    if stopped.is_set():
                        break
                    if keeps and into is not None:
                        into.write(chunk)
                    elif len(body) <= ANSWER_BYTES:
                        body += chunk
                return _told_answer(response, bytes(body))

    def _followed(self, built: httpx.Request, request: Request) -> httpx.Response:
        for _ in range(_HOPS):
            response = self._client.send(built, stream=True)
            if response.next_request is None:
                return response
            response.close()
            following = response.next_request
            if _origin(str(following.url)) != _origin(request.url):
                for name in [name for name in following.headers if name.lower() not in HARMLESS]:
                    del following.headers[name]
            built = following
        raise _no_answer(request, f"it was sent on {_HOPS} times", "Give the address where the answer is.")


def same_host(first: str, second: str) -> bool:
    """Return whether two addresses are of one host and port, and the second is no less secure than the first."""
    one, other = _origin(first), _origin(second)
    return bool(one[1]) and (one == other or (one[1] == other[1] and (one[0], other[0]) == ("http", "https")))


def pause(seconds: float, tick: Callable[[], None]) -> None:
    """Wait; `tick` is called several times a second, and what it raises ends the waiting at once."""
    end = time.monotonic() + seconds
    tick()
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, TICK_S))
        tick()


def shown(url: str) -> str:
    """Return an address as it may be told: without its query, where keys stand, and without a password."""
    return masked(url.split("?", 1)[0])


class _Exchange:
    """One request in a thread of its own, which may be left behind."""

    def __init__(self, work: Callable[[], Answer]) -> None:
        self.work = work
        self.answer: Answer | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.answer = self.work()
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            self.error = error

    def outcome(self) -> Answer:
        if self.error:
            raise self.error
        assert self.answer is not None, "an exchange ends with an answer or an error"  # noqa: S101
        return self.answer


def _thread(exchange: _Exchange, request: Request) -> threading.Thread:
    thread = threading.Thread(target=exchange.run, name=f"{request.method} {_host(request.url)}", daemon=True)
    thread.start()
    return thread


def _exchange(request: Request) -> Answer:
    seconds = request.timeout.total_seconds()
    with (
        _translated(request),
        httpx.Client(verify=_trust(request), timeout=seconds, follow_redirects=True) as client,
        client.stream(request.method, request.url, headers=_encoded(request), content=request.body or None) as response,
    ):
        return _answer(response, request)


def _encoded(request: Request) -> list[tuple[bytes, bytes]]:
    headers = {"User-Agent": USER_AGENT, **request.headers}
    return [(name.encode("ascii"), value.encode()) for name, value in headers.items()]


@contextlib.contextmanager
def _translated(request: Request) -> Iterator[None]:
    try:
        yield
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError, OverflowError) as error:
        raise _unsendable(request, masked(str(error))) from None
    except httpx.LocalProtocolError:  # its text shows the header, which may be a secret
        raise _unsendable(request, "a header holds what may not stand in one") from None
    except (httpx.ConnectTimeout, httpx.ConnectError) as error:
        why = masked(str(error)) or type(error).__name__
        raise _no_answer(request, why, "Check the address, the network and the certificate.", Unreached) from None
    except httpx.TimeoutException:
        raise _too_late(request) from None
    except httpx.HTTPError as error:
        why = masked(str(error)) or type(error).__name__
        raise _no_answer(request, why, "Check the address, the network and the certificate.") from None


def _answer(response: httpx.Response, request: Request) -> Answer:
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > ANSWER_BYTES:
            raise BadRows(
                f"The answer of '{shown(request.url)}' is larger than 4 MB.",
                advice="Ask for less, or copy it to a file.",
                code="2001",
            )
    return _told_answer(response, bytes(body))


def _told_answer(response: httpx.Response, body: bytes) -> Answer:
    headers: dict[str, str] = {}
    for name, value in response.headers.raw:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return Answer(
        url=str(response.url),
        status=response.status_code,
        reason=response.reason_phrase,
        headers=headers,
        text=_decoded(body, response.charset_encoding),
    )


def _decoded(body: bytes, charset: str | None) -> str:
    try:
        return body.decode(charset or "utf-8-sig", errors="replace")
    except LookupError:
        return body.decode("utf-8-sig", errors="replace")


def _unsendable(request: Request, why: str) -> ManaraError:
    return WrongDefinition(
        f"The request to '{shown(request.url)}' cannot be sent: {why}.", advice="Check the address and the headers."
    )


def _too_late(request: Request) -> ManaraError:
    return _no_answer(
        request, f"no answer in {request.timeout.total_seconds():g} s", "Raise httpRequestTimeout, or ask again later."
    )


def _no_answer(request: Request, why: str, advice: str, kind: type[Transient] = Transient) -> ManaraError:
    told = f"Error calling the endpoint '{shown(request.url)}'. Response status code: 'NA - Unknown'."
    return kind(f"{told} More details: {why}.", advice=advice, code="2108")


def _trust(request: Request) -> ssl.SSLContext:
    if request.certificate is None:
        return _plain_trust(request.checks_server)
    context = httpx.create_ssl_context(verify=request.checks_server)
    password = request.certificate_password.open() if request.certificate_password else ""
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(request.certificate.open())
        file.flush()
        try:
            context.load_cert_chain(file.name, password=password)
        except (ssl.SSLError, OSError):
            raise WrongDefinition(
                "The client certificate cannot be read with its password.",
                where="authentication.pfx",
                advice="Give a PEM text that holds the certificate and its key.",
            ) from None
    return context


@functools.cache
def _plain_trust(checks: bool) -> ssl.SSLContext:
    return httpx.create_ssl_context(verify=checks)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _origin(url: str) -> tuple[str, str]:
    """Return the scheme and the host with its port; nothing for what is no address."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ("", "")
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    host = (parts.hostname or "").lower()
    return (parts.scheme, host if port in (None, usual) else f"{host}:{port}")
