import csv
import re
from pathlib import Path

import pytest

from manara.errors import WrongDefinition
from manara.harmonise.groups import AgeUnit, Group, read_age, read_group, read_sex

REAL = Path(__file__).parents[3] / "shared" / "data"


@pytest.mark.parametrize(
    ("text", "unit", "code"),
    [
        ("12 to 23 months", None, "M12T23"),
        ("0-59 months", None, "M0T59"),
        ("0 – 59 months old", None, "M0T59"),  # noqa: RUF001
        ("6-23 mo", None, "M6T23"),
        ("6 months to 23 months", None, "M6T23"),
        ("15-49 years", None, "Y15T49"),
        ("15 à 49 ans", None, "Y15T49"),
        ("de 0", "years", None),
        ("0-4", "years", "Y0T4"),
        ("5-5", "years", "Y05"),
        ("<5 years", None, "Y0T4"),
        ("under 5", "years", "Y0T4"),
        ("moins de 5 ans", None, "Y0T4"),
        ("<1 year", None, "Y0"),
        ("< 60 months", None, "M0T59"),
        ("80+", "years", "Y_GE80"),
        ("≥ 18 years", None, "Y_GE18"),
        ("60 years and over", None, "Y_GE60"),
        ("65 ans et plus", None, "Y_GE65"),
        ("7 years", None, "Y07"),
        ("0 months", None, "M0"),
        ("All ages", None, "_T"),
        ("unknown", None, "_U"),
    ],
)
def test_an_age_group_is_read(text: str, unit: AgeUnit | None, code: str | None) -> None:
    if code is None:
        with pytest.raises(WrongDefinition):
            read_age(text, unit)
    else:
        assert read_age(text, unit) == code


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0-4", "does not say whether it counts months or years"),
        ("23-12 months", "ends before it starts"),
        ("adults", "is no age group"),
        ("", "is no age group"),
        ("< 0 years", "is no age group"),
        ("12,5 months", "is no age group"),
        ("13-22 months", "is M13T22, which the list of age groups does not have"),
    ],
)
def test_what_is_no_age_group_is_refused(text: str, message: str) -> None:
    with pytest.raises(WrongDefinition) as refused:
        read_age(text, known={"M12T23", "Y0T4"})
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("text", "group"),
    [
        ("National", Group(sex="_T", age="_T")),
        ("Female", Group(sex="F", age="_T")),
        ("Male 0 to 5 months", Group(sex="M", age="M0T5")),
        ("15-49 years women", Group(sex="F", age="Y15T49")),
        ("6 to 11 months", Group(sex="_T", age="M6T11")),
    ],
)
def test_a_text_of_sex_and_age_gives_both(text: str, group: Group) -> None:
    assert read_group(text) == group


@pytest.mark.parametrize(
    ("text", "declared", "code"),
    [
        ("1", {"1": "M", "2": "F"}, "M"),
        (" 2 ", {"1": "M", "2": "F"}, "F"),
        ("F", None, "F"),
        ("Garçon", None, "M"),
        ("niña", None, "F"),
        ("أنثى", None, "F"),
        ("Both sexes", None, "_T"),
    ],
)
def test_a_sex_is_read(text: str, declared: dict[str, str] | None, code: str) -> None:
    assert read_sex(text, declared) == code


@pytest.mark.parametrize(("text", "declared"), [("3", {"1": "M", "2": "F"}), ("1", None), ("", None), ("x", None)])
def test_a_sex_that_is_not_declared_is_refused(text: str, declared: dict[str, str] | None) -> None:
    with pytest.raises(WrongDefinition, match="is no sex"):
        read_sex(text, declared)


@pytest.fixture(scope="module")
def known() -> set[str]:
    file = REAL / "sdmx" / "unicef_CL_AGE.xml"
    if not file.is_file():
        pytest.skip("the list CL_AGE is not at ../shared/data/sdmx")
    return set(re.findall(r"<str:Code [^>]*?id=\"([^\"]+)\"", file.read_text("utf-8")))


def test_all_age_texts_of_the_joint_estimates_are_codes_of_the_list(known: set[str]) -> None:
    fastexcel = pytest.importorskip("fastexcel")
    table = fastexcel.read_excel(REAL / "nutrition" / "jme_country_input_stunting_2024.xlsx").load_sheet(0).to_arrow()
    texts = set(table["StandardDisaggregations"].to_pylist())
    groups = {text: read_group(text, known=known) for text in texts}
    assert len(groups) == 21
    assert {group.age for group in groups.values()} == {
        "_T", "M0T5", "M6T11", "M12T23", "M24T35", "M36T47", "M48T59"
    }  # fmt: skip
    assert {group.sex for group in groups.values()} == {"_T", "M", "F"}


def test_all_age_texts_of_the_population_file_are_codes_of_the_list(known: set[str]) -> None:
    with (REAL / "geo" / "cod_population_admin2.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    texts = {row["Age_range"] for row in rows if row["Age_range"] and not row["Age_range"].startswith("#")}
    assert {read_age(text, "years", known) for text in texts} == {"Y0T4", "Y5T19", "_T"}
