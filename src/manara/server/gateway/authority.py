"""Certificates: an authority that may vouch for Azure's hosts and this machine only, and what it vouches for.

Every client that trusts the authority takes whoever holds its key for Azure. So the names that it may sign are bound
(RFC 5280, 4.2.1.10), which Python, Node and curl obey: with a stolen key nobody can pass for a bank.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address, ip_network

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from manara import clock
from manara.server.gateway.hosts import AZURE_HOSTS

NAMES = (*AZURE_HOSTS, "localhost")
ADDRESSES = ("127.0.0.1", "::1")

RENEW_BEFORE = timedelta(days=30)
_AUTHORITY_LIFE = timedelta(days=3650)
_SERVER_LIFE = timedelta(days=397)
"""What clients that count the days take at most."""

_EARLIER = timedelta(days=1)
"""A clock that is a little slow still finds a new certificate valid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def as_pem(self) -> bytes:
        """Return both in PEM, the key first."""
        form = serialization.PrivateFormat.PKCS8
        key = self.key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        return key + pem_of(self.certificate)

    def is_good(self) -> bool:
        """Say whether the two go together and last a while yet."""
        until = self.certificate.not_valid_after_utc
        return self.key.public_key() == self.certificate.public_key() and until > clock.now() + RENEW_BEFORE

    def may_sign_all(self) -> bool:
        """Say whether this is an authority for every name that the server has."""
        found = self.certificate.extensions.get_extension_for_class(x509.NameConstraints).value
        return set(NAMES) <= {each.value for each in found.permitted_subtrees or ()}

    def has_signed(self, other: "Pair") -> bool:
        """Say whether the other certificate is one of this authority, for every name that the server has."""
        names = other.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        is_ours = other.certificate.issuer == self.certificate.subject
        return is_ours and set(NAMES) <= set(names.get_values_for_type(x509.DNSName))


def read_pair(pem: bytes) -> Pair | None:
    """Return the pair in a PEM text; None where the text is broken or holds something else."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
        certificate = x509.load_pem_x509_certificate(pem)
    except (ValueError, TypeError):
        return None
    return Pair(certificate=certificate, key=key) if isinstance(key, ec.EllipticCurvePrivateKey) else None


def new_authority() -> Pair:
    """Return a new authority, with a name that no other has."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _named(f"Manara on this machine {secrets.token_hex(4)}")
    allowed = [x509.DNSName(host) for host in NAMES]
    addresses = [x509.IPAddress(ip_network(text)) for text in ADDRESSES]
    builder = (
        _builder(name, key, _AUTHORITY_LIFE)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.NameConstraints([*allowed, *addresses], None), critical=True)
    )
    return Pair(certificate=builder.sign(key, hashes.SHA256()), key=key)


def sign(authority: Pair) -> Pair:
    """Return a new certificate for all names of the server."""
    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.DNSName(host) for host in NAMES]
    addresses = [x509.IPAddress(ip_address(text)) for text in ADDRESSES]
    signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    builder = (
        _builder(_named("localhost"), key, _SERVER_LIFE)
        .issuer_name(authority.certificate.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([*names, *addresses]), critical=False)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(signer, critical=False)
    )
    return Pair(certificate=builder.sign(authority.key, hashes.SHA256()), key=key)


def pem_of(certificate: x509.Certificate) -> bytes:
    """Return a certificate in PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(name: x509.Name, key: ec.EllipticCurvePrivateKey, life: timedelta) -> x509.CertificateBuilder:
    now = clock.now()
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
