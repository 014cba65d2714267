import pytest

from manara.server.answer import Problem
from manara.server.limits import Limits, kind_of


def test_what_is_used_up_comes_back_with_time() -> None:
    limits = Limits({"reads": 2})
    assert [limits.take("a", "reads", now=0.0) for _ in range(2)] == [1, 0]
    with pytest.raises(Problem) as refused:
        limits.take("a", "reads", now=1.0)
    assert (refused.value.status, refused.value.headers["Retry-After"]) == (429, "30")
    assert limits.take("a", "reads", now=31.0) == 0


def test_each_caller_and_kind_has_its_own() -> None:
    limits = Limits({"reads": 1, "writes": 1})
    for caller, kind in (("a", "reads"), ("b", "reads"), ("a", "writes")):
        assert limits.take(caller, kind, now=0.0) == 0


@pytest.mark.parametrize(
    ("method", "action", "kind"),
    [
        ("GET", "x/read", "reads"),
        ("POST", "x/queryPipelineRuns/read", "reads"),
        ("POST", "x/pipelines/createRun/action", "writes"),
        ("PUT", "x/write", "writes"),
        ("DELETE", "x/delete", "deletes"),
    ],
)
def test_a_query_counts_as_a_read(method: str, action: str, kind: str) -> None:
    assert kind_of(method, action) == kind
