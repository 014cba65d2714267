import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from tests.server.identity.conftest import a_key

from manara import clock
from manara.errors import WrongDefinition
from manara.secret import Secret
from manara.server.answer import Answer
from manara.server.identity.assertions import read_public_key
from manara.server.identity.endpoints import ASSERTION, SignIn
from manara.server.identity.guard import FREE, Guard
from manara.server.identity.keys import Keys
from manara.server.identity.principals import Made, create, reset_secret, set_disabled
from manara.server.identity.tokens import verify
from manara.server.request import Request
from manara.store.journal import Journal
from manara.store.principals import change_principal

TENANT = "72f988bf-0000-4000-8000-6d616e617261"
OTHER = "11111111-2222-3333-4444-555555555555"
SCOPE = "https://management.azure.com/.default"
PASSWORD = Secret("correct horse battery")


@dataclass
class Desk:
    """The sign-in service with its store, and what it noted."""

    sign_in: SignIn
    journal: Journal
    at: float = 0.0
    noted: list[Mapping[str, Any]] = field(default_factory=list)

    def send(self, method: str, path: str, body: bytes = b"", **others: Any) -> Answer | None:
        route, _, query = path.partition("?")
        pairs = dict(pair.split("=") for pair in query.split("&") if pair)
        headers = {"host": "localhost:8443"} | others.pop("headers", {})
        request = Request(method=method, path=route, query=pairs, headers=headers, body=body, scheme="https", **others)
        return self.sign_in.answer(request, self.journal, self.noted.append)

    def get(self, path: str) -> Any:
        answer = self.send("GET", path)
        assert answer is not None
        assert answer.status == 200
        return answer.body

    def ask(self, path: str = f"/{OTHER}/oauth2/v2.0/token", headers: Any = None, **form: str) -> Answer:
        body = urlencode(form).encode()
        answer = self.send("POST", path, body, headers=headers or {}, address=form.get("address", "h"))
        assert answer is not None
        return answer


@pytest.fixture
def desk(keys: Keys, journal: Journal) -> Desk:
    made = Desk(sign_in=SignIn(keys=keys, tenant=TENANT), journal=journal)
    made.sign_in.guard = Guard(now=lambda: made.at)
    return made


@pytest.fixture
def nightly(journal: Journal) -> Made:
    return create(journal, "nightly")


def secret_of(made: Made) -> dict[str, str]:
    assert made.secret is not None
    return {
        "grant_type": "client_credentials",
        "client_id": made.principal.app_id,
        "client_secret": made.secret.open(),
        "scope": SCOPE,
    }


def denied(answer: Answer) -> tuple[int, str, int]:
    assert set(answer.body) == {
        "error",
        "error_description",
        "error_codes",
        "timestamp",
        "trace_id",
        "correlation_id",
    }
    (number,) = answer.body["error_codes"]
    assert answer.body["error_description"].startswith(f"AADSTS{number}: ")
    return answer.status, answer.body["error"], number


WELL_KNOWN = [
    (f"/{OTHER}/v2.0/.well-known/openid-configuration", f"/{OTHER}/oauth2/v2.0/token"),
    (f"/{OTHER}/.well-known/openid-configuration", f"/{OTHER}/oauth2/token"),
    ("/common/V2.0/.well-known/openid-configuration", "/common/oauth2/v2.0/token"),
    (f"/adfs/{OTHER}/.well-known/openid-configuration", f"/adfs/{OTHER}/oauth2/token"),
    ("/adfs/.well-known/openid-configuration", "/adfs/oauth2/token"),
    ("/büro/.well-known/openid-configuration", "/büro/oauth2/token"),
]


@pytest.mark.parametrize(("path", "endpoint"), WELL_KNOWN)
def test_any_tenant_says_where_its_tokens_are(desk: Desk, nightly: Made, path: str, endpoint: str) -> None:
    told = desk.get(path)
    assert told["token_endpoint"] == f"https://localhost:8443{endpoint}"
    assert told["authorization_endpoint"].startswith("https://localhost:8443/")
    assert desk.ask(endpoint, **secret_of(nightly)).status == 200


def test_the_keys_that_are_told_open_the_tokens(desk: Desk, nightly: Made) -> None:
    told = desk.get(f"/{OTHER}/v2.0/.well-known/openid-configuration")
    published = jwt.PyJWKSet.from_dict(desk.get(told["jwks_uri"].removeprefix("https://localhost:8443")))
    text = desk.ask(**secret_of(nightly)).body["access_token"]
    key = published[jwt.get_unverified_header(text)["kid"]]
    found = jwt.decode(text, key, algorithms=["RS256"], audience="https://management.azure.com")
    assert (found["tid"], found["appid"]) == (OTHER, nightly.principal.app_id)
    assert not {"d", "p", "q"} & set(desk.get("/common/discovery/keys")["keys"][0])


def test_an_authority_is_told_to_be_a_cloud(desk: Desk) -> None:
    asked = "https%3A%2F%2Fx"
    told = desk.get(f"/common/discovery/instance?api-version=1.1&authorization_endpoint={asked}")
    assert told["tenant_discovery_endpoint"] == "https://localhost:8443/common/v2.0/.well-known/openid-configuration"
    assert "localhost:8443" in told["metadata"][0]["aliases"]


@pytest.mark.parametrize("path", ["/", "/subscriptions", "/a/b/c/oauth2/token", "/oauth2/token", "/.well-known/x"])
def test_what_is_not_about_signing_in_is_left_to_others(desk: Desk, path: str) -> None:
    assert desk.send("POST", path) is None


def test_a_program_signs_in_by_secret(desk: Desk, nightly: Made) -> None:
    answer = desk.ask(**secret_of(nightly))
    assert {name: answer.body[name] for name in ("token_type", "expires_in")} == {
        "token_type": "Bearer",
        "expires_in": 3599,
    }
    assert verify(desk.sign_in.keys, answer.body["access_token"]).object_id == nightly.principal.object_id
    assert desk.noted[0]["name"] == "nightly"
    assert secret_of(nightly)["client_secret"] not in str(desk.noted)


def test_the_secret_may_stand_in_the_header(desk: Desk, nightly: Made) -> None:
    form = secret_of(nightly)
    pair = f"{form.pop('client_id')}:{form.pop('client_secret')}"
    headers = {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    assert desk.ask(headers=headers, **form).status == 200
    assert denied(desk.ask(headers={"authorization": "Basic %%"}, **form))[1] == "invalid_request"


def test_the_older_form_asks_by_resource(desk: Desk, nightly: Made) -> None:
    form = secret_of(nightly) | {"scope": "", "resource": "https://management.core.windows.net/"}
    answer = desk.ask(f"/{OTHER}/oauth2/token", **form)
    found = jwt.decode(answer.body["access_token"], options={"verify_signature": False})
    assert found["aud"] == answer.body["resource"] == "https://management.core.windows.net/"
    assert int(answer.body["expires_on"]) == found["exp"]


DENIED: dict[str, tuple[dict[str, str], tuple[int, str, int]]] = {
    "a wrong secret": ({"client_secret": "wrong"}, (401, "invalid_client", 7000215)),
    "half a secret": ({"client_secret": "\0"}, (401, "invalid_client", 7000215)),
    "no secret": ({"client_secret": ""}, (401, "invalid_client", 7000216)),
    "an unknown app": ({"client_id": OTHER}, (400, "unauthorized_client", 700016)),
    "an app that is no id": ({"client_id": "'; drop table principal; --"}, (400, "unauthorized_client", 700016)),
    "an app with a zero": ({"client_id": "a\0b"}, (400, "invalid_request", 900144)),
    "no app": ({"client_id": ""}, (400, "invalid_request", 900144)),
    "no grant": ({"grant_type": ""}, (400, "invalid_request", 900144)),
    "another grant": ({"grant_type": "refresh_token"}, (400, "unsupported_grant_type", 70003)),
    "no scope": ({"scope": ""}, (400, "invalid_request", 900144)),
    "a scope of people": ({"scope": "https://management.azure.com/user"}, (400, "invalid_scope", 1002012)),
    "a scope of nothing": ({"scope": "/.default"}, (400, "invalid_resource", 500011)),
    "a scope of the moon": ({"scope": "https://m\u00fc\n/.default"}, (400, "invalid_resource", 500011)),
}


@pytest.mark.parametrize(("change", "wanted"), DENIED.values(), ids=DENIED)
def test_what_is_wrong_is_said_as_azure_says_it(
    desk: Desk, nightly: Made, change: dict[str, str], wanted: tuple[int, str, int]
) -> None:
    assert denied(desk.ask(**(secret_of(nightly) | change))) == wanted
    assert desk.noted[0]["code"] == f"AADSTS{wanted[2]}"


def test_a_body_that_is_no_form_is_refused(desk: Desk) -> None:
    for body in (b"", b"\xff\xfe", b'{"grant_type": "password"}', b"&" * 1000, b"a=1&" * 200):
        answer = desk.send("POST", "/common/oauth2/token", body)
        assert answer is not None
        assert denied(answer)[1] == "invalid_request"


def test_other_flows_are_told_to_be_unknown(desk: Desk) -> None:
    for path in ("devicecode", "authorize"):
        answer = desk.send("POST", f"/common/oauth2/v2.0/{path}")
        assert answer is not None
        assert denied(answer) == (400, "unsupported_grant_type", 70003)


def test_a_secret_ends_at_its_time(desk: Desk, journal: Journal) -> None:
    with clock.frozen(clock.now()) as held:
        made = create(journal, "weekly", life=timedelta(days=1))
        assert desk.ask(**secret_of(made)).status == 200
        held.passed_s = 86_400
        assert denied(desk.ask(**secret_of(made))) == (401, "invalid_client", 7000222)


def test_a_new_secret_ends_the_old_one_unless_it_is_kept(desk: Desk, journal: Journal, nightly: Made) -> None:
    second = reset_secret(journal, "nightly", keep_others=True)
    assert desk.ask(**secret_of(nightly)).status == desk.ask(**secret_of(second)).status == 200
    third = reset_secret(journal, "nightly")
    assert desk.ask(**secret_of(third)).status == 200
    assert denied(desk.ask(**secret_of(nightly)))[2] == denied(desk.ask(**secret_of(second)))[2] == 7000215


def test_who_is_disabled_gets_no_token(desk: Desk, journal: Journal, nightly: Made) -> None:
    set_disabled(journal, "nightly", disabled=True)
    assert denied(desk.ask(**secret_of(nightly))) == (400, "unauthorized_client", 7000112)
    assert denied(desk.ask(**(secret_of(nightly) | {"client_secret": "wrong"})))[2] == 7000215
    set_disabled(journal, "nightly", disabled=False)
    assert desk.ask(**secret_of(nightly)).status == 200


def test_who_guesses_waits_longer_and_longer_even_with_the_right_secret(desk: Desk, nightly: Made) -> None:
    for _ in range(FREE):
        assert denied(desk.ask(**(secret_of(nightly) | {"client_secret": "wrong"})))[2] == 7000215
    answer = desk.ask(**secret_of(nightly))
    assert denied(answer) == (429, "temporarily_unavailable", 50053)
    assert int(answer.headers["Retry-After"]) >= 1
    assert desk.ask(address="elsewhere", **secret_of(nightly)).status == 200
    desk.at += 2
    assert desk.ask(**secret_of(nightly)).status == 200


def test_a_person_signs_in_by_password(desk: Desk, journal: Journal) -> None:
    ann = create(journal, "Ann Ünal", kind="User", secret=PASSWORD).principal
    form = {"grant_type": "password", "username": "ann Ünal", "password": PASSWORD.open(), "client_id": OTHER}
    answer = desk.ask(scope=f"openid profile {SCOPE}", **form)
    found = jwt.decode(answer.body["id_token"], options={"verify_signature": False})
    assert (found["aud"], found["oid"], found["name"]) == (OTHER, ann.object_id, "Ann Ünal")
    about = json.loads(base64.urlsafe_b64decode(answer.body["client_info"] + "=="))
    assert about == {"uid": ann.object_id, "utid": OTHER}
    assert verify(desk.sign_in.keys, answer.body["access_token"]).name == "Ann Ünal"


def test_nobody_learns_which_people_are_known(desk: Desk, journal: Journal, nightly: Made) -> None:
    create(journal, "ann", kind="User", secret=PASSWORD)
    set_disabled(journal, "ann", disabled=True)
    form = {"grant_type": "password", "scope": SCOPE}
    for name, password in (("ann", "wrong"), ("bob", "wrong"), ("nightly", secret_of(nightly)["client_secret"])):
        answer = desk.ask(username=name, password=password, **form)
        assert denied(answer) == (400, "invalid_grant", 50126)
    assert denied(desk.ask(username="ann", password=PASSWORD.open(), **form))[2] == 50057
    realm = desk.get("/common/userrealm/bob@example.org")
    assert (realm["account_type"], realm["domain_name"]) == ("Managed", "example.org")


def private(number: int) -> RSAPrivateKey:
    key = serialization.load_pem_private_key(a_key(number).encode(), None)
    assert isinstance(key, RSAPrivateKey)
    return key


def public(number: int) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return private(number).public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def proof(client: str, number: int = 1, algorithm: str = "RS256", **others: Any) -> dict[str, str]:
    now = clock.now().timestamp()
    every = {
        **{"iss": client, "sub": client, "jti": clock.new_id()},
        **{"iat": now, "exp": now + 600, "aud": f"https://localhost:8443/{OTHER}/oauth2/v2.0/token"},
    }
    claims = {name: value for name, value in (every | others).items() if value is not None}
    return {
        "grant_type": "client_credentials",
        "client_id": client,
        "scope": SCOPE,
        "client_assertion_type": ASSERTION,
        "client_assertion": jwt.encode(claims, private(number), algorithm=algorithm),
    }


@pytest.fixture
def keyed(journal: Journal) -> str:
    return create(journal, "keyed", keys=[read_public_key(public(1))]).principal.app_id


@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
def test_a_program_signs_in_by_its_own_key(desk: Desk, keyed: str, algorithm: str) -> None:
    assert desk.ask(**proof(keyed, algorithm=algorithm)).status == 200
    login = f"https://login.microsoftonline.com/{OTHER}/oauth2/v2.0/token"
    assert desk.ask(**proof(keyed, aud=login, algorithm=algorithm)).status == 200


PROOFS: dict[str, dict[str, Any]] = {
    "another key": {"number": 2},
    "another algorithm": {"algorithm": "RS512"},
    "another server": {"aud": f"https://login.example.org/{OTHER}/oauth2/v2.0/token"},
    "another place": {"aud": "https://localhost:8443/subscriptions"},
    "a list of places": {"aud": ["https://localhost:8443/x/oauth2/v2.0/token"]},
    "an end that has passed": {"exp": 1},
    "an end in a year": {"exp": 4_000_000_000},
    "a start in the future": {"nbf": 4_000_000_000},
    "somebody else": {"sub": OTHER},
    "no end": {"exp": None},
    "no number": {"jti": None},
    "a number that is none": {"jti": ""},
}


@pytest.mark.parametrize("change", PROOFS.values(), ids=PROOFS)
def test_an_assertion_that_proves_nothing_is_refused(desk: Desk, keyed: str, change: dict[str, Any]) -> None:
    assert denied(desk.ask(**proof(keyed, **change))) == (401, "invalid_client", 700027)


@pytest.mark.parametrize("text", ["x", "a.b.c", "\0", "x" * 20_000, "e30.e30."])
def test_what_is_no_assertion_is_refused(desk: Desk, keyed: str, text: str) -> None:
    form = proof(keyed) | {"client_assertion": text}
    assert denied(desk.ask(**form)) == (401, "invalid_client", 700027)


def test_an_assertion_is_taken_once_for_each_audience_and_from_one_address(desk: Desk, keyed: str) -> None:
    form = proof(keyed)
    store = "https://storage.azure.com/.default"
    assert desk.ask(**form).status == desk.ask(**(form | {"scope": store})).status == 200
    assert denied(desk.ask(**form)) == (401, "invalid_client", 700027)
    third = form | {"scope": "https://vault.azure.net/.default"}
    assert denied(desk.ask(address="elsewhere", **third)) == (401, "invalid_client", 700027)


def test_an_assertion_without_its_type_is_refused(desk: Desk, keyed: str) -> None:
    form = proof(keyed) | {"client_assertion_type": "other"}
    assert denied(desk.ask(**form)) == (400, "invalid_request", 900144)


def test_a_program_without_keys_proves_nothing(desk: Desk, nightly: Made) -> None:
    assert denied(desk.ask(**proof(nightly.principal.app_id)))[2] == 700027


@pytest.mark.parametrize("text", ["", "x", "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----", "\0"])
def test_only_a_key_can_be_registered(text: str) -> None:
    with pytest.raises(WrongDefinition, match="no certificate and no public key"):
        read_public_key(text)


def test_a_private_key_is_not_registered() -> None:
    with pytest.raises(WrongDefinition, match="no certificate and no public key"):
        read_public_key(a_key(1))


def test_an_answer_is_not_to_be_kept(desk: Desk, nightly: Made) -> None:
    for change in ({}, {"client_secret": "wrong"}):
        assert desk.ask(**(secret_of(nightly) | change)).headers["Cache-Control"] == "no-store"


def test_a_principal_without_secrets_has_none_that_fits(desk: Desk, nightly: Made, journal: Journal) -> None:
    change_principal(journal, replace(nightly.principal, secrets=()))
    assert denied(desk.ask(**secret_of(nightly)))[2] == 7000215
