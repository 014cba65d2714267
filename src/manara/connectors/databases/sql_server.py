"""The linked services SqlServer, AzureSqlDatabase, AzureSqlMI and AzureSqlDW, by Microsoft's own driver."""

import struct
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import mssql_python
from mssql_python.exceptions import ConnectionStringParseError, sqlstate_to_exception

from manara.connectors.databases.connection_string import needed, settings
from manara.connectors.databases.dbapi import DbApiDatabase, Driver
from manara.connectors.databases.dbapi_dialects import PYTHON_TYPES, columns_of, mark_table, types_by_python
from manara.connectors.databases.dbapi_errors import SQLSTATES, WORDS, Errors, words_in
from manara.connectors.stores.azure_signing import AUTHORITIES, service_principal
from manara.errors import WrongDefinition
from manara.plugin.connection import LinkedServiceGiven, connector
from manara.resources.azure import stand_in_for
from manara.secret import Secret

_RESOURCE = "https://database.windows.net/"
_ACCESS_TOKEN = 1256  # SQL_COPT_SS_ACCESS_TOKEN of Microsoft's ODBC driver
_CONNECT_S = 30
_MOST_VALUES = 2_000  # SQL Server binds 2,100 at most
_EXAMPLE = "Server=tcp:db.example.org,1433;Database=health;User ID=reader;Password=..."
_ALIASES = {
    "server": ("datasource", "address", "addr", "networkaddress"),
    "database": ("initialcatalog",),
    "username": ("userid", "uid", "user"),
    "password": ("pwd",),
    "integratedsecurity": ("trustedconnection",),
    "timeout": ("connectiontimeout", "connecttimeout"),
    "authentication": ("authenticationtype",),
    "clientid": ("serviceprincipalid",),
    "clientsecret": ("serviceprincipalkey", "serviceprincipalcredential"),
    "authority": ("azurecloudtype",),
}
_WITH_TOKEN = {"serviceprincipal", "systemassignedmanagedidentity", "userassignedmanagedidentity", "managedidentity"}
# What the driver spells so: our name of the setting, and what it means when nothing is said.
_PASSED_ON = {
    "Encrypt": "encrypt",
    "TrustServerCertificate": "trustservercertificate",
    "HostnameInCertificate": "hostnameincertificate",
    "MultiSubnetFailover": "multisubnetfailover",
    "ApplicationIntent": "applicationintent",
    "PacketSize": "packetsize",
    "ConnectRetryCount": "connectretrycount",
    "ConnectRetryInterval": "connectretryinterval",
}
_WORDS_OF = {"true": "yes", "false": "no", "mandatory": "yes", "optional": "no"}


@connector(
    "SqlServer", "AzureSqlDatabase", "AzureSqlMI", "AzureSqlDW",
    can={"read", "write", "upsert", "query", "procedure"},
)  # fmt: skip
def sql_server(given: LinkedServiceGiven) -> DbApiDatabase:
    """Return the database that the connection string or the properties name.

    The string has `Server`, `Database`, `User ID`, `Password`, `Encrypt`, `TrustServerCertificate` ...; the properties
    have the same names (`server`, `database`, `userName` ...).

    It is opened by `authenticationType`: SQL (user and password), ServicePrincipal (`servicePrincipalId`,
    `servicePrincipalKey` or `servicePrincipalCredential`, `tenant`; `azureCloudType` is a cloud's name or the address
    of what gives the tokens), SystemAssignedManagedIdentity or UserAssignedManagedIdentity (the factory's own), or
    WindowsAuthentication (the ticket of the user who runs it). Where none is told, by what there is.

    Not tried against a live server.
    """
    told = settings(given, _ALIASES)
    text = driver_string(told, given)
    dialect = "synapse" if given.type == "AzureSqlDW" else "tsql"
    return DbApiDatabase(
        driver=Driver(
            dialect="tsql",
            open=partial(_connect, text, _token(told, given), _seconds(told), f"linked service '{given.name}'"),
            stand_in=stand_in_for(given.type, given.name),
            errors=_ERRORS,
            style="qmark",
            create_mark=mark_table(dialect),
            columns=columns_of("tsql"),
            types=types_by_python(PYTHON_TYPES),
            savepoint=("save transaction manara_try", "rollback transaction manara_try", ""),
            most_values=_MOST_VALUES,
        )
    )


def driver_string(told: Mapping[str, str], given: LinkedServiceGiven) -> str:
    """Return the connection string for the driver, without a token: each value in braces, so that none breaks out."""
    values = {"Server": needed(told, "server", given, _EXAMPLE), "Database": told.get("database", "")}
    way = _way(told)
    if way == "sql":
        values["UID"] = needed(told, "username", given, _EXAMPLE)
        values["PWD"] = needed(told, "password", given, _EXAMPLE)
    elif way == "windows":
        values["Trusted_Connection"] = "yes"
    for theirs, ours in _PASSED_ON.items():
        value = told.get(ours, "").strip()
        values[theirs] = _WORDS_OF.get(value.lower(), value)
    return "".join(f"{key}={{{value.replace('}', '}}')}}};" for key, value in values.items() if value)


def _way(told: Mapping[str, str]) -> str:
    """Return how the database is opened: `sql`, `windows` or `token`."""
    way = "".join(told.get("authentication", "").lower().split())
    if way in _WITH_TOKEN or way.startswith("activedirectory"):
        return "token"
    if way.startswith("windows") or told.get("integratedsecurity", "").lower() in {"true", "yes", "sspi"}:
        return "windows"
    if way == "sql" or told.get("username"):
        return "sql"
    return "token"


def _token(told: Mapping[str, str], given: LinkedServiceGiven) -> Callable[[], Secret] | None:
    """Return what gives the token that opens the database, or None where none is needed."""
    if _way(told) != "token":
        return None
    if not told.get("clientid"):
        return lambda: given.identity(_RESOURCE)
    cloud = told.get("authority") or "AzurePublic"
    authority = cloud if cloud.startswith(("https://", "http://")) else AUTHORITIES.get(cloud.lower(), "")
    if not authority or not told.get("tenant") or not told.get("clientsecret"):
        raise WrongDefinition(
            "A service principal needs its tenant, its key and a cloud that is known.",
            where=f"linked service '{given.name}'",
            advice="Give tenant and servicePrincipalKey, which is its secret; certificates are not supported.",
        )
    secret = Secret(told["clientsecret"])
    return lambda: service_principal(authority, told["tenant"], told["clientid"], secret, _RESOURCE)[0]


def _seconds(told: Mapping[str, str]) -> int:
    value = told.get("timeout", "")
    return int(value) if value.isdecimal() and int(value) else _CONNECT_S


def _connect(text: str, token: Callable[[], Secret] | None, timeout_s: int, where: str) -> Any:
    """Return an open connection."""
    before: dict[int, int | str | bytes] | None = {_ACCESS_TOKEN: packed(token())} if token else None
    try:
        return mssql_python.connect(text, attrs_before=before, timeout=timeout_s)
    except ConnectionStringParseError as error:
        raise WrongDefinition("The driver does not take the connection string.", where=where) from error


def packed(token: Secret) -> bytes:
    r"""Return a token as the driver takes it: UTF-16 in little endian behind its length in bytes.

    >>> packed(Secret("ab"))
    b'\x04\x00\x00\x00a\x00b\x00'
    """
    text = token.open().encode("utf-16-le")
    return struct.pack(f"<I{len(text)}s", len(text), text)


def _states() -> dict[str, str]:
    """Return SQLSTATEs by the driver's words for them: its errors carry the words only."""
    states = (*SQLSTATES, "08001", "08003", "08004", "08007", "08S01", "22001", "22003", "22007", "22012", "22018",
              "23000", "28000", "40001", "42000", "42S22", "HYT00", "HYT01", "IM002")  # fmt: skip
    found = {state: sqlstate_to_exception(state, "") for state in states}
    return {error.driver_error: state for state, error in found.items() if error is not None}


_STATES = _states()


def _signs(error: Exception) -> list[str]:
    state = _STATES.get(getattr(error, "driver_error", ""))
    return [*words_in(str(error)), *([state] if state else [])]


def _text(error: Exception) -> str:
    told = getattr(error, "ddbc_error", "") or getattr(error, "driver_error", "") or str(error)
    return str(told).removeprefix("[Microsoft]").removeprefix("[SQL Server]")


_ERRORS = Errors(
    base=(mssql_python.Error,),
    signs=_signs,
    text=_text,
    kinds={**SQLSTATES, **WORDS},
    code="SqlOperationFailed",
    server="SQL Server",
)
