"""The linked service Sftp: the files of an SSH server."""

import base64
import binascii
import contextlib
import errno
import hashlib
import io
import secrets
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import paramiko

from manara.connectors.stores.pool import Pool, shared
from manara.connectors.stores.ranged import FIRST_BYTES, ranged
from manara.connectors.stores.remote import UNFINISHED, RemoteStore, file_info, folder_info, no_file, port_of
from manara.errors import ManaraError, NotAllowed, Transient, WrongDefinition
from manara.plugin.connection import FileInfo, LinkedServiceGiven, connector
from manara.secret import Secret, read_secret

_WAIT_S = 30
_PIECE_BYTES = 32_768
_LOST = (paramiko.SSHException, EOFError, ConnectionError, TimeoutError)
_KEYS: tuple[type[paramiko.PKey], ...] = (paramiko.Ed25519Key, paramiko.RSAKey, paramiko.ECDSAKey)


@connector("Sftp", can={"read", "write", "list", "delete"})
def sftp(given: LinkedServiceGiven) -> RemoteStore:
    """Return the files that the user of the SSH server sees.

    A path counts from the user's home, and where its first part is not there, from the server's root. Auth is Basic,
    SshPublicKey or MultiFactor. Rule source: https://learn.microsoft.com/azure/data-factory/connector-sftp
    """
    server = _server(given)
    made = Pool(connect=server.connect, close=_close, answers=(_Answer,), lost=_LOST)
    remote = Sftp(where=f"sftp://{server.host}:{server.port}", pool=shared(server, lambda: made))
    return RemoteStore(remote=remote, renames=True)


class _Answer(Exception):
    """What the server said to a request, as the cause; the line is as good as before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Server:
    """What a connection is made of; equal where all of it is equal."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    key: str = field(repr=False)
    passphrase: str = field(repr=False)
    fingerprint: str

    @property
    def where(self) -> str:
        return f"sftp://{self.host}:{self.port}"

    def connect(self) -> paramiko.SFTPClient:
        with contextlib.ExitStack() as undo:
            try:
                line = socket.create_connection((self.host, self.port), timeout=_WAIT_S)
                undo.callback(line.close)
                transport = paramiko.Transport(line)
                undo.callback(transport.close)
                self._offer_only_the_named_key(transport)
                transport.start_client(timeout=_WAIT_S)
                self._check_host(transport.get_remote_server_key())
                self._log_in(transport)
                client = paramiko.SFTPClient.from_transport(transport)
            except paramiko.AuthenticationException:
                raise NotAllowed(
                    f"The server does not let the user '{self.user}' in.",
                    where=self.where,
                    advice="Look at the user name, the password and the key.",
                ) from None
            except (OSError, EOFError, paramiko.SSHException) as error:
                raise Transient(f"The server cannot be reached: {error}.", where=self.where) from error
            if client is None:
                raise NotAllowed("The server has no SFTP for this user.", where=self.where)
            if (channel := client.get_channel()) is not None:
                channel.settimeout(_WAIT_S * 2)
            undo.pop_all()
            return client

    def _log_in(self, transport: paramiko.Transport) -> None:
        left: list[str] = []
        if self.key:
            left = transport.auth_publickey(self.user, _private_key(self.key, self.passphrase, self.where))
        if self.password and (not self.key or left):
            left = transport.auth_password(self.user, self.password)
        if left:
            raise paramiko.AuthenticationException("more is asked for")

    def _offer_only_the_named_key(self, transport: paramiko.Transport) -> None:
        """Ask for the kind of host key that the fingerprint is of, since a server may have several."""
        kind = self.fingerprint.split()[0] if " " in self.fingerprint else ""
        options = transport.get_security_options()
        wanted = [known for known in options.key_types if known == kind or (kind == "ssh-rsa" and "rsa-" in known)]
        if wanted:
            options.key_types = tuple(wanted)

    def _check_host(self, key: paramiko.PKey) -> None:
        if not self.fingerprint:
            return
        sha = base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")
        md5 = hashlib.md5(key.asbytes(), usedforsecurity=False).hexdigest()
        told = self.fingerprint.split()[-1]
        if told.removeprefix("SHA256:").rstrip("=") != sha and _plain(told.removeprefix("MD5:")) != md5:
            raise NotAllowed(
                "The server is not the one whose key is known: its fingerprint differs.",
                where=self.where,
                advice=f"If the server was changed, write: {key.get_name()} {key.get_bits()} SHA256:{sha}",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sftp:
    """The files of one user on one server."""

    where: str
    pool: Pool[paramiko.SFTPClient]

    def info(self, path: str) -> FileInfo | None:
        with self._told(path):
            return self.pool.run(lambda client: _info(path, _stat(client, _place(client, path))))

    def list(self, folder: str) -> list[FileInfo] | None:
        def work(client: paramiko.SFTPClient) -> list[FileInfo] | None:
            place = _place(client, folder)
            if folder and not _is_folder(_stat(client, place)):
                return None
            with _answered():
                entries = client.listdir_attr(place)
            found = []
            for entry in entries:
                facts = entry
                if stat.S_ISLNK(entry.st_mode or 0):
                    facts = _stat(client, f"{place}/{entry.filename}") or entry
                info = _info(f"{folder}/{entry.filename}".strip("/"), facts)
                found += [info] if info else []
            return found

        with self._told(folder):
            return self.pool.run(work)

    def open(self, path: str) -> BinaryIO:
        info = self.info(path)
        if info is None or info.is_folder:
            raise no_file(path, self.where)
        size = info.size_bytes
        return ranged(
            lambda start, count: self._fetch(path, start, count), size, self._fetch(path, 0, min(size, FIRST_BYTES))
        )

    def _fetch(self, path: str, start: int, count: int) -> bytes:
        """Return a range, whose pieces are all asked for at once."""
        pieces = [(at, min(_PIECE_BYTES, start + count - at)) for at in range(start, start + count, _PIECE_BYTES)]

        def work(client: paramiko.SFTPClient) -> bytes:
            with _answered():
                file = client.open(_place(client, path), "rb")
            with file:
                return b"".join(file.readv(pieces))

        with self._told(path):
            return self.pool.run(work) if pieces else b""

    def upload(self, path: str, content: BinaryIO, size_bytes: int) -> None:
        def work(client: paramiko.SFTPClient) -> None:
            content.seek(0)
            folder, _, name = _place(client, path).rpartition("/")
            unfinished = f"{folder}/{UNFINISHED}{secrets.token_hex(8)}"
            _make_folders(client, folder)
            try:
                with _answered():
                    client.putfo(content, unfinished, size_bytes)
                    _rename(client, unfinished, f"{folder}/{name}")
            except BaseException:
                with contextlib.suppress(Exception):
                    client.remove(unfinished)
                raise

        with self._told(path):
            self.pool.run(work)

    def delete(self, path: str) -> None:
        def work(client: paramiko.SFTPClient) -> None:
            place = _place(client, path)
            with _answered():
                _delete(client, place)

        with self._told(path):
            self.pool.run(work)

    @contextlib.contextmanager
    def _told(self, path: str) -> Iterator[None]:
        """Raise what the server or the line says as an error of ours."""
        try:
            yield
        except _Answer as answer:
            raise self._error(path, answer.__cause__) from answer.__cause__
        except _LOST as error:
            raise Transient(
                f"The line to the server is gone: {error or type(error).__name__}.", where=self.where
            ) from error

    def _error(self, path: str, cause: BaseException | None) -> ManaraError:
        if isinstance(cause, FileNotFoundError):
            return no_file(path, self.where)
        if isinstance(cause, PermissionError):
            return NotAllowed(f"This user may not reach '{path}'.", where=self.where, advice="Ask for the right.")
        if "space" in str(cause).lower() or "quota" in str(cause).lower():
            return ManaraError(
                f"The disk of the server is full: '{path}' could not be written.",
                where=self.where,
                advice="Free some space there, and run it again.",
                code="UserErrorDiskFull",
            )
        return WrongDefinition(f"The server refuses '{path}': {cause}.", where=self.where)


def _server(given: LinkedServiceGiven) -> _Server:
    said, where = given.properties, f"linked service '{given.name}'"

    def opened(name: str) -> str:
        value = said.get(name)
        return read_secret(value, f"{where} typeProperties.{name}").open() if value else ""

    host, user = str(said.get("host") or "").strip(), opened("userName")
    if not host or not user:
        raise WrongDefinition("Sftp needs typeProperties.host and userName.", where=where)
    key = _key_text(given, opened("privateKeyContent"), where)
    kind = str(said.get("authenticationType") or ("SshPublicKey" if key else "Basic")).lower()
    password = "" if kind == "sshpublickey" else opened("password")
    if kind not in {"basic", "sshpublickey", "multifactor"} or not (password or key):
        raise WrongDefinition(
            "Sftp needs a password or a key.",
            where=where,
            advice="authenticationType is Basic (password), SshPublicKey (privateKeyContent or privateKeyPath), or "
            "MultiFactor (both).",
        )
    fingerprint = str(said.get("hostKeyFingerprint") or "").strip()
    skips = str(said.get("skipHostKeyValidation", "")).lower() == "true"
    if not fingerprint and not skips:
        raise WrongDefinition(
            "Nothing says how to know the server.",
            where=where,
            advice="Give hostKeyFingerprint (ssh-keyscan shows the keys), or skipHostKeyValidation: true for a test.",
        )
    return _Server(
        host=host,
        port=port_of(said.get("port"), 22, where),
        user=user,
        password=password,
        key="" if kind == "basic" else key,
        passphrase=opened("passPhrase"),
        fingerprint="" if skips else fingerprint,
    )


def _key_text(given: LinkedServiceGiven, content: str, where: str) -> str:
    """Return the private key in OpenSSH's or PEM's form; the content may be packed in Base64, as ADF has it."""
    if path := given.properties.get("privateKeyPath"):
        try:
            return (given.root / Path(str(path)).expanduser()).read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError):
            raise WrongDefinition("The file of the private key cannot be read.", where=where) from None
    if not content or "-----BEGIN" in content:
        return content
    try:
        return base64.b64decode(content, validate=False).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        raise WrongDefinition("privateKeyContent is no Base64 text.", where=where) from None


def _private_key(text: str, passphrase: str, where: str) -> paramiko.PKey:
    for kind in _KEYS:
        with contextlib.suppress(paramiko.SSHException, ValueError, TypeError):
            return kind.from_private_key(io.StringIO(text), Secret(passphrase).open() or None)
    raise WrongDefinition(
        "The private key cannot be read.", where=where, advice="Give a key in OpenSSH's form, and its passPhrase."
    )


def _place(client: paramiko.SFTPClient, path: str) -> str:
    """Return where the path lies on the server; see `sftp`."""
    with _answered():
        home = client.normalize(".").rstrip("/")
    first = path.partition("/")[0]
    if home and first and _stat(client, f"{home}/{first}") is None and _stat(client, f"/{first}") is not None:
        return f"/{path}"
    return f"{home}/{path}".rstrip("/") or "/"


def _stat(client: paramiko.SFTPClient, place: str) -> paramiko.SFTPAttributes | None:
    try:
        return client.stat(place)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ENOTDIR or "not a directory" in str(error).lower():
            return None
        with _answered():
            raise


def _info(path: str, facts: paramiko.SFTPAttributes | None) -> FileInfo | None:
    if facts is None:
        return None
    at = datetime.fromtimestamp(facts.st_mtime or 0, UTC)
    return folder_info(path, at) if _is_folder(facts) else file_info(path, facts.st_size or 0, at)


def _is_folder(facts: paramiko.SFTPAttributes | None) -> bool:
    return facts is not None and stat.S_ISDIR(facts.st_mode or 0)


def _make_folders(client: paramiko.SFTPClient, folder: str) -> None:
    if not folder or _is_folder(_stat(client, folder)):
        return
    _make_folders(client, folder.rpartition("/")[0])
    with _answered():
        try:
            client.mkdir(folder)
        except OSError:
            if not _is_folder(_stat(client, folder)):  # another thread may have been faster
                raise


def _rename(client: paramiko.SFTPClient, old: str, new: str) -> None:
    try:
        client.posix_rename(old, new)
    except OSError as error:
        if "unsupported" not in str(error).lower():
            raise
        if _stat(client, new) is not None:
            client.remove(new)
        client.rename(old, new)


def _delete(client: paramiko.SFTPClient, place: str) -> None:
    try:
        facts = client.lstat(place)
    except FileNotFoundError:
        return
    if not _is_folder(facts):
        client.remove(place)
        return
    for entry in client.listdir(place):
        _delete(client, f"{place}/{entry}")
    client.rmdir(place)


@contextlib.contextmanager
def _answered() -> Iterator[None]:
    """Raise an error that the server answered with as what it is, so that the line is kept."""
    try:
        yield
    except (ConnectionError, TimeoutError):
        raise
    except OSError as error:
        if str(error) == "Socket is closed":  # as paramiko tells of a line that the server hung up
            raise ConnectionResetError(str(error)) from error
        raise _Answer from error


def _close(client: paramiko.SFTPClient) -> None:
    with contextlib.suppress(Exception):
        channel = client.get_channel()
        client.close()
        if channel is not None:
            channel.get_transport().close()


def _plain(fingerprint: str) -> str:
    return fingerprint.replace(":", "").replace("-", "").lower()
