"""The objects of S3, on moto; its signature, as Amazon's own client makes it."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import httpx
import pytest
from tests.connectors.stores.below import Below, opened
from tests.web_server import Asked, Reply, serving

from manara.connectors.stores.remote import RemoteStore
from manara.connectors.stores.s3 import Buckets
from manara.connectors.stores.s3_signing import SignatureV4
from manara.errors import ManaraError, NotAllowed, NotFound, WrongDefinition
from manara.plugin.connection import Connection, Store
from manara.secret import Secret
from manara.testing.suites import StoreSuite, fill, read

KEYS = {"accessKeyId": "AKIDEXAMPLE", "secretAccessKey": {"type": "SecureString", "value": "hush"}}


class _OnMoto(StoreSuite):
    @pytest.fixture
    def connection(self, tmp_path: Path, s3_url: str) -> Connection:
        store = opened(self.type, tmp_path, serviceUrl=s3_url, **KEYS)
        return Below(store, f"suite-{uuid.uuid4().hex}/in here")


class TestAmazonS3(_OnMoto):
    type = "AmazonS3"


class TestAmazonS3Compatible(_OnMoto):
    type = "AmazonS3Compatible"


class TestGoogleCloudStorage(_OnMoto):
    type = "GoogleCloudStorage"


@pytest.mark.parametrize("token", [None, "session"])
@pytest.mark.parametrize(
    ("method", "url", "body"),
    [
        ("GET", "https://b.s3.eu-west-1.amazonaws.com/in/a%20b%2B%25/%C3%BC.csv", b""),
        (
            "GET",
            "https://storage.googleapis.com/b?list-type=2&prefix=in%2F&delimiter=%2F&continuation-token=a%2B%3D",
            b"",
        ),
        ("PUT", "http://127.0.0.1:9000/b/a.csv?partNumber=2&uploadId=x", b"content"),
        ("POST", "http://localhost:9000/b/a.csv?uploads=", b""),
    ],
)
def test_a_request_is_signed_as_amazon_does(method: str, url: str, body: bytes, token: str | None) -> None:
    request = httpx.Request(method, url, content=body, headers={"Range": "bytes=0-9"})
    signer = SignatureV4(
        access_key="AKID", secret_key=Secret("hush"), session_token=Secret(token) if token else None, region="eu-west-1"
    )
    signer.sign(request)
    at = request.headers["x-amz-date"]
    theirs = botocore.awsrequest.AWSRequest(method, url, data=body)
    theirs.headers["X-Amz-Date"] = theirs.context["timestamp"] = at
    theirs.headers["X-Amz-Content-SHA256"] = request.headers["x-amz-content-sha256"]
    if token:
        theirs.headers["X-Amz-Security-Token"] = token
    amazon = botocore.auth.S3SigV4Auth(botocore.credentials.Credentials("AKID", "hush", token), "s3", "eu-west-1")
    amazon.timestamp = at
    text = amazon.string_to_sign(theirs, amazon.canonical_request(theirs))
    assert request.headers["Authorization"].endswith(f"Signature={amazon.signature(text, theirs)}")


def test_an_open_bucket_is_read_without_a_key(tmp_path: Path) -> None:
    with serving(Reply(status=206, text=b"1", headers={"Content-Range": "bytes 0-0/1"})) as server:
        store = opened("AmazonS3", tmp_path, serviceUrl=server.url, authenticationType="Anonymous")
        assert read(store, "open/a.csv") == b"1"
    assert "Authorization" not in server.asked[0].headers


@pytest.mark.parametrize(
    ("kind", "properties", "host", "path"),
    [
        ("AmazonS3", {}, "lake.s3.amazonaws.com", "/in/a.csv"),
        (
            "AmazonS3",
            {"serviceUrl": "https://s3.eu-west-1.amazonaws.com"},
            "lake.s3.eu-west-1.amazonaws.com",
            "/in/a.csv",
        ),
        ("AmazonS3", {"serviceUrl": "https://minio.example.org:9000"}, "minio.example.org", "/lake/in/a.csv"),
        ("AmazonS3Compatible", {"serviceUrl": "https://x.example.org"}, "lake.x.example.org", "/in/a.csv"),
        (
            "AmazonS3Compatible",
            {"serviceUrl": "https://x.example.org", "forcePathStyle": True},
            "x.example.org",
            "/lake/in/a.csv",
        ),
        ("GoogleCloudStorage", {}, "storage.googleapis.com", "/lake/in/a.csv"),
    ],
)
def test_the_address_of_a_bucket(tmp_path: Path, kind: str, properties: dict[str, Any], host: str, path: str) -> None:
    url = httpx.URL(buckets_of(opened(kind, tmp_path, **properties, **KEYS))._url("lake", "in/a.csv"))
    assert (url.host, url.path) == (host, path)


@pytest.mark.parametrize(
    ("kind", "properties"),
    [
        ("AmazonS3", {}),
        ("AmazonS3", {"accessKeyId": "x"}),
        ("AmazonS3Compatible", KEYS),
        ("AmazonS3Compatible", {"serviceUrl": "ftp://x.org", **KEYS}),
    ],
    ids=["no key", "half a key", "no address", "another protocol"],
)
def test_what_opens_nothing_is_told(tmp_path: Path, kind: str, properties: dict[str, Any]) -> None:
    with pytest.raises(WrongDefinition):
        opened(kind, tmp_path, **properties)


def test_a_bucket_that_is_missing_is_told(tmp_path: Path, s3_url: str) -> None:
    store = opened("AmazonS3", tmp_path, serviceUrl=s3_url, **KEYS)
    assert store.info("no-such-bucket/a.csv") is None
    for attempt in (lambda: store.open("no-such-bucket/a.csv"), lambda: store.list("no-such-bucket")):
        with pytest.raises(NotFound):
            attempt()


def test_buckets_are_the_folders_of_the_root_and_stay(tmp_path: Path, s3_url: str) -> None:
    store, bucket = opened("AmazonS3", tmp_path, serviceUrl=s3_url, **KEYS), f"b-{uuid.uuid4().hex}"
    fill(store, f"{bucket}/a.csv", b"1")
    assert bucket in [info.path for info in store.list("") if info.is_folder]
    store.delete(bucket)
    assert store.list(bucket) == []


def test_a_list_goes_over_many_pages(tmp_path: Path, s3_url: str) -> None:
    whole, bucket = opened("AmazonS3", tmp_path, serviceUrl=s3_url, **KEYS), f"b-{uuid.uuid4().hex}"
    store = RemoteStore(remote=replace(buckets_of(whole), page=2))
    for name in ("a+b c", "b", "c/1", "c/2", "c/3", "d", "e/"):
        fill(store, f"{bucket}/in/{name}", b"")
    assert [info.name for info in store.list(f"{bucket}/in")] == ["a+b c", "b", "c", "d", "e"]
    store.delete(f"{bucket}/in")
    assert whole.list(bucket) == []


def test_many_threads_use_one_store(tmp_path: Path, s3_url: str) -> None:
    store, bucket = opened("AmazonS3", tmp_path, serviceUrl=s3_url, **KEYS), f"b-{uuid.uuid4().hex}"
    fill(store, f"{bucket}/a.csv", b"")

    def round_trip(number: int) -> bytes:
        fill(store, f"{bucket}/in/{number}", str(number).encode())
        return read(store, f"{bucket}/in/{number}")

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(round_trip, range(40))) == [str(number).encode() for number in range(40)]


def error(status: int, code: str, more: str = "") -> Reply:
    return Reply(status=status, text=f"<Error><Code>{code}</Code><Message>No.</Message>{more}</Error>")


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (error(403, "AccessDenied"), NotAllowed),
        (error(403, "SignatureDoesNotMatch", "<AWSAccessKeyId>AKIDEXAMPLE</AWSAccessKeyId>"), NotAllowed),
        (error(400, "ExpiredToken"), NotAllowed),
        (error(400, "InvalidArgument"), WrongDefinition),
    ],
    ids=["denied", "signature", "expired", "else"],
)
def test_a_refusal_is_told_without_secrets(tmp_path: Path, reply: Reply, kind: type[ManaraError]) -> None:
    with serving(reply) as server:
        store = opened("AmazonS3", tmp_path, serviceUrl=server.url, **KEYS)
        for attempt in (lambda: store.open("lake/a.csv"), lambda: store.list("lake")):
            with pytest.raises(kind, match="No") as raised:
                attempt()
            assert "AKIDEXAMPLE" not in f"{raised.value}"
    assert "hush" not in repr(store)


@pytest.mark.parametrize("kind", ["AmazonS3", "AzureBlobStorage", "AzureFileStorage", "Hdfs"])
def test_something_else_that_answers_is_told(tmp_path: Path, kind: str) -> None:
    with serving(Reply(text="<!doctype html><p>Welcome to the network of this hotel")) as server:
        url = {"serviceUrl": server.url, "serviceEndpoint": server.url, "url": f"{server.url}/webhdfs/v1"}
        store = opened(kind, tmp_path, **url, **KEYS, accountKey="eA==", fileShare="data", forcePathStyle=True)
        with pytest.raises(ManaraError, match="something else seems to answer"):
            store.list("lake")


def test_a_region_that_is_told_is_signed_for(tmp_path: Path) -> None:
    empty = Reply(text="<ListBucketResult/>")
    with serving(error(400, "AuthorizationHeaderMalformed", "<Region>eu-north-1</Region>"), empty) as server:
        assert opened("AmazonS3", tmp_path, serviceUrl=server.url, **KEYS).list("lake") == []
    assert [asked.headers["Authorization"].split("/")[2] for asked in server.asked] == ["us-east-1", "eu-north-1"]


def test_parts_that_do_not_come_together_are_thrown_away(tmp_path: Path) -> None:
    def answer(asked: Asked) -> Reply:
        if asked.method == "POST" and asked.path.endswith("uploads="):
            return Reply(text="<InitiateMultipartUploadResult><UploadId>7</UploadId></InitiateMultipartUploadResult>")
        if asked.method == "POST":
            return error(200, "InternalError")
        return Reply(headers={"ETag": '"1"'})

    with serving(answer) as server, pytest.raises(ManaraError, match="put the parts"):
        fill(opened("AmazonS3", tmp_path, serviceUrl=server.url, **KEYS), "lake/a.bin", b"x" * (9 << 20))
    assert [(asked.method, asked.path.partition("?")[2]) for asked in server.asked][-1] == ("DELETE", "uploadId=7")


def buckets_of(store: Store) -> Buckets:
    assert isinstance(store, RemoteStore)
    assert isinstance(store.remote, Buckets)
    return store.remote
