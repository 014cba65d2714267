"""The gate of a server: who sends a request, what he may do, and the account of what was done."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from manara.server.answer import Answer, Problem
from manara.server.arm.azure import TENANT
from manara.server.caller import Caller
from manara.server.identity.endpoints import LOOPBACK, REFUSALS, SignIn
from manara.server.identity.keys import Keys
from manara.server.identity.people import Provider
from manara.server.identity.principals import local_owner, may_listen
from manara.server.identity.rbac import decide
from manara.server.identity.roles import RightsOf
from manara.server.identity.tokens import bad_token, missing_token, verify
from manara.server.request import Request
from manara.server.site import Site
from manara.store.audit import append_audit
from manara.store.principals import USER, Principal, list_principals, principal_of_object

KEYS_FILE = "token.key"


@dataclass
class Gate:
    """Lets callers in by their tokens, and keeps the audit log."""

    site: Site
    _keys: Keys = field(init=False)
    _sign_in: SignIn = field(init=False)
    _rights: RightsOf = field(default_factory=RightsOf)

    def __post_init__(self) -> None:
        settings = self.site.settings
        issuer = settings.identity_issuer
        provider = Provider(issuer=issuer, audience=settings.identity_audience) if issuer else None
        self._keys = Keys(self.site.home / KEYS_FILE)
        self._sign_in = SignIn(keys=self._keys, tenant=TENANT, provider=provider)

    def answer(self, request: Request) -> Answer | None:
        """Answer a request for a token, or for what clients must know first; None for any other."""
        return self._sign_in.answer(request, self.site.journal, self.note)

    def caller(self, request: Request) -> Caller:
        """Return who sends the request. Raises Problem for a token that is missing, not good, or of nobody."""
        kind, _, text = request.header("authorization").partition(" ")
        if kind.lower() != "bearer" or not text.strip():
            raise missing_token()
        try:
            principal = self._named_by(text.strip())
        except Problem as problem:
            self._sign_in.refusals.take(request.address, REFUSALS)
            told = {"who": "", "name": "", "action": "Manara/showToken", "on": request.path[:300]}
            self.note({**told, "from": request.address, "status": problem.status, "code": problem.code})
            raise
        rights = self._rights.read(self.site.documents)

        def decides(action: str, scope: str) -> bool:
            return decide([principal.object_id], action, scope, rights.assignments, rights.roles).allowed

        return Caller(
            object_id=principal.object_id,
            app_id=principal.name if principal.kind == USER else principal.app_id,
            name=principal.name,
            decides=decides,
            address=request.address,
        )

    def _named_by(self, text: str) -> Principal:
        token = verify(self._keys, text, LOOPBACK)
        principal = principal_of_object(self.site.journal, token.object_id)
        if principal is None or principal.disabled:
            raise bad_token("its owner may not sign in any more")
        return principal

    def note(self, call: Mapping[str, Any]) -> None:
        """Write what was done or refused into the audit log."""
        append_audit(self.site.journal, call)

    def may_listen(self, host: str) -> None:
        """Make the owner of this machine where nobody is known yet.

        Raises NotAllowed for an address that others reach while nobody but the owner has an identity.
        """
        owner = local_owner(self.site.home, self.site.journal, self.site.documents)
        may_listen(host, list_principals(self.site.journal), owner["clientId"] if owner else "")
