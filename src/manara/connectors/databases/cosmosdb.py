"""The linked service CosmosDb (its API for NoSQL), and its containers."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from azure.core.credentials import AccessToken
from azure.core.exceptions import AzureError
from azure.cosmos import CosmosClient, exceptions

from manara import clock
from manara.connectors.databases.connection_string import needed, settings
from manara.connectors.databases.dbapi_rows import as_text
from manara.connectors.databases.documents import Document, DocumentDataset, Settings, missing, plain, there_already
from manara.connectors.stores.azure_signing import AUTHORITIES, Bearer, service_principal
from manara.errors import BadRows, ManaraError, NotAllowed, NotFound, Transient, WrongDefinition
from manara.plugin.connection import Endpoint, LinkedServiceGiven, connector
from manara.plugin.dataset import DatasetGiven, dataset
from manara.secret import Secret, masked

_EXAMPLE = "AccountEndpoint=https://account.documents.azure.com:443/;AccountKey=...;Database=health"
_ALIASES = {
    "endpoint": ("accountendpoint",),
    "key": ("accountkey",),
    "clientid": ("serviceprincipalid",),
    "clientsecret": ("serviceprincipalcredential", "serviceprincipalkey"),
    "cloud": ("azurecloudtype",),
}
_OWN = ("_rid", "_self", "_etag", "_attachments", "_ts")
_AGAIN = {408, 409, 410, 429, 449, 500, 503}
_CONNECT_S = 15


@connector("CosmosDb", can={"read", "write", "upsert"})
def cosmosdb(given: LinkedServiceGiven) -> "CosmosEndpoint":
    """Return the database of `connectionString` (`AccountEndpoint`, `AccountKey`, `Database`), or of the properties.

    These are `accountEndpoint`, `accountKey` and `database`. Without a key it is opened by a service principal
    (`servicePrincipalId`, `servicePrincipalCredential`, `tenant`), or else by the factory's managed identity.
    """
    told = settings(given, _ALIASES)
    url = needed(told, "endpoint", given, _EXAMPLE)
    if not url.startswith(("https://", "http://")):
        raise WrongDefinition(
            f"'{url}' is no address.", where=f"linked service '{given.name}'", advice=f"Write {_EXAMPLE}."
        )
    key = told.get("key")
    return CosmosEndpoint(
        url=url.rstrip("/"),
        headers={},
        database=needed(told, "database", given, _EXAMPLE),
        key=Secret(key) if key else None,
        credential=None if key else _credential(told, given),
    )


class _Credential:
    """Gives tokens as Azure's library asks for them."""

    def __init__(self, bearer: Bearer) -> None:
        self._bearer = bearer

    def get_token(self, *_scopes: str, **_more: Any) -> AccessToken:
        token, holds_s = self._bearer.ask()
        return AccessToken(token.open(), int(clock.now().timestamp() + holds_s))


def _credential(told: dict[str, str], given: LinkedServiceGiven) -> _Credential:
    resource = re.sub(r":\d+/?$", "", told["endpoint"]).rstrip("/")
    if not told.get("clientid"):
        return _Credential(Bearer(ask=lambda: (given.identity(resource), 600)))
    cloud = told.get("cloud") or "AzurePublic"
    authority = cloud if cloud.startswith(("https://", "http://")) else AUTHORITIES.get(cloud.lower(), "")
    if not authority or not told.get("tenant") or not told.get("clientsecret"):
        raise WrongDefinition(
            "A service principal needs its tenant, its key and a cloud that is known.",
            where=f"linked service '{given.name}'",
            advice="Give tenant and servicePrincipalCredential, which is its secret.",
        )
    secret = Secret(told["clientsecret"])
    ask = partial(service_principal, authority, told["tenant"], told["clientid"], secret, resource)
    return _Credential(Bearer(ask=ask))


@dataclass(frozen=True, slots=True, kw_only=True)
class CosmosEndpoint(Endpoint):
    """A database of Cosmos DB, opened by a key or by a credential."""

    database: str
    key: Secret | None
    credential: Any

    @contextmanager
    def opened(self, container: str, regions: Sequence[str] = ()) -> Iterator[Any]:
        """Give a container in a `with` block. Raises errors of ours for Cosmos DB's."""
        is_far = self.url.startswith("https://") and not re.search(r"//(localhost|127\.0\.0\.1)[:/]", f"{self.url}/")
        try:
            with CosmosClient(
                self.url,
                credential=self.key.open() if self.key else self.credential,
                connection_timeout=_CONNECT_S,
                preferred_locations=list(regions),
                enable_endpoint_discovery=is_far,  # an emulator tells addresses of its own that lead nowhere
            ) as client:
                yield client.get_database_client(self.database).get_container_client(container)
        except (AzureError, ValueError) as error:
            raise self.translate(error, container) from error

    def translate(self, error: Exception, container: str) -> ManaraError:
        """Return our error for one of Cosmos DB's."""
        if isinstance(error, exceptions.CosmosResourceNotFoundError):
            return missing(container)
        status = getattr(error, "status_code", None)
        said = f"Cosmos DB says: {masked(str(error)).splitlines()[0][:500]}."
        if status in {401, 403}:
            return NotAllowed(said, where=self.url, advice="Check the key and its rights.")
        if status in _AGAIN or (status is None and isinstance(error, AzureError)):
            return Transient(said, where=self.url, advice="Look whether the account can be reached, and try again.")
        if status == 413:
            return BadRows(said, advice="A document may have 2 MB at most.")
        return WrongDefinition(said, where=self.url, advice="Look at the query, the key and the documents.")


@dataset("CosmosDbSqlApiCollection", "DocumentDbCollection", can={"read", "write", "upsert"})
def container(given: DatasetGiven) -> DocumentDataset:
    """Return the container that `collectionName` names.

    A source may have `query` (its SQL; else all documents), `pageSize` and `preferredRegions`; what Cosmos DB adds to
    each document (`_ts`, `_etag` ...) is there only when the query asks for it. A sink inserts, or with
    `writeBehavior` upsert replaces what has the same id and partition key. A row without `id` gets a UUID.
    """
    name = given.properties.get("collectionName") or given.properties.get("container")
    if not isinstance(given.connection, CosmosEndpoint):
        raise WrongDefinition(f"The dataset '{given.name}' needs a linked service of the type CosmosDb.")
    if not isinstance(name, str) or not name:
        raise WrongDefinition("It names no container.", where=f"dataset '{given.name}'", advice='Add "collectionName".')
    return DocumentDataset(given=given, collection=Container(endpoint=given.connection, name=name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One container of Cosmos DB."""

    endpoint: CosmosEndpoint
    name: str

    def exists(self) -> bool:
        try:
            with self.endpoint.opened(self.name) as found:
                found.read()
        except NotFound:
            return False
        return True

    def read(self, settings: Settings) -> Iterator[Document]:
        query = str(settings.get("query") or "")
        size = int(settings.get("pageSize") or 0) or None
        with self.endpoint.opened(self.name, settings.get("preferredRegions") or ()) as found:
            if query:
                documents = found.query_items(query, enable_cross_partition_query=True, max_item_count=size)
            else:
                documents = found.read_all_items(max_item_count=size)
            for document in documents:
                if not isinstance(document, dict):
                    raise WrongDefinition(
                        "The query gives values and no documents.",
                        where="source.query",
                        advice="Give the value a name: SELECT c.a AS a, without VALUE.",
                    )
                yield document if query else _without_own(document)

    def prepared(self, row: Document, new_id: str, settings: Settings) -> Document:  # noqa: ARG002 # for all stores
        document: Document = {name: plain(value, _as_json) for name, value in row.items()}
        told = document.get("id")
        return {**document, "id": new_id if told is None else as_text(told)}

    def put(self, documents: Sequence[Document], *, replaces: bool) -> None:
        with self.endpoint.opened(self.name) as found:
            for document in documents:
                if replaces:
                    found.upsert_item(document)
                else:
                    self._insert(found, document)

    def _insert(self, found: Any, document: Document) -> None:
        try:
            found.create_item(document)
        except exceptions.CosmosResourceExistsError as error:
            query = "select * from c where c.id = @id"
            asked = [{"name": "@id", "value": document["id"]}]
            there = found.query_items(query, parameters=asked, enable_cross_partition_query=True)
            if document not in [_without_own(one) for one in there]:
                raise there_already(document["id"]) from error


def _without_own(document: Document) -> Document:
    return {name: value for name, value in document.items() if name not in _OWN}


def _as_json(value: Any) -> Any:
    """Return a value as JSON keeps it there: numbers are doubles, and what none holds exactly is text."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return value if abs(value) <= 1 << 53 else str(value)
    if isinstance(value, Decimal):
        return float(value) if Decimal(repr(float(value))) == value else str(value)
    return value if isinstance(value, float) else as_text(value)
