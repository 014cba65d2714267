from datetime import date

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manara.errors import WrongDefinition
from manara.period.calendars import Calendar, from_gregorian, to_gregorian
from manara.period.columns import read_dates, read_periods
from manara.period.dates import Forms, read_date

SHIPMENTS = Forms(("%d-%b-%y", "%m/%d/%Y"))
READ = [
    (SHIPMENTS, "2-Jun-06", "2006-06-02"),
    (SHIPMENTS, "8/27/2014", "2014-08-27"),
    (SHIPMENTS, " 2-JUNE-69 ", "1969-06-02"),
    (Forms(("%Y-%m-%d",)), "2024-02-29", "2024-02-29"),
    (Forms(("%Y-%m-%dT%H:%M:%S",)), "2024-02-29T23:59:59.5", "2024-02-29"),
    (Forms(("%d %B %Y",), languages=("fr",)), "1 août 2024", "2024-08-01"),
    (Forms(("%d %B %Y",), languages=("fr",)), "14 fevr. 2024", "2024-02-14"),
    (Forms(("%d de %B de %Y",), languages=("es", "pt")), "3 de setembro de 2024", "2024-09-03"),
    (Forms(("%d %B %Y",), languages=("ar",)), "٥ كانون الثاني ٢٠٢٤", "2024-01-05"),  # noqa: RUF001
    (Forms(("%d/%m/%Y",), calendar="ethiopian"), "01/01/2016", "2023-09-12"),
    (Forms(("%d %B %Y",), calendar="ethiopian", languages=("am",)), "5 መስከረም 2016", "2023-09-16"),
    (Forms(("%d/%m/%Y",), calendar="ethiopian"), "6/13/2015", "2023-09-11"),
    (Forms(("%Y-%m-%d",), calendar="persian"), "1402-01-15", "2023-04-04"),
    (Forms(("%Y/%m/%d",), calendar="persian"), "۱۴۰۳/۱۲/۳۰", "2025-03-20"),
    (Forms(("%d %B %Y",), calendar="persian", languages=("fa", "ps")), "1 حمل 1403", "2024-03-20"),
    (Forms(("%d %B %Y",), calendar="persian"), "1 Hamal 1403", "2024-03-20"),
    (Forms(("%d/%m/%Y", "%m/%d/%Y")), "04/04/2024", "2024-04-04"),
]


@pytest.mark.parametrize(("forms", "text", "day"), READ, ids=lambda value: str(value) if isinstance(value, str) else "")
def test_a_date_is_read_in_its_declared_form(forms: Forms, text: str, day: str) -> None:
    assert read_date(text, forms) == date.fromisoformat(day)


REFUSED = [
    (Forms(("%d/%m/%Y", "%m/%d/%Y")), "03/04/2024", "could be 2024-04-03 by %d/%m/%Y, 2024-03-04 by %m/%d/%Y"),
    (SHIPMENTS, "Date Not Captured", "is no date in the form %d-%b-%y or %m/%d/%Y"),
    (SHIPMENTS, "31-Feb-23", "day is out of range for month"),
    (SHIPMENTS, "13/1/2024", "month must be in 1..12"),
    (Forms(("%Y-%m-%d",)), "2024W12", "is no date"),
    (Forms(("%Y-%m-%d",)), "24-01-02", "is no date"),
    (Forms(("%d %B %Y",)), "1 août 2024", "is no date in the form"),
    (Forms(("%d/%m/%Y",), calendar="ethiopian"), "6/13/2016", "month 13 of 2016 has 5 days"),
    (Forms(("%d/%m/%Y",), calendar="persian"), "30/12/1402", "month 12 of 1402 has 29 days"),
    (Forms(("%d/%m/%Y",), calendar="persian"), "1/1/2024", "is read from 1244 to 1472"),
]


@pytest.mark.parametrize(("forms", "text", "message"), REFUSED)
def test_a_date_is_never_guessed(forms: Forms, text: str, message: str) -> None:
    with pytest.raises(WrongDefinition) as refused:
        read_date(text, forms)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("patterns", "calendar", "languages", "message"),
    [
        ((), "gregorian", ("en",), "No form of a date is declared"),
        (("%d/%m",), "gregorian", ("en",), "does not give one year"),
        (("%Y-%m-%d-%d",), "gregorian", ("en",), "names a part of the day twice"),
        (("%Y-%j",), "gregorian", ("en",), "'%j' is not known"),
        (("%Y-%m-%d",), "julian", ("en",), "There is no calendar 'julian'"),
        (("%d %B %Y",), "gregorian", ("xx",), "no names of months in 'xx'"),
    ],
)
def test_forms_that_cannot_be_read_are_refused(
    patterns: tuple[str, ...], calendar: Calendar, languages: tuple[str, ...], message: str
) -> None:
    with pytest.raises(WrongDefinition) as refused:
        Forms(patterns, calendar, languages)
    assert message in str(refused.value)


@given(st.dates(date(1900, 1, 1), date(2090, 1, 1)), st.sampled_from(["ethiopian", "persian"]))
def test_a_day_goes_to_a_calendar_and_back(day: date, calendar: Calendar) -> None:
    assert to_gregorian(calendar, *from_gregorian(calendar, day)) == day


@pytest.mark.parametrize(
    ("calendar", "there", "here"),
    [
        ("ethiopian", (2000, 1, 1), "2007-09-12"),
        ("ethiopian", (2016, 1, 1), "2023-09-12"),
        ("ethiopian", (2017, 1, 1), "2024-09-11"),
        ("persian", (1357, 11, 22), "1979-02-11"),
        ("persian", (1399, 12, 30), "2021-03-20"),
        ("persian", (1400, 1, 1), "2021-03-21"),
        ("persian", (1403, 1, 1), "2024-03-20"),
    ],
)
def test_known_days_agree(calendar: Calendar, there: tuple[int, int, int], here: str) -> None:
    assert to_gregorian(calendar, *there) == date.fromisoformat(here)


def test_a_column_keeps_its_rows_and_tells_its_faults() -> None:
    told = read_dates(pa.chunked_array([["2-Jun-06", None], ["", "soon", "2-Jun-06"]]), SHIPMENTS)
    assert told.values.to_pylist() == [date(2006, 6, 2), None, None, None, date(2006, 6, 2)]
    assert [fault is not None for fault in told.faults.to_pylist()] == [False, False, False, True, False]


def test_a_column_of_periods_gives_start_end_and_grain() -> None:
    told = read_periods(pa.array(["2024Q1", "2024X"]), "DHIS2")
    assert told.values.to_pylist()[0] == {"start": date(2024, 1, 1), "end": date(2024, 3, 31), "grain": "Quarterly"}
    assert "is no period of DHIS2" in str(told.faults.to_pylist()[1])
