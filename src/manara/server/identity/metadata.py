"""What clients ask before they sign in: where to, with which keys the tokens are signed, and whether we are a cloud."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from manara.server.answer import Answer
from manara.server.identity.keys import Keys
from manara.server.request import Request

LOGIN_HOSTS = ("login.microsoftonline.com", "login.microsoft.com", "login.windows.net", "sts.windows.net")
ADFS = "adfs"

ENDINGS = {
    ("v2.0", ".well-known", "openid-configuration"): "metadata",
    (".well-known", "openid-configuration"): "metadata",
    ("discovery", "instance"): "instance",
    ("discovery", "v2.0", "keys"): "keys",
    ("discovery", "keys"): "keys",
    ("oauth2", "v2.0", "token"): "token",
    ("oauth2", "token"): "token",
    ("oauth2", "v2.0", "devicecode"): "elsewhere",
    ("oauth2", "devicecode"): "elsewhere",
    ("oauth2", "v2.0", "authorize"): "elsewhere",
    ("oauth2", "authorize"): "elsewhere",
}
"""The ends of the paths of a sign-in service, behind one tenant, `adfs`, or `adfs` and a tenant."""


def place_of(path: str) -> tuple[str, str, str] | None:
    """Return what a path asks for, its tenant, and what stands before the ending; None for what is something else.

    >>> place_of("/Contoso/oauth2/v2.0/token")
    ('token', 'Contoso', '/Contoso')
    >>> place_of("/adfs/.well-known/openid-configuration")
    ('metadata', 'adfs', '/adfs')
    """
    parts = [part for part in path.split("/") if part]
    folded = [part.lower() for part in parts]
    if len(parts) == 3 and folded[1] == "userrealm":
        return "realm", parts[0], f"/{parts[0]}"
    for ending, name in ENDINGS.items():
        before = len(parts) - len(ending)
        if tuple(folded[max(before, 0) :]) == ending and (before == 1 or (before == 2 and folded[0] == ADFS)):
            return name, parts[before - 1], "".join(f"/{part}" for part in parts[:before])
    return None


def openid(request: Request, before: str, tenant: str) -> Answer:
    """Answer with the endpoints of the sign-in service, under the host that the client knows."""
    root = f"{request.base}{before}"
    is_new = "/v2.0/" in request.path.lower()
    version = "/v2.0" if is_new else ""
    issuer = f"https://login.microsoftonline.com/{tenant}/v2.0" if is_new else f"https://sts.windows.net/{tenant}/"
    told = {
        "issuer": issuer,
        "token_endpoint": f"{root}/oauth2{version}/token",
        "authorization_endpoint": f"{root}/oauth2{version}/authorize",
        "device_authorization_endpoint": f"{root}/oauth2{version}/devicecode",
        "jwks_uri": f"{root}/discovery{version}/keys",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic", "private_key_jwt"],
        "grant_types_supported": ["client_credentials", "password", "urn:ietf:params:oauth:grant-type:jwt-bearer"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "scopes_supported": ["openid", "profile"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "oid", "tid", "name"],
        "tenant_region_scope": None,
        "cloud_instance_name": "microsoftonline.com",
    }
    return Answer(body=told)


def instance(request: Request) -> Answer:
    """Answer that the authority is a cloud, and where it describes itself."""
    asked = urlsplit(request.query.get("authorization_endpoint", "")).path.split("/")
    tenant = asked[1] if len(asked) > 1 and asked[1] else "common"
    own = urlsplit(request.base).netloc
    names = list(dict.fromkeys((*LOGIN_HOSTS, own)))
    told = {
        "tenant_discovery_endpoint": f"{request.base}/{tenant}/v2.0/.well-known/openid-configuration",
        "api-version": "1.1",
        "metadata": [{"preferred_network": own, "preferred_cache": "login.windows.net", "aliases": names}],
    }
    return Answer(body=told)


def realm(request: Request) -> Answer:
    """Answer that a person signs in here by password, whoever it is: nobody learns who is known."""
    name = request.path.rstrip("/").rpartition("/")[2]
    told = {
        "ver": "1.0",
        "account_type": "Managed",
        "domain_name": name.rpartition("%40")[2].rpartition("@")[2],
        "cloud_instance_name": "microsoftonline.com",
        "cloud_audience_urn": "urn:federation:MicrosoftOnline",
    }
    return Answer(body=told)


def key_set(keys: Keys, tenant: str) -> Answer:
    """Answer with the public keys whose tokens are good."""
    found: list[Mapping[str, Any]] = [
        {**key.as_jwk(), "issuer": f"https://login.microsoftonline.com/{tenant}/v2.0"} for key in keys.all()
    ]
    return Answer(body={"keys": found})
