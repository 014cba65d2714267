"""From the properties of a web activity to a request, and from the answer to the activity's output."""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, NoReturn

from manara.errors import ManaraError, WrongDefinition
from manara.registry import missing_library
from manara.resources.timespan import read_timespan
from manara.secret import Secret, masked, read_secret
from manara.web import Answer, Request, shown

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE")
TIMEOUT = timedelta(minutes=1)
LONGEST_TIMEOUT = timedelta(minutes=10)
RESPONSE_HEADERS = "ADFWebActivityResponseHeaders"
_SHOWN = 1_000

Identity = Callable[[str], Secret]


class EndpointFailed(ManaraError):
    """The endpoint answered that it failed, or what it answered is of no use."""

    code = "2108"
    status = 400


def read_request(properties: Mapping[str, Any], identity: Identity, where: str) -> Request:
    """Return the request that `url`, `method`, `headers`, `body` and `authentication` describe (rule 92).

    A body that is no text is sent as JSON, and `Content-Type` is JSON unless a header says otherwise. Raises
    WrongDefinition.
    """
    url = properties.get("url")
    if not isinstance(url, str) or not url.strip():
        raise WrongDefinition("The activity needs an address in typeProperties.url.", where=where, advice="Add it.")
    headers = read_headers(properties.get("headers"), where)
    body = body_bytes(properties.get("body"))
    if body and not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = "application/json; charset=utf-8"
    authentication = properties.get("authentication") or {}
    if not isinstance(authentication, Mapping):
        raise WrongDefinition("It is no object.", where=f"{where}: authentication", advice="Give it a type.")
    return Request(
        method=read_method(properties.get("method"), where),
        url=url.strip(),
        headers={**headers, **_signed(authentication, identity, f"{where}: authentication")},
        body=body,
        timeout=_timeout(properties.get("httpRequestTimeout"), f"{where}: httpRequestTimeout"),
        checks_server=str(properties.get("disableCertValidation", False)).lower() != "true",
        **_certificate(authentication, f"{where}: authentication"),
    )


def read_method(method: Any, where: str, code: str = "") -> str:
    """Return the HTTP method in capitals. Raises WrongDefinition for one that is unknown."""
    found = method.strip().upper() if isinstance(method, str) else ""
    if found not in METHODS:
        raise WrongDefinition(
            f"Invalid HttpMethod: '{method}'.", where=f"{where}: method", advice=f"Use {', '.join(METHODS)}.", code=code
        )
    return found


def read_headers(headers: Any, where: str) -> dict[str, str]:
    """Return the headers as texts, secrets opened; those that are null are left out."""
    if headers is None or headers == "":
        return {}
    if not isinstance(headers, Mapping):
        raise WrongDefinition("They are no object.", where=f"{where}: headers", advice='Write {"Name": "value"}.')
    return {
        str(name): read_secret(
            value if isinstance(value, str | Mapping) else json.dumps(value), f"{where}: {name}"
        ).open()
        for name, value in headers.items()
        if value is not None
    }


def body_bytes(body: Any) -> bytes:
    """Return a body as it is sent: a text as it stands, anything else as JSON, nothing for null."""
    if body is None:
        return b""
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="replace")


def check_status(answer: Answer) -> None:
    """Raise EndpointFailed for an answer that tells of a failure, with ADF's text for it."""
    if answer.status >= 300:
        reason = answer.reason or "Unknown"
        raise EndpointFailed(
            f"Error calling the endpoint '{shown(answer.url)}'. Response status code: '{answer.status} - {reason}'. "
            f"More details: {told(answer.text)}"
        )


def told(text: str) -> str:
    """Return the beginning of what an endpoint said."""
    return masked(text[:_SHOWN]) + ("..." if len(text) > _SHOWN else "")


def output_of(answer: Answer) -> dict[str, Any]:
    """Return an answer as an activity's output: the fields of a JSON object, or anything else as `Response`.

    A text that is no JSON stays text, unless it is said to be JSON: then EndpointFailed is raised.
    """
    value = read_json(answer)
    fields = value if isinstance(value, dict) else {"Response": value}
    return {**fields, RESPONSE_HEADERS: dict(answer.headers)}


def read_json(answer: Answer) -> Any:
    """Return the JSON value of an answer, or its text where it does not say that it is JSON and is none."""
    if not answer.text.strip():
        return answer.text
    try:
        return parse_json(answer.text)
    except ValueError as error:
        kind = answer.header("Content-Type").split(";")[0].strip().lower()
        if kind == "application/json" or kind.endswith("+json"):
            raise EndpointFailed(
                f"The answer of '{shown(answer.url)}' is said to be JSON and is none: {error}. "
                f"It begins: {told(answer.text)[:200]}"
            ) from None
        return answer.text


def parse_json(text: str | bytes) -> Any:
    """Return the value of a JSON text. Raises ValueError, also for what JSON cannot hold or the journal not keep."""
    try:
        value = json.loads(text, parse_constant=_no_constant)
        json.dumps(value, ensure_ascii=False).encode()  # fails for half of a surrogate pair
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return value


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no value")


def _timeout(text: Any, where: str) -> timedelta:
    try:
        length = read_timespan(text, TIMEOUT)
    except WrongDefinition as error:
        raise error.at(where)  # noqa: B904 - the same error, with its place
    if not timedelta() < length <= LONGEST_TIMEOUT:
        raise WrongDefinition(f"'{text}' is out of range.", where=where, advice="Give 00:00:01 to 00:10:00.")
    return length


def _signed(authentication: Mapping[str, Any], identity: Identity, where: str) -> dict[str, str]:
    """Return the header that opens the door; none for a client certificate."""
    kind = str(authentication.get("type") or "").lower()
    if kind in ("", "none", "anonymous", "clientcertificate"):
        return {}
    if kind == "basic":
        name = authentication.get("username") or authentication.get("userName") or ""
        password = read_secret(authentication.get("password"), f"{where}.password").open()
        return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}
    if kind in (
        "msi",
        "managedidentity",
        "systemassignedmanagedidentity",
        "userassignedmanagedidentity",
        "serviceprincipal",
    ):
        try:
            return {"Authorization": f"Bearer {identity(str(authentication.get('resource') or '')).open()}"}
        except ManaraError as error:
            raise error.at(where)  # noqa: B904 - the same error, with its place
    raise WrongDefinition(
        f"The authentication type '{authentication['type']}' is unknown.",
        where=where,
        advice="Use Basic, ClientCertificate, MSI or ServicePrincipal, or an Authorization header.",
    )


def _certificate(authentication: Mapping[str, Any], where: str) -> dict[str, Secret]:
    if str(authentication.get("type") or "").lower() != "clientcertificate":
        return {}
    text = read_secret(authentication.get("pfx"), f"{where}.pfx").open()
    password = authentication.get("password")
    opened = read_secret(password, f"{where}.password").open() if password else ""
    if "-----BEGIN" in text:
        return {"certificate": Secret(text), "certificate_password": Secret(opened)}
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise WrongDefinition(
            "The certificate is no PEM text, and no PFX file in base64.",
            where=f"{where}.pfx",
            advice="Give one of them.",
        ) from None
    if b"-----BEGIN" in content:
        return {"certificate": Secret(content.decode("ascii", "replace")), "certificate_password": Secret(opened)}
    return {"certificate": Secret(_from_pfx(content, opened, f"{where}.pfx"))}


def _from_pfx(content: bytes, password: str, where: str) -> str:
    try:
        from manara.pfx import pem_of  # noqa: PLC0415 # its library is an extra
    except ModuleNotFoundError as error:
        raise missing_library(error) from error
    return pem_of(content, password, where)
