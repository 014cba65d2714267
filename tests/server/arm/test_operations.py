"""The table of operations: as many as Azure has, each with its mark, and one way to each."""

from collections import Counter
from timeit import timeit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manara.errors import WrongDefinition
from manara.server.arm.operations import FACTORY_OPERATIONS, OPERATIONS, match
from manara.server.arm.routes import Operation, fill

GROUP = "/subscriptions/1/resourceGroups/Field"
F = f"{GROUP}/providers/Microsoft.DataFactory/factories/Census"
GUID = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"


def found(method: str, path: str) -> tuple[str, dict[str, str]]:
    answer = match(method, path)
    assert isinstance(answer, tuple), answer
    return answer[0].name, answer[1]


def by_name(name: str) -> Operation:
    return next(operation for operation in OPERATIONS if operation.name == name)


def test_all_104_operations_of_a_factory_are_there_with_their_marks() -> None:
    assert Counter(operation.mark for operation in FACTORY_OPERATIONS) == {"E": 49, "S": 25, "F": 4, "N": 26}


def test_every_name_is_there_once() -> None:
    assert len({operation.name for operation in OPERATIONS}) == len(OPERATIONS)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_operation_is_found_by_its_own_path_in_any_case(operation: Operation) -> None:
    names = dict.fromkeys(operation.parameters, GUID) | {"scope": F}
    path = fill(operation.path, names)
    assert found(operation.method, path)[0] == operation.name
    shouted = fill(operation.path.upper().replace("{SCOPE}", F), {name.upper(): GUID for name in names})
    assert found(operation.method, shouted)[0] == operation.name


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("PUT", "/subscriptions/1/resourcegroups/Field", "ResourceGroups_CreateOrUpdate"),
        ("PUT", F.replace("DataFactory/", "DataFactory//"), "Factories_CreateOrUpdate"),
        ("GET", f"{F}/", "Factories_Get"),
        ("GET", f"{F}/privateEndPointConnections", "PrivateEndPointConnections_ListByFactory"),
        ("GET", "/subscriptions/1/providers/Microsoft.DataFactory", "Providers_Get"),
        ("GET", "/subscriptions/1/providers/Microsoft.Authorization", "Providers_Get"),
        ("GET", "/providers/Microsoft.Authorization/roleDefinitions", "RoleDefinitions_List"),
    ],
)
def test_what_clients_send_is_found(method: str, path: str, name: str) -> None:
    assert found(method, path)[0] == name


def test_names_keep_their_case_and_are_decoded_once() -> None:
    assert found("GET", f"{F}/pipelines/Load%20it%2525")[1]["pipelineName"] == "Load it%25"


@pytest.mark.parametrize("scope", ["", "/subscriptions/1", GROUP, F, f"{F}/pipelines/p"])
def test_roles_are_given_on_any_scope(scope: str) -> None:
    path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{GUID}"
    assert found("PUT", path) == ("RoleAssignments_Create", {"scope": scope, "roleAssignmentName": GUID})


def test_a_wrong_method_is_answered_with_the_good_ones() -> None:
    assert match("POST", F) == frozenset({"GET", "PUT", "PATCH", "DELETE"})
    assert match("GET", "/nowhere") is None


@pytest.mark.parametrize("name", ["..", ".", "%2e%2e", "a%2fb", "a%5cb", "a\\b", "a%00b", "a%0ab", "a%ff", "a%c2%85"])
def test_a_path_that_plays_tricks_is_refused(name: str) -> None:
    with pytest.raises(WrongDefinition) as caught:
        match("GET", f"{F}/pipelines/{name}")
    assert caught.value.error_code == "InvalidRequestUri"


@pytest.mark.parametrize(
    ("path", "good"),
    [
        (F, True),
        (f"{GROUP}/providers/Microsoft.DataFactory/factories/ab", False),
        (f"{GROUP}/providers/Microsoft.DataFactory/factories/a--b", False),
        (f"{F}/pipelines/Load%20the%20census%20(2024)", True),
        (f"{F}/pipelines/{'p' * 140}", True),
        (f"{F}/pipelines/{'p' * 141}", False),
        (f"{F}/datasets/a.b", False),
        (f"{F}/credentials/-a", False),
        ("/subscriptions/1/resourceGroups/dot.", False),
    ],
)
def test_a_name_to_be_created_follows_the_rules(path: str, *, good: bool) -> None:
    if good:
        assert isinstance(match("PUT", path), tuple)
    else:
        with pytest.raises(WrongDefinition, match="is not valid for"):
            match("PUT", path)


@pytest.mark.parametrize(
    ("name", "action", "scope"),
    [
        ("Pipelines_CreateRun", "Microsoft.DataFactory/factories/pipelines/createRun/action", f"{F}/pipelines/p"),
        ("PipelineRuns_QueryByFactory", "Microsoft.DataFactory/factories/queryPipelineRuns/read", F),
        ("Pipelines_ListByFactory", "Microsoft.DataFactory/factories/pipelines/read", F),
        ("Factories_ListByResourceGroup", "Microsoft.DataFactory/factories/read", GROUP),
        ("ResourceGroups_Delete", "Microsoft.Resources/subscriptions/resourceGroups/delete", GROUP),
        ("RoleAssignments_List", "Microsoft.Authorization/roleAssignments/read", F),
        ("Subscriptions_List", "", ""),
    ],
)
def test_the_action_and_where_it_must_be_allowed(name: str, action: str, scope: str) -> None:
    names = {"subscriptionId": "1", "resourceGroupName": "Field", "factoryName": "Census", "pipelineName": "p"}
    assert by_name(name).action == action
    assert by_name(name).resource({**names, "scope": F}) == scope


@given(st.text() | st.lists(st.sampled_from(["subscriptions", "providers", "microsoft.authorization", "%", "%2", "1"])))
def test_no_path_makes_it_fail(path: str | list[str]) -> None:
    text = path if isinstance(path, str) else "/" + "/".join(path)
    try:
        match("PUT", text)
    except WrongDefinition as error:
        assert error.error_code.startswith("Invalid")  # noqa: PT017 # most paths raise nothing


def test_a_path_is_found_in_microseconds() -> None:
    path = f"{F}/managedVirtualNetworks/default/managedPrivateEndpoints/store"
    assert min(timeit(lambda: match("GET", path), number=1000) for _ in range(5)) / 1000 < 50e-6
