"""Every operation of the management API is sent an example request, and answers as Azure's clients need it."""

import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import pytest
from httpx import ASGITransport, AsyncClient, Response
from jsonschema_rs import Draft4Validator
from tests.resources.schema.make_types import RESOURCES
from tests.server.arm import definitions
from tests.server.arm.conftest import Somebody
from tests.server.arm.requests import EXAMPLES, Example, F

from manara.app import known
from manara.resources.schema.check import check_body
from manara.server.arm.operations import OPERATIONS, Operation, match
from manara.server.http import Application
from manara.server.limits import Limits
from manara.server.openapi import document
from manara.server.site import Site
from manara.settings import Settings
from manara.store.seal import Seal

SCHEMA = Path(__file__).parents[4] / "shared" / "reference" / "arm-schema.json"
EXPRESSION = "https://schema.management.azure.com/schemas/common/definitions.json"
DEFINITIONS: dict[str, tuple[str, Any]] = {
    **{f"linked service {name}": ("linkedService", each) for name, each in definitions.SERVICES.items()},
    **{f"dataset {name}": ("dataset", each) for name, each in definitions.DATASETS.items()},
    **{f"pipeline {name}": ("pipeline", each) for name, each in definitions.PIPELINES.items()},
    **{f"trigger {name}": ("trigger", each) for name, each in definitions.TRIGGERS.items()},
    **{f"runtime {name}": ("integrationRuntime", each) for name, each in definitions.RUNTIMES.items()},
    "data flow": ("dataflow", definitions.FLOW),
    "credential": ("credential", definitions.CREDENTIAL),
    "private endpoint": ("managedPrivateEndpoint", definitions.ENDPOINT),
    "global parameters": ("globalParameter", definitions.GLOBALS),
}


@pytest.mark.skipif(not SCHEMA.exists(), reason="Azure's schema is not beside the repository")
@pytest.mark.parametrize("name", DEFINITIONS)
def test_our_definitions_are_good_by_azures_own_schema(name: str) -> None:
    kind, properties = DEFINITIONS[name]
    faults = [f"{error.instance_path}: {error.message[:300]}" for error in _validator(kind).iter_errors(properties)]
    assert faults == []


@pytest.mark.parametrize("name", DEFINITIONS)
def test_our_definitions_are_good_by_our_own_check(name: str) -> None:
    kind, properties = DEFINITIONS[name]
    assert check_body(kind, {"properties": properties}, known=known()) == []


def test_every_operation_has_an_example() -> None:
    assert {each.name for each in OPERATIONS} - {operation(each).name for each in EXAMPLES} == set()


def test_every_operation_is_in_the_openapi_document() -> None:
    told = Counter(
        each["operationId"].partition("On")[0] for path in document()["paths"].values() for each in path.values()
    )
    assert {each.name.partition("On")[0] for each in OPERATIONS} == set(told)


def operation(example: Example) -> Operation:
    found = match(example.method, example.path)
    assert isinstance(found, tuple), example
    return found[0]


@cache
def _validator(kind: str) -> Draft4Validator:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    inside = schema["resourceDefinitions"][RESOURCES[kind]]["properties"]["properties"]
    common = {"definitions": {"expression": {"type": "string", "pattern": "^\\[.*\\]$"}}}
    return Draft4Validator({"definitions": schema["definitions"], **inside}, retriever=lambda _: common)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[Response]:
    """The answers to all examples, sent in their order to one server."""
    home = tmp_path_factory.mktemp("home")
    site = Site(
        home=home, address=home / "journal.sqlite", seal=Seal(home / "seal.key"), settings=Settings(), known=known
    )
    limits = Limits(dict.fromkeys(("reads", "writes", "deletes"), 100_000))
    kept: dict[str, Any] = {}

    async def send_all() -> list[Response]:
        transport = ASGITransport(app=Application(site, Somebody(), limits))
        async with AsyncClient(transport=transport, base_url="https://localhost") as client:
            return [await _send(client, each, kept) for each in EXAMPLES]

    return anyio.run(send_all)


async def _send(client: AsyncClient, example: Example, kept: dict[str, Any]) -> Response:
    version = "2018-06-01" if "microsoft.datafactory/" in f"{example.path.lower()}/" else "2022-09-01"
    text, path = json.dumps(example.body), example.path
    for name, value in kept.items():
        text, path = text.replace(f"{{{name}}}", str(value)), path.replace(f"{{{name}}}", str(value))
    query = f"api-version={version}" + (f"&{quote(example.query, safe='=&$')}" if example.query else "")
    raw = None if example.body is None else text
    headers = {"Content-Type": "application/json"} if raw else {}
    answer = await client.request(example.method, f"{path}?{query}", content=raw, headers=headers)
    for name, where in example.keeps.items() if answer.is_success else ():
        value = answer.json()
        for key in where.split("."):
            value = value[int(key)] if key.isdigit() else value[key]
        kept[name] = value
    return answer


@pytest.mark.parametrize("index", range(len(EXAMPLES)), ids=lambda index: f"{index}-{EXAMPLES[index]}")
def test_every_example_is_answered_as_it_says(index: int, answers: list[Response]) -> None:
    example, answer = EXAMPLES[index], answers[index]
    assert answer.status_code == example.status, answer.text
    assert answer.headers["x-ms-request-id"]
    assert definitions.SECRET not in answer.text
    if example.code:
        assert answer.json()["error"]["code"] == example.code
        assert answer.json()["error"]["message"]
    elif operation(example).pageable:
        assert isinstance(answer.json()["value"], list)


def test_what_was_put_comes_back_with_what_azure_adds(answers: list[Response]) -> None:
    index = next(at for at, each in enumerate(EXAMPLES) if each.path == f"{F}/datasets/inbox" and each.method == "GET")
    told = answers[index].json()
    assert told["properties"] == definitions.DATASETS["inbox"]
    assert (told["id"], told["name"], told["type"]) == (
        f"{F}/datasets/inbox",
        "inbox",
        "Microsoft.DataFactory/factories/datasets",
    )
    assert told["etag"]
