"""The authority of an installation: made once, seen by nobody else, trusted by the real clients for Azure's names."""

import shutil
import socket
import ssl
import stat
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from manara import clock
from manara.errors import NotAllowed
from manara.server.gateway.authority import new_authority, pem_of, read_pair, sign
from manara.server.gateway.certificates import Certificates, certificates, server_certificate
from manara.server.gateway.hosts import AZURE_HOSTS


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def tls_server(found: Certificates) -> Iterator[int]:
    """Serve TLS that answers every request with `ok`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(found.server)
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(connection, server_side=True) as secure:
                    secure.recv(65536)
                    secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
            except OSError:
                connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


def connected(port: int, context: ssl.SSLContext, name: str) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", port))
    try:
        return context.wrap_socket(plain, server_hostname=name)
    except ssl.SSLError:
        plain.close()
        raise


def read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_keys_are_for_the_owner_only(tmp_path: Path) -> None:
    certificates(tmp_path)
    folder = tmp_path / "tls"
    assert (mode(folder), mode(folder / "authority.key"), mode(folder / "server.pem")) == (0o700, 0o600, 0o600)
    assert {each.name for each in folder.iterdir() if each.name.startswith(".")} == {".lock"}


def test_they_are_made_once(tmp_path: Path) -> None:
    def found() -> dict[str, bytes]:
        certificates(tmp_path)
        return {each.name: each.read_bytes() for each in (tmp_path / "tls").iterdir()}

    assert found() == found()


def test_several_processes_at_once_make_one_authority(tmp_path: Path) -> None:
    script = """
        import sys, pathlib
        from manara.server.gateway.certificates import certificates
        print(certificates(pathlib.Path(sys.argv[1])).authority.read_text())"""
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)]
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda _: subprocess.check_output(command), range(4)))
    assert len(set(told)) == 1


def test_a_certificate_that_runs_out_is_renewed_by_the_same_authority(tmp_path: Path) -> None:
    first = certificates(tmp_path)
    authority, old = first.authority.read_bytes(), first.server.read_bytes()
    with clock.frozen(read(first.server).not_valid_after_utc - timedelta(days=29)):
        certificates(tmp_path)
    assert first.server.read_bytes() != old
    assert first.authority.read_bytes() == authority


def test_an_authority_that_runs_out_is_made_anew_with_what_hangs_on_it(tmp_path: Path) -> None:
    first = certificates(tmp_path)
    old = first.authority.read_bytes()
    with clock.frozen(read(first.authority).not_valid_after_utc - timedelta(days=29)):
        certificates(tmp_path)
    assert read(first.server).issuer == read(first.authority).subject
    assert old not in first.bundle.read_bytes()
    assert first.authority.read_bytes() in first.bundle.read_bytes()


@pytest.mark.parametrize("text", [b"", b"no key", sign(new_authority()).as_pem()])
def test_a_server_certificate_that_is_broken_or_of_another_authority_is_replaced(tmp_path: Path, text: bytes) -> None:
    found = certificates(tmp_path)
    found.server.write_bytes(text)
    certificates(tmp_path)
    assert read(found.server).issuer == read(found.authority).subject


def test_an_authority_that_others_can_read_is_refused(tmp_path: Path) -> None:
    certificates(tmp_path)
    (tmp_path / "tls" / "authority.key").chmod(0o644)
    with pytest.raises(NotAllowed, match="can read the key"):
        certificates(tmp_path)


def test_the_authority_may_sign_for_azure_and_this_machine_only(tmp_path: Path) -> None:
    allowed = read(certificates(tmp_path).authority).extensions.get_extension_for_class(x509.NameConstraints)
    names = {each.value for each in allowed.value.permitted_subtrees or () if isinstance(each, x509.DNSName)}
    assert (allowed.critical, names) == (True, {*AZURE_HOSTS, "localhost"})


def test_the_bundle_holds_what_the_system_trusts_and_does_not_grow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = tmp_path / "system.pem"
    system.write_bytes(pem_of(new_authority().certificate))
    monkeypatch.setenv("SSL_CERT_FILE", str(system))
    found = certificates(tmp_path)
    text = found.bundle.read_bytes()
    assert text == system.read_bytes() + found.authority.read_bytes()
    monkeypatch.setenv("SSL_CERT_FILE", str(found.bundle))
    assert certificates(tmp_path).bundle.read_bytes().count(b"BEGIN") >= 1
    assert certificates(tmp_path).bundle.read_bytes().count(found.authority.read_bytes()) == 1


def test_the_server_loads_what_it_is_given(tmp_path: Path) -> None:
    certificate, key = server_certificate(tmp_path)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", *AZURE_HOSTS])
def test_python_trusts_it_for_each_name(tmp_path: Path, name: str) -> None:
    found = certificates(tmp_path)
    context = ssl.create_default_context(cafile=str(found.bundle))
    with tls_server(found) as port, connected(port, context, name) as secure:
        secure.sendall(b"x")
        assert secure.recv(99).endswith(b"ok")


@pytest.mark.parametrize("name", ["example.org", "evil.windows.net"])
def test_python_trusts_nothing_else_that_the_authority_signs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    found = certificates(tmp_path)
    thief = read_pair((tmp_path / "tls" / "authority.key").read_bytes())
    assert thief is not None
    monkeypatch.setattr("manara.server.gateway.authority.NAMES", (name,))
    found.server.write_bytes(sign(thief).as_pem())
    context = ssl.create_default_context(cafile=str(found.bundle))
    with tls_server(found) as port, pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        connected(port, context, name)


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_curl_trusts_it(tmp_path: Path) -> None:
    found = certificates(tmp_path)
    with tls_server(found) as port:
        to = f"management.azure.com:443:127.0.0.1:{port}"
        command = ["curl", "-sS", "--cacert", str(found.bundle), "--connect-to", to, "https://management.azure.com/"]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "ok"


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
def test_node_trusts_it(tmp_path: Path) -> None:
    found = certificates(tmp_path)
    script = """
        require('tls').connect({port: +process.argv[1], host: '127.0.0.1', servername: 'management.azure.com'},
            function () { console.log(this.authorized); this.end('x') })"""
    with tls_server(found) as port:
        done = subprocess.run(
            ["node", "-e", script, str(port)],
            env={"NODE_EXTRA_CA_CERTS": str(found.authority), "PATH": "/usr/bin:/usr/local/bin:/bin"},
            capture_output=True,
            text=True,
            check=True,
        )
    assert done.stdout.strip() == "true"
