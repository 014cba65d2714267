"""The date formats of .NET."""

import pytest

from manara.expr.dotnet_date import format_moment, parse_exact
from manara.expr.moment import read
from manara.expr.table import Unfit

MOMENT = "2024-03-05T14:07:09.0123456Z"


@pytest.mark.parametrize(
    ("form", "wanted"),
    [
        ("d", "3/5/2024"),
        ("D", "Tuesday, March 5, 2024"),
        ("f", "Tuesday, March 5, 2024 2:07 PM"),
        ("F", "Tuesday, March 5, 2024 2:07:09 PM"),
        ("g", "3/5/2024 2:07 PM"),
        ("G", "3/5/2024 2:07:09 PM"),
        ("M", "March 5"),
        ("o", MOMENT),
        ("", MOMENT),
        ("r", "Tue, 05 Mar 2024 14:07:09 GMT"),
        ("s", "2024-03-05T14:07:09"),
        ("t", "2:07 PM"),
        ("T", "2:07:09 PM"),
        ("u", "2024-03-05 14:07:09Z"),
        ("Y", "March 2024"),
        ("%d", "5"),
        ("ddd dddd", "Tue Tuesday"),
        ("MMM MMMM", "Mar March"),
        ("y yy yyy yyyyy", "24 24 2024 02024"),
        ("h hh H HH t tt", "2 02 14 14 P PM"),
        ("ff.FFF", "01.012"),
        ("zzz K", "+00:00 Z"),
        (r"yyyy\dMM", "2024d03"),
        ("'it is' yyyy", "it is 2024"),
        ("yyyyMMdd_HHmmss", "20240305_140709"),
    ],
)
def test_a_moment_is_written(form: str, wanted: str) -> None:
    assert format_moment(read(MOMENT), form) == wanted


@pytest.mark.parametrize("form", ["x", "Z", "ffffffff", "'open"])
def test_what_is_no_format_is_refused(form: str) -> None:
    with pytest.raises(Unfit):
        format_moment(read(MOMENT), form)


def test_decimals_that_are_not_there_take_their_point_along() -> None:
    assert format_moment(read("2024-03-05T14:07:09Z"), "ss.FFF") == "09"


@pytest.mark.parametrize(
    ("text", "form", "wanted"),
    [
        ("05.03.2024", "dd.MM.yyyy", "2024-03-05T00:00:00.0000000"),
        ("20240305", "yyyyMMdd", "2024-03-05T00:00:00.0000000"),
        ("5 Mar 49 2:05 pm", "d MMM yy h:mm tt", "2049-03-05T14:05:00.0000000"),
        ("5 March 50", "d MMMM yy", "1950-03-05T00:00:00.0000000"),
        ("2024-03-05 10:00 +02:00", "yyyy-MM-dd HH:mm zzz", "2024-03-05T08:00:00.0000000+00:00"),
        (MOMENT, "o", MOMENT),
    ],
)
def test_a_moment_is_read_back(text: str, form: str, wanted: str) -> None:
    assert format_moment(parse_exact(text, form), "o") == wanted


@pytest.mark.parametrize(("text", "form"), [("5.3.2024", "dd.MM.yyyy"), ("31.02.2024", "dd.MM.yyyy"), ("99", "HH")])
def test_a_text_in_another_format_is_refused(text: str, form: str) -> None:
    with pytest.raises(Unfit):
        parse_exact(text, form)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2024-03", "2024-03-01T00:00:00.0000000"),
        ("2024/3/5", "2024-03-05T00:00:00.0000000"),
        ("2024-03-05 14:07", "2024-03-05T14:07:00.0000000"),
        ("3/5/2024 2:07 PM", "2024-03-05T14:07:00.0000000"),
        ("Tue, 05 Mar 2024 14:07:09 GMT", "2024-03-05T14:07:09.0000000Z"),
        ("2024-03-05T14:07:09.123456789Z", "2024-03-05T14:07:09.1234568Z"),
        ("2024-03-05T14:07:09-0530", "2024-03-05T19:37:09.0000000+00:00"),
    ],
)
def test_the_forms_of_a_timestamp(text: str, wanted: str) -> None:
    assert format_moment(read(text), "o") == wanted
