"""A service reached over HTTP: signed requests, sent again where that is safe, with answers kept as files."""

import gzip
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, cast

from manara import clock
from manara.connectors.services.signing import Fixed, Signing, auth_headers, signing_of
from manara.errors import BadRows, ManaraError, NotAllowed, SourceMissing, Transient, WrongDefinition
from manara.plugin.connection import Endpoint, LinkedServiceGiven
from manara.resources.timespan import read_timespan
from manara.secret import masked
from manara.web import HARMLESS, Answer, Request, Session, Unreached, pause, same_host, shown

TIMEOUT = timedelta(seconds=100)
"""ADF's `httpRequestTimeout` where none is given: for the answer to begin."""

TRIES = 5
FIRST_WAIT_S = 0.5
LONGEST_WAIT = timedelta(minutes=10)
_SAFE = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}
_BUSY = {429, 503}
_MAY_PASS = {408, 429, 500, 502, 503, 504}
_SHOWN = 1_000
_CLIENT_ERROR, _SERVER_ERROR = "RestCallFailedWithClientError", "RestCallFailedWithServerError"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service(Endpoint):
    """A web service: how its requests are signed, and the properties of its linked service."""

    name: str
    root: Path
    properties: Mapping[str, Any] = field(repr=False)
    signing: Signing = field(default_factory=lambda: Fixed({}), repr=False)
    checks_server: bool = True


def service_of(given: LinkedServiceGiven, signing: Signing | None = None) -> Service:
    """Return the service at the linked service's `url`, signed as it says. Raises WrongDefinition."""
    url = given.properties.get("url")
    if not isinstance(url, str) or not url.strip():
        raise WrongDefinition(
            "It needs the address of the service in typeProperties.url.",
            where=f"linked service '{given.name}'",
            advice='Write for instance "url": "https://example.org/api".',
        )
    return Service(
        url=url.strip().rstrip("/"),
        headers=auth_headers(given),
        name=given.name,
        root=given.root,
        properties=given.properties,
        signing=signing if signing is not None else signing_of(given),
        checks_server=str(given.properties.get("enableServerCertificateValidation", True)).lower() != "false",
    )


@dataclass(kw_only=True)
class Client:
    """Asks a service, one request after another.

    What may pass (429, 408, 500, 502, 503, 504, a line that breaks) is tried again, five times in all, after
    `Retry-After` or after half a second, one, two, four. Only a request that changes nothing when it is repeated is
    sent again: GET, PUT, DELETE, or one said to be `repeatable`; any other one only where the service did not take it
    (429, 503 with Retry-After, no line). A 401 makes a new token be fetched, once a request. Other hosts are told no
    credentials.
    """

    service: Service
    session: Session
    tick: Callable[[], None] = lambda: None
    timeout: timedelta = TIMEOUT
    interval: timedelta = timedelta()
    _free_at: float = 0.0

    def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        into: Path | None = None,
        repeatable: bool = False,
    ) -> Answer:
        """Return the answer, whatever its status; its body stands packed with gzip `into` a file, if below 300."""
        plain = Request(method=method, url=url, timeout=self.timeout, headers=headers or {}, body=body)
        safe = repeatable or method in _SAFE
        renewed = False
        tries = 0
        while True:
            tries += 1
            try:
                answer = self._once(plain, into)
            except Transient as error:
                if tries >= TRIES or not (safe or isinstance(error, Unreached)):
                    raise
                pause(FIRST_WAIT_S * (1 << tries - 1), self.tick)
                continue
            if answer.status == 401 and not renewed and self.service.signing.renew():
                renewed, tries = True, tries - 1
                continue
            wait = _wait(answer, tries, safe=safe)
            if wait is None or tries >= TRIES:
                return answer
            pause(wait, self.tick)

    def fetch(self, method: str, url: str, **more: Any) -> Answer:
        """Return the answer as `ask` does; raises what `failed` says for a status that is no success."""
        answer = self.ask(method, url, **more)
        if answer.status >= 300:
            raise failed(answer, self.service)
        return answer

    def _once(self, plain: Request, into: Path | None) -> Answer:
        pause(self._free_at - time.monotonic(), self.tick)
        own = same_host(self.service.url, plain.url)
        secrets = {**self.service.headers, **self.service.signing.headers(self.tick)} if own else {}
        told = {name: value for name, value in plain.headers.items() if own or name.lower() in HARMLESS}
        request = replace(plain, headers={**told, **{name: value.open() for name, value in secrets.items()}})
        try:
            if into is None:
                return self.session.fetch(request, None, self.tick)
            with gzip.open(into, "wb", compresslevel=3) as file:
                return self.session.fetch(request, cast(Any, file), self.tick)
        except OSError as error:
            raise Transient(
                f"The answer cannot be kept: {error.strerror}.", where=str(into), advice="Make room on the disk."
            ) from error
        finally:
            self._free_at = time.monotonic() + self.interval.total_seconds()


@contextmanager
def client_of(
    service: Service, settings: Mapping[str, Any], tick: Callable[[], None], interval: timedelta = timedelta()
) -> Iterator[Client]:
    """Return a client for a `with` block, with the timeout that a source or sink names."""
    timeout = read_timespan(settings.get("httpRequestTimeout"), TIMEOUT)
    with Session(checks_server=service.checks_server) as session:
        yield Client(service=service, session=session, tick=tick, timeout=timeout, interval=interval)


def failed(answer: Answer, service: Service) -> ManaraError:
    """Return the error for an answer that tells of a failure, named by what can be done next."""
    told = masked(answer.text[:_SHOWN]).strip()
    reason = f"{answer.status} {answer.reason}".strip()
    message = f"'{shown(answer.url)}' answered with status {reason}" + (f": {told}" if told else ".")
    where = f"linked service '{service.name}'"
    if answer.status in (401, 403):
        advice = "Check its authentication and its rights."
        if not same_host(service.url, answer.url):
            advice = "The address is on another host than the linked service's, which is told no credentials."
        return NotAllowed(message, where=where, advice=advice, code=_CLIENT_ERROR)
    if answer.status in (404, 410):
        return SourceMissing(message, where=where, advice="Check url and relativeUrl.", code=_CLIENT_ERROR)
    if answer.status in _MAY_PASS or answer.status >= 500:
        return Transient(message, where=where, advice="Try again later, or ask for less.", code=_SERVER_ERROR)
    return BadRows(message, where=where, advice="Mend the request.", code=_CLIENT_ERROR)


def server_time(answer: Answer) -> datetime | None:
    """Return the service's own time of the answer, from its Date header."""
    try:
        found = parsedate_to_datetime(answer.header("Date"))
    except (ValueError, TypeError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _wait(answer: Answer, tries: int, *, safe: bool) -> float | None:
    """Return the seconds to wait before the request is sent again; None where it must not be."""
    if answer.status not in _MAY_PASS:
        return None
    told = _retry_after(answer)
    if not safe and not (answer.status == 429 or (answer.status in _BUSY and told is not None)):
        return None
    if told is None:
        return FIRST_WAIT_S * (1 << tries - 1)
    return told if told <= LONGEST_WAIT.total_seconds() else None


def _retry_after(answer: Answer) -> float | None:
    """Return the seconds that the answer asks to wait: a number, or a date of HTTP."""
    text = answer.header("Retry-After").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        at: datetime = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    now = server_time(answer) or clock.now()
    left: timedelta = (at if at.tzinfo else at.replace(tzinfo=UTC)) - now
    return max(0.0, left.total_seconds())
