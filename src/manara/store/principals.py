"""Who may sign in: programs (service principals) and people, with the hashes of their secrets and their public keys."""

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from manara import clock
from manara.errors import Conflict, NotFound
from manara.store.journal import Journal

SERVICE_PRINCIPAL, USER = "ServicePrincipal", "User"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSecret:
    """A secret or password of which the hash is kept; one without `expires` stays good."""

    id: str
    hash: str
    label: str = ""
    created: datetime = field(default_factory=clock.now)
    expires: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Somebody who may sign in. `kind` is `ServicePrincipal` or `User`; `keys` are public keys in PEM."""

    object_id: str = field(default_factory=clock.new_id)
    app_id: str = field(default_factory=clock.new_id)
    kind: str = SERVICE_PRINCIPAL
    name: str
    secrets: Sequence[KeptSecret] = ()
    keys: Sequence[str] = ()
    disabled: bool = False
    created: datetime = field(default_factory=clock.now)


def add_principal(journal: Journal, principal: Principal) -> None:
    """Keep a new principal. Raises Conflict where the name or an id is taken."""
    values = {"object_id": principal.object_id, "app_id": principal.app_id.lower(), "kind": principal.kind}
    now = clock.stamp(principal.created)
    if not journal.change("add_principal", **values, name=principal.name, body=_body(principal), now=now):
        raise Conflict(f"There is a principal '{principal.name}' already.", advice="Choose another name.")


def principal_of_app(journal: Journal, app_id: str) -> Principal | None:
    """Return the principal with the client id; None where there is none."""
    return _first(journal.rows("principal_of_app", app_id=app_id.lower()))


def principal_of_object(journal: Journal, object_id: str) -> Principal | None:
    """Return the principal with the object id; None where there is none."""
    return _first(journal.rows("principal_of_object", object_id=object_id.lower()))


def principal_named(journal: Journal, name: str) -> Principal | None:
    """Return the principal of the name, in whatever case it is written; None where there is none."""
    return _first(journal.rows("principal_named", name=unicodedata.normalize("NFC", name)))


def find_principal(journal: Journal, text: str) -> Principal:
    """Return the principal with the name, client id or object id. Raises NotFound, naming those that there are."""
    for find in (principal_named, principal_of_app, principal_of_object):
        if found := find(journal, text):
            return found
    known = ", ".join(each.name for each in list_principals(journal)) or "none"
    raise NotFound(f"There is no principal '{text}'.", advice=f"Known are: {known}.")


def list_principals(journal: Journal) -> list[Principal]:
    """Return all principals, by name."""
    return [_principal(row) for row in journal.rows("principals")]


def change_principal(journal: Journal, principal: Principal) -> None:
    """Keep a principal as it is now: its name, secrets, keys, and whether it is disabled."""
    now = clock.stamp(clock.now())
    values = {"object_id": principal.object_id, "name": principal.name, "body": _body(principal)}
    if not journal.change("change_principal", **values, now=now):
        raise NotFound(f"There is no principal '{principal.name}' any more.")


def remove_principal(journal: Journal, object_id: str) -> bool:
    """Forget a principal; say whether it was there."""
    return bool(journal.change("remove_principal", object_id=object_id))


def rights_state(journal: Journal) -> tuple[int, str]:
    """Return what changes whenever a role, or who has it, does: a cheap thing to ask for."""
    count, changed = journal.rows("rights_state")[0]
    return int(count), str(changed)


def _first(rows: Sequence[tuple[Any, ...]]) -> Principal | None:
    return _principal(rows[0]) if rows else None


def _principal(row: tuple[Any, ...]) -> Principal:
    object_id, app_id, kind, name, text, created = row
    body = json.loads(text)
    return Principal(
        object_id=object_id,
        app_id=app_id,
        kind=kind,
        name=name,
        secrets=tuple(_secret(each) for each in body["secrets"]),
        keys=tuple(body["keys"]),
        disabled=body["disabled"],
        created=clock.parse(created),
    )


def _secret(kept: dict[str, Any]) -> KeptSecret:
    expires = clock.parse(kept["expires"]) if kept["expires"] else None
    return KeptSecret(**{**kept, "created": clock.parse(kept["created"]), "expires": expires})


def _body(principal: Principal) -> str:
    secrets = [
        {
            "id": each.id,
            "hash": each.hash,
            "label": each.label,
            "created": clock.stamp(each.created),
            "expires": clock.stamp(each.expires) if each.expires else None,
        }
        for each in principal.secrets
    ]
    return json.dumps({"secrets": secrets, "keys": list(principal.keys), "disabled": principal.disabled})
