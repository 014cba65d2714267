"""No secret comes back in an answer, and none is lost when a client sends back what it got."""

import base64
import copy
import json
from collections.abc import Callable
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manara.resources.schema.secret_texts import STARS, cleaned
from manara.resources.schema.secrets import KEPT_HERE, masked_as_azure, merged_secrets

Json = dict[str, Any]
SECRET = "Tr0ub4dor&3"  # noqa: S105 # of nobody
SECURE = {"type": "SecureString", "value": SECRET}


def service(**properties: Any) -> Json:
    return {"properties": {"type": "AzureSqlDatabase", "typeProperties": properties}}


def inside(body: Json) -> Json:
    found: Json = body["properties"]["typeProperties"]
    return found


def test_a_secure_string_comes_back_as_ten_stars() -> None:
    shown = inside(masked_as_azure("linkedService", service(password=SECURE)))
    assert shown == {"password": {"type": "SecureString", "value": "**********"}, "encryptedCredential": KEPT_HERE}


def test_a_connection_string_comes_back_without_its_key() -> None:
    text = "DefaultEndpointsProtocol=https;AccountName=field;AccountKey=abc==;EndpointSuffix=core.windows.net"
    shown = inside(masked_as_azure("linkedService", service(connectionString=text)))
    assert (
        shown["connectionString"] == "DefaultEndpointsProtocol=https;AccountName=field;EndpointSuffix=core.windows.net"
    )


def test_the_encrypted_credential_reads_as_azures() -> None:
    told = json.loads(base64.b64decode(KEPT_HERE))
    assert (told["Version"], told["CredentialId"][:8]) == ("2017-11-30", "FACTORY_")


@pytest.mark.parametrize(
    "properties",
    [
        {"connectionString": "UseDevelopmentStorage=true"},
        {"password": {"type": "AzureKeyVaultSecret", "secretName": "pw", "store": {"referenceName": "Vault"}}},
        {"connectionString": "Server=@{linkedService().server};Password=@{linkedService().password}"},
        {"servicePrincipalKey": "@{linkedService().key}"},
        {"headers": {"Authorization": "@concat('Bearer ', activity('Sign in').output.access_token)"}},
        {"headers": {"Authorization": {"value": "Bearer @{variables('token')}", "type": "Expression"}}},
        {"encryptedCredential": "ew0KICAiVmVyc2lvbiI6"},
        {"text": "SELECT a.key FROM t WHERE t.key = 5; DELETE FROM u"},
    ],
)
def test_what_is_no_secret_stays(properties: Json) -> None:
    assert masked_as_azure("linkedService", service(**properties)) == service(**properties)


PLACES: dict[str, Callable[[str], Any]] = {
    "secure string": lambda secret: {"key": {"type": "SecureString", "value": secret}},
    "secure string in small letters": lambda secret: {"any": [{"type": "securestring", "value": secret}]},
    "password": lambda secret: {"password": secret},
    "client secret": lambda secret: {"authentication": {"clientSecret": secret}},
    "header": lambda secret: {"headers": {"Authorization": f"Bearer {secret}", "x-functions-key": secret}},
    "header by expression": lambda secret: {"headers": {"Authorization": f"@concat('Bearer ', '{secret}')"}},
    "value of a name": lambda secret: {"userProperties": [{"name": "password", "value": secret}]},
    "parameter": lambda secret: {"parameters": {"password": {"type": "String", "defaultValue": secret}}},
    "secure parameter": lambda secret: {"parameters": {"p": {"type": "SecureString", "defaultValue": secret}}},
    "storage": lambda secret: {"connectionString": f"AccountName=a;AccountKey={secret}"},
    "database": lambda secret: {"connectionString": f'Server=s;Password="{secret}";Database=d'},
    "braces": lambda secret: {"connectionString": f"Driver={{x}};PWD={{{secret}}};Server=s"},
    "bus": lambda secret: {"connectionString": f"Endpoint=sb://x/;SharedAccessKeyName=n;SharedAccessKey={secret}"},
    "signed address": lambda secret: {"sasUri": f"https://x.org/c?sv=1&sig={secret}&se=2"},
    "address with a user": lambda secret: {"url": f"https://me:{secret}@x.org/a"},
    "form": lambda secret: {"body": f"grant_type=client_credentials&client_secret={secret}&a=b"},
    "body": lambda secret: {"body": json.dumps({"user": "me", "password": secret})},
    "statement": lambda secret: {"text": f"CREATE USER me WITH PASSWORD = '{secret}'"},
    "looks like an expression": lambda secret: {"password": f"@{secret}"},
    "within an expression": lambda secret: {"password": f"@{{concat(item(), '{secret}')}}"},
}
secrets = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=12, max_size=40)


@given(
    st.sampled_from(sorted(PLACES)), secrets, st.sampled_from(["linkedService", "pipeline", "credential", "trigger"])
)
def test_no_secret_survives(place: str, secret: str, kind: str) -> None:
    planted = PLACES[place](secret)
    activities = [{"name": "a", "type": "ForEach", "typeProperties": {"activities": [{"typeProperties": planted}]}}]
    body = {"properties": {"type": "x", "typeProperties": planted, "activities": activities}}
    assert secret not in json.dumps(masked_as_azure(kind, body))


ODD = {
    (place, secret)
    for place in PLACES
    for secret in ("ab;cd e=f", "a/b", "it's", "p@ss", "a&b", "a\\b")
    if place not in ("signed address", "address with a user", "form", "braces", "header by expression")
    if place not in ("storage", "bus", "statement") or not {*";'"} & {*secret}
}
"""Where a secret may have such letters as they are: not where they have to be written otherwise, or put in quotes."""


@pytest.mark.parametrize(("place", "secret"), sorted(ODD))
def test_odd_letters_do_not_let_the_rest_of_a_secret_out(place: str, secret: str) -> None:
    shown = json.dumps(masked_as_azure("linkedService", service(**PLACES[place](secret))))
    assert not any(part in shown for part in (json.dumps(secret)[1:-1], secret[:3], secret[-3:]))


@pytest.mark.parametrize("place", sorted(PLACES))
@pytest.mark.parametrize("kind", ["linkedService", "pipeline"])
def test_what_was_got_can_be_put_back(place: str, kind: str) -> None:
    body = service(**PLACES[place](SECRET), retry=1)
    shown = masked_as_azure(kind, body)
    assert merged_secrets(body, shown) == body
    changed = copy.deepcopy(shown)
    inside(changed)["retry"] = 2
    assert merged_secrets(body, changed) == service(**PLACES[place](SECRET), retry=2)


def test_the_credential_alone_keeps_all_secrets() -> None:
    old = service(server="a", password=SECRET, connectionString=f"Server=a;Password={SECRET}")
    new = service(server="b", connectionString="Server=b", encryptedCredential=KEPT_HERE)
    assert inside(merged_secrets(old, new)) == {
        "server": "b",
        "password": SECRET,
        "connectionString": f"Server=b;Password={SECRET}",
    }


def test_a_new_secret_takes_the_place_of_the_old() -> None:
    new = service(password={"type": "SecureString", "value": "new"}, encryptedCredential=KEPT_HERE)
    assert inside(merged_secrets(service(password=SECURE), new)) == {
        "password": {"type": "SecureString", "value": "new"}
    }


def test_activities_are_known_again_by_their_names() -> None:
    first, second = ({"name": name, "typeProperties": {"password": name * 9}} for name in "ab")
    old = {"properties": {"activities": [first, second]}}
    shown = masked_as_azure("pipeline", old)
    shown["properties"]["activities"].reverse()
    assert merged_secrets(old, shown) == {"properties": {"activities": [second, first]}}


def test_without_an_old_body_nothing_of_ours_is_kept() -> None:
    assert inside(merged_secrets({}, service(server="a", encryptedCredential=KEPT_HERE))) == {"server": "a"}


@given(st.text())
def test_any_text_can_be_cleaned_twice(text: str) -> None:
    once = cleaned(text)
    assert cleaned(once) == once or STARS in once


@pytest.mark.parametrize("text", ["password='" + "''" * 300_000, "@{" * 300_000 + "password=", "://a:" * 100_000])
def test_no_text_takes_long_to_clean(text: str) -> None:
    began = perf_counter()
    cleaned(text, connection=True)
    assert perf_counter() - began < 5
