"""The gate before the whole application: what a token opens, what is refused, and what is written down."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.server.identity.conftest import a_key

from manara.app import known
from manara.errors import NotAllowed
from manara.server.answer import Answer
from manara.server.http import Application
from manara.server.identity.endpoints import REFUSALS
from manara.server.identity.gate import Gate
from manara.server.identity.keys import write_private
from manara.server.identity.principals import create, local_owner, set_disabled
from manara.server.identity.rbac import BUILT_IN
from manara.server.identity.roles import assign
from manara.server.limits import Limits
from manara.server.request import Request
from manara.server.site import Site
from manara.settings import Settings
from manara.store.audit import read_audit, verify_audit
from manara.store.seal import Seal

GROUP = "/subscriptions/s1/resourceGroups/relief"
FACTORY = f"{GROUP}/providers/Microsoft.DataFactory/factories/north"
ROLE = {role.name: role.id for role in BUILT_IN}
VERSIONS = {"Microsoft.DataFactory": "2018-06-01"}


@dataclass
class Client:
    application: Application
    site: Site
    gate: Gate

    def send(self, method: str, path: str, token: str = "", body: Any = None, version: str = "2018-06-01") -> Answer:
        raw = b"" if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
        request = Request(
            method=method, path=path, query={"api-version": version}, headers=headers, body=raw, address="192.0.2.7"
        )
        return self.application.answer(request, {})

    def token(self, client: str, secret: str, scope: str = "https://management.azure.com/.default") -> str:
        form = {"grant_type": "client_credentials", "client_id": client, "client_secret": secret, "scope": scope}
        request = Request(method="POST", path="/common/oauth2/v2.0/token", body=urlencode(form).encode())
        return str(self.application.answer(request, {}).body["access_token"])

    def owner(self) -> str:
        told = local_owner(self.site.home, self.site.journal, self.site.documents)
        assert told is not None
        return self.token(told["clientId"], told["clientSecret"])

    def somebody(self, name: str, role: str = "", scope: str = GROUP) -> str:
        made = create(self.site.journal, name)
        if role:
            assign(self.site.documents, made.principal.object_id, made.principal.kind, ROLE[role], scope)
        assert made.secret is not None
        return self.token(made.principal.app_id, made.secret.open())


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    write_private(tmp_path / "token.key", a_key(0))
    seal, settings = Seal(tmp_path / "seal.key"), Settings()
    site = Site(home=tmp_path, address=tmp_path / "journal.sqlite", seal=seal, settings=settings, known=known)
    gate = Gate(site=site)
    gate.may_listen("127.0.0.1")
    limits = Limits({"reads": 1000, "writes": 1000, "deletes": 1000})
    yield Client(Application(site, gate, limits), site, gate)
    site.close()


def code(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.body["error"]["code"]


def test_the_owner_may_do_everything(client: Client) -> None:
    token = client.owner()
    assert client.send("PUT", GROUP, token, {"location": "here"}, "2021-04-01").status == 201
    assert client.send("PUT", FACTORY, token, {"location": "here"}).status == 200


def test_a_role_opens_what_it_opens_and_no_more(client: Client) -> None:
    client.send("PUT", GROUP, client.owner(), {"location": "here"}, "2021-04-01")
    client.send("PUT", FACTORY, client.owner(), {"location": "here"})
    reader = client.somebody("reader", "Reader")
    assert client.send("GET", FACTORY, reader).status == 200
    assert client.send("POST", f"{FACTORY}/queryPipelineRuns", reader, {}).status != 403
    refused = client.send("PUT", FACTORY, reader, {"location": "here"})
    assert code(refused) == (403, "AuthorizationFailed")
    assert "does not have authorization to perform action 'Microsoft.DataFactory/factories/write'" in str(refused.body)
    assert refused.headers["x-ms-failure-cause"] == "gateway"
    assert code(client.send("GET", FACTORY, client.somebody("stranger"))) == (403, "AuthorizationFailed")


def test_a_right_that_is_taken_away_ends_at_once(client: Client) -> None:
    client.send("PUT", GROUP, client.owner(), {"location": "here"}, "2021-04-01")
    token = client.somebody("nightly", "Reader")
    assert client.send("GET", GROUP, token, version="2021-04-01").status == 200
    (held,) = [each for each in client.gate._rights.read(client.site.documents).assignments if each.scope == GROUP]
    client.site.documents.delete(held.id)
    assert client.send("GET", GROUP, token, version="2021-04-01").status == 403


def test_who_is_disabled_is_nobody_at_once(client: Client) -> None:
    token = client.somebody("nightly", "Owner")
    set_disabled(client.site.journal, "nightly", disabled=True)
    assert code(client.send("GET", FACTORY, token)) == (401, "InvalidAuthenticationToken")


def test_a_token_for_a_store_opens_nothing_here(client: Client) -> None:
    told = local_owner(client.site.home, client.site.journal, client.site.documents)
    assert told is not None
    token = client.token(told["clientId"], told["clientSecret"], "https://storage.azure.com/.default")
    assert code(client.send("GET", FACTORY, token)) == (401, "InvalidAuthenticationTokenAudience")


def test_without_a_token_nothing_is_told_of_what_is_there(client: Client) -> None:
    for path in (FACTORY, "/nothing", "/subscriptions"):
        answer = client.send("GET", path)
        assert code(answer) == (401, "AuthenticationFailed")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


def test_every_write_and_every_refusal_is_written_down(client: Client) -> None:
    client.send("PUT", GROUP, client.owner(), {"location": "here", "tags": {"secret": "s3cret"}}, "2021-04-01")
    client.send("GET", GROUP, client.somebody("stranger"), version="2021-04-01")
    rows = [entry.body for entry in read_audit(client.site.journal) if entry.body["action"] != "Manara/signIn"]
    assert [(row["name"], row["action"], row["status"], row["from"]) for row in rows] == [
        ("local owner", "Microsoft.Resources/subscriptions/resourceGroups/write", 201, "192.0.2.7"),
        (rows[1]["name"], "Microsoft.Resources/subscriptions/resourceGroups/read", 403, "192.0.2.7"),
    ]
    assert "s3cret" not in str(rows)
    assert verify_audit(client.site.journal)[1] is None


def test_other_machines_are_refused_while_there_is_the_owner_only(client: Client) -> None:
    with pytest.raises(NotAllowed, match="nobody but the owner of this machine"):
        client.gate.may_listen("0.0.0.0")  # noqa: S104
    client.somebody("nightly")
    client.gate.may_listen("0.0.0.0")  # noqa: S104


def test_a_role_is_given_over_the_api_by_who_may(client: Client) -> None:
    client.send("PUT", GROUP, client.owner(), {"location": "here"}, "2021-04-01")
    nightly = create(client.site.journal, "nightly").principal
    path = f"{GROUP}/providers/Microsoft.Authorization/roleAssignments/11111111-2222-3333-4444-555555555555"
    role = f"/subscriptions/s1/providers/Microsoft.Authorization/roleDefinitions/{ROLE['Reader']}"
    body = {"properties": {"roleDefinitionId": role, "principalId": nightly.object_id}}
    contributor = client.somebody("contributor", "Contributor")
    assert code(client.send("PUT", path, contributor, body, "2022-04-01")) == (403, "AuthorizationFailed")
    assert client.send("PUT", path, client.owner(), body, "2022-04-01").status == 201
    other = path.replace("11111111", "22222222")
    assert code(client.send("PUT", other, client.owner(), body, "2022-04-01")) == (409, "RoleAssignmentExists")


def test_a_bad_token_is_written_down_without_the_token_and_a_flood_of_them_is_not(client: Client) -> None:
    client.gate._sign_in.refusals.per_minute[REFUSALS] = 3
    for _ in range(3):
        assert code(client.send("GET", FACTORY, "forged.token.text")) == (401, "InvalidAuthenticationToken")
    assert code(client.send("GET", FACTORY, "forged.token.text")) == (429, "TooManyRequests")
    rows = read_audit(client.site.journal)
    assert len(rows) == 3
    assert (rows[0].body["code"], rows[0].body["from"]) == ("InvalidAuthenticationToken", "192.0.2.7")
    assert "forged" not in str(rows[0])
