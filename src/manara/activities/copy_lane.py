"""The lane on which DuckDB reads the source and writes the sink in one statement, where that is certain.

Certain means: the rows, their order and their types are those of the Arrow lane, and no row can be refused. Where
DuckDB fails all the same, nothing was written, and the Arrow lane says what is wrong.
"""

from dataclasses import replace

from sqlglot import exp

from manara.activities.copy_settings import CopySettings
from manara.activities.copy_stream import Stream
from manara.activities.mapping import Mapper
from manara.errors import Cancelled, ManaraError
from manara.plugin.dataset import AsRelation, Dataset, Relation, TakesRelation


def by_duckdb(stream: Stream, source: Dataset, sink: Dataset) -> str:
    """Copy everything by one statement of DuckDB; return nothing where that was done, or else why it was not."""
    settings = stream.settings
    if why_not := _unlike(settings):
        return why_not
    if not isinstance(source, AsRelation) or not isinstance(sink, TakesRelation):
        return "DuckDB does not read the source or write the sink by itself"
    relation = source.relation(settings.source)
    if isinstance(relation, str):
        return relation
    mapper = Mapper(stream.told, relation.schema, refuse=stream.misfit)
    stream.columns = mapper.pairs(relation.schema)
    mapped = _mapped(relation, mapper)
    why_not = sink.takes(settings.sink, mapped) if mapper.is_plain else "values are converted"
    return why_not or _done(stream, mapped, sink)


def _done(stream: Stream, relation: Relation, sink: TakesRelation) -> str:
    try:
        stream.run_relation(relation, sink)
    except Cancelled:
        raise
    except ManaraError as error:
        return f"DuckDB could not do it: {error.message}"
    return ""


def _unlike(settings: CopySettings) -> str:
    """Return which setting of the copy asks for what one statement does not do."""
    if settings.lane == "Arrow":
        return "the copy asks for it"
    if settings.validates:
        return "the copy looks whether its files stay as they are"
    return "the copy logs each file" if settings.log and settings.log.all_files else ""


def _mapped(relation: Relation, mapper: Mapper) -> Relation:
    """Return the rows with the sink's columns and names."""
    names = [
        exp.alias_(exp.column(relation.schema.names[index], quoted=True), target, quoted=True)
        for index, target in zip(mapper.taken, mapper.schema.names, strict=True)
    ]
    return replace(relation, query=relation.query.select(*names, append=False), schema=mapper.schema)
