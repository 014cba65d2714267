"""Resource groups, factories and their parts over the API."""

from typing import Any

import pytest
from tests.server.arm.conftest import FACTORY, GROUP, Client

PIPELINE: dict[str, Any] = {"activities": [{"name": "W", "type": "Wait", "typeProperties": {"waitTimeInSeconds": 1}}]}


def dataset(service: str = "Store") -> dict[str, Any]:
    reference = {"referenceName": service, "type": "LinkedServiceReference"}
    location = {"type": "FileServerLocation", "fileName": "a.csv"}
    return {"type": "DelimitedText", "linkedServiceName": reference, "typeProperties": {"location": location}}


def code(answer: Any) -> tuple[int, str]:
    return answer.status, answer.body["error"]["code"]


def test_a_factory_is_made_in_a_group_that_is_there(client: Client) -> None:
    assert code(client.send("PUT", FACTORY, {"location": "x"})) == (404, "ResourceGroupNotFound")
    client.send("PUT", GROUP, {"location": "x"}, version="2021-04-01")
    assert code(client.send("GET", FACTORY)) == (404, "ResourceNotFound")
    made = client.send("PUT", FACTORY, {"location": "x", "tags": {"a": "b"}})
    assert made.body["properties"]["provisioningState"] == "Succeeded"
    assert (made.body["tags"], made.body["id"], made.body["eTag"][0]) == ({"a": "b"}, FACTORY, '"')


def test_any_spelling_of_a_path_finds_the_same(factory: Client) -> None:
    factory.put(f"{FACTORY}/pipelines/Load", PIPELINE)
    odd = f"{FACTORY}/PipeLines/LOAD".replace("resourceGroups", "RESOURCEGROUPS").replace("/factories", "//factories")
    assert factory.send("GET", odd).body["id"] == f"{FACTORY}/pipelines/Load"


def test_unknown_properties_come_back(factory: Client) -> None:
    told = {**PIPELINE, "annotations": ["x"], "folder": {"name": "f"}, "isNew": {"a": [1, None]}}
    factory.put(f"{FACTORY}/pipelines/Load", told)
    shown = factory.send("GET", f"{FACTORY}/pipelines/Load").body["properties"]
    assert {name: shown[name] for name in told} == told
    assert "lastPublishTime" in shown


def test_an_etag_keeps_one_writer_from_undoing_another(factory: Client) -> None:
    path = f"{FACTORY}/pipelines/Load"
    etag = factory.put(path, PIPELINE).body["etag"]
    assert factory.send("GET", path, if_none_match=f'"{etag}"').status == 304
    assert factory.put(path, PIPELINE, if_match=etag).status == 200
    assert code(factory.put(path, PIPELINE, if_match=etag)) == (412, "PreconditionFailed")
    assert code(factory.put(path, PIPELINE, if_none_match="*")) == (412, "PreconditionFailed")


def test_what_is_named_must_be_there(factory: Client) -> None:
    answer = factory.put(f"{FACTORY}/datasets/In", dataset("Nowhere"))
    assert code(answer) == (400, "BadRequest")
    assert "invalid reference 'Nowhere'" in answer.body["error"]["message"]
    assert answer.body["error"]["target"] == f"{FACTORY}/datasets/In"


def test_what_is_named_is_not_removed(factory: Client) -> None:
    factory.put(f"{FACTORY}/datasets/In", dataset())
    assert "referenced by In" in factory.send("DELETE", f"{FACTORY}/linkedservices/store").body["error"]["message"]
    assert factory.send("DELETE", f"{FACTORY}/datasets/In").status == 200
    assert factory.send("DELETE", f"{FACTORY}/linkedservices/Store").status == 200
    assert factory.send("DELETE", f"{FACTORY}/linkedservices/Store").status == 204


def test_secrets_go_in_and_do_not_come_out(factory: Client) -> None:
    path = f"{FACTORY}/linkedservices/Db"
    secret = {"type": "SecureString", "value": "swordfish"}
    told = {
        "type": "Sftp",
        "typeProperties": {"host": "h", "userName": "u", "authenticationType": "Basic", "password": secret},
    }
    answers = [factory.put(path, told), factory.send("GET", path), factory.send("GET", f"{FACTORY}/linkedservices")]
    assert "swordfish" not in str([each.body for each in answers])
    shown = answers[1].body["properties"]
    factory.put(path, shown)
    kept = factory.site.documents.get(path)
    assert kept is not None
    assert kept.body["properties"]["typeProperties"]["password"]["value"] == "swordfish"


def test_lists_come_in_pages_that_lead_on(factory: Client) -> None:
    for number in range(205):
        factory.put(f"{FACTORY}/pipelines/p{number:03}", PIPELINE)
    names: list[str] = []
    path = f"{FACTORY}/pipelines"
    while path:
        page = factory.send("GET", path).body
        names += [each["name"] for each in page["value"]]
        path = page.get("nextLink", "").removeprefix("https://here").replace("%2F", "/")
    assert names == [f"p{number:03}" for number in range(205)]


@pytest.mark.parametrize(
    ("body", "status"),
    [([], 400), ("x", 400), (b"{", 400), ({"properties": 1}, 400), ({"properties": {"activities": {}}}, 400)],
)
def test_a_body_of_the_wrong_shape_is_refused(factory: Client, body: Any, status: int) -> None:
    assert factory.send("PUT", f"{FACTORY}/pipelines/p", body).status == status
    assert factory.send("GET", f"{FACTORY}/pipelines/p").status == 404


def test_a_typeless_body_of_the_broken_client_is_told_the_cure(factory: Client) -> None:
    agent = "azsdk-python-mgmt-datafactory/10.0.0 Python/3.11"
    answer = factory.put(f"{FACTORY}/linkedservices/x", {"typeProperties": {}}, user_agent=agent)
    assert answer.status == 400
    assert "10.0.0" in answer.body["error"]["message"]


def test_a_part_that_is_not_there_is_told_as_azure_tells_it(factory: Client) -> None:
    answer = factory.send("GET", f"{FACTORY}/pipelines/no")
    assert answer.body["error"] == {
        "code": "NotFound",
        "message": "The document could not be retrieved because it does not exist.",
        "target": f"{FACTORY}/pipelines/no",
        "details": None,
    }


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("", "MissingApiVersionParameter"),
        ("2017-01-01", "InvalidApiVersionParameter"),
        ("x", "InvalidApiVersionParameter"),
    ],
)
def test_the_version_is_asked_for(factory: Client, version: str, expected: str) -> None:
    assert code(factory.send("GET", FACTORY, version=version)) == (400, expected)


def test_a_group_goes_with_everything_in_it(factory: Client) -> None:
    factory.put(f"{FACTORY}/pipelines/p", PIPELINE)
    gone = factory.send("DELETE", GROUP, version="2021-04-01")
    assert (gone.status, factory.send("HEAD", GROUP, version="2021-04-01").status) == (202, 404)
    where = gone.headers["Location"].removeprefix("https://here")
    assert factory.send("GET", where).status == 200
    assert factory.site.documents.below(GROUP) == []


def test_what_is_not_allowed_is_refused_and_noted(factory: Client) -> None:
    factory.identity.may = lambda action, _scope: action.endswith("/read")
    refused = factory.put(f"{FACTORY}/pipelines/p", PIPELINE)
    assert code(refused) == (403, "AuthorizationFailed")
    assert "Microsoft.DataFactory/factories/pipelines/write" in refused.body["error"]["message"]
    assert refused.headers["x-ms-failure-cause"] == "gateway"
    last = factory.identity.noted[-1]
    assert (last["status"], last["action"]) == (403, "Microsoft.DataFactory/factories/pipelines/write")


def test_every_write_is_noted_and_no_read(factory: Client) -> None:
    factory.identity.noted.clear()
    factory.send("GET", FACTORY)
    factory.put(f"{FACTORY}/pipelines/p", PIPELINE)
    factory.send("DELETE", f"{FACTORY}/pipelines/p")
    assert [(each["action"].rpartition("/")[2], each["status"]) for each in factory.identity.noted] == [
        ("write", 200),
        ("delete", 200),
    ]


def test_an_operation_that_is_not_here_says_so(factory: Client) -> None:
    answer = factory.send("POST", f"{FACTORY}/getGitHubAccessToken", {})
    assert code(answer) == (501, "NotImplemented")
    assert answer.body["error"]["message"] == "The operation 'POST getGitHubAccessToken' is not implemented by Manara."


def test_global_parameters_are_a_part_of_the_factory(factory: Client) -> None:
    path = f"{FACTORY}/globalParameters/default"
    factory.put(path, {"n": {"type": "Int", "value": 7}})
    definitions, _ = factory.site.snapshots.of(FACTORY, factory.site.documents, factory.site.journal)
    assert definitions.global_parameters == {"n": 7}
    assert factory.send("GET", f"{FACTORY}/globalParameters").body["value"][0]["name"] == "default"


def test_a_self_hosted_runtime_has_keys_that_only_one_answer_shows(factory: Client) -> None:
    path = f"{FACTORY}/integrationRuntimes/field"
    shown = factory.put(path, {"type": "SelfHosted"})
    keys = factory.send("POST", f"{path}/listAuthKeys").body
    again = factory.send("POST", f"{path}/regenerateAuthKey", {"keyName": "authKey1"}).body
    assert keys["authKey1"] not in str([shown.body, factory.send("GET", path).body])
    assert (again["authKey1"] != keys["authKey1"], again["authKey2"]) == (True, keys["authKey2"])
    status = factory.send("POST", f"{path}/getStatus").body["properties"]
    assert status["state"] == "NeedRegistration"
    factory.put(path, {"type": "SelfHosted", "description": "x"})
    assert factory.send("POST", f"{path}/listAuthKeys").body == again
