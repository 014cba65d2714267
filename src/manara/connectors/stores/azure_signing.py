"""What opens an Azure storage account: an account key, a shared access signature, a token, or nothing."""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from urllib.parse import parse_qsl

import httpx

from manara import clock
from manara.connectors.stores.wire import client, json_of
from manara.errors import NotAllowed, Transient, WrongDefinition
from manara.secret import Secret

RESOURCE = "https://storage.azure.com/"
AUTHORITIES = {
    "azurepublic": "https://login.microsoftonline.com",
    "azurechina": "https://login.chinacloudapi.cn",
    "azureusgovernment": "https://login.microsoftonline.us",
    "azuregermany": "https://login.microsoftonline.de",
}
_BEFORE_END_S = 300
_SIGNED = (
    "Content-Encoding",
    "Content-Language",
    "Content-Length",
    "Content-MD5",
    "Content-Type",
    "Date",
    "If-Modified-Since",
    "If-Match",
    "If-None-Match",
    "If-Unmodified-Since",
    "Range",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedKey:
    """Signs with the account's key.

    Source: https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
    """

    account: str
    key: Secret

    def sign(self, request: httpx.Request) -> None:
        request.headers["x-ms-date"] = clock.now().strftime("%a, %d %b %Y %H:%M:%S GMT")
        digest = hmac.digest(_key_bytes(self.key), self._text(request).encode(), hashlib.sha256)
        request.headers["Authorization"] = f"SharedKey {self.account}:{base64.b64encode(digest).decode()}"

    def renew(self) -> bool:
        return False

    def _text(self, request: httpx.Request) -> str:
        values = [request.headers.get(name, "") for name in _SIGNED]
        values[2] = "" if values[2] == "0" else values[2]
        own = sorted((name, value) for name, value in request.headers.items() if name.startswith("x-ms-"))
        path, _, query = request.url.raw_path.decode("ascii").partition("?")
        asked = sorted((name.lower(), value) for name, value in parse_qsl(query, keep_blank_values=True))
        lines = [request.method, *values, *(f"{name}:{value.strip()}" for name, value in own), f"/{self.account}{path}"]
        return "\n".join([*lines, *(f"{name}:{value}" for name, value in asked)])


@dataclass(slots=True, kw_only=True)
class Bearer:
    """Signs with a token, and asks for another one before it ends or when it is refused.

    `ask` returns a token and how many seconds it holds.
    """

    ask: Callable[[], tuple[Secret, float]] = field(repr=False)
    _token: Secret | None = None
    _end: float = 0
    _lock: Lock = field(default_factory=Lock, repr=False)

    def sign(self, request: httpx.Request) -> None:
        request.headers["Authorization"] = f"Bearer {self.token().open()}"

    def token(self) -> Secret:
        """Return a token that holds for a while."""
        with self._lock:
            if self._token is None or time.monotonic() > self._end:
                self._token, holds_s = self.ask()
                self._end = time.monotonic() + max(holds_s - _BEFORE_END_S, holds_s / 2)
            return self._token

    def renew(self) -> bool:
        with self._lock:
            self._token = None
        return True


def service_principal(
    authority: str, tenant: str, client_id: str, secret: Secret, resource: str = RESOURCE
) -> tuple[Secret, float]:
    """Return a token for a service principal, and how many seconds it holds.

    Source: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
    """
    url = f"{authority.rstrip('/')}/{tenant}/oauth2/v2.0/token"
    asked = {
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_secret": secret.open(),
        "scope": f"{resource.rstrip('/')}/.default",
    }
    try:
        response = client().post(url, data=asked)
    except httpx.TransportError as error:
        raise Transient(f"No token could be asked for: {type(error).__name__}.", where=authority) from None
    if response.status_code in {429, 500, 502, 503, 504}:
        raise Transient(f"No token could be had: status {response.status_code}.", where=authority)
    if response.status_code != 200:
        raise NotAllowed(
            f"The service principal '{client_id}' gets no token: status {response.status_code}.",
            where=authority,
            advice="Look at tenant, servicePrincipalId and servicePrincipalKey, and at when the key ends.",
        )
    return Secret(str(json_of(response, "access_token"))), float(json_of(response).get("expires_in") or 3600)


def _key_bytes(key: Secret) -> bytes:
    try:
        return base64.b64decode(key.open(), validate=True)
    except ValueError:
        raise WrongDefinition("The account key is no Base64 text.", advice="Copy it again, whole.") from None
