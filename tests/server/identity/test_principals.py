import json
from pathlib import Path

import pytest

from manara.errors import Conflict, NotAllowed, WrongDefinition
from manara.secret import Secret
from manara.server.identity.principals import create, delete, knows, local_owner, may_listen
from manara.server.identity.rbac import OWNER, decide
from manara.server.identity.roles import assign, read_rights
from manara.store.documents import Documents
from manara.store.journal import Journal
from manara.store.principals import Principal, list_principals, principal_of_app


def test_a_secret_is_shown_once_and_kept_as_a_hash(journal: Journal) -> None:
    made = create(journal, "nightly")
    assert made.secret is not None
    (kept,) = made.principal.secrets
    assert made.secret.open() not in kept.hash
    assert knows(made.principal, made.secret.open()) == ""
    assert knows(made.principal, "other") == knows(None, "other") == "wrong"


@pytest.mark.parametrize("name", ["", " x", "a\0b", "a\nb", "x" * 121, "\u2028", "\ud800"])
def test_a_name_that_is_none_is_refused(journal: Journal, name: str) -> None:
    with pytest.raises(WrongDefinition, match="is no name"):
        create(journal, name)


@pytest.mark.parametrize("name", ["Büro Süd", "مكتب الجنوب", "o'brien", "ann@example.org", "e\u0301quipe"])
def test_a_name_may_be_of_any_language(journal: Journal, name: str) -> None:
    create(journal, name)
    with pytest.raises(Conflict):
        create(journal, name)


def test_a_short_password_is_refused_without_showing_it(journal: Journal) -> None:
    with pytest.raises(WrongDefinition) as caught:
        create(journal, "ann", kind="User", secret=Secret("hunter2"))
    assert "hunter2" not in str(caught.value)


def test_who_is_deleted_leaves_no_rights(journal: Journal, documents: Documents) -> None:
    ann = create(journal, "ann").principal
    assign(documents, ann.object_id, ann.kind, OWNER.id, "/")
    delete(journal, documents, "ANN")
    assert list_principals(journal) == []
    assert read_rights(documents).assignments == ()


def test_a_laptop_has_one_owner_who_may_do_everything(tmp_path: Path, journal: Journal, documents: Documents) -> None:
    told = local_owner(tmp_path, journal, documents)
    assert told is not None
    assert local_owner(tmp_path, journal, documents) == told
    assert (tmp_path / "owner.json").stat().st_mode & 0o777 == 0o600
    assert knows(principal_of_app(journal, told["clientId"]), told["clientSecret"]) == ""
    rights = read_rights(documents)
    assert decide([told["objectId"]], "x/write", "/any", rights.assignments, rights.roles).allowed
    assert len(list_principals(journal)) == 1


def test_the_owner_is_not_made_beside_others(tmp_path: Path, journal: Journal, documents: Documents) -> None:
    create(journal, "nightly")
    assert local_owner(tmp_path, journal, documents) is None
    assert not (tmp_path / "owner.json").exists()


def test_an_owner_who_was_deleted_does_not_come_back(tmp_path: Path, journal: Journal, documents: Documents) -> None:
    local_owner(tmp_path, journal, documents)
    create(journal, "nightly")
    delete(journal, documents, "local owner")
    assert local_owner(tmp_path, journal, documents) is None


def test_the_owner_is_known_to_a_new_store_of_the_same_home(
    tmp_path: Path, journal: Journal, documents: Documents
) -> None:
    given = {"clientId": "c", "clientSecret": "s" * 20, "objectId": "o"}
    (tmp_path / "owner.json").write_text(json.dumps(given))
    assert local_owner(tmp_path, journal, documents) == given


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"clientId": 1, "clientSecret": "", "objectId": "x"}', "\0"])
def test_a_damaged_file_of_the_owner_is_named(
    tmp_path: Path, journal: Journal, documents: Documents, text: str
) -> None:
    (tmp_path / "owner.json").write_text(text)
    with pytest.raises(WrongDefinition, match=r"owner\.json"):
        local_owner(tmp_path, journal, documents)


LOCAL = Principal(name="local owner", app_id="own")
NIGHTLY = Principal(name="nightly")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_this_machine_is_always_listened_to(host: str) -> None:
    may_listen(host, [LOCAL], "own")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])  # noqa: S104
def test_others_are_listened_to_only_once_somebody_has_an_identity(host: str) -> None:
    with pytest.raises(NotAllowed, match="manara identity create"):
        may_listen(host, [LOCAL], "own")
    with pytest.raises(NotAllowed):
        may_listen(host, [LOCAL, Principal(name="off", disabled=True)], "own")
    may_listen(host, [LOCAL, NIGHTLY], "own")
