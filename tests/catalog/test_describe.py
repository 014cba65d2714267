import json
from pathlib import Path
from typing import Any

import pytest
from tests.catalog.conftest import Told
from typer.testing import CliRunner

from manara.catalog.describe import Catalog
from manara.catalog.exports import HEAD, as_csv, data_package, dcat, markdown
from manara.cli.main import cli
from manara.errors import NotFound, WrongDefinition
from manara.resources.factory import made_factory


@pytest.fixture(scope="module")
def catalog(told: Told) -> Catalog:
    return Catalog(told.history, told.factory.definitions)


def test_a_table_is_told_with_meaning_columns_quality_and_who_uses_it(catalog: Catalog) -> None:
    entry = catalog.find("facility")
    assert entry.description.startswith("The places that keep stock")
    assert entry.columns[0].name == "id"
    assert entry.columns[0].is_key
    assert entry.written_by == ["land_file: Gate"]
    assert "supply: Anything new/Facilities" in entry.read_by
    assert entry.fresh is not None
    assert entry.score is not None
    assert 0 < entry.score <= 1


def test_the_star_is_described_by_its_subject_area(catalog: Catalog) -> None:
    entry = catalog.find("Warehouse/fact_stock_month")
    assert entry.description == "one item at one facility in one month, as one source tells it"
    told = {column.name: column for column in entry.columns}
    assert told["facility_key"].is_key
    assert told["opening"].description == "In unit."


def test_files_of_a_folder_are_one_entry(catalog: Catalog) -> None:
    entry = catalog.find("inbox/stock/*.json")
    assert (entry.kind, entry.datasets) == ("files", ["InboxFile"])


@pytest.mark.parametrize(
    ("words", "name"),
    [("logistics places", "dim_facility"), ("restricted wrote", "data_value"), ("dim_vendor", "dim_vendor")],
)
def test_all_words_are_searched(catalog: Catalog, words: str, name: str) -> None:
    assert name in [entry.asset.name for entry in catalog.search(words)]
    assert catalog.search(f"{words} zebra") == []


OWNERS: dict[str, tuple[Any, str]] = {
    "the member who is owner": ([{"username": "a", "role": "steward"}, {"username": "b", "role": "Owner"}], "b"),
    "the first member": ([{"username": "a"}, {"username": "b"}], "a"),
    "the team's name": ({"name": "Supply"}, "Supply"),
    "nobody": (None, "desk@example.org"),
}


@pytest.mark.parametrize(("team", "owner"), OWNERS.values(), ids=OWNERS.keys())
def test_the_owner_comes_from_the_contract(told: Told, team: Any, owner: str) -> None:
    contract = {"team": team, "support": [{"channel": "desk@example.org"}], "schema": [{"name": "t", "properties": []}]}
    factory = made_factory(Path(), {}, local={}, more={("contract", "t.yaml"): json.dumps(contract)})
    assert Catalog(told.history, factory).find("t").owner == owner


def test_a_shared_dimension_is_told_as_it_is_declared_elsewhere(told: Told) -> None:
    subject = {"subject": "survey", "dimensions": [{"name": "place", "conformed": "standard"}]}
    factory = made_factory(Path(), {}, local={}, more={("subject", "survey.yaml"): json.dumps(subject)})
    columns = Catalog(told.history, factory).find("dim_place").columns
    assert [column.name for column in columns if column.is_key] == ["pcode"]
    assert "parent_pcode" in [column.name for column in columns]


def test_what_is_not_there_is_named(catalog: Catalog) -> None:
    with pytest.raises(NotFound, match="no 'facilty'") as caught:
        catalog.find("facilty")
    assert "facility" in caught.value.advice


def test_the_dictionary_holds_every_column(catalog: Catalog) -> None:
    rows = as_csv(catalog.entries()).splitlines()
    assert rows[0] == ",".join(HEAD)
    assert "data_value,stored_by,string,,,restricted,The user who wrote the value." in rows
    assert "| stored_by | string |  | restricted | The user who wrote the value. |" in markdown(catalog.entries())


def test_dcat_names_every_asset_once(catalog: Catalog) -> None:
    told = dcat(catalog.entries(), "supply", "https://data.example.org/")
    ids = [one["@id"] for one in told["dcat:dataset"]]
    assert len(ids) == len(set(ids)) == len(catalog.entries())
    assert all(one["dct:title"] and one["dct:description"] for one in told["dcat:dataset"])


def test_a_foreign_client_takes_the_data_package(catalog: Catalog) -> None:
    frictionless = pytest.importorskip("frictionless", reason="the judge frictionless is not installed")
    descriptor = data_package(catalog.entries(), "supply")
    assert list(frictionless.Package.metadata_validate(descriptor)) == []


def test_a_package_of_nothing_is_refused() -> None:
    with pytest.raises(WrongDefinition, match="No table with known columns"):
        data_package([], "x")


def said(told: Told, *words: str) -> str:
    result = CliRunner().invoke(cli, ["catalog", *words, "-f", str(told.factory.root)])
    assert result.exception is None, result.exception
    return result.stdout


def test_the_commands_show_and_write(told: Told, tmp_path: Path) -> None:
    assert "fact_stock_month" in said(told, "list")
    assert "land_file: Gate" in said(told, "show", "facility")
    assert json.loads(said(told, "search", "vendor", "--json"))[0]["name"] == "dim_vendor"
    for name in ("d.md", "d.csv", "d.xlsx"):
        said(told, "dictionary", "--to", str(tmp_path / name))
        assert (tmp_path / name).stat().st_size > 500
    said(told, "export", "dcat", "--to", str(tmp_path / "c.jsonld"))
    assert json.loads((tmp_path / "c.jsonld").read_text())["@type"] == "dcat:Catalog"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("dictionary", "--to", "x.pdf"), "none of .md, .csv, .xlsx"),
        (("export", "rdf"), "There is no form 'rdf'"),
        (("show", "nothing"), "The catalog has no 'nothing'"),
    ],
)
def test_wrong_words_are_refused(told: Told, words: tuple[str, ...], message: str) -> None:
    result = CliRunner().invoke(cli, ["catalog", *words, "-f", str(told.factory.root)])
    assert message in str(result.exception)
