"""Who may do what: Azure's role-based access control as a pure decision over rows, which says why."""

import re
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
        return _fits_one(action, given) and not _fits_one(action, taken)


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role definition. `id` is its GUID; it counts only at or below one of `scopes`."""

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
    wanted = {name.lower() for name in principals}
    own = [each for each in assignments if each.principal.lower() in wanted]
    near: list[str] = []
    for each, role in _held(own, roles):
        told = f"the role '{role.name}' at '{each.scope}'"
        if not is_within(scope, each.scope):
            near.append(f"{told} does not reach '{scope}'")
        elif not any(is_within(each.scope, limit) for limit in role.scopes):
            near.append(f"{told} is not assignable there")
        elif any(permission.allows(action, data=data) for permission in role.permissions):
            return Decision(allowed=True, why=f"{told[0].upper()}{told[1:]} allows '{action}'.")
        else:
            near.append(f"{told} does not allow '{action}'")
    return Decision(allowed=False, why=_missing(action, scope, near))


def effective(
    principals: Collection[str], scope: str, assignments: Iterable[Assignment], roles: Mapping[str, Role]
) -> list[Permission]:
    """Return the permissions that the principals have on a scope, by all of their roles that reach it."""
    wanted = {name.lower() for name in principals}
    own = [each for each in assignments if each.principal.lower() in wanted and is_within(scope, each.scope)]
    held = [role for each, role in _held(own, roles) if any(is_within(each.scope, limit) for limit in role.scopes)]
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


def _held(assignments: Iterable[Assignment], roles: Mapping[str, Role]) -> Iterator[tuple[Assignment, Role]]:
    return ((each, roles[each.role.lower()]) for each in assignments if each.role.lower() in roles)


def _missing(action: str, scope: str, near: Sequence[str]) -> str:
    if not near:
        return f"No role is assigned that would allow '{action}' on '{scope}'."
    return f"Nothing allows '{action}' on '{scope}': {'; '.join(near)}."


def _fits_one(action: str, patterns: Iterable[str]) -> bool:
    return any(_pattern(each).fullmatch(action) for each in patterns)


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, text.split("*"))), re.IGNORECASE)


_EVERYTHING = ("*",)
_READS = ("*/read",)
_RIGHTS = ("Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write")

OWNER = Role(
    id="8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
    name="Owner",
    description="Everything, rights of others included.",
    permissions=(Permission(actions=_EVERYTHING),),
)

BUILT_IN: tuple[Role, ...] = (
    OWNER,
    Role(
        id="b24988ac-6180-42a0-ab88-20f7382dd24c",
        name="Contributor",
        description="Everything but the rights of others.",
        permissions=(
            Permission(actions=_EVERYTHING, not_actions=(*_RIGHTS, "Microsoft.Authorization/elevateAccess/Action")),
        ),
    ),
    Role(
        id="acdd72a7-3385-48ef-bd42-f606fba81ae7",
        name="Reader",
        description="Look at everything, change nothing.",
        permissions=(Permission(actions=_READS),),
    ),
    Role(
        id="18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
        name="User Access Administrator",
        description="Look at everything, and give rights.",
        permissions=(Permission(actions=(*_READS, "Microsoft.Authorization/*")),),
    ),
    Role(
        id="673868aa-7521-48a0-acc6-0f60742d39f5",
        name="Data Factory Contributor",
        description="Make and change factories and what lies in them.",
        permissions=(
            Permission(
                actions=(
                    "Microsoft.Authorization/*/read",
                    "Microsoft.DataFactory/dataFactories/*",
                    "Microsoft.DataFactory/factories/*",
                    "Microsoft.Insights/alertRules/*",
                    "Microsoft.ResourceHealth/availabilityStatuses/read",
                    "Microsoft.Resources/deployments/*",
                    "Microsoft.Resources/subscriptions/resourceGroups/read",
                    "Microsoft.Support/*",
                )
            ),
        ),
    ),
)
"""The roles that Azure has for factories, under Azure's ids."""
