from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manara.errors import WrongDefinition
from manara.period import GRAINS, Period, period_at, read_period, relative_periods, write_period

DAYS = st.dates(date(1901, 1, 1), date(2100, 1, 1))


@given(DAYS, st.sampled_from([name for name in GRAINS if name != "BiWeekly"]))
def test_periods_follow_each_other_without_a_gap(day: date, grain: str) -> None:
    period = period_at(grain, day)
    assert day in period
    assert period.shifted(1).start == period.end + timedelta(days=1)
    assert period.shifted(1).shifted(-1) == period
    assert not period.overlaps(period.shifted(1))


def test_a_quarter_holds_its_months_and_no_other() -> None:
    quarter = read_period("2024Q2", "DHIS2")
    assert [write_period(month, "DHIS2") for month in quarter.parts("Monthly")] == ["202404", "202405", "202406"]
    assert read_period("202405", "DHIS2") in quarter
    assert read_period("202407", "DHIS2") not in quarter
    assert read_period("202405", "DHIS2").whole("Quarterly") == quarter


@pytest.mark.parametrize(
    ("coarse", "fine"),
    [("202405", "Weekly"), ("2024Q1", "BiMonthly"), ("2024W5", "Monthly"), ("2024", "FinancialJuly")],
)
def test_what_does_not_fill_a_period_is_no_part_of_it(coarse: str, fine: str) -> None:
    with pytest.raises(WrongDefinition, match="do not fill"):
        read_period(coarse, "DHIS2").parts(fine)


def test_a_week_in_two_months_lies_whole_in_none() -> None:
    with pytest.raises(WrongDefinition, match="lies in two Monthly periods"):
        read_period("2024W5", "DHIS2").whole("Monthly")
    assert read_period("2024W6", "DHIS2").whole("Monthly").start == date(2024, 2, 1)


def test_two_weeks_skip_the_week_that_is_in_none() -> None:
    last = read_period("2020BiW26", "DHIS2")
    assert last.end == date(2020, 12, 27)
    assert write_period(last.shifted(1), "DHIS2") == "2021BiW1"
    with pytest.raises(WrongDefinition, match="lies in week 53"):
        period_at("BiWeekly", date(2020, 12, 30))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: period_at("Fortnightly", date(2024, 1, 1)), "There is no period type 'Fortnightly'."),
        (lambda: Period(GRAINS["Monthly"], date(2024, 1, 2)), "No Monthly period starts on 2024-01-02."),
    ],
)
def test_a_period_that_cannot_be_is_refused(make: object, message: str) -> None:
    with pytest.raises(WrongDefinition, match=message):
        make()  # type: ignore[operator]


TODAY = date(2024, 2, 14)
RELATIVE = [
    ("TODAY", ["20240214"]),
    ("YESTERDAY", ["20240213"]),
    ("LAST_3_DAYS", ["20240211", "20240212", "20240213"]),
    ("THIS_WEEK", ["2024W7"]),
    ("LAST_WEEK", ["2024W6"]),
    ("LAST_4_WEEKS", ["2024W3", "2024W4", "2024W5", "2024W6"]),
    ("LAST_BIWEEK", ["2024BiW3"]),
    ("THIS_MONTH", ["202402"]),
    ("LAST_3_MONTHS", ["202311", "202312", "202401"]),
    ("THIS_BIMONTH", ["202401B"]),
    ("LAST_QUARTER", ["2023Q4"]),
    ("LAST_4_QUARTERS", ["2023Q1", "2023Q2", "2023Q3", "2023Q4"]),
    ("LAST_2_SIXMONTHS", None),
    ("LAST_SIX_MONTH", ["2023S2"]),
    ("LAST_2_SIX_MONTHS", ["2023S1", "2023S2"]),
    ("THIS_YEAR", ["2024"]),
    ("LAST_2_YEARS", ["2022", "2023"]),
    ("THIS_FINANCIAL_YEAR", ["2023Oct"]),
    ("LAST_2_FINANCIAL_YEARS", ["2021Oct", "2022Oct"]),
    ("QUARTERS_THIS_YEAR", ["2024Q1", "2024Q2", "2024Q3", "2024Q4"]),
    ("QUARTERS_LAST_YEAR", ["2023Q1", "2023Q2", "2023Q3", "2023Q4"]),
    ("LAST_12_MONTH", None),
    ("NEXT_MONTH", None),
    ("THIS_MONTHS", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "words"), RELATIVE)
def test_a_relative_period_is_counted_from_a_day(text: str, words: list[str] | None) -> None:
    if words is None:
        with pytest.raises(WrongDefinition, match="is no relative period"):
            relative_periods(text, TODAY)
    else:
        assert [write_period(period, "DHIS2") for period in relative_periods(text, TODAY)] == words


def test_months_and_weeks_of_a_year_are_all_of_it() -> None:
    assert len(relative_periods("MONTHS_THIS_YEAR", TODAY)) == 12
    assert len(relative_periods("WEEKS_THIS_YEAR", date(2020, 5, 1))) == 53
    assert len(relative_periods("WEEKS_LAST_YEAR", TODAY)) == 52
