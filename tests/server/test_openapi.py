"""The OpenAPI document: whatever is sent by it, and however a good definition is changed, the server does not fail."""

import copy
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import anyio
import pytest
import schemathesis
from httpx import ASGITransport, AsyncClient, Response
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.server.arm import definitions
from tests.server.arm.conftest import Somebody
from tests.server.arm.requests import EXAMPLES, SUBSCRIPTION, Example, F

from manara.app import known
from manara.server.http import Application
from manara.server.limits import Limits
from manara.server.openapi import document
from manara.server.site import Site
from manara.settings import Settings
from manara.store.seal import Seal

SCHEMA = schemathesis.openapi.from_dict(document())
NAMES = {
    "subscriptionId": SUBSCRIPTION.rpartition("/")[2],
    "resourceGroupName": definitions.GROUP.rpartition("/")[2],
    "factoryName": F.rpartition("/")[2],
    "pipelineName": "census",
    "datasetName": "inbox",
    "linkedServiceName": "lake",
    "dataFlowName": "households",
    "triggerName": "windows",
    "integrationRuntimeName": "Office-Server",
    "managedVirtualNetworkName": "default",
    "credentialName": "loader",
    "globalParameterName": "default",
}
PUTS = [each for each in EXAMPLES if each.method == "PUT" and each.path.startswith(f"{F}/") and each.status == 200]

Send = Callable[..., Response]


@pytest.fixture(scope="module")
def send(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Send]:
    """Send a request to a server that holds our definitions."""
    home = tmp_path_factory.mktemp("home")
    site = Site(
        home=home, address=home / "journal.sqlite", seal=Seal(home / "seal.key"), settings=Settings(), known=known
    )
    limits = Limits(dict.fromkeys(("reads", "writes", "deletes"), 10**9))
    transport = ASGITransport(app=Application(site, Somebody(), limits))

    async def request(method: str, path: str, **more: Any) -> Response:
        async with AsyncClient(transport=transport, base_url="https://localhost") as client:
            return await client.request(method, path, **more)

    with anyio.from_thread.start_blocking_portal() as portal:

        def call(method: str, path: str, **more: Any) -> Response:
            told: Callable[[], Awaitable[Response]] = lambda: request(method, path, **more)  # noqa: E731
            return portal.call(told)

        for each in EXAMPLES:
            if each.method == "PUT" and each.status in (200, 201) and "/Microsoft.DataFactory//" not in each.path:
                version = "2018-06-01" if each.path.startswith(F) else "2022-09-01"
                call("PUT", each.path, params={"api-version": version}, json=each.body)
        yield call


@SCHEMA.parametrize()
@settings(
    max_examples=3,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_request_by_the_document_makes_the_server_fail(case: schemathesis.Case[Any], send: Send) -> None:
    removes = case.method.upper() == "DELETE"
    for name, value in case.path_parameters.items():
        if name in NAMES and not removes and (name.endswith(("Id", "pName", "yName")) or len(str(value)) % 2):
            case.path_parameters[name] = NAMES[name]
    told = case.as_transport_kwargs(base_url="https://localhost")
    answer = send(
        told["method"], told["url"], **{key: told[key] for key in ("params", "json", "headers") if key in told}
    )
    assert answer.status_code < 500 or answer.status_code == 501, answer.text
    assert "Traceback" not in answer.text
    if answer.status_code >= 400 and case.method.upper() != "HEAD":
        assert answer.json()["error"]["code"]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["type", "value", "name"]), inner, max_size=2)
    ),
    max_leaves=4,
)


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in a body."""
    yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in pairs:
        yield from places(part, (*path, key))


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(PUTS), st.data())
def test_no_change_of_a_good_definition_makes_the_server_fail(
    send: Send, example: Example, data: st.DataObject
) -> None:
    body = copy.deepcopy(example.body)
    *above, last = data.draw(st.sampled_from([each for each in places(body) if each]))
    part = body
    for key in above:
        part = part[key]
    part[last] = data.draw(anything)
    answer = send("PUT", example.path, params={"api-version": "2018-06-01"}, json=body)
    assert answer.status_code < 500, (body, answer.text)
    shown = send("GET", example.path, params={"api-version": "2018-06-01"})
    assert shown.status_code == 200
    assert definitions.SECRET not in json.dumps(shown.json())


def test_the_document_is_served_to_everybody(send: Send) -> None:
    assert send("GET", "/openapi.json").json() == document()
