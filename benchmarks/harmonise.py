"""Names of places to p-codes: precision and recall on names that OCHA coded, and the time beside a plain exact join.

python benchmarks/harmonise.py [rows]
"""

import csv
import gzip
import random
import sys
import time
from collections import Counter
from pathlib import Path

import duckdb
import pyarrow as pa

from manara.harmonise.match import Entry, Matcher, Rules
from manara.harmonise.pack import Manifest, Pack
from manara.harmonise.readers import reader_of
from manara.harmonise.settings import read_columns
from manara.harmonise.stream import Harmoniser

REAL = Path(__file__).parents[2] / "shared" / "data"
PLACES = REAL / "geo" / "global_pcodes_adm1_2.csv.gz"
NAMES = REAL / "food" / "hapi_food_security_global.csv.gz"


def main() -> None:
    if not PLACES.is_file():
        sys.exit("The real files are not at ../shared/data.")
    entries = read_entries()
    for outside in (False, True):
        judge(entries, Rules(outside=outside), "places outside their parents count" if outside else "as it is set")
    race(entries, int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)


def read_entries() -> list[Entry]:
    with gzip.open(PLACES, "rt", encoding="utf-8-sig", newline="") as file:
        return [
            Entry(code=row["P-Code"], names=(row["Name"],), parent=row["Parent P-Code"], level=int(row["Admin Level"]))
            for row in csv.DictReader(file)
            if row["P-Code"].isalnum()
        ]


def judge(entries: list[Entry], rules: Rules, title: str) -> None:
    """Print precision and recall on the distinct names that have a code at their own level."""
    one, two = (Matcher(entries, rules, level=level) for level in (1, 2))
    told: Counter[str] = Counter()
    missed = []
    with gzip.open(NAMES, "rt", encoding="utf-8-sig", newline="") as file:
        rows = {
            (row["location_code"], row["provider_admin1_name"],
             row["provider_admin2_name"] if row["admin_level"] == "2" else "", row[f"admin{row['admin_level']}_code"])
            for row in csv.DictReader(file) if row["admin_level"] in ("1", "2")
        }  # fmt: skip
    for country, first, second, code in sorted(rows):
        parent = one.match(first, country).code or None
        found = two.match(second, parent, country) if second else one.match(first, country)
        told["right" if code and found.code == code else "wrong" if code and found.code else "missed" if code else
             "more" if found.code else "none"] += 1  # fmt: skip
        if code and not found.code:
            missed.append(f"{country} {first} {second}".strip())
    coded = told["right"] + told["wrong"] + told["missed"]
    precision = told["right"] / max(1, told["right"] + told["wrong"])
    print(f"{title}: {coded} coded names, precision {precision:.1%}, recall {told['right'] / coded:.1%}")
    print(f"  {told['wrong']} wrong; of {told['more'] + told['none']} without a code, {told['more']} get one")
    print(f"  not found: {', '.join(missed)}")


def race(entries: list[Entry], rows: int) -> None:
    """Print the time for many rows beside a join in DuckDB by the exact name."""
    rng = random.Random(1)  # noqa: S311 # the same rows each time
    level = [entry for entry in entries if entry.level == 2]
    chosen = [rng.choice(level) for _ in range(rows)]
    table = pa.table({
        "adm1": [entry.parent for entry in chosen],
        "name": [entry.names[0].upper() if rng.random() < 0.3 else entry.names[0] for entry in chosen],
    })  # fmt: skip
    pack = Pack(name="places", sha256="", entries=tuple(entries), aliases={},
                manifest=Manifest(version="1", file="a.csv", columns={}))  # fmt: skip
    given = [{"as": "place", "from": "name", "to": "adm2", "pack": "places", "level": 2, "parent": "adm1"}]
    columns = read_columns(given, "benchmark")
    start = time.perf_counter()
    harmoniser = Harmoniser([reader_of(column, {"places": pack}, {}) for column in columns], table.schema, "benchmark")
    batches = [harmoniser.read(batch).batch for batch in table.to_batches(65_536)]
    ours = time.perf_counter() - start
    coded = sum(batch.num_rows - batch.column("adm2").null_count for batch in batches)
    codes = pa.table({
        "adm1": [entry.parent for entry in level],
        "name": [entry.names[0] for entry in level],
        "code": [entry.code for entry in level],
    })  # fmt: skip
    with duckdb.connect() as connection:
        connection.register("rows", table)
        connection.register("codes", codes)
        start = time.perf_counter()
        connection.sql("select rows.*, code from rows left join codes using (adm1, name)").to_arrow_table()
        exact = time.perf_counter() - start
    print(f"{rows:,} rows, {coded:,} coded: {ours:.2f} s, {ours / exact:.1f} times an exact join in DuckDB")


if __name__ == "__main__":
    main()
