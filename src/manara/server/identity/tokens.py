"""Access tokens, as Azure's: who somebody is, for an hour, signed with a key of this server."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import jwt

from manara import clock
from manara.server.answer import Problem
from manara.server.identity.keys import Key, Keys
from manara.store.principals import USER, Principal

LIFE_S = 3600
LEEWAY_S = 30
"""By how much the clocks of two servers on one store may differ."""

MOST_LETTERS = 16 * 2**10
MANAGEMENT = ("https://management.azure.com", "https://management.core.windows.net")
"""The resources that stand for this API; a slash at the end changes nothing."""

_EVER = 2**40
_STORAGE_HOSTS = (".blob.core.windows.net", ".dfs.core.windows.net", ".queue.core.windows.net")
_NEW, _OLD = "https://login.microsoftonline.com/{}/v2.0", "https://sts.windows.net/{}/"
_WANTED = ["iss", "aud", "exp", "nbf", "iat", "oid", "appid", "tid"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token that was found good, and whom it names."""

    object_id: str
    app_id: str
    name: str
    expires_s: int


def issue(keys: Keys, principal: Principal, audience: str, tenant: str, app_id: str = "") -> str:
    """Return a token for the principal, good for an hour for who listens to the audience.

    `app_id` is the program that a person signs in with. Tokens for stores, and for the API, come from the older issuer,
    as in Azure: stand-ins of stores take no other.
    """
    now = int(clock.now().timestamp())
    is_user = principal.kind == USER
    is_old = is_storage(audience) or audience.rstrip("/").lower() in MANAGEMENT
    claims = {
        "iss": (_OLD if is_old else _NEW).format(tenant),
        "aud": audience,
        "tid": tenant,
        "oid": principal.object_id,
        "sub": principal.object_id,
        "appid": app_id or principal.app_id,
        "idtyp": "user" if is_user else "app",
        "iat": now,
        "nbf": now,
        "exp": now + LIFE_S,
        "ver": "1.0",
        "uti": clock.new_id(),
    }
    if is_user:
        named = dict.fromkeys(("upn", "unique_name", "name"), principal.name)
        claims |= {**named, "scp": "user_impersonation"}
    return signed(keys, claims)


def signed(keys: Keys, claims: Mapping[str, Any]) -> str:
    """Return claims as a token, signed with the newest key."""
    key = keys.signing
    return jwt.encode(dict(claims), key.private, algorithm="RS256", headers={"kid": key.id, "x5t": key.id})


def verify(keys: Keys, text: str, hosts: Collection[str] = ()) -> Token:
    """Return what a token for this API says. Raises Problem as Azure does for one that is not good, or not now.

    Its audience is Azure's management, or one of `hosts`: the names under which clients know this server.
    """
    if len(text) > MOST_LETTERS:
        raise bad_token("it is longer than any of ours")
    try:
        claims = _opened(keys, text)
    except jwt.ExpiredSignatureError as error:
        told = "The access token expiry UTC time is earlier than current UTC time."
        raise _refusal("ExpiredAuthenticationToken", told) from error
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise bad_token() from error
    if not _is_for_us(claims["aud"], hosts):
        raise _wrong_audience(claims["aud"])
    name = str(claims.get("upn") or claims["appid"])
    return Token(object_id=str(claims["oid"]), app_id=str(claims["appid"]), name=name, expires_s=int(claims["exp"]))


def check_times(claims: Mapping[str, Any], *names: str) -> None:
    """Check `exp` and the beginnings of validity by the clock that tests may hold. Raises what PyJWT would."""
    now = clock.now().timestamp()
    times = [claims[name] for name in ("exp", *names) if name in claims]
    if not all(isinstance(each, int | float) and not isinstance(each, bool) and each < _EVER for each in times):
        raise jwt.DecodeError("a time is no number")
    if max(times[1:], default=0) > now + LEEWAY_S:
        raise jwt.ImmatureSignatureError("not yet")
    if times[0] <= now - LEEWAY_S:
        raise jwt.ExpiredSignatureError("expired")


def audience_of(scope: str) -> str:
    """Return the resource that the scopes of a request ask for, or "" where they name none.

    >>> audience_of("openid https://management.azure.com/.default")
    'https://management.azure.com'
    >>> audience_of("https://management.core.windows.net//.default")
    'https://management.core.windows.net/'
    """
    asked = next((each for each in scope.split() if "://" in each), "")
    return asked.rpartition("/")[0] if re.search(r"[^/:]/[^/]", asked) or asked.endswith("/.default") else asked


def is_storage(audience: str) -> bool:
    """Say whether the audience is a store of Azure's: all of them, or one account."""
    host = host_of(audience)
    return host == "storage.azure.com" or host.endswith(_STORAGE_HOSTS)


def host_of(address: str) -> str:
    """Return the host of an address in lower case; empty where it has none."""
    try:
        return (urlsplit(address).hostname or "").lower()
    except ValueError:
        return ""


def missing_token() -> Problem:
    """Return the refusal of a request without a token."""
    return _refusal("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")


def bad_token(why: str = "") -> Problem:
    """Return the refusal of a token that is none of ours."""
    return _refusal("InvalidAuthenticationToken", f"The access token is invalid{': ' + why if why else ''}.")


def _opened(keys: Keys, text: str) -> dict[str, Any]:
    options: Any = {
        "require": _WANTED,
        **dict.fromkeys(("verify_aud", "verify_exp", "verify_nbf", "verify_iat"), False),
    }
    claims: dict[str, Any] = jwt.decode(text, _key_of(keys, text).public, algorithms=["RS256"], options=options)
    check_times(claims, "nbf", "iat")
    if claims["iss"] not in (_NEW.format(claims["tid"]), _OLD.format(claims["tid"])):
        raise jwt.InvalidIssuerError("another issuer")
    return claims


def _key_of(keys: Keys, text: str) -> Key:
    header = jwt.get_unverified_header(text)
    key = keys.get(str(header.get("kid", ""))) if header.get("alg") == "RS256" else None
    if key is None:
        raise jwt.InvalidKeyError("no key of ours")
    return key


def _is_for_us(audience: Any, hosts: Collection[str]) -> bool:
    if not isinstance(audience, str):
        return False
    return audience.rstrip("/").lower() in MANAGEMENT or host_of(audience) in hosts


def _wrong_audience(audience: Any) -> Problem:
    allowed = ", ".join(f"'{each}/'" for each in MANAGEMENT)
    told = (
        f"The access token has been obtained for wrong audience or resource '{str(audience)[:200]}'. It should exactly "
        f"match with one of the allowed audiences {allowed}."
    )
    return _refusal("InvalidAuthenticationTokenAudience", told)


def _refusal(code: str, message: str) -> Problem:
    told = re.sub(r'[^\x20-\x7e]|["\\]', "'", message)
    place = "https://login.microsoftonline.com/common"
    challenge = f'Bearer authorization_uri="{place}", error="invalid_token", error_description="{told}"'
    return Problem(401, code, message, headers={"WWW-Authenticate": challenge})
