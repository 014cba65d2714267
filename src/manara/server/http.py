"""The HTTP server: reads a request, says who sends it and whether he may, does it, and answers as Azure does."""

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import anyio.to_thread

from manara import clock
from manara.errors import ManaraError, Transient
from manara.server.answer import Answer, Problem, problem_of
from manara.server.arm.handlers import HANDLERS
from manara.server.arm.operations import match
from manara.server.arm.routes import Operation, fill
from manara.server.caller import Caller
from manara.server.limits import Limits, kind_of
from manara.server.openapi import document
from manara.server.request import Receive, Request, Scope, Send, read_request
from manara.server.site import Call, Site

log = logging.getLogger("manara.server")

THREADS = 4
FACTORY_VERSION = "2018-06-01"
_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-\w+)?")
_ALWAYS = {
    "Cache-Control": "no-cache",
    "Pragma": "no-cache",
    "Expires": "-1",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
}


class Identity(Protocol):
    """What says who somebody is, and keeps account of what was done."""

    def answer(self, request: Request) -> Answer | None:
        """Answer a request for a token or for what clients must know to ask for one; None for any other."""

    def caller(self, request: Request) -> Caller:
        """Return who sends the request. Raises Problem for a token that is missing, expired or not ours."""

    def note(self, call: Mapping[str, Any]) -> None:
        """Write down what was done or refused."""


@dataclass
class Application:
    """The ASGI application of one site."""

    site: Site
    identity: Identity
    limits: Limits
    _threads: anyio.CapacityLimiter | None = field(default=None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            self._threads = self._threads or anyio.CapacityLimiter(THREADS)
            await self._http(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            request = await read_request(scope, receive)
        except Problem as problem:
            await _send(send, scope["method"], problem.answer(), {})
            return
        headers = _ids(request)
        answer = await anyio.to_thread.run_sync(self.answer, request, headers, limiter=self._threads)
        await _send(send, request.method, answer, headers)

    def answer(self, request: Request, headers: dict[str, str]) -> Answer:
        """Return the answer to a request; `headers` take what every answer carries."""
        with self.site.connected():
            return self._logged(request, headers)

    def _logged(self, request: Request, headers: dict[str, str]) -> Answer:
        """Return the answer, an error in its form too, and log it."""
        began = clock.now()
        try:
            answer = self._answer(request, headers)
        except Problem as problem:
            answer = problem.answer()
        except ManaraError as error:
            if isinstance(error, Transient):
                self.site.renew()
            if error.status >= 500:
                log.warning("The server could not answer: %s", error, extra={"request": _told(request)})
            answer = problem_of(error).answer()
        except Exception:
            log.exception("The server failed", extra={"request": _told(request)})
            answer = Problem(500, "InternalServerError", "The server has failed; its log says how.").answer()
        told = {**_told(request), "status": answer.status, "ms": round((clock.now() - began).total_seconds() * 1000, 1)}
        log.info("request", extra={"request": told})
        return answer

    def _answer(self, request: Request, headers: dict[str, str]) -> Answer:
        path = request.path.rstrip("/").lower()
        if path in _OWN:
            return _OWN[path](self.site)
        told = self.identity.answer(request)
        return told if told is not None else self._arm(request, headers)

    def _arm(self, request: Request, headers: dict[str, str]) -> Answer:
        found = match(request.method, request.path)
        if isinstance(found, tuple) and found[0].open:
            operation, names = found
            return HANDLERS[operation.name](self._call(request, operation, names, _NOBODY, None))
        caller = self.identity.caller(request)
        if not isinstance(found, tuple):
            raise _no_operation(request, found)
        operation, names = found
        kind = kind_of(request.method, operation.action)
        headers[f"x-ms-ratelimit-remaining-subscription-{kind}"] = str(self.limits.take(caller.object_id, kind))
        return self._done(request, operation, names, caller)

    def _done(self, request: Request, operation: Operation, names: Mapping[str, str], caller: Caller) -> Answer:
        """Do what is asked for, and note it."""
        try:
            answer = self._do(request, operation, names, caller)
        except Problem as problem:
            self._note(request, operation, names, caller, problem.status, problem.code)
            raise
        except ManaraError as error:
            self._note(request, operation, names, caller, error.status, error.error_code)
            raise
        self._note(request, operation, names, caller, answer.status, "")
        return answer

    def _do(self, request: Request, operation: Operation, names: Mapping[str, str], caller: Caller) -> Answer:
        scope = operation.resource(names)
        if not caller.may(operation.action, scope):
            told = (
                f"The client '{caller.app_id}' with object id '{caller.object_id}' does not have authorization to "
                f"perform action '{operation.action}' over scope '{scope}' or the scope is invalid. "
                "If access was recently granted, please refresh your credentials."
            )
            raise Problem(403, "AuthorizationFailed", told, headers={"x-ms-failure-cause": "gateway"})
        _check_version(request, operation)
        body = request.json() if not operation.name.startswith("Deployments_") else request.body
        return HANDLERS[operation.name](self._call(request, operation, names, caller, body))

    def _call(
        self, request: Request, operation: Operation, names: Mapping[str, str], caller: Caller, body: Any
    ) -> Call:
        return Call(
            site=self.site,
            operation=operation,
            path=fill(operation.path, names),
            names=names,
            query=request.query,
            headers=request.headers,
            caller=caller,
            body=body,
            base=request.base,
        )

    def _note(
        self, request: Request, operation: Operation, names: Mapping[str, str], caller: Caller, status: int, code: str
    ) -> None:
        """Write every change, and every refusal, into the audit log."""
        if kind_of(request.method, operation.action) == "reads" and status != _FORBIDDEN:
            return
        self.identity.note(
            {
                "who": caller.object_id,
                "name": caller.name,
                "action": operation.action or operation.name,
                "on": operation.resource(names) or request.path,
                "from": request.address,
                "status": status,
                "code": code,
                "correlation": request.header("x-ms-correlation-request-id")
                or request.header("x-ms-client-request-id"),
            }
        )


_FORBIDDEN = 403
_NOBODY = Caller(object_id="", app_id="", name="", decides=lambda _action, _scope: False)


def _no_operation(request: Request, found: frozenset[str] | None) -> Problem:
    if found:
        told = f"The requested resource does not support http method '{request.method}'."
        return Problem(405, "MethodNotAllowed", told, headers={"Allow": ", ".join(sorted(found))})
    return Problem(
        404, "InvalidResourceType", f"There is no operation of the management API at '{request.path[:300]}'."
    )


def _check_version(request: Request, operation: Operation) -> None:
    version = request.query.get("api-version", "")
    if not version:
        told = "The api-version query parameter (?api-version=) is required for all requests."
        raise Problem(400, "MissingApiVersionParameter", told)
    is_factory = "/providers/microsoft.datafactory/" in f"{operation.path.lower()}/"
    if not _VERSION.fullmatch(version) or (is_factory and version != FACTORY_VERSION):
        wanted = f"The supported versions are '{FACTORY_VERSION}'." if is_factory else "It is written as 2021-04-01."
        told = f"The api-version '{version[:40]}' is invalid. {wanted}"
        raise Problem(400, "InvalidApiVersionParameter", told)


def _health(site: Site) -> Answer:
    return Answer(body={"status": "ok", "started": clock.stamp(site.started)})


def _ready(site: Site) -> Answer:
    (count,) = site.journal.rows("count_unfinished")[0]
    return Answer(body={"status": "ok", "unfinishedRuns": count})


def _openapi(_site: Site) -> Answer:
    return Answer(body=document())


_OWN = {"/health": _health, "/ready": _ready, "/openapi.json": _openapi}
"""What is answered without a token."""


def _ids(request: Request) -> dict[str, str]:
    own = clock.new_id()
    client = request.header("x-ms-client-request-id")
    return {
        "x-ms-request-id": own,
        "x-ms-correlation-request-id": own,
        "x-ms-routing-request-id": f"LOCAL:{clock.now():%Y%m%dT%H%M%SZ}:{own}",
        **({"x-ms-client-request-id": client} if client.isascii() and client.isprintable() and client else {}),
    }


def _told(request: Request) -> dict[str, Any]:
    return {"method": request.method, "path": request.path[:300], "from": request.address}


async def _send(send: Send, method: str, answer: Answer, headers: Mapping[str, str]) -> None:
    body = b"" if answer.body is None else json.dumps(answer.body, separators=(",", ":")).encode()
    kind = {"Content-Type": "application/json; charset=utf-8"} if body else {}
    every = {**_ALWAYS, **headers, **kind, **answer.headers}
    if answer.status not in (204, 304):
        every["Content-Length"] = str(len(body))
    pairs = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in every.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": pairs})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
