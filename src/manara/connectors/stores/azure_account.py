"""What a linked service says about an Azure storage account: where it answers, and what opens it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from manara.connectors.stores.azure_signing import AUTHORITIES, RESOURCE, Bearer, SharedKey, service_principal
from manara.connectors.stores.wire import Anonymous, Signer, Wire, is_address
from manara.errors import WrongDefinition
from manara.plugin.connection import LinkedServiceGiven
from manara.secret import Secret, read_secret

API_VERSION = "2021-12-02"
_EMULATOR = "devstoreaccount1"
_EMULATOR_PORTS = {"blob": 10000, "table": 10002}
_EMULATOR_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="  # known to all
)
_SUFFIXES = {"azurechina": "core.chinacloudapi.cn", "azureusgovernment": "core.usgovcloudapi.net"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A storage account: the address of one of its services without a `/` at the end, and the way to it."""

    url: str
    wire: Wire


def account_of(given: LinkedServiceGiven, service: str) -> Account:
    """Return the account that the linked service names, for `blob`, `file` or `table`.

    Understood are a connection string (with UseDevelopmentStorage, an endpoint of its own, an account key or a SAS),
    sasUri and sasToken, serviceEndpoint or url with an account key, a service principal or the factory's managed
    identity, and containerUri for what is open to everybody.
    """
    read = _Reader(given)
    try:
        url, signer, key = _from_connection_string(read, service) or _from_sas(read) or _from_endpoint(read)
        url = _blob_address(url) if service == "blob" else url
    except ValueError as error:
        raise WrongDefinition(f"The address of the account cannot be read: {error}.", where=read.where) from None
    if not is_address(url):
        raise WrongDefinition(
            f"'{url}' is no address of a storage account.", where=read.where, advice="Write https://..."
        )
    headers = {"x-ms-version": API_VERSION}
    if service == "file" and isinstance(signer, Bearer):
        headers["x-ms-file-request-intent"] = "backup"  # without it, no token opens a share
    return Account(url=url, wire=Wire(where=url, signer=signer, key=key, headers=headers))


Found = tuple[str, Signer, str]


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the properties of the linked service."""

    given: LinkedServiceGiven

    @property
    def where(self) -> str:
        return f"linked service '{self.given.name}'"

    @property
    def properties(self) -> Mapping[str, Any]:
        return self.given.properties

    def secret(self, name: str) -> Secret | None:
        value = self.properties.get(name)
        return read_secret(value, f"{self.where} typeProperties.{name}") if value else None

    def text(self, name: str) -> str:
        """Return a text, which may be given as a secret too."""
        found = self.secret(name)
        return found.open().strip() if found else ""


def _from_connection_string(read: _Reader, service: str) -> Found | None:
    text = read.text("connectionString")
    if not text:
        return None
    pairs = (part.split("=", 1) for part in text.split(";") if "=" in part)
    said = {name.strip().lower(): value.strip() for name, value in pairs}
    if said.get("usedevelopmentstorage", "").lower() == "true":
        host = said.get("developmentstorageproxyuri") or "http://127.0.0.1"
        if service not in _EMULATOR_PORTS:
            raise WrongDefinition("The emulator has no file shares.", where=read.where)
        return (
            f"{host}:{_EMULATOR_PORTS[service]}/{_EMULATOR}",
            SharedKey(account=_EMULATOR, key=Secret(_EMULATOR_KEY)),
            "",
        )
    account = said.get("accountname", "")
    suffix = said.get("endpointsuffix") or "core.windows.net"
    scheme = said.get("defaultendpointsprotocol") or "https"
    url = said.get(f"{service}endpoint") or (f"{scheme}://{account}.{service}.{suffix}" if account else "")
    if not url:
        raise WrongDefinition(
            "The connection string names no account.", where=read.where, advice="Add AccountName=...;"
        )
    key = Secret(said["accountkey"]) if said.get("accountkey") else read.secret("accountKey")
    if key:
        return url.rstrip("/"), SharedKey(account=account or account_in(url), key=key), ""
    sas = said.get("sharedaccesssignature") or read.text("sasToken")
    if sas:
        return url.rstrip("/"), Anonymous(), sas.lstrip("?")
    return url.rstrip("/"), _token(read), ""


def _from_sas(read: _Reader) -> Found | None:
    uri, _, query = read.text("sasUri").partition("?")
    if not uri:
        return None
    query = query or read.text("sasToken").lstrip("?")
    if not query:
        raise WrongDefinition(
            "The sasUri holds no signature.", where=read.where, advice="Add sasToken, or ?sv=...&sig=..."
        )
    return _service_of(uri), Anonymous(), query


def _from_endpoint(read: _Reader) -> Found:
    container = read.text("containerUri")
    if container:
        return _service_of(container), Anonymous(), ""
    url = read.text("serviceEndpoint") or read.text("url") or read.text("host")
    if not url:
        raise WrongDefinition(
            f"{read.given.type} needs to know its account.",
            where=read.where,
            advice="Give typeProperties.connectionString, sasUri, serviceEndpoint (blob) or url (ADLS Gen2).",
        )
    url = url.rstrip("/")
    if str(read.properties.get("authenticationType", "")).lower() == "anonymous":
        return _service_of(url), Anonymous(), ""
    if key := read.secret("accountKey"):
        return url, SharedKey(account=account_in(url), key=key), ""
    if sas := read.text("sasToken"):
        return url, Anonymous(), sas.lstrip("?")
    return url, _token(read), ""


def _token(read: _Reader) -> Signer:
    """Return what signs with the token of a service principal, or else of the factory's managed identity."""
    client_id = read.text("servicePrincipalId")
    if not client_id:
        identity = read.given.identity
        return Bearer(ask=lambda: (identity(RESOURCE), 600))
    secret = read.secret("servicePrincipalKey") or read.secret("servicePrincipalCredential")
    tenant = read.text("tenant")
    if secret is None or not tenant:
        raise WrongDefinition(
            "A service principal needs its tenant and its key.",
            where=read.where,
            advice="Give tenant and servicePrincipalKey; certificates are not supported.",
        )
    cloud = (read.text("azureCloudType") or "AzurePublic").lower()
    if cloud not in AUTHORITIES:
        raise WrongDefinition(f"'{cloud}' is no Azure cloud.", where=read.where, advice="Write AzurePublic.")
    with _LOCK:
        return _principal(AUTHORITIES[cloud], tenant, client_id, secret.open())


_LOCK = Lock()


@cache
def _principal(authority: str, tenant: str, client_id: str, secret: str) -> Bearer:
    """Return the one holder of this principal's token in the process, so that it is asked for once an hour."""
    return Bearer(ask=lambda: service_principal(authority, tenant, client_id, Secret(secret)))


def account_in(url: str) -> str:
    """Return the account that an address names.

    >>> account_in("https://lake.dfs.core.windows.net/"), account_in("http://127.0.0.1:10000/devstoreaccount1")
    ('lake', 'devstoreaccount1')
    """
    parts = urlsplit(url)
    return parts.path.strip("/").split("/")[0] if is_in_path(url) else (parts.hostname or "").split(".")[0]


def is_in_path(url: str) -> bool:
    """Say whether the account stands in the path of the address, as for the emulator."""
    host = urlsplit(url).hostname or ""
    return "." not in host or re.fullmatch(r"[\d.]+", host) is not None


def _service_of(uri: str) -> str:
    """Return the service's part of an address that may go on with a container and a path.

    >>> _service_of("https://lake.blob.core.windows.net/raw"), _service_of("http://127.0.0.1:10000/account/raw/in")
    ('https://lake.blob.core.windows.net', 'http://127.0.0.1:10000/account')
    """
    parts = urlsplit(uri)
    account = f"/{account_in(uri)}" if is_in_path(uri) else ""
    return f"{parts.scheme}://{parts.netloc}{account}"


def _blob_address(url: str) -> str:
    """Return the address of the same account's blobs: what ADLS Gen2 holds can be reached there too.

    >>> _blob_address("https://lake.dfs.core.windows.net")
    'https://lake.blob.core.windows.net'
    """
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.replace(".dfs.", ".blob.", 1), query="").geturl().rstrip("/")
