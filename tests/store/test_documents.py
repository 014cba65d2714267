"""Resources as documents: found by their ids in any spelling, changed only where they are as they were read, sealed."""

import sqlite3
from pathlib import Path

import psycopg
import pytest

from manara.errors import NotAllowed
from manara.store.documents import Changed, Documents
from manara.store.journal import Journal
from manara.store.seal import Seal

GROUP = "/subscriptions/s/resourceGroups/Relief"
FACTORY = f"{GROUP}/providers/Microsoft.DataFactory/factories/North"
FACTORIES = "microsoft.datafactory/factories"


@pytest.fixture
def documents(journal: Journal, tmp_path: Path) -> Documents:
    return Documents(journal, Seal(tmp_path / "seal.key"))


def test_a_document_is_found_by_any_spelling_of_its_id_and_keeps_its_own(documents: Documents) -> None:
    documents.put(FACTORY, FACTORIES, GROUP, {"location": "here"})
    found = documents.get(FACTORY.upper())
    assert found is not None
    assert (found.path, found.name, found.body) == (FACTORY, "North", {"location": "here"})


def test_a_change_keeps_when_it_was_made_and_gives_a_new_etag(documents: Documents) -> None:
    first = documents.put(FACTORY, FACTORIES, GROUP, {"n": 1})
    second = documents.put(FACTORY.lower(), FACTORIES, GROUP, {"n": 2})
    assert (second.created, second.path) == (first.created, FACTORY)
    assert second.etag != first.etag


@pytest.mark.parametrize(
    ("headers", "there", "fits"),
    [
        ({"if_match": "*"}, False, False),
        ({"if_match": "*"}, True, True),
        ({"if_match": '"{etag}"'}, True, True),
        ({"if_match": '"other", W/"{etag}"'}, True, True),
        ({"if_match": '"other"'}, True, False),
        ({"if_none_match": "*"}, True, False),
        ({"if_none_match": "*"}, False, True),
    ],
)
def test_a_change_is_made_only_where_the_etag_fits(
    documents: Documents, headers: dict[str, str], there: bool, fits: bool
) -> None:
    etag = documents.put(FACTORY, FACTORIES, GROUP, {}).etag if there else ""
    wanted = {name: value.replace("{etag}", etag) for name, value in headers.items()}
    if fits:
        documents.put(FACTORY, FACTORIES, GROUP, {"n": 2}, **wanted)
    else:
        with pytest.raises(Changed):
            documents.put(FACTORY, FACTORIES, GROUP, {"n": 2}, **wanted)


def test_what_lies_in_a_parent_comes_by_id_in_pages(documents: Documents) -> None:
    for name in ("c", "A", "b"):
        documents.put(f"{FACTORY}/pipelines/{name}", f"{FACTORIES}/pipelines", FACTORY, {})
    first = documents.inside(FACTORY, f"{FACTORIES}/pipelines", most=2)
    rest = documents.inside(FACTORY, f"{FACTORIES}/pipelines", after=first[-1].id)
    assert [[one.name for one in page] for page in (first, rest)] == [["A", "b"], ["c"]]


def test_what_is_deleted_goes_with_all_that_is_inside_it_and_nothing_beside_it(documents: Documents) -> None:
    for path in (GROUP, FACTORY, f"{FACTORY}/pipelines/p", f"{GROUP}2", f"{GROUP}-x"):
        documents.put(path, "any", "", {})
    assert documents.delete(GROUP) == 3
    assert [one.path for one in documents.of_type("any")] == [f"{GROUP}-x", f"{GROUP}2"]


def test_what_changes_inside_changes_the_tags(documents: Documents) -> None:
    documents.put(FACTORY, FACTORIES, GROUP, {})
    before = documents.tags_below(FACTORY)
    documents.put(f"{FACTORY}/pipelines/p", f"{FACTORIES}/pipelines", FACTORY, {})
    assert documents.tags_below(FACTORY) != before


def test_a_failed_transaction_leaves_nothing(documents: Documents) -> None:
    def put_and_fail() -> None:
        with documents.transaction():
            documents.put(GROUP, "any", "", {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        put_and_fail()
    assert documents.get(GROUP) is None


def test_the_store_does_not_show_a_secret(address: Path | str, tmp_path: Path) -> None:
    seal = Seal(tmp_path / "seal.key")
    journal = Journal(address, seal)
    Documents(journal, seal).put(FACTORY, FACTORIES, GROUP, {"password": "swordfish"})
    journal.write_command("p", {}, '{"password": "swordfish"}')
    bodies = str(journal.rows("document", id=FACTORY.lower())) + str(journal.rows("sealed_snapshots"))
    journal.close()
    assert "swordfish" not in bodies
    assert bodies.count("sealed:") == 2


def test_a_new_key_seals_everything_anew_and_the_old_one_may_go(address: Path | str, tmp_path: Path) -> None:
    seal = Seal(tmp_path / "seal.key")
    journal = Journal(address, seal)
    Documents(journal, seal).put(FACTORY, FACTORIES, GROUP, {"n": 1})
    digest = journal.keep_snapshot("definitions")
    journal.close()
    both = seal.add_key()
    journal = Journal(address, both)
    assert Documents(journal, both).reseal() == 2
    only = both.keep_first()
    journal.close()
    journal = Journal(address, only)
    found = Documents(journal, only).get(FACTORY)
    assert found is not None
    assert (found.body, journal.snapshot(digest)) == ({"n": 1}, "definitions")
    journal.close()


def test_without_its_key_a_document_is_told_to_be_sealed(journal: Journal, tmp_path: Path) -> None:
    Documents(journal, Seal(tmp_path / "one.key")).put(FACTORY, FACTORIES, GROUP, {})
    with pytest.raises(NotAllowed, match="which is not here"):
        Documents(journal, Seal(tmp_path / "other.key")).get(FACTORY)


def test_a_changed_text_is_noticed(address: Path | str, tmp_path: Path) -> None:
    seal = Seal(tmp_path / "seal.key")
    journal = Journal(address, seal)
    documents = Documents(journal, seal)
    documents.put(FACTORY, FACTORIES, GROUP, {})
    change = "update document set body = substr(body, 1, 20) || 'AAAA' || substr(body, 25)"
    if isinstance(address, Path):
        with sqlite3.connect(address) as connection:
            connection.execute(change)
    else:
        with psycopg.connect(address) as server:
            server.execute(change)
    with pytest.raises(NotAllowed, match="was changed"):
        documents.get(FACTORY)
    journal.close()
