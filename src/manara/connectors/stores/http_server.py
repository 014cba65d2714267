"""The linked service HttpServer: what an address gives, read as a file."""

import atexit
import base64
import contextlib
import functools
import re
import ssl
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import sleep
from typing import Any, BinaryIO, NoReturn

import httpx

from manara.connectors.stores.drawn import drawn, keeping
from manara.connectors.stores.remote import file_info, no_file
from manara.connectors.stores.wire import is_address, moment
from manara.errors import NotAllowed, Transient, WrongDefinition
from manara.plugin.connection import FileInfo, LinkedServiceGiven, connector
from manara.registry import missing_library
from manara.secret import Secret, masked, read_secret
from manara.web import USER_AGENT, shown

_TRIES = 5
_AGAIN = {408, 429, 500, 502, 503, 504}
_LONGEST_WAIT_S = 60.0
_TIMEOUT_S = 100.0
_HOPS = 10
_METHODS = {"GET", "POST"}


@connector("HttpServer", can={"read"})
def http_server(given: LinkedServiceGiven) -> "HttpStore":
    """Return what lies below `url`, to be read; a path is the dataset's relativeUrl.

    `authenticationType` is Anonymous, Basic, Digest or ClientCertificate (a PFX in embeddedCertData); `authHeaders`
    are sent too. Rule source: https://learn.microsoft.com/azure/data-factory/connector-http
    """
    said, where = given.properties, f"linked service '{given.name}'"
    url = str(said.get("url") or "").strip()
    if not is_address(url):
        raise WrongDefinition(
            "HttpServer needs an address.", where=where, advice="Give typeProperties.url: https://..."
        )
    told = said.get("authHeaders") or {}
    if not isinstance(told, Mapping):
        raise WrongDefinition("authHeaders is no object.", where=where, advice='Write {"X-Key": ...}.')
    headers = {str(name): read_secret(value, where) for name, value in told.items()}
    kind = str(said.get("authenticationType") or "Anonymous").lower()
    checks = str(said.get("enableServerCertificateValidation", True)).lower() != "false"
    certificate, password = "", read_secret(said.get("password") or "", where)
    login: tuple[str, str, Secret] | None = None
    if kind in {"basic", "digest"}:
        login = (kind, read_secret(said.get("userName") or "", where).open(), password)
    elif kind == "clientcertificate":
        certificate = read_secret(said.get("embeddedCertData") or "", where).open()
        if not certificate:
            raise WrongDefinition("ClientCertificate needs embeddedCertData.", where=where, advice="A PFX in Base64.")
    elif kind != "anonymous":
        raise WrongDefinition(
            f"The authenticationType '{said.get('authenticationType')}' is not supported.",
            where=where,
            advice="Write Anonymous, Basic, Digest or ClientCertificate.",
        )
    client = _client(checks, certificate, password.open() if certificate else "")
    return HttpStore(url=url, client=client, headers=headers, login=login)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpStore:
    """What an address gives. It is no folder: nothing can be listed, written or deleted."""

    url: str
    client: httpx.Client
    headers: Mapping[str, Secret] = field(default_factory=dict)
    login: tuple[str, str, Secret] | None = None
    method: str = "GET"
    body: bytes = b""
    timeout_s: float = _TIMEOUT_S
    kept: dict[str, BinaryIO] | None = None
    wait: Callable[[float], None] = sleep

    def asking(self, settings: Mapping[str, Any]) -> "HttpStore":
        """Return the store that asks as a source's storeSettings say: method, body, headers and timeout.

        It asks once for an answer that is opened twice, first for its columns and then for its rows: what was read
        the first time is kept for the second.
        """
        method = str(settings.get("requestMethod") or "GET").upper()
        if method not in _METHODS:
            raise WrongDefinition(f"The requestMethod '{method}' is not supported.", advice="Write GET or POST.")
        more = {name: Secret(value) for name, value in _headers(settings.get("additionalHeaders")).items()}
        timeout_s = _seconds(settings.get("requestTimeout") or settings.get("httpRequestTimeout"))
        return replace(
            self,
            method=method,
            body=str(settings.get("requestBody") or "").encode(),
            headers={**self.headers, **more},
            timeout_s=timeout_s or self.timeout_s,
            kept={},
        )

    def info(self, path: str) -> FileInfo | None:
        """Return size and time where the server tells them: 0, and the beginning of 1970, where it does not."""
        with self._answer(path, {}) as response:
            if response.status_code in {404, 410}:
                return None
            size = response.headers.get("Content-Length", "")
            is_plain = not response.headers.get("Content-Encoding")
            return file_info(path, int(size) if size.isdigit() and is_plain else 0, moment(response))

    def list(self, folder: str) -> list[FileInfo]:
        self._only_read(f"The list of '{folder}' cannot be had")

    def open(self, path: str) -> BinaryIO:
        if self.kept is not None and path in self.kept:
            file = self.kept.pop(path)
            file.seek(0)
            return file
        chunks = self._chunks(path)
        next(chunks)  # up to the answer's head, so that what is missing is told now
        file = drawn(chunks)
        return file if self.kept is None else keeping(file, self.kept, path)

    def create(self, path: str) -> AbstractContextManager[BinaryIO]:
        self._only_read(f"'{path}' cannot be written")

    def delete(self, path: str) -> None:
        self._only_read(f"'{path}' cannot be deleted")

    def local_path(self, path: str) -> Path | None:
        self._address(path)
        return None

    def _only_read(self, what: str) -> NoReturn:
        raise WrongDefinition(
            f"{what}: an HTTP server is only read.",
            where=shown(self.url),
            advice="Name one file in the dataset's relativeUrl, without wildcards.",
        )

    def _chunks(self, path: str) -> Generator[bytes, None, None]:
        """Yield nothing when the answer has begun, and then its bytes.

        Where the line is lost, the rest is asked for, if the server can do that and still has the same version.
        """
        position, tag, tries = 0, "", 0
        while True:
            headers = {"Range": f"bytes={position}-", "If-Range": tag} if position else {}
            with self._answer(path, headers) as response:
                if response.status_code in {404, 410}:
                    raise no_file(shown(path), shown(self.url))
                if position and response.status_code != 206:
                    raise Transient("The line was lost, and the file was changed.", where=shown(self.url))
                tag = tag or _version(response)
                try:
                    if not position:
                        yield b""
                    # a part that goes on is counted in the bytes that were sent, so that nothing may be unpacked then
                    for chunk in response.iter_raw() if tag else response.iter_bytes():
                        position, tries = position + len(chunk), 0
                        yield chunk
                except httpx.TransportError as error:
                    tries += 1
                    if not tag or tries == _TRIES:
                        raise Transient(
                            f"The line was lost after {position} bytes: {masked(str(error))}.",
                            where=shown(self.url),
                            advice="Run it again.",
                        ) from None
                else:
                    return

    @contextlib.contextmanager
    def _answer(self, path: str, headers: Mapping[str, str]) -> Generator[httpx.Response, None, None]:
        address = self._address(path)
        problem, pause_s = "", 0.0
        for attempt in range(_TRIES):
            if pause_s:
                self.wait(pause_s)
            try:
                with self._asked(address, headers) as response:
                    if response.status_code not in _AGAIN:
                        self._check(response)
                        yield response
                        return
                    problem = f"status {response.status_code} {response.reason_phrase}"
                    pause_s = _pause_s(response, attempt)
            except httpx.TransportError as error:
                problem, pause_s = masked(str(error)) or type(error).__name__, 0.2 * 2**attempt
        raise Transient(
            f"The server could not be reached {_TRIES} times, at last: {problem}.",
            where=shown(address),
            advice="Look at the network and the address, or run it again later.",
        )

    @contextlib.contextmanager
    def _asked(self, address: str, headers: Mapping[str, str]) -> Generator[httpx.Response, None, None]:
        own = {name: value.open() for name, value in self.headers.items()}
        response = self._sent(address, {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **own, **headers})
        try:
            yield response
        finally:
            response.close()

    def _sent(self, address: str, headers: Mapping[str, str]) -> httpx.Response:
        """Return the answer of who answers at last; another host is told neither the login nor our own headers."""
        try:
            encoded = [(name.encode("ascii"), value.encode()) for name, value in headers.items()]
            request = self.client.build_request(
                self.method, address, headers=encoded, content=self.body or None, timeout=self.timeout_s
            )
            home, login = _origin(request.url), _login(self.login)
            for _ in range(_HOPS):
                response = self.client.send(request, stream=True, auth=login, follow_redirects=False)
                if response.next_request is None:
                    return response
                response.close()
                request = response.next_request
                if _origin(request.url) != home:
                    login = None
                    for name in (*self.headers, "Authorization", "Cookie"):
                        request.headers.pop(name, None)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError, UnicodeError):
            raise WrongDefinition(
                "The request cannot be sent.", where=shown(address), advice="Look at the address and the headers."
            ) from None
        raise WrongDefinition("The server sends on and on, from one address to the next.", where=shown(address))

    def _check(self, response: httpx.Response) -> None:
        status = response.status_code
        if status < 400 or status in {404, 410}:
            return
        told = f"The server answers with status {status} {response.reason_phrase}."
        where = shown(str(response.url))
        if status in {401, 403, 407}:
            raise NotAllowed(told, where=where, advice="Look at authenticationType, user, password and headers.")
        raise WrongDefinition(told, where=where, advice="Look at relativeUrl, requestMethod and requestBody.")

    def _address(self, path: str) -> str:
        """Return the address of the path; raises NotAllowed for one that climbs out of the linked service's."""
        plain = path.split("?", 1)[0]
        if ".." in plain.split("/") or "\0" in path or "://" in plain:
            raise NotAllowed(
                f"The path '{plain}' leaves the address.", where=shown(self.url), advice="Leave out the '..'."
            )
        if not path or path.startswith("?"):
            return self.url + path
        return f"{self.url.rstrip('/')}/{path.lstrip('/')}"


@functools.cache
def _client(checks_server: bool, certificate: str, password: str) -> httpx.Client:
    """Return the process's one client for servers of this kind, whose open connections serve all threads."""
    made = httpx.Client(verify=_trust(checks_server, certificate, password), timeout=_TIMEOUT_S)
    atexit.register(made.close)
    return made


def _trust(checks_server: bool, certificate: str, password: str) -> ssl.SSLContext:
    context = httpx.create_ssl_context(verify=checks_server)
    if not certificate:
        return context
    where = "embeddedCertData"
    pem = certificate
    if "-----BEGIN" not in certificate:
        try:
            content = base64.b64decode(certificate, validate=True)
        except ValueError:
            raise WrongDefinition("The certificate is no Base64 text.", where=where) from None
        pem, password = _pem_of(content, password, where), ""
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(pem)
        file.flush()
        try:
            context.load_cert_chain(file.name, password=password)
        except (ssl.SSLError, OSError):
            raise WrongDefinition("The certificate cannot be read with its password.", where=where) from None
    return context


def _pem_of(content: bytes, password: str, where: str) -> str:
    try:
        from manara.pfx import pem_of  # noqa: PLC0415 # its library is an extra
    except ModuleNotFoundError as error:
        raise missing_library(error) from error
    return pem_of(content, password, where)


def _login(login: tuple[str, str, Secret] | None) -> httpx.Auth | None:
    if login is None:
        return None
    kind, user, password = login
    return (httpx.DigestAuth if kind == "digest" else httpx.BasicAuth)(user, password.open())


def _headers(told: Any) -> dict[str, str]:
    """Return additionalHeaders: a mapping, or lines such as `Accept: text/csv`."""
    if isinstance(told, Mapping):
        return {str(name): str(value) for name, value in told.items()}
    lines = (line.partition(":") for line in str(told or "").splitlines())
    return {name.strip(): value.strip() for name, colon, value in lines if colon and name.strip()}


def _seconds(told: Any) -> float:
    """Return a timeout such as 00:01:40 in seconds; 0 where there is none."""
    if not told:
        return 0
    if found := re.fullmatch(r"(?:(\d+)\.)?(\d+):(\d+):(\d+)", str(told).strip()):
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    raise WrongDefinition(f"The requestTimeout '{told}' is no time.", advice="Write 00:01:40.")


def _version(response: httpx.Response) -> str:
    """Return what names this version of the file, where the server can go on in the middle of it; or nothing."""
    if response.request.method != "GET" or response.headers.get("Accept-Ranges", "") != "bytes":
        return ""
    tag = response.headers.get("ETag", "")
    return "" if tag.startswith("W/") or response.headers.get("Content-Encoding") else str(tag)


def _pause_s(response: httpx.Response, attempt: int) -> float:
    told = response.headers.get("Retry-After", "")
    return min(float(told), _LONGEST_WAIT_S) if told.isdigit() else 0.2 * 2**attempt


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
