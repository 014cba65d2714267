"""A factory of Azure, read by the management API: every definition in it, page by page."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from manara.errors import NotAllowed, NotFound, Transient, WrongDefinition
from manara.resources.published import factory_id
from manara.resources.template.evaluate import Withheld
from manara.resources.template.git import Layout, layout_of
from manara.resources.template.template import Wanted
from manara.secret import Secret
from manara.web import Request, send

VERSION = "2018-06-01"
TIMEOUT = timedelta(seconds=60)
MOST_PAGES = 1_000
KINDS = (
    "pipelines",
    "datasets",
    "linkedservices",
    "dataflows",
    "triggers",
    "integrationRuntimes",
    "credentials",
    "managedVirtualNetworks",
)
_MADE_BY_SERVICE = {
    "pipelines": ("lastPublishTime",),
    "integrationRuntimes": ("state",),
    "": ("provisioningState", "createTime", "version", "factoryStatistics"),
}


_NONE = Secret("")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Which factory is read, and by whom: with a bearer token, or as a service principal."""

    subscription: str
    group: str
    factory: str
    endpoint: str = "https://management.azure.com"
    token: Secret = _NONE
    tenant: str = ""
    client: str = ""
    client_secret: Secret = _NONE
    authority: str = "https://login.microsoftonline.com"


def read_azure(access: Access, tell: Callable[[str], None] = lambda _text: None) -> Layout:
    """Return the files of a factory of Azure.

    Secrets are never told by Azure: each becomes a reference to the Key Vault `ImportedSecrets`. Raises NotFound,
    NotAllowed and Transient by what Azure answers.
    """
    token = access.token if access.token.open() else _token(access)
    path = factory_id(quote(access.factory, safe=""), quote(access.subscription, safe=""), quote(access.group, safe=""))
    root = f"{access.endpoint.rstrip('/')}{path}"
    own = _get(f"{root}?api-version={VERSION}", token)
    found = [_wanted("", own, access.factory)]
    for kind in KINDS:
        parts = list(_pages(f"{root}/{kind}?api-version={VERSION}", token))
        tell(f"  {kind}: {len(parts)}")
        found += [_wanted(kind, part, access.factory) for part in parts]
    return layout_of(found)


def _pages(url: str, token: Secret) -> Iterator[Mapping[str, Any]]:
    host = urlsplit(url)[:2]
    for _ in range(MOST_PAGES):
        page = _get(url, token)
        yield from (each for each in page.get("value") or [] if isinstance(each, Mapping))
        url = str(page.get("nextLink") or "")
        if not url:
            return
        if urlsplit(url)[:2] != host:
            raise WrongDefinition("The next page is said to be at another address: it is not asked, with our token.")
    raise WrongDefinition(f"There are more than {MOST_PAGES:,} pages.")


def _wanted(kind: str, part: Mapping[str, Any], factory: str) -> Wanted:
    name = str(part.get("name") or "")
    told = part.get("properties")
    dropped = _MADE_BY_SERVICE.get(kind, ())
    properties = {key: each for key, each in told.items() if key not in dropped} if isinstance(told, Mapping) else {}
    body = {key: part[key] for key in ("location", "tags", "identity") if part.get(key)} if not kind else {}
    return Wanted(
        id=str(part.get("id") or ""),
        type="Microsoft.DataFactory/factories" + (f"/{kind}" if kind else ""),
        name=f"{factory}/{name}" if kind else factory,
        scope="",
        api_version=VERSION,
        body={**body, "properties": _withheld(properties, name)},
        path=f"{kind}/{name}",
    )


def _withheld(value: Any, name: str) -> Any:
    """Return properties in which secrets that came as stars are marked as not given."""
    if isinstance(value, Mapping):
        held = value.get("value")
        stars = isinstance(held, str) and held != "" and not held.strip("*")
        if str(value.get("type")).lower() == "securestring" and (stars or held is None):
            return Withheld(parameter=name)
        named = {key: name if key == "typeProperties" else f"{name}_{key}" for key in value}
        return {key: _withheld(part, named[key]) for key, part in value.items()}
    if isinstance(value, list):
        return [_withheld(part, f"{name}_{index}") for index, part in enumerate(value)]
    return value


def _token(access: Access) -> Secret:
    if not (access.tenant and access.client and access.client_secret.open()):
        raise WrongDefinition(
            "There is no way to sign in to Azure.",
            advice="Give MANARA_AZURE_TOKEN, or AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET.",
        )
    form = {
        "grant_type": "client_credentials",
        "client_id": access.client,
        "client_secret": access.client_secret.open(),
        "scope": "https://management.azure.com/.default",
    }
    url = f"{access.authority.rstrip('/')}/{quote(access.tenant, safe='')}/oauth2/v2.0/token"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = send(Request(method="POST", url=url, timeout=TIMEOUT, headers=headers, body=urlencode(form).encode()))
    told = _json(answer.text)
    if answer.status != 200 or not isinstance(told.get("access_token"), str):
        why = str(told.get("error_description") or told.get("error") or f"status {answer.status}")[:300]
        raise NotAllowed(f"Azure gives no token: {why}", where=url)
    return Secret(told["access_token"])


def _get(url: str, token: Secret) -> Mapping[str, Any]:
    headers = {"Authorization": f"Bearer {token.open()}", "Accept": "application/json"}
    answer = send(Request(method="GET", url=url, timeout=TIMEOUT, headers=headers))
    told = _json(answer.text)
    if answer.status == 200:
        return told
    error = told.get("error")
    code, message = (error.get("code"), error.get("message")) if isinstance(error, Mapping) else ("", answer.reason)
    why = f"Azure answers {answer.status} {code}: {str(message)[:500]}"
    where = url.partition("?")[0]
    if answer.status == 404:
        raise NotFound(why, where=where)
    if answer.status in (401, 403):
        raise NotAllowed(why, where=where, advice="Check the token, and that it may read the factory.")
    if answer.status == 429 or answer.status >= 500:
        raise Transient(why, where=where, advice="Try again.")
    raise WrongDefinition(why, where=where)


def _json(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, Mapping) else {}
