from typing import Any

import pytest

from manara.errors import Conflict, ManaraError, NotFound, WrongDefinition
from manara.server.identity import roles
from manara.server.identity.rbac import BUILT_IN, OWNER, decide
from manara.store.documents import Documents
from manara.store.journal import Journal

GROUP = "/subscriptions/s1/resourceGroups/relief"
PLACE = "/providers/Microsoft.Authorization"
READER = next(role.id for role in BUILT_IN if role.name == "Reader")


def custom(name: str = "Runner", scope: str = GROUP, **others: Any) -> dict[str, Any]:
    permissions = [{"actions": ["Microsoft.DataFactory/factories/pipelines/createRun/action"]}]
    return {"roleName": name, "assignableScopes": [scope], "permissions": permissions} | others


def may(documents: Documents, principal: str, action: str, scope: str) -> bool:
    rights = roles.read_rights(documents)
    return decide([principal], action, scope, rights.assignments, rights.roles).allowed


def test_what_is_assigned_counts_from_then_on(documents: Documents) -> None:
    seen = roles.RightsOf()
    assert seen.read(documents) is seen.read(documents)
    assert seen.read(documents).assignments == ()
    document = roles.assign(documents, "ann", "User", READER, GROUP.upper() + "/")
    assert [each.principal for each in seen.read(documents).assignments] == ["ann"]
    assert may(documents, "ann", "x/read", f"{GROUP}/y")
    documents.delete(document.path)
    assert seen.read(documents).assignments == ()


def test_an_assignment_is_shown_as_azure_shows_it(documents: Documents) -> None:
    path = f"{GROUP}{PLACE}/roleAssignments/1"
    given = {"roleDefinitionId": f"/subscriptions/s1{PLACE}/roleDefinitions/{READER}", "principalId": "ann"}
    shown = roles.shown(roles.put_assignment(documents, path, given, by="owner"))
    assert (shown["id"], shown["name"], shown["type"]) == (path, "1", "Microsoft.Authorization/roleAssignments")
    assert shown["properties"]["scope"] == GROUP
    assert shown["properties"]["createdBy"] == "owner"
    assert shown["properties"]["roleDefinitionId"] == given["roleDefinitionId"]


def test_the_same_role_is_assigned_once(documents: Documents) -> None:
    roles.assign(documents, "ann", "User", READER, GROUP)
    with pytest.raises(Conflict) as caught:
        roles.assign(documents, "ANN", "User", READER, GROUP.lower())
    assert caught.value.error_code == "RoleAssignmentExists"


def test_the_root_is_a_scope(documents: Documents) -> None:
    assert roles.assign(documents, "ann", "User", OWNER.id, "/").path.startswith(f"{PLACE}/roleAssignments/")
    assert may(documents, "ann", "x/write", "/subscriptions/any")


def test_a_custom_role_is_found_and_removed(documents: Documents, journal: Journal) -> None:
    path = f"{GROUP}{PLACE}/roleDefinitions/r1"
    roles.put_definition(documents, path, custom(), by="owner")
    assert roles.find_role(roles.read_rights(documents), "runner").id == "r1"
    document = roles.assign(documents, "ann", "User", "r1", GROUP)
    assert may(documents, "ann", "Microsoft.DataFactory/factories/pipelines/createRun/action", f"{GROUP}/x")
    with pytest.raises(Conflict, match="existing role assignments"):
        roles.remove_definition(documents, path)
    documents.delete(document.path)
    assert roles.remove_definition(documents, path)
    with pytest.raises(NotFound, match="Known are: Contributor, Data Factory Contributor, Owner"):
        roles.find_role(roles.read_rights(documents), "runner")


def test_a_role_is_changed_at_its_own_place_only(documents: Documents) -> None:
    """Who may write roles in one group must not change what a role means elsewhere."""
    roles.put_definition(documents, f"/subscriptions/s1{PLACE}/roleDefinitions/r1", custom(scope="/subscriptions/s1"))
    wider = custom(permissions=[{"actions": ["*"]}])
    with pytest.raises(Conflict) as caught:
        roles.put_definition(documents, f"{GROUP}{PLACE}/roleDefinitions/R1", wider)
    assert caught.value.error_code == "RoleDefinitionExists"


def test_a_role_is_assignable_within_its_own_scope_only(documents: Documents) -> None:
    path = f"{GROUP}{PLACE}/roleDefinitions/r1"
    with pytest.raises(WrongDefinition) as caught:
        roles.put_definition(documents, path, custom(scope="/"))
    assert caught.value.error_code == "LinkedAuthorizationFailed"
    roles.put_definition(documents, path, custom())
    with pytest.raises(WrongDefinition) as refused:
        roles.assign(documents, "ann", "User", "r1", "/subscriptions/s1")
    assert refused.value.error_code == "RoleDefinitionNotAssignable"


WRONG: dict[str, dict[str, Any]] = {
    "no name": {"roleName": " "},
    "no scopes": {"assignableScopes": []},
    "scopes that are a text": {"assignableScopes": GROUP},
    "permissions that are none": {"permissions": "*"},
    "an action that is none": {"permissions": [{"actions": [1]}]},
    "actions that are a text": {"permissions": [{"actions": "*"}]},
    "the name of another": {"roleName": "owner"},
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_a_role_that_is_none_is_refused(documents: Documents, change: dict[str, Any]) -> None:
    with pytest.raises(ManaraError) as caught:
        roles.put_definition(documents, f"{GROUP}{PLACE}/roleDefinitions/r1", custom(**change))
    assert caught.value.status in (400, 409)


def test_a_role_of_azure_is_not_changed(documents: Documents) -> None:
    with pytest.raises(WrongDefinition, match="built-in role cannot be changed"):
        roles.put_definition(documents, f"/subscriptions/s1{PLACE}/roleDefinitions/{READER.upper()}", custom())


@pytest.mark.parametrize(
    "properties", [{}, {"principalId": "ann"}, {"roleDefinitionId": 1, "principalId": "ann"}, {"principalId": ""}]
)
def test_an_assignment_that_is_none_is_refused(documents: Documents, properties: dict[str, Any]) -> None:
    with pytest.raises(WrongDefinition) as caught:
        roles.put_assignment(documents, f"{GROUP}{PLACE}/roleAssignments/1", properties)
    assert caught.value.error_code == "InvalidRoleAssignmentRequest"


def test_an_assignment_of_no_role_is_refused(documents: Documents) -> None:
    with pytest.raises(NotFound) as caught:
        roles.assign(documents, "ann", "User", "nothing", GROUP)
    assert caught.value.error_code == "RoleDefinitionDoesNotExist"


def test_an_assignment_does_not_become_another(documents: Documents) -> None:
    path = f"{GROUP}{PLACE}/roleAssignments/1"
    given = {"roleDefinitionId": roles.definition_path(READER), "principalId": "ann"}
    roles.put_assignment(documents, path, given)
    with pytest.raises(WrongDefinition) as caught:
        roles.put_assignment(documents, path, given | {"principalId": "bob"})
    assert caught.value.error_code == "RoleAssignmentUpdateNotPermitted"


def test_a_condition_is_refused_rather_than_forgotten(documents: Documents) -> None:
    given = {"roleDefinitionId": roles.definition_path(READER), "principalId": "ann", "condition": "@Resource[x] == 1"}
    with pytest.raises(WrongDefinition) as caught:
        roles.put_assignment(documents, f"{GROUP}{PLACE}/roleAssignments/1", given)
    assert caught.value.error_code == "RoleAssignmentConditionNotSupported"
