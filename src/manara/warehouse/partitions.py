"""The years of a fact, each in a table of its own (PostgreSQL): a question about some of them reads no other."""

from typing import TYPE_CHECKING

from sqlglot import exp

from manara.table.template import name, table

if TYPE_CHECKING:
    from manara.warehouse.staging import Staging

REST = "_rest"
"""How the partition is called, after the table, that holds what belongs to no year: facts of an unknown date."""

_IS_PARTED = "select count(*) from pg_partitioned_table where partrelid = to_regclass($named)"


def made(partition: exp.Table, of: exp.Table, year: int | None = None) -> str:
    """Return the statement that makes the partition of a year, or of all that has none."""
    within = f"FOR VALUES FROM ({year}0101) TO ({year + 1}0101)" if year is not None else "DEFAULT"
    return f"CREATE TABLE {partition.sql('postgres')} PARTITION OF {of.sql('postgres')} {within}"


def make_years(staging: "Staging", named: str, column: str, rows: exp.Table, schema: str = "") -> list[int]:
    """Make the partitions that rows need and a table lacks, and return their years.

    A table that was made before it was declared to be parted stays whole.
    """
    here = table(named, schema)
    parted = staging.transaction.query(_IS_PARTED, {"named": here.sql("postgres")}).read_all().to_pylist()
    if not parted[0]["count"]:
        return []
    found = staging.ask(
        "select distinct cast(floor({column} / 10000) as integer) as year from {rows} where {column} > 0 order by 1",
        column=name(column), rows=rows,
    )  # fmt: skip
    years = {row["year"]: table(f"{named}_{row['year']}", schema) for row in found}
    missing = [year for year, partition in years.items() if not staging.transaction.columns(partition)]
    for year in missing:
        staging.transaction.execute(made(years[year], here, year))
    return missing
