"""The certificates of a home, in its folder `tls`: made once, for the owner's eyes only, and renewed in time.

Nothing of it goes into a store of the system: only a client that is told of the bundle trusts the authority.
"""

import contextlib
import fcntl
import os
import secrets
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from manara.errors import NotAllowed
from manara.server.gateway.authority import Pair, new_authority, pem_of, read_pair, sign

FOLDER = "tls"
_SYSTEM = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora and its kin
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # macOS, the BSDs
)
"""Where systems keep whom they trust, if Python does not know it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """Files: the authority's certificate, the server's certificate with its key, and all that clients shall trust."""

    authority: Path
    server: Path
    bundle: Path


def certificates(home: Path) -> Certificates:
    """Return the certificates of a home; what is missing, broken or about to run out is made first.

    Processes that ask at once get the same ones. Raises NotAllowed where others than the owner can read the key.
    """
    folder = home / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = places(home)
    with _alone(folder):
        authority = _authority(folder / "authority.key")
        _put(found.authority, pem_of(authority.certificate), 0o644)
        if not _is_kept(found.server, authority):
            _put(found.server, sign(authority).as_pem(), 0o600)
        _put(found.bundle, _trusted(found.bundle) + pem_of(authority.certificate), 0o644)
    return found


def places(home: Path) -> Certificates:
    """Return where the certificates of a home lie, whether they are made or not."""
    folder = home / FOLDER
    return Certificates(authority=folder / "authority.pem", server=folder / "server.pem", bundle=folder / "bundle.pem")


def server_certificate(home: Path) -> tuple[Path, Path]:
    """Return the files of the server's certificate and of its key; both are made if need be."""
    server = certificates(home).server
    return server, server


def _authority(path: Path) -> Pair:
    """Return the authority in the file, or a new one where it is missing, broken, old, or not for all our names."""
    if path.exists():
        if path.stat().st_mode & 0o077:
            raise NotAllowed(
                "Others on this machine can read the key of the certificate authority, and so pass for Azure.",
                where=str(path),
                advice="Remove the file: a new authority is made at the next start.",
            )
        kept = read_pair(path.read_bytes())
        if kept and kept.is_good() and kept.may_sign_all():
            return kept
    made = new_authority()
    _put(path, made.as_pem(), 0o600)
    return made


def _is_kept(path: Path, authority: Pair) -> bool:
    kept = read_pair(path.read_bytes()) if path.exists() else None
    return kept is not None and kept.is_good() and authority.has_signed(kept)


def _trusted(own: Path) -> bytes:
    """Return what the system trusts, in PEM; never our own bundle, which a process that we started has as its system's.

    A client whose bundle is replaced by ours loses none of those whom it trusted.
    """
    told = ssl.get_default_verify_paths()
    for name in (told.cafile, told.openssl_cafile, *_SYSTEM):
        if name and Path(name).is_file() and Path(name).resolve() != own.resolve():
            return Path(name).read_bytes().rstrip() + b"\n"
    return b"".join(ssl.DER_cert_to_PEM_cert(each).encode() for each in _loaded())


def _loaded() -> list[bytes]:
    return ssl.create_default_context().get_ca_certs(binary_form=True)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let no other process make certificates in the folder meanwhile."""
    with (folder / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _put(path: Path, data: bytes, mode: int) -> None:
    """Write a file whole or not at all, for the eyes that the mode allows from the start; the same text is left."""
    if path.exists() and path.read_bytes() == data:
        return
    beside = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
