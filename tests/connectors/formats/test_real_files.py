"""Files of the sector as they are published, read through their datasets."""

import csv as csv_files
import gzip
import json
from pathlib import Path

import pytest
from tests.plugin_given import Place, csv, files

REAL = Path(__file__).parents[3] / "../shared/data"
pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason="the shared data are not here")

TEXTS = sorted(
    path.relative_to(REAL).as_posix()
    for pattern in ("*/*.csv", "*/*.csv.gz")
    for path in REAL.glob(pattern)
    if "scaling" not in path.parts
)


def _text(path: str) -> str:
    data = (REAL / path).read_bytes()
    return (gzip.decompress(data) if path.endswith(".gz") else data).decode("utf-8-sig")


@pytest.mark.parametrize("path", TEXTS)
def test_a_published_table_has_the_rows_and_values_that_it_has(place: Place, path: str) -> None:
    place.write("in", (REAL / path).read_bytes())
    codec = {"compressionCodec": "gzip"} if path.endswith(".gz") else {}
    rows = [row for row in csv_files.reader(_text(path).splitlines(keepends=True)) if row]
    table = place.read(csv("in", escapeChar='"', firstRowAsHeader=False, **codec))
    assert table.num_rows == len(rows)
    for number in (0, 1, len(rows) // 2, len(rows) - 1):
        found = [value or "" for value in table.slice(number, 1).to_pylist()[0].values()]
        assert found[: len(rows[number])] == rows[number]


def test_a_packed_geojson_gives_its_districts(place: Place) -> None:
    data = (REAL / "geo/sdn_admin1.geojson.gz").read_bytes()
    place.write("in.geojson.gz", data)
    features = json.loads(gzip.decompress(data))["features"]
    name = next(iter(features[0]["properties"]))
    dataset = files("Json", "in.geojson.gz", compressionCodec="gzip")
    rows = place.read(dataset, collectionReference="$['features']", paths=[f"['properties']['{name}']"])
    assert rows.column(0).to_pylist() == [feature["properties"][name] for feature in features]


def test_packed_files_pass_through_binary_unpacked(place: Place) -> None:
    data = (REAL / "supply/olmis_orderables.csv.gz").read_bytes()
    place.write("in/olmis_orderables.csv.gz", data)
    place.copy(files("Binary", "in/", compression={"type": "gzip"}), files("Binary", "out/"))
    assert (place.folder / "out/olmis_orderables.csv").read_bytes() == gzip.decompress(data)
