"""What a deployment would change."""

from typing import Any

import pytest
from tests.resources.template.templates import FACTORY, Json, resource, template, wanted

from manara.resources.template.changes import differences, to_delete, what_if

KIND = "Microsoft.DataFactory/factories"
OTHER = FACTORY[:-1] + "other"


def changes(held: dict[str, Json], *resources: Json, mode: str = "Incremental") -> dict[str, str]:
    found = what_if(held, wanted(template(*resources)), mode)
    return {each["resourceId"].rpartition("/")[2]: each["changeType"] for each in found}


def test_each_resource_has_its_change() -> None:
    held: dict[str, Json] = {
        FACTORY: {"location": "x", "properties": {}},
        f"{FACTORY}/pipelines/Same": {"properties": {"a": 1}},
        f"{FACTORY}/pipelines/new": {"properties": {"a": 1}},
        f"{FACTORY}/pipelines/old": {"properties": {}},
    }
    found = changes(
        held,
        resource("f/same", properties={"a": 1}),
        resource("f/new", properties={"a": 2}),
        resource("f/made", properties={}),
    )
    assert found == {"f": "Ignore", "Same": "NoChange", "new": "Modify", "old": "Ignore", "made": "Create"}


def test_complete_mode_deletes_whole_factories_only_and_none_that_the_template_fills() -> None:
    held: dict[str, Json] = {
        path: {"properties": {}} for path in (FACTORY, f"{FACTORY}/pipelines/a", OTHER, f"{OTHER}/pipelines/b")
    }
    found = changes(held, resource("f/p"), mode="Complete")
    assert found == {"f": "Ignore", "a": "Ignore", "other": "Delete", "b": "Delete", "p": "Create"}
    assert to_delete(held, wanted(template(resource("f/p"))), "complete") == [OTHER]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (1, 1, []),
        (None, 1, [{"path": "p", "propertyChangeType": "Create", "after": 1}]),
        (1, None, [{"path": "p", "propertyChangeType": "Delete", "before": 1}]),
        (
            {"a": {"b": 1}},
            {"a": {"b": "1"}},
            [{"path": "p.a.b", "propertyChangeType": "Modify", "before": 1, "after": "1"}],
        ),
        (
            [{"a": 1}, 2],
            [{"a": 2}],
            [
                {
                    "path": "p",
                    "propertyChangeType": "Array",
                    "children": [
                        {
                            "path": "0",
                            "propertyChangeType": "Modify",
                            "children": [{"path": "a", "propertyChangeType": "Modify", "before": 1, "after": 2}],
                        },
                        {"path": "1", "propertyChangeType": "Delete", "before": 2},
                    ],
                }
            ],
        ),
    ],
)
def test_differences_have_their_paths(before: Any, after: Any, expected: list[Json]) -> None:
    assert list(differences(before, after, "p")) == expected


def test_a_changed_secret_is_told_and_not_shown() -> None:
    path = f"{FACTORY}/linkedservices/s"

    def body(secret: str) -> Json:
        held = {"type": "SecureString", "value": secret}
        return {
            "properties": {
                "typeProperties": {"key": held, "password": secret, "connectionString": f"AccountKey={secret}"}
            }
        }

    service = resource("f/s", "Microsoft.DataFactory/factories/linkedservices", **body("new1"))
    (found,) = what_if({path: body("old1")}, wanted(template(service)))
    assert [each["path"].rpartition(".")[2] for each in found["delta"]] == ["connectionString", "key", "password"]
    assert "old1" not in str(found)
    assert "new1" not in str(found)
