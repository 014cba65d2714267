"""Debug sessions of data flows: kept and given back, as no data flow runs here yet."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from manara import clock
from manara.resources.published import FACTORIES
from manara.server.answer import Answer, Problem, bad_request
from manara.server.arm.resources import factory
from manara.server.site import Call
from manara.store.documents import Document

SESSIONS = f"{FACTORIES}/debugsessions"
_MINUTES = 60


def create(call: Call) -> Answer:
    """Open a session and answer with its id."""
    within = factory(call)
    asked = _asked(call)
    session = clock.new_id()
    minutes = asked.get("timeToLive", _MINUTES)
    body = {
        "dataFlowName": "",
        "computeType": asked.get("computeType", "General"),
        "coreCount": asked.get("coreCount", 8),
        "nodeCount": 1,
        "integrationRuntimeName": (asked.get("integrationRuntime") or {}).get("name", "AutoResolveIntegrationRuntime"),
        "startTime": clock.stamp(clock.now()),
        "timeToLiveInMinutes": minutes if isinstance(minutes, int) and 0 < minutes <= 24 * 60 else _MINUTES,
        "flows": [],
    }
    call.documents.put(f"{within.path}/debugsessions/{session}", SESSIONS, within.path, body)
    return Answer(body={"status": "Succeeded", "sessionId": session})


def query(call: Call) -> Answer:
    """Answer with the sessions that are still open."""
    within = factory(call)
    return Answer(
        body={"value": [_shown(each) for each in call.documents.inside(within.path, SESSIONS) if _is_open(each)]}
    )


def add(call: Call) -> Answer:
    """Keep a data flow in a session."""
    found = _session(call)
    flow = _asked(call).get("dataFlow")
    flows = [*found.body.get("flows", []), flow] if isinstance(flow, Mapping) else found.body.get("flows", [])
    call.documents.put(found.path, SESSIONS, found.parent, {**found.body, "flows": flows})
    return Answer(body={"jobVersion": str(len(flows))})


def delete(call: Call) -> Answer:
    """Close a session."""
    call.documents.delete(_session(call).path)
    return Answer()


def execute(call: Call) -> Answer:
    """Answer that data flows do not run here."""
    _session(call)
    raise Problem(501, "NotImplemented", "Data flows do not run here yet.", target=call.path)


def _asked(call: Call) -> Mapping[str, Any]:
    if call.body is not None and not isinstance(call.body, Mapping):
        raise bad_request("The request's body must be a JSON object.")
    return call.body or {}


def _session(call: Call) -> Document:
    within = factory(call)
    session = str(_asked(call).get("sessionId") or "")
    found = call.documents.get(f"{within.path}/debugsessions/{session}") if session else None
    if found is None or not _is_open(found):
        raise Problem(404, "DebugSessionNotFound", f"There is no open debug session '{session[:80]}'.")
    return found


def _is_open(session: Document) -> bool:
    return clock.now() < session.created + timedelta(minutes=session.body.get("timeToLiveInMinutes", _MINUTES))


def _shown(session: Document) -> dict[str, Any]:
    return {"sessionId": session.name, **{key: value for key, value in session.body.items() if key != "flows"}}
