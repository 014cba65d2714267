"""Signing in as Azure's clients do it: what they must know first, and the token endpoint, with its errors."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from manara import clock
from manara.server.answer import Answer
from manara.server.identity.assertions import Refused, Used, check_assertion
from manara.server.identity.guard import Guard
from manara.server.identity.keys import Keys
from manara.server.identity.people import NoSignIn, Person, Provider
from manara.server.identity.principals import knows
from manara.server.identity.tokens import LIFE_S, MANAGEMENT, audience_of, host_of, issue
from manara.server.request import Request
from manara.store.journal import Journal
from manara.store.principals import USER, Principal, principal_named, principal_of_app, principal_of_object

_METADATA = re.compile(r"/(?P<tenant>[\w.-]{1,80})(/[\w.-]{1,80})?(/v2\.0)?/\.well-known/openid-configuration", re.I)
_KEYS = re.compile(r"/[\w.-]{1,80}(/[\w.-]{1,80})?/discovery(/v2\.0)?/keys", re.I)
_TOKEN = re.compile(r"/(?P<tenant>[\w.-]{1,80})(/[\w.-]{1,80})?/oauth2(/v2\.0)?/token", re.I)
_DISCOVERY = "/common/discovery/instance"
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_PERSON = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class NoToken(Exception):
    """A request for a token that is refused: the status, OAuth's error, Azure's number, and a sentence."""

    def __init__(self, status: int, error: str, number: int, told: str, wait_s: float = 0) -> None:
        super().__init__(told)
        self.status = status
        self.error = error
        self.number = number
        self.told = told
        self.wait_s = wait_s


@dataclass
class Endpoints:
    """The endpoints of one server. `tenant` is the one that tokens are for; clients may name any in the path."""

    keys: Keys
    tenant: str
    provider: Provider | None = None
    guard: Guard = field(default_factory=Guard)
    used: Used = field(default_factory=Used)

    def answer(self, request: Request, journal: Journal) -> Answer | None:
        """Answer a request to one of the endpoints; None for any other."""
        path = request.path.rstrip("/")
        if request.method in ("GET", "HEAD"):
            if found := _METADATA.fullmatch(path):
                return Answer(body=self._metadata(request.base, path[: found.end("tenant")], path))
            if _KEYS.fullmatch(path):
                return Answer(body={"keys": [key.as_jwk() for key in self.keys.all()]})
            if path.lower() == _DISCOVERY:
                return Answer(body=_discovery(request))
        if request.method == "POST" and _TOKEN.fullmatch(path):
            return self._token(request, journal)
        return None

    def _metadata(self, base: str, place: str, path: str) -> dict[str, Any]:
        home = f"{base}{place}"
        version = "/v2.0" if "/v2.0/" in path else ""
        return {
            "token_endpoint": f"{home}/oauth2{version}/token",
            "authorization_endpoint": f"{home}/oauth2{version}/authorize",
            "jwks_uri": f"{home}/discovery{version}/keys",
            "issuer": f"{home}{version}",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic", "private_key_jwt"],
            "response_types_supported": ["token"],
            "grant_types_supported": ["client_credentials", "password", _PERSON],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "tenant_region_scope": None,
            "cloud_instance_name": "microsoftonline.com",
        }

    def _token(self, request: Request, journal: Journal) -> Answer:
        try:
            return Answer(body=self._give(request, journal))
        except NoToken as refused:
            return _refusal(refused)

    def _give(self, request: Request, journal: Journal) -> dict[str, Any]:
        form = {**request.form(), **_basic(request)}
        grant = form.get("grant_type", "")
        audience = form.get("resource") or audience_of(form.get("scope", "")) or MANAGEMENT[0]
        if grant == "client_credentials":
            principal = self._program(form, request, audience, journal)
            token = issue(self.keys, principal, audience, self.tenant)
        elif grant == "password":
            principal = self._user(form, request.address, journal)
            token = issue(self.keys, principal, audience, self.tenant, form.get("client_id", ""))
        elif grant == _PERSON:
            principal = self._person(form, journal)
            token = issue(self.keys, principal, audience, self.tenant, form.get("client_id", ""))
        elif not grant:
            raise NoToken(400, "invalid_request", 900144, "The request body must contain: 'grant_type'.")
        else:
            raise NoToken(400, "unsupported_grant_type", 70003, f"The grant type '{grant[:80]}' is not supported.")
        return {
            "token_type": "Bearer",
            "expires_in": LIFE_S - 1,
            "ext_expires_in": LIFE_S - 1,
            "access_token": token,
            "resource": audience,
        }

    def _program(self, form: Mapping[str, str], request: Request, audience: str, journal: Journal) -> Principal:
        """Return the service principal that has proved itself by a secret or a signed assertion."""
        client = form.get("client_id", "")
        if not client:
            raise NoToken(400, "invalid_request", 900144, "The request body must contain: 'client_id'.")
        self._wait(client, request.address)
        principal = principal_of_app(journal, client)
        if "client_assertion" in form:
            self._assertion(form, client, principal, request, audience)
        else:
            self._secret(client, principal, form.get("client_secret", ""), request.address)
        if principal is None:
            told = f"Application with identifier '{client[:80]}' was not found in the directory '{self.tenant}'."
            raise NoToken(400, "unauthorized_client", 700016, told)
        return _able(principal)

    def _secret(self, client: str, principal: Principal | None, secret: str, address: str) -> None:
        why = knows(principal, secret)
        if not why:
            self.guard.succeeded(client, address)
            return
        self.guard.failed(client, address)
        if principal is None:
            told = f"Application with identifier '{client[:80]}' was not found in the directory '{self.tenant}'."
            raise NoToken(400, "unauthorized_client", 700016, told)
        if why == "expired":
            told = f"The provided client secret keys for app '{client[:80]}' are expired."
            raise NoToken(401, "invalid_client", 7000222, told)
        told = (
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
            f"not the client secret ID, for a secret added to app '{client[:80]}'."
        )
        raise NoToken(401, "invalid_client", 7000215, told)

    def _assertion(
        self, form: Mapping[str, str], client: str, principal: Principal | None, request: Request, audience: str
    ) -> None:
        if form.get("client_assertion_type") != _ASSERTION:
            raise NoToken(400, "invalid_request", 900144, f"The client_assertion_type must be '{_ASSERTION}'.")
        hosts = {host_of(request.base), "login.microsoftonline.com", "login.microsoft.com", "login.windows.net"}
        try:
            claims = check_assertion(form["client_assertion"], client, principal.keys if principal else (), hosts)
        except Refused as refused:
            self.guard.failed(client, request.address)
            raise NoToken(401, "invalid_client", 700027, str(refused)) from refused
        if not self.used.take(client.lower(), claims["jti"], float(claims["exp"]), audience, request.address):
            raise NoToken(401, "invalid_client", 700024, "The client assertion was used already.")
        self.guard.succeeded(client, request.address)

    def _user(self, form: Mapping[str, str], address: str, journal: Journal) -> Principal:
        """Return the user who has given his password."""
        name = form.get("username", "")
        self._wait(name, address)
        principal = principal_named(journal, name)
        user = principal if principal and principal.kind == USER else None
        if knows(user, form.get("password", "")):
            self.guard.failed(name, address)
            told = "Error validating credentials due to invalid username or password."
            raise NoToken(400, "invalid_grant", 50126, told)
        self.guard.succeeded(name, address)
        return _able(user) if user else self._nobody()

    def _person(self, form: Mapping[str, str], journal: Journal) -> Principal:
        """Return the user whom the ID token of the outside provider names, by subject or checked address."""
        if self.provider is None:
            told = "No outside provider of sign-ins is set: identity.issuer and identity.audience."
            raise NoToken(400, "unsupported_grant_type", 70003, told)
        try:
            person: Person = self.provider.person(form.get("assertion", ""))
        except NoSignIn as refused:
            raise NoToken(400, "invalid_grant", 50027, str(refused)) from refused
        for name in (person.email, person.subject):
            found = principal_named(journal, name) if name else None
            if found and found.kind == USER:
                return _able(found)
        return self._nobody()

    def _nobody(self) -> Principal:
        raise NoToken(400, "invalid_grant", 50034, "The user account is not known here.")

    def _wait(self, name: str, address: str) -> None:
        wait_s = self.guard.wait_s(name, address)
        if wait_s > 0:
            told = "There were too many wrong attempts. Wait, and try again."
            raise NoToken(429, "invalid_client", 50196, told, wait_s)


def still_able(journal: Journal, object_id: str) -> bool:
    """Say whether a principal that has a token is there, and not disabled."""
    found = principal_of_object(journal, object_id)
    return found is not None and not found.disabled


def _able(principal: Principal) -> Principal:
    if principal.disabled:
        raise NoToken(401, "invalid_client", 7000112, f"Application '{principal.app_id}' is disabled.")
    return replace(principal)


def _basic(request: Request) -> dict[str, str]:
    """Return client id and secret of the header Authorization, where they stand there."""
    kind, _, text = request.header("authorization").partition(" ")
    if kind.lower() != "basic":
        return {}
    try:
        client, _, secret = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return {}
    return {"client_id": client, "client_secret": secret}


def _discovery(request: Request) -> dict[str, Any]:
    asked = request.query.get("authorization_endpoint", "")
    tenant = asked.split("/")[3] if asked.count("/") > 2 else "common"  # https://host/tenant/...
    return {
        "tenant_discovery_endpoint": f"{request.base}/{tenant}/v2.0/.well-known/openid-configuration",
        "api-version": "1.1",
        "metadata": [
            {
                "preferred_network": "login.microsoftonline.com",
                "preferred_cache": "login.windows.net",
                "aliases": ["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"],
            }
        ],
    }


def _refusal(refused: NoToken) -> Answer:
    trace = clock.new_id()
    at = f"{clock.now():%Y-%m-%d %H:%M:%SZ}"
    told = f"AADSTS{refused.number}: {refused.told} Trace ID: {trace} Correlation ID: {trace} Timestamp: {at}"
    body = {
        "error": refused.error,
        "error_description": told,
        "error_codes": [refused.number],
        "timestamp": at,
        "trace_id": trace,
        "correlation_id": trace,
    }
    headers = {"Retry-After": str(max(1, round(refused.wait_s + 0.5)))} if refused.wait_s else {}
    return Answer(status=refused.status, body=body, headers=headers)
