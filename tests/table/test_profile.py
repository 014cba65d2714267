from typing import Any

import pyarrow as pa
import pytest

from manara.table.profile import Column, Profile, profile


def of(**columns: list[str | None]) -> Profile:
    return profile(pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()}).to_reader())


def column(values: list[str | None], name: str = "value") -> Column:
    (found,) = of(**{name: values}).columns
    return found


KINDS: list[tuple[list[str | None], str, tuple[str, ...]]] = [
    (["1", "2.0", " 3 "], "integer", ()),
    (["1", "2.5"], "number", ()),
    (["yes", "NO"], "boolean", ()),
    (["2024-01-31", None], "date", ()),
    (["2024-01-31T12:00:00Z"], "timestamp", ()),
    (["31/01/2024", "01/02/2024"], "date", ("%d/%m/%Y",)),
    (["8/27/2014", "1/2/2014"], "date", ("%m/%d/%Y",)),
    (["01/02/2024", "03/04/2024"], "date", ("%d/%m/%Y", "%m/%d/%Y")),
    (["2-Jun-06", "31-Dec-15"], "date", ("%d-%b-%y",)),
    (["See DN-304", "12"], "string", ()),
    (["", None], "string", ()),
    (["007", "12"], "integer", ()),
]


@pytest.mark.parametrize(("values", "kind", "forms"), KINDS)
def test_the_type_that_hides_in_texts_is_found(values: list[str | None], kind: str, forms: tuple[str, ...]) -> None:
    found = column(values)
    assert (found.kind, found.forms) == (kind, forms)


@pytest.mark.parametrize(("name", "kind"), [("period", "date"), ("quantity", "integer")])
def test_digits_are_a_date_where_the_name_says_so(name: str, kind: str) -> None:
    assert column(["202401", "202402"], name).kind == kind


def test_counts_ranges_and_frequent_values_are_told() -> None:
    found = column(["5", "7", "5", "", None, "-1"])
    assert (found.rows, found.missing, found.distinct, found.least, found.most) == (6, 2, 3, "-1", "7")
    assert found.frequent[0] == ("5", 2)


def test_values_that_keep_a_column_from_its_type_are_told() -> None:
    found = column(["1", "2", "3", "n/a", "n/a"])
    assert (found.kind, found.odd, found.odd_count) == ("string", ("n/a",), 2)


@pytest.mark.parametrize(
    ("columns", "key"),
    [
        ({"name": ["a", "b", "c"], "id": ["1", "2", "3"]}, ("id",)),
        ({"place": ["a", "a", "b"], "month": ["1", "2", "1"], "n": ["1", "1", "1"]}, ("place", "month")),
        ({"a": ["1", "1"], "b": ["2", "2"]}, ()),
        ({"id": ["1", None, "3"], "n": ["x", "y", "z"]}, ("n",)),
    ],
)
def test_the_fewest_columns_that_tell_rows_apart_are_the_key(columns: Any, key: tuple[str, ...]) -> None:
    assert of(**columns).key == key


@pytest.mark.parametrize(
    ("name", "values", "personal"),
    [
        ("Mother_Name", ["Amina"], "name of a person"),
        ("prenom", ["x"], "name of a person"),
        ("Téléphone mobile", ["x"], "telephone"),
        ("contact", ["a@b.org", "c@d.org"], "e-mail"),
        ("contact", ["+93 70 000 0000"], "telephone"),
        ("date_of_birth", ["2020-01-01"], "date of birth"),
        ("_geolocation", ["1 2"], "place of a person"),
        ("facility", ["Bo"], ""),
    ],
)
def test_columns_that_are_likely_personal_are_told(name: str, values: list[str | None], personal: str) -> None:
    assert column(values, name).personal == personal


def test_an_empty_table_has_a_profile() -> None:
    found = of(a=[], b=[])
    assert (found.rows, found.key, [each.kind for each in found.columns]) == (0, (), ["string", "string"])
