"""Keys are said to rise only where none can stand twice."""

import itertools
from typing import Any

import pyarrow as pa
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from manara.quality.contract import read_contract
from manara.quality.keys import Rising
from manara.quality.odcs import Contract


def keyed(*keys: dict[str, Any]) -> Contract:
    """Return a contract with these properties as its key."""
    table = {"name": "good", "properties": [{"primaryKey": True} | key for key in keys]}
    told = {"apiVersion": "v3.1.0", "kind": "DataContract", "id": "k", "name": "k", "version": "1", "status": "active"}
    return read_contract(yaml.safe_dump(told | {"schema": [table]}), "contract/k.yaml")


BOTH = keyed({"name": "place"}, {"name": "n", "logicalType": "integer"})
FIELDS: list[Any] = [("other", pa.float64()), ("place", pa.string()), ("n", pa.int32())]
SCHEMA = pa.schema(FIELDS)


@given(
    rows=st.lists(st.tuples(st.sampled_from(["", "a", "b", None]), st.integers(0, 4) | st.none()), max_size=12),
    is_sorted=st.booleans(),
    sizes=st.lists(st.integers(1, 5), min_size=12, max_size=12),
)
def test_keys_rise_where_each_stands_after_the_one_before(
    rows: list[tuple[str | None, int | None]], is_sorted: bool, sizes: list[int]
) -> None:
    if is_sorted:
        rows = sorted(rows, key=lambda row: (row[0] or "", row[1] or 0))
    rising = Rising(BOTH, SCHEMA)
    left = list(rows)
    for size in sizes:
        taken, left = left[:size], left[size:]
        found = [{"other": 0.0, "place": place, "n": n} for place, n in taken]
        rising.see(pa.RecordBatch.from_pylist(found, SCHEMA))
    whole = [(place, n) for place, n in rows if place is not None and n is not None]
    assert rising.holds == (len(whole) == len(rows) and all(one < two for one, two in itertools.pairwise(whole)))


@pytest.mark.parametrize(
    ("key", "kind", "values"),
    [
        ({"name": "n", "logicalType": "integer"}, pa.string(), ["01", "1"]),
        ({"name": "n", "logicalType": "integer"}, pa.uint64(), [1, 2]),
        ({"name": "n", "logicalType": "integer"}, pa.float64(), [1.0, 1.5]),
        ({"name": "n", "logicalType": "date"}, pa.timestamp("us"), [1, 2]),
        ({"name": "n"}, pa.int64(), [1, 2]),
        ({"name": "n", "transformSourceObjects": ["n"], "transformLogic": "left(n, 1)"}, pa.string(), ["aa", "ab"]),
    ],
)
def test_values_that_become_others_are_not_known_to_rise(key: dict[str, Any], kind: pa.DataType, values: Any) -> None:
    rising = Rising(keyed(key), pa.schema([("n", kind)]))
    rising.see(pa.record_batch([pa.array(values, kind)], names=["n"]))
    assert not rising.holds
