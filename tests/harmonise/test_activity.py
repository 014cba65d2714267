from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.harmonise.conftest import write_pack
from tests.plugin_given import Place, csv, files, table

from manara.errors import BadRows, Faults, ManaraError, WrongDefinition
from manara.plugin.lineage import read_lineage

SURVEY = """Country,Province,District,Sex,Age,Day,Weight,Price,Currency,Rate day
Afghanistan,Kabul,Paghman,1,0-59 months,15/01/1402,1.1 KG,700,AFN,2024-01-10
أفغانستان,KABUL,deh sabz,2,6-23 mo,16/01/1402,500 G,75,AFN,2024-02-10
Afghanistan,Helmand,Lashkar Gah,F,<5 years,,2 lb,10,USD,2024-02-10
Afghanistan,Wardak,,,,,,,,
"""
COLUMNS: list[dict[str, Any]] = [
    {"as": "country", "from": "Country", "to": "iso3", "pack": "countries"},
    {"as": "place", "from": "Province", "to": "adm1", "pack": "places", "level": 1, "within": None},
    {"as": "place", "from": "District", "to": "adm2", "pack": "places", "level": 2, "parent": "adm1"},
    {"as": "sex", "from": "Sex", "to": "sex_code", "values": {"1": "M", "2": "F"}},
    {"as": "age", "from": "Age", "to": "age_code", "pack": "ages"},
    {"as": "date", "from": "Day", "to": "day_on", "formats": ["%d/%m/%Y"], "calendar": "persian"},
    {"as": "amount", "from": "Weight", "to": "weight_kg", "unit": "kg"},
    {"as": "money", "from": "Price", "to": "usd", "currency": "Currency", "day": "Rate day", "target": "USD",
     "pack": "rates"},
]  # fmt: skip


def columns(**changed: Any) -> list[dict[str, Any]]:
    """Return the columns with changes to the one of each name."""
    return [{**column, **changed.get(str(column["to"]), {})} for column in COLUMNS]


def harmonise(place: Place, given: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    place.write("survey.csv", SURVEY)
    told = {"columns": given or columns(), "origin": "survey.csv", **more}
    return place.run("Harmonise", told, [csv("survey.csv")], [table("survey")])


def test_columns_go_to_their_code_lists_and_the_rest_waits(place: Place) -> None:
    output = harmonise(place)
    assert (output["rowsRead"], output["rowsWritten"], output["rowsWaiting"]) == (4, 2, 2)
    rows = place.query('select * from survey order by "_row"')
    assert [[row[name] for name in ("iso3", "adm1", "adm2", "sex_code", "age_code")] for row in rows] == [
        ["AFG", "AF01", "AF0101", "M", "M0T59"],
        ["AFG", "AF01", "AF0102", "F", "M6T23"],
    ]
    assert [(row["day_on"], row["weight_kg"], row["usd"]) for row in rows] == [
        (date(2023, 4, 4), 1.1, 10.0),
        (date(2023, 4, 5), 0.5, 1.0),
    ]
    assert [(row["_origin"], row["_row"], row["_run"]) for row in rows] == [
        ("survey.csv", 1, "run"), ("survey.csv", 2, "run")
    ]  # fmt: skip


def test_the_output_says_what_became_of_each_column(place: Place) -> None:
    output = harmonise(place)
    assert output["columns"]["iso3"] == {"exact": 4}
    assert output["columns"]["adm1"] == {"exact": 1, "normalised": 1, "unmatched": 2}
    assert output["columns"]["sex_code"] == {"read": 3, "blank": 1}
    assert [pack["name"] for pack in output["packs"]] == ["countries", "places", "ages", "rates"]
    lineage = read_lineage(output)
    assert lineage is not None
    told = lineage.columns[lineage.outputs[0]]
    assert [(one.column, one.how) for one in told["usd"]] == [
        ("Price", "TRANSFORMATION"), ("Currency", "TRANSFORMATION"), ("Rate day", "TRANSFORMATION")
    ]  # fmt: skip


def test_a_second_load_of_a_file_replaces_the_first(place: Place) -> None:
    harmonise(place)
    harmonise(place)
    assert place.query("select count(*) as n from survey") == [{"n": 2}]
    assert place.query("select count(*) as n from steward_waiting") == [{"n": 2}]


def test_a_step_that_is_tried_again_is_done_once(place: Place) -> None:
    place.write("survey.csv", SURVEY)
    for _ in range(2):
        told = place.run("Harmonise", {"columns": columns()}, [csv("survey.csv")], [table("survey")], step="same")
    assert told["rowsWritten"] == 2
    assert place.query("select count(*) as n from survey") == [{"n": 2}]


def test_what_is_told_to_be_kept_goes_on_without_a_code(place: Place) -> None:
    output = harmonise(place, columns(adm1={"onUnmatched": "keep"}, adm2={"onUnmatched": "keep"}))
    assert (output["rowsWritten"], output["rowsWaiting"]) == (4, 0)
    assert place.query("select count(*) as n from survey where adm1 is null") == [{"n": 2}]
    assert len(place.query("select * from steward_queue where status = 'open'")) == 3


def test_what_is_told_to_fail_ends_the_load_and_leaves_nothing(place: Place) -> None:
    with pytest.raises(BadRows, match="'Helmand' is the name of none"):
        harmonise(place, columns(adm1={"onUnmatched": "fail"}))
    with pytest.raises(ManaraError):
        place.query("select * from survey")


def test_a_name_by_sound_counts_inside_its_parent(place: Place) -> None:
    place.write("survey.csv", SURVEY.replace("Country,", "Country,Land,").replace("\nAfg", "\nAF,Afg"))
    given = [{"as": "place", "from": "Province", "to": "adm1", "pack": "places", "level": 1, "parent": "Land"}]
    told = "Land,Province\nAF,Helmand\nAF,Hillmand\nAF,Kabul province\nSD,Kabul\n"
    place.write("small.csv", told)
    output = place.run("Harmonise", {"columns": given}, [csv("small.csv")], [table("small")])
    assert output["columns"]["adm1"] == {"sound": 2, "normalised": 1, "unmatched": 1}
    assert [row["adm1"] for row in place.query('select adm1 from small order by "_row"')] == ["AF30", "AF30", "AF01"]


def test_a_file_takes_harmonised_rows_that_do_not_wait(packs: Path) -> None:
    place = Place(folder=packs)
    place.write("survey.csv", SURVEY)
    given = [{"as": "country", "from": "Country", "to": "iso3", "pack": "countries", "onUnmatched": "keep"}]
    output = place.run("Harmonise", {"columns": given}, [csv("survey.csv")], [files("Parquet", "out.parquet")])
    assert output["rowsWritten"] == 4
    assert {row["iso3"] for row in place.rows("out.parquet")} == {"AFG"}
    with pytest.raises(WrongDefinition, match="Rows cannot wait beside a file, as iso3 may"):
        place.run(
            "Harmonise", {"columns": [{**given[0], "onUnmatched": "wait"}]}, [csv("survey.csv")],
            [files("Parquet", "out.parquet")],
        )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "path", "message"),
    [
        ([], "typeProperties.columns", "Name one column at least."),
        ([{"as": "colour", "from": "a", "to": "b"}], "typeProperties.columns[0]", "'as' is one of country"),
        ([{"as": "sex", "to": "b"}], "typeProperties.columns[0].from", "This is missing."),
        ([{"as": "age", "from": "a", "to": "b", "colour": 1}], "typeProperties.columns[0].colour", "not known here"),
        ([{"as": "date", "from": "a", "to": "b", "formats": ["%d/%m"]}], "typeProperties.columns[0].languages",
         "does not give one year"),
        ([{"as": "amount", "from": "a", "to": "b", "unit": "packet"}], "typeProperties.columns[0].unit",
         "is no unit of measure"),
        ([{"as": "sex", "from": "a", "to": "b", "values": {"1": "male"}}], "typeProperties.columns[0].values.1",
         "Input should be 'M'"),
        ([{"as": "sex", "from": "a", "to": "b"}, {"as": "sex", "from": "c", "to": "B"}],
         "typeProperties.columns[1].to", "Two columns go to 'B'."),
    ],
)  # fmt: skip
def test_wrong_columns_are_told_with_their_place(
    packs: Path, given: list[dict[str, Any]], path: str, message: str
) -> None:
    place = Place(folder=packs)
    place.write("survey.csv", SURVEY)
    with pytest.raises(Faults) as refused:
        place.run("Harmonise", {"columns": given}, [csv("survey.csv")], [table("survey")])
    assert any(fault.path == path and message in fault.message for fault in refused.value.faults), str(refused.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"as": "place", "from": "Provinz", "to": "adm1", "pack": "places"}, "There is no column 'Provinz'"),
        ({"as": "place", "from": "Province", "to": "adm1", "pack": "place"}, "Did you mean 'places'?"),
        ({"as": "sex", "from": "Sex", "to": "AGE"}, "There is a column 'AGE' already."),
        ({"as": "money", "from": "Price", "to": "usd", "currency": "Currency", "day": "Rate day", "target": "USD",
          "pack": "places"}, "The pack 'places' holds no rates."),
    ],
)  # fmt: skip
def test_columns_that_do_not_fit_the_rows_are_refused(packs: Path, given: dict[str, Any], message: str) -> None:
    place = Place(folder=packs)
    place.write("survey.csv", SURVEY)
    with pytest.raises(ManaraError) as refused:
        place.run("Harmonise", {"columns": [given]}, [csv("survey.csv")], [table("survey")])
    assert message in str(refused.value)


def test_a_million_rows_of_few_names_are_matched_once_each(packs: Path) -> None:
    place = Place(folder=packs)
    lines = "".join(f"Kabul {number % 50},{number}\n" for number in range(100_000))
    place.write("big.csv", "Province,n\n" + lines)
    given = [{"as": "place", "from": "Province", "to": "adm1", "pack": "places", "level": 1}]
    output = place.run("Harmonise", {"columns": given}, [csv("big.csv")], [table("big")])
    assert output["rowsWaiting"] == 100_000
    assert [row["rows_seen"] for row in place.query("select rows_seen from steward_queue")] == [2000] * 50
    write_pack(packs, "places", "code,name,parent,level\nX1,Kabul,,1\n", "{code: code, name: name, level: level}")
