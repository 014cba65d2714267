"""The linked services AmazonS3, AmazonS3Compatible and GoogleCloudStorage: the objects of buckets as files.

The first part of a path is the bucket. Google's store speaks S3's language at storage.googleapis.com to who has an
HMAC key, which is how ADF reaches it.
"""

import io
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import httpx

from manara.connectors.stores.remote import (
    MEMORY_BYTES,
    UNFINISHED,
    Lake,
    RemoteStore,
    file_info,
    folder_info,
    no_file,
    parts,
)
from manara.connectors.stores.s3_signing import SignatureV4
from manara.connectors.stores.wire import (
    Anonymous,
    NoContainer,
    Signer,
    Wire,
    each,
    encoded,
    is_address,
    moment,
    xml_of,
)
from manara.errors import NotFound, Transient, WrongDefinition
from manara.plugin.connection import FileInfo, LinkedServiceGiven, connector
from manara.secret import read_secret

_MOST_PARTS = 10_000
_DEFAULTS = {"AmazonS3": "https://s3.amazonaws.com", "GoogleCloudStorage": "https://storage.googleapis.com"}
_AMAZON = re.compile(r"s3[.-](?:dualstack\.)?([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com(?:\.cn)?")
_REGIONS: dict[tuple[str, str], str] = {}
"""The region of each bucket as its store told it, by address and bucket."""
_PLAIN_BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")


@connector("AmazonS3", "AmazonS3Compatible", "GoogleCloudStorage", can={"read", "write", "list", "delete"})
def s3(given: LinkedServiceGiven) -> RemoteStore:
    """Return the buckets as folders, with their objects.

    `authenticationType` is AccessKey, TemporarySecurityCredentials or, ours, Anonymous. Rule source:
    https://learn.microsoft.com/azure/data-factory/connector-amazon-simple-storage-service
    """
    where = f"linked service '{given.name}'"
    url = str(given.properties.get("serviceUrl") or _DEFAULTS.get(given.type) or "").strip().rstrip("/")
    url = url if "://" in url or not url else f"https://{url}"
    if not is_address(url):
        raise WrongDefinition(
            f"{given.type} needs the address of its store.", where=where, advice="Give typeProperties.serviceUrl."
        )
    host = urlsplit(url).hostname or ""
    region = found[1] if (found := _AMAZON.search(host)) else "auto" if "googleapis" in host else "us-east-1"
    in_path = given.type != "AmazonS3Compatible" and "amazonaws" not in host
    in_path = in_path or str(given.properties.get("forcePathStyle", "")).lower() == "true"
    in_path = in_path or "." not in host or re.fullmatch(r"[\d.]+", host) is not None
    signer = _signer(given, where, region)
    return RemoteStore(remote=Buckets(url=url, signer=signer, is_in_path=in_path))


def _signer(given: LinkedServiceGiven, where: str, region: str) -> Signer:
    if str(given.properties.get("authenticationType", "")).lower() == "anonymous":
        return Anonymous()
    secret, token = given.properties.get("secretAccessKey"), given.properties.get("sessionToken")
    access = given.properties.get("accessKeyId")
    if not access or not secret:
        raise WrongDefinition(
            f"{given.type} needs accessKeyId and secretAccessKey.",
            where=where,
            advice='For what is open to everybody write "authenticationType": "Anonymous".',
        )
    return SignatureV4(
        access_key=read_secret(access, where).open(),
        secret_key=read_secret(secret, where),
        session_token=read_secret(token, where) if token else None,
        region=region,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """The objects of all buckets that one key opens; a list comes in pages of `page` entries.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
    """

    url: str
    signer: Signer
    is_in_path: bool
    page: int = 1000

    @property
    def where(self) -> str:
        return self.url

    def info(self, path: str) -> FileInfo | None:
        _, _, name = path.partition("/")
        if name:
            head = self._ask("HEAD", path)
            if head.status_code == 200:
                return file_info(path, int(head.headers["Content-Length"]), moment(head))
        try:
            page = next(self._pages(path, limit=1))
        except NotFound:
            return None
        return folder_info(path) if not name or page.find("Contents") is not None else None

    def list(self, folder: str) -> list[FileInfo] | None:
        if not folder:
            return list(self._buckets())
        bucket, _, name = folder.partition("/")
        found: dict[str, FileInfo] = {}
        is_there = not name
        try:
            for page in self._pages(folder, delimiter="/"):
                for info in _entries(bucket, page):
                    is_there = True
                    if info.path != folder and (info.path not in found or found[info.path].is_folder):
                        found[info.path] = info
        except NotFound:
            return None
        return list(found.values()) if is_there else None

    def open(self, path: str) -> BinaryIO:
        if "/" not in path:
            raise no_file(path, self.where)
        bucket, _, name = path.partition("/")
        self._learn_region(bucket)
        return self._wire(bucket).open(path, self._url(bucket, name))

    def lake(self, path: str) -> Lake:
        bucket, _, name = path.partition("/")
        self._learn_region(bucket)
        region, signer, in_path = _REGIONS.get((self.url, bucket), ""), self._wire(bucket).signer, self._in_path(bucket)
        options = {"aws_conditional_put": "etag", "allow_http": str(self.url.startswith("http:")).lower()}
        if isinstance(signer, SignatureV4):
            region = signer.region
            options |= {"aws_access_key_id": signer.access_key, "aws_secret_access_key": signer.secret_key.open()}
            options |= {"aws_session_token": signer.session_token.open()} if signer.session_token else {}
        else:
            options["aws_skip_signature"] = "true"
        options["aws_region"] = region or "us-east-1"
        options["aws_endpoint_url"] = self._url("" if in_path else bucket, "").rstrip("/")
        options["aws_virtual_hosted_style_request"] = str(not in_path).lower()
        return Lake(uri=f"s3://{bucket}/{name}", options=options)

    def make_ready(self, path: str) -> None:
        """Make the bucket, and try whether the store keeps a second writer from the name of a first one."""
        probe = f"{path}/{UNFINISHED}{secrets.token_hex(8)}"
        self.upload(probe, io.BytesIO(), 0)
        try:
            again = self._ask("PUT", probe, headers={"If-None-Match": "*"}, allowed=(409, 412, 501))
        finally:
            self._ask("DELETE", probe)
        if again.status_code not in {409, 412}:
            raise WrongDefinition(
                "This store lets a second writer write over what a first one has written, so that of two commits at "
                "once one would be lost: no Delta table is written here.",
                where=self.url,
                advice="Write Parquet, or take a store that heeds If-None-Match (Amazon S3, MinIO, Azure's blobs).",
            )

    def upload(self, path: str, content: BinaryIO, size_bytes: int) -> None:
        try:
            self._upload(path, content, size_bytes)
        except NoContainer:
            _there(self._ask("PUT", path.partition("/")[0], allowed=(409,)))
            content.seek(0)
            self._upload(path, content, size_bytes)

    def _upload(self, path: str, content: BinaryIO, size_bytes: int) -> None:
        if size_bytes <= MEMORY_BYTES:
            _there(self._ask("PUT", path, body=content.read()))
            return
        begun = xml_of(_there(self._ask("POST", path, query={"uploads": ""})))
        upload = {"uploadId": begun.findtext("UploadId", "")}
        try:
            tags = []
            for number, part in enumerate(parts(content, size_bytes, _MOST_PARTS), 1):
                sent = _there(self._ask("PUT", path, query={"partNumber": str(number), **upload}, body=part))
                tags.append(
                    f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(sent.headers['ETag'])}</ETag></Part>"
                )
            body = f"<CompleteMultipartUpload>{''.join(tags)}</CompleteMultipartUpload>".encode()
            done = _there(self._ask("POST", path, query=upload, body=body))
            if xml_of(done).tag == "Error":  # S3 may begin a good answer before it knows that it will fail
                raise Transient("The store could not put the parts of the file together.", where=self.where)
        except BaseException:
            self._ask("DELETE", path, query=upload)
            raise

    def delete(self, path: str) -> None:
        """Remove an object, or all objects below; a bucket itself stays."""
        bucket, _, name = path.partition("/")
        try:
            names = [entry.findtext("Key", "") for page in self._pages(path) for entry in page.iterfind("Contents")]
        except NotFound:
            return
        each(lambda key: self._ask("DELETE", bucket, key=key), [*names, *([name] if name else [])])

    def _buckets(self) -> Iterator[FileInfo]:
        for entry in xml_of(self._ask("GET", "")).iterfind("Buckets/Bucket"):
            yield folder_info(entry.findtext("Name", ""), moment(entry.findtext("CreationDate")))

    def _pages(self, folder: str, *, delimiter: str = "", limit: int = 0) -> Iterator[ET.Element]:
        """Yield the pages of the list of what lies below the folder. Raises NotFound without the bucket."""
        bucket, _, name = folder.partition("/")
        query = {"list-type": "2", "encoding-type": "url", "max-keys": str(limit or self.page)}
        query |= {"prefix": f"{name}/"} if name else {}
        query |= {"delimiter": delimiter} if delimiter else {}
        while True:
            page = xml_of(_there(self._ask("GET", bucket, query=query)))
            for entry in page.iter() if page.findtext("EncodingType") == "url" else ():
                if entry.tag in {"Key", "Prefix"}:
                    entry.text = unquote((entry.text or "").replace("+", " "))
            yield page
            token = page.findtext("NextContinuationToken")
            if not token:
                return
            query["continuation-token"] = token

    def _ask(
        self,
        method: str,
        path: str,
        *,
        key: str | None = None,
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        allowed: tuple[int, ...] = (),
    ) -> httpx.Response:
        bucket, _, name = path.partition("/")
        name = name if key is None else key
        self._learn_region(bucket)
        may = (*allowed, 400)
        asked: dict[str, Any] = {"query": query, "body": body, "headers": headers}
        response = self._wire(bucket).ask(method, self._url(bucket, name), **asked, allowed=may)
        found = re.search(r"<Region>([a-z0-9-]+)</Region>", response.text) if response.status_code == 400 else None
        if found:  # what is no Amazon, and has a region nevertheless
            _REGIONS[self.url, bucket] = found[1]
            return self._wire(bucket).ask(method, self._url(bucket, name), **asked, allowed=allowed)
        if response.status_code == 400:
            raise self._wire(bucket).refused(response)
        return response

    def _learn_region(self, bucket: str) -> None:
        """Ask Amazon once where the bucket lies; it says so to everybody, and answers only there."""
        if bucket and "amazonaws" in self.url and (self.url, bucket) not in _REGIONS:
            head = self._wire(bucket).ask("HEAD", self._url(bucket, ""), allowed=(301, 307, 400, 403))
            _REGIONS[self.url, bucket] = head.headers.get("x-amz-bucket-region", "")

    def _wire(self, bucket: str) -> Wire:
        region, signer = _REGIONS.get((self.url, bucket)), self.signer
        if region and isinstance(signer, SignatureV4):
            signer = replace(signer, region=region)
        return Wire(where=self.url, signer=signer)

    def _url(self, bucket: str, name: str) -> str:
        url, region = self.url, _REGIONS.get((self.url, bucket))
        if region and url == _DEFAULTS["AmazonS3"]:
            url = f"https://s3.{region}.amazonaws.com"
        if not bucket or self._in_path(bucket):
            return f"{url}/{encoded(bucket, name)}"
        scheme, _, host = url.partition("://")
        return f"{scheme}://{bucket}.{host}/{encoded(name)}"

    def _in_path(self, bucket: str) -> bool:
        return self.is_in_path or not _PLAIN_BUCKET.fullmatch(bucket)


def _entries(bucket: str, page: ET.Element) -> Iterator[FileInfo]:
    for entry in page.iterfind("CommonPrefixes"):
        yield folder_info(f"{bucket}/{entry.findtext('Prefix', '')}".rstrip("/"))
    for entry in page.iterfind("Contents"):
        key, at = entry.findtext("Key", ""), moment(entry.findtext("LastModified"))
        path = f"{bucket}/{key}".rstrip("/")
        yield folder_info(path, at) if key.endswith("/") else file_info(path, int(entry.findtext("Size") or 0), at)


def _there(response: httpx.Response) -> httpx.Response:
    if response.status_code == 404:
        raise NotFound(f"There is nothing at '{response.url.path}'.")
    return response
