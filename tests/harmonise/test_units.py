from collections import Counter
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manara.errors import WrongDefinition
from manara.harmonise.currency import Rate, Rates
from manara.harmonise.units import Packing, converted, implausible, read_amount, read_amounts, unit_of

PRICES = Path(__file__).parents[3] / "shared" / "data" / "food" / "wfp_food_prices_global_2022.csv.gz"


@pytest.mark.parametrize(
    ("text", "unit", "number"),
    [
        ("1.1 KG", "g", "1100"),
        ("100 ML", "l", "0.1"),
        ("28 pcs", "piece", "28"),
        ("10pcs", "piece", "10"),
        ("Dozen", "piece", "12"),
        ("2 pairs", "piece", "4"),
        ("Pound", "kg", "0.45359237"),
        ("Cubic meter", "l", "1000"),
        ("12.5 cm", "mm", "125"),
        ("142 mm", "cm", "14.2"),
        ("0.012 m", "mm", "12"),
        ("293.15 K", "C", "20"),
        ("212 °F", "C", "100"),
        ("-40 °C", "F", "-40"),
        ("1 MT", "kg", "1000"),
        ("12 500 kg", "mt", "12.5"),
    ],
)
def test_an_amount_is_converted_exactly(text: str, unit: str, number: str) -> None:
    assert read_amount(text).to(unit) == Fraction(number)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Packet", "what is in one is not said"),
        ("Head", "it is an animal"),
        ("Day", "it is a service"),
        ("USD/LCU", "it is an exchange rate"),
        ("Gallon", "the gallon of which country is not said"),
        ("5 tons", "short and metric tons differ"),
        ("1,5 L", "can be read in two ways"),
        ("1.500.000 kg", "can be read in two ways"),
        ("12", "names no unit"),
        ("", "names no unit"),
        ("3 parsecs", "There is no unit 'parsecs' on the list."),
        ("5 kgg", "Did you mean"),
    ],
)
def test_what_is_no_amount_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(WrongDefinition) as refused:
        read_amount(text)
    assert message in str(refused.value)


def test_a_weight_is_no_volume() -> None:
    with pytest.raises(WrongDefinition, match="'kg' measures mass and 'l' volume"):
        read_amount("1 KG").to("l")


UNITS = st.sampled_from(["kg", "g", "lb", "oz", "mt"]) | st.sampled_from(["kg"])


@given(st.fractions(), UNITS, UNITS)
def test_a_conversion_goes_back_to_where_it_came_from(number: Fraction, one: str, other: str) -> None:
    there = converted(number, unit_of(one), unit_of(other))
    assert converted(there, unit_of(other), unit_of(one)) == number


def dimension_of(unit: str) -> str:
    """What a unit measures; nothing where it is refused as no unit of measure."""
    try:
        return read_amount(unit).unit.dimension
    except WrongDefinition as error:
        return "" if "is no unit of measure: " in str(error) else "unknown"


@pytest.mark.skipif(not PRICES.is_file(), reason="the WFP prices are not at ../shared/data/food")
def test_all_units_of_the_wfp_prices_are_converted_or_refused_with_a_reason() -> None:
    rows = duckdb.connect().execute("select unit, count(*) from read_csv(?) group by unit", [str(PRICES)]).fetchall()
    outcome = Counter(dimension for unit, _ in rows if (dimension := dimension_of(unit)))
    refused = {unit: count for unit, count in rows if not dimension_of(unit)}
    assert len(rows) == 33
    assert outcome == {"mass": 12, "volume": 8, "count": 6, "data": 1}
    assert refused == {"Packet": 1131, "Day": 553, "Head": 549, "Bar": 537, "Course": 113, "USD/LCU": 587}


def test_a_column_of_amounts_keeps_its_rows() -> None:
    told = read_amounts(pa.array(["1.1 KG", "Packet", None, "500 G"]), "kg")
    assert told.values.to_pylist() == [1.1, None, None, 0.5]
    assert [fault is not None for fault in told.faults.to_pylist()] == [False, True, False, False]


@pytest.mark.parametrize(
    ("measure", "number", "unit", "fault"),
    [
        ("muac", 142, "mm", ""),
        ("muac", 14.2, "cm", ""),
        ("muac", 14.2, "mm", "muac is 14.2 mm, and lies between 60 and 350 mm"),
        ("muac", 999, "mm", "muac is 999 mm, and lies between 60 and 350 mm"),
        ("height", 0.9, "m", ""),
        ("weight", 12000, "g", ""),
        ("weight", 0.4, "kg", "weight is 0.4 kg, and lies between 0.9 and 58 kg"),
    ],
)
def test_a_measure_that_no_child_has_is_told(measure: str, number: float, unit: str, fault: str) -> None:
    assert implausible(measure, number, unit) == fault


@pytest.mark.parametrize(
    ("source", "target", "number"), [("pack", "dose", "600"), ("dose", "pack", "3/200"), ("unit", "dose", "60"),
                                     ("pack", "unit", "30"), ("unit", "pack", "3/10")],
)  # fmt: skip
def test_packs_units_and_doses_are_one_another(source: str, target: str, number: str) -> None:
    assert Packing(units_per_pack=10, doses_per_unit=20).convert(3, source, target) == Fraction(number)


def test_doses_that_are_not_declared_are_not_made_up() -> None:
    with pytest.raises(WrongDefinition, match="are not declared"):
        Packing(units_per_pack=10).convert(3, "pack", "dose")
    with pytest.raises(WrongDefinition, match="units_per_pack is 0"):
        Packing(units_per_pack=0)
    with pytest.raises(WrongDefinition, match="not by 'box'"):
        Packing(units_per_pack=1).convert(3, "box", "unit")


RATES = Rates(
    "USD",
    [
        Rate(currency="SYP", day=date(2022, 1, 1), rate=Decimal(2512)),
        Rate(currency="SYP", day=date(2022, 2, 1), rate=Decimal(2525)),
        Rate(currency="ILS", day=date(2022, 1, 15), rate=Decimal("3.1")),
        Rate(currency="BYN", day=date(2022, 1, 15), rate=Decimal("2.5")),
    ],
)


@pytest.mark.parametrize(
    ("amount", "currency", "target", "day", "number"),
    [
        (2512, "SYP", "USD", date(2022, 1, 31), "1"),
        (2525, "SYP", "USD", date(2022, 2, 1), "1"),
        (1, "USD", "USD", date(1990, 1, 1), "1"),
        (31, "ILS", "SYP", date(2022, 1, 20), "25120"),
        (25000, "BYR", "USD", date(2022, 1, 20), "1"),
    ],
)
def test_money_is_converted_by_the_last_rate_of_the_day(
    amount: int, currency: str, target: str, day: date, number: str
) -> None:
    assert RATES.convert(amount, currency, target, day) == Fraction(number)


@pytest.mark.parametrize(
    ("currency", "day", "message"),
    [
        ("SYP", date(2021, 12, 31), "the first is of 2022-01-01"),
        ("SYP", date(2022, 4, 1), "is 59 days old, more than 31"),
        ("XAF", date(2022, 1, 1), "There are no rates of 'XAF'"),
    ],
)
def test_a_day_without_a_rate_is_told(currency: str, day: date, message: str) -> None:
    with pytest.raises(WrongDefinition) as refused:
        RATES.convert(1, currency, "USD", day)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([Rate(currency="A", day=date(2022, 1, 1), rate=Decimal(0))], "A rate is above 0"),
        ([Rate(currency="A", day=date(2022, 1, 1), rate=Decimal(1))] * 2, "There are two rates of A"),
    ],
)
def test_rates_that_contradict_are_refused(rows: list[Rate], message: str) -> None:
    with pytest.raises(WrongDefinition) as refused:
        Rates("USD", rows)
    assert message in str(refused.value)
