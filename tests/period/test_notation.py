from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manara.errors import WrongDefinition
from manara.period import GRAINS, convert, period_at, read_period, write_period
from manara.period.notation import NOTATIONS, Notation

READ: list[tuple[Notation, str, str, str, str]] = [
    ("DHIS2", "20240315", "Daily", "2024-03-15", "2024-03-15"),
    ("DHIS2", "2024W1", "Weekly", "2024-01-01", "2024-01-07"),
    ("DHIS2", "2024W01", "Weekly", "2024-01-01", "2024-01-07"),
    ("DHIS2", "2020W53", "Weekly", "2020-12-28", "2021-01-03"),
    ("DHIS2", "2015WedW5", "WeeklyWednesday", "2015-01-28", "2015-02-03"),
    ("DHIS2", "2015ThuW6", "WeeklyThursday", "2015-02-05", "2015-02-11"),
    ("DHIS2", "2015SatW7", "WeeklySaturday", "2015-02-14", "2015-02-20"),
    ("DHIS2", "2015SunW8", "WeeklySunday", "2015-02-22", "2015-02-28"),
    ("DHIS2", "2015BiW1", "BiWeekly", "2014-12-29", "2015-01-11"),
    ("DHIS2", "200403", "Monthly", "2004-03-01", "2004-03-31"),
    ("DHIS2", "200401B", "BiMonthly", "2004-01-01", "2004-02-29"),
    ("DHIS2", "200406B", "BiMonthly", "2004-11-01", "2004-12-31"),
    ("DHIS2", "2004Q1", "Quarterly", "2004-01-01", "2004-03-31"),
    ("DHIS2", "2004S2", "SixMonthly", "2004-07-01", "2004-12-31"),
    ("DHIS2", "2004AprilS1", "SixMonthlyApril", "2004-04-01", "2004-09-30"),
    ("DHIS2", "2004AprilS2", "SixMonthlyApril", "2004-10-01", "2005-03-31"),
    ("DHIS2", "2024NovS1", "SixMonthlyNov", "2023-11-01", "2024-04-30"),
    ("DHIS2", "2004", "Yearly", "2004-01-01", "2004-12-31"),
    ("DHIS2", "2004April", "FinancialApril", "2004-04-01", "2005-03-31"),
    ("DHIS2", "2004July", "FinancialJuly", "2004-07-01", "2005-06-30"),
    ("DHIS2", "2004Sep", "FinancialSep", "2004-09-01", "2005-08-31"),
    ("DHIS2", "2004Oct", "FinancialOct", "2004-10-01", "2005-09-30"),
    ("DHIS2", "2004Nov", "FinancialNov", "2004-11-01", "2005-10-31"),
    ("SDMX", "2024-M02", "Monthly", "2024-02-01", "2024-02-29"),
    ("SDMX", "2024-02", "Monthly", "2024-02-01", "2024-02-29"),
    ("SDMX", "2024-T3", "FourMonthly", "2024-09-01", "2024-12-31"),
    ("SDMX", "2024-S1", "SixMonthly", "2024-01-01", "2024-06-30"),
    ("SDMX", "2024-A1", "Yearly", "2024-01-01", "2024-12-31"),
    ("SDMX", "2024-D366", "Daily", "2024-12-31", "2024-12-31"),
    ("SDMX", "2024-04-01T00:00:00/P1Y", "FinancialApril", "2024-04-01", "2025-03-31"),
    ("ISO", "2024-W12-3", "Daily", "2024-03-20", "2024-03-20"),
    ("ISO", "2024-075", "Daily", "2024-03-15", "2024-03-15"),
    ("ISO", "2024-01-01/P3M", "Quarterly", "2024-01-01", "2024-03-31"),
    ("ISO", "2024-01-03/P7D", "WeeklyWednesday", "2024-01-03", "2024-01-09"),
]


@pytest.mark.parametrize(("notation", "text", "grain", "start", "end"), READ, ids=str)
def test_a_period_is_read(notation: Notation, text: str, grain: str, start: str, end: str) -> None:
    period = read_period(text, notation)
    assert (period.grain.name, str(period.start), str(period.end)) == (grain, start, end)


REFUSED: list[tuple[Notation, str, str]] = [
    ("DHIS2", "2024W54", "2024 has no week 54"),
    ("DHIS2", "2024W53", "2024 has no week 53"),
    ("DHIS2", "2024W0", "2024 has no week 0"),
    ("DHIS2", "202413", "a year has 12 Monthly periods, not 13"),
    ("DHIS2", "202400", "a year has 12 Monthly periods, not 00"),
    ("DHIS2", "20240230", "is no period of DHIS2"),
    ("DHIS2", "202407B", "a year has 6 BiMonthly periods, not 07"),
    ("DHIS2", "2024Q5", "a year has 4 Quarterly periods, not 5"),
    ("DHIS2", "2024BiW27", "a year has two weeks 1 to 26"),
    ("DHIS2", "2024-03", "It is one of SDMX and ISO: declare that."),
    ("DHIS2", "202403 ", "is no period of DHIS2"),
    ("DHIS2", "", "is no period of DHIS2"),
    ("DHIS2", "2024q1", "is no period of DHIS2"),
    ("SDMX", "2024Q1", "It is one of DHIS2: declare that."),
    ("SDMX", "2023-D366", "2023 has no day 366"),
    ("SDMX", "2024-Q0", "a year has 4 Quarterly periods"),
    ("ISO", "2024-02-01/P3M", "no period type of P3M starts on 2024-02-01"),
    ("ISO", "2024-01-02/P7D", "no period type of P7D starts on a Tuesday"),
    ("ISO", "2024-01-01/P5M", "the length P5M is none of"),
    ("ISO", "0000", "is no period of ISO"),
    ("ISO", "9999-11-01/P1Y", "ends after the year 9999"),
    ("ISO", "March 2024", "Write it as 2024-03-15"),
]


@pytest.mark.parametrize(("notation", "text", "message"), REFUSED)
def test_what_is_no_period_is_refused_with_the_reason(notation: Notation, text: str, message: str) -> None:
    with pytest.raises(WrongDefinition) as refused:
        read_period(text, notation)
    assert message in str(refused.value)


@given(st.dates(date(1901, 1, 1), date(2100, 1, 1)), st.sampled_from(sorted(GRAINS)))
def test_what_is_written_is_read_again(day: date, grain: str) -> None:
    try:
        period = period_at(grain, day)
    except WrongDefinition:
        assert grain == "BiWeekly"
        return
    for notation in NOTATIONS:
        if (notation, grain) != ("DHIS2", "FourMonthly"):
            assert read_period(write_period(period, notation), notation) == period


@pytest.mark.parametrize(
    ("text", "source", "target", "word"),
    [
        ("2024Q1", "DHIS2", "SDMX", "2024-Q1"),
        ("202401", "DHIS2", "SDMX", "2024-M01"),
        ("202401", "DHIS2", "ISO", "2024-01"),
        ("2024-W05", "ISO", "DHIS2", "2024W5"),
        ("2024April", "DHIS2", "SDMX", "2024-04-01/P1Y"),
        ("2024-D075", "SDMX", "DHIS2", "20240315"),
    ],
)
def test_a_period_is_converted(text: str, source: Notation, target: Notation, word: str) -> None:
    assert convert(text, source, target) == word


def test_a_notation_without_a_word_says_so() -> None:
    with pytest.raises(WrongDefinition, match="DHIS2 has no word for the FourMonthly period"):
        convert("2024-T1", "SDMX", "DHIS2")
