"""SQL Server, Oracle and Snowflake as far as they can be seen without their servers: definitions, tokens, errors."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.web_server import Reply, serving

from manara.connectors.databases.connection_string import settings
from manara.connectors.databases.dbapi_dialects import columns_of, mark_table
from manara.errors import BadRows, Conflict, ManaraError, NotAllowed, NotFound, Transient, WrongDefinition
from manara.plugin.connection import CONNECTORS, Database, LinkedServiceGiven
from manara.secret import Secret

mssql_python = pytest.importorskip("mssql_python", reason="mssql-python, or a library it needs, is not installed")
pytest.importorskip("oracledb", reason="oracledb is not installed")
pytest.importorskip("snowflake.connector", reason="snowflake-connector-python is not installed")

from manara.connectors.databases import snowflake, sql_server  # noqa: E402

SQL = {"server": "s", "database": "d", "userName": "u", "password": "p"}


def given(kind: str, properties: dict[str, Any], root: Path = Path()) -> LinkedServiceGiven:
    return LinkedServiceGiven(
        name="Far", type=kind, properties=properties, root=root, identity=lambda resource: Secret(f"for {resource}")
    )


def opened(kind: str, properties: dict[str, Any]) -> Any:
    return CONNECTORS.find(kind)(given(kind, properties))


STRINGS = {
    "a user and a password": (SQL, "Server={s};Database={d};UID={u};PWD={p};"),
    "the old string": (
        {"connectionString": "Data Source=tcp:s,1433;Initial Catalog=d;User ID=u;Password='p;x';Encrypt=True"},
        "Server={tcp:s,1433};Database={d};UID={u};PWD={p;x};Encrypt={yes};",
    ),
    "a password beside the string": (
        {"connectionString": "Server=s;Database=d;User ID=u", "password": {"type": "SecureString", "value": "p"}},
        "Server={s};Database={d};UID={u};PWD={p};",
    ),
    "what would break out": ({**SQL, "password": "p};Server=x"}, "Server={s};Database={d};UID={u};PWD={p}};Server=x};"),
    "Windows": (
        {"connectionString": "Server=s;Database=d;Integrated Security=True"},
        "Server={s};Database={d};Trusted_Connection={yes};",
    ),
    "the new words": (
        {**SQL, "encrypt": "mandatory", "trustServerCertificate": True, "authenticationType": "SQL"},
        "Server={s};Database={d};UID={u};PWD={p};Encrypt={yes};TrustServerCertificate={yes};",
    ),
}


@pytest.mark.parametrize(("properties", "text"), STRINGS.values(), ids=STRINGS)
def test_sql_server_is_named_in_its_own_words(properties: dict[str, Any], text: str) -> None:
    asked = given("AzureSqlDatabase", properties)
    told = settings(asked, sql_server._ALIASES)
    assert sql_server.driver_string(told, asked) == text


def token_of(properties: dict[str, Any]) -> Callable[[], Secret] | None:
    asked = given("AzureSqlDatabase", {"server": "s", "database": "d", **properties})
    return sql_server._token(settings(asked, sql_server._ALIASES), asked)


def test_sql_server_takes_the_token_of_the_managed_identity() -> None:
    found = token_of({"authenticationType": "SystemAssignedManagedIdentity"})
    assert found is not None
    assert found().open() == "for https://database.windows.net/"


def test_sql_server_takes_the_token_of_a_service_principal() -> None:
    with serving(Reply(json={"access_token": "abc", "expires_in": 3600})) as server:
        found = token_of(
            {"servicePrincipalId": "me", "servicePrincipalKey": "k", "tenant": "t", "azureCloudType": server.url}
        )
        assert found is not None
        assert found().open() == "abc"
    assert server.asked[0].path == "/t/oauth2/v2.0/token"
    assert b"scope=https%3A%2F%2Fdatabase.windows.net%2F.default" in server.asked[0].body


STATES = {
    "42S02": NotFound,
    "42S01": Conflict,
    "42000": WrongDefinition,
    "22001": BadRows,
    "23000": BadRows,
    "28000": NotAllowed,
    "08001": Transient,
    "40001": Transient,
}


@pytest.mark.parametrize(("state", "error"), STATES.items(), ids=STATES)
def test_what_sql_server_says_is_told_by_what_to_do(state: str, error: type[ManaraError]) -> None:
    raised = mssql_python.exceptions.sqlstate_to_exception(state, "[Microsoft][SQL Server]It is so.")
    told = sql_server._ERRORS.translate(raised, "select 1")
    assert type(told) is error
    assert told.message == "SQL Server says: It is so. In: select 1"


def test_a_key_that_is_there_twice_is_a_conflict() -> None:
    raised = mssql_python.exceptions.sqlstate_to_exception("23000", "Cannot insert duplicate key row in object 'a'.")
    assert type(sql_server._ERRORS.translate(raised)) is Conflict


UNREACHED = {
    "SqlServer": {"connectionString": "Server=127.0.0.1,1;Database=d;User ID=u;Password=hidden;Connection Timeout=1"},
    "Oracle": {"connectionString": "Host=127.0.0.1;Port=1;ServiceName=x;User Id=u;Password=hidden"},
}


@pytest.mark.parametrize(("kind", "properties"), UNREACHED.items(), ids=UNREACHED)
def test_a_server_that_is_not_there_is_told_with_what_can_stand_in(kind: str, properties: dict[str, Any]) -> None:
    database = opened(kind, properties)
    assert isinstance(database, Database)
    with pytest.raises(Transient, match=r"local/linkedService/Far\.json") as caught:
        database.query("select 1")
    assert "hidden" not in str(caught.value)


def key(passphrase: bytes = b"") -> str:
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    way: Any = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return made.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, way).decode()


def test_snowflake_is_opened_by_a_key_with_a_passphrase() -> None:
    told = {"accountIdentifier": "a", "user": "u", "privateKey": key(b"x"), "privateKeyPassphrase": "x"}
    way = opened("SnowflakeV2", told).driver.open.keywords
    assert (way["account"], way["user"]) == ("a", "u")
    assert serialization.load_der_private_key(way["private_key"], None)


def test_snowflake_knows_the_older_address() -> None:
    address = "jdbc:snowflake://a.snowflakecomputing.com/?user=u&db=d&warehouse=w&password=p%40"
    told = snowflake._told(given("Snowflake", {"connectionString": address}))
    assert told == {
        "account": "a.snowflakecomputing.com", "username": "u", "database": "d", "warehouse": "w", "password": "p@"
    }  # fmt: skip


WRONG = {
    "SQL Server without server": ("SqlServer", {"database": "d"}, "needs its server"),
    "SQL without password": ("SqlServer", {"server": "s", "userName": "u"}, "needs its password"),
    "half a principal": ("AzureSqlDatabase", {"server": "s", "servicePrincipalId": "i"}, "needs its tenant"),
    "an unknown cloud": (
        "AzureSqlDatabase",
        {"server": "s", "servicePrincipalId": "i", "servicePrincipalKey": "k", "tenant": "t", "azureCloudType": "Mars"},
        "a cloud that is known",
    ),
    "Oracle without user": ("Oracle", {"server": "h:1521/x"}, "needs its username"),
    "Snowflake without account": ("SnowflakeV2", {"user": "u", "password": "p"}, "needs its account"),
    "no JDBC address": ("Snowflake", {"connectionString": "Server=x"}, "no JDBC address"),
    "a key that is none": (
        "SnowflakeV2",
        {"accountIdentifier": "a", "user": "u", "privateKey": "secret-key"},
        "private key cannot be read",
    ),
}


@pytest.mark.parametrize(("kind", "properties", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_definition_is_told(kind: str, properties: dict[str, Any], message: str) -> None:
    with pytest.raises(WrongDefinition, match=message) as caught:
        opened(kind, properties)
    assert "secret-key" not in str(caught.value)


@pytest.mark.parametrize("dialect", ["mysql", "oracle", "postgres", "snowflake", "sqlite", "tsql"])
def test_our_own_statements_are_of_the_dialect(dialect: str) -> None:
    columns = columns_of(dialect)
    assert isinstance(columns, str)
    for text in (mark_table(dialect).removeprefix("if object_id('manara_mark') is null "), columns):
        assert sqlglot.parse_one(text.replace("$", ":"), dialect=dialect)
