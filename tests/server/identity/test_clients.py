"""Azure's own client library signs in, with its requests handed straight to the sign-in service."""

import json
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.core.pipeline.transport import HttpTransport
from azure.identity import CertificateCredential, ClientSecretCredential, UsernamePasswordCredential
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID
from tests.server.identity.conftest import a_key
from tests.server.identity.test_endpoints import PASSWORD, private, secret_of

from manara import clock
from manara.server.identity.assertions import read_public_key
from manara.server.identity.endpoints import SignIn
from manara.server.identity.keys import Keys
from manara.server.identity.principals import Made, create
from manara.server.identity.tokens import verify
from manara.server.request import Request
from manara.store.journal import Journal

TENANT = "72f988bf-0000-4000-8000-6d616e617261"
SCOPE = "https://management.azure.com/.default"
STORE = "https://storage.azure.com/.default"


class Response:
    """An answer in the form that the client's transport gives."""

    def __init__(self, request: Any, status: int, headers: dict[str, str], text: str) -> None:
        self.request, self.status_code, self.headers = request, status, headers
        self.content_type, self.reason, self._text = "application/json", HTTPStatus(status).phrase, text

    def text(self, encoding: str | None = None) -> str:
        return self._text

    def body(self) -> bytes:
        return self._text.encode()


class Straight(HttpTransport[Any, Any]):
    def __init__(self, sign_in: SignIn, journal: Journal) -> None:
        self.sign_in, self.journal, self.paths = sign_in, journal, list[str]()

    def send(self, request: Any, **kwargs: Any) -> Any:

        parts = urlsplit(request.url)
        self.paths.append(parts.path)
        body = request.data if isinstance(request.data, str) else urlencode(request.data or {})
        headers = {name.lower(): value for name, value in request.headers.items()} | {"host": parts.netloc}
        asked = Request(
            method=request.method,
            path=parts.path,
            headers=headers,
            body=body.encode(),
            scheme=parts.scheme,
            address="h",
        )
        answer = self.sign_in.answer(asked, self.journal, lambda _: None)
        assert answer is not None, request.url
        return Response(request, answer.status, {"Content-Type": "application/json"}, json.dumps(answer.body))

    def open(self) -> None: ...

    def close(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


@pytest.fixture
def transport(keys: Keys, journal: Journal) -> Straight:
    return Straight(SignIn(keys=keys, tenant=TENANT), journal)


def options(transport: Straight) -> dict[str, Any]:
    return {"transport": transport, "authority": "https://localhost:8443", "disable_instance_discovery": True}


def test_a_secret_gives_a_token(transport: Straight, journal: Journal, keys: Keys) -> None:
    made = create(journal, "nightly")
    form = secret_of(made)
    credential = ClientSecretCredential(TENANT, form["client_id"], form["client_secret"], **options(transport))
    token = verify(keys, credential.get_token(SCOPE).token)
    assert token.object_id == made.principal.object_id
    assert transport.paths[-1] == f"/{TENANT}/oauth2/v2.0/token"


@pytest.mark.parametrize(("change", "number"), [("client_secret", 7000215), ("client_id", 700016)])
def test_a_wrong_secret_is_the_clients_own_error(
    transport: Straight, journal: Journal, change: str, number: int
) -> None:
    form = secret_of(create(journal, "nightly")) | {change: "11111111-2222-3333-4444-555555555555"}
    credential = ClientSecretCredential(TENANT, form["client_id"], form["client_secret"], **options(transport))
    with pytest.raises(ClientAuthenticationError, match=f"AADSTS{number}"):
        credential.get_token(SCOPE)


def certificate() -> bytes:
    key, name = private(1), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nightly")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(clock.now())
        .not_valid_after(clock.now() + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return a_key(1).encode() + made.public_bytes(serialization.Encoding.PEM)


def test_a_certificate_gives_tokens_for_several_audiences(transport: Straight, journal: Journal, keys: Keys) -> None:
    pem = certificate()
    public = pem[pem.index(b"-----BEGIN CERTIFICATE") :].decode()
    client = create(journal, "keyed", keys=[read_public_key(public)]).principal.app_id
    credential = CertificateCredential(TENANT, client, certificate_data=pem, **options(transport))
    assert verify(keys, credential.get_token(SCOPE).token).app_id == client
    assert credential.get_token(STORE).token


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Azure itself wants a second factor by now
def test_a_person_signs_in_by_password(transport: Straight, journal: Journal, keys: Keys) -> None:
    made: Made = create(journal, "ann@example.org", kind="User", secret=PASSWORD)
    client = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
    credential = UsernamePasswordCredential(
        client, "ann@example.org", PASSWORD.open(), tenant_id=TENANT, **options(transport)
    )
    assert verify(keys, credential.get_token(SCOPE).token).object_id == made.principal.object_id
