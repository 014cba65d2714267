import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from tests.server.identity.conftest import a_key

from manara import clock
from manara.secret import Secret
from manara.server.identity.endpoints import JWT_BEARER, SignIn
from manara.server.identity.keys import Keys, write_private
from manara.server.identity.people import AGAIN_S, NoSignIn, Person, Provider
from manara.server.identity.principals import create
from manara.server.request import Request
from manara.store.journal import Journal

AUDIENCE = "manara-here"


@dataclass
class Issuer:
    """A provider that a test runs: it describes itself and publishes a key."""

    address: str
    keys: Keys
    asked: list[str]
    told: dict[str, Any]

    def token(self, **others: Any) -> str:
        now = int(clock.now().timestamp())
        every = {"iss": self.address, "aud": AUDIENCE, "sub": "s1", "iat": now, "exp": now + 60}
        every |= {"email": "ann@example.org", "email_verified": True}
        claims = {name: value for name, value in (every | others).items() if value is not None}
        key = self.keys.signing
        return jwt.encode(claims, key.private, algorithm="RS256", headers={"kid": key.id})


@pytest.fixture
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    path = tmp_path_factory.mktemp("issuer") / "key"
    write_private(path, a_key(3))
    asked: list[str] = []
    told: dict[str, Any] = {}

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = json.dumps(told.get(self.path)).encode()
            self.send_response(200 if self.path in told else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 # the name of the base class
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    address, keys = f"http://127.0.0.1:{server.server_port}", Keys(path)
    told["/.well-known/openid-configuration"] = {"issuer": address, "jwks_uri": f"{address}/keys"}
    told["/keys"] = {"keys": [keys.signing.as_jwk()]}
    yield Issuer(address, keys, asked, told)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def provider(issuer: Issuer) -> Provider:
    return Provider(issuer=issuer.address, audience=AUDIENCE)


def test_a_token_of_the_provider_names_a_person(issuer: Issuer, provider: Provider) -> None:
    assert provider.person(issuer.token()) == Person(subject="s1", email="ann@example.org")
    assert provider.person(issuer.token(email_verified=False)) == Person(subject="s1", email="")
    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]


WRONG: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://example.org"},
    "another audience": {"aud": "somebody-else"},
    "no subject": {"sub": None},
    "an end that has passed": {"exp": 1},
    "a start in the future": {"nbf": 4_000_000_000},
    "no end": {"exp": None},
}


@pytest.mark.parametrize("others", WRONG.values(), ids=WRONG)
def test_a_token_that_is_not_good_lets_nobody_in(issuer: Issuer, provider: Provider, others: dict[str, Any]) -> None:
    with pytest.raises(NoSignIn):
        provider.person(issuer.token(**others))


def test_a_token_of_another_key_lets_nobody_in_and_asks_seldom(issuer: Issuer, provider: Provider, keys: Keys) -> None:
    with clock.frozen(clock.now()) as held:
        for _ in range(3):
            text = jwt.encode({"iss": issuer.address}, keys.signing.private, "RS256", {"kid": "unknown"})
            with pytest.raises(NoSignIn):
                provider.person(text)
        assert issuer.asked.count("/keys") == 1
        held.passed_s = AGAIN_S
        issuer.told["/keys"]["keys"].append(keys.signing.as_jwk())
        issuer.keys = keys
        assert provider.person(issuer.token()).subject == "s1"
        assert issuer.asked.count("/keys") == 2


@pytest.mark.parametrize("text", ["x", "a.b.c", "\0", "x" * 20_000])
def test_what_is_no_token_lets_nobody_in(provider: Provider, text: str) -> None:
    with pytest.raises(NoSignIn):
        provider.person(text)


def test_a_provider_that_names_another_issuer_lets_nobody_in(issuer: Issuer, provider: Provider) -> None:
    issuer.told["/.well-known/openid-configuration"]["issuer"] = "https://example.org"
    with pytest.raises(NoSignIn, match="describe itself"):
        provider.person(issuer.token())


@dataclass
class Desk:
    sign_in: SignIn
    journal: Journal

    def ask(self, token: str) -> tuple[int, Any]:
        form = f"grant_type={JWT_BEARER}&scope=https://management.azure.com/.default&assertion={token}"
        request = Request(method="POST", path="/common/oauth2/v2.0/token", body=form.encode())
        answer = self.sign_in.answer(request, self.journal, lambda _: None)
        assert answer is not None
        return answer.status, answer.body.get("error", "")


@pytest.fixture
def desk(keys: Keys, journal: Journal, provider: Provider) -> Desk:
    return Desk(SignIn(keys=keys, tenant="t", provider=provider), journal)


@pytest.mark.parametrize("name", ["ann@example.org", "ANN@example.org", "s1"])
def test_a_user_is_found_by_address_or_subject(desk: Desk, issuer: Issuer, journal: Journal, name: str) -> None:
    create(journal, name, kind="User", secret=Secret("correct horse battery"))
    assert desk.ask(issuer.token()) == (200, "")


def test_who_is_not_known_here_does_not_come_in(desk: Desk, issuer: Issuer, journal: Journal) -> None:
    create(journal, "ann@example.org")  # a program of that name
    create(journal, "bob@example.org", kind="User")
    assert desk.ask(issuer.token()) == (400, "invalid_grant")
    assert desk.ask(issuer.token(email="bob@example.org", email_verified=None)) == (400, "invalid_grant")


def test_without_the_provider_the_answer_says_to_come_again(desk: Desk, issuer: Issuer) -> None:
    issuer.told.clear()
    assert desk.ask(issuer.token()) == (503, "temporarily_unavailable")


def test_without_a_provider_the_flow_is_unknown(desk: Desk, issuer: Issuer) -> None:
    desk.sign_in.provider = None
    assert desk.ask(issuer.token()) == (400, "unsupported_grant_type")
