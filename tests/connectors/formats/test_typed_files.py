import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import orc
from tests.plugin_given import Place, files

from manara.errors import BadRows, WrongDefinition
from manara.testing.suites import DatasetSuite

UTC = dt.UTC
NESTED = pa.table(
    {
        "n": pa.array([1, None, 3], pa.int64()),
        "small": pa.array([1, 2, None], pa.int16()),
        "big": pa.array([2**64 - 1, 0, None], pa.uint64()),
        "part": pa.array([0.5, None, -1.0], pa.float32()),
        "yes": [True, None, False],
        "text": ["Kabul", "", None],
        "bytes": [b"\0\xff", None, b""],
        "price": pa.array([Decimal("1.20"), None, Decimal("-99999.99")], pa.decimal128(9, 2)),
        "day": [dt.date(2024, 2, 29), None, dt.date(1969, 12, 31)],
        "at": pa.array([dt.datetime(2024, 1, 2, 3, 4, 5, 678901, UTC), None, dt.datetime(1900, 1, 1, tzinfo=UTC)],
                       pa.timestamp("us", "UTC")),
        "local": pa.array([1_704_164_645_678_901, None, None], pa.timestamp("us")),
        "tags": [["a", None], None, []],
        "place": [{"name": "x", "codes": [1, 2]}, None, {"name": None, "codes": None}],
        "counts": pa.array([[("a", 1)], None, []], pa.map_(pa.string(), pa.int64())),
    }
)  # fmt: skip
ORC_NESTED = NESTED.drop_columns(["big"])


class TestAvro(DatasetSuite):
    type, properties = "FileServer", {"host": "lake"}
    dataset_type, dataset_properties = "Avro", {"location": {"fileName": "a.avro"}}
    rows = NESTED


class TestOrc(DatasetSuite):
    type, properties = "FileServer", {"host": "lake"}
    dataset_type, dataset_properties = "Orc", {"location": {"fileName": "a.orc"}}
    rows = ORC_NESTED


class TestParquetNested(DatasetSuite):
    type, properties = "FileServer", {"host": "lake"}
    dataset_type, dataset_properties = "Parquet", {"location": {"fileName": "a.parquet"}}
    rows = NESTED


@pytest.mark.parametrize(
    ("kind", "option", "codec"),
    [
        *(("Avro", "avroCompressionCodec", codec) for codec in ("none", "deflate", "snappy", "bzip2")),
        *(("Orc", "orcCompressionCodec", codec) for codec in ("none", "zlib", "snappy")),
    ],
)
def test_nested_rows_keep_values_and_order_from_parquet_and_back(
    place: Place, kind: str, option: str, codec: str
) -> None:
    pq.write_table(ORC_NESTED, place.folder / "in.parquet")
    sink = files(kind, "out/x", **{option: codec})
    place.copy(files("Parquet", "in.parquet"), sink)
    place.copy(sink, files("Parquet", "back.parquet"))
    assert place.rows("back.parquet") == ORC_NESTED.to_pylist()


def test_foreign_readers_read_what_is_written(place: Place) -> None:
    pq.write_table(ORC_NESTED, place.folder / "in.parquet")
    for kind in ("Avro", "Orc"):
        place.copy(files("Parquet", "in.parquet"), files(kind, f"x.{kind}"))
    with (place.folder / "x.Avro").open("rb") as file:
        rows: list[Any] = list(fastavro.reader(file))
    assert [row["price"] for row in rows] == ORC_NESTED["price"].to_pylist()
    assert rows[0]["at"] == dt.datetime(2024, 1, 2, 3, 4, 5, 678901, UTC)
    assert rows[0]["counts"] == {"a": 1}
    assert orc.read_table(place.folder / "x.Orc").to_pylist() == ORC_NESTED.to_pylist()


def _avro(path: Path, fields: list[Any], rows: list[dict[str, Any]], codec: Any = "null") -> None:
    schema = fastavro.parse_schema({"type": "record", "name": "Row", "fields": fields})
    with path.open("wb") as file:
        fastavro.writer(file, schema, rows, codec=codec)


@pytest.mark.parametrize(
    ("kind", "value", "gives"),
    [
        pytest.param({"type": "enum", "name": "E", "symbols": ["A", "B"]}, "B", "B", id="enum"),
        pytest.param({"type": "fixed", "name": "F", "size": 2}, b"ab", b"ab", id="fixed"),
        pytest.param(["null", "string", "long"], 5, "5", id="union of several is JSON text"),
        pytest.param({"type": "int", "logicalType": "date"}, dt.date(2024, 2, 29), dt.date(2024, 2, 29), id="date"),
        pytest.param({"type": "int", "logicalType": "time-millis"}, dt.time(1, 2, 3), dt.time(1, 2, 3), id="time"),
        pytest.param(
            {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 1},
            Decimal("12.5"), Decimal("12.5"), id="decimal",
        ),
        pytest.param(
            {"type": "string", "logicalType": "uuid"}, "1b4e28ba-2fa1-11d2-883f-0016d3cca427",
            "1b4e28ba-2fa1-11d2-883f-0016d3cca427", id="uuid",
        ),
        pytest.param(
            {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]},
            {"next": {"next": None}}, {"next": '{"next":null}'}, id="a record within itself is JSON text",
        ),
    ],
)  # fmt: skip
def test_avro_types_are_read(place: Place, kind: Any, value: Any, gives: Any) -> None:
    _avro(place.folder / "a.avro", [{"name": "v", "type": kind}], [{"v": value}])
    assert place.read(files("Avro", "a.avro")).to_pylist() == [{"v": gives}]


def test_a_column_more_is_told_and_not_lost(place: Place) -> None:
    (place.folder / "in").mkdir()
    _avro(place.folder / "in/a.avro", [{"name": "v", "type": "int"}], [{"v": 1}])
    _avro(place.folder / "in/b.avro", [{"name": "v", "type": "int"}, {"name": "w", "type": "int"}], [{"v": 1, "w": 2}])
    with pytest.raises(BadRows, match=r"in/b.avro: Its columns are not those of the first file: it has 'w'"):
        place.read(files("Avro", "in/"))


@pytest.mark.parametrize("kind", ["Avro", "Orc"])
@pytest.mark.parametrize("cut", [0, 3, 40, -1000], ids=["empty", "head", "schema", "rows"])
def test_a_file_cut_off_is_told(place: Place, kind: str, cut: int) -> None:
    table = pa.table({"v": [f"{n:x}" * 9 for n in range(5000)]})
    pq.write_table(table, place.folder / "in.parquet")
    place.copy(files("Parquet", "in.parquet"), files(kind, "whole"))
    place.write("cut", (place.folder / "whole").read_bytes()[:cut])
    with pytest.raises(BadRows, match=r"cut: "):
        place.read(files(kind, "cut"))


@pytest.mark.parametrize(
    ("kind", "table", "says"),
    [
        pytest.param("Avro", {"two words": [1]}, "takes no column of the name 'two words'", id="name"),
        pytest.param("Avro", {"d": pa.array([1], pa.duration("s"))}, "no type for 'duration", id="type"),
        pytest.param("Orc", {"d": pa.array([1], pa.uint8())}, "cannot hold these columns", id="orc"),
    ],
)
def test_what_the_format_cannot_hold_is_told_and_nothing_is_left(
    place: Place, kind: str, table: dict[str, Any], says: str
) -> None:
    pq.write_table(pa.table(table), place.folder / "in.parquet")
    with pytest.raises(WrongDefinition, match=says):
        place.copy(files("Parquet", "in.parquet"), files(kind, "out"))
    assert not (place.folder / "out").exists()


@pytest.mark.parametrize("kind", ["Avro", "Orc"])
def test_an_unknown_codec_is_told(place: Place, kind: str) -> None:
    with pytest.raises(WrongDefinition, match=r"knows no compression 'zip'"):
        place.read(files(kind, "x", compressionCodec="zip"))


@pytest.mark.parametrize("kind", ["Avro", "Orc"])
def test_metadata_tells_the_columns(place: Place, kind: str) -> None:
    pq.write_table(pa.table({"n": [1], "t": ["a"]}), place.folder / "in.parquet")
    place.copy(files("Parquet", "in.parquet"), files(kind, "out"))
    facts = place.dataset(files(kind, "out")).metadata(["structure", "columnCount"])
    assert json.loads(json.dumps(facts)) == {
        "structure": [{"name": "n", "type": "Int64"}, {"name": "t", "type": "String"}],
        "columnCount": 2,
    }
