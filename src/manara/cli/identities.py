"""What `manara identity` does: principals and roles in the store of a home, each change written into the audit log."""

import contextlib
import getpass
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from manara import clock
from manara.app.server import home_of, open_documents
from manara.errors import NotFound, WrongDefinition
from manara.secret import Secret
from manara.server.arm.azure import TENANT
from manara.server.identity import principals
from manara.server.identity.assertions import read_public_key
from manara.server.identity.gate import KEYS_FILE
from manara.server.identity.keys import Keys
from manara.server.identity.principals import Made
from manara.server.identity.rbac import decide
from manara.server.identity.roles import assign, find_role, place, read_rights
from manara.store.audit import append_audit
from manara.store.documents import Documents
from manara.store.journal import Journal
from manara.store.principals import SERVICE_PRINCIPAL, USER, Principal, find_principal, list_principals


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The identities of one home, open for a command."""

    home: Path
    journal: Journal
    documents: Documents
    as_json: bool

    @classmethod
    @contextlib.contextmanager
    def open(cls, home: Path | None, folder: Path | None, *, as_json: bool) -> Iterator["Desk"]:
        """Open the store of a home, of a factory's folder, or of this user."""
        where = (home or home_of(folder)).absolute()
        journal, documents = open_documents(where.absolute(), folder)
        with contextlib.closing(journal):
            yield cls(home=where, journal=journal, documents=documents, as_json=as_json)

    def create(
        self, name: str, *, user: bool, certificate: Path | None, days: int | None, label: str, from_input: bool
    ) -> None:
        """Make a principal and show its secret; before the first, the owner of this machine is made."""
        if certificate and (user or from_input):
            raise WrongDefinition("A certificate takes the place of a secret, and is for programs only.")
        principals.local_owner(self.home, self.journal, self.documents)
        made = principals.create(
            self.journal,
            name,
            kind=USER if user else SERVICE_PRINCIPAL,
            secret=_read_secret() if from_input else None,
            life=timedelta(days=days) if days else None,
            keys=[read_public_key(_read(certificate))] if certificate else (),
            label=label,
        )
        self._note("create", made.principal.name)
        self._show_made(made, shows_secret=not from_input)

    def list_all(self) -> None:
        """Print who may sign in."""
        rights = read_rights(self.documents)
        found = []
        for each in list_principals(self.journal):
            held = [one for one in rights.assignments if one.principal.lower() == each.object_id.lower()]
            named = [
                (rights.roles[one.role.lower()].name, one.scope) for one in held if one.role.lower() in rights.roles
            ]
            given = [{"role": role, "scope": scope} for role, scope in named]
            found.append({**_shown(each), "secrets": _secrets(each), "keys": len(each.keys), "roles": given})
        if self.as_json:
            _say(json.dumps(found, indent=2, ensure_ascii=False))
            return
        table = _table("Name", "Kind", "Client id", "State", "Roles")
        for row in found:
            state = "disabled" if row["disabled"] else "active"
            told = "\n".join(f"{one['role']} at {one['scope']}" for one in row["roles"])
            table.add_row(row["name"], row["kind"], row["clientId"], state, told)
        _print(table)

    def reset_secret(self, name: str, *, days: int | None, label: str, keep: bool, from_input: bool) -> None:
        """Give a new secret and show it."""
        life = timedelta(days=days) if days else None
        secret = _read_secret() if from_input else None
        made = principals.reset_secret(self.journal, name, secret=secret, life=life, label=label, keep_others=keep)
        self._note("reset-secret", made.principal.name)
        self._show_made(made, shows_secret=not from_input)

    def disable(self, name: str, *, disabled: bool) -> None:
        """Let somebody sign in no more, or again."""
        changed = principals.set_disabled(self.journal, name, disabled=disabled)
        self._note("disable" if disabled else "enable", changed.name)
        self._tell(_shown(changed), f"'{changed.name}' may {'not sign in any more' if disabled else 'sign in again'}.")

    def delete(self, name: str) -> None:
        """Forget somebody."""
        gone = principals.delete(self.journal, self.documents, name)
        self._note("delete", gone.name)
        self._tell(_shown(gone), f"'{gone.name}' is forgotten, with all roles.")

    def assign(self, name: str, role: str, scope: str) -> None:
        """Give a role."""
        principal = find_principal(self.journal, name)
        found = find_role(read_rights(self.documents), role)
        document = assign(self.documents, principal.object_id, principal.kind, found.id, _scope(scope), _user())
        self._note("assign", principal.name, role=found.name, scope=scope)
        told = {"id": document.path, "principal": principal.name, "role": found.name, "scope": scope}
        self._tell(told, f"'{principal.name}' is {found.name} at {scope}.")

    def unassign(self, name: str, role: str, scope: str) -> None:
        """Take a role away."""
        principal = find_principal(self.journal, name)
        rights = read_rights(self.documents)
        found = find_role(rights, role)
        wanted = (principal.object_id.lower(), found.id.lower(), place(_scope(scope)).lower())
        held = [
            each
            for each in rights.assignments
            if (each.principal.lower(), each.role.lower(), place(each.scope).lower()) == wanted
        ]
        if not held:
            raise NotFound(
                f"'{principal.name}' has no role '{found.name}' at '{scope}'.", advice="manara identity list"
            )
        self.documents.delete(held[0].id)
        self._note("unassign", principal.name, role=found.name, scope=scope)
        told = {"id": held[0].id, "principal": principal.name, "role": found.name, "scope": scope}
        self._tell(told, f"'{principal.name}' is {found.name} at {scope} no more.")

    def roles(self) -> None:
        """Print the roles."""
        found = sorted(read_rights(self.documents).roles.values(), key=lambda role: (role.is_custom, role.name))
        if self.as_json:
            rows = [
                {"name": each.name, "id": each.id, "custom": each.is_custom, "scopes": each.scopes} for each in found
            ]
            _say(json.dumps(rows, indent=2, ensure_ascii=False))
            return
        table = _table("Role", "Id", "What it is for", "Where")
        for each in found:
            table.add_row(each.name, each.id, each.description, "\n".join(each.scopes))
        _print(table)

    def may(self, name: str, action: str, scope: str) -> int:
        """Print whether somebody may do something, and return the exit code."""
        principal = find_principal(self.journal, name)
        rights = read_rights(self.documents)
        found = decide([principal.object_id], action, _scope(scope), rights.assignments, rights.roles)
        self._tell({"allowed": found.allowed, "why": found.why}, found.why)
        return 0 if found.allowed else 1

    def renew_key(self) -> None:
        """Put a new key before the others."""
        key = Keys(self.home / KEYS_FILE).replace()
        self._note("renew-key", key.id)
        self._tell(
            {"kid": key.id}, f"New tokens are signed with the key {key.id}; older ones stay good until they expire."
        )

    def _show_made(self, made: Made, *, shows_secret: bool) -> None:
        told = {**_shown(made.principal), "tenantId": TENANT}
        if made.secret and shows_secret:
            told["secret"] = made.secret.open()
        names = {
            "name": "Name",
            "clientId": "Client id",
            "objectId": "Object id",
            "tenantId": "Tenant",
            "secret": "Secret",
        }
        lines = [f"{words + ':':<12}{told[key]}" for key, words in names.items() if key in told]
        if "secret" in told:
            lines.append("The secret is not shown again.")
        self._tell(told, "\n".join(lines))

    def _tell(self, told: dict[str, Any], words: str) -> None:
        _say(json.dumps(told, indent=2, ensure_ascii=False) if self.as_json else words)

    def _note(self, action: str, on: str, **others: str) -> None:
        told = {"who": "", "name": _user(), "action": f"Manara/identity/{action}", "on": on, "from": "this machine"}
        append_audit(self.journal, {**told, **others, "status": 200, "code": ""})


def _shown(principal: Principal) -> dict[str, Any]:
    return {
        "name": principal.name,
        "kind": principal.kind,
        "clientId": principal.app_id,
        "objectId": principal.object_id,
        "disabled": principal.disabled,
        "created": clock.stamp(principal.created),
    }


def _secrets(principal: Principal) -> list[dict[str, Any]]:
    return [
        {"id": each.id, "label": each.label, "expires": clock.stamp(each.expires) if each.expires else None}
        for each in principal.secrets
    ]


def _scope(text: str) -> str:
    if not text.startswith("/"):
        raise WrongDefinition(
            f"'{text}' is no scope.", advice="Write / for everything, or an id: /subscriptions/ID/resourceGroups/NAME."
        )
    return text


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongDefinition("The certificate cannot be read.", where=str(path), advice="Give a PEM file.") from error


def _read_secret() -> Secret:
    return Secret(sys.stdin.readline().rstrip("\r\n"))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in ("Kind", "Client id", "Id"))
    return table


def _print(table: Table) -> None:
    Console(highlight=False, markup=False).print(table)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
