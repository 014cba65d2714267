"""Secrets of a Key Vault come from the environment or from `.env`, reach who needs them, and are seen by nobody."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from tests.factories import Json, act, factory_of, pipeline, write

from manara.app import Factory
from manara.errors import WrongDefinition
from manara.plugin.activity import Given, Output, activity
from manara.plugin.connection import Connection, Endpoint, LinkedServiceGiven, connector
from manara.runtime.bind import Binder
from manara.runtime.vault import Vault
from manara.secret import read_env, read_secret, secret_names

VAULT = {"referenceName": "Vault", "type": "LinkedServiceReference"}
KEY = {"type": "AzureKeyVaultSecret", "store": VAULT, "secretName": "dhis2-password"}
SEEN: list[str] = []


@connector("TestLocked")
def locked(given: LinkedServiceGiven) -> Connection:
    """Open what needs a password."""
    SEEN.append(read_secret(given.properties["password"], given.name).open())
    return Endpoint(url="https://x", headers={})


@activity("TestUnlock")
def unlock(given: Given) -> Output:
    """Open a linked service, and read a secret of its own."""
    given.connect({"referenceName": "Locked"})
    SEEN.append(read_secret(given.properties["auth"]["password"], given.name).open())
    given.report({"rowsRead": 1})
    return {}


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    SEEN.clear()


def made(root: Path) -> Factory:
    write(root, "linkedService", "Vault", {"type": "AzureKeyVault", "typeProperties": {"baseUrl": "https://v"}})
    write(root, "linkedService", "Locked", {"type": "TestLocked", "typeProperties": {"password": KEY}})
    return factory_of(root, main=pipeline(act("Unlock", "TestUnlock", auth={"password": KEY})))


def test_a_secret_reaches_who_needs_it_and_is_written_down_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANARA_SECRET_DHIS2_PASSWORD", "open-sesame")
    run = made(tmp_path).run("main")
    assert (run.status, SEEN) == ("Succeeded", ["open-sesame"] * 2)
    assert run.activities["Unlock"].input["auth"]["password"] == KEY
    with sqlite3.connect(tmp_path / "data" / "journal.sqlite") as connection:
        written = "\n".join(connection.iterdump())
    assert "dhis2-password" in written
    assert "open-sesame" not in written


def test_a_secret_that_is_nowhere_says_where_it_was_looked_for(tmp_path: Path) -> None:
    message = made(tmp_path).run("main").message
    for told in ("'dhis2-password'", "MANARA_SECRET_VAULT__DHIS2_PASSWORD", "MANARA_SECRET_DHIS2_PASSWORD", ".env"):
        assert told in message


def found(environment: dict[str, str], file: str | None, root: Path) -> Any:
    if file is not None:
        (root / ".env").write_text(file, encoding="utf-8")
    return Vault(root=root, environment=environment).open({"a": [KEY]})["a"][0]["value"]


@pytest.mark.parametrize(
    ("environment", "file", "value"),
    [
        ({"MANARA_SECRET_DHIS2_PASSWORD": "a"}, None, "a"),
        ({"MANARA_SECRET_DHIS2_PASSWORD": "a", "MANARA_SECRET_VAULT__DHIS2_PASSWORD": "b"}, None, "b"),
        ({"MANARA_SECRET_DHIS2_PASSWORD": "a"}, "MANARA_SECRET_DHIS2_PASSWORD=file", "a"),
        ({}, "# mine\n\nMANARA_SECRET_DHIS2_PASSWORD=file\n", "file"),
        ({}, "\ufeffexport MANARA_SECRET_DHIS2_PASSWORD = ' a#b=c '\r\n", " a#b=c "),
        ({}, 'MANARA_SECRET_DHIS2_PASSWORD="$HOME"', "$HOME"),
        ({"MANARA_SECRET_DHIS2_PASSWORD": ""}, None, ""),
    ],
    ids=["environment", "of one vault", "environment first", "file", "quotes", "nothing replaced", "empty"],
)
def test_the_environment_comes_before_the_file(
    tmp_path: Path, environment: dict[str, str], file: str | None, value: str
) -> None:
    assert found(environment, file, tmp_path) == value


def test_a_broken_line_is_named_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\nopen sesame\n", encoding="utf-8")
    with pytest.raises(WrongDefinition, match="line 2") as told:
        read_env(tmp_path / ".env")
    assert "sesame" not in str(told.value)


def test_a_reference_without_a_name_is_told(tmp_path: Path) -> None:
    with pytest.raises(WrongDefinition, match="secretName"):
        Vault(root=tmp_path).open({"type": "AzureKeyVaultSecret", "store": VAULT})


def test_the_name_of_a_secret_is_one_that_a_shell_can_set() -> None:
    assert secret_names("db.pass-word é", "My Vault") == [
        "MANARA_SECRET_MY_VAULT__DB_PASS_WORD__",
        "MANARA_SECRET_DB_PASS_WORD__",
    ]


@pytest.mark.parametrize(
    "reference", [{}, {"referenceName": None}, {"referenceName": 3}, {"referenceName": ""}, [], "x"]
)
@pytest.mark.parametrize("kind", ["dataset", "connect"])
def test_a_reference_that_names_nothing_is_a_wrong_definition(tmp_path: Path, reference: Any, kind: str) -> None:
    binder = Binder(factory=made(tmp_path).definitions, batch_rows=10)
    with pytest.raises(WrongDefinition, match="names none"):
        getattr(binder, kind)(reference)


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        ("AzureBlobStorage", 'Write a stand-in {"type": "FileServer"'),
        ("AzureSqlDatabase", 'Write a stand-in {"type": "DuckDB"'),
        ("TestLocked", "with a credential of your own into local/linkedService/Closed.json"),
    ],
)
def test_a_credential_of_azure_is_answered_with_the_stand_in_to_write(tmp_path: Path, kind: str, advice: str) -> None:
    told: Json = {"type": kind, "typeProperties": {"connectionString": "x", "encryptedCredential": "abc"}}
    write(tmp_path, "linkedService", "Closed", told)
    binder = Binder(factory=made(tmp_path).definitions, batch_rows=10)
    with pytest.raises(WrongDefinition, match="read by Azure only") as error:
        binder.connect({"referenceName": "Closed"})
    assert advice in str(error.value)
    assert "local/linkedService/Closed.json" in str(error.value)
    write(tmp_path, "local/linkedService", "Closed", {"type": "FileServer", "typeProperties": {"host": "."}})
    Binder(factory=made(tmp_path).definitions, batch_rows=10).connect({"referenceName": "Closed"})


def test_a_definition_is_described_with_its_parameters_and_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANARA_SECRET_DHIS2_PASSWORD", "open-sesame")
    told = Binder(factory=made(tmp_path).definitions, batch_rows=1).describe(
        "linkedService", {"referenceName": "Locked"}
    )
    assert json.dumps(told["properties"]["typeProperties"]["password"]["value"]) == '"open-sesame"'
