"""What comes over the wire: read within bounds, and what is no JSON told with its place."""

from collections.abc import Iterable
from typing import Any

import anyio
import pytest

from manara.server.answer import Problem
from manara.server.request import MOST_BYTES, Request, read_json, read_request


def scope(**more: Any) -> dict[str, Any]:
    plain = {"type": "http", "method": "put", "path": "/a", "raw_path": b"/a%20b?x", "query_string": b"A=1&a=2&B="}
    return {**plain, "headers": [(b"Host", b"h:1")], "client": ("127.0.0.1", 5), "scheme": "https", **more}


def read(parts: Iterable[bytes], **more: Any) -> Request:
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages.append({"type": "http.request", "body": b"", "more_body": False})
    waiting = iter(messages)

    async def receive() -> Any:
        return next(waiting)

    async def go() -> Request:
        return await read_request(scope(**more), receive)

    return anyio.run(go)


def test_a_request_comes_in_parts_with_its_first_values_of_each_name() -> None:
    request = read([b"{}", b" "])
    assert (request.method, request.path, request.body) == ("PUT", "/a%20b", b"{} ")
    assert request.query == {"a": "1", "b": ""}
    assert request.base == "https://h:1"


@pytest.mark.parametrize(
    ("host", "base"),
    [
        (b"management.azure.com", "management.azure.com"),
        (b"a b", "localhost"),
        (b"x\r\ny", "localhost"),
        (b"", "localhost"),
    ],
)
def test_a_host_that_is_none_does_not_reach_an_answer(host: bytes, base: str) -> None:
    assert read([], headers=[(b"host", host)]).base == f"https://{base}"


@pytest.mark.parametrize(
    "more", [{"headers": [(b"content-length", str(MOST_BYTES + 1).encode())]}, {"query_string": b"a" * 9000}]
)
def test_what_says_that_it_is_too_large_is_refused_unread(more: dict[str, Any]) -> None:
    with pytest.raises(Problem) as refused:
        read([b"x"], **more)
    assert refused.value.status in (413, 414)


def test_a_body_that_is_too_large_is_refused_while_it_comes() -> None:
    with pytest.raises(Problem, match="maximum size") as refused:
        read([b"x" * 2**20] * 30)
    assert refused.value.status == 413


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b'{"a": 1', "line 1, column 8"),
        (b"\xff{}", "byte 0 is no UTF-8"),
        (b'{"a": NaN}', "NaN is no number"),
        (b'{"a": "\\ud800"}', "half a surrogate"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[" * 200 + b"]" * 200, "nested too deeply"),
        (b"1" * 5000, "integer string conversion"),
    ],
)
def test_what_is_no_json_is_told_with_its_place(raw: bytes, told: str) -> None:
    with pytest.raises(Problem, match=told) as refused:
        read_json(raw)
    assert (refused.value.status, refused.value.code) == (400, "InvalidRequestContent")


def test_text_in_any_script_is_read() -> None:
    assert read_json('\ufeff{"ش": "\\ud83d\\ude00"}'.encode()) == {"ش": "😀"}


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 0),
        ("application/json; charset=utf-8", 0),
        ("application/merge-patch+json", 0),
        ("", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
    ],
)
def test_a_body_of_another_kind_is_refused(kind: str, status: int) -> None:
    request = Request(method="PUT", path="/", headers={"content-type": kind}, body=b'{"a": 1}')
    if not status:
        assert request.json() == {"a": 1}
    else:
        with pytest.raises(Problem) as refused:
            request.json()
        assert refused.value.status == status


def test_an_empty_body_is_nothing() -> None:
    assert Request(method="POST", path="/", body=b" \n").json() is None


def test_a_form_gives_the_first_of_each_field() -> None:
    assert Request(method="POST", path="/", body=b"a=1&a=2&b=%C3%A9").form() == {"a": "1", "b": "é"}
    assert Request(method="POST", path="/", body=b"\xff").form() == {}


def test_a_client_that_does_not_send_its_body_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manara.server.request.READ_S", 0.05)

    async def never() -> Any:
        await anyio.sleep_forever()

    async def go() -> None:
        await read_request(scope(), never)

    with pytest.raises(Problem, match="did not come within"):
        anyio.run(go)
