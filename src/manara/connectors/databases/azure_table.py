"""The linked service AzureTableStorage, and its tables of entities."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import httpx

from manara.connectors.databases.dbapi_rows import as_text
from manara.connectors.databases.documents import Document, DocumentDataset, Settings, missing
from manara.connectors.stores.azure_account import account_of
from manara.connectors.stores.azure_signing import SharedKey
from manara.connectors.stores.wire import Wire, each
from manara.errors import BadRows, NotAllowed, WrongDefinition
from manara.plugin.connection import Endpoint, LinkedServiceGiven, connector
from manara.plugin.dataset import DatasetGiven, dataset
from manara.secret import masked

_JSON = {
    "Accept": "application/json;odata=minimalmetadata",
    "DataServiceVersion": "3.0",
    "MaxDataServiceVersion": "3.0",
}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{2,62}")
_NO_KEY = re.compile(r"[/\\#?\x00-\x1f\x7f-\x9f]")
_LONGEST_KEY = 512
_LARGEST_INT32 = 1 << 31
_LARGEST_INT64 = 1 << 63
_BEHAVIORS = {"merge": False, "replace": True}


@connector("AzureTableStorage", can={"read", "write"})
def azure_tables(given: LinkedServiceGiven) -> "TableEndpoint":
    """Return the tables of a storage account.

    It is named by a connection string (UseDevelopmentStorage=true too), a `sasUri`, or `serviceEndpoint` with an
    `accountKey`, a service principal or the factory's managed identity.
    """
    account = account_of(given, "table")
    wire = account.wire
    if isinstance(wire.signer, SharedKey):
        wire = replace(wire, signer=TableKey(account=wire.signer.account, key=wire.signer.key))
    return TableEndpoint(url=account.url, headers={}, wire=wire)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableKey(SharedKey):
    """Signs with the account's key, as tables want it.

    Source: https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
    """

    def _text(self, request: httpx.Request) -> str:
        path = request.url.raw_path.decode("ascii").partition("?")[0]
        told = [request.headers.get(name, "") for name in ("Content-MD5", "Content-Type", "x-ms-date")]
        return "\n".join([request.method, *told, f"/{self.account}{path}"])


@dataclass(frozen=True, slots=True, kw_only=True)
class TableEndpoint(Endpoint):
    """The tables of a storage account."""

    wire: Wire

    def ask(self, method: str, path: str, query: Mapping[str, str] | None = None, body: Any = None) -> httpx.Response:
        """Return the answer. Raises errors of ours; a 404 is returned."""
        headers = {**_JSON, **({"Content-Type": "application/json"} if body is not None else {})}
        content = json.dumps(body, ensure_ascii=False).encode() if body is not None else b""
        allowed = (400, 403, 409, 412, 413)
        response = self.wire.ask(
            method, f"{self.url}/{path}", query=query, headers=headers, body=content, allowed=allowed
        )
        if response.status_code in allowed:
            raise self._refused(response)
        return response

    def _refused(self, response: httpx.Response) -> Exception:
        found = re.search(r'"value":\s*"([^"\\]{1,300})', response.text)
        said = (
            f"The table store refuses: {response.status_code} {masked(found[1]) if found else response.reason_phrase}."
        )
        if response.status_code == 403:
            return NotAllowed(said, where=self.url, advice="Look at the key, at its rights and at when it ends.")
        if response.status_code == 413 or "Property" in said or "Entity" in said:
            return BadRows(said, where=self.url, advice="Mend the rows.")
        return WrongDefinition(said, where=self.url, advice="Look at azureTableSourceQuery and at the names.")


@dataset("AzureTable", can={"read", "write"})
def azure_table(given: DatasetGiven) -> DocumentDataset:
    """Return the table that `tableName` names.

    A source may have `azureTableSourceQuery` (a $filter of OData) and `azureTableSourceIgnoreTableNotFound`. A sink
    merges into what has the same keys, or with `azureTableInsertType` replace puts the row in its place; a table that
    is missing is made. `azureTablePartitionKeyName` and `azureTableRowKeyName` name the columns that hold the keys;
    else they are PartitionKey and RowKey where the rows have them, or `azureTableDefaultPartitionKeyValue`, and a UUID.
    """
    name = given.properties.get("tableName")
    if not isinstance(given.connection, TableEndpoint):
        raise WrongDefinition(f"The dataset '{given.name}' needs a linked service of the type AzureTableStorage.")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise WrongDefinition(
            f"'{name}' is no name of a table.",
            where=f"dataset '{given.name}': tableName",
            advice="It has 3 to 63 letters and digits, and begins with a letter.",
        )
    return DocumentDataset(
        given=given,
        collection=Table(endpoint=given.connection, name=name),
        behavior="azureTableInsertType",
        behaviors=_BEHAVIORS,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table of a storage account."""

    endpoint: TableEndpoint
    name: str

    def exists(self) -> bool:
        # Azurite does not know a single table's address; a filter is understood by both.
        answer = self.endpoint.ask("GET", "Tables", {"$filter": f"TableName eq '{self.name}'"})
        return any(one.get("TableName", "").lower() == self.name.lower() for one in answer.json().get("value", ()))

    def read(self, settings: Settings) -> Iterator[Document]:
        query = {"$filter": str(settings["azureTableSourceQuery"])} if settings.get("azureTableSourceQuery") else {}
        more: dict[str, str] = {}
        while True:
            answer = self.endpoint.ask("GET", f"{self.name}()", {**query, **more})
            if answer.status_code == 404:
                if str(settings.get("azureTableSourceIgnoreTableNotFound")).lower() == "true":
                    return
                raise missing(self.name)
            yield from (_document(entity) for entity in answer.json()["value"])
            keys = (("NextPartitionKey", "x-ms-continuation-NextPartitionKey"),
                    ("NextRowKey", "x-ms-continuation-NextRowKey"))  # fmt: skip
            more = {name: answer.headers[header] for name, header in keys if answer.headers.get(header)}
            if not more:
                return

    def prepared(self, row: Document, new_id: str, settings: Settings) -> Document:
        partition = str(settings.get("azureTablePartitionKeyName") or "PartitionKey")
        key = str(settings.get("azureTableRowKeyName") or "RowKey")
        for name, told in ((partition, "azureTablePartitionKeyName"), (key, "azureTableRowKeyName")):
            if settings.get(told) and name not in row:
                raise WrongDefinition(f"The rows have no column '{name}'.", where=f"sink.{told}")
        entity: Document = {}
        for name, value in row.items():
            if value is not None and name not in {"PartitionKey", "RowKey", "Timestamp", "etag"}:
                entity |= _typed(name, value)
        usual = settings.get("azureTableDefaultPartitionKeyValue")
        told_partition, told_key = row.get(partition), row.get(key)
        entity["PartitionKey"] = _key(told_partition if told_partition is not None else usual or "")
        entity["RowKey"] = _key(told_key if told_key is not None else new_id)
        return entity

    def put(self, documents: Sequence[Document], *, replaces: bool) -> None:
        if not self.exists():
            self._make()
        method = "PUT" if replaces else "MERGE"
        each(lambda entity: self._write(method, entity), documents)

    def _make(self) -> None:
        try:
            self.endpoint.ask("POST", "Tables", body={"TableName": self.name})
        except WrongDefinition:
            if not self.exists():  # somebody else may have made it in the same moment
                raise

    def _write(self, method: str, entity: Document) -> None:
        keys = (quote(str(entity[name]).replace("'", "''"), safe="'") for name in ("PartitionKey", "RowKey"))
        partition, key = keys
        answer = self.endpoint.ask(method, f"{self.name}(PartitionKey='{partition}',RowKey='{key}')", body=entity)
        if answer.status_code == 404:
            raise missing(self.name)


def _key(value: Any) -> str:
    """Return a value as a key. Raises BadRows for one that Azure does not take."""
    text = as_text(value)
    if len(text) > _LONGEST_KEY or _NO_KEY.search(text):
        raise BadRows(
            f"'{text[:80]}' cannot be a key of a table.",
            advice="A key has at most 512 characters, and no / \\ # ? and no control characters.",
        )
    return text


def _document(entity: Document) -> Document:
    """Return an entity as a document: whole numbers that come as texts become numbers, the rest stays as it came."""
    found: Document = {}
    for name, value in entity.items():
        if name.startswith("odata.") or name.endswith("@odata.type"):
            continue
        kind = entity.get(f"{name}@odata.type")
        found[name] = int(value) if kind == "Edm.Int64" else float(value) if kind == "Edm.Double" else value
    return found


def _typed(name: str, value: Any) -> Document:
    """Return a property with the type that keeps it whole."""
    if isinstance(value, bool | str):
        return {name: value}
    told, kind = _number(value) if isinstance(value, int | float) else _text(value)
    return {name: told, f"{name}@odata.type": kind} if kind else {name: told}


def _number(value: float) -> tuple[Any, str]:
    if isinstance(value, float):
        return (value if abs(value) < float("inf") else str(value)), "Edm.Double"
    if -_LARGEST_INT32 <= value < _LARGEST_INT32:
        return value, ""
    return str(value), "Edm.Int64" if -_LARGEST_INT64 <= value < _LARGEST_INT64 else "Edm.String"


def _text(value: Any) -> tuple[str, str]:
    if isinstance(value, datetime):
        moment = value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "Edm.DateTime"
    if isinstance(value, date):
        return f"{value.isoformat()}T00:00:00Z", "Edm.DateTime"
    return str(value) if isinstance(value, Decimal) else as_text(value), ""
