"""The token endpoint: programs sign in by secret or by their own key, people by password or by another provider.

Errors have the form and the numbers of Azure's (AADSTS...), which its clients read.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

from manara import clock
from manara.errors import ManaraError
from manara.server.answer import Answer, Problem
from manara.server.identity.assertions import Refused, Used, check_assertion
from manara.server.identity.guard import Guard
from manara.server.identity.keys import Keys
from manara.server.identity.metadata import LOGIN_HOSTS, instance, key_set, openid, place_of, realm
from manara.server.identity.people import NoSignIn, Provider
from manara.server.identity.principals import knows
from manara.server.identity.tokens import LIFE_S, audience_of, issue, signed
from manara.server.limits import Limits
from manara.server.request import Request
from manara.store.journal import Journal
from manara.store.principals import SERVICE_PRINCIPAL, USER, Principal, principal_named, principal_of_app

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_CODES = {"invalid_client": 401}
REFUSALS = "refusals"
REFUSALS_A_MINUTE = 300
"""How many refusals of one address are written down in a minute: strangers must not fill the log."""


class Denied(Exception):
    """A request for a token that gets none. `number` is Azure's (7000215 becomes AADSTS7000215)."""

    def __init__(self, error: str, number: int, message: str, *, status: int = 0, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.error = error
        self.number = number
        self.message = message
        self.status = status or _CODES.get(error, 400)
        self.wait_s = wait_s


@dataclass
class SignIn:
    """The sign-in service of a server. `hosts` are the names under which clients know it; `note` keeps account."""

    keys: Keys
    tenant: str
    hosts: Collection[str] = LOOPBACK
    provider: Provider | None = None
    guard: Guard = field(default_factory=Guard)
    used: Used = field(default_factory=Used)
    refusals: Limits = field(default_factory=lambda: Limits({REFUSALS: REFUSALS_A_MINUTE}))

    def answer(self, request: Request, journal: Journal, note: Callable[[Mapping[str, Any]], None]) -> Answer | None:
        """Answer a request about signing in; None for any other."""
        found = place_of(request.path)
        if found is None:
            return None
        place, tenant, before = found
        tenant = tenant if _GUID.fullmatch(tenant) else self.tenant
        if place == "token" and request.method == "POST":
            return self._token(request, tenant, journal, note)
        if place in ("token", "elsewhere"):
            return _denial(_unsupported(request.path.rstrip("/").rpartition("/")[2]))
        told = {
            "instance": lambda: instance(request),
            "realm": lambda: realm(request),
            "keys": lambda: key_set(self.keys, tenant),
            "metadata": lambda: openid(request, before, tenant),
        }
        return told[place]()

    def _token(
        self, request: Request, tenant: str, journal: Journal, note: Callable[[Mapping[str, Any]], None]
    ) -> Answer:
        """Give a token, or say why not; both are written down, without what was sent."""
        form = _form(request)
        who = form.get("username") or form.get("client_id") or ""
        told = {"action": "Manara/signIn", "on": "/", "from": request.address, "grant": form.get("grant_type", "")[:80]}
        try:
            principal, body = self._sign_in(form, request.address, tenant, journal)
        except Denied as denied:
            try:
                self.refusals.take(request.address, REFUSALS)
            except Problem as problem:
                return _denial(_too_many(float(problem.headers["Retry-After"])))
            answer = _denial(denied)
            note({**told, "who": "", "name": who[:200], "status": answer.status, "code": f"AADSTS{denied.number}"})
            return answer
        note({**told, "who": principal.object_id, "name": principal.name, "status": 200, "code": ""})
        return Answer(body=body, headers={"Cache-Control": "no-store"})

    def _sign_in(
        self, form: Mapping[str, str], address: str, tenant: str, journal: Journal
    ) -> tuple[Principal, dict[str, Any]]:
        grant = _wanted(form, "grant_type")
        if grant == "client_credentials":
            client = _wanted(form, "client_id")
            audience = _audience(form)
            principal = self._guarded(client, address, lambda: self._program(form, client, address, journal))
        elif grant == "password":
            audience, name = _audience(form), _wanted(form, "username")
            password = _wanted(form, "password")
            principal = self._guarded(name, address, lambda: _person(journal, name, password))
        elif grant == JWT_BEARER:
            audience, text = _audience(form), _wanted(form, "assertion")
            principal = self._guarded(grant, address, lambda: self._known_elsewhere(journal, text))
        else:
            raise _unsupported(grant)
        return principal, self._given(principal, audience, tenant, form)

    def _guarded(self, name: str, address: str, check: Callable[[], Principal]) -> Principal:
        """Do a check unless too many have failed of late; note how it ended."""
        wait_s = self.guard.wait_s(name, address)
        if wait_s > 0:
            raise _too_many(wait_s)
        try:
            principal = check()
        except Denied as denied:
            if denied.status < 500:
                self.guard.failed(name, address)
            raise
        self.guard.succeeded(name, address)
        return principal

    def _program(self, form: Mapping[str, str], client: str, address: str, journal: Journal) -> Principal:
        principal = principal_of_app(journal, client)
        if principal is None or principal.kind != SERVICE_PRINCIPAL:
            raise Denied(
                "unauthorized_client",
                700016,
                f"Application with identifier '{client[:100]}' was not found in the directory '{self.tenant}'. This "
                "can happen if the application has not been installed by the administrator of the tenant.",
            )
        if form.get("client_assertion"):
            self._check_assertion(form, principal, address)
        elif form.get("client_secret"):
            _check_secret(principal, form["client_secret"])
        else:
            told = "'client_assertion' or 'client_secret' is required for the 'client_credentials' grant type."
            raise Denied("invalid_client", 7000216, told)
        if principal.disabled:
            raise Denied("unauthorized_client", 7000112, f"Application '{principal.app_id}' is disabled.")
        return principal

    def _check_assertion(self, form: Mapping[str, str], principal: Principal, address: str) -> None:
        if form.get("client_assertion_type") != ASSERTION:
            raise Denied("invalid_request", 900144, f"The 'client_assertion_type' must be '{ASSERTION}'.")
        hosts = (*self.hosts, *LOGIN_HOSTS)
        try:
            claims = check_assertion(form["client_assertion"], principal.app_id, principal.keys, hosts)
        except Refused as error:
            raise Denied("invalid_client", 700027, str(error)) from error
        if not self.used.take(principal.app_id, claims["jti"], claims["exp"], _audience(form), address):
            raise Denied("invalid_client", 700027, "The client assertion was used before.")

    def _known_elsewhere(self, journal: Journal, text: str) -> Principal:
        """Return the user whose name is the address, or the subject, that an ID token of the other provider names."""
        if self.provider is None:
            raise _unsupported(JWT_BEARER)
        try:
            person = self.provider.person(text)
        except NoSignIn as error:
            raise Denied("invalid_grant", 50013, str(error)) from error
        except ManaraError as error:
            told = "The other sign-in provider gives no answer."
            raise Denied("temporarily_unavailable", 90033, told, status=503, wait_s=5) from error
        # a subject that looks like an address may have been chosen by whoever has it
        names = [person.email, "" if "@" in person.subject else person.subject]
        found = (principal_named(journal, name) for name in names if name)
        principal = next((each for each in found if each and each.kind == USER), None)
        if principal is None or principal.disabled:
            told = "Nobody here has the address or the subject that the ID token names."
            raise Denied("invalid_grant", 50034, told)
        return principal

    def _given(self, principal: Principal, audience: str, tenant: str, form: Mapping[str, str]) -> dict[str, Any]:
        is_user = principal.kind == USER
        client = form.get("client_id", "") if is_user else principal.app_id
        client = client if _GUID.fullmatch(client) else principal.app_id
        now = int(clock.now().timestamp())
        told: dict[str, Any] = {
            "token_type": "Bearer",
            "expires_in": LIFE_S - 1,
            "ext_expires_in": LIFE_S - 1,
            "access_token": issue(self.keys, principal, audience, tenant, client),
        }
        if "resource" in form:
            told |= {"expires_on": str(now + LIFE_S), "not_before": str(now), "resource": form["resource"]}
        if is_user:
            told |= {"scope": form.get("scope", ""), **self._about(principal, client, tenant)}
        return told

    def _about(self, principal: Principal, client: str, tenant: str) -> dict[str, str]:
        """Return the ID token of a person, and what Azure's clients know an account by."""
        now = int(clock.now().timestamp())
        claims = {
            "iss": f"https://login.microsoftonline.com/{tenant}/v2.0",
            "aud": client,
            "sub": principal.object_id,
            "oid": principal.object_id,
            "tid": tenant,
            "name": principal.name,
            "preferred_username": principal.name,
            "ver": "2.0",
            **{"iat": now, "nbf": now, "exp": now + LIFE_S},
        }
        info = json.dumps({"uid": principal.object_id, "utid": tenant}).encode()
        about = base64.urlsafe_b64encode(info).decode().rstrip("=")
        return {"id_token": signed(self.keys, claims), "client_info": about}


def _check_secret(principal: Principal, secret: str) -> None:
    found = knows(principal, secret)
    app = principal.app_id
    if found == "expired":
        told = f"The provided client secret keys for app '{app}' are expired. Ask for a new one."
        raise Denied("invalid_client", 7000222, told)
    if found:
        told = (
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
            f"not the client secret ID, for a secret added to app '{app}'."
        )
        raise Denied("invalid_client", 7000215, told)


def _person(journal: Journal, name: str, password: str) -> Principal:
    principal = principal_named(journal, name)
    user = principal if principal and principal.kind == USER else None
    if knows(user, password) or user is None:
        raise Denied("invalid_grant", 50126, "Error validating credentials due to invalid username or password.")
    if user.disabled:
        raise Denied("invalid_grant", 50057, "The user account is disabled.")
    return user


def _form(request: Request) -> dict[str, str]:
    """Return the fields of the form; client id and secret may stand in the header instead."""
    form = request.form()
    kind, _, text = request.header("authorization").partition(" ")
    if kind.lower() == "basic":
        try:
            client, _, secret = base64.b64decode(text, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return form
        form = {"client_id": unquote_plus(client), "client_secret": unquote_plus(secret)} | form
    return {name: value for name, value in form.items() if value}


def _wanted(form: Mapping[str, str], name: str) -> str:
    value = form.get(name, "")
    if not value:
        told = f"The request body must contain the following parameter: '{name}'."
        raise Denied("invalid_request", 900144, told)
    if "\0" in value or not _is_text(value):
        raise Denied("invalid_request", 900144, f"The parameter '{name}' holds what is no text.")
    return value


def _audience(form: Mapping[str, str]) -> str:
    """Return the resource that the token shall be for: by `scope`, or in the older form by `resource`."""
    if "resource" in form:
        asked = form["resource"]
    else:
        scope = _wanted(form, "scope")
        asked = audience_of(scope)
        if form["grant_type"] == "client_credentials" and not scope.endswith("/.default"):
            told = (
                f"The provided value for scope {scope[:200]} is not valid. Client credential flows must have a scope "
                "value with /.default suffixed to the resource identifier (application ID URI)."
            )
            raise Denied("invalid_scope", 1002012, told)
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.\-]*://[\x21-\x7e]{1,500}", asked):
        told = f"The resource principal named {asked[:200]!a} was not found in the tenant."
        raise Denied("invalid_resource", 500011, told)
    return asked


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _too_many(wait_s: float) -> Denied:
    told = "Too many sign-ins have failed. Try again later."
    return Denied("temporarily_unavailable", 50053, told, status=429, wait_s=wait_s)


def _unsupported(grant: str) -> Denied:
    told = f"The app requested an unsupported grant type '{grant[:100]}'."
    return Denied("unsupported_grant_type", 70003, told)


def _denial(denied: Denied) -> Answer:
    trace, correlation, now = clock.new_id(), clock.new_id(), f"{clock.now():%Y-%m-%d %H:%M:%S}Z"
    about = f"Trace ID: {trace} Correlation ID: {correlation} Timestamp: {now}"
    told = {
        "error": denied.error,
        "error_description": f"AADSTS{denied.number}: {denied.message} {about}",
        "error_codes": [denied.number],
        "timestamp": now,
        "trace_id": trace,
        "correlation_id": correlation,
    }
    headers = {"Cache-Control": "no-store"}
    if denied.wait_s > 0:
        headers["Retry-After"] = str(max(1, round(denied.wait_s + 0.5)))
    return Answer(status=denied.status, body=told, headers=headers)
