"""Signing in without a secret: a program proves itself by a token that it has signed with its own key."""

import threading
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from manara import clock
from manara.errors import WrongDefinition
from manara.server.identity.tokens import MOST_LETTERS, check_times, host_of

LONGEST_S = 24 * 3600
"""How long an assertion may be good for."""

MOST_KEPT = 100_000
_ALGORITHMS = ["RS256", "PS256"]
_ENDPOINTS = ("/oauth2/v2.0/token", "/oauth2/token", "/v2.0", "/token")
_SMALLEST_BITS = 2048


class Refused(Exception):
    """An assertion that proves nothing; the text says why."""


@dataclass
class Used:
    """The assertions that were taken and have not expired.

    One is taken once for each audience, and from one address only: Azure's clients use one again for another audience.
    """

    _kept: OrderedDict[tuple[str, str], tuple[float, str, set[str]]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, client: str, jti: str, expires_s: float, audience: str, address: str) -> bool:
        """Note an assertion; say whether it is new."""
        key = (client, jti)
        with self._lock:
            self._forget(clock.now().timestamp())
            _, first, asked = self._kept.setdefault(key, (expires_s, address, set()))
            if first != address or audience in asked:
                return False
            asked.add(audience)
            return True

    def _forget(self, now_s: float) -> None:
        if len(self._kept) < MOST_KEPT:
            return
        for key in [key for key, (until, *_) in self._kept.items() if until < now_s]:
            del self._kept[key]
        while len(self._kept) >= MOST_KEPT:
            self._kept.popitem(last=False)


def check_assertion(text: str, client: str, keys: Sequence[str], hosts: Collection[str]) -> dict[str, Any]:
    """Return the claims of an assertion that one of the client's public keys has signed, for a token endpoint of ours.

    Raises Refused for one that is too long, signed with another key or algorithm, for somebody else, or not good now.
    """
    if len(text) > MOST_LETTERS:
        raise Refused("The client assertion is too long.")
    for key in keys:
        try:
            claims = _opened(text, key, client)
        except jwt.ExpiredSignatureError as error:
            raise Refused("The client assertion has expired.") from error
        except jwt.InvalidSignatureError:
            continue
        except (jwt.PyJWTError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise Refused("The client assertion is malformed, not valid yet or valid too long.") from error
        if not _is_for_us(claims["aud"], hosts):
            raise Refused("The client assertion has another audience than this token endpoint.")
        return claims
    raise Refused("The client assertion is signed with no key that is registered for the application.")


def read_public_key(text: str) -> str:
    """Return the RSA public key of a certificate or a key in PEM, as PEM. Raises WrongDefinition for anything else."""
    raw = text.encode()
    try:
        key: object = (
            x509.load_pem_x509_certificate(raw).public_key()
            if "BEGIN CERTIFICATE" in text
            else serialization.load_pem_public_key(raw)
        )
    except ValueError as error:
        raise _no_key("This is no certificate and no public key in PEM.") from error
    if not isinstance(key, RSAPublicKey) or key.key_size < _SMALLEST_BITS:
        raise _no_key(f"The key is no RSA key of at least {_SMALLEST_BITS} bits.")
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.PEM, form).decode()


def _opened(text: str, key: str, client: str) -> dict[str, Any]:
    public = serialization.load_pem_public_key(key.encode())
    if not isinstance(public, RSAPublicKey):
        raise jwt.InvalidKeyError("no RSA key")
    required = ["iss", "sub", "aud", "exp", "jti"]
    options: Any = {
        "require": required,
        **dict.fromkeys(("verify_aud", "verify_exp", "verify_nbf", "verify_iat", "verify_sub", "verify_jti"), False),
    }
    claims: dict[str, Any] = jwt.decode(text, public, algorithms=_ALGORITHMS, options=options)
    check_times(claims, "nbf", "iat")
    if claims["exp"] > clock.now().timestamp() + LONGEST_S:
        raise jwt.DecodeError("valid too long")
    if not all(isinstance(claims[name], str) for name in ("iss", "sub", "jti")) or not claims["jti"]:
        raise jwt.DecodeError("a claim is no text")
    if {claims["iss"].lower(), claims["sub"].lower()} != {client.lower()}:
        raise jwt.InvalidIssuerError("of somebody else")
    return claims


def _is_for_us(audience: Any, hosts: Collection[str]) -> bool:
    if not isinstance(audience, str) or host_of(audience) not in hosts:
        return False
    return urlsplit(audience).path.rstrip("/").endswith(_ENDPOINTS)


def _no_key(message: str) -> WrongDefinition:
    return WrongDefinition(message, advice="Make one: openssl req -x509 -newkey rsa:2048 -nodes -days 365.")
