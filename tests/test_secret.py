import time
from typing import Any

import pytest

from manara.secret import STARS, Secret, hidden


def test_a_secret_prints_as_stars() -> None:
    secret = Secret("s3cret")
    assert (str(secret), repr(secret), f"{secret}", secret.open()) == (STARS, STARS, STARS, "s3cret")


@pytest.mark.parametrize(
    "value",
    [
        {"type": "SecureString", "value": "s3cret"},
        {"headers": {"Authorization": "Bearer s3cret"}},
        {"headers": {"x-functions-key": "s3cret", "Ocp-Apim-Subscription-Key": "s3cret", "X-API-Key": "s3cret"}},
        {"headers": {"Cookie": "s3cret", "X-Auth-Token": "s3cret"}},
        {"headers": {"X-A": {"type": "SecureString", "value": "s3cret"}}},
        {"authentication": {"type": "Basic", "username": "u", "password": "s3cret"}},
        {"authentication": {"type": "ClientCertificate", "pfx": "s3cret"}},
        {"password": {"type": "SecureString", "value": "s3cret"}},
        {"authentication": {"type": "ServicePrincipal", "servicePrincipalKey": "s3cret"}},
        {"url": "https://x.org/a?sv=1&sig=s3cret"},
        {"url": "https://x.org/a?code=s3cret&b=1"},
        {"url": "https://u:s3cret@x.org/a"},
        {"body": "grant_type=client_credentials&client_secret=s3cret"},
        {"body": {"client_secret": "s3cret"}},
        {"body": '{"client_secret": "s3cret", "a": 1}'},
        {"list": [{"accessToken": "s3cret"}, "password=s3cret"]},
        {"connectionString": "Server=x;User=u;Password=s3cret;AccountKey=s3cret"},
    ],
)  # fmt: skip
def test_secrets_are_starred_out(value: Any) -> None:
    assert "s3cret" not in str(hidden(value))
    assert STARS in str(hidden(value))


@pytest.mark.parametrize(
    "value",
    [
        {"password": {"type": "AzureKeyVaultSecret", "secretName": "dhis2", "store": {"referenceName": "kv"}}},
        {"scripts": [{"type": "Query", "text": "select a.key from a join b on a.key=b.key where code='ETH'"}]},
        {"translator": {"mappings": [{"source": {"name": "password"}, "sink": {"name": "token"}}]}},
        {"url": "https://x.org/a?b=1&c=2#d", "method": "GET", "n": 1, "none": None, "yes": True},
        {"secureOutput": True, "keys": ["a"], "primaryKey": "id", "code": "ETH"},
        {"requestTokens": 5, "monkey": "x", "hasToken": False},
    ],
)
def test_what_is_no_secret_stays(value: Any) -> None:
    assert hidden(value) == value


@pytest.mark.parametrize("text", ["a-" * 500_000, "://" * 300_000, '"token" ' * 100_000, "token" * 200_000])
def test_a_huge_text_is_looked_through_in_no_time(text: str) -> None:
    started = time.process_time()
    assert hidden(text) == text
    assert time.process_time() - started < 5
