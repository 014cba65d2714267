from dataclasses import replace
from datetime import timedelta

import pytest

from manara import clock
from manara.errors import Conflict, NotFound
from manara.store.journal import Journal
from manara.store.principals import (
    KeptSecret,
    Principal,
    add_principal,
    change_principal,
    find_principal,
    list_principals,
    principal_named,
    principal_of_app,
    principal_of_object,
    remove_principal,
)


def test_a_principal_comes_back_as_it_was_kept(journal: Journal) -> None:
    later = clock.now() + timedelta(days=1)
    secret = KeptSecret(id="1", hash="scrypt$x", label="first", expires=later)
    kept = Principal(name="Nightly", secrets=(secret,), keys=("PEM",))
    add_principal(journal, kept)
    assert principal_of_app(journal, kept.app_id.upper()) == kept
    assert principal_of_object(journal, kept.object_id) == kept
    assert principal_named(journal, "NIGHTLY") == kept


def test_a_name_is_taken_once_in_whatever_case(journal: Journal) -> None:
    add_principal(journal, Principal(name="Nightly"))
    with pytest.raises(Conflict, match="'nightly' already"):
        add_principal(journal, Principal(name="nightly"))


def test_a_principal_is_changed_and_removed(journal: Journal) -> None:
    kept = Principal(name="Nightly")
    add_principal(journal, kept)
    change_principal(journal, replace(kept, disabled=True))
    assert principal_named(journal, "nightly") == replace(kept, disabled=True)
    assert remove_principal(journal, kept.object_id)
    assert not remove_principal(journal, kept.object_id)
    with pytest.raises(NotFound):
        change_principal(journal, kept)


def test_one_who_is_not_there_is_answered_with_those_who_are(journal: Journal) -> None:
    for name in ("Weekly", "nightly"):
        add_principal(journal, Principal(name=name))
    assert [each.name for each in list_principals(journal)] == ["nightly", "Weekly"]
    with pytest.raises(NotFound, match="Known are: nightly, Weekly"):
        find_principal(journal, "hourly")
    assert find_principal(journal, "weekly").name == "Weekly"
