"""A server that speaks MongoDB's protocol for tests: mongomock keeps the documents, in memory.

It is not MongoDB: it shows that the connector's own requests and answers go over the wire as they are meant to, and
knows no more of MongoDB's rules than mongomock does.
"""

import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count, islice
from typing import Any

import pytest

bson: Any = pytest.importorskip("bson", reason="pymongo is not installed")
mongomock: Any = pytest.importorskip("mongomock", reason="mongomock is not installed")

_OP_REPLY, _OP_QUERY, _OP_MSG = 1, 2004, 2013
_HELLO = {
    "ismaster": True, "helloOk": True, "isWritablePrimary": True, "maxBsonObjectSize": 16 << 20,
    "maxMessageSizeBytes": 48_000_000, "maxWriteBatchSize": 100_000, "minWireVersion": 8, "maxWireVersion": 21,
    "readOnly": False, "ok": 1.0,
}  # fmt: skip


@pytest.fixture(scope="session")
def mongo() -> Iterator[Callable[[], dict[str, Any]]]:
    """Gives the properties of a linked service at each call: a database that nobody else uses."""
    with running() as port:
        number = count(1)
        yield lambda: {
            "connectionString": f"mongodb://127.0.0.1:{port}/?directConnection=true",
            "database": f"test_{next(number)}",
        }


@contextmanager
def running() -> Iterator[int]:
    """Run the server for the length of the `with` block, and give its port."""
    documents: Any = mongomock.MongoClient()
    cursors: dict[int, tuple[str, Iterator[Any]]] = {}
    lock = threading.Lock()

    class Conversation(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while head := self.rfile.read(16):
                length, asked, _, code = struct.unpack("<iiii", head)
                body = self.rfile.read(length - 16)
                if code == _OP_QUERY:
                    self.reply(asked, _OP_REPLY, struct.pack("<iqii", 8, 0, 0, 1) + bson.encode(_HELLO))
                    continue
                with lock:
                    answer = run(documents, cursors, command(body))
                self.reply(asked, _OP_MSG, struct.pack("<I", 0) + b"\0" + bson.encode(answer))

        def reply(self, asked: int, code: int, body: bytes) -> None:
            self.wfile.write(struct.pack("<iiii", len(body) + 16, asked, asked, code) + body)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), Conversation) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def command(body: bytes) -> dict[str, Any]:
    """Return the command of a message, with the documents that stand beside it."""
    found: dict[str, Any] = {}
    place = 4
    while place < len(body):
        kind, place = body[place], place + 1
        size = struct.unpack_from("<i", body, place)[0]
        section, place = body[place : place + size], place + size
        if kind == 0:
            found |= bson.decode(section)
        else:
            name, _, rest = section[4:].partition(b"\0")
            found[name.decode()] = bson.decode_all(rest)
    return found


Cursors = dict[int, tuple[str, Iterator[Any]]]


def run(documents: Any, cursors: Cursors, asked: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to a command."""
    name, about = next(iter(asked.items()))
    answers: dict[str, Callable[[], dict[str, Any]]] = {
        "hello": lambda: _HELLO,
        "listCollections": lambda: listed(documents[asked["$db"]], asked, cursors),
        "find": lambda: found(documents[asked["$db"]][about], asked, cursors),
        "getMore": lambda: more(about, asked.get("batchSize", 101), cursors),
        "insert": lambda: inserted(documents[asked["$db"]][about], asked["documents"]),
        "update": lambda: updated(documents[asked["$db"]][about], asked["updates"]),
    }
    return answers.get("hello" if name.lower() == "ismaster" else name, lambda: {"ok": 1.0})()


def listed(database: Any, asked: dict[str, Any], cursors: Cursors) -> dict[str, Any]:
    wanted = asked.get("filter", {}).get("name")
    names = [one for one in database.list_collection_names() if wanted in {None, one}]
    return first([{"name": one, "type": "collection"} for one in names], "$cmd.listCollections", 100, cursors)


def found(collection: Any, asked: dict[str, Any], cursors: Cursors) -> dict[str, Any]:
    for operator in asked.get("filter", {}):
        if operator.startswith("$") and operator not in {"$and", "$or", "$nor", "$expr"}:
            return {"ok": 0.0, "code": 2, "errmsg": f"unknown top level operator: {operator}"}
    rows = collection.find(asked.get("filter"), asked.get("projection") or None)
    if asked.get("sort"):
        rows = rows.sort(list(asked["sort"].items()))
    rows = rows.skip(asked.get("skip", 0)).limit(asked.get("limit", 0))
    return first(list(rows), collection.full_name, asked.get("batchSize", 101), cursors)


def first(rows: list[Any], space: str, size: int, cursors: Cursors) -> dict[str, Any]:
    number = len(cursors) + 1
    cursors[number] = (space, iter(rows))
    answer = more(number, size, cursors)
    answer["cursor"]["firstBatch"] = answer["cursor"].pop("nextBatch")
    return answer


def more(number: int, size: int, cursors: Cursors) -> dict[str, Any]:
    space, rows = cursors[number]
    batch = list(islice(rows, size))
    left = bson.Int64(number if len(batch) == size else 0)
    return {"cursor": {"id": left, "ns": space, "nextBatch": batch}, "ok": 1.0}


def inserted(collection: Any, rows: list[Any]) -> dict[str, Any]:
    faults = []
    for index, row in enumerate(rows):
        if collection.find_one({"_id": row["_id"]}) is not None:
            faults.append({"index": index, "code": 11000, "errmsg": "E11000 duplicate key error"})
        else:
            collection.insert_one(row)
    return {"n": len(rows) - len(faults), "ok": 1.0, **({"writeErrors": faults} if faults else {})}


def updated(collection: Any, changes: list[Any]) -> dict[str, Any]:
    for change in changes:
        collection.replace_one(change["q"], change["u"], upsert=change.get("upsert", False))
    return {"n": len(changes), "nModified": 0, "ok": 1.0}
