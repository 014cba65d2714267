from pathlib import Path
from typing import Any

import pytest
from tests.web_server import Reply, call, serving

from manara.errors import ManaraError, WrongDefinition
from manara.plugin.connection import CONNECTORS, Endpoint, LinkedServiceGiven
from manara.secret import Secret

KEY = {"type": "SecureString", "value": "k3y"}


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def function(url: str, **properties: Any) -> dict[str, Any]:
    app = Endpoint(url=url, headers={"x-functions-key": Secret("k3y")})
    return call("AzureFunctionActivity", connection=app, **{"functionName": "Load", "method": "POST", **properties})


def test_a_function_is_called_with_its_key_and_gives_its_fields() -> None:
    with serving(Reply(json={"rows": 3})) as server:
        output = function(server.url, functionName="/area/Load?x=1", headers={"X-A": "b"}, body={"a": 1})
    asked = server.asked[0]
    assert (asked.method, asked.path, asked.json) == ("POST", "/api/area/Load?x=1", {"a": 1})
    assert (asked.headers["X-Functions-Key"], asked.headers["X-A"]) == ("k3y", "b")
    assert output["rows"] == 3


@pytest.mark.parametrize("reply", [Reply(json=[1]), Reply(text="done", headers={"Content-Type": "text/plain"})])
def test_a_function_must_answer_with_an_object(reply: Reply) -> None:
    with serving(reply) as server, pytest.raises(ManaraError, match="Response Content is not a valid JObject") as error:
        function(server.url)
    assert error.value.error_code == "3603"


def test_a_function_that_fails_is_told() -> None:
    with serving(Reply(status=500, text="out of memory")) as server, pytest.raises(ManaraError) as error:
        function(server.url)
    assert error.value.error_code == "3608"
    assert "Azure function 'Load' failed with status-'500 Internal Server Error' and message - 'out of memory'" in str(
        error.value
    )


@pytest.mark.parametrize(
    ("properties", "says"),
    [
        ({"functionName": None}, "has no functionName"),
        ({"functionName": "/"}, "has no functionName"),
        ({"method": "FETCH"}, "Invalid HttpMethod: 'FETCH'"),
    ],
)
def test_a_call_that_cannot_be_made_is_told(properties: dict[str, Any], says: str) -> None:
    with pytest.raises(WrongDefinition, match=says):
        function("http://127.0.0.1:9", **properties)


def test_a_function_needs_its_linked_service() -> None:
    with pytest.raises(WrongDefinition, match="needs a linked service of type AzureFunction"):
        call("AzureFunctionActivity", functionName="Load", method="GET")


def opened(**properties: Any) -> Any:
    given = LinkedServiceGiven(name="App", type="AzureFunction", properties=properties, root=Path())
    return CONNECTORS.find("AzureFunction")(given)


def test_the_linked_service_gives_the_address_and_the_key_behind_stars() -> None:
    app = opened(functionAppUrl="https://app.azurewebsites.net/", functionKey=KEY)
    assert app.url == "https://app.azurewebsites.net"
    assert (app.headers["x-functions-key"].open(), "k3y" in repr(app)) == ("k3y", False)


@pytest.mark.parametrize("properties", [{}, {"functionAppUrl": " "}, {"functionAppUrl": 7}])
def test_the_linked_service_needs_an_address(properties: dict[str, Any]) -> None:
    with pytest.raises(WrongDefinition, match="It needs the address of the function app"):
        opened(**properties)


def test_a_function_without_a_key_is_called_without() -> None:
    assert opened(functionAppUrl="https://x.org").headers == {}
