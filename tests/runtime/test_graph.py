import pytest
from tests.factories import act

from manara.resources.model import Activity
from manara.runtime.graph import culprits, next_steps


def graph(*activities: dict[str, object]) -> list[Activity]:
    return [Activity.model_validate(item) for item in activities]


TRY_CATCH = graph(act("A"), act("Handler", after={"A": ["Failed"]}))
DO_IF_ELSE = graph(act("A"), act("Then", after=["A"]), act("Else", after={"A": ["Failed"]}))
DO_IF_SKIP_ELSE = graph(
    act("A"),
    act("Then", after=["A"]),
    act("Else", after={"A": ["Failed"]}),
    act("Dummy", after={"Then": ["Skipped"], "Else": ["Succeeded"]}),
)
GENERIC = graph(act("A"), act("B", after=["A"]), act("Handler", after={"B": ["Failed", "Skipped"]}))


@pytest.mark.parametrize(
    ("condition", "status", "expected"),
    [
        ("Succeeded", "Succeeded", "ready"),
        ("Succeeded", "Failed", "skipped"),
        ("Failed", "Failed", "ready"),
        ("Completed", "Failed", "ready"),
        ("Completed", "Succeeded", "ready"),
        ("Completed", "Skipped", "skipped"),
        ("Skipped", "Skipped", "ready"),
        ("Skipped", "Succeeded", "skipped"),
    ],
)
def test_rules_56_to_59_say_what_a_condition_starts(condition: str, status: str, expected: str) -> None:
    plan = next_steps(graph(act("B", after={"A": [condition]})), {"A": status})
    assert [activity.name for activity in getattr(plan, expected)] == ["B"]


def test_rule_57_conditions_of_one_dependency_are_or_and_dependencies_are_and() -> None:
    waiting = graph(act("C", after={"A": ["Failed", "Skipped"], "B": ["Succeeded"]}))
    assert next_steps(waiting, {"A": "Skipped"}).ready == ()
    assert [a.name for a in next_steps(waiting, {"A": "Skipped", "B": "Succeeded"}).ready] == ["C"]


@pytest.mark.parametrize(
    ("activities", "done", "failed"),
    [
        pytest.param(TRY_CATCH, {"A": "Failed", "Handler": "Succeeded"}, [], id="rule 62: caught"),
        pytest.param(TRY_CATCH, {"A": "Succeeded", "Handler": "Skipped"}, [], id="rule 62: nothing to catch"),
        pytest.param(
            DO_IF_ELSE, {"A": "Failed", "Then": "Skipped", "Else": "Succeeded"}, ["A"], id="rule 63: fails all the same"
        ),
        pytest.param(
            DO_IF_SKIP_ELSE,
            {"A": "Failed", "Then": "Skipped", "Else": "Succeeded", "Dummy": "Succeeded"},
            [],
            id="rule 64: a dummy makes it succeed",
        ),
        pytest.param(
            GENERIC, {"A": "Failed", "B": "Skipped", "Handler": "Succeeded"}, [], id="rule 65: one handler for all"
        ),
        pytest.param(
            graph(act("X"), act("Y", after=["X"]), act("Z", after=["Y"])),
            {"X": "Failed", "Y": "Skipped", "Z": "Skipped"},
            ["X"],
            id="rule 61: a skipped leaf stands for its parent",
        ),
    ],
)
def test_rule_61_leaves_decide_how_a_pipeline_ends(
    activities: list[Activity], done: dict[str, str], failed: list[str]
) -> None:
    assert culprits(activities, done) == failed
