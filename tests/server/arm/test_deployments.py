"""Deployments of templates, with a resource layer of a few lines."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from tests.resources.template.templates import FACTORY, PLACE, Json, resource, template

from manara.errors import NotAllowed, Transient
from manara.server.answer import Problem, bad_request
from manara.server.arm.deployments import (
    Context,
    deploy,
    exported,
    foretell,
    show,
    shown_operations,
    validate,
)

CONTEXT = Context(place=PLACE, correlation="c")
A, B, C = resource("f/a"), resource("f/b", dependsOn=["f/a"]), resource("f/c")
WANTS_KEY = {"key": {"type": "securestring"}}


def body(*resources: Json, mode: str = "Incremental", given: Json | None = None, **more: Any) -> bytes:
    told = {"properties": {"mode": mode, "template": template(*resources, **more), "parameters": given or {}}}
    return json.dumps(told).encode()


class Layer:
    """Resources by id; those whose name is in `bad` are refused."""

    def __init__(self, *bad: str) -> None:
        self.held: dict[str, Any] = {}
        self.saved: list[Mapping[str, Any]] = []
        self.bad = bad

    def put(self, kind: str, path: str, held: Mapping[str, Any]) -> None:
        if path.rpartition("/")[2] in self.bad:
            raise bad_request("It is refused.", target=path)
        self.held[path] = dict(held)

    def deploy(self, raw: bytes, context: Context = CONTEXT) -> dict[str, Any]:
        return deploy(raw, context, self.put, remove=self.held.pop, save=self.saved.append)


def test_a_deployment_makes_what_the_template_wants_and_tells_of_it() -> None:
    layer = Layer()
    told = layer.deploy(body(B, A, outputs={"o": {"type": "string", "value": "x"}}))
    assert [path.rpartition("/")[2] for path in layer.held] == ["a", "b"]
    properties = told["properties"]
    assert (told["name"], properties["provisioningState"], properties["correlationId"]) == ("d", "Succeeded", "c")
    assert properties["outputs"] == {"o": {"type": "string", "value": "x"}}
    assert properties["outputResources"] == [{"id": f"{FACTORY}/pipelines/a"}, {"id": f"{FACTORY}/pipelines/b"}]
    assert [each["properties"]["provisioningState"] for each in layer.saved] == ["Running", "Succeeded"]
    assert show(layer.saved[-1], CONTEXT) == told


def test_what_az_sends_is_read() -> None:
    raw = b'{"properties": {"mode": "incremental", "parameters": {}, template:{ // ours\n "resources": [],}}}'
    assert Layer().deploy(raw)["properties"]["mode"] == "Incremental"


def test_what_waits_for_a_failure_is_not_tried_and_the_rest_is() -> None:
    layer = Layer("a")
    with pytest.raises(Problem) as error:
        layer.deploy(body(A, B, C))
    assert (error.value.status, error.value.code) == (400, "DeploymentFailed")
    assert [(each["code"], each["target"]) for each in error.value.details or ()] == [
        ("BadRequest", f"{FACTORY}/pipelines/a")
    ]
    assert list(layer.held) == [f"{FACTORY}/pipelines/c"]
    assert layer.saved[-1]["properties"]["provisioningState"] == "Failed"
    states = [each["properties"]["provisioningState"] for each in shown_operations(layer.saved[-1], CONTEXT)]
    assert states == ["Failed", "Succeeded"]


def test_an_error_of_ours_is_told_and_one_that_passes_is_passed_on() -> None:
    def refuse(_kind: str, _path: str, _body: Mapping[str, Any]) -> None:
        raise NotAllowed("You may not.")

    def fail(_kind: str, _path: str, _body: Mapping[str, Any]) -> None:
        raise Transient("The store is away.")

    with pytest.raises(Problem) as error:
        deploy(body(A), CONTEXT, refuse)
    assert (error.value.details or [{}])[0]["code"] == "AuthorizationFailed"
    with pytest.raises(Transient):
        deploy(body(A), CONTEXT, fail)


def test_complete_mode_takes_other_factories_away() -> None:
    layer = Layer()
    other = FACTORY[:-1] + "old"
    layer.held = {FACTORY: {}, other: {}}
    layer.deploy(body(A, mode="Complete"), Context(place=PLACE, held=lambda: dict(layer.held)))
    assert other not in layer.held
    assert FACTORY in layer.held


@pytest.mark.parametrize(
    ("raw", "code", "says"),
    [
        (b'{"properties": {', "InvalidRequestContent", "This is no JSON"),
        (b"[]", "InvalidRequestContent", "A deployment is asked for with"),
        (b'{"properties": {"mode": "Incremental"}}', "InvalidRequestContent", "has no template"),
        (
            b'{"properties": {"templateLink": {"uri": "https://x"}}}',
            "InvalidContentLink",
            "'templateLink' is not fetched",
        ),
        (b'{"properties": {"parametersLink": {"uri": "https://x"}}}', "InvalidContentLink", "properties.parameters"),
        (body(mode="Sometimes"), "InvalidDeploymentMode", "Incremental or Complete"),
        (body(resource("f")), "InvalidTemplate", "has incorrect segment lengths"),
        (body(given={"x": {"value": 1}}), "InvalidTemplate", "The parameter 'x' was given"),
        (body(given={"x": 1}), "InvalidTemplate", "A parameter is given as"),
        (body(B), "InvalidTemplate", "is not defined in the template"),
        (body(resource("x", "Microsoft.Storage/storageAccounts")), "InvalidTemplateDeployment", "is not valid"),
    ],
)
def test_what_is_wrong_with_a_request_is_told_before_anything_is_made(raw: bytes, code: str, says: str) -> None:
    layer = Layer()
    for act in (layer.deploy, lambda each: validate(each, CONTEXT), lambda each: foretell(each, CONTEXT)):
        with pytest.raises(Problem) as error:
            act(raw)
        assert (error.value.status, error.value.code) == (400, code)
        assert says in error.value.message
    assert not layer.saved


def test_validation_asks_what_would_be_wrong_with_each_resource() -> None:
    def check(_kind: str, path: str, _body: Mapping[str, Any]) -> Problem | None:
        return bad_request("No.", target=path) if path.endswith("/a") else None

    with pytest.raises(Problem) as error:
        validate(body(A, C), Context(place=PLACE, check=check))
    assert error.value.code == "InvalidTemplateDeployment"
    assert [each["target"] for each in error.value.details or ()] == [f"{FACTORY}/pipelines/a"]
    told = validate(body(A, B), CONTEXT)["properties"]
    assert [each["id"] for each in told["validatedResources"]] == [f"{FACTORY}/pipelines/{name}" for name in "ab"]
    assert told["dependencies"][0]["dependsOn"][0]["resourceName"] == "f/a"


def test_a_forecast_has_changes_and_makes_nothing() -> None:
    told = foretell(body(A), Context(place=PLACE, held=lambda: {FACTORY: {"properties": {}}}))
    assert told["status"] == "Succeeded"
    assert [each["changeType"] for each in told["properties"]["changes"]] == ["Ignore", "Create"]


def test_a_secret_is_in_no_record() -> None:
    layer = Layer()
    service = resource("f/a", properties={"key": "[parameters('key')]"})
    layer.deploy(body(service, given={"key": {"value": "hidden"}}, parameters=WANTS_KEY))
    assert layer.held[f"{FACTORY}/pipelines/a"] == {"properties": {"key": "hidden"}}
    assert "hidden" not in json.dumps(layer.saved)
    assert exported(layer.saved[-1])["template"]["parameters"] == WANTS_KEY
