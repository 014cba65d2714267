"""Identities and the audit log, as the keeper of a server meets them."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from manara.store.journal import Journal


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def manara(home: Path, *words: str, told: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "manara.cli", *words, "--home", str(home)]
    return subprocess.run(command, input=told, capture_output=True, text=True, check=False)


def answer(home: Path, *words: str, told: str = "") -> Any:
    ended = manara(home, *words, "--json", told=told)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_an_identity_is_made_given_a_role_and_forgotten(home: Path) -> None:
    made = answer(home, "identity", "create", "nightly", "--days", "30")
    assert len(made["secret"]) == 43
    answer(home, "identity", "assign", "nightly", "--role", "reader", "--scope", "/subscriptions/s1")
    shown = {each["name"]: each for each in answer(home, "identity", "list")}
    assert set(shown) == {"local owner", "nightly"}
    assert shown["nightly"]["roles"] == [{"role": "Reader", "scope": "/subscriptions/s1"}]
    assert made["secret"] not in json.dumps(shown)
    asked = ("identity", "may", "nightly", "x/read", "--scope", "/subscriptions/s1/resourceGroups/g")
    assert answer(home, *asked)["allowed"]
    answer(home, "identity", "unassign", "nightly", "--role", "Reader", "--scope", "/Subscriptions/S1/")
    assert manara(home, *asked).returncode == 1
    answer(home, "identity", "delete", "nightly")
    assert [each["name"] for each in answer(home, "identity", "list")] == ["local owner"]
    assert [each["action"].rpartition("/")[2] for each in answer(home, "audit", "list")] == [
        "create",
        "assign",
        "unassign",
        "delete",
    ]
    assert answer(home, "audit", "verify") == {"rows": 4, "whole": True, "firstBroken": None}


def test_a_password_from_the_input_is_not_shown(home: Path) -> None:
    made = manara(home, "identity", "create", "ann", "--user", "--password-stdin", told="correct horse battery\n")
    assert made.returncode == 0
    assert "battery" not in made.stdout + made.stderr
    short = manara(home, "identity", "reset-secret", "ann", "--password-stdin", told="hunter2\n")
    assert (short.returncode, "hunter2" in short.stderr) == (2, False)


def test_a_forged_row_is_named(home: Path) -> None:
    for name in ("a", "b", "c"):
        answer(home, "identity", "create", name)
    with sqlite3.connect(home / "journal.sqlite") as lite:
        lite.execute("drop trigger audit_is_never_changed")
        lite.execute("update audit set body = replace(body, 'create', 'delete') where seq = 2")
    lite.close()
    ended = manara(home, "audit", "verify")
    assert (ended.returncode, ended.stdout) == (
        1,
        "Row 2 is not as it was written, or is missing; the 1 before it are whole.\n",
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["identity", "assign", "nobody", "--role", "Reader", "--scope", "/"], "There is no principal 'nobody'"),
        (["identity", "assign", "local owner", "--role", "King", "--scope", "/"], "There is no role 'King'"),
        (["identity", "assign", "local owner", "--role", "Reader", "--scope", "s1"], "'s1' is no scope."),
        (["identity", "unassign", "local owner", "--role", "Reader", "--scope", "/"], "has no role 'Reader' at '/'"),
        (["identity", "create", "x", "--certificate", "none.pem"], "none.pem: The certificate cannot be read."),
        (["identity", "create", "a\nb"], "is no name"),
    ],
)
def test_wrong_use_is_told(home: Path, words: list[str], says: str) -> None:
    answer(home, "identity", "create", "first")
    ended = manara(home, *words)
    assert (ended.returncode, says in ended.stderr) == (2, True), ended.stderr


def test_a_folders_server_has_its_own_identities(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "manara.cli", "identity", "create", "x", "-f", str(tmp_path)]
    subprocess.run(command, capture_output=True, check=True)
    assert (tmp_path / "data" / "owner.json").exists()
    Journal(tmp_path / "data" / "journal.sqlite").close()
