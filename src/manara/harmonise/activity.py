"""The activity Harmonise: brings columns to the sector's code lists; what does not match waits for a steward."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from manara.errors import WrongDefinition
from manara.harmonise import tables
from manara.harmonise.load import Load
from manara.harmonise.pack import Pack, read_pack
from manara.harmonise.readers import packs_of, reader_of
from manara.harmonise.settings import AnyColumn, read_columns
from manara.harmonise.stream import Harmoniser
from manara.harmonise.tables import Target
from manara.plugin.activity import Given, Output, Reference, activity
from manara.plugin.connection import Transaction
from manara.plugin.dataset import DatabaseTable, Tally
from manara.plugin.lineage import Asset, From, Lineage, asset_of, safely


@activity("Harmonise")
def harmonise(given: Given) -> Output:
    """Bring the rows of the input to code lists, and write them to the output with their new columns.

    typeProperties: `columns` (see `settings.py`), `source` and `sink` (as in Copy), and `origin` (the file that the
    rows came from; the dataset's name without it). An output that is a table of a database is filled by origin: what an
    earlier load of the same origin put there is replaced, and rows that wait for a steward are kept beside it. A file
    has no place for them: there, `onUnmatched` is `keep` or `fail`.
    """
    columns = read_columns(given.properties.get("columns"), f"activity '{given.name}'")
    source = _one(given, given.inputs, "inputs")
    target = _one(given, given.outputs, "outputs")
    packs = {name: read_pack(given.root, name) for name in packs_of(columns)}
    rows = given.dataset(source).read(given.properties.get("source") or {}, Tally())
    sink = given.dataset(target)
    if isinstance(sink, DatabaseTable):
        output = _into_table(given, sink, columns, packs, rows, _origin(given, source))
    else:
        output = _into_files(given, sink, columns, packs, rows)
    told = {"packs": [pack.told for pack in packs.values()]}
    return output | told | safely(lambda: _lineage(given, source, target, columns, rows.schema))


def _into_table(
    given: Given,
    sink: DatabaseTable,
    columns: Sequence[AnyColumn],
    packs: Mapping[str, Pack],
    rows: pa.RecordBatchReader,
    origin: str,
) -> Output:
    database = sink.database
    place = _target(sink, given.properties["columns"], rows.schema)

    def work(transaction: Transaction) -> dict[str, Any]:
        tables.make_tables(transaction)
        decided = tables.read_aliases(transaction)
        readers = [reader_of(column, packs, decided.get(column.list_name, {})) for column in columns]
        harmoniser = Harmoniser(readers, rows.schema, f"activity '{given.name}'")
        return Load(transaction, database.dialect, place, harmoniser, given.mark.run_id).all(rows, origin, given.report)

    return database.once(given.mark, work)


def _into_files(
    given: Given, sink: Any, columns: Sequence[AnyColumn], packs: Mapping[str, Pack], rows: pa.RecordBatchReader
) -> Output:
    waiting = [column.to for column in columns if column.on_unmatched == "wait"]
    if waiting:
        raise WrongDefinition(
            f"Rows cannot wait beside a file, as {', '.join(waiting)} may.",
            where=f"activity '{given.name}'",
            advice="Set onUnmatched to keep or fail, or write into a table of a database.",
        )
    harmoniser = Harmoniser(
        [reader_of(column, packs, {}) for column in columns], rows.schema, f"activity '{given.name}'"
    )
    tally = Tally()

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in rows:
            tally.rows_read += batch.num_rows
            yield harmoniser.read(batch).batch
            given.report({"rowsRead": tally.rows_read})

    stream = pa.RecordBatchReader.from_batches(harmoniser.schema, batches())
    added: Output = sink.write(given.properties.get("sink") or {}, stream, given.mark, tally)
    return added | {
        "rowsRead": tally.rows_read,
        "rowsWritten": tally.rows_copied,
        "rowsWaiting": 0,
        "columns": {name: dict(counted) for name, counted in harmoniser.counts.outcomes.items()},
    }


def _target(sink: DatabaseTable, columns: Any, schema: pa.Schema) -> Target:
    properties = sink.given.properties
    named = str(properties.get("table") or "")
    if not named:
        raise WrongDefinition("The output of Harmonise names no table.", where=f"dataset '{sink.given.name}'")
    place = str(properties.get("schema") or "")
    return Target(
        schema="" if place.lower() in ("dbo", "main", "public") else place,
        table=named,
        columns=json.dumps(columns, ensure_ascii=False, sort_keys=True),
        fields=schema,
    )


def _origin(given: Given, source: Reference) -> str:
    return str(given.properties.get("origin") or source["referenceName"])


def _one(given: Given, references: Sequence[Reference], field: str) -> Reference:
    if len(references) != 1:
        raise WrongDefinition(f"Harmonise has exactly one dataset under {field}.", where=f"activity '{given.name}'")
    return references[0]


def _lineage(
    given: Given, source: Reference, target: Reference, columns: Sequence[AnyColumn], schema: pa.Schema
) -> Lineage:
    """Return which columns came from which: the source's own as they are, the harmonised ones from what they read."""
    inputs, outputs = asset_of(given, source), asset_of(given, target)
    whole: Asset = inputs[0]
    told: dict[str, tuple[From, ...]] = {name: (From(asset=whole, column=name),) for name in schema.names}
    for column in columns:
        read = [name for name in column.reads if name in schema.names]
        told[column.to] = tuple(From(asset=whole, column=name, how="TRANSFORMATION") for name in read)
    return Lineage(inputs=inputs, outputs=outputs, columns={outputs[0]: told})
