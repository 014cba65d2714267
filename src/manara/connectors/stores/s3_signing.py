"""AWS Signature Version 4, by which S3 and what speaks its language know who asks."""

import hashlib
import hmac
from dataclasses import dataclass, field

import httpx

from manara import clock
from manara.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureV4:
    """Signs with an access key.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
    """

    access_key: str
    secret_key: Secret
    session_token: Secret | None = None
    region: str
    service: str = field(default="s3")

    def sign(self, request: httpx.Request) -> None:
        at = clock.now().strftime("%Y%m%dT%H%M%SZ")
        digest = hashlib.sha256(request.content).hexdigest()
        request.headers["x-amz-date"] = at
        request.headers["x-amz-content-sha256"] = digest
        if self.session_token:
            request.headers["x-amz-security-token"] = self.session_token.open()
        scope = f"{at[:8]}/{self.region}/{self.service}/aws4_request"
        signed, whole = _canonical(request, digest)
        text = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{hashlib.sha256(whole.encode()).hexdigest()}"
        signature = hmac.digest(self._key(scope), text.encode(), hashlib.sha256).hex()
        request.headers["Authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.access_key}/{scope}, SignedHeaders={signed}, Signature={signature}"
        )

    def renew(self) -> bool:
        return False

    def _key(self, scope: str) -> bytes:
        key = f"AWS4{self.secret_key.open()}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), hashlib.sha256)
        return key


def _canonical(request: httpx.Request, digest: str) -> tuple[str, str]:
    """Return the names of the signed headers, and the request in the form that is signed."""
    headers = {name: value.strip() for name, value in request.headers.items() if _is_signed(name)}
    signed = ";".join(sorted(headers))
    path, _, query = request.url.raw_path.decode("ascii").partition("?")
    pairs = sorted(pair if "=" in pair else f"{pair}=" for pair in query.split("&") if pair)
    lines = [request.method, path, "&".join(pairs), *(f"{name}:{headers[name]}" for name in sorted(headers))]
    return signed, "\n".join([*lines, "", signed, digest])


def _is_signed(name: str) -> bool:
    return name == "host" or name.startswith("x-amz-")
