"""How a request to a service is signed: the authentication types of linked services, as headers."""

import base64
import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Protocol
from urllib.parse import quote, urlencode

from manara.errors import ManaraError, NotAllowed, Transient, WrongDefinition
from manara.plugin.connection import LinkedServiceGiven
from manara.secret import Secret, read_secret
from manara.web import Request, Session, shown

_CLOUDS = {
    "azurepublic": "https://login.microsoftonline.com",
    "azurechina": "https://login.chinacloudapi.cn",
    "azureusgovernment": "https://login.microsoftonline.us",
    "azuregermany": "https://login.microsoftonline.de",
}
_TIMEOUT = timedelta(seconds=100)

Tick = Callable[[], None]


class Signing(Protocol):
    """Gives the headers that open a service."""

    def headers(self, tick: Tick) -> Mapping[str, Secret]:
        """Return the headers; a token is fetched when it is first needed."""

    def renew(self) -> bool:
        """Forget what was refused; returns whether asking again can help."""


class Fixed:
    """Headers that stay as they are."""

    def __init__(self, headers: Mapping[str, Secret]) -> None:
        self._headers = headers

    def headers(self, _tick: Tick) -> Mapping[str, Secret]:
        return self._headers

    def renew(self) -> bool:
        return False


class Bearer:
    """A token that is fetched, kept, and fetched anew once it is refused."""

    def __init__(self, fetch: Callable[[Tick], Secret]) -> None:
        self._fetch = fetch
        self._token: Secret | None = None

    def headers(self, tick: Tick) -> Mapping[str, Secret]:
        if self._token is None:
            self._token = self._fetch(tick)
        return {"Authorization": Secret(f"Bearer {self._token.open()}")}

    def renew(self) -> bool:
        self._token = None
        return True


def signing_of(given: LinkedServiceGiven) -> Signing:
    """Return what `authenticationType` says. Raises WrongDefinition.

    It may be Anonymous, Basic, AadServicePrincipal, ManagedServiceIdentity or OAuth2ClientCredential.
    Source: https://learn.microsoft.com/azure/data-factory/connector-rest#linked-service-properties
    """
    properties = given.properties
    kind = str(properties.get("authenticationType") or "Anonymous").lower()
    if kind == "anonymous":
        return Fixed({})
    if kind == "basic":
        return Fixed({"Authorization": basic(_text(given, "userName", "username"), _secret(given, "password"))})
    if kind in ("managedserviceidentity", "systemassignedmanagedidentity", "userassignedmanagedidentity"):
        resource = _text(given, "aadResourceId")
        return Bearer(lambda _tick: given.identity(resource))
    if kind in ("aadserviceprincipal", "serviceprincipal"):
        return Bearer(_aad(given))
    if kind == "oauth2clientcredential":
        form = {"client_id": _text(given, "clientId")}
        form |= {name: str(properties[name]) for name in ("scope", "resource") if properties.get(name)}
        return Bearer(_client_credential(given, _text(given, "tokenEndpoint"), form, "clientSecret"))
    raise WrongDefinition(
        f"The authentication type '{properties['authenticationType']}' is unknown.",
        where=f"linked service '{given.name}': authenticationType",
        advice="Use Anonymous, Basic, AadServicePrincipal, ManagedServiceIdentity or OAuth2ClientCredential.",
    )


def basic(name: str, password: Secret) -> Secret:
    """Return the value of an Authorization header that holds a user's name and password."""
    return Secret("Basic " + base64.b64encode(f"{name}:{password.open()}".encode()).decode())


def auth_headers(given: LinkedServiceGiven) -> dict[str, Secret]:
    """Return the linked service's `authHeaders` (in some files `authHeader`)."""
    found = given.properties.get("authHeaders") or given.properties.get("authHeader") or {}
    if not isinstance(found, Mapping):
        raise WrongDefinition(
            "It is no object.", where="authHeaders", advice='Write {"Name": {"type": "SecureString"}}.'
        )
    return {
        str(name): read_secret(value, f"linked service '{given.name}': authHeaders.{name}")
        for name, value in found.items()
    }


def _aad(given: LinkedServiceGiven) -> Callable[[Tick], Secret]:
    cloud = str(given.properties.get("azureCloudType") or "AzurePublic").lower()
    authority = given.properties.get("authority") or _CLOUDS.get(cloud)
    if not authority:
        raise WrongDefinition(
            f"There is no cloud '{given.properties['azureCloudType']}'.",
            where="azureCloudType",
            advice="Use AzurePublic, AzureChina, AzureUsGovernment or AzureGermany.",
        )
    url = f"{str(authority).rstrip('/')}/{quote(_text(given, 'tenant'), safe='')}/oauth2/token"
    form = {"client_id": _text(given, "servicePrincipalId"), "resource": _text(given, "aadResourceId")}
    return _client_credential(given, url, form, "servicePrincipalKey")


def _client_credential(
    given: LinkedServiceGiven, url: str, form: Mapping[str, str], key: str
) -> Callable[[Tick], Secret]:
    secret = _secret(given, key)
    checks = _checks(given)

    def fetch(tick: Tick) -> Secret:
        whole = {"grant_type": "client_credentials", **form, "client_secret": secret.open()}
        request = Request(
            method="POST",
            url=url,
            headers={"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
            body=urlencode(whole).encode(),
            timeout=_TIMEOUT,
        )
        with Session(checks_server=checks) as session:
            answer = session.fetch(request, None, tick)
        try:
            token = json.loads(answer.text)["access_token"] if answer.status < 300 else None
        except (ValueError, KeyError, TypeError):
            token = None
        if not isinstance(token, str) or not token:
            raise _no_token(given, url, answer.status)
        return Secret(token)

    return fetch


def _no_token(given: LinkedServiceGiven, url: str, status: int) -> ManaraError:
    if status in (408, 429) or status >= 500:
        return Transient(f"'{shown(url)}' gave no token (status {status}).", advice="Try again later.")
    return NotAllowed(  # the answer is not shown: it may hold what was sent
        f"'{shown(url)}' gave no token (status {status}).",
        where=f"linked service '{given.name}'",
        advice="Check the client's id, its secret and what it asks for (scope, resource).",
    )


def _checks(given: LinkedServiceGiven) -> bool:
    return str(given.properties.get("enableServerCertificateValidation", True)).lower() != "false"


def _text(given: LinkedServiceGiven, *names: str) -> str:
    found = next((given.properties[name] for name in names if given.properties.get(name)), None)
    if not isinstance(found, str):
        raise WrongDefinition(
            f"Its authentication needs {names[0]}.", where=f"linked service '{given.name}'", advice="Add it as a text."
        )
    return found


def _secret(given: LinkedServiceGiven, name: str) -> Secret:
    return read_secret(given.properties.get(name), f"linked service '{given.name}': {name}")
