import pytest
from hypothesis import given
from hypothesis import strategies as some

from manara.server.identity.rbac import (
    BUILT_IN,
    ROOT,
    Assignment,
    Permission,
    Role,
    decide,
    effective,
    fits,
    is_within,
)

GROUP = "/subscriptions/s1/resourceGroups/relief"
FACTORY = f"{GROUP}/providers/Microsoft.DataFactory/factories/north"
PIPELINE = f"{FACTORY}/pipelines/load"
FACTORIES = "Microsoft.DataFactory/factories"
ROLES = {role.id: role for role in BUILT_IN}
IDS = {role.name: role.id for role in BUILT_IN}


def given_to(role: str, scope: str, principal: str = "ann") -> Assignment:
    return Assignment(id=f"{scope}/x", scope=scope, role=role, principal=principal)


def allowed(role: str, at: str, action: str, scope: str) -> bool:
    return decide(["ann"], action, scope, [given_to(IDS[role], at)], ROLES).allowed


CASES = [
    ("Owner", "/", f"{FACTORIES}/write", FACTORY, True),
    ("Owner", "/subscriptions/s1", "Microsoft.Authorization/roleAssignments/write", GROUP, True),
    ("Owner", "/subscriptions/s2", f"{FACTORIES}/read", FACTORY, False),
    ("Contributor", GROUP, f"{FACTORIES}/pipelines/createRun/action", PIPELINE, True),
    ("Contributor", GROUP, f"{FACTORIES}/delete", FACTORY, True),
    ("Contributor", GROUP, "Microsoft.Authorization/roleAssignments/write", GROUP, False),
    ("Contributor", GROUP, "Microsoft.Authorization/roleAssignments/delete", GROUP, False),
    ("Contributor", GROUP, "Microsoft.Authorization/roleAssignments/read", GROUP, True),
    ("Contributor", FACTORY, f"{FACTORIES}/read", GROUP, False),
    ("Reader", "/subscriptions/S1", f"{FACTORIES}/pipelines/read", PIPELINE, True),
    ("Reader", "/subscriptions/S1", f"{FACTORIES}/pipelines/write", PIPELINE, False),
    ("Reader", "/subscriptions/s1", f"{FACTORIES}/pipelines/createRun/action", PIPELINE, False),
    ("Reader", "/subscriptions/s1", f"{FACTORIES}/integrationRuntimes/listAuthKeys/action", FACTORY, False),
    ("Reader", GROUP, f"{FACTORIES}/READ", FACTORY.upper(), True),
    ("User Access Administrator", GROUP, "Microsoft.Authorization/roleAssignments/write", FACTORY, True),
    ("User Access Administrator", GROUP, f"{FACTORIES}/write", FACTORY, False),
    ("Data Factory Contributor", GROUP, f"{FACTORIES}/write", FACTORY, True),
    ("Data Factory Contributor", GROUP, f"{FACTORIES}/pipelines/createRun/action", PIPELINE, True),
    ("Data Factory Contributor", GROUP, "Microsoft.Resources/deployments/write", GROUP, True),
    ("Data Factory Contributor", GROUP, "Microsoft.Resources/subscriptions/resourceGroups/write", GROUP, False),
    ("Data Factory Contributor", GROUP, "Microsoft.Authorization/roleAssignments/write", GROUP, False),
]


@pytest.mark.parametrize(("role", "at", "action", "scope", "wanted"), CASES)
def test_the_roles_of_azure_allow_what_they_do_there(role: str, at: str, action: str, scope: str, wanted: bool) -> None:
    assert allowed(role, at, action, scope) is wanted


def test_the_reason_names_the_assignment_that_allows() -> None:
    found = decide(["ann"], f"{FACTORIES}/read", FACTORY, [given_to(IDS["Reader"], GROUP)], ROLES)
    assert found.why == f"The role 'Reader' at '{GROUP}' allows 'Microsoft.DataFactory/factories/read'."


def test_the_reason_names_what_is_missing() -> None:
    near = [given_to(IDS["Reader"], GROUP), given_to(IDS["Owner"], "/subscriptions/s2")]
    assert decide(["ann"], f"{FACTORIES}/write", FACTORY, near, ROLES).why == (
        f"Nothing allows '{FACTORIES}/write' on '{FACTORY}': the role 'Reader' at '{GROUP}' does not allow it; "
        "the role 'Owner' at '/subscriptions/s2' does not reach so far."
    )
    assert decide(["bob"], "x/read", "/", near, ROLES).why == "No role is assigned that would allow 'x/read' on '/'."


def test_what_one_role_subtracts_another_may_allow() -> None:
    both = [given_to(IDS["Contributor"], GROUP), given_to(IDS["User Access Administrator"], GROUP)]
    assert decide(["ann"], "Microsoft.Authorization/roleAssignments/write", GROUP, both, ROLES).allowed


def test_a_custom_role_counts_only_where_it_is_assignable() -> None:
    runner = Role(
        id="r1",
        name="Runner",
        permissions=(Permission(actions=(f"{FACTORIES}/pipelines/createRun/action",), data_actions=("data/read",)),),
        scopes=(GROUP,),
    )
    for at, wanted in ((GROUP, True), (FACTORY, True), ("/subscriptions/s1", False), (ROOT, False)):
        held = [given_to("R1", at)]
        found = decide(["ann"], f"{FACTORIES}/pipelines/createRun/action", PIPELINE, held, {"r1": runner})
        assert found.allowed is wanted
    held = [given_to("r1", GROUP)]
    assert decide(["ann"], "data/read", GROUP, held, {"r1": runner}, data=True).allowed
    assert not decide(["ann"], "data/read", GROUP, held, {"r1": runner}).allowed


def test_an_assignment_of_a_role_that_is_gone_gives_nothing() -> None:
    assert not decide(["ann"], "x/read", "/", [given_to("gone", "/")], ROLES).allowed


def test_the_permissions_on_a_scope_are_those_of_every_role_that_reaches_it() -> None:
    held = [given_to(IDS["Reader"], "/"), given_to(IDS["Owner"], FACTORY), given_to(IDS["Owner"], "/", "bob")]
    assert effective(["ann"], GROUP, held, ROLES) == [Permission(actions=("*/read",))]
    assert len(effective(["ann"], PIPELINE, held, ROLES)) == 2


PATTERNS = [
    ("*", "a/b/read", True),
    ("*/read", "a/b/READ", True),
    ("*/read", "read", False),
    ("a/*/read", "a/b/c/read", True),
    ("a/*/read", "a/read", False),
    ("a*a", "a", False),
    ("a/*b*b", "a/b", False),
    ("a/*", "ab/c", False),
    ("", "a", False),
    ("a.b", "axb", False),
]


@pytest.mark.parametrize(("pattern", "action", "wanted"), PATTERNS)
def test_a_star_stands_for_anything(pattern: str, action: str, wanted: bool) -> None:
    assert fits(action, pattern) is wanted


def test_no_pattern_takes_for_ever() -> None:
    assert not fits("a" * 10_000 + "b", "*a" * 2_000 + "*c")


names = some.sampled_from(["a", "b", "ab", "A", "subscriptions"])
scopes = some.lists(names, max_size=5).map(lambda parts: "/" + "/".join(parts))
actions = some.sampled_from(
    [f"{FACTORIES}/read", f"{FACTORIES}/write", "Microsoft.Authorization/roleAssignments/write"]
)
assigned = some.builds(
    Assignment,
    id=some.just("x"),
    scope=scopes,
    role=some.sampled_from(list(ROLES)),
    principal=some.sampled_from(["ann", "bob"]),
)


@given(some.lists(assigned, max_size=5), assigned, actions, scopes)
def test_one_more_assignment_takes_no_right_away(
    held: list[Assignment], more: Assignment, action: str, scope: str
) -> None:
    before = decide(["ann"], action, scope, held, ROLES).allowed
    assert decide(["ann"], action, scope, [more, *held], ROLES).allowed >= before


@given(some.lists(assigned, max_size=4), actions, scopes, names)
def test_who_may_above_may_below(held: list[Assignment], action: str, scope: str, name: str) -> None:
    above = decide(["ann"], action, scope, held, ROLES).allowed
    assert decide(["ann"], action, f"{scope.rstrip('/')}/{name}", held, ROLES).allowed >= above


@given(scopes, scopes)
def test_a_scope_reaches_whole_segments_only(low: str, high: str) -> None:
    parts = [part for part in low.lower().split("/") if part]
    above = [part for part in high.lower().split("/") if part]
    assert is_within(low, high) is (parts[: len(above)] == above)


@given(some.text(alphabet="ab/*", max_size=8), some.text(alphabet="ab/", max_size=8))
def test_a_pattern_fits_as_a_glob_does(pattern: str, action: str) -> None:
    def glob(left: str, right: str) -> bool:
        if not left:
            return not right
        if left[0] == "*":
            return glob(left[1:], right) or (bool(right) and glob(left, right[1:]))
        return bool(right) and left[0] == right[0] and glob(left[1:], right[1:])

    assert fits(action, pattern) is glob(pattern, action)
