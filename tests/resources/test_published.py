"""A factory goes from its folder into a server's store and comes out as the same definitions."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from manara.blueprints.make import make_factory
from manara.resources.factory import read_factory
from manara.resources.published import (
    FACTORIES,
    Snapshots,
    changed_since,
    factory_id,
    factory_of,
    folder_of,
    publish,
)
from manara.store.documents import Documents
from manara.store.journal import Journal
from manara.store.seal import Seal

NORTH = factory_id("North")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "store.sqlite", Seal(tmp_path / "seal.key"))
    yield opened
    opened.close()


@pytest.fixture
def documents(journal: Journal, tmp_path: Path) -> Documents:
    return Documents(journal, Seal(tmp_path / "seal.key"))


def test_what_is_published_comes_out_as_it_went_in(documents: Documents, tmp_path: Path) -> None:
    make_factory(tmp_path / "f", "supply")
    folder = read_factory(tmp_path / "f")
    publish(folder, documents, factory_id(folder.name))
    found = factory_of(documents.below(factory_id(folder.name)), tmp_path / "f", tmp_path)
    for kind in ("pipeline", "dataset", "linkedService"):
        assert found.names(kind) == folder.names(kind)
        assert [found.definitions[kind, name].data for name in found.names(kind)] == [
            folder.definitions[kind, name].data for name in folder.names(kind)
        ]
    assert (found.global_parameters, found.texts) == (folder.global_parameters, folder.texts)
    assert found.stand_ins.keys() == folder.stand_ins.keys()


def test_publishing_again_changes_only_what_has_changed(documents: Documents, tmp_path: Path) -> None:
    make_factory(tmp_path / "f", "start")
    publish(read_factory(tmp_path / "f"), documents, NORTH)
    assert publish(read_factory(tmp_path / "f"), documents, NORTH) == {"made": [], "changed": [], "removed": []}
    path = tmp_path / "f" / "pipeline" / "load_csv.json"
    path.rename(path.with_name("other.json"))
    path.with_name("other.json").write_text(
        path.with_name("other.json").read_text().replace('"load_csv"', '"other"', 1)
    )
    told = publish(read_factory(tmp_path / "f"), documents, NORTH)
    assert told == {"made": [f"{NORTH}/pipelines/other"], "changed": [], "removed": [f"{NORTH}/pipelines/load_csv"]}


def test_a_change_over_the_api_is_noticed(documents: Documents, tmp_path: Path) -> None:
    make_factory(tmp_path / "f", "start")
    assert not changed_since(documents, NORTH)
    publish(read_factory(tmp_path / "f"), documents, NORTH)
    assert not changed_since(documents, NORTH)
    documents.put(f"{NORTH}/pipelines/new", f"{FACTORIES}/pipelines", NORTH, {"properties": {}})
    assert changed_since(documents, NORTH)


def test_a_snapshot_is_made_anew_only_where_something_has_changed(
    documents: Documents, journal: Journal, tmp_path: Path
) -> None:
    make_factory(tmp_path / "f", "start")
    publish(read_factory(tmp_path / "f"), documents, NORTH)
    snapshots = Snapshots(folder=lambda _: tmp_path / "f", shared=tmp_path)
    first = snapshots.of(NORTH, documents, journal)
    assert snapshots.of(NORTH.upper(), documents, journal)[0] is first[0]
    stand_in = {"name": "Lake", "properties": {"type": "FileServer", "typeProperties": {"host": "data"}}}
    (tmp_path / "f" / "local" / "linkedService").mkdir(parents=True)
    (tmp_path / "f" / "local" / "linkedService" / "Lake.json").write_text(json.dumps(stand_in))
    again = snapshots.of(NORTH, documents, journal)
    assert (list(again[0].stand_ins), again[1] == first[1]) == (["Lake"], False)


def test_global_parameters_of_their_own_join_those_of_the_factory(documents: Documents, tmp_path: Path) -> None:
    documents.put(NORTH, FACTORIES, "", {"properties": {"globalParameters": {"a": {"type": "Int", "value": 1}}}})
    more = {"properties": {"b": {"type": "Int", "value": 2}}}
    documents.put(f"{NORTH}/globalParameters/default", f"{FACTORIES}/globalparameters", NORTH, more)
    assert factory_of(documents.below(NORTH), tmp_path, tmp_path).global_parameters == {"a": 1, "b": 2}


def test_a_definition_that_cannot_be_read_is_a_fault_and_not_an_error(documents: Documents, tmp_path: Path) -> None:
    documents.put(NORTH, FACTORIES, "", {"properties": {}})
    documents.put(f"{NORTH}/pipelines/p", f"{FACTORIES}/pipelines", NORTH, {"properties": {"activities": [{}]}})
    found = factory_of(documents.below(NORTH), tmp_path, tmp_path)
    assert {fault.file for fault in found.faults} == {"pipeline/p.json"}


def test_each_factory_of_a_home_has_a_folder_of_its_own() -> None:
    folders = {
        folder_of(Path("h"), factory_id(*names)) for names in (("a", "s", "g"), ("a", "s", "h"), ("b", "s", "g"))
    }
    assert len(folders) == 3
