"""The linked services MongoDb, MongoDbV2, MongoDbAtlas and CosmosDbMongoDbApi, and their collections."""

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pymongo
from bson import Binary, Decimal128, Int64, ObjectId, json_util
from bson.errors import BSONError
from pymongo import errors

from manara.connectors.databases.documents import Document, DocumentDataset, Settings, missing, plain, there_already
from manara.errors import BadRows, ManaraError, NotAllowed, Transient, WrongDefinition
from manara.plugin.connection import Endpoint, LinkedServiceGiven, connector
from manara.plugin.dataset import DatasetGiven, dataset
from manara.secret import Secret, masked, read_secret

_SELECT_MS = 15_000
_BATCH = 100
_TWICE = 11000
_RIGHTS = {13, 18, 8000}
_EXAMPLE = "mongodb://reader:...@db.example.org:27017/?tls=true"


@connector("MongoDb", "MongoDbV2", "MongoDbAtlas", "CosmosDbMongoDbApi", can={"read", "write", "upsert"})
def mongodb(given: LinkedServiceGiven) -> "MongoEndpoint":
    """Return the database `database` (or `databaseName`) behind `connectionString`, an address of MongoDB's.

    The older MongoDb names `server`, `port`, `databaseName`, `authenticationType` (Anonymous or Basic), `username`,
    `password`, `authSource` and `enableSsl` instead. The parts of an address may be written percent-encoded.
    """
    where = f"linked service '{given.name}'"
    told = given.properties
    name = told.get("database") or told.get("databaseName")
    if told.get("connectionString"):
        address = read_secret(told["connectionString"], f"{where}: connectionString").open()
    elif told.get("server"):
        address = _older(told, where)
    else:
        raise WrongDefinition(
            "It needs its connectionString.", where=where, advice=f'Write "connectionString": "{_EXAMPLE}".'
        )
    if not isinstance(name, str) or not name:
        raise WrongDefinition("It needs its database.", where=where, advice='Write "database": "health".')
    return MongoEndpoint(url=masked(address).split("@")[-1], headers={}, address=Secret(address), database=name)


def _older(told: Mapping[str, Any], where: str) -> str:
    user = ""
    if str(told.get("authenticationType") or "Anonymous").lower() == "basic":
        password = read_secret(told.get("password"), f"{where}: password").open()
        user = f"{quote(str(told.get('username')), safe='')}:{quote(password, safe='')}@"
    source = f"authSource={quote(str(told['authSource']), safe='')}&" if told.get("authSource") else ""
    tls = "tls=true" if str(told.get("enableSsl")).lower() == "true" else ""
    return f"mongodb://{user}{told['server']}:{told.get('port') or 27017}/?{source}{tls}".rstrip("&?")


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoEndpoint(Endpoint):
    """A database of MongoDB."""

    address: Secret
    database: str

    @contextmanager
    def opened(self, collection: str) -> Iterator[Any]:
        """Give a collection in a `with` block. Raises errors of ours for MongoDB's."""
        address = self.address.open()
        own: dict[str, Any] = (
            {} if "serverselectiontimeoutms" in address.lower() else {"serverSelectionTimeoutMS": _SELECT_MS}
        )
        try:
            client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(
                address, tz_aware=True, appname="manara", **own
            )
            with client:
                yield client[self.database][collection]
        except (errors.PyMongoError, BSONError) as error:
            raise translate(error) from error


def translate(error: Exception) -> ManaraError:
    """Return our error for one of MongoDB's."""
    said = f"MongoDB says: {masked(str(error))[:500].rstrip('. ')}."
    if isinstance(error, errors.InvalidURI | errors.ConfigurationError):
        return WrongDefinition(said, advice=f"Write an address such as {_EXAMPLE}.")
    if isinstance(error, errors.OperationFailure) and error.code in _RIGHTS:
        return NotAllowed(said, advice="Check the user, the password and the rights.")
    if isinstance(error, errors.ConnectionFailure | errors.ExecutionTimeout | errors.CursorNotFound):
        return Transient(said, advice="Look whether the server can be reached, and try again.")
    if isinstance(error, errors.DocumentTooLarge | errors.WriteError | BSONError):
        return BadRows(said, advice="Mend the documents.")
    return WrongDefinition(said, advice="Look at the filter and the cursorMethods.")


@dataset(
    "MongoDbCollection", "MongoDbV2Collection", "MongoDbAtlasCollection", "CosmosDbMongoDbApiCollection",
    can={"read", "write", "upsert"},
)  # fmt: skip
def collection(given: DatasetGiven) -> DocumentDataset:
    """Return the collection that `collection` (or `collectionName`) names.

    A source may have `filter` (a query of MongoDB's as a text or an object), `cursorMethods` (`project`, `sort`,
    `skip`, `limit`) and `batchSize`. A sink inserts, or with `writeBehavior` upsert replaces what has the same `_id`.
    Ids become their hexadecimal text, moments ISO 8601, exact decimals and bytes (Base64) texts. In a sink an `_id` of
    24 hexadecimal digits is an ObjectId; a row without one gets a UUID.
    """
    name = given.properties.get("collection") or given.properties.get("collectionName")
    if not isinstance(given.connection, MongoEndpoint):
        raise WrongDefinition(f"The dataset '{given.name}' needs a linked service that is a MongoDB.")
    if not isinstance(name, str) or not name:
        raise WrongDefinition("It names no collection.", where=f"dataset '{given.name}'", advice='Write "collection".')
    return DocumentDataset(given=given, collection=MongoCollection(endpoint=given.connection, name=name))


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoCollection:
    """One collection of MongoDB."""

    endpoint: MongoEndpoint
    name: str

    def exists(self) -> bool:
        with self.endpoint.opened(self.name) as found:
            return self.name in found.database.list_collection_names(filter={"name": self.name})

    def read(self, settings: Settings) -> Iterator[Document]:
        if not self.exists():
            raise missing(self.name)
        methods = settings.get("cursorMethods") or {}
        with self.endpoint.opened(self.name) as found:
            cursor = found.find(_query(settings.get("filter"), "filter"), _query(methods.get("project"), "project"))
            if methods.get("sort"):
                cursor = cursor.sort(list((_query(methods["sort"], "sort") or {}).items()))
            cursor = cursor.skip(int(methods.get("skip") or 0)).limit(int(methods.get("limit") or 0))
            with cursor.batch_size(int(settings.get("batchSize") or _BATCH)):
                yield from (plain(document, _as_json) for document in cursor)

    def prepared(self, row: Document, new_id: str, settings: Settings) -> Document:  # noqa: ARG002 # for all stores
        document: Document = {name: plain(value, _as_bson) for name, value in row.items()}
        told = document.get("_id")
        if told is None:
            return {**document, "_id": new_id}
        return {**document, "_id": ObjectId(told)} if isinstance(told, str) and _OBJECT_ID.fullmatch(told) else document

    def put(self, documents: Sequence[Document], *, replaces: bool) -> None:
        with self.endpoint.opened(self.name) as found:
            if replaces:
                found.bulk_write([pymongo.ReplaceOne({"_id": one["_id"]}, one, upsert=True) for one in documents])
                return
            try:
                found.insert_many(documents, ordered=False)
            except errors.BulkWriteError as error:
                self._check(found, documents, error)

    def _check(self, found: Any, documents: Sequence[Document], error: errors.BulkWriteError) -> None:
        """Raise, unless every document that was refused is there as it is to be: an earlier attempt wrote it."""
        for refused in error.details.get("writeErrors", []):
            document = documents[refused["index"]]
            if refused["code"] != _TWICE:
                raise BadRows(f"MongoDB says: {refused.get('errmsg')}.", advice="Mend the document.") from error
            there = found.find_one({"_id": document["_id"]})
            if there is None or json_util.dumps(there, sort_keys=True) != json_util.dumps(document, sort_keys=True):
                raise there_already(document["_id"]) from error


_OBJECT_ID = re.compile(r"[0-9a-fA-F]{24}")


def _query(told: Any, what: str) -> dict[str, Any] | None:
    """Return a query of MongoDB's: an object, or its text in extended JSON (`{"$oid": ...}`)."""
    if not told:
        return None
    try:
        found = json_util.loads(told if isinstance(told, str) else json.dumps(told))
    except (ValueError, TypeError, BSONError) as error:
        raise WrongDefinition(
            f"The {what} is no JSON: {str(error)[:200]}.",
            where=f"source.{what}",
            advice='Write names in quotes, and dates as {"$date": "2024-03-01T00:00:00Z"}.',
        ) from error
    if not isinstance(found, dict):
        raise WrongDefinition(f"The {what} is no object.", where=f"source.{what}")
    return found


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Binary | bytes):
        return base64.b64encode(bytes(value)).decode()
    return value if isinstance(value, str | bool | int | float | None) else str(value)


def _as_bson(value: Any) -> Any:
    if isinstance(value, Decimal):
        return Decimal128(value)
    if isinstance(value, datetime):  # a moment without a zone is one in UTC; MongoDB keeps milliseconds
        aware = value.replace(tzinfo=value.tzinfo or UTC)
        return aware.replace(microsecond=aware.microsecond // 1000 * 1000)
    if isinstance(value, date):
        return datetime.combine(value, time(), tzinfo=UTC)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 1 << 31:
        return Int64(value)
    return value.isoformat() if isinstance(value, time) else value
