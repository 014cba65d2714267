"""Secrets and passwords: made long and random, and kept as scrypt hashes that say how they were made."""

import base64
import hashlib
import hmac
import secrets

COST, BLOCK, LANES = 2**14, 8, 1
"""What one guess costs: 16 MB of memory, and about 50 ms."""

_SCHEME = "scrypt"
_SALT_BYTES = 16
_HASH_BYTES = 32
_SECRET_BYTES = 32
_MOST_MEMORY = 128 * 2**20
_MOST_LETTERS = 4096


def new_secret() -> str:
    """Return a new secret: 43 random letters."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def hashed(secret: str) -> str:
    """Return what is kept of a secret: the scheme with its costs, a salt and the hash."""
    salt = secrets.token_bytes(_SALT_BYTES)
    costs = f"{COST}:{BLOCK}:{LANES}"
    return "$".join((_SCHEME, costs, _text(salt), _text(_scrypt(secret, salt, COST, BLOCK, LANES))))


def fits(secret: str, kept: str) -> bool:
    """Say whether the secret is the one whose hash is kept; how long that takes does not tell how near it is."""
    try:
        scheme, costs, salt, digest = kept.split("$")
        cost, block, lanes = map(int, costs.split(":"))
        wanted, seed = base64.b64decode(digest), base64.b64decode(salt)
    except ValueError:
        return False
    if scheme != _SCHEME or len(secret) > _MOST_LETTERS:
        return False
    return hmac.compare_digest(_scrypt(secret, seed, cost, block, lanes), wanted)


def fits_none(secret: str) -> bool:
    """Take the time of `fits` for somebody who is not known, so that the time does not tell that he is not."""
    fits(secret, _NOBODY)
    return False


def _scrypt(secret: str, salt: bytes, cost: int, block: int, lanes: int) -> bytes:
    text = secret.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(text, salt=salt, n=cost, r=block, p=lanes, maxmem=_MOST_MEMORY, dklen=_HASH_BYTES)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


_NOBODY = "$".join((_SCHEME, f"{COST}:{BLOCK}:{LANES}", _text(bytes(_SALT_BYTES)), _text(bytes(_HASH_BYTES))))
