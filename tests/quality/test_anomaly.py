import random
from datetime import datetime, timedelta

import pytest
from tests.quality.conftest import Gate, contract_text

from manara.errors import Faults
from manara.quality.anomaly import Past, Settings, judge
from manara.quality.contract import read_contract

START = datetime(2020, 1, 15)  # noqa: DTZ001
SETTINGS = Settings()


def months(values: list[float]) -> list[Past]:
    return [Past(at=START + timedelta(days=30.4375 * number), value=value) for number, value in enumerate(values)]


def after(history: list[Past]) -> datetime:
    return START + timedelta(days=30.4375 * len(history))


@pytest.mark.parametrize(
    ("values", "value", "deviations"),
    [
        ([100, 104, 97, 101, 99, 103, 98, 102], 100, None),
        ([100, 104, 97, 101, 99, 103, 98, 102], 1000, 1),
        ([100, 104, 97, 101, 99, 103, 98, 102], 2, -1),
        ([100] * 8, 110, None),
        ([100] * 8, 200, 1),
        ([0.0] * 8, 0.0, None),
        ([0.0] * 8, 0.5, 1),
        ([100, 104, 97, 101, 99, 103, 98], 1000, None),
    ],
)
def test_a_number_far_from_the_others_is_unusual_where_enough_is_known(
    values: list[float], value: float, deviations: int | None
) -> None:
    history = months([float(each) for each in values])
    found = judge(value, after(history), history, SETTINGS)
    assert (found is None) if deviations is None else (found is not None and found.deviations * deviations > 0)


def seasonal(rng: random.Random, number: int) -> float:
    return (300.0 if (number % 12) in (5, 6, 7) else 100.0) * rng.uniform(0.9, 1.1)


def test_a_season_is_no_surprise_and_its_absence_is() -> None:
    rng = random.Random(3)  # noqa: S311
    history = months([seasonal(rng, number) for number in range(41)])
    assert judge(300.0, after(history), history, SETTINGS) is None
    assert judge(100.0, after(history), history, SETTINGS) is not None


def rate(planted: float, series: int = 400) -> float:
    """Return the share of clean series whose next number, times `planted`, is called unusual."""
    alarms = 0
    for seed in range(series):
        rng = random.Random(seed)  # noqa: S311
        history = months([rng.gauss(1000, 100) for _ in range(rng.choice([8, 12, 24]))])
        alarms += judge(rng.gauss(1000, 100) * planted, after(history), history, SETTINGS) is not None
    return alarms / series


def test_false_alarms_are_few_and_what_is_planted_is_found() -> None:
    assert rate(1.0) <= 0.01
    assert rate(3.0) >= 0.99
    assert rate(0.1) >= 0.9


def test_a_load_that_is_unlike_the_others_is_told_as_a_warning(gate: Gate) -> None:
    columns: list[dict[str, object]] = [
        {"name": "code", "primaryKey": True},
        {"name": "quantity", "logicalType": "integer"},
    ]
    text = contract_text(columns).replace(
        "  properties:", "  customProperties: [{property: anomalies, value: true}]\n  properties:", 1
    )
    for month in range(8):
        rows = [{"code": f"{month}-{n}", "quantity": str(10 + (n + month) % 3)} for n in range(20)]
        assert gate.take(text, rows, origin=f"{month}.csv")["quality"]["checks"] == []
    rows = [{"code": f"x-{n}", "quantity": "11000"} for n in range(20)]
    output = gate.take(text, rows, origin="new.csv")
    odd = [check["name"] for check in output["quality"]["checks"] if not check["holds"]]
    assert odd == ["unusual.quantity.kinds", "unusual.quantity.sum"]
    assert output["rowsLoaded"] == 20
    (reason,) = gate.ask("select reason from quality_check where name = 'unusual.quantity.sum'")[-1]
    assert "deviations above" in reason


@pytest.mark.parametrize(
    ("value", "message"),
    [("{threshold: -1}", "threshold"), ("{colour: red}", "colour"), ("{minimumHistory: 1}", "minimum")],
)
def test_settings_that_cannot_be_are_refused(value: str, message: str) -> None:
    text = contract_text([{"name": "code", "primaryKey": True}])
    told = f"  customProperties: [{{property: anomalies, value: {value}}}]\n  properties:"
    with pytest.raises(Faults) as refused:
        read_contract(text.replace("  properties:", told, 1), "contract/t.yaml")
    assert message in str(refused.value)
