"""Role definitions and assignments as documents of the store, under the resource ids that Azure gives them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from manara import clock
from manara.errors import Conflict, NotFound, WrongDefinition
from manara.server.identity.rbac import BUILT_IN, ROOT, Assignment, Permission, Role, is_within
from manara.store.documents import Document, Documents

ASSIGNMENTS = "microsoft.authorization/roleassignments"
DEFINITIONS = "microsoft.authorization/roledefinitions"
_PROVIDER = "/providers/Microsoft.Authorization"
_LISTS = {
    "actions": "actions",
    "not_actions": "notActions",
    "data_actions": "dataActions",
    "not_data_actions": "notDataActions",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """Every assignment, and every role by its GUID in small letters: what a decision is made from."""

    assignments: tuple[Assignment, ...]
    roles: Mapping[str, Role]


@dataclass
class RightsOf:
    """The rights in a store, read anew only when a role or an assignment has changed."""

    _kept: tuple[Any, Rights] | None = field(default=None)

    def read(self, documents: Documents) -> Rights:
        """Return the rights as they are now."""
        state = documents.state_of_types((ASSIGNMENTS, DEFINITIONS))
        kept = self._kept
        if kept is None or kept[0] != state:
            kept = self._kept = (state, read_rights(documents))
        return kept[1]


def read_rights(documents: Documents) -> Rights:
    """Return all assignments and roles: those of Azure, and the custom ones."""
    roles = {role.id: role for role in BUILT_IN}
    for each in sorted(documents.of_type(DEFINITIONS), key=lambda document: document.created):
        roles.setdefault(each.name.lower(), role_of(each))  # who came first: an id gets no second meaning
    found = [assignment_of(each) for each in documents.of_type(ASSIGNMENTS)]
    return Rights(assignments=tuple(found), roles=roles)


def assign(documents: Documents, principal: str, kind: str, role: str, scope: str, by: str = "") -> Document:
    """Give a role (its GUID) to a principal (its object id) at a scope, and return the assignment's document.

    Raises Conflict where it has it already, and WrongDefinition for a role that is not assignable there.
    """
    return put_assignment(
        documents,
        f"{place(scope)}{_PROVIDER}/roleAssignments/{clock.new_id()}",
        {
            "roleDefinitionId": definition_path(role),
            "principalId": principal,
            "principalType": kind,
        },
        by,
    )


def put_assignment(documents: Documents, path: str, properties: Mapping[str, Any], by: str = "") -> Document:
    """Write the assignment at its resource id, with `roleDefinitionId` and `principalId` of the properties.

    Raises Conflict (`RoleAssignmentExists`) where the same triple is there under another name, and WrongDefinition for
    properties that are none, a role that is not there, or one that is not assignable at the scope.
    """
    with documents.transaction():
        rights = read_rights(documents)
        wanted = _wanted(path, properties, rights)
        for each in rights.assignments:
            if _triple(each) == _triple(wanted):
                told = "The role assignment already exists."
                raise Conflict(told, code="RoleAssignmentExists", advice=f"Its id is {each.id}.")
        old = documents.get(path)
        if old is not None:
            told = "Tenant ID, application ID, principal ID, and scope are not allowed to be updated."
            raise WrongDefinition(told, code="RoleAssignmentUpdateNotPermitted", advice="Choose another name for it.")
        now = clock.stamp(clock.now())
        body = {
            "roleDefinitionId": str(properties["roleDefinitionId"]),
            "principalId": wanted.principal,
            "principalType": str(properties.get("principalType") or "ServicePrincipal"),
            "scope": wanted.scope,
            "condition": None,
            "conditionVersion": None,
            "description": properties.get("description"),
            "delegatedManagedIdentityResourceId": None,
            **{"createdOn": now, "updatedOn": now, "createdBy": by, "updatedBy": by},
        }
        return documents.put(path, ASSIGNMENTS, wanted.scope, {"properties": body})


def put_definition(documents: Documents, path: str, properties: Mapping[str, Any], by: str = "") -> Document:
    """Write the custom role at its resource id. Raises WrongDefinition for properties that are none.

    It is assignable at most below the scope of its own id: who may write there shall give no rights elsewhere.
    """
    role = _read_role(path.rpartition("/")[2], properties)
    _refuse_role(documents, path, role)
    old = documents.get(path)
    now = clock.stamp(clock.now())
    before = old.body["properties"] if old else {"createdOn": now, "createdBy": by}
    made = {name: before[name] for name in ("createdOn", "createdBy")}
    body = {**_shown_role(role), **made, "updatedOn": now, "updatedBy": by}
    return documents.put(path, DEFINITIONS, _scope_of(path), {"properties": body})


def _refuse_role(documents: Documents, path: str, role: Role) -> None:
    known = read_rights(documents).roles
    taken = known.get(role.id.lower())
    if taken and not taken.is_custom:
        raise WrongDefinition("A built-in role cannot be changed.", code="RoleDefinitionIsBuiltIn")
    if taken and documents.get(path) is None:
        told = f"The role definition '{role.id}' is there already, at another scope."
        raise Conflict(told, code="RoleDefinitionExists", advice="Choose another id.")
    if any(each.name.lower() == role.name.lower() and each is not taken for each in known.values()):
        told = f"A role with the name '{role.name}' already exists."
        raise Conflict(told, code="RoleDefinitionWithSameNameExists", advice="Choose another name.")
    outside = [each for each in role.scopes if not is_within(each, _scope_of(path))]
    if outside:
        told = (
            f"The assignable scope '{outside[0]}' does not lie within '{_scope_of(path)}', where the role is written."
        )
        raise WrongDefinition(told, code="LinkedAuthorizationFailed", advice="Write the role at the wider scope.")


def remove_definition(documents: Documents, path: str) -> bool:
    """Remove a custom role; say whether it was there. Raises Conflict while somebody has it."""
    name = path.rpartition("/")[2].lower()
    held = [each for each in read_rights(documents).assignments if each.role.lower() == name]
    if held:
        told = "There are existing role assignments referencing role."
        raise Conflict(told, code="RoleDefinitionHasAssignments", advice=f"Remove them first: {held[0].id}.")
    return bool(documents.delete(path))


def shown(document: Document) -> dict[str, Any]:
    """Return an assignment or a custom role as Azure shows it."""
    kind = "roleAssignments" if document.type == ASSIGNMENTS else "roleDefinitions"
    return {
        "properties": document.body["properties"],
        "id": document.path,
        "type": f"Microsoft.Authorization/{kind}",
        "name": document.name,
    }


def shown_role(role: Role, scope: str = "") -> dict[str, Any]:
    """Return a role as Azure shows it."""
    return {
        "properties": _shown_role(role),
        "id": f"{place(scope)}{definition_path(role.id)}",
        "type": "Microsoft.Authorization/roleDefinitions",
        "name": role.id,
    }


def find_role(rights: Rights, text: str) -> Role:
    """Return the role of a name, or of an id. Raises NotFound, naming those that there are."""
    wanted = text.rpartition("/")[2].lower()
    for role in rights.roles.values():
        if wanted in (role.id.lower(), role.name.lower()):
            return role
    known = ", ".join(sorted(role.name for role in rights.roles.values()))
    raise NotFound(f"There is no role '{text}'.", advice=f"Known are: {known}.")


def definition_path(role: str) -> str:
    """Return the resource id of a role, as an assignment refers to it."""
    return f"{_PROVIDER}/roleDefinitions/{role}"


def place(scope: str) -> str:
    """Return a scope as the beginning of a resource id: without a slash at the end, empty for the root."""
    return "".join(f"/{part}" for part in scope.split("/") if part)


def assignment_of(document: Document) -> Assignment:
    """Return the assignment in a document."""
    properties = document.body["properties"]
    return Assignment(
        id=document.path,
        scope=_scope_of(document.path),
        role=str(properties["roleDefinitionId"]).rpartition("/")[2],
        principal=str(properties["principalId"]),
    )


def role_of(document: Document) -> Role:
    """Return the custom role in a document."""
    return _read_role(document.name, document.body["properties"])


def permission_json(permission: Permission) -> dict[str, list[str]]:
    """Return a permission as Azure shows it."""
    return {name: list(getattr(permission, own)) for own, name in _LISTS.items()}


def _wanted(path: str, properties: Mapping[str, Any], rights: Rights) -> Assignment:
    for name in ("roleDefinitionId", "principalId"):
        if not isinstance(properties.get(name), str) or not properties[name]:
            raise WrongDefinition(f"The role assignment has no '{name}'.", code="InvalidRoleAssignmentRequest")
    if properties.get("condition"):
        told = "A role assignment has no condition here."
        raise WrongDefinition(told, code="RoleAssignmentConditionNotSupported", advice="Give a narrower role or scope.")
    scope = _scope_of(path)
    name = properties["roleDefinitionId"].rpartition("/")[2].lower()
    role = rights.roles.get(name)
    if role is None:
        told = f"The specified role definition with ID '{name}' does not exist."
        raise NotFound(told, code="RoleDefinitionDoesNotExist")
    if not any(is_within(scope, limit) for limit in role.scopes):
        told = f"The role '{role.name}' cannot be assigned at '{scope}'."
        raise WrongDefinition(told, code="RoleDefinitionNotAssignable", advice=f"It can at: {', '.join(role.scopes)}.")
    return Assignment(id=path, scope=scope, role=name, principal=properties["principalId"])


def _scope_of(path: str) -> str:
    return path.rpartition(_PROVIDER)[0] or ROOT


def _triple(assignment: Assignment) -> tuple[str, str, str]:
    return place(assignment.scope).lower(), assignment.role.lower(), assignment.principal.lower()


def _read_role(name: str, properties: Mapping[str, Any]) -> Role:
    title, scopes, permissions = (properties.get(key) for key in ("roleName", "assignableScopes", "permissions"))
    if not isinstance(title, str) or not title.strip():
        raise WrongDefinition("The role has no 'roleName'.", code="RoleDefinitionNameNullOrEmpty")
    if not _is_texts(scopes) or not scopes:
        raise WrongDefinition("The role has no 'assignableScopes'.", code="MissingAssignableScopes")
    if not isinstance(permissions, list) or not all(isinstance(each, Mapping) for each in permissions):
        raise WrongDefinition("The 'permissions' of a role are a list of objects.", code="InvalidRoleDefinition")
    return Role(
        id=name,
        name=title,
        permissions=tuple(_read_permission(each) for each in permissions),
        scopes=tuple(scopes),
        description=str(properties.get("description") or ""),
        is_custom=True,
    )


def _read_permission(each: Mapping[str, Any]) -> Permission:
    values = {own: each.get(name) or [] for own, name in _LISTS.items()}
    wrong = [_LISTS[own] for own, value in values.items() if not _is_texts(value)]
    if wrong:
        raise WrongDefinition(f"The '{wrong[0]}' of a role are a list of texts.", code="InvalidRoleDefinition")
    return Permission(**{own: tuple(value) for own, value in values.items()})


def _shown_role(role: Role) -> dict[str, Any]:
    return {
        "roleName": role.name,
        "type": "CustomRole" if role.is_custom else "BuiltInRole",
        "description": role.description,
        "assignableScopes": list(role.scopes),
        "permissions": [permission_json(each) for each in role.permissions],
    }


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)
