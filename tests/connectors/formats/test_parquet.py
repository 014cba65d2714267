import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.plugin_given import Place, files

from manara.errors import ManaraError
from manara.plugin.dataset import Tally


def test_rows_keep_order_and_types_through_row_groups(place: Place) -> None:
    table = pa.table({"n": pa.array(range(1_200_000), pa.int32()), "t": pa.repeat("x", 1_200_000)})
    pq.write_table(table, place.folder / "in.parquet", row_group_size=100_000)
    place.copy(files("Parquet", "in.parquet"), files("Parquet", "out.parquet"))
    written = pq.ParquetFile(place.folder / "out.parquet")
    assert written.read() == table
    assert written.metadata.row_group(0).column(0).compression == "SNAPPY"


def test_batches_are_as_large_as_the_sink_wants_them_unless_they_are_too_large(place: Place) -> None:
    for name, text in (("small", "x"), ("large", "x" * 2_000)):
        texts = pa.array([f"{text}{number}" for number in range(20_000)])
        pq.write_table(pa.table({"t": texts}), place.folder / f"{name}.parquet", use_dictionary=False)
    read = {
        name: [
            batch.num_rows
            for batch in place.dataset(files("Parquet", f"{name}.parquet")).read({}, Tally(rows_together=15_000))
        ]
        for name in ("small", "large")
    }
    assert read == {"small": [15_000, 5_000], "large": [20_000]}


@pytest.mark.parametrize("codec", ["snappy", "gzip", "zstd", "lz4", "brotli", "none"])
def test_columns_are_packed_unless_they_hardly_get_smaller(place: Place, codec: str) -> None:
    count = 100_000
    rows = {"few": ["x", "yy"] * (count // 2), "rising": range(count), "noise": [math.sin(at) for at in range(count)]}
    table = pa.table(rows)
    pq.write_table(table, place.folder / "in.parquet")
    sink = files("Parquet", "out.parquet", compressionCodec=codec)
    place.copy(files("Parquet", "in.parquet"), sink, lane="Arrow")
    written = pq.ParquetFile(place.folder / "out.parquet")
    assert written.read() == table
    group = written.metadata.row_group(0)
    found = {name: group.column(at).compression for at, name in enumerate(rows)}
    plain = "UNCOMPRESSED"
    packed = {"none": plain, "lz4": "LZ4"}.get(codec, codec.upper())
    assert found == {"few": packed, "rising": packed, "noise": packed if codec == "brotli" else plain}


def test_no_rows_are_a_file_with_columns(place: Place) -> None:
    pq.write_table(pa.table({"n": pa.array([], pa.int32())}), place.folder / "in.parquet")
    place.copy(files("Parquet", "in.parquet"), files("Parquet", "out.parquet"))
    assert pq.read_table(place.folder / "out.parquet").schema.names == ["n"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"", "no whole Parquet file", id="empty"),
        pytest.param(b"PAR1" * 9, "no whole Parquet", id="cut off"),
    ],
)
def test_a_broken_file_says_so(place: Place, content: bytes, says: str) -> None:
    place.write("bad.parquet", content)
    with pytest.raises(ManaraError, match=says):
        place.read(files("Parquet", "bad.parquet"))


def test_files_of_other_types_are_not_mixed(place: Place) -> None:
    (place.folder / "in").mkdir()
    pq.write_table(pa.table({"n": [1]}), place.folder / "in/1.parquet")
    pq.write_table(pa.table({"n": ["x"]}), place.folder / "in/2.parquet")
    with pytest.raises(ManaraError, match="types are not those of the first file"):
        place.read(files("Parquet", "in/"))
