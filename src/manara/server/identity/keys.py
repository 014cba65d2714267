"""The keys that sign tokens: one file in the home; the first key signs, all of them verify."""

import base64
import contextlib
import os
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key

from manara import clock
from manara.errors import WrongDefinition

BITS = 2048
KEPT = timedelta(hours=2)
"""How long a key that has been replaced still verifies: longer than a token lives."""

_END = "-----END PRIVATE KEY-----"
_REPLACED = "Replaced: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One RSA key; `id` is the digest of its public part. `replaced` is when another took its place."""

    id: str
    private: RSAPrivateKey
    replaced: datetime | None = None

    @property
    def public(self) -> RSAPublicKey:
        """The part that everybody may know."""
        return self.private.public_key()

    def as_jwk(self) -> dict[str, str]:
        """Return the public part as it stands in a key set."""
        numbers = self.public.public_numbers()
        return {
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self.id,
            "x5t": self.id,
            "n": _number(numbers.n),
            "e": _number(numbers.e),
        }


@dataclass
class Keys:
    """The keys in the file `path`, the newest first; it is made with mode 0600 when first needed.

    The file is read again when it changes, so that a running server takes a new key at once.
    """

    path: Path
    _read: tuple[Any, list[Key]] = field(default=(None, []))

    @property
    def signing(self) -> Key:
        """The key for new tokens."""
        return self.all()[0]

    def all(self) -> list[Key]:
        """Return every key whose tokens are good. Raises WrongDefinition for a file that holds something else."""
        since = clock.now() - KEPT
        return [key for key in self._held() if key.replaced is None or key.replaced > since]

    def get(self, key_id: str) -> Key | None:
        """Return the key of an id; None where there is none whose tokens are good."""
        return next((key for key in self.all() if key.id == key_id), None)

    def replace(self) -> Key:
        """Put a new key before the others, and return it. What the old one signed stays good until it expires."""
        now = clock.stamp(clock.now())
        old = [f"{_REPLACED}{clock.stamp(key.replaced) if key.replaced else now}\n{_pem(key)}" for key in self.all()]
        beside = self.path.with_suffix(f".{os.getpid()}.{secrets.token_hex(4)}")
        write_private(beside, "".join([new_key(), *old]))
        beside.replace(self.path)
        return self.signing

    def _held(self) -> list[Key]:
        if not self.path.exists():
            write_private(self.path, new_key())
        found = self.path.stat()
        state = (found.st_mtime_ns, found.st_size, found.st_ino)
        if self._read[0] != state:
            self._read = (state, _read(self.path))
        return self._read[1]


def new_key() -> str:
    """Return a new private key in PEM."""
    return _pem(Key(id="", private=generate_private_key(public_exponent=65_537, key_size=BITS)))


def write_private(path: Path, text: str) -> bool:
    """Write a file that only its owner may read, whole or not at all; False where it is there already."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_suffix(f".{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(beside, path)
            return True
        return False
    finally:
        beside.unlink()


def _read(path: Path) -> list[Key]:
    parts = path.read_text(encoding="ascii", errors="replace").split(_END)[:-1]
    try:
        found = [_key(part + _END) for part in parts]
    except ValueError as error:
        raise _no_key(path) from error
    if not found:
        raise _no_key(path)
    return found


def _key(text: str) -> Key:
    before, begin, pem = text.strip().partition("-----BEGIN")
    replaced = clock.parse(before.strip().removeprefix(_REPLACED)) if before.strip() else None
    private = serialization.load_pem_private_key((begin + pem).encode(), None)
    if not isinstance(private, RSAPrivateKey):
        raise ValueError("no RSA key")  # noqa: TRY004 # the file is wrong, not the call
    return Key(id=_id(private.public_key()), private=private, replaced=replaced)


def _pem(key: Key) -> str:
    kind = serialization.PrivateFormat.PKCS8
    return key.private.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption()).decode()


def _id(public: RSAPublicKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    raw = public.public_bytes(serialization.Encoding.DER, form)
    return base64.urlsafe_b64encode(sha256(raw).digest()[:20]).rstrip(b"=").decode()


def _number(value: Any) -> str:
    raw = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _no_key(path: Path) -> WrongDefinition:
    return WrongDefinition(
        "The file holds no private RSA keys in PEM.",
        where=str(path),
        advice="Put it back from a copy, or move it away: a new key is made, and everybody asks for a new token.",
    )
