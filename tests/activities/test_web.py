import base64
import re
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from tests.certificates import locked, pem_of, pfx_of
from tests.web_server import Asked, Reply, call, serving

from manara.errors import BadRows, Cancelled, ManaraError, Transient, WrongDefinition
from manara.secret import bearer

HEADERS = "ADFWebActivityResponseHeaders"
TEXT = {"Content-Type": "text/xml"}


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def nobody_asks() -> Iterator[str]:
    with serving() as server:
        yield server.url
    assert server.asked == []


def web(url: str, **properties: Any) -> dict[str, Any]:
    return call("WebActivity", **{"url": url, "method": "GET", **properties})


def fields(output: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in output.items() if name != HEADERS}


@pytest.mark.parametrize("method", ["GET", "post", "Put", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_every_method_is_sent(method: str) -> None:
    with serving() as server:
        web(server.url + "/a?b=1", method=method)
    assert [(asked.method, asked.path) for asked in server.asked] == [(method.upper(), "/a?b=1")]


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ('{"a": 1}', b'{"a": 1}'),
        ("plain", b"plain"),
        ({"a": ["é", None]}, '{"a":["é",null]}'.encode()),
        ([1, 2], b"[1,2]"),
        (7, b"7"),
        (None, b""),
        ("", b""),
    ],
)
def test_a_body_is_sent_as_it_stands_or_as_json(body: Any, sent: bytes) -> None:
    with serving() as server:
        web(server.url, method="POST", body=body)
    assert server.asked[0].body == sent
    assert server.asked[0].headers.get("Content-Type") == ("application/json; charset=utf-8" if sent else None)


def test_headers_are_sent_and_secrets_in_them_opened() -> None:
    secret = {"type": "SecureString", "value": "s3cret"}
    headers = {"content-type": "text/plain", "X-Key": secret, "X-Number": 7, "X-None": None, "X-Name": "Ngọc"}
    with serving() as server:
        web(server.url, method="POST", body="a", headers=headers)
    got = server.asked[0].headers
    assert (got["Content-Type"], got["X-Key"], got["X-Number"], "X-None" in got) == ("text/plain", "s3cret", "7", False)
    assert got["X-Name"].encode("latin-1").decode() == "Ngọc"


@pytest.mark.parametrize(
    ("reply", "output"),
    [
        (Reply(json={"a": {"b": 1}}), {"a": {"b": 1}}),
        (Reply(json=[1, 2]), {"Response": [1, 2]}),
        (Reply(json="text"), {"Response": "text"}),
        (Reply(text="<a/>", headers=TEXT), {"Response": "<a/>"}),
        (Reply(text='{"a": 1}', headers=TEXT), {"a": 1}),
        (Reply(text="", status=204), {"Response": ""}),
        (Reply(text='{"a": "\\ud800"}', headers=TEXT), {"Response": '{"a": "\\ud800"}'}),
        (Reply(text="é".encode("latin-1"), headers={"Content-Type": "text/plain; charset=latin-1"}), {"Response": "é"}),
        (Reply(text=b"\xef\xbb\xbf{}", headers=TEXT), {}),
    ],
)
def test_rule_92_an_object_gives_its_fields_and_anything_else_is_the_response(
    reply: Reply, output: dict[str, Any]
) -> None:
    with serving(reply) as server:
        found = web(server.url)
    assert fields(found) == output
    assert found[HEADERS]["Content-Length"].isdigit()


@pytest.mark.parametrize("text", ["<html>", '{"a": NaN}', "[" * 100_000, '{"a": "\\ud800"}'])
def test_rule_92_what_says_that_it_is_json_must_be_json(text: str) -> None:
    with serving(Reply(text=text)) as server, pytest.raises(ManaraError, match="is said to be JSON and is none"):
        web(server.url)


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503, 304])
def test_a_failure_is_told_with_code_status_and_what_was_said(status: int) -> None:
    reply = Reply(status=status, text="no such thing: access_token=abc")
    with serving(reply) as server, pytest.raises(ManaraError) as error:
        web(server.url + "/x?sig=s3cret")
    assert error.value.error_code == "2108"
    expected = rf"Error calling the endpoint '{server.url}/x'\. Response status code: '{status} - [\w ]+'\."
    assert re.match(expected, error.value.message)
    assert ("no such thing: access_token=*****" in error.value.message) == (status != 304)
    assert "s3cret" not in str(error.value)


def test_rule_92_an_answer_of_202_is_asked_for_again_until_it_is_ready() -> None:
    waiting = Reply(status=202, headers={"Location": "/status", "Retry-After": "0"})
    with serving(waiting, waiting, Reply(json={"state": "done"})) as server:
        output = web(server.url, method="POST", body="a", headers={"X-Key": "k", "Content-Type": "text/plain"})
    assert fields(output) == {"state": "done"}
    assert [(asked.method, asked.path, asked.body) for asked in server.asked[1:]] == [("GET", "/status", b"")] * 2
    assert [asked.headers.get("X-Key") for asked in server.asked] == ["k"] * 3
    assert "Content-Type" not in server.asked[1].headers


@pytest.mark.parametrize("off", [True, "true"])
def test_rule_92_turn_off_async_takes_the_202_as_the_answer(off: Any) -> None:
    waiting = Reply(status=202, json={"id": 1}, headers={"Location": "/status", "Retry-After": "0"})
    with serving(waiting) as server:
        output = web(server.url, turnOffAsync=off)
    assert (fields(output), len(server.asked)) == ({"id": 1}, 1)


def test_another_host_is_not_shown_what_opens_the_first() -> None:
    basic = {"type": "Basic", "username": "u", "password": "p"}
    with serving(Reply(json={})) as other:
        there = Reply(status=202, headers={"Location": f"{other.url}/status", "Retry-After": "0"})
        with serving(there) as server:
            web(server.url, authentication=basic, headers={"X-Key": "k", "Accept": "a/b"})
    assert "Authorization" in server.asked[0].headers
    seen = other.asked[0].headers
    assert ("Authorization" in seen, "X-Key" in seen, seen["Accept"]) == (False, False, "a/b")


def test_a_redirection_is_followed() -> None:
    with serving(Reply(status=302, headers={"Location": "/there"}), Reply(json={"a": 1})) as server:
        assert fields(web(server.url)) == {"a": 1}


def test_rule_92_more_than_4_mb_fail() -> None:
    with serving(Reply(text="x" * (4 << 20), headers=TEXT)) as server:
        assert len(web(server.url)["Response"]) == 4 << 20
    with serving(Reply(text="x" * ((4 << 20) + 1), headers=TEXT)) as server, pytest.raises(BadRows, match="than 4 MB"):
        web(server.url)


def held_until(event: threading.Event) -> Any:
    def answer(_asked: Asked) -> Reply:
        event.wait(10)
        return Reply(json={})

    return answer


def test_rule_92_no_answer_in_time_is_told() -> None:
    end = threading.Event()
    with serving(held_until(end)) as server:
        with pytest.raises(Transient, match=r"'NA - Unknown'. More details: no answer in 0.1 s") as error:
            web(server.url, httpRequestTimeout="00:00:00.1")
        end.set()
    assert error.value.error_code == "2108"


def test_a_cancelled_run_does_not_wait_for_the_answer() -> None:
    end = threading.Event()

    def cancel(_figures: Mapping[str, Any]) -> None:
        raise Cancelled("The run was cancelled.")

    with serving(held_until(end)) as server:
        with pytest.raises(Cancelled):
            call("WebActivity", report=cancel, url=server.url, method="GET")
        end.set()


@pytest.mark.parametrize("timeout", ["00:10:01", "00:00:00", "soon"])
def test_rule_92_the_timeout_goes_to_10_minutes(timeout: str) -> None:
    with pytest.raises(WrongDefinition, match="Call: httpRequestTimeout"):
        web("http://127.0.0.1:9", httpRequestTimeout=timeout)


def test_nobody_at_the_address_is_told() -> None:
    with serving() as server:
        pass
    with pytest.raises(Transient, match=r"Response status code: 'NA - Unknown'. More details: .*refused"):
        web(server.url)


@pytest.mark.parametrize(
    ("properties", "says"),
    [
        ({"url": None}, "needs an address in typeProperties.url"),
        ({"url": 7}, "needs an address in typeProperties.url"),
        ({"url": "no address"}, "cannot be sent"),
        ({"url": "ftp://x.org"}, "cannot be sent"),
        ({"url": "http://[::1"}, "cannot be sent"),
        ({"method": "FETCH"}, "Invalid HttpMethod: 'FETCH'"),
        ({"method": None}, "Invalid HttpMethod: 'None'"),
        ({"headers": "a: b"}, "They are no object"),
        ({"headers": {"a b": "c"}}, "a header holds what may not stand in one"),
        ({"headers": {"é": "c"}}, "cannot be sent"),
        ({"headers": {"a": "s3cret\n"}}, "a header holds what may not stand in one"),
        ({"authentication": "Basic"}, "It is no object"),
        ({"authentication": {"type": "Kerberos"}}, "The authentication type 'Kerberos' is unknown"),
        ({"authentication": {"type": "Basic", "username": "u"}}, "authentication.password: The secret is no text"),
        ({"authentication": {"type": "MSI", "resource": "r"}}, "There is no managed identity here to open 'r'"),
        ({"authentication": {"type": "ClientCertificate", "pfx": "MIIK"}}, "The certificate is no PFX and no PEM"),
        ({"authentication": {"type": "ClientCertificate", "pfx": "é"}}, "no PEM text, and no PFX file in base64"),
        ({"datasets": [{"referenceName": "d"}]}, "The definitions of datasets cannot be sent along"),
    ],
)
def test_what_cannot_be_sent_is_told_and_shows_no_secret(
    nobody_asks: str, properties: dict[str, Any], says: str
) -> None:
    with pytest.raises(WrongDefinition, match=re.escape(says)) as error:
        web(**{"url": nobody_asks, **properties})
    assert "s3cret" not in str(error.value)


def test_a_key_vault_secret_is_named_and_where_to_put_it_instead() -> None:
    vault = {"type": "AzureKeyVaultSecret", "secretName": "dhis2", "store": {"referenceName": "kv"}}
    with pytest.raises(WrongDefinition, match="The secret 'dhis2' lies in a Key Vault"):
        web("http://127.0.0.1:9", authentication={"type": "Basic", "username": "u", "password": vault})


@pytest.mark.parametrize("password", ["p:w", {"type": "SecureString", "value": "p:w"}])
def test_basic_authentication(password: Any) -> None:
    with serving() as server:
        web(server.url, authentication={"type": "Basic", "username": "ü", "password": password})
    word = server.asked[0].headers["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(word).decode() == "ü:p:w"


@pytest.mark.parametrize("kind", ["MSI", "ManagedIdentity", "UserAssignedManagedIdentity", "ServicePrincipal"])
def test_a_managed_identity_is_the_token_that_is_set(kind: str) -> None:
    with serving() as server:
        call("WebActivity", identity=bearer("t0ken"), url=server.url, method="GET",
             authentication={"type": kind, "resource": "https://vault.azure.net"})  # fmt: skip
    assert server.asked[0].headers["Authorization"] == "Bearer t0ken"


def test_a_server_must_be_known_unless_that_is_turned_off() -> None:
    with serving(secure=True) as server:
        with pytest.raises(Transient, match="certificate verify failed"):
            web(server.url)
        web(server.url, disableCertValidation=True)
    assert len(server.asked) == 1


PEM = pem_of("client")
LOCKED = locked(PEM, "sesame")
PFX, LOCKED_PFX = (base64.b64encode(pfx_of(PEM, password)).decode() for password in ("", "sesame"))


@pytest.mark.parametrize(
    ("pfx", "password"),
    [
        (PEM, None),
        (base64.b64encode(PEM.encode()).decode(), None),
        (LOCKED, "sesame"),
        ({"type": "SecureString", "value": LOCKED}, {"type": "SecureString", "value": "sesame"}),
        (PFX, None),
        (LOCKED_PFX, "sesame"),
    ],
)
def test_a_client_certificate_is_shown(pfx: Any, password: Any) -> None:
    authentication = {"type": "ClientCertificate", "pfx": pfx, "password": password}
    with serving(secure=True) as server:
        web(server.url, disableCertValidation="true", authentication=authentication)
    assert server.asked[0].headers["Client-Certificate"] == "yes"


@pytest.mark.parametrize("pfx", [LOCKED, LOCKED_PFX])
def test_a_client_certificate_with_a_wrong_password_is_told(pfx: str) -> None:
    wrong = {"type": "ClientCertificate", "pfx": pfx, "password": "open"}
    with pytest.raises(WrongDefinition, match="password"):
        web("https://127.0.0.1:9", authentication=wrong)
