"""An emulator of Snowflake for tests: fakesnow answers Snowflake's own driver over the wire, and DuckDB keeps the rows.

It comes by `make peers`. It is not Snowflake: it shows that what the connector sends is understood, and what comes back
is read as it is meant; it knows no more of Snowflake's SQL than fakesnow translates, and does not check passwords.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

_PEER = Path(__file__).parent / "peers" / "fakesnow"
_PROGRAM = """
import decimal, json, socket, sys
import fakesnow.server, pyarrow, uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

server = sys.modules["fakesnow.server"]  # the package has a function of that name too
values = server.from_binding

def value_of(bound):  # Snowflake takes these two as well
    if bound["value"] is None:
        return None
    return decimal.Decimal(bound["value"]) if bound["type"] == "FIXED" else values(bound)

server.from_binding = value_of
table_of, open_session = server.to_sf, server.shared_fs.connect

def with_nulls(sent, told):
    if not pyarrow.types.is_struct(sent.type):
        return sent
    parts = [field.with_nullable(True) for field in sent.type]
    is_null = told.is_null().combine_chunks()
    return pyarrow.StructArray.from_arrays(sent.combine_chunks().flatten(), fields=parts, mask=is_null)

def table_sent(told, rowtype):  # a moment may be missing
    sent = table_of(told, rowtype)
    columns = [with_nulls(*pair) for pair in zip(sent.columns, told.columns)]
    fields = [field.with_type(column.type) for field, column in zip(sent.schema, columns)]
    return pyarrow.table(columns, schema=pyarrow.schema(fields))

server.to_sf = table_sent
server.shared_fs.connect = lambda *place, autocommit, **more: open_session(
    *place, autocommit=str(autocommit).lower() == "true", **more  # the newer driver tells it as a text
)

async def log_in(request):
    answer = json.loads((await server.login_request(request)).body)  # what the newer driver needs is missing there
    answer["data"] |= {"sessionId": 1, "masterToken": "any", "validityInSeconds": 900, "masterValidityInSeconds": 900}
    return JSONResponse(answer)

async def answer_query(request):
    answer = await server.query_request(request)
    if answer.status_code != 500:
        return answer
    told = {"errorCode": "000603", "sqlState": "XX000"}  # a driver would try again for long
    message = json.loads(answer.body)["message"]
    return JSONResponse({"data": told, "code": "000603", "message": message, "success": False})

async def take(request):
    return JSONResponse({"success": True})

listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
ours = {"/session/v1/login-request": log_in, "/queries/v1/query-request": answer_query, "/telemetry/send": take}
routes = [*(Route(path, does, methods=["POST"]) for path, does in ours.items()), *server.routes]
uvicorn.run(Starlette(routes=routes), fd=listening.fileno(), log_level="critical")
"""


@pytest.fixture(scope="session")
def snowflake_server() -> Iterator[Callable[[], dict[str, Any]]]:
    """Gives the properties of a linked service at each call: a database that nobody else uses.

    Skips where the emulator is not installed.
    """
    pytest.importorskip("snowflake.connector", reason="snowflake-connector-python is not installed")
    if not (_PEER / ".ready").exists():
        pytest.skip("there is no emulator of Snowflake here: run `make peers`")
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM],
        env=os.environ | {"PYTHONPATH": str(_PEER)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        try:
            port = int(process.stdout.readline())
            number = count(1)
            yield lambda: {
                "accountIdentifier": "tested",
                "user": "reader",
                "password": "any",
                "database": f"test_{next(number)}",
                "schema": "public",
                "host": "127.0.0.1",
                "port": port,
                "protocol": "http",
            }
        finally:
            process.kill()
