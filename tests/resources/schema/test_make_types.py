"""What is shipped of Azure's schema is what the tool makes of it."""

import json
from pathlib import Path
from timeit import timeit

import pytest
from tests.resources.schema.make_types import FILE, make, written

from manara.resources.schema.table import read_table

SCHEMA = Path(__file__).parents[4] / "shared" / "reference" / "arm-schema.json"


@pytest.mark.skipif(not SCHEMA.exists(), reason="Azure's schema is not beside the repository")
def test_the_shipped_table_is_made_from_azures_schema() -> None:
    assert FILE.read_text(encoding="utf-8") == written(make(json.loads(SCHEMA.read_text(encoding="utf-8"))))


def test_the_table_is_small_and_quick_to_read() -> None:
    assert FILE.stat().st_size < 200_000
    assert min(timeit(read_table.__wrapped__, number=1) for _ in range(3)) < 0.05


def test_every_shape_that_is_named_is_there() -> None:
    table = read_table()
    shapes = [*table.shapes.values(), *(branch for shape in table.shapes.values() for branch in shape.of.values())]
    named = {spec.partition("#")[2] for shape in shapes for spec in shape.has.values() if "#" in spec}
    assert named <= table.shapes.keys()
    assert all(need in shape.has for shape in shapes for need in shape.needs)
