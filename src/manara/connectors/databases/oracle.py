"""The linked service Oracle, by the driver's thin mode: nothing of Oracle's own need be installed."""

from decimal import Decimal
from functools import partial
from typing import Any

import oracledb
import pyarrow as pa

from manara.connectors.databases.connection_string import needed, settings, whole_number
from manara.connectors.databases.dbapi import SAVEPOINT, DbApiDatabase, Driver
from manara.connectors.databases.dbapi_dialects import columns_of, mark_table
from manara.connectors.databases.dbapi_errors import (
    BUSY,
    FULL,
    LATER,
    MISSING,
    RIGHTS,
    ROWS,
    THERE,
    TWICE,
    VALUE,
    WRONG,
    Errors,
)
from manara.connectors.databases.dbapi_rows import Types, decimal_type
from manara.plugin.connection import LinkedServiceGiven, connector
from manara.resources.azure import stand_in_for

_PORT = 1521
_CONNECT_S = 20
_ARRAY_ROWS = 2_000
_EXAMPLE = "Host=db.example.org;Port=1521;ServiceName=health;User Id=reader;Password=..."
_ALIASES = {
    "server": ("datasource", "host"),
    "port": (),
    "servicename": (),
    "sid": (),
    "username": ("userid", "user", "uid"),
    "password": ("pwd",),
}


@connector("Oracle", can={"read", "write", "upsert", "query", "procedure"})
def oracle(given: LinkedServiceGiven) -> DbApiDatabase:
    """Return the database that the connection string or the properties name.

    The string has `Host`, `Port`, `ServiceName` or `Sid`, `User Id` and `Password`; the properties are called `server`,
    `username` and `password`.
    `server` may also be an easy connect text (`host:1521/service`) or a whole descriptor (`(DESCRIPTION=...)`).

    Not tried against a live server.
    """
    told = settings(given, _ALIASES)
    server = needed(told, "server", given, _EXAMPLE)
    where: dict[str, Any] = {"dsn": server}
    if told.get("servicename") or told.get("sid"):
        port = whole_number(told.get("port") or str(_PORT), "port", given)
        where = {"host": server, "port": port, "service_name": told.get("servicename"), "sid": told.get("sid")}
    user, password = needed(told, "username", given, _EXAMPLE), needed(told, "password", given, _EXAMPLE)
    return DbApiDatabase(
        driver=Driver(
            dialect="oracle",
            open=partial(_connect, user=user, password=password, **where),
            errors=_ERRORS,
            stand_in=stand_in_for(given.type, given.name),
            style="numeric",
            create_mark=mark_table("oracle"),
            columns=columns_of("oracle"),
            savepoint=(*SAVEPOINT[:2], ""),
            types=_types,
            stream=_stream,
        )
    )


def _connect(**told: Any) -> Any:
    connection = oracledb.connect(tcp_connect_timeout=_CONNECT_S, **told)
    connection.outputtypehandler = _as_it_is
    return connection


def _as_it_is(cursor: Any, column: Any) -> Any:
    """Return how a column's values come: exact numbers as decimals, large texts and bytes whole."""
    if column.type_code is oracledb.DB_TYPE_NUMBER:
        return cursor.var(Decimal, arraysize=cursor.arraysize)
    large = {
        oracledb.DB_TYPE_CLOB: oracledb.DB_TYPE_LONG,
        oracledb.DB_TYPE_NCLOB: oracledb.DB_TYPE_LONG_NVARCHAR,
        oracledb.DB_TYPE_BLOB: oracledb.DB_TYPE_LONG_RAW,
    }.get(column.type_code)
    return cursor.var(large, arraysize=cursor.arraysize) if large else None


def _stream(connection: Any) -> Any:
    cursor = connection.cursor()
    cursor.arraysize = cursor.prefetchrows = _ARRAY_ROWS
    return cursor


def _types(cursor: Any) -> Types:
    return [_type(column) for column in cursor.description]


def _type(column: Any) -> pa.DataType | None:
    if column[1] is oracledb.DB_TYPE_NUMBER:
        return decimal_type(column[4], column[5])
    return _TYPES.get(column[1])


_TYPES: dict[Any, pa.DataType] = {
    **dict.fromkeys(
        (
            oracledb.DB_TYPE_CHAR,
            oracledb.DB_TYPE_NCHAR,
            oracledb.DB_TYPE_VARCHAR,
            oracledb.DB_TYPE_NVARCHAR,
            oracledb.DB_TYPE_LONG,
            oracledb.DB_TYPE_LONG_NVARCHAR,
            oracledb.DB_TYPE_CLOB,
            oracledb.DB_TYPE_NCLOB,
            oracledb.DB_TYPE_ROWID,
            oracledb.DB_TYPE_JSON,
            oracledb.DB_TYPE_XMLTYPE,
        ),
        pa.string(),
    ),
    **dict.fromkeys((oracledb.DB_TYPE_RAW, oracledb.DB_TYPE_LONG_RAW, oracledb.DB_TYPE_BLOB), pa.binary()),
    **dict.fromkeys(
        (
            oracledb.DB_TYPE_DATE,
            oracledb.DB_TYPE_TIMESTAMP,
            oracledb.DB_TYPE_TIMESTAMP_TZ,
            oracledb.DB_TYPE_TIMESTAMP_LTZ,
        ),
        pa.timestamp("us"),
    ),
    oracledb.DB_TYPE_BINARY_FLOAT: pa.float32(),
    oracledb.DB_TYPE_BINARY_DOUBLE: pa.float64(),
    oracledb.DB_TYPE_BOOLEAN: pa.bool_(),
}


def _signs(error: Exception) -> list[str]:
    return [str(getattr(part, "full_code", "")) for part in error.args]


_ERRORS = Errors(
    base=(oracledb.Error,),
    signs=_signs,
    text=lambda error: str(getattr(error.args[0], "message", error) if error.args else error).split("\n")[0],
    kinds={
        **dict.fromkeys(("ORA-00942", "ORA-04043", "ORA-00959"), MISSING),
        **dict.fromkeys(("ORA-00955", "ORA-01430"), THERE),
        **dict.fromkeys(("ORA-00001",), TWICE),
        **dict.fromkeys(("ORA-01017", "ORA-01031", "ORA-01045", "ORA-28000", "ORA-28001", "ORA-01918"), RIGHTS),
        **dict.fromkeys(("ORA-01400", "ORA-01407", "ORA-02290", "ORA-02291", "ORA-02292"), ROWS),
        **dict.fromkeys(("ORA-01438", "ORA-01722", "ORA-12899", "ORA-018", "ORA-01401", "ORA-01461"), VALUE),
        **dict.fromkeys(("ORA-00060", "ORA-00054", "ORA-08177", "ORA-30006"), BUSY),
        **dict.fromkeys(("ORA-01652", "ORA-01653", "ORA-01654", "ORA-01536", "ORA-30036"), FULL),
        **dict.fromkeys(("ORA-12", "ORA-03113", "ORA-03114", "ORA-01033", "ORA-01034", "ORA-01089"), LATER),
        **dict.fromkeys(("DPY-4011", "DPY-6000", "DPY-6001", "DPY-6003", "DPY-6005"), LATER),
        **dict.fromkeys(("ORA-009", "ORA-017"), WRONG),
    },
    code="UserErrorOracleOperationFailed",
    server="Oracle",
)
