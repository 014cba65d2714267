# ruff: noqa: DTZ001 - a DateTime has no zone
"""Values from text to type and back: what fits, and what is refused and never becomes another value."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from manara.activities.conversion import Settings, conversion
from manara.activities.mapping import _sql_type, translation
from manara.errors import WrongDefinition

REFUSED = object()


def _converted(values: "pa.Array[Any]", kind: str, **settings: Any) -> list[Any]:
    """Return the values as the interim type, each refused one marked."""
    convert = conversion(values.type, _sql_type({"type": kind}, ""), "", Settings.told(settings))
    if convert is None:
        return list(values.to_pylist())
    found, misfits = convert(values)
    assert found.type == convert.arrow
    return [REFUSED if at in (misfits or ()) else value for at, value in enumerate(found.to_pylist())]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("Int32", "5", 5), ("Int32", "-5", -5), ("Int32", "+5", 5), ("Int32", "007", 7), ("Int32", " 5 ", 5),
        ("Int32", "5.0", 5), ("Int32", "5.5", REFUSED), ("Int32", "2147483648", REFUSED), ("Int32", "--5", REFUSED),
        ("Int32", "-", REFUSED), ("Int32", "0x10", REFUSED), ("Int32", "1,234", REFUSED), ("Int32", "1_000", REFUSED),
        ("Int32", "1\u2009234", REFUSED), ("Int32", "", REFUSED), ("Int32", "٣", REFUSED), ("Int32", "1e3", REFUSED),
        ("Int64", "9223372036854775807", 2**63 - 1), ("Byte", "255", 255), ("Byte", "-1", REFUSED),
        ("SByte", "-128", -128), ("Int16", "32768", REFUSED), ("UInt64", "18446744073709551615", 2**64 - 1),
        ("Double", "1.5", 1.5), ("Double", ".5", 0.5), ("Double", "5.", 5.0), ("Double", "1e3", 1000.0),
        ("Double", "-0.1", -0.1), ("Double", "1,5", REFUSED), ("Double", "1_000", REFUSED),
        ("Double", "0x1p3", REFUSED),
        ("Double", "1.2.3", REFUSED), ("Double", "1 234.5", REFUSED), ("Double", "", REFUSED),
        ("Single", "0.5", 0.5), ("Decimal", "1.25", Decimal("1.25")), ("Decimal", "1_0", REFUSED),
        ("Boolean", "true", True), ("Boolean", "FALSE", False), ("Boolean", "1", True), ("Boolean", "yes", REFUSED),
        ("Date", "2024-02-29", date(2024, 2, 29)), ("Date", "2023-02-29", REFUSED), ("Date", "29/02/2024", REFUSED),
        ("DateTime", "2024-03-01 12:00:00", datetime(2024, 3, 1, 12)),
        ("DateTime", "2024-03-01T12:00:00.25", datetime(2024, 3, 1, 12, 0, 0, 250_000)),
        ("DateTime", "2024-03-01", datetime(2024, 3, 1)), ("DateTime", "2024-03-01 12", datetime(2024, 3, 1, 12)),
        ("DateTime", "2024-03-01T12Z", datetime(2024, 3, 1, 12)), ("DateTime", "2024-03-01 12+2", REFUSED),
        ("Int32", "\t5", 5), ("Double", "1.5\t", 1.5),
        ("DateTime", "2024-03-01T12:00:00+02:00", datetime(2024, 3, 1, 10)), ("DateTime", "03/01/2024", REFUSED),
        ("DateTimeOffset", "2024-03-01T12:00:00+02:00", datetime(2024, 3, 1, 10, tzinfo=UTC)),
        ("DateTimeOffset", "2024-03-01 12:00:00", datetime(2024, 3, 1, 12, tzinfo=UTC)),
        ("TimeSpan", "12:30:15", time(12, 30, 15)), ("TimeSpan", "25:00:00", REFUSED),
        ("Guid", "7D444840-9DC0-11D1-B245-5FFDCE74FAD2", "7d444840-9dc0-11d1-b245-5ffdce74fad2"),
        ("Guid", "x", REFUSED),
        ("String", "x", "x"), ("Object", "x", "x"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("beside", [[], ["1"] * 3, ["1", "x", None]], ids=["alone", "among good", "among bad"])
def test_a_text_fits_or_is_refused_whatever_stands_beside_it(
    kind: str, text: str, value: Any, beside: list[Any]
) -> None:
    if kind == "Object":
        assert _sql_type({"type": kind}, "") == ""
        return
    assert _converted(pa.array([*beside, text, None], pa.string()), kind)[len(beside) :] == [value, None]


@pytest.mark.parametrize("kind", ["Int32", "Double", "DateTime", "Date"])
def test_a_part_of_a_column_is_read_as_the_whole(kind: str) -> None:
    texts = ["1", "2024-03-01", "2024-03-01 12:00:00", "x", None, "7.5", "0x1"] * 5
    whole = pa.array(texts)
    assert _converted(whole.slice(3, 20), kind) == _converted(pa.array(texts[3:23]), kind)


def test_a_missing_value_stays_missing_whatever_bytes_lie_under_it() -> None:
    _, ends, data = pa.array(["1", "x2", "3", "y"]).buffers()
    texts = pa.Array.from_buffers(pa.string(), 4, [pa.py_buffer(bytes([0b1101])), ends, data])
    assert _converted(texts, "Int32") == [1, None, 3, REFUSED]


@pytest.mark.parametrize(
    ("kind", "text", "settings", "value"),
    [
        ("DateTime", "31/12/2024 23:59", {"dateTimeFormat": "dd/MM/yyyy HH:mm"}, datetime(2024, 12, 31, 23, 59)),
        ("DateTime", "3/1/2024", {"dateTimeFormat": "d/M/yyyy"}, datetime(2024, 1, 3)),
        ("DateTime", "2024-01-03", {"dateTimeFormat": "dd/MM/yyyy"}, REFUSED),
        ("DateTime", "20240103T05", {"dateTimeFormat": "yyyyMMdd'T'HH"}, datetime(2024, 1, 3, 5)),
        ("DateTime", "Mar 5, 2024 3:07 PM", {"dateTimeFormat": "MMM d, yyyy h:mm tt"}, datetime(2024, 3, 5, 15, 7)),
        ("Date", "05.03.2024", {"dateFormat": "dd.MM.yyyy"}, date(2024, 3, 5)),
        (
            "DateTimeOffset", "05.03.2024 12:00 +02:00", {"dateTimeOffsetFormat": "dd.MM.yyyy HH:mm zzz"},
            datetime(2024, 3, 5, 10, tzinfo=UTC),
        ),
        ("TimeSpan", "12h30", {"timeSpanFormat": r"hh\hmm"}, time(12, 30)),
        ("Double", "1.234,5", {"culture": "de-DE"}, 1234.5), ("Double", "1,5", {"culture": "fr-fr"}, 1.5),
        ("Double", "1\u202f234,5", {"culture": "fr-fr"}, 1234.5), ("Int32", "1.234", {"culture": "de-de"}, 1234),
        ("Int32", "12.34", {"culture": "de-de"}, REFUSED), ("Double", "1.5", {"culture": "fr-fr"}, REFUSED),
        ("Int32", "1,234", {"culture": "en-us"}, REFUSED),
        ("Int32", "true", {"treatBooleanAsNumber": True}, 1), ("Int32", "false", {}, REFUSED),
        ("Double", "False", {"treatBooleanAsNumber": "true"}, 0.0),
    ],
)  # fmt: skip
def test_settings_say_how_a_text_is_read(kind: str, text: str, settings: dict[str, Any], value: Any) -> None:
    assert _converted(pa.array([text]), kind, **settings) == [value]


@pytest.mark.parametrize(
    ("values", "kind", "settings", "found"),
    [
        (pa.array([10.7, -10.7, 5.0]), "Int32", {}, [REFUSED, REFUSED, 5]),
        (pa.array([10.7, -10.7, 5.0]), "Int32", {"allowDataTruncation": True}, [10, -10, 5]),
        (pa.array([300]), "Byte", {"allowDataTruncation": True}, [REFUSED]),
        (pa.array([True, None]), "Int32", {"treatBooleanAsNumber": True}, [1, None]),
        (pa.array([1.5]), "String", {}, ["1.5"]),
        (pa.array([datetime(2024, 3, 1, 12)]), "String", {"dateTimeFormat": "dd/MM/yyyy HH:mm"}, ["01/03/2024 12:00"]),
        (pa.array([date(2024, 3, 1)]), "String", {"dateFormat": "yyyyMMdd"}, ["20240301"]),
    ],
)  # fmt: skip
def test_settings_say_how_a_value_is_converted(
    values: "pa.Array[Any]", kind: str, settings: dict[str, Any], found: list[Any]
) -> None:
    assert _converted(values, kind, **settings) == found


@pytest.mark.parametrize(
    ("work", "says"),
    [
        (lambda: _converted(pa.array([True]), "Int32"), "Set treatBooleanAsNumber"),
        (lambda: Settings.told({"culture": "tlh"}), "The culture 'tlh' is not known"),
        (lambda: _converted(pa.array(["x"]), "Date", dateFormat="yyyy-gg"), "asks for 'gg'"),
        (lambda: translation("{"), "translator is no JSON"),
        (lambda: translation('["a"]'), "translator is an object"),
        (lambda: translation({"mappings": "nonsense"}), "is no JSON"),
    ],
)
def test_what_cannot_be_followed_is_told(work: Any, says: str) -> None:
    with pytest.raises(WrongDefinition, match=says):
        work()


def test_a_translator_may_be_a_json_text() -> None:
    text = '{"type": "TabularTranslator", "mappings": [{"source": {"ordinal": 2}, "sink": {"ordinal": 1}}]}'
    (column,) = translation(text).columns
    assert (column.ordinal, column.sink) == (2, "Prop_0")
