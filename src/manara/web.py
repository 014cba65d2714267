"""The one HTTP client: a request with a time limit, and an answer that is small enough to hold."""

import functools
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

import httpx

from manara.errors import BadRows, ManaraError, Transient, WrongDefinition
from manara.secret import Secret, masked

ANSWER_BYTES = 4 << 20
TICK_S = 0.1
USER_AGENT = "Manara"


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
    exchange = _Exchange(request)
    thread = threading.Thread(target=exchange.run, name=f"{request.method} {_host(request.url)}", daemon=True)
    thread.start()
    end = time.monotonic() + request.timeout.total_seconds()
    while thread.is_alive():
        tick()
        thread.join(TICK_S)
        if time.monotonic() > end and thread.is_alive():
            raise _too_late(request)
    if exchange.error:
        raise exchange.error
    assert exchange.answer is not None, "an exchange ends with an answer or an error"  # noqa: S101
    return exchange.answer


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

    def __init__(self, request: Request) -> None:
        self.request = request
        self.answer: Answer | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.answer = _exchange(self.request)
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            self.error = error


def _exchange(request: Request) -> Answer:
    seconds = request.timeout.total_seconds()
    headers = {"User-Agent": USER_AGENT, **request.headers}
    try:
        encoded = [(name.encode("ascii"), value.encode()) for name, value in headers.items()]
        with (
            httpx.Client(verify=_trust(request), timeout=seconds, follow_redirects=True) as client,
            client.stream(request.method, request.url, headers=encoded, content=request.body or None) as response,
        ):
            return _answer(response, request)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError, OverflowError) as error:
        raise _unsendable(request, masked(str(error))) from None
    except httpx.LocalProtocolError:  # its text shows the header, which may be a secret
        raise _unsendable(request, "a header holds what may not stand in one") from None
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
    headers: dict[str, str] = {}
    for name, value in response.headers.raw:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return Answer(
        url=str(response.url),
        status=response.status_code,
        reason=response.reason_phrase,
        headers=headers,
        text=_decoded(bytes(body), response.charset_encoding),
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


def _no_answer(request: Request, why: str, advice: str) -> ManaraError:
    told = f"Error calling the endpoint '{shown(request.url)}'. Response status code: 'NA - Unknown'."
    return Transient(f"{told} More details: {why}.", advice=advice, code="2108")


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
