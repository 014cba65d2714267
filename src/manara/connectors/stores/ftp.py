"""The linked service FtpServer: the files of an FTP server, over TLS unless it is told not to."""

import contextlib
import ftplib
import re
import secrets
import ssl
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, BinaryIO, TypeVar

from manara import clock
from manara.connectors.stores.drawn import drawn
from manara.connectors.stores.pool import Pool, shared
from manara.connectors.stores.remote import NO_TIME, UNFINISHED, RemoteStore, file_info, folder_info, no_file, port_of
from manara.errors import ManaraError, NotAllowed, SourceMissing, Transient, WrongDefinition
from manara.plugin.connection import FileInfo, LinkedServiceGiven, connector
from manara.secret import masked, read_secret

T = TypeVar("T")

_WAIT_S = 60
_CHUNK_BYTES = 1 << 18
_TRIES = 3
_LOST = (OSError, EOFError, ftplib.error_temp, ftplib.error_proto)
_UNIX = re.compile(r"([dl-])\S{9}\S?\s+\d+\s+\S+\s+\S+\s+(\d+)\s+(\w{3})\s+(\d+)\s+([\d:]+)\s(.+)")
_DOS = re.compile(r"(\d\d)-(\d\d)-(\d{2,4})\s+(\d\d):(\d\d)([AP]M)\s+(<DIR>|\d+)\s+(.+)", re.IGNORECASE)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@connector("FtpServer", can={"read", "write", "list", "delete"})
def ftp(given: LinkedServiceGiven) -> RemoteStore:
    """Return the files below the folder in which the FTP user begins.

    `enableSsl` and `enableServerCertificateValidation` are true unless the linked service says otherwise. Rule
    source: https://learn.microsoft.com/azure/data-factory/connector-ftp
    """
    said, where = given.properties, f"linked service '{given.name}'"
    host = str(said.get("host") or "").strip()
    if not host:
        raise WrongDefinition("FtpServer needs typeProperties.host.", where=where)
    is_basic = str(said.get("authenticationType") or "").lower() == "basic" or bool(said.get("userName"))
    password = said.get("password")
    server = _Server(
        host=host,
        port=port_of(said.get("port"), 21, where),
        user=read_secret(said.get("userName") or "", where).open() if is_basic else "anonymous",
        password=read_secret(password, where).open() if password and is_basic else "",
        is_secure=str(said.get("enableSsl", True)).lower() != "false",
        checks_server=str(said.get("enableServerCertificateValidation", True)).lower() != "false",
    )
    made = Pool(connect=server.connect, close=_close, answers=(ftplib.error_perm, ManaraError), lost=_LOST)
    remote = Ftp(where=f"ftp://{server.host}:{server.port}", pool=shared(server, lambda: made))
    return RemoteStore(remote=remote, renames=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Server:
    """What a connection is made of; equal where all of it is equal."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    is_secure: bool
    checks_server: bool

    def connect(self) -> ftplib.FTP:
        where = f"ftp://{self.host}:{self.port}"
        client = _SecureFtp(context=_trust(self.checks_server)) if self.is_secure else ftplib.FTP()  # noqa: S321
        try:
            client.connect(self.host, self.port, timeout=_WAIT_S)
            client.login(self.user, self.password)
            if isinstance(client, ftplib.FTP_TLS):
                client.prot_p()
            client.voidcmd("TYPE I")
        except ftplib.error_perm as error:
            _close(client)
            advice = "Look at user and password, and whether the server knows TLS (enableSsl: false is without)."
            raise NotAllowed(f"The server does not let in: {_words(error)}.", where=where, advice=advice) from None
        except ssl.SSLCertVerificationError as error:
            _close(client)
            raise NotAllowed(f"The server's certificate is not trusted: {error.verify_message}.", where=where) from None
        except _LOST as error:
            _close(client)
            raise Transient(f"The server cannot be reached: {_words(error)}.", where=where) from error
        return client


class _SecureFtp(ftplib.FTP_TLS):
    """FTP over TLS that goes on with its session for the data, which many servers insist on."""

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[Any, int | None]:
        line, size = ftplib.FTP.ntransfercmd(self, cmd, rest)  # noqa: S321 # it is wrapped in TLS below
        session = self.sock.session if isinstance(self.sock, ssl.SSLSocket) else None
        return self.context.wrap_socket(line, server_hostname=self.host, session=session), size


@cache
def _trust(checks_server: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not checks_server:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@dataclass(frozen=True, slots=True, kw_only=True)
class Ftp:
    """The files of one user on one server."""

    where: str
    pool: Pool[ftplib.FTP]

    def info(self, path: str) -> FileInfo | None:
        return self._run(path, lambda client: _info(client, path))

    def list(self, folder: str) -> list[FileInfo] | None:
        def work(client: ftplib.FTP) -> list[FileInfo] | None:
            if folder:
                facts = _info(client, folder)
                if facts is None or not facts.is_folder:
                    return None
            return _entries(client, folder)

        return self._run(folder, work)

    def open(self, path: str) -> BinaryIO:
        info = self.info(path)
        if info is None or info.is_folder:
            raise no_file(path, self.where)
        return drawn(self._chunks(path, info.size_bytes))

    def _chunks(self, path: str, size_bytes: int) -> Generator[bytes, None, None]:
        """Yield the file; where the line is lost, go on from there with another one."""
        position, tries = 0, 0
        while True:
            client, _ = self.pool.take()
            try:
                client.voidcmd("TYPE I")  # a list is a text, and in that way the ends of lines would be changed
                line = client.transfercmd(f"RETR {path}", rest=position or None)
                with line:
                    while data := line.recv(_CHUNK_BYTES):
                        position, tries = position + len(data), 0
                        yield data
                client.voidresp()
                if position < size_bytes:
                    raise EOFError(f"{position} of {size_bytes} bytes came")
            except ftplib.error_perm as error:
                _close(client)
                raise self._refused(path, error) from None
            except _LOST as error:
                _close(client)
                tries += 1
                if tries == _TRIES:
                    raise self._gone(error) from error
            except BaseException:
                _close(client)
                raise
            else:
                self.pool.give_back(client)
                return

    def upload(self, path: str, content: BinaryIO, size_bytes: int) -> None:
        def work(client: ftplib.FTP) -> None:
            content.seek(0)
            folder = path.rpartition("/")[0]
            unfinished = f"{folder}/{UNFINISHED}{secrets.token_hex(8)}".lstrip("/")
            _make_folders(client, folder)
            try:
                client.storbinary(f"STOR {unfinished}", content, _CHUNK_BYTES)
                told = client.size(unfinished) if size_bytes else 0
                if told is not None and told != size_bytes:
                    raise ftplib.error_temp(f"451 {told} of {size_bytes} bytes arrived")  # noqa: S321 # an error, no call
                _rename(client, unfinished, path)
            except BaseException:
                with contextlib.suppress(Exception):
                    client.delete(unfinished)
                raise

        self._run(path, work)

    def delete(self, path: str) -> None:
        self._run(path, lambda client: _delete(client, path, _info(client, path)))

    def _run(self, path: str, work: Callable[[ftplib.FTP], T]) -> T:
        if "\r" in path or "\n" in path:
            raise NotAllowed("A path of an FTP server cannot hold the end of a line.", where=self.where)
        try:
            return self.pool.run(work)
        except ftplib.error_perm as error:
            raise self._refused(path, error) from None
        except _LOST as error:
            raise self._gone(error) from error

    def _refused(self, path: str, error: Exception) -> ManaraError:
        words = _words(error)
        if words.startswith("552") or "space" in words.lower() or "quota" in words.lower():
            return ManaraError(
                f"The disk of the server is full: '{path}' could not be written.",
                where=self.where,
                advice="Free some space there, and run it again.",
                code="UserErrorDiskFull",
            )
        if words.startswith("530") or re.search(r"permission|denied|not enough priv", words, re.IGNORECASE):
            return NotAllowed(f"This user may not reach '{path}': {words}.", where=self.where)
        if words.startswith("550"):
            return SourceMissing(f"The server has no '{path}' to give: {words}.", where=self.where)
        return WrongDefinition(f"The server refuses '{path}': {words}.", where=self.where)

    def _gone(self, error: BaseException) -> Transient:
        if isinstance(error, ftplib.error_temp) and "452" in _words(error)[:3]:
            return Transient(f"The server has no room just now: {_words(error)}.", where=self.where)
        return Transient(f"The line to the server is gone: {_words(error)}.", where=self.where)


def _info(client: ftplib.FTP, path: str) -> FileInfo | None:
    """Return what MLST says of the path, and where the server does not know that, SIZE, MDTM and CWD."""
    try:
        lines = client.sendcmd(f"MLST {path}").splitlines()
    except ftplib.error_perm as error:
        if not _is_unknown(error):
            return None
    else:
        facts = lines[1].strip().partition(" ")[0] if len(lines) > 2 else ""
        if "type=" in facts.lower():
            return _from_facts(path, dict(pair.lower().split("=", 1) for pair in facts.split(";") if "=" in pair))
    with contextlib.suppress(ftplib.error_perm):
        if (size := client.size(path)) is not None:
            return file_info(path, size, _written(client, path))
    return folder_info(path) if _is_folder(client, path) else None


def _is_folder(client: ftplib.FTP, path: str) -> bool:
    home = client.pwd()
    try:
        client.cwd(path)
    except ftplib.error_perm:
        return False
    client.cwd(home)
    return True


def _entries(client: ftplib.FTP, folder: str) -> list[FileInfo]:
    try:
        told = [(name, facts) for name, facts in client.mlsd(folder) if facts.get("type") in {"file", "dir"}]
        client.voidcmd("TYPE I")
        named = ((f"{folder}/{name}".strip("/"), facts) for name, facts in told)
        return [_from_facts(path, facts) for path, facts in named]
    except ftplib.error_perm as error:
        if not _is_unknown(error):
            raise
    return _listed(client, folder)


def _listed(client: ftplib.FTP, folder: str) -> list[FileInfo]:
    """Return what LIST shows, for servers without MLSD; the times of files are asked for one by one."""
    home, lines = client.pwd(), list[str]()
    if folder:
        client.cwd(folder)  # a path with a space in it would be taken for an option by some
    try:
        client.retrlines("LIST", lines.append)
        client.voidcmd("TYPE I")  # a list is a text, and sizes are told of bytes only
    finally:
        client.cwd(home)
    found = []
    for line in lines:
        kind, size, at, name = _line(line)
        path = f"{folder}/{name}".strip("/")
        if kind == "l":
            info = _info(client, path.split(" -> ")[0])
            found += [info] if info else []
        elif kind and name not in {".", ".."}:
            found.append(folder_info(path, at) if kind == "d" else file_info(path, size, _written(client, path) or at))
    return found


def _line(line: str) -> tuple[str, int, datetime, str]:
    """Return kind, size, time and name of a line of LIST as Unix or Windows servers write it; nothing for others."""
    if found := _UNIX.match(line):
        return found[1], int(found[2]), _unix_time(found[3], found[4], found[5]), found[6]
    if found := _DOS.match(line):
        month, day, year = int(found[1]), int(found[2]), int(found[3])
        hour = int(found[4]) % 12 + (12 if found[6].upper() == "PM" else 0)
        at = datetime(year if year > 99 else 2000 + year, month, day, hour, int(found[5]), tzinfo=UTC)
        is_folder = found[7].upper() == "<DIR>"
        return "d" if is_folder else "-", 0 if is_folder else int(found[7]), at, found[8]
    return "", 0, NO_TIME, ""


def _unix_time(month: str, day: str, rest: str) -> datetime:
    """Return the time of `Mar 5 2023` or `Mar 5 14:30`, the last one that is not in the future."""
    if month.lower() not in _MONTHS:
        return NO_TIME
    number = _MONTHS.index(month.lower()) + 1
    if ":" not in rest:
        return datetime(int(rest), number, int(day), tzinfo=UTC)
    hour, minute = map(int, rest.split(":"))
    now = clock.now()
    for year in (now.year, now.year - 1, now.year - 2, now.year - 3, now.year - 4):
        with contextlib.suppress(ValueError):  # the 29th of February
            at = datetime(year, number, int(day), hour, minute, tzinfo=UTC)
            if (at - now).days < 1:
                return at
    return NO_TIME


def _from_facts(path: str, facts: dict[str, str]) -> FileInfo:
    at = _moment(facts.get("modify", ""))
    return folder_info(path, at) if facts["type"] != "file" else file_info(path, int(facts.get("size", 0)), at)


def _written(client: ftplib.FTP, path: str) -> datetime:
    try:
        return _moment(client.sendcmd(f"MDTM {path}").split()[-1])
    except ftplib.error_perm:
        return NO_TIME


def _moment(text: str) -> datetime:
    try:
        return datetime.strptime(text.partition(".")[0], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return NO_TIME


def _make_folders(client: ftplib.FTP, folder: str) -> None:
    if not folder or _is_folder(client, folder):
        return
    _make_folders(client, folder.rpartition("/")[0])
    try:
        client.mkd(folder)
    except ftplib.error_perm:
        if not _is_folder(client, folder):  # another thread may have been faster
            raise


def _rename(client: ftplib.FTP, old: str, new: str) -> None:
    try:
        client.rename(old, new)
    except ftplib.error_perm:  # some servers do not put a file in the place of another
        client.delete(new)
        client.rename(old, new)


def _delete(client: ftplib.FTP, path: str, info: FileInfo | None) -> None:
    if info is None:
        return
    if not info.is_folder:
        client.delete(path)
        return
    for entry in _entries(client, path):
        _delete(client, entry.path, entry)
    client.rmd(path)


def _is_unknown(error: Exception) -> bool:
    return _words(error)[:3] in {"500", "501", "502", "504"}


def _words(error: BaseException) -> str:
    return masked(str(error)).rstrip(". ") or type(error).__name__


def _close(client: ftplib.FTP) -> None:
    with contextlib.suppress(Exception):
        client.close()
