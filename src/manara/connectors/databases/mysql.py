"""The linked services MySql, AzureMySql and MariaDB: databases that speak MySQL's protocol."""

import ssl
from datetime import date, datetime
from functools import partial
from typing import Any

import pyarrow as pa
import pymysql
from pymysql.constants import CLIENT, FIELD_TYPE, FLAG
from pymysql.converters import conversions
from pymysql.cursors import SSCursor

from manara.connectors.databases.connection_string import needed, settings, whole_number
from manara.connectors.databases.dbapi import SAVEPOINT, DbApiDatabase, Driver, said
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
    Kind,
)
from manara.connectors.databases.dbapi_rows import Types, decimal_type
from manara.errors import BadRows, WrongDefinition
from manara.plugin.connection import LinkedServiceGiven, connector
from manara.resources.azure import stand_in_for

_PORT = 3306
_CONNECT_S = 15
_EXAMPLE = "Server=db.example.org;Port=3306;Database=health;UID=reader;PWD=..."
_ALIASES = {
    "server": ("host", "datasource", "addr", "address"),
    "port": (),
    "database": ("initialcatalog",),
    "username": ("uid", "user", "userid"),
    "password": ("pwd",),
    "sslmode": ("usessl",),
    "socket": ("unixsocket",),
}
_BINARY = 63
_MODE = (
    "set session sql_mode = concat(@@sql_mode, ',STRICT_ALL_TABLES'), time_zone = '+00:00', net_write_timeout = 3600"
)


@connector("MySql", "AzureMySql", "AzureMariaDB", "MariaDB", can={"read", "write", "upsert", "query", "procedure"})
def mysql(given: LinkedServiceGiven) -> DbApiDatabase:
    """Return the database that the connection string or the properties name.

    The string has `Server`, `Port`, `Database`, `UID`, `PWD` and `SSLMode`; the properties are called `server`, `port`,
    `database`, `username`, `password` and `sslMode`.
    `sslMode` is 0 to 4 or its word: DISABLED, PREFERRED (the default), REQUIRED, VERIFY_CA, VERIFY_IDENTITY; `sslCa`
    names a file of certificates to trust. `socket` is a file to connect by instead of a server. The session is strict
    (a value that does not fit is an error, never cut) and keeps its times in UTC.
    """
    told = settings(given, _ALIASES)
    server = told.get("server", "localhost") if told.get("socket") else needed(told, "server", given, _EXAMPLE)
    connect = partial(
        _connect,
        host=server,
        port=whole_number(told.get("port") or str(_PORT), "port", given),
        database=needed(told, "database", given, _EXAMPLE),
        user=needed(told, "username", given, _EXAMPLE),
        password=told.get("password", ""),
        unix_socket=told.get("socket") or None,
        **_encryption(told.get("sslmode", "1"), told.get("sslca"), given),
    )
    return DbApiDatabase(
        driver=Driver(
            dialect="mysql",
            open=connect,
            errors=_ERRORS,
            stand_in=stand_in_for(given.type, given.name),
            style="format",
            escapes=True,
            create_mark=mark_table("mysql"),
            columns=columns_of("mysql"),
            savepoint=SAVEPOINT,
            types=_types,
            stream=lambda connection: connection.cursor(SSCursor),
        )
    )


class _Connection(pymysql.connections.Connection):  # type: ignore[misc] # the library tells no types
    """A connection that can be closed in the middle of a result, without reading on to its end."""

    def close(self) -> None:
        if self._result is not None:
            self._result.unbuffered_active = False
        super().close()


def _connect(**told: Any) -> Any:
    return _Connection(
        charset="utf8mb4",
        autocommit=False,
        connect_timeout=_CONNECT_S,
        init_command=_MODE,
        client_flag=CLIENT.FOUND_ROWS,
        conv={
            **conversions,
            FIELD_TYPE.DATE: _day,
            **dict.fromkeys((FIELD_TYPE.DATETIME, FIELD_TYPE.TIMESTAMP), _moment),
        },
        **told,
    )


def _day(text: str) -> date | None:
    found = _moment(text)
    return found.date() if found else None


def _moment(text: str) -> datetime | None:
    """Return the moment; MySQL's `0000-00-00` stands for none."""
    if text.startswith("0000-00-00"):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise BadRows(f"'{text}' is no day.", advice="Cast the column to char in the query.") from error


_MODES = ("disabled", "preferred", "required", "verify_ca", "verify_identity")


def _encryption(told: str, authority: str | None, given: LinkedServiceGiven) -> dict[str, Any]:
    mode = told.strip().lower().replace("-", "_")
    mode = {"none": "disabled", "verifyca": "verify_ca", "verifyfull": "verify_identity"}.get(mode, mode)
    mode = _MODES[int(mode)] if mode.isdecimal() and int(mode) < len(_MODES) else mode
    if mode not in _MODES:
        raise WrongDefinition(
            f"The sslMode is 0 to 4, or one of {', '.join(_MODES).upper()}, not '{told}'.",
            where=f"linked service '{given.name}'",
        )
    if mode == "disabled":
        return {"ssl_disabled": True}
    if mode == "preferred":
        return {}
    context = ssl.create_default_context(cafile=authority)
    context.check_hostname = mode == "verify_identity"
    if mode == "required":
        context.verify_mode = ssl.CERT_NONE
    return {"ssl": context}


def _types(cursor: Any) -> Types:
    """Return the Arrow types of the columns, by the interim types of ADF's MySQL connector."""
    return [_type(column) for column in cursor._result.fields]  # the flags stand nowhere else


def _type(column: Any) -> pa.DataType:
    is_unsigned = bool(column.flags & FLAG.UNSIGNED)
    if column.type_code in _WHOLE:
        return _WHOLE[column.type_code][is_unsigned]
    if column.type_code in {FIELD_TYPE.DECIMAL, FIELD_TYPE.NEWDECIMAL}:
        digits = column.length - (0 if is_unsigned else 1) - (1 if column.scale else 0)
        return decimal_type(digits, column.scale)
    if column.type_code in _OTHERS:
        return _OTHERS[column.type_code]
    return pa.binary() if column.charsetnr == _BINARY and column.type_code in _BLOBS else pa.string()


_WHOLE: dict[int, tuple[pa.DataType, pa.DataType]] = {
    FIELD_TYPE.TINY: (pa.int16(), pa.int16()),
    FIELD_TYPE.SHORT: (pa.int16(), pa.int32()),
    FIELD_TYPE.YEAR: (pa.int32(), pa.int32()),
    FIELD_TYPE.INT24: (pa.int32(), pa.int64()),
    FIELD_TYPE.LONG: (pa.int32(), pa.int64()),
    FIELD_TYPE.LONGLONG: (pa.int64(), pa.decimal128(20, 0)),
}
_OTHERS: dict[int, pa.DataType] = {
    FIELD_TYPE.FLOAT: pa.float32(),
    FIELD_TYPE.DOUBLE: pa.float64(),
    FIELD_TYPE.DATE: pa.date32(),
    FIELD_TYPE.NEWDATE: pa.date32(),
    FIELD_TYPE.DATETIME: pa.timestamp("us"),
    FIELD_TYPE.TIMESTAMP: pa.timestamp("us"),
    FIELD_TYPE.TIME: pa.time64("us"),
    FIELD_TYPE.BIT: pa.binary(),
    FIELD_TYPE.NULL: pa.string(),
}
_BLOBS = {
    FIELD_TYPE.BLOB,
    FIELD_TYPE.TINY_BLOB,
    FIELD_TYPE.MEDIUM_BLOB,
    FIELD_TYPE.LONG_BLOB,
    FIELD_TYPE.STRING,
    FIELD_TYPE.VAR_STRING,
    FIELD_TYPE.VARCHAR,
    FIELD_TYPE.GEOMETRY,
}

_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("1146", "1049", "1051", "1305"), MISSING),
    **dict.fromkeys(("1054", "1064", "1109", "1136", "1149", "1210", "1318"), WRONG),
    **dict.fromkeys(("1062", "1586"), TWICE),
    **dict.fromkeys(("1050", "1007", "1061"), THERE),
    **dict.fromkeys(("1044", "1045", "1142", "1143", "1227", "1698"), RIGHTS),
    **dict.fromkeys(("1048", "1216", "1217", "1364", "1451", "1452", "3819", "4025"), ROWS),
    **dict.fromkeys(("1264", "1265", "1292", "1366", "1406", "1411", "1426"), VALUE),
    **dict.fromkeys(("1205", "1213"), BUSY),
    **dict.fromkeys(("1021", "1114"), FULL),
    **dict.fromkeys(("1040", "1053", "1152", "1158", "1159", "1160", "1161", "2003", "2006", "2013", "2055"), LATER),
    "2002": LATER,
}
_ERRORS = Errors(
    base=(pymysql.Error,),
    signs=lambda error: [str(error.args[0])] if error.args else [],
    text=said,
    kinds=_KINDS,
    code="UserErrorMySql",
    server="MySQL",
)
