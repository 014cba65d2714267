"""The linked service RestService and the dataset RestResource: JSON of a web service, page by page, and back."""

import gzip
import hashlib
import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pyarrow as pa

from manara.connectors.file_facts import interim_type
from manara.connectors.formats.text import plain_rows
from manara.connectors.services.answers import Answers, Kept, passing, reader, rows_of, schema_of
from manara.connectors.services.client import Client, Service, client_of, service_of
from manara.connectors.services.paging import Ask, Following, pages
from manara.connectors.services.paging_rules import read_rules
from manara.errors import WrongDefinition
from manara.plugin.connection import LinkedServiceGiven, Mark, connector
from manara.plugin.dataset import DatasetGiven, Tally, dataset
from manara.resources.timespan import read_timespan
from manara.secret import read_secret
from manara.web import Answer

Settings = Mapping[str, Any]

_READS = ("GET", "POST")
_WRITES = ("POST", "PUT", "PATCH")
_BATCH_ROWS = 10_000
_JSON = "application/json"


@connector("RestService", can={"read", "write"})
def rest_service(given: LinkedServiceGiven) -> Service:
    """Return the service at `url`, opened as `authenticationType` and `authHeaders` say."""
    return service_of(given)


@dataset("RestResource", can={"read", "write"})
def rest_resource(given: DatasetGiven) -> "RestDataset":
    """Return the resource at `relativeUrl` of a RestService.

    Method, body, headers and pagination rules may stand in the dataset or in the copy's source, which wins. The rows
    are the objects of the answers, read as Json files are (`collectionReference`, `paths`). Between two pages nothing
    is waited for unless `requestInterval` says so.
    """
    return RestDataset(given=given, service=service(given, "RestService"))


def service(given: DatasetGiven, kind: str) -> Service:
    """Return the dataset's service; raises WrongDefinition where its linked service is something else."""
    if isinstance(given.connection, Service):
        return given.connection
    raise WrongDefinition(
        f"The dataset '{given.name}' of type {given.type} needs a linked service that is a web service.",
        advice=f"Point it at one of type {kind}.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RestDataset:
    """One resource of a service."""

    given: DatasetGiven
    service: Service

    def read(self, settings: Settings, tally: Tally) -> pa.RecordBatchReader:
        rows = self._rows(settings, tally)
        return reader(next(rows), rows, settings)

    def write(self, settings: Settings, rows: pa.RecordBatchReader, mark: Mark, tally: Tally) -> dict[str, Any]:
        """Send the rows as JSON arrays of `writeBatchSize` objects.

        There is no transaction: batches that were taken stay taken when a later one fails, and an attempt that follows
        sends all of them again. Each batch carries an `Idempotency-Key` that is the same in every attempt of the step.
        """
        method = _method(settings, self.given, _WRITES, "POST")
        interval = timedelta(milliseconds=_number(settings, "requestInterval", 0))
        headers = {"Content-Type": f"{_JSON}; charset=utf-8", **self._headers(settings)}
        packs = str(settings.get("httpCompressionType") or "none").lower() == "gzip"
        headers |= {"Content-Encoding": "gzip"} if packs else {}
        url = self._url()
        with client_of(self.service, settings, tally.tick, interval) as client:
            for number, batch in enumerate(_batches(rows, _number(settings, "writeBatchSize", _BATCH_ROWS)), 1):
                body = json.dumps(batch, ensure_ascii=False, separators=(",", ":"), default=str).encode()
                sent = gzip.compress(body, 6, mtime=0) if packs else body
                key = {"Idempotency-Key": _key(mark, number)}
                client.fetch(method, url, headers={**headers, **key}, body=sent)
                tally.rows_copied += len(batch)
                tally.data_written += len(sent)
                tally.tick()
        return {}

    def metadata(self, fields: Sequence[str]) -> dict[str, Any]:
        rows = self._rows({}, Tally())
        schema = next(rows)
        rows.close()
        assert isinstance(schema, pa.Schema)  # noqa: S101 # it comes first
        structure = [{"name": column.name, "type": interim_type(column.type)} for column in schema]
        name = str(self.given.properties.get("relativeUrl") or "")
        facts = {"exists": True, "itemName": name, "structure": structure, "columnCount": len(structure)}
        return {name: facts[name] for name in fields if name in facts}

    def _rows(self, settings: Settings, tally: Tally) -> Generator[Any, None, None]:
        """Yield the schema, and then the batches; the answers lie on the disk as long as that takes."""
        with passing() as answers:
            kept = self._fetch(answers, settings, tally)
            schema = schema_of(kept, settings, self.given.batch_rows)
            yield schema
            yield from rows_of(kept, schema, settings, tally, self.given.batch_rows)

    def _fetch(self, answers: Answers, settings: Settings, tally: Tally) -> list[Kept]:
        both = {**self.given.properties, **{name: value for name, value in settings.items() if value is not None}}
        method = _method(both, self.given, _READS, "GET")
        rules = read_rules(both.get("paginationRules"), f"dataset '{self.given.name}': paginationRules")
        own = {name: value for name, value in self._headers(both).items() if name.lower() != "accept"}
        headers = {**own, "Accept": _JSON}  # ADF too takes nothing but JSON, whatever the headers say
        body = both.get("requestBody")
        sent = b"" if body in (None, "") else (body if isinstance(body, str) else json.dumps(body)).encode()
        if sent and not any(name.lower() == "content-type" for name in headers):
            headers["Content-Type"] = _JSON
        interval = read_timespan(both.get("requestInterval"), timedelta())
        with client_of(self.service, both, tally.tick, interval) as client:
            asking = Asking(client=client, answers=answers, tally=tally, method=method, body=sent)
            asking.all(Ask(url=self._url(), headers=headers), rules)
        return [kept for kept in answers.kept if kept.size_bytes]

    def _url(self) -> str:
        return joined(self.service.url, str(self.given.properties.get("relativeUrl") or ""))

    def _headers(self, settings: Settings) -> dict[str, str]:
        found = settings.get("additionalHeaders") or {}
        if isinstance(found, str):
            pairs = (line.partition(":") for line in found.splitlines() if line.strip())
            return {name.strip(): value.strip() for name, _, value in pairs}
        where = f"dataset '{self.given.name}': additionalHeaders"
        if not isinstance(found, Mapping):
            raise WrongDefinition("They are no object.", where=where, advice='Write {"Name": "value"}.')
        texts = {name: value if isinstance(value, str | Mapping) else str(value) for name, value in found.items()}
        return {str(name): read_secret(value, f"{where}.{name}").open() for name, value in texts.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Takes page after page into `answers`."""

    client: Client
    answers: Answers
    tally: Tally
    method: str = "GET"
    body: bytes = b""

    def all(self, plain: Ask, rules: Following) -> None:
        """Take all pages from the request on that is written."""
        for _ in pages(plain, rules, self._one):
            self.tally.tick()

    def _one(self, ask: Ask) -> tuple[Answer, Any, str]:
        kept = self.answers.fetch(
            self.client, self.method, ask.url, self.tally, headers=dict(ask.headers), body=self.body
        )
        return kept.answer, kept.find, kept.digest


def joined(base: str, relative: str) -> str:
    """Return the address that a relative one means: behind the service's own, as ADF joins them."""
    relative = relative.strip()
    if not relative:
        return base
    if relative.lower().startswith(("http://", "https://")):
        return relative
    return base + relative if relative.startswith("?") else f"{base.rstrip('/')}/{relative.lstrip('/')}"


def _method(settings: Settings, given: DatasetGiven, known: Sequence[str], default: str) -> str:
    found = str(settings.get("requestMethod") or default).upper()
    if found not in known:
        raise WrongDefinition(
            f"The requestMethod '{found}' is not possible here.",
            where=f"dataset '{given.name}'",
            advice=f"Use {', '.join(known)}.",
        )
    return found


def _number(settings: Settings, name: str, default: int) -> int:
    value = settings.get(name)
    try:
        number = default if value in (None, "") else int(str(value))
    except ValueError:
        number = -1
    if number < 0 or (number == 0 and default > 0):
        raise WrongDefinition(f"'{value}' is no number for {name}.", where="sink", advice="Give a whole number.")
    return number


def _key(mark: Mark, number: int) -> str:
    return hashlib.sha256(f"{mark.run_id}\n{mark.step}\n{number}".encode()).hexdigest()[:32]


def _batches(rows: pa.RecordBatchReader, size: int) -> Iterator[list[dict[str, Any]]]:
    held: list[dict[str, Any]] = []
    for batch in rows:
        held += plain_rows(batch)
        while len(held) >= size:
            yield held[:size]
            held = held[size:]
    if held:
        yield held
