"""One statement of DuckDB that reads files and writes one: the fast lane of a copy."""

import functools
from collections.abc import Mapping
from pathlib import Path

import duckdb
from sqlglot import exp

from manara.connectors.duckdb_errors import translated

_MEMORY = "320MiB"


def copy_to(query: exp.Select, path: Path, options: Mapping[str, str | int]) -> int:
    """Write the query's rows, in their order, over the file at `path`, and return how many they are."""
    told = ", ".join(f"{name} {_spelt(value)}" for name, value in options.items())
    target = exp.Literal.string(str(path)).sql("duckdb")
    statement = f"copy ({query.sql('duckdb')}) to {target} ({told}, use_tmp_file false)"
    with translated():
        cursor = _memory().cursor()
        try:
            return int((cursor.execute(statement).fetchone() or (0,))[0])
        finally:
            cursor.close()


def _spelt(value: str | int) -> str:
    return exp.convert(value).sql("duckdb")


@functools.cache
def _memory() -> duckdb.DuckDBPyConnection:
    """Return the database in memory for the copies of this process; it spills to no disk, and takes little memory."""
    database = duckdb.connect(config={"memory_limit": _MEMORY})
    # Without this, a column that holds no null becomes one that may hold none: another type than the Arrow lane writes.
    database.execute("set global disabled_optimizers = 'statistics_propagation'")
    return database
