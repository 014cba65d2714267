"""Activities run without the runtime: datasets on a folder and on a DuckDB file, given as the runtime gives them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from manara.errors import NotFound
from manara.plugin.activity import ACTIVITIES, Given, Output, Reference
from manara.plugin.connection import CONNECTORS, Connection, Database, LinkedServiceGiven, Mark, Store
from manara.plugin.dataset import DATASETS, Dataset, DatasetGiven, Tally
from manara.resources.factory import STANDARD, standard_subject

Json = dict[str, Any]


def files(kind: str, path: str, **properties: Any) -> Json:
    """Return the reference of a file dataset: a file, or a folder when the path ends with a slash."""
    folder, _, name = path.rpartition("/")
    location = {"type": "FileServerLocation", "folderPath": folder, "fileName": name}
    return {"referenceName": path, "type": kind, "typeProperties": {"location": location, **properties}}


def csv(path: str, **properties: Any) -> Json:
    """Return the reference of a CSV with a header."""
    return files("DelimitedText", path, **{"firstRowAsHeader": True, **properties})


def table(name: str, kind: str = "DuckDBTable", **properties: Any) -> Json:
    """Return the reference of a table of the warehouse."""
    return {"referenceName": name, "type": kind, "typeProperties": {"table": name, **properties}}


def describe(_kind: str, reference: Mapping[str, Any]) -> Json:
    """Return the definition of a dataset: that of its reference, on the linked service that it lies on here."""
    service = "Warehouse" if str(reference["type"]).endswith("Table") else "Files"
    properties = {"linkedServiceName": {"referenceName": service}, "typeProperties": reference["typeProperties"]}
    return {"name": reference["referenceName"], "properties": properties}


@dataclass(kw_only=True)
class Place:
    """A folder with files, and a warehouse beside them."""

    folder: Path
    run_id: str = "run"
    reports: list[Mapping[str, Any]] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    steps: int = 0
    cursor: Any = None
    published: str = ""
    warehouse: Database | None = None
    service: tuple[str, Json] = ("DuckDB", {"path": "warehouse.duckdb", "lockTimeout": 0.2})
    """Type and properties of the warehouse's linked service, for another process."""

    @property
    def store(self) -> Store:
        found = self._connect("FileServer", {"host": "."})
        assert isinstance(found, Store)
        return found

    @property
    def database(self) -> Database:
        if self.warehouse is not None:
            return self.warehouse
        found = self._connect(*self.service)
        assert isinstance(found, Database)
        return found

    def write(self, path: str, content: str | bytes) -> Path:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
        return target

    def rows(self, path: str) -> list[Json]:
        """Return the rows of a Parquet file."""
        return list(pq.read_table(self.folder / path).to_pylist())

    def query(self, statement: str) -> list[Json]:
        return list(self.database.query(statement).read_all().to_pylist())

    def dataset(self, reference: Reference) -> Dataset:
        kind = str(reference["type"])
        connection = self.database if kind.endswith("Table") else self.store
        properties = reference["typeProperties"]
        given = DatasetGiven(name="data", type=kind, properties=properties, connection=connection, text=self._text)
        return DATASETS.find(kind)(given)

    def read(self, reference: Reference, **settings: Any) -> pa.Table:
        return self.dataset(reference).read(settings, Tally()).read_all()

    def _text(self, kind: str, name: str) -> str:
        """Return a file beside the JSON; the procedures are those of `texts` whose names begin with their folder."""
        key = f"{kind}/{name}.sql" if kind == "local/procedure" else name
        if (kind, name) == ("subject", STANDARD):
            return standard_subject()
        if key not in self.texts:
            raise NotFound(f"There is no {kind} '{name}'.")
        return self.texts[key]

    def run(
        self,
        kind: str,
        properties: Json,
        inputs: Iterable[Json] = (),
        outputs: Iterable[Json] = (),
        *,
        step: str = "",
    ) -> Output:
        """Run one activity. Each run is a step of its own, unless `step` names one."""
        self.steps += 1
        given = Given(
            name="Work",
            properties=properties,
            inputs=list(inputs),
            outputs=list(outputs),
            linked_service={"referenceName": "Warehouse"},
            mark=Mark(run_id=self.run_id, step=step or f"Work{self.steps}", attempt=1),
            dataset=self.dataset,
            connect=lambda reference: self.store if reference["referenceName"] == "Files" else self.database,
            text=self._text,
            report=self.reports.append,
            root=self.folder,
            cursor=self.cursor,
            describe=describe,
            published_type=lambda _reference: self.published,
        )
        return ACTIVITIES.find(kind)(given)

    def copy(self, source: Json, sink: Json, *, step: str = "", **properties: Any) -> Output:
        """Run a Copy; `source_settings` and `sink_settings` are what its source and sink say besides their types."""
        reading = {"type": f"{source['type']}Source", **properties.pop("source_settings", {})}
        writing = {"type": f"{sink['type']}Sink", **properties.pop("sink_settings", {})}
        return self.run("Copy", {"source": reading, "sink": writing, **properties}, [source], [sink], step=step)

    def _connect(self, kind: str, properties: Json) -> Connection:
        given = LinkedServiceGiven(name=kind, type=kind, properties=properties, root=self.folder)
        return CONNECTORS.find(kind)(given)
