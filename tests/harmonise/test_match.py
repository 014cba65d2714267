import csv
import gzip
from collections import Counter
from pathlib import Path

import pytest

from manara.harmonise.match import Entry, Match, Matcher, Rules
from manara.harmonise.names import bare, plain, sound

REAL = Path(__file__).parents[3] / "shared" / "data"
ENTRIES = [
    Entry(code="AF", names=("Afghanistan",), level=0),
    Entry(code="AF01", names=("Kabul",), parent="AF", level=1),
    Entry(code="AF04", names=("Maidan Wardak",), parent="AF", level=1),
    Entry(code="AF30", names=("Hilmand",), parent="AF", level=1),
    Entry(code="AF05", names=("Logar",), parent="AF", level=1),
    Entry(code="AF06", names=("Nangarhar",), parent="AF", level=1),
    Entry(code="AF0101", names=("Paghman",), parent="AF01", level=2),
    Entry(code="AF0501", names=("Khoshi",), parent="AF05", level=2),
    Entry(code="AF0601", names=("Khogyani", "Khogiani"), parent="AF06", level=2),
    Entry(code="SD", names=("Sudan",), level=0),
    Entry(code="SD01", names=("Kabul",), parent="SD", level=1),
]

CASES = [
    ("AF01", "AF", None, "code", "AF01"),
    ("af01", None, None, "code", "AF01"),
    ("AF01", "SD", None, "unmatched", ""),
    ("Kabul", "AF", None, "exact", "AF01"),
    (" kabul ", "AF", None, "normalised", "AF01"),
    ("Province of Kabul", "AF", None, "normalised", "AF01"),
    ("Kabul Province", "AF", None, "normalised", "AF01"),
    ("Kabul", None, None, "ambiguous", ""),
    ("Kabul", None, "SD", "exact", "SD01"),
    ("Helmand", "AF", None, "sound", "AF30"),
    ("Helmand", None, "AF", "unmatched", ""),
    ("Nangarharr", "AF", None, "sound", "AF06"),
    ("Nangarher", "AF", None, "fuzzy", "AF06"),
    ("Wardak", "AF", None, "unmatched", ""),
    ("Paghman", "AF05", None, "unmatched", ""),
    ("Khogiani", "AF06", None, "exact", "AF0601"),
    ("Atlantis", "AF", None, "unmatched", ""),
    ("Nangarher", "XX", None, "unmatched", ""),
]  # fmt: skip


@pytest.mark.parametrize(("name", "parent", "within", "outcome", "code"), CASES)
def test_a_name_is_matched_by_the_first_step_that_is_sure(
    name: str, parent: str | None, within: str | None, outcome: str, code: str
) -> None:
    found = Matcher(ENTRIES).match(name, parent, within)
    assert (found.outcome, found.code) == (outcome, code)


def test_what_is_not_matched_has_its_candidates() -> None:
    found = Matcher(ENTRIES).match("Wardak", "AF")
    assert found.candidates[0].code == "AF04"
    assert 60 < found.candidates[0].score < 88


def test_two_that_are_nearly_as_like_are_not_told_apart_by_likeness() -> None:
    entries = [Entry(code="1", names=("Kaltan",), parent="p"), Entry(code="2", names=("Kaltar",), parent="p")]
    found = Matcher(entries, Rules(threshold=80)).match("Kaltas", "p")
    assert found.outcome == "unmatched"
    assert {each.code for each in found.candidates} == {"1", "2"}


def test_a_name_that_is_never_fuzzy_is_matched_by_its_letters_alone() -> None:
    rules = Rules(never_fuzzy=frozenset({"helmand", "Nangarher"}))
    assert Matcher(ENTRIES, rules).match("Helmand", "AF").outcome == "unmatched"
    assert Matcher(ENTRIES, rules).match("Nangarher", "AF").outcome == "unmatched"
    assert Matcher(ENTRIES, rules).match("Hilmand", "AF").code == "AF30"


def test_a_place_that_has_moved_is_found_outside_where_that_is_allowed() -> None:
    assert Matcher(ENTRIES, Rules(outside=True)).match("Paghman", "AF05") == Match(
        outcome="outside", code="AF0101", score=100.0
    )
    assert Matcher(ENTRIES, Rules(outside=True)).match("Paghman", "SD01").outcome == "unmatched"


def test_a_level_keeps_to_its_entries() -> None:
    assert Matcher(ENTRIES, level=2).match("Kabul", None, "AF").outcome == "unmatched"
    assert Matcher(ENTRIES, level=1).match("Kabul", None, "AF").code == "AF01"


def test_an_alias_of_the_parent_goes_before_one_of_everywhere() -> None:
    aliases = {("", "Old town"): "AF04", ("SD", "Old Town"): "SD01", ("", "Nowhere"): ""}
    matcher = Matcher(ENTRIES, aliases=aliases)
    assert matcher.match("OLD TOWN", "SD").code == "SD01"
    assert matcher.match("old town", "AF").code == "AF04"
    assert matcher.match("Nowhere", "AF").outcome == "none"


@pytest.mark.parametrize(
    ("one", "other"),
    [("Sar-e-Pul", "sar e pul"), ("Côte d'Ivoire", "COTE DIVOIRE"), ("أفغانستان", "افغانستان"), ("Łódź", "lodz")],
)
def test_two_ways_to_write_a_name_are_one(one: str, other: str) -> None:
    assert plain(one) == plain(other)


def test_words_of_administration_are_left_out_and_sounds_are_alike() -> None:
    assert bare("Município dos Gambos") == "gambos"
    assert bare("Province") == "province"
    assert sound("Oromiya") == sound("Oromia")
    assert sound("Kabul") != sound("Kapisa")


@pytest.mark.skipif(not (REAL / "food").is_dir(), reason="the real files are not at ../shared/data")
def test_the_names_that_ocha_coded_get_the_same_codes_and_none_gets_a_wrong_one() -> None:
    names = golden()
    one, two = (Matcher(gazetteer(), level=level) for level in (1, 2))
    outcome: Counter[str] = Counter()
    for country, first, second, code in names:
        parent = one.match(first, country).code or None
        found = two.match(second, parent, country) if second else one.match(first, country)
        outcome["right" if found.code == code else "wrong" if found.code else "missed"] += 1
    assert outcome == {"right": 186, "missed": 3}
    assert outcome["right"] / len(names) >= 0.97


def gazetteer() -> list[Entry]:
    with gzip.open(REAL / "geo" / "global_pcodes_adm1_2.csv.gz", "rt", encoding="utf-8-sig", newline="") as file:
        return [
            Entry(code=row["P-Code"], names=(row["Name"],), parent=row["Parent P-Code"], level=int(row["Admin Level"]))
            for row in csv.DictReader(file)
            if row["P-Code"].isalnum()
        ]


def golden() -> set[tuple[str, str, str, str]]:
    """Each name that has a code at its own level: country, first and second level, and the code."""
    with gzip.open(REAL / "food" / "hapi_food_security_global.csv.gz", "rt", encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["admin_level"] in ("1", "2")]
    return {
        (row["location_code"], row["provider_admin1_name"], second, code)
        for row in rows
        for second in [row["provider_admin2_name"] if row["admin_level"] == "2" else ""]
        if (code := row[f"admin{row['admin_level']}_code"])
    }
