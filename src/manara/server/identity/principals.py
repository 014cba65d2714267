"""Who may sign in: making principals and their secrets, checking what they say, and the owner of a laptop."""

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from manara import clock
from manara.errors import NotAllowed, WrongDefinition
from manara.secret import Secret
from manara.server.identity.keys import write_private
from manara.server.identity.passwords import fits, fits_none, hashed, new_secret
from manara.server.identity.rbac import OWNER, ROOT
from manara.server.identity.roles import assign, read_rights
from manara.store.documents import Documents
from manara.store.journal import Journal
from manara.store.principals import (
    SERVICE_PRINCIPAL,
    KeptSecret,
    Principal,
    add_principal,
    change_principal,
    find_principal,
    list_principals,
    principal_of_app,
    remove_principal,
)

OWNER_FILE = "owner.json"
OWNER_NAME = "local owner"
FEWEST_LETTERS = 12
_NAME = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{1,120}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A principal, and the secret that it has got: it is shown once."""

    principal: Principal
    secret: Secret | None


def create(
    journal: Journal,
    name: str,
    *,
    kind: str = SERVICE_PRINCIPAL,
    secret: Secret | None = None,
    life: timedelta | None = None,
    keys: Sequence[str] = (),
    label: str = "",
) -> Made:
    """Make a principal with one secret, or with public keys and none.

    Without `secret` a new one is made. Raises Conflict for a name that is taken, and WrongDefinition for a name of
    blanks or control characters, or a password that is too short.
    """
    name = unicodedata.normalize("NFC", name)
    if not _NAME.fullmatch(name) or name != name.strip():
        raise WrongDefinition(f"{ascii(name)[:80]} is no name.", advice="Give 1 to 120 letters, without blanks around.")
    given = None if keys else secret or Secret(new_secret())
    kept = (_kept(given, label, life),) if given else ()
    principal = Principal(kind=kind, name=name, secrets=kept, keys=tuple(keys))
    add_principal(journal, principal)
    return Made(principal=principal, secret=given)


def reset_secret(
    journal: Journal,
    name: str,
    *,
    secret: Secret | None = None,
    life: timedelta | None = None,
    label: str = "",
    keep_others: bool = False,
) -> Made:
    """Give a principal a new secret; its others stop at once, unless they are kept until they expire."""
    principal = find_principal(journal, name)
    given = secret or Secret(new_secret())
    others = tuple(each for each in principal.secrets if not _is_over(each)) if keep_others else ()
    changed = replace(principal, secrets=(*others, _kept(given, label, life)))
    change_principal(journal, changed)
    return Made(principal=changed, secret=given)


def set_disabled(journal: Journal, name: str, *, disabled: bool) -> Principal:
    """Let a principal sign in no more, or again; the tokens that it has stop at once."""
    changed = replace(find_principal(journal, name), disabled=disabled)
    change_principal(journal, changed)
    return changed


def delete(journal: Journal, documents: Documents, name: str) -> Principal:
    """Forget a principal, and every role that it has."""
    principal = find_principal(journal, name)
    with documents.transaction():
        for each in read_rights(documents).assignments:
            if each.principal.lower() == principal.object_id.lower():
                documents.delete(each.id)
        remove_principal(journal, principal.object_id)
    return principal


def knows(principal: Principal | None, secret: str) -> str:
    """Return "" where the secret is one of the principal's, else `wrong` or `expired`; both take as long."""
    if principal is None or not principal.secrets:
        fits_none(secret)
        return "wrong"
    found = next((each for each in principal.secrets if fits(secret, each.hash)), None)
    if found is None:
        return "wrong"
    return "expired" if _is_over(found) else ""


def local_owner(home: Path, journal: Journal, documents: Documents) -> dict[str, Any] | None:
    """Return `clientId`, `clientSecret` and `objectId` of the owner of a laptop; it is made where nobody is known.

    They are kept in the home, in a file that only its owner reads. None where principals were made and no such owner.
    """
    path = home / OWNER_FILE
    if not path.exists():
        if list_principals(journal):
            return None
        told = {"clientId": clock.new_id(), "clientSecret": new_secret(), "objectId": clock.new_id()}
        write_private(path, json.dumps(told, indent=2) + "\n")
    told = _read_owner(path)
    if not list_principals(journal):
        _add_owner(journal, documents, told)
    return told if principal_of_app(journal, told["clientId"]) else None


def may_listen(host: str, principals: Sequence[Principal], owner: str = "") -> None:
    """Raise NotAllowed for an address that others reach while nobody but the local owner (its client id) is known."""
    if is_loopback(host) or any(each.app_id != owner and not each.disabled for each in principals):
        return
    raise NotAllowed(
        f"The server does not listen on '{host}', which other machines may reach: nobody but the owner of this machine "
        "has an identity.",
        advice="Make one first (manara identity create NAME, then manara identity assign NAME --role Contributor "
        "--scope /subscriptions/ID), or listen on 127.0.0.1.",
    )


def is_loopback(host: str) -> bool:
    """Say whether an address is reached from this machine only.

    >>> [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "", "example.org")]
    [True, True, True, False, False, False]
    """
    try:
        return host.lower() == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _add_owner(journal: Journal, documents: Documents, told: dict[str, Any]) -> None:
    secret = KeptSecret(id=clock.new_id(), hash=hashed(told["clientSecret"]), label="kept in owner.json")
    principal = Principal(object_id=told["objectId"], app_id=told["clientId"], name=OWNER_NAME, secrets=(secret,))
    with documents.transaction():
        if not list_principals(journal):
            add_principal(journal, principal)
            assign(documents, principal.object_id, principal.kind, OWNER.id, ROOT)


def _read_owner(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        found = {name: told[name] for name in ("clientId", "clientSecret", "objectId")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WrongDefinition("The file of the local owner cannot be read.", where=str(path)) from error
    if not all(isinstance(value, str) and value for value in found.values()):
        raise WrongDefinition("The file of the local owner is not as it was written.", where=str(path))
    return found


def _kept(secret: Secret, label: str, life: timedelta | None) -> KeptSecret:
    text = secret.open()
    if len(text) < FEWEST_LETTERS:
        raise WrongDefinition(f"The password has less than {FEWEST_LETTERS} letters.", advice="Choose a longer one.")
    expires = clock.now() + life if life else None
    return KeptSecret(id=clock.new_id(), hash=hashed(text), label=label, expires=expires)


def _is_over(secret: KeptSecret) -> bool:
    return secret.expires is not None and secret.expires <= clock.now()
