"""The gateway: a CONNECT proxy that leads the host names of Azure to this server, and every other one nowhere."""

import asyncio
import contextlib
import socket
from collections.abc import Collection
from dataclasses import dataclass, field
from ipaddress import ip_address

from manara.server.gateway.hosts import AZURE_HOSTS, LOOPBACK

MOST_HEAD_BYTES = 16 * 1024
HEAD_S = 10.0
"""How long a client may take to say where it wants to go, and the other end to take the connection."""

IDLE_S = 600.0
"""How long a connection may be silent in both directions."""

LINGER_S = 1.0
"""How long a client that is refused has to hear it."""

MOST_CONNECTIONS = 500
_TLS = 443
_CHUNK_BYTES = 64 * 1024
_BLANK = b"\r\n\r\n"


@dataclass(kw_only=True)
class Gateway:
    """Leads connections to Azure's hosts to the TLS port of this server; `allowed` hosts are reached themselves.

    A client on this machine may reach any port of this machine, for those that send everything through a proxy.
    """

    server: tuple[str, int]
    allowed: Collection[str] = ()
    _open: set[asyncio.Task[None]] = field(default_factory=set)

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        task = asyncio.current_task()
        try:
            if task is None or len(self._open) >= MOST_CONNECTIONS:
                await _refuse(
                    reader, writer, "503 Service Unavailable", "Too many connections are open: close some first."
                )
                return
            self._open.add(task)
            await self._lead(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # it went away
        finally:
            self._open.discard(task) if task else None
            writer.close()

    async def close(self) -> None:
        """End every connection that is open."""
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await _head(reader)
        if head is None:
            await _refuse(
                reader, writer, "408 Request Timeout", "Say where to go in one request of at most 16 kB, and soon."
            )
            return
        method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
        target = rest.partition(" ")[0]
        if method.upper() != "CONNECT":
            told = "The gateway only leads TLS connections on (CONNECT): use an https address, or no proxy."
            await _refuse(reader, writer, "405 Method Not Allowed", told)
            return
        place = self.place(target, is_near=_is_near(writer))
        if place is None:
            await _refuse(reader, writer, "403 Forbidden", _not_there(target))
            return
        await _join(reader, writer, place)

    def place(self, target: str, *, is_near: bool) -> tuple[str, int] | None:
        """Return where a connection to `host:port` leads; None where it leads nowhere.

        `is_near`: the client is on this machine.
        """
        host, _, digits = target.rpartition(":")
        host = host.removeprefix("[").removesuffix("]").removesuffix(".").lower()
        if not (digits.isascii() and digits.isdecimal() and 0 < int(digits[:6]) < 2**16):
            return None
        port = int(digits[:6])
        if host in AZURE_HOSTS:
            return self.server if port == _TLS else None
        is_allowed = host in {each.lower() for each in self.allowed} or (is_near and host in LOOPBACK)
        return (host, port) if is_allowed else None


async def serve_gateway(
    listening: socket.socket, server: tuple[str, int], stop: asyncio.Event, allowed: Collection[str] = ()
) -> None:
    """Lead connections that come to the bound socket to the TLS `server` (host, port), until `stop` is set.

    Those that are open then are ended. Hosts in `allowed` are reached themselves.
    """
    gateway = Gateway(server=server, allowed=allowed)
    front = await asyncio.start_server(gateway.take, sock=listening, limit=MOST_HEAD_BYTES)
    try:
        await stop.wait()
    finally:
        front.close()
        await gateway.close()


async def _head(reader: asyncio.StreamReader) -> bytes | None:
    """Return the head of a request; None where it is too long or takes too long."""
    try:
        async with asyncio.timeout(HEAD_S):
            return await reader.readuntil(_BLANK)
    except (TimeoutError, asyncio.LimitOverrunError):
        return None


def _is_near(writer: asyncio.StreamWriter) -> bool:
    peer = writer.get_extra_info("peername")
    return bool(peer) and ip_address(str(peer[0]).partition("%")[0]).is_loopback


def _not_there(target: str) -> str:
    shown = "".join(each for each in target[:80] if each.isprintable())
    return (
        f"The gateway leads to Azure's management hosts and to this machine, not to '{shown}'. To reach another host "
        "through it, name it in the setting server.gateway_allowed; to reach it without, in NO_PROXY."
    )


async def _join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, place: tuple[str, int]) -> None:
    """Lead one connection into another, until both directions have ended or both are silent for long."""
    try:
        async with asyncio.timeout(HEAD_S):
            there, onward = await asyncio.open_connection(*place)
    except (OSError, TimeoutError):
        await _refuse(reader, writer, "502 Bad Gateway", f"'{place[0]}' does not answer on port {place[1]}.")
        return
    try:
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        async with asyncio.timeout(IDLE_S) as limit, asyncio.TaskGroup() as both:
            both.create_task(_pour(reader, onward, limit))
            both.create_task(_pour(there, writer, limit))
    except (TimeoutError, ExceptionGroup):
        pass  # silent for long, or one end is gone: so is the other
    finally:
        onward.close()


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: asyncio.Timeout) -> None:
    """Hand on what comes, and then the end of it, while the other direction may go on."""
    while chunk := await reader.read(_CHUNK_BYTES):
        limit.reschedule(asyncio.get_running_loop().time() + IDLE_S)
        writer.write(chunk)
        await writer.drain()
    writer.write_eof()


async def _refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, status: str, told: str) -> None:
    """Say why not, and take what the client has sent already: a line that is closed before loses the answer."""
    body = f"{told}\n".encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(LINGER_S):
            writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
            writer.write_eof()
            while await reader.read(_CHUNK_BYTES):
                pass
