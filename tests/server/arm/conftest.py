"""A site with its application, called without a network; the caller may do everything unless a test says otherwise."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from manara.app import known
from manara.server.answer import Answer
from manara.server.caller import Caller
from manara.server.http import Application
from manara.server.limits import Limits
from manara.server.request import Request
from manara.server.site import Site
from manara.settings import Settings
from manara.store.seal import Seal

GROUP = "/subscriptions/s1/resourceGroups/relief"
FACTORY = f"{GROUP}/providers/Microsoft.DataFactory/factories/north"


def everything(_action: str, _scope: str) -> bool:
    return True


@dataclass
class Somebody:
    """An identity that lets one caller do what a test says, and keeps what was noted."""

    may: Callable[[str, str], bool] = everything
    noted: list[Mapping[str, Any]] = field(default_factory=list)

    def answer(self, _request: Request) -> Answer | None:
        return None

    def caller(self, request: Request) -> Caller:
        may = self.may
        return Caller(object_id="o1", app_id="a1", name="somebody", decides=may, address=request.address)

    def note(self, call: Mapping[str, Any]) -> None:
        self.noted.append(call)


@dataclass
class Client:
    """Sends requests to an application in this process."""

    application: Application
    identity: Somebody
    site: Site

    def send(self, method: str, path: str, body: Any = None, *, version: str = "2018-06-01", **headers: str) -> Answer:
        route, _, query = path.partition("?")
        pairs = dict(pair.partition("=")[::2] for pair in query.split("&") if pair)
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        kind = {"content-type": "application/json"} if raw else {}
        request = Request(
            method=method,
            path=route,
            query={"api-version": version, **{name.lower(): value for name, value in pairs.items()}},
            headers={
                "host": "here",
                **kind,
                **{name.lower().replace("_", "-"): each for name, each in headers.items()},
            },
            body=raw,
            scheme="https",
        )
        return self.application.answer(request, {})

    def put(self, path: str, properties: Any, **headers: str) -> Answer:
        return self.send("PUT", path, {"properties": properties}, **headers)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    settings = Settings()
    site = Site(
        home=tmp_path,
        address=tmp_path / "journal.sqlite",
        seal=Seal(tmp_path / "seal.key"),
        settings=settings,
        known=known,
    )
    identity = Somebody()
    limits = Limits({"reads": 10_000, "writes": 10_000, "deletes": 10_000})
    yield Client(Application(site, identity, limits), identity, site)
    site.close()


@pytest.fixture
def factory(client: Client) -> Client:
    """A client, with a resource group and a factory in it, and a store that it can use."""
    assert client.send("PUT", GROUP, {"location": "local"}, version="2021-04-01").status == 201
    assert client.send("PUT", FACTORY, {"location": "local"}).status == 200
    store = {"type": "FileServer", "typeProperties": {"host": "data"}}
    assert client.put(f"{FACTORY}/linkedservices/Store", store).status == 200
    return client
