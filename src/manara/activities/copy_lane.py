"""The lane on which DuckDB reads the source and writes the sink in one statement, where that is certain.

Certain means: the rows, their order and their types are those of the Arrow lane, and no row can be refused.
"""

from sqlglot import exp

from manara.activities.copy_stream import Stream
from manara.activities.mapping import Mapper
from manara.plugin.dataset import AsRelation, Dataset, TakesRelation


def by_duckdb(stream: Stream, source: Dataset, sink: Dataset) -> str:
    """Copy everything by one statement of DuckDB; return nothing where that was done, or else why it was not."""
    settings = stream.settings
    if settings.lane == "Arrow":
        return "the copy asks for it"
    if not isinstance(source, AsRelation) or not isinstance(sink, TakesRelation):
        return "DuckDB does not read the source or write the sink by itself"
    relation = source.relation(settings.source)
    if isinstance(relation, str):
        return relation
    mapper = Mapper(stream.told, relation.schema, refuse=stream.misfit)
    why_not = "values are converted" if not mapper.is_plain else sink.takes(settings.sink, mapper.schema)
    if why_not:
        return why_not
    names = [
        exp.alias_(exp.column(relation.schema.names[index], quoted=True), target, quoted=True)
        for index, target in zip(mapper.taken, mapper.schema.names, strict=True)
    ]
    query = relation.query.select(*names, append=False)
    stream.run_relation(relation, sink, query)
    return ""
