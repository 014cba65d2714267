"""The gateway: leads Azure's hosts to the server, this machine to itself, and nothing else anywhere."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from manara.server.gateway import proxy
from manara.server.gateway.proxy import Gateway, serve_gateway


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Give back in capitals what comes, once it has all come."""
    writer.write((await reader.read()).upper())
    await writer.drain()
    writer.close()


@asynccontextmanager
async def gateway(**more: Any) -> AsyncIterator[tuple[int, int, Gateway]]:
    """Yield the port of a gateway and that of the server behind it."""
    behind = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = behind.sockets[0].getsockname()[1]
    held = Gateway(server=("127.0.0.1", port), **more)
    front = await asyncio.start_server(held.take, "127.0.0.1", 0, limit=proxy.MOST_HEAD_BYTES)
    async with behind, front:
        yield front.sockets[0].getsockname()[1], port, held
        await held.close()


async def say(port: int, first: bytes, then: bytes = b"") -> tuple[bytes, bytes]:
    """Return what the gateway answers to the first words, and what comes back for the rest."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(first)
    head = await reader.readuntil(b"\r\n\r\n")
    if then:
        writer.write(then)
        writer.write_eof()
    rest = await reader.read()
    writer.close()
    return head, rest


def go(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return asyncio.run(work())


@pytest.mark.parametrize("host", ["management.azure.com", "Login.MicrosoftOnline.com", "sts.windows.net"])
def test_azures_hosts_lead_to_the_server_and_both_ends_may_close(host: str) -> None:
    async def work() -> tuple[bytes, bytes]:
        async with gateway() as (port, _, _):
            return await say(port, f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}\r\n\r\n".encode(), b"hello")

    head, rest = go(work)
    assert (head[:12], rest) == (b"HTTP/1.1 200", b"HELLO")


def test_this_machine_is_reached_itself() -> None:
    async def work() -> tuple[bytes, bytes]:
        async with gateway() as (port, behind, _):
            return await say(port, f"CONNECT localhost:{behind} HTTP/1.1\r\n\r\n".encode(), b"hello")

    assert go(work)[1] == b"HELLO"


@pytest.mark.parametrize(
    ("first", "status"),
    [
        (b"CONNECT example.org:443 HTTP/1.1\r\n\r\n", b"403"),
        (b"CONNECT management.azure.com:22 HTTP/1.1\r\n\r\n", b"403"),
        (b"CONNECT management.azure.com.evil.org:443 HTTP/1.1\r\n\r\n", b"403"),
        (b"CONNECT 169.254.169.254:80 HTTP/1.1\r\n\r\n", b"403"),
        (b"CONNECT nonsense HTTP/1.1\r\n\r\n", b"403"),
        (b"CONNECT localhost:99999 HTTP/1.1\r\n\r\n", b"403"),
        (b"CONNECT localhost:1 HTTP/1.1\r\n\r\n", b"502"),
        (b"GET http://example.org/ HTTP/1.1\r\n\r\n", b"405"),
        (b"\x16\x03\x01\x00\r\n\r\n", b"405"),
        (b"CONNECT " + b"a" * 20_000, b"408"),
    ],
)
def test_every_other_way_is_closed_with_a_sentence(first: bytes, status: bytes) -> None:
    async def work() -> tuple[bytes, bytes]:
        async with gateway() as (port, _, _):
            return await say(port, first)

    head, rest = go(work)
    assert head[9:12] == status
    assert rest.endswith(b".\n")


def test_a_host_may_be_allowed() -> None:
    told = Gateway(server=("h", 1), allowed=["Data.HumData.org"]).place("data.humdata.org:443", is_near=False)
    assert told == ("data.humdata.org", 443)


def test_another_machine_does_not_reach_this_one_through_it() -> None:
    assert Gateway(server=("h", 1)).place("localhost:5432", is_near=False) is None
    assert Gateway(server=("h", 1)).place("management.azure.com:443", is_near=False) == ("h", 1)


def test_a_client_that_says_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "HEAD_S", 0.05)

    async def work() -> tuple[bytes, bytes]:
        async with gateway() as (port, _, _):
            return await say(port, b"CONNECT manage")

    assert go(work)[0][9:12] == b"408"


def test_too_many_at_once_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "MOST_CONNECTIONS", 0)

    async def work() -> tuple[bytes, bytes]:
        async with gateway() as (port, _, _):
            return await say(port, b"CONNECT management.azure.com:443 HTTP/1.1\r\n\r\n")

    assert go(work)[0][9:12] == b"503"


def test_a_connection_that_is_silent_for_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "IDLE_S", 0.05)

    async def work() -> tuple[bytes, bytes]:
        async with gateway() as (port, _, _):
            return await say(port, b"CONNECT management.azure.com:443 HTTP/1.1\r\n\r\n")

    assert go(work)[1] == b""


def test_when_told_to_stop_it_ends_what_is_open() -> None:
    async def work() -> bytes:
        behind = await asyncio.start_server(echo, "127.0.0.1", 0)
        listening = socket.create_server(("127.0.0.1", 0))
        port, stop = listening.getsockname()[1], asyncio.Event()
        serving = asyncio.create_task(serve_gateway(listening, behind.sockets[0].getsockname()[:2], stop))
        async with behind:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"CONNECT management.azure.com:443 HTTP/1.1\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            stop.set()
            await serving
            rest = await reader.read()
            writer.close()
        return rest

    assert go(work) == b""


def test_nothing_that_a_client_sends_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        async with gateway() as (port, _, _):
            head = b"CONNECT management.azure.com:443 HTTP/1.1\r\nProxy-Authorization: Basic c2VjcmV0\r\n\r\n"
            await say(port, head, b"hello")
            await say(port, head.replace(b"azure", b"example"))

    with caplog.at_level(0):
        go(work)
    assert "c2VjcmV0" not in caplog.text
