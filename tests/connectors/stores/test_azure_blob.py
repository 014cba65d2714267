"""The blobs of Azure, on Azurite, and on a server that is not always well."""

import base64
import errno
import gzip
import hashlib
import hmac
import random
import re
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest
from tests.azurite import Azurite
from tests.connectors.stores.below import Below, opened
from tests.web_server import Asked, Reply, serving

from manara import clock
from manara.connectors.stores import azure_account
from manara.connectors.stores.azure_blob import Blobs
from manara.connectors.stores.azure_signing import Bearer, service_principal
from manara.connectors.stores.remote import RemoteStore
from manara.errors import ManaraError, NotAllowed, NotFound, Transient, WrongDefinition
from manara.plugin.connection import Connection, LinkedServiceGiven, Store
from manara.secret import Secret
from manara.testing.suites import StoreSuite, fill, read


class _OnAzurite(StoreSuite):
    @pytest.fixture
    def connection(self, tmp_path: Path, azurite: Azurite) -> Connection:
        store = opened(self.type, tmp_path, connectionString=azurite.connection_string)
        return Below(store, f"suite-{uuid.uuid4().hex}/in here")


class TestAzureBlobStorage(_OnAzurite):
    type = "AzureBlobStorage"


class TestAzureStorage(_OnAzurite):
    type = "AzureStorage"


class TestAzureBlobFS(StoreSuite):
    type = "AzureBlobFS"

    @pytest.fixture
    def connection(self, tmp_path: Path, azurite: Azurite) -> Connection:
        store = opened(self.type, tmp_path, url=azurite.blob, accountKey={"type": "SecureString", "value": azurite.key})
        return Below(store, f"suite-{uuid.uuid4().hex}/in here")


@pytest.fixture
def container(tmp_path: Path, azurite: Azurite) -> str:
    """Gives a container with the file in/a.csv, whose content is 1."""
    name = f"c-{uuid.uuid4().hex}"
    fill(opened("AzureBlobStorage", tmp_path, connectionString=azurite.connection_string), f"{name}/in/a.csv", b"1")
    return name


def sas_of(azurite: Azurite, rights: str = "rwdlac") -> str:
    """Return a shared access signature for the account, that holds for an hour."""
    end = (clock.now() + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    said = {
        "sp": rights,
        "ss": "b",
        "srt": "sco",
        "st": "",
        "se": end,
        "sip": "",
        "spr": "https,http",
        "sv": "2021-12-02",
    }
    text = "\n".join([azurite.account, *said.values(), "", ""])
    signature = hmac.digest(base64.b64decode(azurite.key), text.encode(), hashlib.sha256)
    said["sig"] = base64.b64encode(signature).decode()
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in said.items() if value)


FORMS: dict[str, Callable[[Azurite, str], dict[str, Any]]] = {
    "connection string": lambda azurite, _: {"connectionString": azurite.connection_string},
    "connection string as a secret": lambda azurite, _: {
        "connectionString": {"type": "SecureString", "value": azurite.connection_string}
    },
    "connection string without its key": lambda azurite, _: {
        "connectionString": f"AccountName={azurite.account};BlobEndpoint={azurite.blob}",
        "accountKey": {"type": "SecureString", "value": azurite.key},
    },
    "connection string with a SAS": lambda azurite, _: {
        "connectionString": f"BlobEndpoint={azurite.blob};SharedAccessSignature={sas_of(azurite)}"
    },
    "SAS address": lambda azurite, _: {"sasUri": f"{azurite.blob}/?{sas_of(azurite)}"},
    "SAS address of the container": lambda azurite, name: {"sasUri": f"{azurite.blob}/{name}?{sas_of(azurite)}"},
    "SAS token beside its address": lambda azurite, _: {
        "sasUri": azurite.blob,
        "sasToken": {"type": "SecureString", "value": f"?{sas_of(azurite)}"},
    },
    "endpoint and key": lambda azurite, _: {"serviceEndpoint": f"{azurite.blob}/", "accountKey": azurite.key},
}


@pytest.mark.parametrize("form", FORMS)
def test_an_account_is_opened_in_every_form(tmp_path: Path, azurite: Azurite, container: str, form: str) -> None:
    store = opened("AzureBlobStorage", tmp_path, **FORMS[form](azurite, container))
    fill(store, f"{container}/in/b.csv", b"2")
    assert [info.name for info in store.list(f"{container}/in")] == ["a.csv", "b.csv"]
    assert read(store, f"{container}/in/a.csv") == b"1"


def test_what_is_open_to_everybody_is_read_without_a_key(tmp_path: Path, azurite: Azurite, container: str) -> None:
    store = opened("AzureBlobStorage", tmp_path, connectionString=azurite.connection_string)
    anonymous = opened(
        "AzureBlobStorage", tmp_path, authenticationType="Anonymous", containerUri=f"{azurite.blob}/{container}"
    )
    assert isinstance(store, RemoteStore)
    assert isinstance(store.remote, Blobs)
    with pytest.raises(ManaraError):
        read(anonymous, f"{container}/in/a.csv")
    level = {"x-ms-blob-public-access": "container"}
    store.remote.account.wire.ask(
        "PUT", f"{azurite.blob}/{container}", query={"restype": "container", "comp": "acl"}, headers=level
    )
    assert read(anonymous, f"{container}/in/a.csv") == b"1"
    assert [info.path for info in anonymous.list(container)] == [f"{container}/in"]


@pytest.mark.parametrize("form", ["wrong key", "no right to write", "a signature that is none"])
def test_who_may_not_is_told_without_secrets(tmp_path: Path, azurite: Azurite, container: str, form: str) -> None:
    wrong = base64.b64encode(b"wrong" * 12).decode()
    unsigned = re.sub("sig=[^&]*", f"sig={quote(wrong)}", sas_of(azurite))
    properties = {
        "wrong key": {"serviceEndpoint": azurite.blob, "accountKey": wrong},
        "no right to write": {"sasUri": f"{azurite.blob}/?{sas_of(azurite, 'rl')}"},
        "a signature that is none": {"sasUri": f"{azurite.blob}/?{unsigned}"},
    }[form]
    store = opened("AzureBlobStorage", tmp_path, **properties)
    with pytest.raises(NotAllowed) as raised:
        fill(store, f"{container}/in/b.csv", b"2")
    assert "sig=" not in f"{raised.value} {store!r}"
    assert wrong not in f"{raised.value} {store!r}"


@pytest.mark.parametrize(
    "properties",
    [
        {"serviceEndpoint": "http://[", "accountKey": "eA=="},
        {"sasUri": "https://[x/?sig=1"},
        {},
        {"connectionString": "AccountKey=x"},
        {"sasUri": "https://a.blob.core.windows.net/"},
        {"serviceEndpoint": "a.blob.core.windows.net", "accountKey": "eA=="},
        {"serviceEndpoint": "https://a.blob.core.windows.net", "servicePrincipalId": "x"},
        {"connectionString": {"type": "AzureKeyVaultSecret", "secretName": "x"}},
    ],
    ids=[
        "brackets",
        "an account in brackets",
        "nothing",
        "no account",
        "no signature",
        "no scheme",
        "half a principal",
        "unresolved vault",
    ],
)
def test_what_opens_nothing_is_told(tmp_path: Path, properties: dict[str, Any]) -> None:
    with pytest.raises(WrongDefinition):
        opened("AzureBlobStorage", tmp_path, **properties)


def test_the_development_storage_is_known(tmp_path: Path) -> None:
    store = opened("AzureStorage", tmp_path, connectionString="UseDevelopmentStorage=true;")
    assert isinstance(store, RemoteStore)
    assert store.remote.where == "http://127.0.0.1:10000/devstoreaccount1"


def test_a_container_that_is_missing_is_told(tmp_path: Path, azurite: Azurite) -> None:
    store = opened("AzureBlobStorage", tmp_path, connectionString=azurite.connection_string)
    assert store.info("no-such-container/a.csv") is None
    for attempt in (lambda: store.open("no-such-container/a.csv"), lambda: store.list("no-such-container")):
        with pytest.raises(NotFound):
            attempt()


def test_containers_are_the_folders_of_the_root(tmp_path: Path, azurite: Azurite, container: str) -> None:
    store = opened("AzureBlobStorage", tmp_path, connectionString=azurite.connection_string)
    assert container in [info.path for info in store.list("") if info.is_folder]
    store.delete(container)
    assert store.list(container) == []  # the container itself stays


def test_marks_of_folders_are_folders(tmp_path: Path, azurite: Azurite, container: str) -> None:
    """As storage browsers and hierarchical namespaces make them."""
    store = opened("AzureBlobStorage", tmp_path, connectionString=azurite.connection_string)
    assert isinstance(store, RemoteStore)
    assert isinstance(store.remote, Blobs)
    marked = {"x-ms-blob-type": "BlockBlob", "x-ms-meta-hdi_isfolder": "true"}
    for name, headers in (("empty", marked), ("in", marked), ("slash/", {"x-ms-blob-type": "BlockBlob"})):
        store.remote.account.wire.ask("PUT", f"{azurite.blob}/{container}/{name}", headers=headers)
    assert [(info.name, info.is_folder) for info in store.list(container)] == [
        ("empty", True),
        ("in", True),
        ("slash", True),
    ]
    assert [store.list(f"{container}/{name}") for name in ("empty", "slash")] == [[], []]
    for name in ("empty", "in", "slash"):
        store.delete(f"{container}/{name}")
    assert store.list(container) == []


def test_what_is_stored_packed_is_read_as_it_is_stored(tmp_path: Path, azurite: Azurite, container: str) -> None:
    store = opened("AzureBlobStorage", tmp_path, connectionString=azurite.connection_string)
    assert isinstance(store, RemoteStore)
    assert isinstance(store.remote, Blobs)
    packed = gzip.compress(random.Random(1).randbytes(3 << 20))  # noqa: S311
    headers = {"x-ms-blob-type": "BlockBlob", "x-ms-blob-content-encoding": "gzip"}
    store.remote.account.wire.ask("PUT", f"{azurite.blob}/{container}/a.gz", headers=headers, body=packed)
    assert read(store, f"{container}/a.gz") == packed


def test_a_disk_that_is_full_here_is_told(tmp_path: Path, azurite: Azurite, container: str) -> None:
    store = opened("AzureBlobStorage", tmp_path, connectionString=azurite.connection_string)
    with pytest.raises(ManaraError) as raised, store.create(f"{container}/b.csv"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert raised.value.error_code == "UserErrorDiskFull"
    assert store.info(f"{container}/b.csv") is None


def test_a_list_goes_over_many_pages(tmp_path: Path, azurite: Azurite, container: str) -> None:
    whole = opened("AzureBlobStorage", tmp_path, connectionString=azurite.connection_string)
    assert isinstance(whole, RemoteStore)
    assert isinstance(whole.remote, Blobs)
    store = RemoteStore(remote=replace(whole.remote, page=2))
    for name in ("b", "c/1", "c/2", "c/3", "d"):
        fill(store, f"{container}/in/{name}", b"")
    assert [info.name for info in store.list(f"{container}/in")] == ["a.csv", "b", "c", "d"]
    store.delete(f"{container}/in")
    assert whole.list(container) == []


class Sick:
    """A blob store that holds one file of 3 MB, with ranges; `before` may answer in its place."""

    def __init__(self, *before: Callable[[Asked], Reply | None]) -> None:
        self.before = list(before)
        self.content = bytes(range(256)) * 12_000
        self.tag = '"1"'

    def __call__(self, asked: Asked) -> Reply:
        other = self.before.pop(0)(asked) if self.before else None
        if other is not None:
            return other
        if asked.headers.get("If-Match", self.tag) != self.tag:
            return Reply(status=412)
        begin, end = (int(part) for part in asked.headers["Range"].removeprefix("bytes=").split("-"))
        piece = self.content[begin : end + 1]
        told = f"bytes {begin}-{begin + len(piece) - 1}/{len(self.content)}"
        return Reply(status=206, text=piece, headers={"Content-Range": told, "ETag": self.tag})


def sick_store(url: str, root: Path) -> tuple[Store, list[float]]:
    """Return a store on the server, which waits for nothing, and how long it would have waited."""
    store, waited = opened("AzureBlobStorage", root, serviceEndpoint=url, accountKey="eA=="), list[float]()
    assert isinstance(store, RemoteStore)
    assert isinstance(store.remote, Blobs)
    account = store.remote.account
    wire = replace(account.wire, wait=waited.append)
    return RemoteStore(remote=Blobs(account=replace(account, wire=wire))), waited


def closes(_asked: Asked) -> Reply:
    return Reply(status=206, text=b"x" * 100, headers={"Content-Range": "bytes 0-99/100"}, ends_after=10)


@pytest.mark.parametrize(
    ("before", "waited"),
    [
        ([lambda _: Reply(status=429, headers={"Retry-After": "3"})], [3.0]),
        ([lambda _: None, lambda _: Reply(status=503), lambda _: Reply(status=500)], [0.2, 0.4]),
        ([lambda _: None, closes, closes], [0.2, 0.4]),
    ],
    ids=["429", "busy in the middle", "line closed in the middle"],
)
def test_a_sick_server_is_asked_again(tmp_path: Path, before: list[Any], waited: list[float]) -> None:
    sick = Sick(*before)
    with serving(sick) as server:
        store, times = sick_store(server.url, tmp_path)
        assert read(store, "c/a.bin") == sick.content
    assert times == waited


def test_a_server_that_stays_sick_is_told(tmp_path: Path) -> None:
    with serving(Reply(status=503)) as server:
        store, times = sick_store(server.url, tmp_path)
        with pytest.raises(Transient, match="5 times, at last: 503"):
            read(store, "c/a.bin")
    assert times == [0.2, 0.4, 0.8, 1.6]


def test_a_file_that_changes_while_it_is_read_is_told(tmp_path: Path) -> None:
    sick = Sick()
    with serving(sick) as server, sick_store(server.url, tmp_path)[0].open("c/a.bin") as file:
        file.read(10)
        sick.tag = '"2"'
        with pytest.raises(Transient, match="changed while it was read"):
            file.read()


def test_a_token_that_ends_in_the_middle_is_renewed(tmp_path: Path) -> None:
    tokens = iter(["first", "second"])
    sick = Sick(lambda _: None, lambda _: Reply(status=401))
    with serving(sick) as server:
        identity: Callable[[str], Secret] = lambda _resource: Secret(next(tokens))  # noqa: E731
        properties = {"serviceEndpoint": server.url}
        given = LinkedServiceGiven(
            name="Lake", type="AzureBlobFS", properties=properties, root=tmp_path, identity=identity
        )
        store = RemoteStore(remote=Blobs(account=azure_account.account_of(given, "blob")))
        assert read(store, "c/a.bin") == sick.content
    assert [asked.headers["Authorization"] for asked in server.asked] == ["Bearer first"] * 2 + ["Bearer second"]


def test_a_service_principal_asks_for_a_token_once(tmp_path: Path) -> None:
    with serving(Reply(json={"access_token": "abc", "expires_in": 3600})) as server:
        signer = Bearer(ask=lambda: service_principal(server.url, "tenant", "id", Secret("hush & more")))
        requests = [httpx.Request("GET", "http://localhost") for _ in range(3)]
        for request in requests:
            signer.sign(request)
    (asked,) = server.asked
    assert asked.path == "/tenant/oauth2/v2.0/token"
    assert b"client_secret=hush+%26+more&scope=https%3A%2F%2Fstorage.azure.com%2F.default" in asked.body
    assert {request.headers["Authorization"] for request in requests} == {"Bearer abc"}


def test_a_service_principal_that_is_refused_is_told() -> None:
    with serving(Reply(status=401, json={"error": "invalid_client"})) as server, pytest.raises(NotAllowed):
        service_principal(server.url, "tenant", "id", Secret("hush"))


@pytest.mark.parametrize(
    ("kind", "properties", "host"),
    [
        ("AzureBlobFS", {"url": "https://lake.dfs.core.windows.net"}, "lake.blob.core.windows.net"),
        ("AzureBlobFS", {"url": "https://lake.dfs.core.windows.net/"}, "lake.blob.core.windows.net"),
        (
            "AzureBlobStorage",
            {"connectionString": "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=eA==;EndpointSuffix=core.cn"},
            "a.blob.core.cn",
        ),
    ],
)
def test_the_address_of_the_blobs_is_found(tmp_path: Path, kind: str, properties: dict[str, str], host: str) -> None:
    store = opened(kind, tmp_path, accountKey="eA==", **properties)
    assert isinstance(store, RemoteStore)
    assert urlsplit(store.remote.where).hostname == host
