"""People who sign in with another OpenID Connect provider: its ID tokens, checked with the keys that it publishes."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import jwt

from manara import clock
from manara.errors import Transient
from manara.server.identity.tokens import MOST_LETTERS, check_times

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384"]
FETCH_S = 10
AGAIN_S = 60.0
"""How long after one fetch of the keys an unknown key starts no other: strangers must not make us ask for ever."""

_MOST_BYTES = 2**20


class NoSignIn(Exception):
    """An ID token that lets nobody in; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whom an ID token names: the subject at the issuer, and the address, where the provider has checked it."""

    subject: str
    email: str


def _fetch(address: str) -> Any:
    try:
        answer = httpx.get(address, timeout=FETCH_S, follow_redirects=False)
        answer.raise_for_status()
        if len(answer.content) > _MOST_BYTES:
            raise ValueError("too large")
        return answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise Transient(
            f"The sign-in provider gave no answer that can be read: {type(error).__name__}.",
            where=address,
            advice="Check the setting identity.issuer, and whether the provider can be reached.",
        ) from error


@dataclass
class Provider:
    """A provider of sign-ins, by its issuer, and the audience (client id) that its ID tokens for us have."""

    issuer: str
    audience: str
    fetch: Callable[[str], Any] = _fetch
    _keys: dict[str, Any] = field(default_factory=dict)
    _fetched: float = field(default=float("-inf"))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def person(self, text: str) -> Person:
        """Return whom an ID token names. Raises NoSignIn for one that is not good, Transient without the provider."""
        if len(text) > MOST_LETTERS:
            raise NoSignIn("The ID token is too long.")
        try:
            claims = self._opened(text)
        except jwt.ExpiredSignatureError as error:
            raise NoSignIn("The ID token has expired.") from error
        except (jwt.PyJWTError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise NoSignIn("The ID token is not one of the provider for this server.") from error
        verified = claims.get("email_verified") is True
        email = claims.get("email") if verified else ""
        return Person(subject=claims["sub"], email=email if isinstance(email, str) else "")

    def _opened(self, text: str) -> dict[str, Any]:
        header = jwt.get_unverified_header(text)
        if header.get("alg") not in ALGORITHMS:
            raise jwt.InvalidAlgorithmError("not taken")
        key = self._key(str(header.get("kid", "")))
        options: Any = {
            "require": ["iss", "sub", "aud", "exp", "iat"],
            **dict.fromkeys(("verify_exp", "verify_nbf", "verify_iat"), False),
        }
        claims: dict[str, Any] = jwt.decode(
            text, key, algorithms=ALGORITHMS, audience=self.audience, issuer=self.issuer, options=options
        )
        check_times(claims, "nbf", "iat")
        if not isinstance(claims["sub"], str) or not claims["sub"]:
            raise jwt.DecodeError("no subject")
        return claims

    def _key(self, key_id: str) -> Any:
        with self._lock:
            now = clock.now().timestamp()
            if key_id not in self._keys and now - self._fetched >= AGAIN_S:
                self._keys = self._published()
                self._fetched = now
        return self._keys[key_id]

    def _published(self) -> dict[str, Any]:
        told = self.fetch(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        if not isinstance(told, dict) or told.get("issuer") != self.issuer or "jwks_uri" not in told:
            raise NoSignIn("The provider does not describe itself as the issuer that is set.")
        held = self.fetch(str(told["jwks_uri"]))
        return {str(key.key_id or ""): key.key for key in jwt.PyJWKSet.from_dict(held).keys}
