"""The factories of the how-to pages on services run as they stand, against a service on this machine."""

import json
from pathlib import Path

import pytest
from tests.dhis2_server import PASSWORD, USER, Dhis2, dhis2_server
from tests.docs.test_examples import files_of
from tests.plugin_given import Place
from tests.web_server import Reply, serving

from manara.app import Factory


def put(root: Path, page: str, **replaced: str) -> Factory:
    """Write the files of a page, with its example addresses and names replaced by real ones."""
    for name, (body, _) in files_of(page).items():
        for old, new in {**replaced, "data/warehouse.duckdb": "warehouse.duckdb"}.items():
            body = body.replace(old, new)  # noqa: PLW2901
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(body, encoding="utf-8")
    return Factory.open(root)


def test_the_factory_of_the_page_on_rest_reads_all_pages(tmp_path: Path) -> None:
    pages = [{"data": [{"id": 1, "name": {"first": "a"}}], "next": "people?p=2"}, {"data": [{"id": 2, "name": {}}]}]
    with serving(*(Reply(json=page) for page in pages)) as server:
        factory = put(tmp_path, "read-a-rest-service.md", **{"https://example.org/api": server.url})
        assert factory.run("Load").status == "Succeeded"
    rows = Place(folder=tmp_path).query("select id, name from people order by id")
    assert rows == [{"id": 1, "name": "a"}, {"id": 2, "name": None}]


def test_the_factory_of_the_page_on_dhis2_loads_its_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANARA_SECRET_DHIS2_PASSWORD", PASSWORD)
    (tmp_path / "linkedService").mkdir()
    vault = {"name": "Vault", "properties": {"type": "AzureKeyVault", "typeProperties": {"baseUrl": "https://v"}}}
    (tmp_path / "linkedService" / "Vault.json").write_text(json.dumps(vault), encoding="utf-8")
    with dhis2_server(Dhis2(facilities=1)) as running:
        replaced = {"https://dhis2.example.org": running.url, '"reader"': f'"{USER}"'}
        replaced |= {"lyLU2wR22tC": running.data.data_set, "ImspTQPwCqd": running.data.root}
        factory = put(tmp_path, "load-from-dhis2.md", **replaced)
        run = factory.run("Load")
        assert run.status == "Succeeded", run.activities["Copy"].error
    assert Place(folder=tmp_path).query("select count(*) as n from data_value") == [{"n": 180}]
