"""Who may do what: Azure's role-based access control as a pure decision over rows, which says why."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

ROOT = "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """What a role allows: an action that fits one of `actions` and none of `not_actions`; `*` stands for anything."""

    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()

    def allows(self, action: str, *, data: bool = False) -> bool:
        """Say whether the action is allowed; what is subtracted here may be allowed by another role."""
        given = self.data_actions if data else self.actions
        taken = self.not_data_actions if data else self.not_actions
        return any(fits(action, each) for each in given) and not any(fits(action, each) for each in taken)


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role definition. `id` is its GUID; it counts only where it is assigned at or below one of `scopes`."""

    id: str
    name: str
    permissions: tuple[Permission, ...]
    scopes: tuple[str, ...] = (ROOT,)
    description: str = ""
    is_custom: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """The role `role` (its GUID) of a principal (its object id) at a scope and everything below."""

    id: str
    scope: str
    role: str
    principal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Whether something is allowed, and why: which assignment allows it, or what is missing."""

    allowed: bool
    why: str


def decide(
    principals: Collection[str],
    action: str,
    scope: str,
    assignments: Iterable[Assignment],
    roles: Mapping[str, Role],
    *,
    data: bool = False,
) -> Decision:
    """Return whether one of the principals (a caller's object ids) may do the action on the scope.

    Roles add up: what one of them subtracts (notActions) another may allow. `roles` is by GUID in small letters.
    """
    near: list[str] = []
    for each, role in _held(principals, assignments, roles):
        told = f"the role '{role.name}' at '{each.scope}'"
        if not is_within(scope, each.scope):
            near.append(f"{told} does not reach so far")
        elif not any(is_within(each.scope, limit) for limit in role.scopes):
            near.append(f"{told} is not assignable there")
        elif any(permission.allows(action, data=data) for permission in role.permissions):
            return Decision(allowed=True, why=f"T{told[1:]} allows '{action}'.")
        else:
            near.append(f"{told} does not allow it")
    return Decision(allowed=False, why=_missing(action, scope, near))


def effective(
    principals: Collection[str], scope: str, assignments: Iterable[Assignment], roles: Mapping[str, Role]
) -> list[Permission]:
    """Return the permissions that the principals have on a scope, by all of their roles that reach it."""
    held = [
        role
        for each, role in _held(principals, assignments, roles)
        if is_within(scope, each.scope) and any(is_within(each.scope, limit) for limit in role.scopes)
    ]
    return list(dict.fromkeys(permission for role in held for permission in role.permissions))


def is_within(scope: str, above: str) -> bool:
    """Say whether a scope is another, or lies below it: by whole segments, in whatever case.

    >>> is_within("/subscriptions/S/resourceGroups/north", "/subscriptions/s")
    True
    >>> is_within("/subscriptions/s/resourceGroups/northern", "/subscriptions/s/resourceGroups/north")
    False
    """
    low, high = segments(scope), segments(above)
    return low[: len(high)] == high


@lru_cache(maxsize=4096)
def segments(scope: str) -> tuple[str, ...]:
    """Return the parts of a scope in small letters; none for the root."""
    return tuple(part for part in scope.lower().split("/") if part)


def fits(action: str, pattern: str) -> bool:
    """Say whether an action fits a pattern, in whatever case; its time grows with their lengths only.

    >>> fits("Microsoft.DataFactory/factories/read", "*/read"), fits("a/read", "a/read/*")
    (True, False)
    """
    text = action.lower()
    first, *others = pattern.lower().split("*")
    if not others:
        return text == first
    last, at = others.pop(), len(first)
    if not text.startswith(first) or not text.endswith(last) or len(text) < len(first) + len(last):
        return False
    for part in others:
        at = text.find(part, at, len(text) - len(last))
        if at < 0:
            return False
        at += len(part)
    return True


def _held(
    principals: Collection[str], assignments: Iterable[Assignment], roles: Mapping[str, Role]
) -> Iterator[tuple[Assignment, Role]]:
    wanted = {each.lower() for each in principals}
    for each in assignments:
        role = roles.get(each.role.lower())
        if role is not None and each.principal.lower() in wanted:
            yield each, role


def _missing(action: str, scope: str, near: Sequence[str]) -> str:
    if not near:
        return f"No role is assigned that would allow '{action}' on '{scope}'."
    return f"Nothing allows '{action}' on '{scope}': {'; '.join(near)}."


def _role(id_: str, name: str, description: str, actions: Iterable[str], but: Iterable[str] = ()) -> Role:
    permission = Permission(actions=tuple(actions), not_actions=tuple(but))
    return Role(id=id_, name=name, description=description, permissions=(permission,))


OWNER = _role("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "Owner", "Does everything, and assigns roles.", ["*"])
BUILT_IN: tuple[Role, ...] = (
    OWNER,
    _role(
        "b24988ac-6180-42a0-ab88-20f7382dd24c",
        "Contributor",
        "Does everything but assign roles.",
        ["*"],
        [
            "Microsoft.Authorization/*/Delete",
            "Microsoft.Authorization/*/Write",
            "Microsoft.Authorization/elevateAccess/Action",
        ],
    ),
    _role("acdd72a7-3385-48ef-bd42-f606fba81ae7", "Reader", "Sees everything, and changes nothing.", ["*/read"]),
    _role(
        "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
        "User Access Administrator",
        "Sees everything, and assigns roles.",
        ["*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"],
    ),
    _role(
        "673868aa-7521-48a0-acc6-0f60742d39f5",
        "Data Factory Contributor",
        "Makes factories, changes what is in them, and runs their pipelines.",
        [
            "Microsoft.Authorization/*/read",
            "Microsoft.DataFactory/dataFactories/*",
            "Microsoft.DataFactory/factories/*",
            "Microsoft.Insights/alertRules/*",
            "Microsoft.ResourceHealth/availabilityStatuses/read",
            "Microsoft.Resources/deployments/*",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
            "Microsoft.Support/*",
            "Microsoft.EventGrid/eventSubscriptions/write",
        ],
    ),
)
"""Azure's own roles, under Azure's ids."""
