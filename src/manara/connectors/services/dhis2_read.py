"""What is read of a DHIS2: lists of metadata, data values, and analytics; all of it, or what has changed."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

import pyarrow as pa

from manara.connectors.services.answers import Answers, Kept, rows_of, schema_of
from manara.connectors.services.client import Client, server_time
from manara.connectors.services.dhis2_analytics import grids
from manara.connectors.services.incremental import Window
from manara.errors import BadRows, NotAllowed, Transient, WrongDefinition
from manara.plugin.dataset import DatasetGiven, Tally

Settings = Mapping[str, Any]
Pairs = list[tuple[str, str]]

METADATA, VALUES, ANALYTICS = "metadata", "dataValueSet", "analytics"
_PAGE_SIZE, _UNITS, _PERIODS = 500, 100, 60
_FLAGS = ("followup", "deleted")
_VALUE_COLUMNS = (
    *("dataElement", "period", "orgUnit", "categoryOptionCombo", "attributeOptionCombo", "value", "storedBy"),
    *("created", "lastUpdated", "comment", *_FLAGS),
)
VALUE_SCHEMA = pa.schema([(name, pa.bool_() if name in _FLAGS else pa.string()) for name in _VALUE_COLUMNS])
_VALUE_PARAMETERS = (
    *("dataSet", "dataElementGroup", "dataElement", "orgUnitGroup", "attributeOptionCombo", "startDate", "endDate"),
    *("lastUpdated", "lastUpdatedDuration", "includeDeleted", "limit", "idScheme", "dataElementIdScheme"),
    *("orgUnitIdScheme", "categoryOptionComboIdScheme", "attributeOptionComboIdScheme", "dataSetIdScheme"),
)
_DELETED_FIELDS = {"id": "uid", "code": "code", "lastUpdated": "deletedAt"}
_MEANT = re.compile(r"[A-Za-z]\w*")


@dataclass(frozen=True, slots=True)
class Asked:
    """One read under way."""

    client: Client
    answers: Answers
    settings: Settings
    tally: Tally
    given: DatasetGiven

    def get(self, path: str, pairs: Pairs) -> Kept:
        url = f"{self.client.service.url}/{path}"
        query = urlencode(pairs, quote_via=quote, safe=":;,[]")
        return self.answers.fetch(
            self.client, "GET", f"{url}?{query}" if query else url, self.tally, headers={"Accept": "application/json"}
        )

    def now(self) -> datetime:
        """Return the time on the server's own clock."""
        kept = self.get("system/info", [])
        told = (kept.json() or {}).get("serverDate") if isinstance(kept.json(), dict) else None
        try:
            found = datetime.fromisoformat(_offset(str(told))) if told else server_time(kept.answer)
        except ValueError:
            found = server_time(kept.answer)
        if found is None:
            raise BadRows(
                "The server does not say what time it is.",
                where=f"linked service '{self.client.service.name}'",
                advice="Read without incremental.",
            )
        return found.replace(tzinfo=None)

    def pages(self, path: str, pairs: Pairs, key: str) -> list[Kept]:
        """Return all pages of a list. Raises Transient where the list shrank while it was read: rows may be missing."""
        kept: list[Kept] = []
        number, rows, size, pager = 1, 0, self._page_size(), dict[str, Any]()
        while True:
            page = self.get(path, [*pairs, ("page", str(number)), ("pageSize", str(size))])
            if kept and page.digest == kept[-1].digest:  # without paging, a resource gives everything each time
                break
            body = page.json()
            found = body.get(key) if isinstance(body, dict) else None
            if not isinstance(found, list):
                raise BadRows(
                    f"'{path}' gives no list of {key}.", where=f"dataset '{self.given.name}'", advice="Check resource."
                )
            kept.append(page)
            rows += len(found)
            pager = body.get("pager") or {name: body.get(name) for name in ("pageCount", "total")}
            count = _whole(pager.get("pageCount"))
            if number >= count if count else len(found) < size:
                break
            number += 1
            self.tally.tick()
        if rows < _whole(pager.get("total")):
            raise Transient(
                f"'{path}' has {pager['total']} rows, but only {rows} came: it changed while it was read.",
                where=f"dataset '{self.given.name}'",
                advice="Read it again.",
            )
        return kept

    def _page_size(self) -> int:
        return number_of(self.settings.get("pageSize"), "pageSize", _PAGE_SIZE)

    def rows(self, kept: list[Kept], schema: pa.Schema, key: str) -> Iterator[pa.RecordBatch]:
        settings = {"collectionReference": f"$['{key}']"}
        return rows_of(kept, schema, settings, self.tally, self.given.batch_rows)


def _metadata(asked: Asked, found: Window | None) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    resource = str(asked.settings.get("resource") or "").strip("/ ")
    if not resource or not re.fullmatch(r"[\w/-]+", resource):
        raise WrongDefinition(
            "The dataset needs a resource of DHIS2.", where="resource", advice="Write for instance organisationUnits."
        )
    key = resource.rpartition("/")[2]
    fields = ",".join(texts(asked.settings.get("fields"))) or "id,code,name,created,lastUpdated"
    pairs: Pairs = [("fields", fields), ("order", str(asked.settings.get("order") or "id:asc"))]
    pairs += [("filter", told) for told in texts(asked.settings.get("filter") or asked.settings.get("filters"))]
    if asked.settings.get("rootJunction"):
        pairs.append(("rootJunction", str(asked.settings["rootJunction"])))
    if found and found.since:
        pairs.append(("filter", f"lastUpdated:ge:{_wall(found.since)}"))
    kept = asked.pages(resource, pairs, key)
    inside = {"collectionReference": f"$['{key}']"}
    known = schema_of(kept, inside, asked.given.batch_rows)
    missing = [name for name in _top_fields(fields) if name not in known.names]
    schema = pa.schema([*known, *(pa.field(name, pa.string()) for name in missing if name != "deleted")])
    if found is None:
        return schema, asked.rows(kept, schema, key)
    if "deleted" not in schema.names:
        schema = schema.append(pa.field("deleted", pa.bool_()))
    gone = _gone(asked, found, key)
    return schema, _with_gone(asked.rows(kept, schema, key), gone, schema)


def _gone(asked: Asked, found: Window, key: str) -> list[dict[str, Any]]:
    """Return the objects that were deleted in the window, from DHIS2's own feed of them."""
    if str(asked.settings.get("deletes", True)).lower() == "false":
        return []
    klass = str(asked.settings.get("klass") or _klass(key))
    pairs: Pairs = [("klass", klass)] + ([("deletedAt", _wall(found.since))] if found.since else [])
    try:
        pages = asked.pages("deletedObjects", pairs, "deletedObjects")
    except NotAllowed as error:
        raise NotAllowed(
            error.message,
            where=error.where,
            advice='Let the user read deletedObjects, or do without deletes: "deletes": false in the source.',
        ) from error
    return [row for page in pages for row in page.json()["deletedObjects"]]


def _with_gone(
    batches: Iterator[pa.RecordBatch], gone: list[dict[str, Any]], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """Yield the rows that are there, and then those that are gone, unless they came back under the same id."""
    there: set[str] = set()
    for batch in batches:
        if "id" in schema.names:
            there.update(map(str, batch.column("id").to_pylist()))
        yield _flagged(batch)
    rows = {row["uid"]: row for row in gone if row.get("uid") and row["uid"] not in there}
    if rows and "id" in schema.names:
        told = [{name: row.get(old) for name, old in _DELETED_FIELDS.items()} for row in rows.values()]
        yield pa.RecordBatch.from_pylist([{**row, "deleted": True} for row in told], schema=schema)


def _values(asked: Asked, found: Window | None) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    settings = asked.settings
    shared: Pairs = [
        (name, _plain(told)) for name in _VALUE_PARAMETERS for told in texts(settings.get(name)) if told != ""
    ]
    if not any(name in ("dataSet", "dataElementGroup", "dataElement") for name, _ in shared):
        raise WrongDefinition(
            "It needs a dataSet (or a dataElementGroup).", where=f"dataset '{asked.given.name}'", advice="Name one."
        )
    periods = texts(settings.get("period") or settings.get("periods"))
    if found:
        since = found.since or datetime(1970, 1, 1)  # noqa: DTZ001 # the server's own time
        shared = [pair for pair in shared if pair[0] not in ("lastUpdated", "lastUpdatedDuration", "includeDeleted")]
        shared += [("lastUpdated", _wall(since)), ("includeDeleted", "true")]
    chunk = settings.get("chunk") or {}
    if not isinstance(chunk, Mapping):
        raise WrongDefinition("It is no object.", where="chunk", advice='Write {"level": 3} or {"orgUnits": 50}.')
    by_period = list(_groups(periods, number_of(chunk.get("periods"), "chunk.periods", _PERIODS))) or [[]]
    kept = []
    for units in _units(asked, chunk):
        for group in by_period:
            kept.append(asked.get("dataValueSets", [*shared, *(("period", period) for period in group), *units]))
            asked.tally.tick()
    batches = asked.rows(kept, VALUE_SCHEMA, "dataValues")
    return VALUE_SCHEMA, (_flagged(batch) for batch in batches)


def _units(asked: Asked, chunk: Settings) -> Iterator[Pairs]:
    """Yield the organisation units of one request after the other.

    With `chunk.level`, each unit of that level is read with all below it by a request of its own, and the units above
    it without; otherwise `chunk.orgUnits` of those that are named at a time.
    """
    settings = asked.settings
    named = texts(settings.get("orgUnit") or settings.get("orgUnits"))
    below = str(settings.get("children", False)).lower() == "true"
    size = number_of(chunk.get("orgUnits"), "chunk.orgUnits", _UNITS)
    level = number_of(chunk.get("level"), "chunk.level", 0)
    if not named:
        yield []
        return
    if level and below:
        alone, whole = _split(asked, named, level)
        yield from ([("orgUnit", unit), ("children", "true")] for unit in whole)
        yield from ([("orgUnit", unit) for unit in group] for group in _groups(alone, size))
        return
    for group in _groups(named, size):
        yield [*(("orgUnit", unit) for unit in group), *([("children", "true")] if below else [])]


def _split(asked: Asked, roots: Sequence[str], level: int) -> tuple[list[str], list[str]]:
    """Return the units to read alone, and those to read with all below them."""
    alone: list[str] = []
    whole: list[str] = []
    for root in roots:
        pairs = [("fields", "id,level"), ("filter", f"path:like:{root}"), ("filter", f"level:le:{level}")]
        pairs += [("order", "id:asc")]
        units = [
            unit
            for page in asked.pages("organisationUnits", pairs, "organisationUnits")
            for unit in page.json()["organisationUnits"]
        ]
        alone += [unit["id"] for unit in units if unit["level"] < level]
        whole += [unit["id"] for unit in units if unit["level"] == level] if units else [root]
    return list(dict.fromkeys(alone)), list(dict.fromkeys(whole))


def _analytics(asked: Asked, _found: Window | None) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    def ask(pairs: Pairs) -> Kept:
        asked.tally.tick()
        return asked.get("analytics", pairs)

    return grids(asked.settings, ask, f"dataset '{asked.given.name}'")


def texts(value: Any) -> list[str]:
    """Return a property as texts: of a list each element, of nothing none."""
    if value is None or value == "":
        return []
    return [str(part) for part in value] if isinstance(value, list | tuple) else [_plain(value)]


def number_of(value: Any, name: str, default: int) -> int:
    """Return a whole number of a definition; `default` where there is none. Raises WrongDefinition."""
    try:
        number = default if value in (None, "") else int(str(value))
    except ValueError:
        number = -1
    if number < 0 or (number == 0 and value not in (None, "")):
        raise WrongDefinition(f"'{value}' is no number for {name}.", advice="Give a whole number above zero.")
    return number


def _whole(value: Any) -> int:
    """Return a number that a pager tells; 0 where it tells none."""
    return int(value) if isinstance(value, int) or (isinstance(value, str) and value.isdigit()) else 0


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _groups(items: Sequence[str], size: int) -> Iterator[list[str]]:
    return (list(items[at : at + size]) for at in range(0, len(items), size))


def _flagged(batch: pa.RecordBatch) -> pa.RecordBatch:
    at = batch.schema.get_field_index("deleted")
    told = [value is True for value in batch.column(at).to_pylist()]
    return batch.set_column(at, batch.schema.field(at), pa.array(told, pa.bool_()))


def _top_fields(fields: str) -> list[str]:
    """Return the plain names outside of brackets; none where a preset (`:all`, `*`) may give any."""
    flat = re.sub(r"\[[^\[\]]*\]", "", re.sub(r"\[[^\[\]]*\]", "", fields))
    names = [name.strip().partition("::")[0].partition("~")[0] for name in flat.split(",")]
    return [name for name in names if _MEANT.fullmatch(name)]


def _klass(key: str) -> str:
    single = f"{key[:-3]}y" if key.endswith("ies") else key.removesuffix("s")
    return single[:1].upper() + single[1:]


def _wall(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


def _offset(text: str) -> str:
    """Return a time of DHIS2 with its offset as ISO writes it (`+0000` becomes `+00:00`)."""
    return re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", text)


Read = Callable[[Asked, Window | None], tuple[pa.Schema, Iterator[pa.RecordBatch]]]

READ: dict[str, Read] = {METADATA: _metadata, VALUES: _values, ANALYTICS: _analytics}
"""What reads each kind: it asks for everything, and returns the columns and the rows."""
