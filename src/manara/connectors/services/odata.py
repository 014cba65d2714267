"""The linked service OData and the dataset ODataResource: an entity set, read page by page."""

import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from manara import clock
from manara.connectors.file_facts import interim_type
from manara.connectors.services.answers import Kept, passing, reader, rows_of, schema_of
from manara.connectors.services.client import Service, client_of, service_of
from manara.connectors.services.paging import Ask, NextLink, Path
from manara.connectors.services.rest import Asking, joined, service
from manara.errors import WrongDefinition
from manara.plugin.connection import LinkedServiceGiven, Mark, connector
from manara.plugin.dataset import DatasetGiven, Tally, dataset

Settings = Mapping[str, Any]

_NEXT = NextLink((Path(("@odata.nextLink",)), Path(("odata.nextLink",)), Path(("d", "__next"))))
_ABOUT = re.compile(r".*@odata\..*|odata\..*|__metadata|@.*")
_DATE = re.compile(r"/Date\((-?\d+)(?:[+-]\d+)?\)/")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@connector("OData", can={"read"})
def odata(given: LinkedServiceGiven) -> Service:
    """Return the OData service at `url`, opened as `authenticationType` says (Windows is not possible)."""
    return service_of(given)


@dataset("ODataResource", can={"read"})
def odata_resource(given: DatasetGiven) -> "ODataDataset":
    """Return the entity set at `path`; the source's `query` holds `$select`, `$filter`, `$top` and the like.

    Answers of OData 2, 3 and 4 in JSON are read, and their next pages followed. What the protocol says about the rows
    (`@odata.etag`, `__metadata`) is left out; dates of OData 2 become ISO texts in UTC.
    """
    return ODataDataset(given=given, service=service(given, "OData"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ODataDataset:
    """One entity set."""

    given: DatasetGiven
    service: Service

    def read(self, settings: Settings, tally: Tally) -> pa.RecordBatchReader:
        rows = self._rows(settings, tally)
        return reader(next(rows), rows, settings)

    def write(self, settings: Settings, rows: pa.RecordBatchReader, mark: Mark, tally: Tally) -> dict[str, Any]:  # noqa: ARG002
        raise WrongDefinition("OData services can only be read.", where=f"dataset '{self.given.name}'")

    def metadata(self, fields: Sequence[str]) -> dict[str, Any]:
        rows = self._rows({"query": "$top=100"}, Tally())
        schema: pa.Schema = next(rows)
        rows.close()
        structure = [{"name": column.name, "type": interim_type(column.type)} for column in schema]
        facts = {"exists": True, "itemName": self._path(), "structure": structure, "columnCount": len(structure)}
        return {name: facts[name] for name in fields if name in facts}

    def _rows(self, settings: Settings, tally: Tally) -> Generator[Any, None, None]:
        """Yield the schema, and then the batches."""
        url = joined(self.service.url, self._path())
        query = str(settings.get("query") or "").strip().lstrip("?")
        ask = Ask(url=f"{url}{'&' if '?' in url else '?'}{_encoded(query)}" if query else url, headers=_ACCEPT)
        timed = {"httpRequestTimeout": timedelta(minutes=5).total_seconds(), **_given(settings)}
        with passing() as answers, client_of(self.service, timed, tally.tick) as client:
            Asking(client=client, answers=answers, tally=tally).all(ask, _NEXT)
            kept = [one for one in answers.kept if one.size_bytes]
            within = {**settings, "collectionReference": settings.get("collectionReference") or _collection(kept)}
            whole = schema_of(kept, within, self.given.batch_rows)
            names = [name for name in whole.names if not _ABOUT.fullmatch(name)]
            yield pa.schema([whole.field(name) for name in names])
            for batch in rows_of(kept, whole, within, tally, self.given.batch_rows):
                yield _dated(batch.select(names))

    def _path(self) -> str:
        return str(self.given.properties.get("path") or "")


_ACCEPT = {"Accept": "application/json"}


def _given(settings: Settings) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}


def _encoded(query: str) -> str:
    """Return the query as an address takes it: blanks are written out, what is escaped already stays."""
    return query.replace(" ", "%20").replace('"', "%22").replace("#", "%23")


def _collection(kept: Sequence[Kept]) -> str:
    """Return where the rows stand: `value` (OData 3 and 4), `d.results` or `d` (OData 2); nothing for one entity."""
    if not kept:
        return ""
    for place in (("value",), ("d", "results"), ("d",)):
        if isinstance(kept[0].find(Path(place)), list):
            return "$" + "".join(f"['{name}']" for name in place)
    return ""


def _dated(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns = [_iso(column) if pa.types.is_string(column.type) else column for column in batch.columns]
    return pa.record_batch(columns, schema=batch.schema)


def _iso(column: "pa.Array[Any]") -> "pa.Array[Any]":
    values: list[str | None] = column.to_pylist()
    if not any(value and value.startswith("/Date(") for value in values):
        return column
    return pa.array(list(_dates(values)), pa.string())


def _dates(values: Sequence[str | None]) -> Iterator[str | None]:
    for value in values:
        match = _DATE.fullmatch(value) if value else None
        yield clock.stamp(_EPOCH + timedelta(milliseconds=int(match[1]))) if match else value
