"""A token for a store opens Azurite, and a token for anything else does not."""

import ssl
from collections.abc import Iterator

import httpx
import pytest
from tests.azurite import found_program, running
from tests.server.identity.conftest import a_key

from manara.server.gateway.certificates import certificates
from manara.server.identity.keys import Keys, write_private
from manara.server.identity.tokens import audience_of, issue
from manara.store.principals import Principal

TENANT = "72f988bf-0000-4000-8000-6d616e617261"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, httpx.Client, Keys]]:
    home = tmp_path_factory.mktemp("home")
    found = certificates(home)
    write_private(home / "token.key", a_key(0))
    options = ("--oauth", "basic", "--cert", str(found.server), "--key", str(found.server))
    trusted = ssl.create_default_context(cafile=found.authority)
    with running(found_program(), *options) as azurite, httpx.Client(verify=trusted) as client:
        yield azurite.blob, client, Keys(home / "token.key")


def status(store: tuple[str, httpx.Client, Keys], scope: str, container: str) -> int:
    address, client, keys = store
    token = issue(keys, Principal(name="nightly"), audience_of(scope), TENANT)
    headers = {"Authorization": f"Bearer {token}", "x-ms-version": "2021-08-06"}
    return client.put(f"{address}/{container}?restype=container", headers=headers).status_code


@pytest.mark.parametrize(
    ("scope", "container"),
    [
        ("https://storage.azure.com/.default", "first"),
        ("https://devstoreaccount1.blob.core.windows.net/.default", "second"),
    ],
)
def test_a_token_for_storage_opens_a_store(store: tuple[str, httpx.Client, Keys], scope: str, container: str) -> None:
    assert status(store, scope, container) == 201


@pytest.mark.parametrize("scope", ["https://management.azure.com/.default", "https://vault.azure.net/.default"])
def test_a_token_for_something_else_does_not(store: tuple[str, httpx.Client, Keys], scope: str) -> None:
    assert status(store, scope, "third") in (401, 403)
