"""The linked services Snowflake and SnowflakeV2, by Snowflake's own driver."""

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pyarrow as pa
import snowflake.connector
from cryptography.hazmat.primitives import serialization
from snowflake.connector import constants

from manara.connectors.databases.connection_string import needed, settings
from manara.connectors.databases.dbapi import DbApiDatabase, Driver
from manara.connectors.databases.dbapi_dialects import columns_of, mark_table
from manara.connectors.databases.dbapi_errors import (
    LATER,
    MISSING,
    RIGHTS,
    ROWS,
    SQLSTATES,
    THERE,
    VALUE,
    WRONG,
    Errors,
    Kind,
)
from manara.connectors.databases.dbapi_rows import Types, decimal_type
from manara.errors import WrongDefinition
from manara.plugin.connection import LinkedServiceGiven, connector
from manara.resources.azure import stand_in_for
from manara.secret import read_secret

_LOGIN_S = 30
_EXAMPLE = "jdbc:snowflake://account.snowflakecomputing.com/?user=reader&db=health&warehouse=small&password=..."
_ALIASES = {
    "account": ("accountidentifier",),
    "username": ("user",),
    "database": ("db",),
    "way": ("authenticationtype",),
    "passphrase": ("privatekeypassphrase",),
}


@connector("Snowflake", "SnowflakeV2", can={"read", "write", "upsert", "query", "procedure"})
def snowflake_database(given: LinkedServiceGiven) -> DbApiDatabase:
    """Return the database that `accountIdentifier`, `database`, `warehouse`, `user` and `role` name.

    They may stand in the older JDBC address in `connectionString` too.
    `authenticationType` is Basic (`password`) or KeyPair (`privateKey`, a PEM text, and `privateKeyPassphrase`); where
    it is not told, by what there is.

    Tried with its driver against an emulator, not against Snowflake itself.
    """
    told = _told(given)
    account = needed(told, "account", given, _EXAMPLE)
    opened = {
        "account": account.removesuffix(".snowflakecomputing.com"),
        "user": needed(told, "username", given, _EXAMPLE),
        "database": told.get("database"),
        "schema": told.get("schema"),
        "warehouse": told.get("warehouse"),
        "role": told.get("role"),
        "host": told.get("host"),
        "port": int(told["port"]) if told.get("port") else None,
        "protocol": told.get("protocol"),
        **_credential(told, given),
    }
    return DbApiDatabase(
        driver=Driver(
            dialect="snowflake",
            open=partial(_connect, **{name: value for name, value in opened.items() if value}),
            errors=_ERRORS,
            stand_in=stand_in_for(given.type, given.name),
            style="qmark",
            create_mark=mark_table("snowflake"),
            columns=columns_of("snowflake"),
            types=_types,
            changed=_changed,
        )
    )


def _told(given: LinkedServiceGiven) -> dict[str, str]:
    """Return the settings: the JDBC address is an address with a query, not a connection string."""
    own = {name: value for name, value in given.properties.items() if name != "connectionString"}
    rest = LinkedServiceGiven(name=given.name, type=given.type, properties=own, root=given.root)
    told = settings(rest, _ALIASES)
    if not given.properties.get("connectionString"):
        return told
    where = f"linked service '{given.name}': connectionString"
    text = read_secret(given.properties["connectionString"], where).open()
    address = urlsplit(text.removeprefix("jdbc:"))
    if address.scheme != "snowflake" or not address.hostname:
        raise WrongDefinition("It is no JDBC address of Snowflake.", where=where, advice=f"Write {_EXAMPLE}.")
    spelt = {alias: name for name, others in _ALIASES.items() for alias in others}
    asked = {spelt.get(name.lower(), name.lower()): value for name, value in parse_qsl(address.query)}
    return {"account": address.hostname, **asked, **told}


def _credential(told: Mapping[str, str], given: LinkedServiceGiven) -> dict[str, Any]:
    if told.get("way", "").lower() == "keypair" or (told.get("privatekey") and not told.get("password")):
        key = needed(told, "privatekey", given, _EXAMPLE)
        return {"private_key": _key(key, told.get("passphrase", ""), given)}
    return {"password": needed(told, "password", given, _EXAMPLE)}


def _key(text: str, passphrase: str, given: LinkedServiceGiven) -> bytes:
    """Return the private key as the driver takes it (PKCS 8 in DER)."""
    try:
        key = serialization.load_pem_private_key(text.replace("\\n", "\n").encode(), passphrase.encode() or None)
    except (ValueError, TypeError):
        raise WrongDefinition(
            "The private key cannot be read with its passphrase.",
            where=f"linked service '{given.name}': privateKey",
            advice="Give a PEM text, and privateKeyPassphrase when it is encrypted.",
        ) from None
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _connect(**told: Any) -> Any:
    return snowflake.connector.connect(
        paramstyle="qmark",
        autocommit=False,
        login_timeout=_LOGIN_S,
        session_parameters={"TIMEZONE": "UTC"},
        enable_server_session_keep_alive_auto_detection=False,
        **told,
    )


def _changed(cursor: Any) -> int:
    """Return how many rows were changed: Snowflake answers so with rows, in columns of their own ("number of ...")."""
    told = [str(column[0]).lower() for column in cursor.description or ()]
    return int(cursor.rowcount or 0) if all(name.startswith("number of ") for name in told) else 0


def _types(cursor: Any) -> Types:
    return [_type(column) for column in cursor.description]


_NAMES: dict[int, str] = getattr(constants, "FIELD_ID_TO_NAME", {})


def _type(column: Any) -> pa.DataType | None:
    name = _NAMES.get(column[1], "")
    if name == "FIXED":
        return pa.int64() if not column[5] and (column[4] or 99) <= 18 else decimal_type(column[4], column[5])
    return _TYPES.get(name)


_TYPES: dict[str, pa.DataType] = {
    "REAL": pa.float64(),
    "TEXT": pa.string(),
    "VARIANT": pa.string(),
    "OBJECT": pa.string(),
    "ARRAY": pa.string(),
    "DATE": pa.date32(),
    "TIME": pa.time64("us"),
    "TIMESTAMP": pa.timestamp("us"),
    "TIMESTAMP_NTZ": pa.timestamp("us"),
    "TIMESTAMP_LTZ": pa.timestamp("us", "UTC"),
    "TIMESTAMP_TZ": pa.timestamp("us", "UTC"),
    "BINARY": pa.binary(),
    "BOOLEAN": pa.bool_(),
}


def _signs(error: Exception) -> list[str]:
    number, state = getattr(error, "errno", None), getattr(error, "sqlstate", None)
    return [f"number {number:06d}" if isinstance(number, int) else "", str(state or "")]


def _numbers(kind: Kind, *numbers: int) -> dict[str, Kind]:
    """Return the signs of Snowflake's own numbers, which are not to be taken for SQLSTATEs that begin like them."""
    return {f"number {number:06d}": kind for number in numbers}


_ERRORS = Errors(
    base=(snowflake.connector.Error,),
    signs=_signs,
    text=lambda error: str(getattr(error, "raw_msg", None) or getattr(error, "msg", None) or error),
    kinds={
        **SQLSTATES,
        **_numbers(MISSING, 2003, 2043),
        **_numbers(THERE, 2002),
        **_numbers(WRONG, 1003, 904, 2049),
        **_numbers(ROWS, 100072),
        **_numbers(VALUE, 100035, 100038, 100078, 100132),
        **_numbers(LATER, 250001, 250003, 250005),
        **_numbers(RIGHTS, 390100, 394508, 3001),
    },
    code="UserErrorSnowflakeOperationFailed",
    server="Snowflake",
)
