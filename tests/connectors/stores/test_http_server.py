"""Files from a web server that is not always well."""

import base64
import hashlib
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.certificates import pem_of, pfx_of
from tests.connectors.stores.below import opened
from tests.web_server import Asked, Reply, serving

from manara.connectors.stores.http_server import HttpStore
from manara.errors import ManaraError, NotAllowed, SourceMissing, Transient, WrongDefinition

TEXT = b"name,n\nKabul,1\n"
CSV = Reply(text=TEXT, headers={"Content-Type": "text/csv", "Last-Modified": "Fri, 01 Mar 2024 10:00:00 GMT"})


def store_of(url: str, root: Path, **properties: Any) -> tuple[HttpStore, list[float]]:
    """Return the store, which waits for nothing, and how long it would have waited."""
    store, waited = opened("HttpServer", root, url=url, **properties), list[float]()
    assert isinstance(store, HttpStore)
    return replace(store, wait=waited.append), waited


def read(store: HttpStore, path: str) -> bytes:
    with store.open(path) as file:
        return file.read()


def test_a_file_is_read_with_its_query(tmp_path: Path) -> None:
    with serving(CSV) as server:
        store, _ = store_of(f"{server.url}/data/", tmp_path)
        assert read(store, "a b.csv?year=2024&all=yes") == TEXT
        assert server.asked[0].path == "/data/a%20b.csv?year=2024&all=yes"


def test_the_address_alone_is_a_file(tmp_path: Path) -> None:
    with serving(CSV) as server:
        assert read(store_of(f"{server.url}/data.csv", tmp_path)[0], "") == TEXT
        assert server.asked[0].path == "/data.csv"


def test_its_size_and_time_are_told(tmp_path: Path) -> None:
    with serving(CSV) as server:
        info = store_of(server.url, tmp_path)[0].info("a.csv")
    assert info is not None
    assert (info.size_bytes, info.is_folder, info.modified.isoformat()) == (15, False, "2024-03-01T10:00:00+00:00")


def test_a_source_says_how_to_ask(tmp_path: Path) -> None:
    asks = {
        "requestMethod": "POST",
        "requestBody": '{"a": 1}',
        "additionalHeaders": "Accept: text/csv\nX-Country: AF\n",
    }
    with serving(CSV) as server:
        assert read(store_of(server.url, tmp_path)[0].asking(asks), "a.csv") == TEXT
    (asked,) = server.asked
    assert (asked.method, asked.body, asked.headers["X-Country"]) == ("POST", b'{"a": 1}', "AF")


def test_a_file_can_be_read_in_any_order(tmp_path: Path) -> None:
    table, packed = pa.table({"n": list(range(100_000))}), io.BytesIO()
    pq.write_table(table, packed, row_group_size=1000)
    with serving(Reply(text=packed.getvalue())) as server, store_of(server.url, tmp_path)[0].open("a.parquet") as file:
        assert pq.read_table(file).equals(table)


@pytest.mark.parametrize(
    ("properties", "header"),
    [
        ({"authenticationType": "Basic", "userName": "u", "password": "p"}, ("Authorization", "Basic dTpw")),
        ({"authHeaders": {"X-Key": {"type": "SecureString", "value": "k"}}}, ("X-Key", "k")),
    ],
    ids=["basic", "headers"],
)
def test_it_logs_in(tmp_path: Path, properties: dict[str, Any], header: tuple[str, str]) -> None:
    with serving(CSV) as server:
        assert read(store_of(server.url, tmp_path, **properties)[0], "a.csv") == TEXT
    assert server.asked[0].headers[header[0]] == header[1]


def test_it_logs_in_by_digest(tmp_path: Path) -> None:
    asks = Reply(status=401, headers={"WWW-Authenticate": 'Digest realm="r", nonce="n", algorithm=MD5'})
    with serving(asks, CSV) as server:
        store, _ = store_of(server.url, tmp_path, authenticationType="Digest", userName="u", password="p")  # noqa: S106
        assert read(store, "a.csv") == TEXT
    parts = [hashlib.md5(text, usedforsecurity=False).hexdigest() for text in (b"u:r:p", b"GET:/a.csv")]
    answer = hashlib.md5(f"{parts[0]}:n:{parts[1]}".encode(), usedforsecurity=False).hexdigest()
    assert f'response="{answer}"' in server.asked[1].headers["Authorization"]


@pytest.mark.parametrize("form", ["pfx", "pem"])
def test_it_shows_a_certificate(tmp_path: Path, form: str) -> None:
    pem = pem_of("client")
    data = pem if form == "pem" else base64.b64encode(pfx_of(pem, "secret")).decode()
    password = "" if form == "pem" else "secret"
    with serving(CSV, secure=True) as server:
        properties = {"authenticationType": "ClientCertificate", "embeddedCertData": data, "password": password}
        store, _ = store_of(server.url, tmp_path, enableServerCertificateValidation=False, **properties)
        assert read(store, "a.csv") == TEXT
    assert server.asked[0].headers["Client-Certificate"] == "yes"


def test_a_server_that_nobody_vouches_for_is_not_believed(tmp_path: Path) -> None:
    with serving(CSV, secure=True) as server, pytest.raises(Transient, match="certificate verify failed"):
        read(store_of(server.url, tmp_path)[0], "a.csv")


def test_another_host_is_told_no_secrets(tmp_path: Path) -> None:
    with serving(CSV) as other:
        moved = Reply(status=302, headers={"Location": f"{other.url.replace('127.0.0.1', 'localhost')}/b.csv"})
        with serving(moved) as server:
            login = {"authenticationType": "Basic", "userName": "u", "password": "p"}
            store, _ = store_of(server.url, tmp_path, authHeaders={"X-Key": "k"}, **login)
            assert read(store, "a.csv") == TEXT
    assert {"X-Key", "Authorization"} <= set(server.asked[0].headers)
    assert not {"X-Key", "Authorization"} & set(other.asked[0].headers)


@pytest.mark.parametrize(
    ("replies", "waited"),
    [
        ([Reply(status=429, headers={"Retry-After": "7"}), CSV], [7.0]),
        ([Reply(status=500), Reply(status=503), CSV], [0.2, 0.4]),
    ],
    ids=["429", "500 twice"],
)
def test_it_waits_and_asks_again(tmp_path: Path, replies: list[Reply], waited: list[float]) -> None:
    with serving(*replies) as server:
        store, times = store_of(server.url, tmp_path)
        assert read(store, "a.csv") == TEXT
    assert times == waited


def cut(at: int, *, changes: bool = False, knows_ranges: bool = True) -> Callable[[Asked], Reply]:
    """Return a server of 3 MB that closes the line after `at` bytes, when asked for the whole."""
    content = bytes(range(256)) * 12_000
    tags = iter(['"1"', '"2"' if changes else '"1"', '"1"'])

    def answer(asked: Asked) -> Reply:
        tag = next(tags)
        known = {"Accept-Ranges": "bytes", "ETag": tag} if knows_ranges else {}
        begin = int(asked.headers["Range"].removeprefix("bytes=").rstrip("-")) if "Range" in asked.headers else 0
        if begin and asked.headers["If-Range"] == tag:
            return Reply(status=206, text=content[begin:], headers=known)
        return Reply(text=content, headers=known, ends_after=at)

    return answer


def test_a_lost_line_is_taken_up_again(tmp_path: Path) -> None:
    with serving(cut(1_000_000)) as server:
        assert read(store_of(server.url, tmp_path)[0], "a.bin") == bytes(range(256)) * 12_000
    assert server.asked[1].headers["Range"].startswith("bytes=")


@pytest.mark.parametrize("how", [{"changes": True}, {"knows_ranges": False}], ids=["changed", "without ranges"])
def test_a_lost_line_that_cannot_be_taken_up_is_told(tmp_path: Path, how: dict[str, bool]) -> None:
    with serving(cut(1_000_000, **how)) as server, pytest.raises(Transient, match="The line was lost"):
        read(store_of(server.url, tmp_path)[0], "a.bin")


def test_a_lost_line_is_not_taken_for_the_end_when_it_is_read_again(tmp_path: Path) -> None:
    with serving(cut(1_000_000, knows_ranges=False)) as server:
        store = store_of(server.url, tmp_path)[0].asking({})
        for _ in range(2):
            with pytest.raises(Transient, match="The line was lost"):
                read(store, "a.bin")


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, SourceMissing), (401, NotAllowed), (403, NotAllowed), (400, WrongDefinition), (503, Transient)],
)
def test_a_refusal_is_told_without_secrets(tmp_path: Path, status: int, error: type[ManaraError]) -> None:
    with serving(Reply(status=status)) as server, pytest.raises(error) as raised:
        read(store_of(server.url, tmp_path)[0], "a.csv?sig=hush")
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize("does", ["list", "create", "delete"])
def test_it_is_only_read(tmp_path: Path, does: str) -> None:
    store, _ = store_of("http://localhost", tmp_path)
    with pytest.raises(WrongDefinition, match="only read"):
        getattr(store, does)("a.csv")


@pytest.mark.parametrize("path", ["../a.csv", "in/../../a.csv", "..", "https://other.org/a.csv"])
def test_no_path_leaves_the_address(tmp_path: Path, path: str) -> None:
    with pytest.raises(NotAllowed):
        store_of("http://localhost/data", tmp_path)[0].open(path)


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"url": "ftp://x.org"},
        {"url": "http://["},
        {"url": "http://x.org", "authHeaders": "X-Key: 1"},
        {"url": "http://x.org", "authenticationType": "Windows"},
        {"url": "http://x.org", "authenticationType": "ClientCertificate"},
        {"url": "http://x.org", "authenticationType": "ClientCertificate", "embeddedCertData": "!"},
    ],
    ids=["no address", "another protocol", "brackets", "headers as a text", "windows", "no certificate", "no base64"],
)
def test_what_cannot_be_opened_is_told(tmp_path: Path, properties: dict[str, str]) -> None:
    with pytest.raises(WrongDefinition):
        opened("HttpServer", tmp_path, **properties)
