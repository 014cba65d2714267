from typing import Any

import pytest
from tests.warehouse.conftest import SUBJECT, Star
from tests.warehouse.test_dimension import ONE

from manara.errors import Faults, WrongDefinition
from manara.resources.factory import STANDARD, standard_subject
from manara.warehouse.subject import read_subject
from manara.warehouse.tables import plan, unused

GEOGRAPHY = """
subject: geography
dimensions:
  - {name: place, key: [pcode], attributes: [{name: pcode}, {name: title, history: 2}]}
"""


def test_a_subject_area_tells_its_tables_and_columns() -> None:
    subject = read_subject(SUBJECT, "subject/supply.yaml")
    assert (subject.dimension("facility").table, subject.dimension("facility").surrogate) == (
        "dim_facility", "facility_key"
    )  # fmt: skip
    assert subject.dimension("facility").of_type(2) == ["district"]
    assert subject.fact("stock").table == "fact_stock"


def test_a_conformed_dimension_is_that_of_the_other_subject_area() -> None:
    text = "subject: nutrition\ndimensions:\n  - {name: place, conformed: geography}\n"
    subject = read_subject(text, "subject/nutrition.yaml", {"geography": GEOGRAPHY})
    assert subject.dimension("place").columns == ["pcode", "title"]


SURVEY = """
subject: survey
dimensions: [{name: place, conformed: standard}, {name: indicator, conformed: standard}]
facts:
  - name: value
    grain: one indicator in one place in one period
    key: [place, indicator, period]
    roles:
      - {name: place, dimension: place, from: [pcode]}
      - {name: indicator, dimension: indicator, from: [indicator_code]}
      - {name: period, dimension: period, from: [period]}
    measures: [{name: value, type: number, additivity: non-additive}]
"""


def test_the_standard_dimensions_are_there_to_be_shared(star: Star) -> None:
    star.subject = SURVEY
    (first, second) = ({"pcode": "MW101", "name": "Chitipa", "parent_pcode": parent} for parent in ("MW1", "MW9"))
    rest = {"level": 2, "country_iso3": "MWI", "country_unicef": "2690", "latitude": None, "longitude": None}
    for row in (first, second):
        star.dimension([{**row, **rest}], name="place")
    versions = star.query("select parent_pcode, is_current from dim_place where place_key > 0 order by valid_from")
    assert [tuple(row.values()) for row in versions] == [("MW1", False), ("MW9", True)]
    value = "select 'MW101' as pcode, 'NT_ANT' as indicator_code, '2024' as period, 35.5 as value"
    output = star.ask("LoadFact", fact="value", query=value)
    assert (output["rowsInserted"], output["inferred"]) == (1, {"place": 0, "indicator": 1})


def test_every_standard_dimension_is_in_order_and_a_factory_may_have_its_own() -> None:
    names = [each.name for each in read_subject(standard_subject(), "standard.yaml").dimensions]
    assert names == ["place", "facility", "item", "indicator", "population_group", "source"]
    own = {STANDARD: GEOGRAPHY.replace("subject: geography", "subject: standard")}
    text = "subject: s\ndimensions: [{name: place, conformed: standard}]"
    assert read_subject(text, "subject/s.yaml", own).dimension("place").columns == ["pcode", "title"]


FACT = """
subject: s
dimensions: [{name: item, key: [code], attributes: [{name: code}]}]
facts:
  - name: f
    grain: one
    key: [item]
    roles: [{name: item, dimension: item, from: [code]}]
    measures: [{name: n, type: integer}]
"""
WRONG: list[tuple[str, dict[str, str], str]] = [
    ("{", {}, "This is not YAML"),
    ("subject: s\nfacts: [{name: f}]", {}, "facts[0].grain: This is missing."),
    (SUBJECT + "colour: red", {}, "colour: This is not known here."),
    (FACT.replace("dimension: item", "dimension: itme"), {}, "There is no dimension 'itme'. Did you mean 'item'?"),
    (FACT.replace("key: [item]", "key: [things]"), {}, "'things' is neither a role nor a degenerate dimension."),
    (FACT.replace("type: integer", "type: int"), {}, "'int' is no type."),
    (FACT.replace("from: [code]", "from: [a, b]"), {}, "The key of 'item' has 1 parts, not 2."),
    (FACT.replace("type: integer", "additivity: semi-additive"), {}, "Say over which roles"),
    (FACT.replace("type: integer", "additivity: semi-additive, over: [day]"), {}, "There is no role 'day'."),
    (FACT.replace("grain: one", "grain: one\n    partitionBy: item"), {}, "'item' is no role of the dimension date."),
    (FACT.replace("key: [code], ", ""), {}, "The dimension has no natural key."),
    (FACT.replace("key: [code]", "key: [kode]"), {}, "The key 'kode' is no attribute."),
    (FACT.replace("{name: code}", "{name: code, history: 2}"), {}, "'code' is part of the key, and cannot change."),
    (FACT.replace("{name: code}", "{name: code}, {name: code}"), {}, "'code' is declared twice."),
    (FACT.replace("{name: n,", "{name: valid_from,"), {}, "'valid_from' is a name that the warehouse needs."),
    (FACT.replace("{name: item, key", "{name: date, key"), {}, "The dimension date is there already"),
    ("subject: s\ndimensions: [{name: p, conformed: g}]", {}, "There is no subject area 'g'."),
    ("subject: s\ndimensions: [{name: p, conformed: geography}]", {"geography": GEOGRAPHY}, "does not declare"),
    ("subject: s\ndimensions: [{name: place, conformed: geography, key: [x]}]", {"geography": GEOGRAPHY},
     "is declared otherwise in 'geography'. Leave out key and attributes here."),
    (SURVEY.replace("from: [pcode]", "from: [pcode, level]"), {STANDARD: standard_subject()},
     "The key of 'place' has 1 parts, not 2."),
    (SURVEY.replace("conformed: standard", "conformed: standart"), {}, "Did you mean 'standard'?"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "others", "message"), WRONG)
def test_what_is_wrong_in_a_subject_area_is_told(text: str, others: dict[str, str], message: str) -> None:
    with pytest.raises(Faults) as refused:
        read_subject(text, "subject/s.yaml", others)
    assert message in str(refused.value)


CHANGES: list[tuple[str, str, list[str]]] = [
    ("{name: name, type: string}", "{name: name, type: string}\n      - {name: kind, type: string}",
     ["take away the view dim_facility_known", "give dim_facility the column kind",
      "give dim_facility_history the column kind", "show in dim_facility_known what dim_facility ever said"]),
    ("{name: quantity, type: integer,", "{name: quantity, type: number,",
     ["take away the view fact_stock_known", "widen fact_stock.quantity to DOUBLE",
      "widen fact_stock_history.quantity to DOUBLE", "show in fact_stock_known what fact_stock ever said"]),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "says"), CHANGES)
def test_tables_grow_with_their_declaration(star: Star, old: str, new: str, says: list[str]) -> None:
    star.dimension([ONE])
    star.fact([{"site": "a", "item": "v", "month": None, "quantity": 1}])
    star.subject = star.subject.replace(old, new)
    output = star.dimension([{**ONE, "kind": "Hospital"}])
    assert [change.replace("DOUBLE PRECISION", "DOUBLE") for change in output["changes"]] == says
    assert star.dimension([{**ONE, "kind": "Hospital"}])["changes"] == []


def test_a_column_that_is_no_longer_declared_stays_and_is_told(star: Star) -> None:
    star.dimension([ONE])
    subject = read_subject(SUBJECT.replace("      - {name: name, type: string}\n", ""), "subject/supply.yaml")
    columns = star.place.database.columns
    assert plan(subject, columns, star.place.database.dialect) == []
    assert unused(subject, columns) == [("dim_facility", "name"), ("dim_facility_history", "name")]


def test_a_type_that_cannot_be_widened_is_refused(star: Star) -> None:
    star.dimension([ONE])
    star.subject = star.subject.replace("{name: name, type: string}", "{name: name, type: integer}")
    with pytest.raises(WrongDefinition, match="dim_facility: The column 'name' is"):
        star.dimension([ONE])


def test_plans_are_words_and_statements(star: Star) -> None:
    changes: Any = plan(read_subject(SUBJECT, "s"), lambda _table: {}, "postgres")
    says = [change.says for change in changes]
    assert "make dim_facility" in says
    assert "put the unknown member into dim_facility" in says
    assert "index fact_stock by facility_key" in says
    assert all(change.statement for change in changes)
