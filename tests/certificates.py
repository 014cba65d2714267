"""Certificates that sign themselves, made anew for each run of the tests: no key lies in the project."""

import datetime
import ipaddress
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509.oid import NameOID

from manara import clock


@cache
def pem_of(name: str) -> str:
    """Return a certificate for 127.0.0.1 in that name, and its key, as PEM; the same for the same name."""
    key = ec.generate_private_key(ec.SECP256R1())
    owner = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    day = datetime.timedelta(days=1)
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(owner, owner, key.public_key(), x509.random_serial_number())
        .not_valid_before(clock.now() - day)
        .not_valid_after(clock.now() + day)
        .add_extension(here, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return (certificate.public_bytes(Encoding.PEM) + private).decode()


def locked(pem: str, password: str) -> str:
    """Return the PEM text with its key under a password."""
    key = load_pem_private_key(pem.encode(), None)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.encode()))
    return pem.split("-----BEGIN PRIVATE KEY", maxsplit=1)[0] + private.decode()


def pfx_of(pem: str, password: str) -> bytes:
    """Return the certificate and its key as a PFX file, under a password unless that is empty."""
    key = load_pem_private_key(pem.encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    lock = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    certificate = x509.load_pem_x509_certificate(pem.encode())
    return pkcs12.serialize_key_and_certificates(None, key, certificate, None, lock)
