"""The number formats of .NET."""

import pytest

from manara.expr.dotnet_number import format_number
from manara.expr.table import Unfit
from manara.expr.value import float_text


@pytest.mark.parametrize(
    ("number", "form", "wanted"),
    [
        (1234.5, "N2", "1,234.50"),
        (-1234567, "N0", "-1,234,567"),
        (2.5, "N0", "3"),
        (-0.001, "N2", "0.00"),
        (1234.5, "F1", "1234.5"),
        (1234.567, "C", "$1,234.57"),
        (-3, "C0", "-$3"),
        (0.1234, "P1", "12.3%"),
        (7, "D3", "007"),
        (-7, "D", "-7"),
        (255, "X", "FF"),
        (255, "x4", "00ff"),
        (-1, "X", "FFFFFFFFFFFFFFFF"),
        (1234.5, "E2", "1.23E+003"),
        (0, "e1", "0.0e+000"),
        (1234.5, "G", "1234.5"),
        (1234.5, "G2", "1.2E+03"),
        (1e20, "R", "1E+20"),
        (1234.5, "", "1234.5"),
        (1234.5, "0.00", "1234.50"),
        (0.5, "#", "1"),
        (0.25, "#.##", ".25"),
        (0, "#.##", ""),
        (7, "000.0#", "007.0"),
        (1234567.891, "#,##0.00", "1,234,567.89"),
        (1234567, "#,##0,", "1,235"),
        (0.256, "0.0%", "25.6%"),
        (-5, "0;(0);zero", "(5)"),
        (0, "0;(0);zero", "zero"),
        (5551234, "000-0000", "555-1234"),
        (12, "0 'kg'", "12 kg"),
        (12345, "0.0E+0", "1.2E+4"),
    ],
)
def test_a_number_is_written(number: float, form: str, wanted: str) -> None:
    assert format_number(number, form) == wanted


@pytest.mark.parametrize(("number", "form"), [(1.5, "D2"), (1.5, "X"), (1, "Q"), (1, "N500"), (1, "0 'kg")])
def test_what_is_no_format_is_refused(number: float, form: str) -> None:
    with pytest.raises(Unfit):
        format_number(number, form)


@pytest.mark.parametrize(
    ("number", "wanted"),
    [
        (0.0001, "0.0001"),
        (0.00001, "1E-05"),
        (1.5e-7, "1.5E-07"),
        (999999999999999.0, "999999999999999"),
        (1e15, "1E+15"),
        (123456789012345680.0, "1.2345678901234568E+17"),
        (-0.5, "-0.5"),
        (0.0, "0"),
    ],
)
def test_the_shortest_text_of_a_float(number: float, wanted: str) -> None:
    assert float_text(number) == wanted
