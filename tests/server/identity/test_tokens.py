import base64
import hashlib
import hmac
import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from tests.server.identity.conftest import a_key

from manara import clock
from manara.errors import WrongDefinition
from manara.server.answer import Problem
from manara.server.identity.keys import Keys, write_private
from manara.server.identity.tokens import MANAGEMENT, issue, missing_token, signed, verify
from manara.store.principals import Principal

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TENANT = "72f988bf-0000-4000-8000-6d616e617261"
NIGHTLY = Principal(name="nightly")
ANN = Principal(name="ann@example.org", kind="User")


def claims(**others: Any) -> dict[str, Any]:
    now = int(clock.now().timestamp())
    every = {
        "iss": f"https://sts.windows.net/{TENANT}/",
        "aud": MANAGEMENT[0],
        **{"iat": now, "nbf": now, "exp": now + 60},
        **{"oid": "o", "appid": "a", "tid": TENANT},
    }
    return {name: value for name, value in (every | others).items() if value is not None}


def refusal(keys: Keys, text: str) -> tuple[int, str]:
    with pytest.raises(Problem) as caught:
        verify(keys, text)
    assert 'error="invalid_token"' in caught.value.headers["WWW-Authenticate"]
    return caught.value.status, caught.value.code


@pytest.mark.parametrize("audience", [f"{each}{end}" for each in MANAGEMENT for end in ("", "/")])
def test_a_token_says_who_it_was_given_to(keys: Keys, audience: str) -> None:
    token = verify(keys, issue(keys, NIGHTLY, audience, TENANT))
    assert (token.object_id, token.app_id, token.name) == (NIGHTLY.object_id, NIGHTLY.app_id, NIGHTLY.app_id)


def test_a_token_of_a_person_has_the_name(keys: Keys) -> None:
    text = issue(keys, ANN, MANAGEMENT[0], TENANT, app_id="cli")
    found = jwt.decode(text, options={"verify_signature": False})
    assert (found["upn"], found["name"], found["appid"], found["sub"]) == (ANN.name, ANN.name, "cli", ANN.object_id)
    assert verify(keys, text).name == ANN.name


@pytest.mark.parametrize("audience", ["https://storage.azure.com", "https://relief.blob.core.windows.net"])
def test_a_token_for_a_store_has_the_issuer_that_its_stand_in_wants(keys: Keys, audience: str) -> None:
    found = jwt.decode(issue(keys, NIGHTLY, audience, TENANT), options={"verify_signature": False})
    assert found["iss"].startswith("https://sts.windows.net/")
    assert found["aud"] == audience


def test_a_token_for_somebody_else_is_refused(keys: Keys) -> None:
    text = issue(keys, NIGHTLY, "https://storage.azure.com", TENANT)
    assert refusal(keys, text) == (401, "InvalidAuthenticationTokenAudience")


def test_a_token_for_this_servers_own_name_is_taken_where_it_is_told_so(keys: Keys) -> None:
    text = issue(keys, NIGHTLY, "https://127.0.0.1:8443", TENANT)
    assert verify(keys, text, ["127.0.0.1"]).object_id == NIGHTLY.object_id
    assert refusal(keys, text)[1] == "InvalidAuthenticationTokenAudience"


def test_a_token_is_good_for_an_hour(keys: Keys) -> None:
    with clock.frozen(NOW) as held:
        text = issue(keys, NIGHTLY, MANAGEMENT[0], TENANT)
        held.passed_s = 3600
        assert verify(keys, text).object_id == NIGHTLY.object_id
        held.passed_s = 3631
        assert refusal(keys, text) == (401, "ExpiredAuthenticationToken")


def test_a_token_from_the_future_is_refused(keys: Keys) -> None:
    with clock.frozen(NOW) as held:
        held.passed_s = 100
        text = issue(keys, NIGHTLY, MANAGEMENT[0], TENANT)
        held.passed_s = 0
        assert refusal(keys, text) == (401, "InvalidAuthenticationToken")


WRONG: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://login.example.org/"},
    "the issuer of another tenant": {"iss": "https://sts.windows.net/other/"},
    "no issuer": {"iss": None},
    "no end": {"exp": None},
    "an end that is a text": {"exp": "soon"},
    "an end that never comes": {"exp": float("inf")},
    "a true beginning": {"nbf": True},
    "nobody": {"oid": None},
}


@pytest.mark.parametrize("others", WRONG.values(), ids=WRONG)
def test_claims_that_we_never_give_are_refused(keys: Keys, others: dict[str, Any]) -> None:
    assert refusal(keys, signed(keys, claims(**others))) == (401, "InvalidAuthenticationToken")


def test_a_list_of_audiences_is_refused(keys: Keys) -> None:
    text = signed(keys, claims(aud=[MANAGEMENT[0]]))
    assert refusal(keys, text) == (401, "InvalidAuthenticationTokenAudience")


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_a_token_without_a_signature_is_refused(keys: Keys) -> None:
    text = f"{part({'alg': 'none', 'kid': keys.signing.id})}.{part(claims())}."
    assert refusal(keys, text) == (401, "InvalidAuthenticationToken")


def test_a_token_signed_with_the_public_key_as_a_password_is_refused(keys: Keys) -> None:
    public = keys.signing.public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    head = f"{part({'alg': 'HS256', 'kid': keys.signing.id})}.{part(claims())}"
    digest = hmac.digest(public, head.encode(), hashlib.sha256)
    text = f"{head}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"
    assert refusal(keys, text) == (401, "InvalidAuthenticationToken")


def test_a_token_of_another_key_is_refused_whatever_key_it_names(keys: Keys, tmp_path: Path) -> None:
    write_private(tmp_path / "other.key", a_key(1))
    other = Keys(tmp_path / "other.key").signing
    for named in (keys.signing.id, other.id, "", "../token.key"):
        text = jwt.encode(claims(), other.private, algorithm="RS256", headers={"kid": named})
        assert refusal(keys, text) == (401, "InvalidAuthenticationToken")


def test_a_changed_token_is_refused(keys: Keys) -> None:
    head, body, end = issue(keys, NIGHTLY, MANAGEMENT[0], TENANT).split(".")
    changed = json.loads(base64.urlsafe_b64decode(f"{body}==")) | {"oid": "somebody else"}
    assert refusal(keys, f"{head}.{part(changed)}.{end}") == (401, "InvalidAuthenticationToken")


JUNK = ["x", "a.b.c", "..", "\0", "ü.ü.ü", "x" * 20_000, "e30.e30.e30", part([[]] * 99) + ".e30.e30", "\ud800.a.b"]


@pytest.mark.parametrize("text", JUNK, ids=range(len(JUNK)))
def test_what_is_no_token_is_refused(keys: Keys, text: str) -> None:
    assert refusal(keys, text) == (401, "InvalidAuthenticationToken")


def test_a_request_without_a_token_is_told_where_to_sign_in() -> None:
    problem = missing_token()
    assert (problem.status, problem.code) == (401, "AuthenticationFailed")
    assert problem.headers["WWW-Authenticate"].startswith('Bearer authorization_uri="https://login.')


def test_the_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    path, found = tmp_path / "home" / "token.key", []
    makers = [threading.Thread(target=lambda: found.append(Keys(path).signing.id)) for _ in range(3)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert len(set(found)) == 1
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["token.key"]


def test_a_replaced_key_verifies_until_its_tokens_have_expired(keys: Keys) -> None:
    with clock.frozen(NOW) as held:
        old = issue(keys, NIGHTLY, MANAGEMENT[0], TENANT)
        running = Keys(keys.path)
        assert verify(running, old)
        new = keys.replace()
        assert verify(running, old)
        assert jwt.get_unverified_header(issue(running, NIGHTLY, MANAGEMENT[0], TENANT))["kid"] == new.id
        assert len(running.all()) == 2
        held.passed_s = 3 * 3600
        assert [key.id for key in running.all()] == [new.id]
    assert keys.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "x", "-----BEGIN PRIVATE KEY-----\nxx\n-----END PRIVATE KEY-----\n"])
def test_a_file_without_keys_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "token.key").write_text(text)
    with pytest.raises(WrongDefinition, match=r"token\.key: The file holds no private RSA keys"):
        Keys(tmp_path / "token.key").all()
