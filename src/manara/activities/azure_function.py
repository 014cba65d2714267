"""The activity AzureFunctionActivity: a function of a function app, called over HTTP."""

from datetime import timedelta
from typing import Any

from manara.activities.request import (
    RESPONSE_HEADERS,
    EndpointFailed,
    body_bytes,
    read_headers,
    read_json,
    read_method,
    told,
)
from manara.errors import WrongDefinition
from manara.plugin.activity import Given, Output, activity
from manara.plugin.connection import Endpoint
from manara.web import Request, send

TIMEOUT = timedelta(seconds=230)
"""How long Azure lets a function answer."""


@activity("AzureFunctionActivity")
def azure_function(given: Given) -> Output:
    """Call `functionName` of the linked service's function app and return the JSON object that it answers."""
    properties = given.properties
    endpoint = given.connect(given.linked_service) if given.linked_service else None
    if not isinstance(endpoint, Endpoint):
        raise WrongDefinition(
            "The activity needs a linked service of type AzureFunction.", where=given.name, advice="Name one."
        )
    name = properties.get("functionName")
    if not isinstance(name, str) or not name.strip("/ "):
        raise WrongDefinition("The activity has no functionName.", where=given.name, advice="Add it.")
    body = body_bytes(properties.get("body"))
    headers = {"Content-Type": "application/json; charset=utf-8"} if body else {}
    headers |= read_headers(properties.get("headers"), given.name)
    headers |= {header: secret.open() for header, secret in endpoint.headers.items()}
    request = Request(
        method=read_method(properties.get("method"), given.name, code="3602"),
        url=f"{endpoint.url}/api/{name.strip('/ ')}",
        headers=headers,
        body=body,
        timeout=TIMEOUT,
    )
    return _call(request, name, given)


def _call(request: Request, name: str, given: Given) -> dict[str, Any]:
    answer = send(request, lambda: given.report({}))
    if answer.status >= 300:
        raise EndpointFailed(
            f"Call to provided Azure function '{name}' failed with status-'{answer.status} {answer.reason}' "
            f"and message - '{told(answer.text)}'.",
            code="3608",
        )
    value = read_json(answer)
    if not isinstance(value, dict):
        raise EndpointFailed(
            "Response Content is not a valid JObject.",
            where=given.name,
            advice="Let the function answer with a JSON object.",
            code="3603",
        )
    return {**value, RESPONSE_HEADERS: dict(answer.headers)}
