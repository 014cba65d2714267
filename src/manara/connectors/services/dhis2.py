"""The linked service Dhis2 and the dataset Dhis2Resource: metadata, data values and analytics of a DHIS2."""

import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from manara.connectors.file_facts import interim_type
from manara.connectors.services.answers import Answers, raw_folder, reader
from manara.connectors.services.client import Service, client_of, service_of
from manara.connectors.services.dhis2_read import ANALYTICS, METADATA, READ, VALUE_SCHEMA, VALUES, Asked
from manara.connectors.services.dhis2_write import write_values
from manara.connectors.services.incremental import Window, is_incremental, window
from manara.connectors.services.rest import service
from manara.connectors.services.signing import Fixed, basic
from manara.errors import WrongDefinition
from manara.plugin.connection import LinkedServiceGiven, Mark, connector
from manara.plugin.dataset import DatasetGiven, Tally, dataset
from manara.secret import Secret, read_secret

Settings = Mapping[str, Any]

RAW_STORE = "data/raw"
_KINDS = {kind.lower(): kind for kind in (METADATA, VALUES, ANALYTICS)}


@connector("Dhis2", can={"read", "write"})
def dhis2(given: LinkedServiceGiven) -> Service:
    """Return the DHIS2 at `url`, with `apiVersion` where one is meant.

    It is opened by `username` and `password`, or with authenticationType ApiToken by a personal access `token`. Every
    answer is kept as it came below `rawStore` (a folder, `data/raw` of the factory unless it says otherwise).
    """
    where = f"linked service '{given.name}'"
    properties = given.properties
    kind = str(properties.get("authenticationType") or ("ApiToken" if properties.get("token") else "Basic")).lower()
    if kind == "apitoken":
        token = read_secret(properties.get("token"), f"{where}: token")
        signing = Fixed({"Authorization": Secret(f"ApiToken {token.open()}")})
    elif kind == "basic":
        name = properties.get("username") or properties.get("userName")
        if not isinstance(name, str):
            raise WrongDefinition("It needs a username.", where=where, advice="Or take a token: ApiToken.")
        signing = Fixed({"Authorization": basic(name, read_secret(properties.get("password"), f"{where}: password"))})
    else:
        raise WrongDefinition(
            f"The authentication type '{properties['authenticationType']}' is unknown.",
            where=where,
            advice="Use Basic or ApiToken.",
        )
    found = service_of(given, signing)
    base = found.url if re.search(r"/api(/\d+)?$", found.url) else f"{found.url}/api"
    version = str(properties.get("apiVersion") or "")
    if version and not version.isdigit():
        raise WrongDefinition(f"'{version}' is no apiVersion.", where=where, advice="Write for instance 42.")
    return replace(found, url=f"{base}/{version}" if version and base.endswith("/api") else base)


@dataset("Dhis2Resource", can={"read", "write"})
def dhis2_resource(given: DatasetGiven) -> "Dhis2Dataset":
    """Return what `kind` says: `metadata`, `dataValueSet` or `analytics`.

    The names of the properties are those of DHIS2's own parameters (`resource`, `fields`, `filter`, `order`; `dataSet`,
    `period`, `orgUnit`, `children` ...; `dimension`, `filter` ...), each a text or a list; the copy's source may give
    them too, and wins. With `"incremental": true` in the source only what has changed since the last good run is read,
    less the `overlap` (a day), and everything once `fullEvery` has passed; rows then say in `deleted` whether they
    are gone.
    """
    kind = _KINDS.get(str(given.properties.get("kind") or "").lower())
    if not kind:
        raise WrongDefinition(
            f"'{given.properties.get('kind')}' is no kind of Dhis2Resource.",
            where=f"dataset '{given.name}': kind",
            advice=f"Use {METADATA}, {VALUES} or {ANALYTICS}.",
        )
    return Dhis2Dataset(given=given, service=service(given, "Dhis2"), kind=kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dhis2Dataset:
    """One kind of data of a DHIS2."""

    given: DatasetGiven
    service: Service
    kind: str

    def read(self, settings: Settings, tally: Tally) -> pa.RecordBatchReader:
        rows = self._rows(settings, tally)
        return reader(next(rows), rows, settings)

    def write(self, settings: Settings, rows: pa.RecordBatchReader, mark: Mark, tally: Tally) -> dict[str, Any]:  # noqa: ARG002
        if self.kind != VALUES:
            raise WrongDefinition(f"The kind {self.kind} can only be read.", advice=f"Write to a {VALUES}.")
        with client_of(self.service, settings, tally.tick) as client:
            return write_values(client, self.answers(), {**self.given.properties, **_told(settings)}, rows, tally)

    def metadata(self, fields: Sequence[str]) -> dict[str, Any]:
        if self.kind == VALUES:
            with client_of(self.service, {}, lambda: None) as client:
                client.fetch("GET", f"{self.service.url}/system/info")
            schema = VALUE_SCHEMA
        else:
            rows = self._rows({}, Tally())
            schema = next(rows)
            rows.close()
        structure = [{"name": column.name, "type": interim_type(column.type)} for column in schema]
        facts = {"exists": True, "itemName": self.kind, "structure": structure, "columnCount": len(structure)}
        return {name: facts[name] for name in fields if name in facts}

    def answers(self) -> Answers:
        """Return a new folder of the raw store."""
        store = str(self.service.properties.get("rawStore") or RAW_STORE)
        folder = raw_folder(self.service.root, store, self.service.name, self.given.name)
        return Answers(folder=folder, keeps=True)

    def _rows(self, settings: Settings, tally: Tally) -> Generator[Any, None, None]:
        """Yield the schema, and then the batches; with the last one the cursor is left."""
        both = {**self.given.properties, **_told(settings)}
        answers = self.answers()
        with client_of(self.service, both, tally.tick) as client:
            asked = Asked(client, answers, both, tally, self.given)
            found = self._window(asked, tally.cursor) if is_incremental(both) else None
            take = READ[self.kind]
            schema, batches = take(asked, found)
        answers.complete({"window": str(found.since) if found else "", "cursor": found.cursor if found else None})
        yield schema
        for batch in batches:
            tally.tick()
            yield batch
        if found:
            tally.cursor = found.cursor

    def _window(self, asked: Asked, cursor: Any) -> Window:
        if self.kind == ANALYTICS:
            raise WrongDefinition(
                "Analytics cannot be read incrementally: its numbers do not say when they changed.",
                where=f"dataset '{self.given.name}'",
                advice="Read a few periods again, such as LAST_3_MONTHS.",
            )
        return window(asked.settings, cursor, asked.now())


def _told(settings: Settings) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}
