"""An SSH server for tests: asyncssh in a thread, with one user who has a password and a key, in a folder of its own."""

import asyncio
import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncssh

USER, PASSWORD = "bob", "open sesame"


@dataclass(frozen=True, kw_only=True)
class SftpPeer:
    """Where the server listens; `key` is the user's private key, locked by the password, in Base64 as ADF has it."""

    port: int
    folder: Path
    fingerprint: str
    md5: str
    key: str
    hang_up: Callable[[], None]


class _Login(asyncssh.SSHServer):
    def __init__(self, key: asyncssh.SSHKey, lines: list[asyncssh.SSHServerConnection]) -> None:
        self.key = key
        self.lines = lines

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.lines.append(conn)

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == USER and key.public_data == self.key.public_data


@contextmanager
def sftp_serving(folder: Path) -> Iterator[SftpPeer]:
    """Run the server for the length of the `with` block."""
    host, user = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    locked = user.export_private_key("openssh", passphrase=PASSWORD, rounds=50)
    loop = asyncio.new_event_loop()
    lines: list[asyncssh.SSHServerConnection] = []

    async def start() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=lambda: _Login(user, lines),
            server_host_keys=[host],
            sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=str(folder).encode()),
        )

    async def hang_up() -> None:
        while lines:
            line = lines.pop()
            line.abort()
            await line.wait_closed()

    async def stop(acceptor: asyncssh.SSHAcceptor) -> None:
        acceptor.close()
        await acceptor.wait_closed()
        await hang_up()

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    acceptor = asyncio.run_coroutine_threadsafe(start(), loop).result(30)
    try:
        yield SftpPeer(
            port=acceptor.get_port(),
            folder=folder,
            md5=host.get_fingerprint("md5"),
            hang_up=lambda: asyncio.run_coroutine_threadsafe(hang_up(), loop).result(30),
            fingerprint=f"ssh-ed25519 256 {host.get_fingerprint()}",
            key=base64.b64encode(locked).decode(),
        )
    finally:
        asyncio.run_coroutine_threadsafe(stop(acceptor), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
