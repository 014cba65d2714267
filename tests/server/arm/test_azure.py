"""Azure around the factories: what clients ask before they come to the point."""

from typing import Any

import pytest
from tests.server.arm.conftest import FACTORY, GROUP, Client

ARM = "2021-04-01"


def test_metadata_is_one_object_from_2022_on(client: Client) -> None:
    new = client.send("GET", "/metadata/endpoints", version="2022-09-01").body
    old = client.send("GET", "/metadata/endpoints", version="2019-05-01").body
    assert new["authentication"]["loginEndpoint"] == "https://here"
    assert old == [new]


@pytest.mark.parametrize("namespace", ["Microsoft.DataFactory", "microsoft.datafactory"])
@pytest.mark.parametrize(("method", "verb"), [("GET", ""), ("POST", "/register")])
def test_the_provider_is_registered(client: Client, namespace: str, method: str, verb: str) -> None:
    told = client.send(method, f"/subscriptions/s1/providers/{namespace}{verb}", version=ARM).body
    assert (told["namespace"], told["registrationState"]) == ("Microsoft.DataFactory", "Registered")


def test_a_provider_that_is_none_is_told(client: Client) -> None:
    assert client.send("GET", "/subscriptions/s1/providers/Microsoft.Sql", version=ARM).status == 404


def test_subscriptions_are_those_that_hold_something(factory: Client) -> None:
    told = factory.send("GET", "/subscriptions", version=ARM).body["value"]
    assert {each["subscriptionId"] for each in told} == {"s1", "00000000-0000-0000-0000-000000000000"}
    assert factory.send("GET", "/subscriptions/other", version=ARM).body["state"] == "Enabled"


def test_a_group_keeps_its_place_and_changes_its_tags(client: Client) -> None:
    path = GROUP.replace("resourceGroups", "resourcegroups")
    assert client.send("PUT", path, {"location": "a", "tags": {"n": "1"}}, version=ARM).status == 201
    assert client.send("PUT", path, {"location": "A"}, version=ARM).status == 200
    wrong = client.send("PUT", path, {"location": "b"}, version=ARM)
    assert wrong.body["error"]["code"] == "InvalidResourceGroupLocation"
    assert client.send("PATCH", path, {"tags": {"n": "2"}}, version=ARM).body["tags"] == {"n": "2"}
    assert client.send("PUT", path, {}, version=ARM).body["error"]["code"] == "LocationRequired"


@pytest.mark.parametrize(("method", "there", "missing"), [("HEAD", 204, 404), ("GET", 200, 404)])
def test_a_group_is_there_or_not(factory: Client, method: str, there: int, missing: int) -> None:
    assert factory.send(method, GROUP, version=ARM).status == there
    assert factory.send(method, f"{GROUP}-x", version=ARM).status == missing


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ("", 1),
        ("resourceGroup eq 'relief'", 1),
        ("resourceGroup eq 'other'", 0),
        ("resourceType eq 'Microsoft.DataFactory/factories' and name eq 'North'", 1),
        ("colour eq 'red'", 0),
    ],
)
def test_resources_are_listed_by_filter(factory: Client, wanted: str, count: int) -> None:
    query = f"?$filter={wanted.replace(' eq ', ' eq ')}" if wanted else ""
    assert len(factory.send("GET", f"/subscriptions/s1/resources{query}", version=ARM).body["value"]) == count


def test_only_what_the_caller_may_read_is_listed(factory: Client) -> None:
    factory.identity.may = lambda action, scope: scope.lower() in ("/subscriptions/s1", GROUP.lower())
    assert factory.send("GET", "/subscriptions/s1/resourceGroups", version=ARM).body["value"][0]["name"] == "relief"
    listed = factory.send("GET", "/subscriptions/s1/providers/Microsoft.DataFactory/factories")
    assert (listed.status, listed.body["value"]) == (200, [])


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        (f"{FACTORY}/getFeatureValue", {"featureName": "x"}, {"featureName": "x", "value": "False"}),
        (f"{FACTORY}/getFeatureValue", None, {"featureName": "", "value": "False"}),
        (
            f"{FACTORY}/queryFeaturesValue",
            {"exposureControlRequests": [{"featureName": "x"}]},
            {"exposureControlResponses": [{"featureName": "x", "value": "False"}]},
        ),
    ],
)
def test_features_of_the_portal_are_off(factory: Client, path: str, body: Any, expected: Any) -> None:
    assert factory.send("POST", path, body).body == expected


def test_a_debug_session_is_kept_until_it_is_closed(factory: Client) -> None:
    session = factory.send("POST", f"{FACTORY}/createDataFlowDebugSession", {"timeToLive": 60}).body["sessionId"]
    told = {"sessionId": session}
    assert factory.send("POST", f"{FACTORY}/queryDataFlowDebugSessions").body["value"][0]["sessionId"] == session
    assert factory.send("POST", f"{FACTORY}/addDataFlowToDebugSession", {**told, "dataFlow": {}}).status == 200
    assert factory.send("POST", f"{FACTORY}/executeDataFlowDebugCommand", told).status == 501
    assert factory.send("POST", f"{FACTORY}/deleteDataFlowDebugSession", told).status == 200
    assert factory.send("POST", f"{FACTORY}/deleteDataFlowDebugSession", told).status == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing/here", 404),
        ("TRACE", FACTORY, 405),
        ("GET", f"{FACTORY}/pipelines/../../x", 400),
        ("GET", f"{FACTORY}/pipelines/a%2Fb", 400),
        ("GET", f"{FACTORY}/pipelines/a%00b", 400),
        ("GET", f"{FACTORY}/pipelines/%ff", 400),
        ("PUT", FACTORY.replace("north", "-"), 400),
    ],
)
def test_a_path_that_is_none_is_told(factory: Client, method: str, path: str, status: int) -> None:
    answer = factory.send(method, path, {} if method == "PUT" else None)
    assert answer.status == status
    assert set(answer.body["error"]) >= {"code", "message"}


def test_what_fails_inside_says_nothing_of_the_machine(factory: Client) -> None:
    factory.identity.may = lambda _action, _scope: bool(1 / 0)
    answer = factory.send("GET", FACTORY)
    assert (answer.status, answer.body["error"]["code"]) == (500, "InternalServerError")
    assert "division" not in str(answer.body)
    assert "/" not in answer.body["error"]["message"]


def deployment(*resources: Any, **outputs: Any) -> dict[str, Any]:
    schema = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
    template = {"$schema": schema, "contentVersion": "1.0.0.0", "resources": list(resources), "outputs": outputs}
    return {"properties": {"mode": "Incremental", "template": template}}


DEPLOYMENT = f"{GROUP}/providers/Microsoft.Resources/deployments/d"
PART = {"type": "Microsoft.DataFactory/factories/pipelines", "apiVersion": "2018-06-01", "name": "north/p"}


def test_who_deploys_makes_only_what_he_may(factory: Client) -> None:
    factory.identity.may = lambda action, _scope: "/pipelines/" not in action
    answer = factory.send("PUT", DEPLOYMENT, deployment({**PART, "properties": {"activities": []}}), version=ARM)
    assert answer.status == 400
    assert "AuthorizationFailed" in str(answer.body)
    assert factory.site.documents.get(f"{FACTORY}/pipelines/p") is None


def test_a_template_refers_to_nothing_that_who_deploys_may_not_read(factory: Client) -> None:
    told = {"type": "object", "value": f"[reference('{FACTORY}', '2018-06-01')]"}
    body = deployment(seen=told)
    assert factory.send("PUT", DEPLOYMENT, body, version=ARM).status == 201
    factory.identity.may = lambda action, _scope: not action.endswith("factories/read")
    assert factory.send("PUT", DEPLOYMENT, body, version=ARM).status == 400
